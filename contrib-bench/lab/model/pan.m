#define rand	pan_rand
#define pthread_equal(a,b)	((a)==(b))
#if defined(HAS_CODE) && defined(VERBOSE)
	#ifdef BFS_PAR
		bfs_printf("Pr: %d Tr: %d\n", II, t->forw);
	#else
		cpu_printf("Pr: %d Tr: %d\n", II, t->forw);
	#endif
#endif
	switch (t->forw) {
	default: Uerror("bad forward move");
	case 0:	/* if without executable clauses */
		continue;
	case 1: /* generic 'goto' or 'skip' */
		IfNotBlocked
		_m = 3; goto P999;
	case 2: /* generic 'else' */
		IfNotBlocked
		if (trpt->o_pm&1) continue;
		_m = 3; goto P999;

		 /* PROC :init: */
	case 3: // STATE 1 - pool.pml:358 - [((i<2))] (7:0:3 - 1)
		IfNotBlocked
		reached[5][1] = 1;
		if (!((((int)((P5 *)_this)->i)<2)))
			continue;
		/* merge: number[i] = 255(7, 2, 7) */
		reached[5][2] = 1;
		(trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = ((int)now.number[ Index(((int)((P5 *)_this)->i), 2) ]);
		now.number[ Index(((P5 *)_this)->i, 2) ] = 255;
#ifdef VAR_RANGES
		logval("number[:init::i]", ((int)now.number[ Index(((int)((P5 *)_this)->i), 2) ]));
#endif
		;
		/* merge: free_bit[i] = 1(7, 3, 7) */
		reached[5][3] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.free_bit[ Index(((int)((P5 *)_this)->i), 2) ]);
		now.free_bit[ Index(((P5 *)_this)->i, 2) ] = 1;
#ifdef VAR_RANGES
		logval("free_bit[:init::i]", ((int)now.free_bit[ Index(((int)((P5 *)_this)->i), 2) ]));
#endif
		;
		/* merge: i = (i+1)(7, 4, 7) */
		reached[5][4] = 1;
		(trpt+1)->bup.ovals[2] = ((int)((P5 *)_this)->i);
		((P5 *)_this)->i = (((int)((P5 *)_this)->i)+1);
#ifdef VAR_RANGES
		logval(":init::i", ((int)((P5 *)_this)->i));
#endif
		;
		/* merge: .(goto)(0, 8, 7) */
		reached[5][8] = 1;
		;
		_m = 3; goto P999; /* 4 */
	case 4: // STATE 10 - pool.pml:364 - [i = 0] (0:16:1 - 3)
		IfNotBlocked
		reached[5][10] = 1;
		(trpt+1)->bup.oval = ((int)((P5 *)_this)->i);
		((P5 *)_this)->i = 0;
#ifdef VAR_RANGES
		logval(":init::i", ((int)((P5 *)_this)->i));
#endif
		;
		/* merge: .(goto)(0, 17, 16) */
		reached[5][17] = 1;
		;
		_m = 3; goto P999; /* 1 */
	case 5: // STATE 11 - pool.pml:366 - [((i<2))] (0:0:0 - 1)
		IfNotBlocked
		reached[5][11] = 1;
		if (!((((int)((P5 *)_this)->i)<2)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 6: // STATE 12 - pool.pml:366 - [(run writer())] (0:0:0 - 1)
		IfNotBlocked
		reached[5][12] = 1;
		if (!(addproc(II, 1, 1, 0)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 7: // STATE 13 - pool.pml:366 - [i = (i+1)] (0:0:1 - 1)
		IfNotBlocked
		reached[5][13] = 1;
		(trpt+1)->bup.oval = ((int)((P5 *)_this)->i);
		((P5 *)_this)->i = (((int)((P5 *)_this)->i)+1);
#ifdef VAR_RANGES
		logval(":init::i", ((int)((P5 *)_this)->i));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 8: // STATE 19 - pool.pml:369 - [i = 0] (0:20:1 - 3)
		IfNotBlocked
		reached[5][19] = 1;
		(trpt+1)->bup.oval = ((int)((P5 *)_this)->i);
		((P5 *)_this)->i = 0;
#ifdef VAR_RANGES
		logval(":init::i", ((int)((P5 *)_this)->i));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 9: // STATE 20 - pool.pml:370 - [(run owner(0))] (0:0:0 - 1)
		IfNotBlocked
		reached[5][20] = 1;
		if (!(addproc(II, 1, 0, 0)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 10: // STATE 21 - pool.pml:371 - [(run owner(1))] (0:0:0 - 1)
		IfNotBlocked
		reached[5][21] = 1;
		if (!(addproc(II, 1, 0, 1)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 11: // STATE 22 - pool.pml:373 - [((i<1))] (0:0:0 - 1)
		IfNotBlocked
		reached[5][22] = 1;
		if (!((((int)((P5 *)_this)->i)<1)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 12: // STATE 23 - pool.pml:373 - [(run drainer())] (0:0:0 - 1)
		IfNotBlocked
		reached[5][23] = 1;
		if (!(addproc(II, 1, 2, 0)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 13: // STATE 24 - pool.pml:373 - [i = (i+1)] (0:0:1 - 1)
		IfNotBlocked
		reached[5][24] = 1;
		(trpt+1)->bup.oval = ((int)((P5 *)_this)->i);
		((P5 *)_this)->i = (((int)((P5 *)_this)->i)+1);
#ifdef VAR_RANGES
		logval(":init::i", ((int)((P5 *)_this)->i));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 14: // STATE 30 - pool.pml:376 - [i = 0] (0:31:1 - 3)
		IfNotBlocked
		reached[5][30] = 1;
		(trpt+1)->bup.oval = ((int)((P5 *)_this)->i);
		((P5 *)_this)->i = 0;
#ifdef VAR_RANGES
		logval(":init::i", ((int)((P5 *)_this)->i));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 15: // STATE 31 - pool.pml:377 - [(run dropper())] (0:0:0 - 1)
		IfNotBlocked
		reached[5][31] = 1;
		if (!(addproc(II, 1, 3, 0)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 16: // STATE 32 - pool.pml:379 - [((1==0))] (0:0:0 - 1)
		IfNotBlocked
		reached[5][32] = 1;
		if (!((1==0)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 17: // STATE 33 - pool.pml:379 - [(run last())] (0:0:0 - 1)
		IfNotBlocked
		reached[5][33] = 1;
		if (!(addproc(II, 1, 4, 0)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 18: // STATE 38 - pool.pml:383 - [-end-] (0:0:0 - 1)
		IfNotBlocked
		reached[5][38] = 1;
		if (!delproc(1, II)) continue;
		_m = 3; goto P999; /* 0 */

		 /* PROC last */
	case 19: // STATE 1 - pool.pml:347 - [((working==0))] (0:0:0 - 1)
		IfNotBlocked
		reached[4][1] = 1;
		if (!((((int)now.working)==0)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 20: // STATE 2 - pool.pml:247 - [before = tickets] (0:0:1 - 1)
		IfNotBlocked
		reached[4][2] = 1;
		(trpt+1)->bup.oval = ((int)((P4 *)_this)->before);
		((P4 *)_this)->before = ((int)now.tickets);
#ifdef VAR_RANGES
		logval("last:before", ((int)((P4 *)_this)->before));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 21: // STATE 3 - pool.pml:248 - [slot = 0] (0:0:1 - 1)
		IfNotBlocked
		reached[4][3] = 1;
		(trpt+1)->bup.oval = ((int)((P4 *)_this)->slot);
		((P4 *)_this)->slot = 0;
#ifdef VAR_RANGES
		logval("last:slot", ((int)((P4 *)_this)->slot));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 22: // STATE 4 - pool.pml:250 - [((slot<2))] (0:0:0 - 1)
		IfNotBlocked
		reached[4][4] = 1;
		if (!((((int)((P4 *)_this)->slot)<2)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 23: // STATE 5 - pool.pml:234 - [seen = number[slot]] (0:0:1 - 1)
		IfNotBlocked
		reached[4][5] = 1;
		(trpt+1)->bup.oval = ((int)((P4 *)_this)->seen);
		((P4 *)_this)->seen = ((int)now.number[ Index(((int)((P4 *)_this)->slot), 2) ]);
#ifdef VAR_RANGES
		logval("last:seen", ((int)((P4 *)_this)->seen));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 24: // STATE 6 - pool.pml:236 - [(((seen==255)||(seen>=before)))] (23:0:1 - 1)
		IfNotBlocked
		reached[4][6] = 1;
		if (!(((((int)((P4 *)_this)->seen)==255)||(((int)((P4 *)_this)->seen)>=((int)((P4 *)_this)->before)))))
			continue;
		/* merge: there = 0(0, 7, 23) */
		reached[4][7] = 1;
		(trpt+1)->bup.oval = ((int)((P4 *)_this)->there);
		((P4 *)_this)->there = 0;
#ifdef VAR_RANGES
		logval("last:there", ((int)((P4 *)_this)->there));
#endif
		;
		/* merge: .(goto)(0, 18, 23) */
		reached[4][18] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 25: // STATE 9 - pool.pml:238 - [b = key[slot]] (0:0:1 - 1)
		IfNotBlocked
		reached[4][9] = 1;
		(trpt+1)->bup.oval = ((int)((P4 *)_this)->b);
		((P4 *)_this)->b = ((int)now.key[ Index(((int)((P4 *)_this)->slot), 2) ]);
#ifdef VAR_RANGES
		logval("last:b", ((int)((P4 *)_this)->b));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 26: // STATE 10 - pool.pml:72 - [(!(partition[b]))] (14:0:1 - 1)
		IfNotBlocked
		reached[4][10] = 1;
		if (!( !(((int)now.partition[ Index(((int)((P4 *)_this)->b), 2) ]))))
			continue;
		/* merge: partition[b] = 1(0, 11, 14) */
		reached[4][11] = 1;
		(trpt+1)->bup.oval = ((int)now.partition[ Index(((int)((P4 *)_this)->b), 2) ]);
		now.partition[ Index(((P4 *)_this)->b, 2) ] = 1;
#ifdef VAR_RANGES
		logval("partition[last:b]", ((int)now.partition[ Index(((int)((P4 *)_this)->b), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 1 */
	case 27: // STATE 14 - pool.pml:240 - [there = (number[slot]==seen)] (0:0:1 - 1)
		IfNotBlocked
		reached[4][14] = 1;
		(trpt+1)->bup.oval = ((int)((P4 *)_this)->there);
		((P4 *)_this)->there = (((int)now.number[ Index(((int)((P4 *)_this)->slot), 2) ])==((int)((P4 *)_this)->seen));
#ifdef VAR_RANGES
		logval("last:there", ((int)((P4 *)_this)->there));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 28: // STATE 15 - pool.pml:77 - [partition[b] = 0] (0:0:1 - 1)
		IfNotBlocked
		reached[4][15] = 1;
		(trpt+1)->bup.oval = ((int)now.partition[ Index(((int)((P4 *)_this)->b), 2) ]);
		now.partition[ Index(((P4 *)_this)->b, 2) ] = 0;
#ifdef VAR_RANGES
		logval("partition[last:b]", ((int)now.partition[ Index(((int)((P4 *)_this)->b), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 29: // STATE 20 - pool.pml:256 - [(there)] (0:0:1 - 1)
		IfNotBlocked
		reached[4][20] = 1;
		if (!(((int)((P4 *)_this)->there)))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: there */  (trpt+1)->bup.oval = ((P4 *)_this)->there;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P4 *)_this)->there = 0;
		_m = 3; goto P999; /* 0 */
	case 30: // STATE 21 - pool.pml:256 - [((number[slot]!=seen))] (0:0:1 - 1)
		IfNotBlocked
		reached[4][21] = 1;
		if (!((((int)now.number[ Index(((int)((P4 *)_this)->slot), 2) ])!=((int)((P4 *)_this)->seen))))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: seen */  (trpt+1)->bup.oval = ((P4 *)_this)->seen;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P4 *)_this)->seen = 0;
		_m = 3; goto P999; /* 0 */
	case 31: // STATE 25 - pool.pml:260 - [slot = (slot+1)] (0:28:1 - 3)
		IfNotBlocked
		reached[4][25] = 1;
		(trpt+1)->bup.oval = ((int)((P4 *)_this)->slot);
		((P4 *)_this)->slot = (((int)((P4 *)_this)->slot)+1);
#ifdef VAR_RANGES
		logval("last:slot", ((int)((P4 *)_this)->slot));
#endif
		;
		/* merge: .(goto)(0, 29, 28) */
		reached[4][29] = 1;
		;
		_m = 3; goto P999; /* 1 */
	case 32: // STATE 32 - pool.pml:349 - [assert(((content[((incarnation*2)+0)]==accepted[0])&&(content[((incarnation*2)+1)]==accepted[1])))] (0:0:0 - 3)
		IfNotBlocked
		reached[4][32] = 1;
		spin_assert(((((int)now.content[ Index(((((int)now.incarnation)*2)+0), 2) ])==((int)now.accepted[0]))&&(((int)now.content[ Index(((((int)now.incarnation)*2)+1), 2) ])==((int)now.accepted[1]))), "((content[((incarnation*2)+0)]==accepted[0])&&(content[((incarnation*2)+1)]==accepted[1]))", II, tt, t);
		_m = 3; goto P999; /* 0 */
	case 33: // STATE 33 - pool.pml:350 - [-end-] (0:0:0 - 1)
		IfNotBlocked
		reached[4][33] = 1;
		if (!delproc(1, II)) continue;
		_m = 3; goto P999; /* 0 */

		 /* PROC dropper */
	case 34: // STATE 1 - pool.pml:285 - [((n<0))] (0:0:0 - 1)
		IfNotBlocked
		reached[3][1] = 1;
		if (!((((int)((P3 *)_this)->n)<0)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 35: // STATE 2 - pool.pml:286 - [(((users==0)&&!(dropping)))] (58:0:2 - 1)
		IfNotBlocked
		reached[3][2] = 1;
		if (!(((((int)now.users)==0)&& !(((int)now.dropping)))))
			continue;
		/* merge: dropping = 1(58, 3, 58) */
		reached[3][3] = 1;
		(trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((int)now.dropping);
		now.dropping = 1;
#ifdef VAR_RANGES
		logval("dropping", ((int)now.dropping));
#endif
		;
		/* merge: slot = 0(58, 5, 58) */
		reached[3][5] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P3 *)_this)->slot);
		((P3 *)_this)->slot = 0;
#ifdef VAR_RANGES
		logval("dropper:slot", ((int)((P3 *)_this)->slot));
#endif
		;
		/* merge: .(goto)(0, 59, 58) */
		reached[3][59] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 36: // STATE 6 - pool.pml:293 - [((slot<2))] (0:0:0 - 1)
		IfNotBlocked
		reached[3][6] = 1;
		if (!((((int)((P3 *)_this)->slot)<2)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 37: // STATE 7 - pool.pml:234 - [seen = number[slot]] (0:0:1 - 1)
		IfNotBlocked
		reached[3][7] = 1;
		(trpt+1)->bup.oval = ((int)((P3 *)_this)->seen);
		((P3 *)_this)->seen = ((int)now.number[ Index(((int)((P3 *)_this)->slot), 2) ]);
#ifdef VAR_RANGES
		logval("dropper:seen", ((int)((P3 *)_this)->seen));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 38: // STATE 8 - pool.pml:236 - [(((seen==255)||(seen>=255)))] (52:0:1 - 1)
		IfNotBlocked
		reached[3][8] = 1;
		if (!(((((int)((P3 *)_this)->seen)==255)||(((int)((P3 *)_this)->seen)>=255))))
			continue;
		/* merge: there = 0(0, 9, 52) */
		reached[3][9] = 1;
		(trpt+1)->bup.oval = ((int)((P3 *)_this)->there);
		((P3 *)_this)->there = 0;
#ifdef VAR_RANGES
		logval("dropper:there", ((int)((P3 *)_this)->there));
#endif
		;
		/* merge: .(goto)(0, 20, 52) */
		reached[3][20] = 1;
		;
		/* merge: .(goto)(0, 53, 52) */
		reached[3][53] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 39: // STATE 11 - pool.pml:238 - [b = key[slot]] (0:0:1 - 1)
		IfNotBlocked
		reached[3][11] = 1;
		(trpt+1)->bup.oval = ((int)((P3 *)_this)->b);
		((P3 *)_this)->b = ((int)now.key[ Index(((int)((P3 *)_this)->slot), 2) ]);
#ifdef VAR_RANGES
		logval("dropper:b", ((int)((P3 *)_this)->b));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 40: // STATE 12 - pool.pml:72 - [(!(partition[b]))] (16:0:1 - 1)
		IfNotBlocked
		reached[3][12] = 1;
		if (!( !(((int)now.partition[ Index(((int)((P3 *)_this)->b), 2) ]))))
			continue;
		/* merge: partition[b] = 1(0, 13, 16) */
		reached[3][13] = 1;
		(trpt+1)->bup.oval = ((int)now.partition[ Index(((int)((P3 *)_this)->b), 2) ]);
		now.partition[ Index(((P3 *)_this)->b, 2) ] = 1;
#ifdef VAR_RANGES
		logval("partition[dropper:b]", ((int)now.partition[ Index(((int)((P3 *)_this)->b), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 1 */
	case 41: // STATE 16 - pool.pml:240 - [there = (number[slot]==seen)] (0:0:1 - 1)
		IfNotBlocked
		reached[3][16] = 1;
		(trpt+1)->bup.oval = ((int)((P3 *)_this)->there);
		((P3 *)_this)->there = (((int)now.number[ Index(((int)((P3 *)_this)->slot), 2) ])==((int)((P3 *)_this)->seen));
#ifdef VAR_RANGES
		logval("dropper:there", ((int)((P3 *)_this)->there));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 42: // STATE 17 - pool.pml:77 - [partition[b] = 0] (0:0:1 - 1)
		IfNotBlocked
		reached[3][17] = 1;
		(trpt+1)->bup.oval = ((int)now.partition[ Index(((int)((P3 *)_this)->b), 2) ]);
		now.partition[ Index(((P3 *)_this)->b, 2) ] = 0;
#ifdef VAR_RANGES
		logval("partition[dropper:b]", ((int)now.partition[ Index(((int)((P3 *)_this)->b), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 43: // STATE 22 - pool.pml:296 - [((there&&(number[slot]==seen)))] (0:0:0 - 1)
		IfNotBlocked
		reached[3][22] = 1;
		if (!((((int)((P3 *)_this)->there)&&(((int)now.number[ Index(((int)((P3 *)_this)->slot), 2) ])==((int)((P3 *)_this)->seen)))))
			continue;
		_m = 3; goto P999; /* 0 */
	case 44: // STATE 23 - pool.pml:297 - [mine = 0] (0:0:1 - 1)
		IfNotBlocked
		reached[3][23] = 1;
		(trpt+1)->bup.oval = ((int)((P3 *)_this)->mine);
		((P3 *)_this)->mine = 0;
#ifdef VAR_RANGES
		logval("dropper:mine", ((int)((P3 *)_this)->mine));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 45: // STATE 24 - pool.pml:300 - [(queued_bit[slot])] (48:0:2 - 1)
		IfNotBlocked
		reached[3][24] = 1;
		if (!(((int)now.queued_bit[ Index(((int)((P3 *)_this)->slot), 2) ])))
			continue;
		/* merge: queued_bit[slot] = 0(48, 25, 48) */
		reached[3][25] = 1;
		(trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((int)now.queued_bit[ Index(((int)((P3 *)_this)->slot), 2) ]);
		now.queued_bit[ Index(((P3 *)_this)->slot, 2) ] = 0;
#ifdef VAR_RANGES
		logval("queued_bit[dropper:slot]", ((int)now.queued_bit[ Index(((int)((P3 *)_this)->slot), 2) ]));
#endif
		;
		/* merge: mine = 1(48, 26, 48) */
		reached[3][26] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P3 *)_this)->mine);
		((P3 *)_this)->mine = 1;
#ifdef VAR_RANGES
		logval("dropper:mine", ((int)((P3 *)_this)->mine));
#endif
		;
		/* merge: .(goto)(48, 29, 48) */
		reached[3][29] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 46: // STATE 29 - pool.pml:307 - [.(goto)] (0:48:0 - 2)
		IfNotBlocked
		reached[3][29] = 1;
		;
		_m = 3; goto P999; /* 0 */
	case 47: // STATE 27 - pool.pml:304 - [((!(queued_bit[slot])&&(number[slot]!=seen)))] (48:0:0 - 1)
		IfNotBlocked
		reached[3][27] = 1;
		if (!(( !(((int)now.queued_bit[ Index(((int)((P3 *)_this)->slot), 2) ]))&&(((int)now.number[ Index(((int)((P3 *)_this)->slot), 2) ])!=((int)((P3 *)_this)->seen)))))
			continue;
		/* merge: .(goto)(48, 29, 48) */
		reached[3][29] = 1;
		;
		_m = 3; goto P999; /* 1 */
	case 48: // STATE 31 - pool.pml:309 - [((mine&&(number[slot]==seen)))] (0:0:1 - 1)
		IfNotBlocked
		reached[3][31] = 1;
		if (!((((int)((P3 *)_this)->mine)&&(((int)now.number[ Index(((int)((P3 *)_this)->slot), 2) ])==((int)((P3 *)_this)->seen)))))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: mine */  (trpt+1)->bup.oval = ((P3 *)_this)->mine;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P3 *)_this)->mine = 0;
		_m = 3; goto P999; /* 0 */
	case 49: // STATE 32 - pool.pml:72 - [(!(partition[key[slot]]))] (38:0:1 - 1)
		IfNotBlocked
		reached[3][32] = 1;
		if (!( !(((int)now.partition[ Index(((int)now.key[ Index(((int)((P3 *)_this)->slot), 2) ]), 2) ]))))
			continue;
		/* merge: partition[key[slot]] = 1(0, 33, 38) */
		reached[3][33] = 1;
		(trpt+1)->bup.oval = ((int)now.partition[ Index(((int)now.key[ Index(((int)((P3 *)_this)->slot), 2) ]), 2) ]);
		now.partition[ Index(now.key[ Index(((P3 *)_this)->slot, 2) ], 2) ] = 1;
#ifdef VAR_RANGES
		logval("partition[key[dropper:slot]]", ((int)now.partition[ Index(((int)now.key[ Index(((int)((P3 *)_this)->slot), 2) ]), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 1 */
	case 50: // STATE 38 - pool.pml:102 - [D_STEP102]
		IfNotBlocked

		reached[3][38] = 1;
		reached[3][t->st] = 1;
		reached[3][tt] = 1;

		if (TstOnly) return 1;

		sv_save();
		S_224_0: /* 2 */
		now.state[ Index(((P3 *)_this)->slot, 2) ] = 0;
#ifdef VAR_RANGES
		logval("state[dropper:slot]", ((int)now.state[ Index(((int)((P3 *)_this)->slot), 2) ]));
#endif
		;
S_225_0: /* 2 */
		now.number[ Index(((P3 *)_this)->slot, 2) ] = 255;
#ifdef VAR_RANGES
		logval("number[dropper:slot]", ((int)now.number[ Index(((int)((P3 *)_this)->slot), 2) ]));
#endif
		;
		goto S_228_0;
S_228_0: /* 1 */

#if defined(C_States) && (HAS_TRACK==1)
		c_update((uchar *) &(now.c_state[0]));
#endif
		_m = 3; goto P999;

	case 51: // STATE 39 - pool.pml:77 - [partition[key[slot]] = 0] (0:0:1 - 1)
		IfNotBlocked
		reached[3][39] = 1;
		(trpt+1)->bup.oval = ((int)now.partition[ Index(((int)now.key[ Index(((int)((P3 *)_this)->slot), 2) ]), 2) ]);
		now.partition[ Index(now.key[ Index(((P3 *)_this)->slot, 2) ], 2) ] = 0;
#ifdef VAR_RANGES
		logval("partition[key[dropper:slot]]", ((int)now.partition[ Index(((int)now.key[ Index(((int)((P3 *)_this)->slot), 2) ]), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 52: // STATE 42 - pool.pml:108 - [free_bit[slot] = 1] (0:0:1 - 1)
		IfNotBlocked
		reached[3][42] = 1;
		(trpt+1)->bup.oval = ((int)now.free_bit[ Index(((int)((P3 *)_this)->slot), 2) ]);
		now.free_bit[ Index(((P3 *)_this)->slot, 2) ] = 1;
#ifdef VAR_RANGES
		logval("free_bit[dropper:slot]", ((int)now.free_bit[ Index(((int)((P3 *)_this)->slot), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 53: // STATE 43 - pool.pml:109 - [admitted = (admitted+1)] (0:0:1 - 1)
		IfNotBlocked
		reached[3][43] = 1;
		(trpt+1)->bup.oval = ((int)now.admitted);
		now.admitted = (((int)now.admitted)+1);
#ifdef VAR_RANGES
		logval("admitted", ((int)now.admitted));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 54: // STATE 45 - pool.pml:312 - [((mine&&(number[slot]!=seen)))] (0:0:1 - 1)
		IfNotBlocked
		reached[3][45] = 1;
		if (!((((int)((P3 *)_this)->mine)&&(((int)now.number[ Index(((int)((P3 *)_this)->slot), 2) ])!=((int)((P3 *)_this)->seen)))))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: mine */  (trpt+1)->bup.oval = ((P3 *)_this)->mine;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P3 *)_this)->mine = 0;
		_m = 3; goto P999; /* 0 */
	case 55: // STATE 46 - pool.pml:312 - [queued_bit[slot] = 1] (0:0:1 - 1)
		IfNotBlocked
		reached[3][46] = 1;
		(trpt+1)->bup.oval = ((int)now.queued_bit[ Index(((int)((P3 *)_this)->slot), 2) ]);
		now.queued_bit[ Index(((P3 *)_this)->slot, 2) ] = 1;
#ifdef VAR_RANGES
		logval("queued_bit[dropper:slot]", ((int)now.queued_bit[ Index(((int)((P3 *)_this)->slot), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 56: // STATE 55 - pool.pml:317 - [slot = (slot+1)] (0:58:1 - 3)
		IfNotBlocked
		reached[3][55] = 1;
		(trpt+1)->bup.oval = ((int)((P3 *)_this)->slot);
		((P3 *)_this)->slot = (((int)((P3 *)_this)->slot)+1);
#ifdef VAR_RANGES
		logval("dropper:slot", ((int)((P3 *)_this)->slot));
#endif
		;
		/* merge: .(goto)(0, 59, 58) */
		reached[3][59] = 1;
		;
		_m = 3; goto P999; /* 1 */
	case 57: // STATE 61 - pool.pml:321 - [generation = (generation+1)] (0:0:1 - 3)
		IfNotBlocked
		reached[3][61] = 1;
		(trpt+1)->bup.oval = ((int)now.generation);
		now.generation = (((int)now.generation)+1);
#ifdef VAR_RANGES
		logval("generation", ((int)now.generation));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 58: // STATE 62 - pool.pml:324 - [assert(((under_way[0]==0)&&(under_way[1]==0)))] (0:0:0 - 1)
		IfNotBlocked
		reached[3][62] = 1;
		spin_assert(((((int)now.under_way[0])==0)&&(((int)now.under_way[1])==0)), "((under_way[0]==0)&&(under_way[1]==0))", II, tt, t);
		_m = 3; goto P999; /* 0 */
	case 59: // STATE 66 - pool.pml:326 - [D_STEP326]
		IfNotBlocked

		reached[3][66] = 1;
		reached[3][t->st] = 1;
		reached[3][tt] = 1;

		if (TstOnly) return 1;

		sv_save();
		S_251_0: /* 2 */
		now.incarnation = (((int)now.incarnation)+1);
#ifdef VAR_RANGES
		logval("incarnation", ((int)now.incarnation));
#endif
		;
S_252_0: /* 2 */
		now.accepted[0] = 0;
#ifdef VAR_RANGES
		logval("accepted[0]", ((int)now.accepted[0]));
#endif
		;
S_253_0: /* 2 */
		now.accepted[1] = 0;
#ifdef VAR_RANGES
		logval("accepted[1]", ((int)now.accepted[1]));
#endif
		;
		goto S_255_0;
S_255_0: /* 1 */

#if defined(C_States) && (HAS_TRACK==1)
		c_update((uchar *) &(now.c_state[0]));
#endif
		_m = 3; goto P999;

	case 60: // STATE 67 - pool.pml:331 - [dropping = 0] (0:0:1 - 1)
		IfNotBlocked
		reached[3][67] = 1;
		(trpt+1)->bup.oval = ((int)now.dropping);
		now.dropping = 0;
#ifdef VAR_RANGES
		logval("dropping", ((int)now.dropping));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 61: // STATE 68 - pool.pml:335 - [n = (n+1)] (0:0:1 - 1)
		IfNotBlocked
		reached[3][68] = 1;
		(trpt+1)->bup.oval = ((int)((P3 *)_this)->n);
		((P3 *)_this)->n = (((int)((P3 *)_this)->n)+1);
#ifdef VAR_RANGES
		logval("dropper:n", ((int)((P3 *)_this)->n));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 62: // STATE 74 - pool.pml:338 - [slot = 0] (0:82:7 - 1)
		IfNotBlocked
		reached[3][74] = 1;
		(trpt+1)->bup.ovals = grab_ints(7);
		(trpt+1)->bup.ovals[0] = ((int)((P3 *)_this)->slot);
		((P3 *)_this)->slot = 0;
#ifdef VAR_RANGES
		logval("dropper:slot", ((int)((P3 *)_this)->slot));
#endif
		;
		/* merge: seen = 0(82, 75, 82) */
		reached[3][75] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P3 *)_this)->seen);
		((P3 *)_this)->seen = 0;
#ifdef VAR_RANGES
		logval("dropper:seen", ((int)((P3 *)_this)->seen));
#endif
		;
		/* merge: b = 0(82, 76, 82) */
		reached[3][76] = 1;
		(trpt+1)->bup.ovals[2] = ((int)((P3 *)_this)->b);
		((P3 *)_this)->b = 0;
#ifdef VAR_RANGES
		logval("dropper:b", ((int)((P3 *)_this)->b));
#endif
		;
		/* merge: n = 0(82, 77, 82) */
		reached[3][77] = 1;
		(trpt+1)->bup.ovals[3] = ((int)((P3 *)_this)->n);
		((P3 *)_this)->n = 0;
#ifdef VAR_RANGES
		logval("dropper:n", ((int)((P3 *)_this)->n));
#endif
		;
		/* merge: there = 0(82, 78, 82) */
		reached[3][78] = 1;
		(trpt+1)->bup.ovals[4] = ((int)((P3 *)_this)->there);
		((P3 *)_this)->there = 0;
#ifdef VAR_RANGES
		logval("dropper:there", ((int)((P3 *)_this)->there));
#endif
		;
		/* merge: mine = 0(82, 79, 82) */
		reached[3][79] = 1;
		(trpt+1)->bup.ovals[5] = ((int)((P3 *)_this)->mine);
		((P3 *)_this)->mine = 0;
#ifdef VAR_RANGES
		logval("dropper:mine", ((int)((P3 *)_this)->mine));
#endif
		;
		/* merge: working = (working-1)(82, 80, 82) */
		reached[3][80] = 1;
		(trpt+1)->bup.ovals[6] = ((int)now.working);
		now.working = (((int)now.working)-1);
#ifdef VAR_RANGES
		logval("working", ((int)now.working));
#endif
		;
		_m = 3; goto P999; /* 6 */
	case 63: // STATE 82 - pool.pml:339 - [-end-] (0:0:0 - 1)
		IfNotBlocked
		reached[3][82] = 1;
		if (!delproc(1, II)) continue;
		_m = 3; goto P999; /* 0 */

		 /* PROC drainer */
	case 64: // STATE 1 - pool.pml:272 - [(!(dropping))] (35:0:3 - 1)
		IfNotBlocked
		reached[2][1] = 1;
		if (!( !(((int)now.dropping))))
			continue;
		/* merge: users = (users+1)(35, 2, 35) */
		reached[2][2] = 1;
		(trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = ((int)now.users);
		now.users = (((int)now.users)+1);
#ifdef VAR_RANGES
		logval("users", ((int)now.users));
#endif
		;
		/* merge: had[0] = accepted[0](35, 3, 35) */
		reached[2][3] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P2 *)_this)->had[0]);
		((P2 *)_this)->had[0] = ((int)now.accepted[0]);
#ifdef VAR_RANGES
		logval("drainer:had[0]", ((int)((P2 *)_this)->had[0]));
#endif
		;
		/* merge: had[1] = accepted[1](35, 4, 35) */
		reached[2][4] = 1;
		(trpt+1)->bup.ovals[2] = ((int)((P2 *)_this)->had[1]);
		((P2 *)_this)->had[1] = ((int)now.accepted[1]);
#ifdef VAR_RANGES
		logval("drainer:had[1]", ((int)((P2 *)_this)->had[1]));
#endif
		;
		_m = 3; goto P999; /* 3 */
	case 65: // STATE 6 - pool.pml:247 - [before = tickets] (0:0:1 - 1)
		IfNotBlocked
		reached[2][6] = 1;
		(trpt+1)->bup.oval = ((int)((P2 *)_this)->before);
		((P2 *)_this)->before = ((int)now.tickets);
#ifdef VAR_RANGES
		logval("drainer:before", ((int)((P2 *)_this)->before));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 66: // STATE 7 - pool.pml:248 - [slot = 0] (0:0:1 - 1)
		IfNotBlocked
		reached[2][7] = 1;
		(trpt+1)->bup.oval = ((int)((P2 *)_this)->slot);
		((P2 *)_this)->slot = 0;
#ifdef VAR_RANGES
		logval("drainer:slot", ((int)((P2 *)_this)->slot));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 67: // STATE 8 - pool.pml:250 - [((slot<2))] (0:0:0 - 1)
		IfNotBlocked
		reached[2][8] = 1;
		if (!((((int)((P2 *)_this)->slot)<2)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 68: // STATE 9 - pool.pml:234 - [seen = number[slot]] (0:0:1 - 1)
		IfNotBlocked
		reached[2][9] = 1;
		(trpt+1)->bup.oval = ((int)((P2 *)_this)->seen);
		((P2 *)_this)->seen = ((int)now.number[ Index(((int)((P2 *)_this)->slot), 2) ]);
#ifdef VAR_RANGES
		logval("drainer:seen", ((int)((P2 *)_this)->seen));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 69: // STATE 10 - pool.pml:236 - [(((seen==255)||(seen>=before)))] (27:0:1 - 1)
		IfNotBlocked
		reached[2][10] = 1;
		if (!(((((int)((P2 *)_this)->seen)==255)||(((int)((P2 *)_this)->seen)>=((int)((P2 *)_this)->before)))))
			continue;
		/* merge: there = 0(0, 11, 27) */
		reached[2][11] = 1;
		(trpt+1)->bup.oval = ((int)((P2 *)_this)->there);
		((P2 *)_this)->there = 0;
#ifdef VAR_RANGES
		logval("drainer:there", ((int)((P2 *)_this)->there));
#endif
		;
		/* merge: .(goto)(0, 22, 27) */
		reached[2][22] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 70: // STATE 13 - pool.pml:238 - [b = key[slot]] (0:0:1 - 1)
		IfNotBlocked
		reached[2][13] = 1;
		(trpt+1)->bup.oval = ((int)((P2 *)_this)->b);
		((P2 *)_this)->b = ((int)now.key[ Index(((int)((P2 *)_this)->slot), 2) ]);
#ifdef VAR_RANGES
		logval("drainer:b", ((int)((P2 *)_this)->b));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 71: // STATE 14 - pool.pml:72 - [(!(partition[b]))] (18:0:1 - 1)
		IfNotBlocked
		reached[2][14] = 1;
		if (!( !(((int)now.partition[ Index(((int)((P2 *)_this)->b), 2) ]))))
			continue;
		/* merge: partition[b] = 1(0, 15, 18) */
		reached[2][15] = 1;
		(trpt+1)->bup.oval = ((int)now.partition[ Index(((int)((P2 *)_this)->b), 2) ]);
		now.partition[ Index(((P2 *)_this)->b, 2) ] = 1;
#ifdef VAR_RANGES
		logval("partition[drainer:b]", ((int)now.partition[ Index(((int)((P2 *)_this)->b), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 1 */
	case 72: // STATE 18 - pool.pml:240 - [there = (number[slot]==seen)] (0:0:1 - 1)
		IfNotBlocked
		reached[2][18] = 1;
		(trpt+1)->bup.oval = ((int)((P2 *)_this)->there);
		((P2 *)_this)->there = (((int)now.number[ Index(((int)((P2 *)_this)->slot), 2) ])==((int)((P2 *)_this)->seen));
#ifdef VAR_RANGES
		logval("drainer:there", ((int)((P2 *)_this)->there));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 73: // STATE 19 - pool.pml:77 - [partition[b] = 0] (0:0:1 - 1)
		IfNotBlocked
		reached[2][19] = 1;
		(trpt+1)->bup.oval = ((int)now.partition[ Index(((int)((P2 *)_this)->b), 2) ]);
		now.partition[ Index(((P2 *)_this)->b, 2) ] = 0;
#ifdef VAR_RANGES
		logval("partition[drainer:b]", ((int)now.partition[ Index(((int)((P2 *)_this)->b), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 74: // STATE 24 - pool.pml:256 - [(there)] (0:0:1 - 1)
		IfNotBlocked
		reached[2][24] = 1;
		if (!(((int)((P2 *)_this)->there)))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: there */  (trpt+1)->bup.oval = ((P2 *)_this)->there;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P2 *)_this)->there = 0;
		_m = 3; goto P999; /* 0 */
	case 75: // STATE 25 - pool.pml:256 - [((number[slot]!=seen))] (0:0:1 - 1)
		IfNotBlocked
		reached[2][25] = 1;
		if (!((((int)now.number[ Index(((int)((P2 *)_this)->slot), 2) ])!=((int)((P2 *)_this)->seen))))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: seen */  (trpt+1)->bup.oval = ((P2 *)_this)->seen;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P2 *)_this)->seen = 0;
		_m = 3; goto P999; /* 0 */
	case 76: // STATE 29 - pool.pml:260 - [slot = (slot+1)] (0:32:1 - 3)
		IfNotBlocked
		reached[2][29] = 1;
		(trpt+1)->bup.oval = ((int)((P2 *)_this)->slot);
		((P2 *)_this)->slot = (((int)((P2 *)_this)->slot)+1);
#ifdef VAR_RANGES
		logval("drainer:slot", ((int)((P2 *)_this)->slot));
#endif
		;
		/* merge: .(goto)(0, 33, 32) */
		reached[2][33] = 1;
		;
		_m = 3; goto P999; /* 1 */
	case 77: // STATE 36 - pool.pml:274 - [assert(((content[((incarnation*2)+0)]>=had[0])&&(content[((incarnation*2)+1)]>=had[1])))] (0:0:0 - 3)
		IfNotBlocked
		reached[2][36] = 1;
		spin_assert(((((int)now.content[ Index(((((int)now.incarnation)*2)+0), 2) ])>=((int)((P2 *)_this)->had[0]))&&(((int)now.content[ Index(((((int)now.incarnation)*2)+1), 2) ])>=((int)((P2 *)_this)->had[1]))), "((content[((incarnation*2)+0)]>=had[0])&&(content[((incarnation*2)+1)]>=had[1]))", II, tt, t);
		_m = 3; goto P999; /* 0 */
	case 78: // STATE 37 - pool.pml:275 - [users = (users-1)] (0:0:1 - 1)
		IfNotBlocked
		reached[2][37] = 1;
		(trpt+1)->bup.oval = ((int)now.users);
		now.users = (((int)now.users)-1);
#ifdef VAR_RANGES
		logval("users", ((int)now.users));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 79: // STATE 38 - pool.pml:276 - [slot = 0] (0:47:8 - 1)
		IfNotBlocked
		reached[2][38] = 1;
		(trpt+1)->bup.ovals = grab_ints(8);
		(trpt+1)->bup.ovals[0] = ((int)((P2 *)_this)->slot);
		((P2 *)_this)->slot = 0;
#ifdef VAR_RANGES
		logval("drainer:slot", ((int)((P2 *)_this)->slot));
#endif
		;
		/* merge: seen = 0(47, 39, 47) */
		reached[2][39] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P2 *)_this)->seen);
		((P2 *)_this)->seen = 0;
#ifdef VAR_RANGES
		logval("drainer:seen", ((int)((P2 *)_this)->seen));
#endif
		;
		/* merge: before = 0(47, 40, 47) */
		reached[2][40] = 1;
		(trpt+1)->bup.ovals[2] = ((int)((P2 *)_this)->before);
		((P2 *)_this)->before = 0;
#ifdef VAR_RANGES
		logval("drainer:before", ((int)((P2 *)_this)->before));
#endif
		;
		/* merge: b = 0(47, 41, 47) */
		reached[2][41] = 1;
		(trpt+1)->bup.ovals[3] = ((int)((P2 *)_this)->b);
		((P2 *)_this)->b = 0;
#ifdef VAR_RANGES
		logval("drainer:b", ((int)((P2 *)_this)->b));
#endif
		;
		/* merge: there = 0(47, 42, 47) */
		reached[2][42] = 1;
		(trpt+1)->bup.ovals[4] = ((int)((P2 *)_this)->there);
		((P2 *)_this)->there = 0;
#ifdef VAR_RANGES
		logval("drainer:there", ((int)((P2 *)_this)->there));
#endif
		;
		/* merge: had[0] = 0(47, 43, 47) */
		reached[2][43] = 1;
		(trpt+1)->bup.ovals[5] = ((int)((P2 *)_this)->had[0]);
		((P2 *)_this)->had[0] = 0;
#ifdef VAR_RANGES
		logval("drainer:had[0]", ((int)((P2 *)_this)->had[0]));
#endif
		;
		/* merge: had[1] = 0(47, 44, 47) */
		reached[2][44] = 1;
		(trpt+1)->bup.ovals[6] = ((int)((P2 *)_this)->had[1]);
		((P2 *)_this)->had[1] = 0;
#ifdef VAR_RANGES
		logval("drainer:had[1]", ((int)((P2 *)_this)->had[1]));
#endif
		;
		/* merge: working = (working-1)(47, 45, 47) */
		reached[2][45] = 1;
		(trpt+1)->bup.ovals[7] = ((int)now.working);
		now.working = (((int)now.working)-1);
#ifdef VAR_RANGES
		logval("working", ((int)now.working));
#endif
		;
		_m = 3; goto P999; /* 7 */
	case 80: // STATE 47 - pool.pml:277 - [-end-] (0:0:0 - 1)
		IfNotBlocked
		reached[2][47] = 1;
		if (!delproc(1, II)) continue;
		_m = 3; goto P999; /* 0 */

		 /* PROC writer */
	case 81: // STATE 1 - pool.pml:197 - [(queued_bit[slot])] (7:0:1 - 1)
		IfNotBlocked
		reached[1][1] = 1;
		if (!(((int)now.queued_bit[ Index(((int)((P1 *)_this)->slot), 2) ])))
			continue;
		/* merge: queued_bit[slot] = 0(0, 2, 7) */
		reached[1][2] = 1;
		(trpt+1)->bup.oval = ((int)now.queued_bit[ Index(((int)((P1 *)_this)->slot), 2) ]);
		now.queued_bit[ Index(((P1 *)_this)->slot, 2) ] = 0;
#ifdef VAR_RANGES
		logval("queued_bit[writer:slot]", ((int)now.queued_bit[ Index(((int)((P1 *)_this)->slot), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 1 */
	case 82: // STATE 4 - pool.pml:72 - [(!(partition[key[slot]]))] (8:0:1 - 1)
		IfNotBlocked
		reached[1][4] = 1;
		if (!( !(((int)now.partition[ Index(((int)now.key[ Index(((int)((P1 *)_this)->slot), 2) ]), 2) ]))))
			continue;
		/* merge: partition[key[slot]] = 1(0, 5, 8) */
		reached[1][5] = 1;
		(trpt+1)->bup.oval = ((int)now.partition[ Index(((int)now.key[ Index(((int)((P1 *)_this)->slot), 2) ]), 2) ]);
		now.partition[ Index(now.key[ Index(((P1 *)_this)->slot, 2) ], 2) ] = 1;
#ifdef VAR_RANGES
		logval("partition[key[writer:slot]]", ((int)now.partition[ Index(((int)now.key[ Index(((int)((P1 *)_this)->slot), 2) ]), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 1 */
	case 83: // STATE 8 - pool.pml:199 - [state[slot] = 2] (0:0:1 - 1)
		IfNotBlocked
		reached[1][8] = 1;
		(trpt+1)->bup.oval = ((int)now.state[ Index(((int)((P1 *)_this)->slot), 2) ]);
		now.state[ Index(((P1 *)_this)->slot, 2) ] = 2;
#ifdef VAR_RANGES
		logval("state[writer:slot]", ((int)now.state[ Index(((int)((P1 *)_this)->slot), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 84: // STATE 9 - pool.pml:77 - [partition[key[slot]] = 0] (0:0:1 - 1)
		IfNotBlocked
		reached[1][9] = 1;
		(trpt+1)->bup.oval = ((int)now.partition[ Index(((int)now.key[ Index(((int)((P1 *)_this)->slot), 2) ]), 2) ]);
		now.partition[ Index(now.key[ Index(((P1 *)_this)->slot, 2) ], 2) ] = 0;
#ifdef VAR_RANGES
		logval("partition[key[writer:slot]]", ((int)now.partition[ Index(((int)now.key[ Index(((int)((P1 *)_this)->slot), 2) ]), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 85: // STATE 11 - pool.pml:203 - [((opened_at!=generation))] (0:0:1 - 1)
		IfNotBlocked
		reached[1][11] = 1;
		if (!((((int)((P1 *)_this)->opened_at)!=((int)now.generation))))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: opened_at */  (trpt+1)->bup.oval = ((P1 *)_this)->opened_at;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P1 *)_this)->opened_at = 0;
		_m = 3; goto P999; /* 0 */
	case 86: // STATE 12 - pool.pml:203 - [file = 255] (0:0:1 - 1)
		IfNotBlocked
		reached[1][12] = 1;
		(trpt+1)->bup.oval = ((int)((P1 *)_this)->file);
		((P1 *)_this)->file = 255;
#ifdef VAR_RANGES
		logval("writer:file", ((int)((P1 *)_this)->file));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 87: // STATE 13 - pool.pml:203 - [opened_at = generation] (0:0:1 - 1)
		IfNotBlocked
		reached[1][13] = 1;
		(trpt+1)->bup.oval = ((int)((P1 *)_this)->opened_at);
		((P1 *)_this)->opened_at = ((int)now.generation);
#ifdef VAR_RANGES
		logval("writer:opened_at", ((int)((P1 *)_this)->opened_at));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 88: // STATE 17 - pool.pml:208 - [((file==255))] (0:0:1 - 1)
		IfNotBlocked
		reached[1][17] = 1;
		if (!((((int)((P1 *)_this)->file)==255)))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: file */  (trpt+1)->bup.oval = ((P1 *)_this)->file;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P1 *)_this)->file = 0;
		_m = 3; goto P999; /* 0 */
	case 89: // STATE 18 - pool.pml:208 - [file = incarnation] (0:0:1 - 1)
		IfNotBlocked
		reached[1][18] = 1;
		(trpt+1)->bup.oval = ((int)((P1 *)_this)->file);
		((P1 *)_this)->file = ((int)now.incarnation);
#ifdef VAR_RANGES
		logval("writer:file", ((int)((P1 *)_this)->file));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 90: // STATE 24 - pool.pml:214 - [D_STEP214]
		/* default 258 */
		

		reached[1][24] = 1;
		reached[1][t->st] = 1;
		reached[1][tt] = 1;

		if (TstOnly) return 1;

		sv_save();
		S_103_0: /* 2 */
		spin_assert((((int)now.under_way[ Index(((int)now.key[ Index(((int)((P1 *)_this)->slot), 2) ]), 2) ])==0), "(under_way[key[slot]]==0)", II, tt, t);
S_104_0: /* 2 */
		now.under_way[ Index(now.key[ Index(((P1 *)_this)->slot, 2) ], 2) ] = (((int)now.under_way[ Index(((int)now.key[ Index(((int)((P1 *)_this)->slot), 2) ]), 2) ])+1);
#ifdef VAR_RANGES
		logval("under_way[key[writer:slot]]", ((int)now.under_way[ Index(((int)now.key[ Index(((int)((P1 *)_this)->slot), 2) ]), 2) ]));
#endif
		;
		goto S_133_0;
S_133_0: /* 1 */

#if defined(C_States) && (HAS_TRACK==1)
		c_update((uchar *) &(now.c_state[0]));
#endif
		_m = 3; goto P999;

	case 91: // STATE 25 - pool.pml:216 - [((1&&!(fails)))] (27:0:2 - 1)
		IfNotBlocked
		reached[1][25] = 1;
		if (!((1&& !(((int)((P1 *)_this)->fails)))))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: fails */  (trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((P1 *)_this)->fails;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P1 *)_this)->fails = 0;
		/* merge: fails = 1(0, 26, 27) */
		reached[1][26] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P1 *)_this)->fails);
		((P1 *)_this)->fails = 1;
#ifdef VAR_RANGES
		logval("writer:fails", ((int)((P1 *)_this)->fails));
#endif
		;
		_m = 3; goto P999; /* 1 */
	case 92: // STATE 27 - pool.pml:216 - [under_way[key[slot]] = (under_way[key[slot]]-1)] (0:0:1 - 1)
		IfNotBlocked
		reached[1][27] = 1;
		(trpt+1)->bup.oval = ((int)now.under_way[ Index(((int)now.key[ Index(((int)((P1 *)_this)->slot), 2) ]), 2) ]);
		now.under_way[ Index(now.key[ Index(((P1 *)_this)->slot, 2) ], 2) ] = (((int)now.under_way[ Index(((int)now.key[ Index(((int)((P1 *)_this)->slot), 2) ]), 2) ])-1);
#ifdef VAR_RANGES
		logval("under_way[key[writer:slot]]", ((int)now.under_way[ Index(((int)now.key[ Index(((int)((P1 *)_this)->slot), 2) ]), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 93: // STATE 28 - pool.pml:72 - [(!(partition[key[slot]]))] (32:0:1 - 1)
		IfNotBlocked
		reached[1][28] = 1;
		if (!( !(((int)now.partition[ Index(((int)now.key[ Index(((int)((P1 *)_this)->slot), 2) ]), 2) ]))))
			continue;
		/* merge: partition[key[slot]] = 1(0, 29, 32) */
		reached[1][29] = 1;
		(trpt+1)->bup.oval = ((int)now.partition[ Index(((int)now.key[ Index(((int)((P1 *)_this)->slot), 2) ]), 2) ]);
		now.partition[ Index(now.key[ Index(((P1 *)_this)->slot, 2) ], 2) ] = 1;
#ifdef VAR_RANGES
		logval("partition[key[writer:slot]]", ((int)now.partition[ Index(((int)now.key[ Index(((int)((P1 *)_this)->slot), 2) ]), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 1 */
	case 94: // STATE 32 - pool.pml:218 - [state[slot] = 1] (0:0:1 - 1)
		IfNotBlocked
		reached[1][32] = 1;
		(trpt+1)->bup.oval = ((int)now.state[ Index(((int)((P1 *)_this)->slot), 2) ]);
		now.state[ Index(((P1 *)_this)->slot, 2) ] = 1;
#ifdef VAR_RANGES
		logval("state[writer:slot]", ((int)now.state[ Index(((int)((P1 *)_this)->slot), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 95: // STATE 33 - pool.pml:219 - [queued_bit[slot] = 1] (0:0:1 - 1)
		IfNotBlocked
		reached[1][33] = 1;
		(trpt+1)->bup.oval = ((int)now.queued_bit[ Index(((int)((P1 *)_this)->slot), 2) ]);
		now.queued_bit[ Index(((P1 *)_this)->slot, 2) ] = 1;
#ifdef VAR_RANGES
		logval("queued_bit[writer:slot]", ((int)now.queued_bit[ Index(((int)((P1 *)_this)->slot), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 96: // STATE 34 - pool.pml:77 - [partition[key[slot]] = 0] (0:0:1 - 1)
		IfNotBlocked
		reached[1][34] = 1;
		(trpt+1)->bup.oval = ((int)now.partition[ Index(((int)now.key[ Index(((int)((P1 *)_this)->slot), 2) ]), 2) ]);
		now.partition[ Index(now.key[ Index(((P1 *)_this)->slot, 2) ], 2) ] = 0;
#ifdef VAR_RANGES
		logval("partition[key[writer:slot]]", ((int)now.partition[ Index(((int)now.key[ Index(((int)((P1 *)_this)->slot), 2) ]), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 97: // STATE 38 - pool.pml:221 - [D_STEP221]
		IfNotBlocked

		reached[1][38] = 1;
		reached[1][t->st] = 1;
		reached[1][tt] = 1;

		if (TstOnly) return 1;

		sv_save();
		S_117_0: /* 2 */
		now.content[ Index(((((P1 *)_this)->file*2)+now.key[ Index(((P1 *)_this)->slot, 2) ]), 2) ] = ((int)now.image[ Index(((int)((P1 *)_this)->slot), 2) ]);
#ifdef VAR_RANGES
		logval("content[((writer:file*2)+key[writer:slot])]", ((int)now.content[ Index(((((int)((P1 *)_this)->file)*2)+((int)now.key[ Index(((int)((P1 *)_this)->slot), 2) ])), 2) ]));
#endif
		;
S_118_0: /* 2 */
		now.under_way[ Index(now.key[ Index(((P1 *)_this)->slot, 2) ], 2) ] = (((int)now.under_way[ Index(((int)now.key[ Index(((int)((P1 *)_this)->slot), 2) ]), 2) ])-1);
#ifdef VAR_RANGES
		logval("under_way[key[writer:slot]]", ((int)now.under_way[ Index(((int)now.key[ Index(((int)((P1 *)_this)->slot), 2) ]), 2) ]));
#endif
		;
		goto S_129_0;
S_129_0: /* 1 */

#if defined(C_States) && (HAS_TRACK==1)
		c_update((uchar *) &(now.c_state[0]));
#endif
		_m = 3; goto P999;

	case 98: // STATE 39 - pool.pml:72 - [(!(partition[key[slot]]))] (45:0:1 - 1)
		IfNotBlocked
		reached[1][39] = 1;
		if (!( !(((int)now.partition[ Index(((int)now.key[ Index(((int)((P1 *)_this)->slot), 2) ]), 2) ]))))
			continue;
		/* merge: partition[key[slot]] = 1(0, 40, 45) */
		reached[1][40] = 1;
		(trpt+1)->bup.oval = ((int)now.partition[ Index(((int)now.key[ Index(((int)((P1 *)_this)->slot), 2) ]), 2) ]);
		now.partition[ Index(now.key[ Index(((P1 *)_this)->slot, 2) ], 2) ] = 1;
#ifdef VAR_RANGES
		logval("partition[key[writer:slot]]", ((int)now.partition[ Index(((int)now.key[ Index(((int)((P1 *)_this)->slot), 2) ]), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 1 */
	case 99: // STATE 45 - pool.pml:102 - [D_STEP102]
		IfNotBlocked

		reached[1][45] = 1;
		reached[1][t->st] = 1;
		reached[1][tt] = 1;

		if (TstOnly) return 1;

		sv_save();
		S_124_0: /* 2 */
		now.state[ Index(((P1 *)_this)->slot, 2) ] = 0;
#ifdef VAR_RANGES
		logval("state[writer:slot]", ((int)now.state[ Index(((int)((P1 *)_this)->slot), 2) ]));
#endif
		;
S_125_0: /* 2 */
		now.number[ Index(((P1 *)_this)->slot, 2) ] = 255;
#ifdef VAR_RANGES
		logval("number[writer:slot]", ((int)now.number[ Index(((int)((P1 *)_this)->slot), 2) ]));
#endif
		;
		goto S_128_0;
S_128_0: /* 1 */

#if defined(C_States) && (HAS_TRACK==1)
		c_update((uchar *) &(now.c_state[0]));
#endif
		_m = 3; goto P999;

	case 100: // STATE 46 - pool.pml:77 - [partition[key[slot]] = 0] (0:0:1 - 1)
		IfNotBlocked
		reached[1][46] = 1;
		(trpt+1)->bup.oval = ((int)now.partition[ Index(((int)now.key[ Index(((int)((P1 *)_this)->slot), 2) ]), 2) ]);
		now.partition[ Index(now.key[ Index(((P1 *)_this)->slot, 2) ], 2) ] = 0;
#ifdef VAR_RANGES
		logval("partition[key[writer:slot]]", ((int)now.partition[ Index(((int)now.key[ Index(((int)((P1 *)_this)->slot), 2) ]), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 101: // STATE 49 - pool.pml:108 - [free_bit[slot] = 1] (0:0:1 - 1)
		IfNotBlocked
		reached[1][49] = 1;
		(trpt+1)->bup.oval = ((int)now.free_bit[ Index(((int)((P1 *)_this)->slot), 2) ]);
		now.free_bit[ Index(((P1 *)_this)->slot, 2) ] = 1;
#ifdef VAR_RANGES
		logval("free_bit[writer:slot]", ((int)now.free_bit[ Index(((int)((P1 *)_this)->slot), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 102: // STATE 50 - pool.pml:109 - [admitted = (admitted+1)] (0:0:1 - 1)
		IfNotBlocked
		reached[1][50] = 1;
		(trpt+1)->bup.oval = ((int)now.admitted);
		now.admitted = (((int)now.admitted)+1);
#ifdef VAR_RANGES
		logval("admitted", ((int)now.admitted));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 103: // STATE 56 - pool.pml:227 - [D_STEP227]
		if (!(boq == -1 && ( !(((int)now.queued_bit[ Index(((int)((P1 *)_this)->slot), 2) ]))&&((int)now.queued_bit[ Index((1-((int)((P1 *)_this)->slot)), 2) ]))))
			continue;

		reached[1][56] = 1;
		reached[1][t->st] = 1;
		reached[1][tt] = 1;

		if (TstOnly) return 1;

		sv_save();
		S_135_0: /* 2 */
		if (!(( !(((int)now.queued_bit[ Index(((int)((P1 *)_this)->slot), 2) ]))&&((int)now.queued_bit[ Index((1-((int)((P1 *)_this)->slot)), 2) ]))))
			Uerror("block in d_step seq");
S_136_0: /* 2 */
		((P1 *)_this)->slot = (1-((int)((P1 *)_this)->slot));
#ifdef VAR_RANGES
		logval("writer:slot", ((int)((P1 *)_this)->slot));
#endif
		;
		goto S_139_0;
S_139_0: /* 1 */

#if defined(C_States) && (HAS_TRACK==1)
		c_update((uchar *) &(now.c_state[0]));
#endif
		_m = 3; goto P999;

	case 104: // STATE 60 - pool.pml:229 - [-end-] (0:0:0 - 1)
		IfNotBlocked
		reached[1][60] = 1;
		if (!delproc(1, II)) continue;
		_m = 3; goto P999; /* 0 */

		 /* PROC owner */
	case 105: // STATE 1 - pool.pml:177 - [((page<(1-b)))] (0:0:0 - 1)
		IfNotBlocked
		reached[0][1] = 1;
		if (!((((int)((P0 *)_this)->page)<(1-((int)((P0 *)_this)->b)))))
			continue;
		_m = 3; goto P999; /* 0 */
	case 106: // STATE 2 - pool.pml:178 - [(!(dropping))] (68:0:2 - 1)
		IfNotBlocked
		reached[0][2] = 1;
		if (!( !(((int)now.dropping))))
			continue;
		/* merge: users = (users+1)(68, 3, 68) */
		reached[0][3] = 1;
		(trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((int)now.users);
		now.users = (((int)now.users)+1);
#ifdef VAR_RANGES
		logval("users", ((int)now.users));
#endif
		;
		/* merge: page = (page+1)(68, 5, 68) */
		reached[0][5] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P0 *)_this)->page);
		((P0 *)_this)->page = (((int)((P0 *)_this)->page)+1);
#ifdef VAR_RANGES
		logval("owner:page", ((int)((P0 *)_this)->page));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 107: // STATE 6 - pool.pml:115 - [ticket = tickets] (0:9:2 - 1)
		IfNotBlocked
		reached[0][6] = 1;
		(trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((int)((P0 *)_this)->ticket);
		((P0 *)_this)->ticket = ((int)now.tickets);
#ifdef VAR_RANGES
		logval("owner:ticket", ((int)((P0 *)_this)->ticket));
#endif
		;
		/* merge: tickets = (tickets+1)(9, 7, 9) */
		reached[0][7] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.tickets);
		now.tickets = (((int)now.tickets)+1);
#ifdef VAR_RANGES
		logval("tickets", ((int)now.tickets));
#endif
		;
		_m = 3; goto P999; /* 1 */
	case 108: // STATE 9 - pool.pml:116 - [((ticket<admitted))] (0:0:0 - 1)
		IfNotBlocked
		reached[0][9] = 1;
		if (!((((int)((P0 *)_this)->ticket)<((int)now.admitted))))
			continue;
		_m = 3; goto P999; /* 0 */
	case 109: // STATE 10 - pool.pml:118 - [slot = 0] (0:0:1 - 1)
		IfNotBlocked
		reached[0][10] = 1;
		(trpt+1)->bup.oval = ((int)((P0 *)_this)->slot);
		((P0 *)_this)->slot = 0;
#ifdef VAR_RANGES
		logval("owner:slot", ((int)((P0 *)_this)->slot));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 110: // STATE 11 - pool.pml:120 - [(free_bit[slot])] (19:0:1 - 1)
		IfNotBlocked
		reached[0][11] = 1;
		if (!(((int)now.free_bit[ Index(((int)((P0 *)_this)->slot), 2) ])))
			continue;
		/* merge: free_bit[slot] = 0(19, 12, 19) */
		reached[0][12] = 1;
		(trpt+1)->bup.oval = ((int)now.free_bit[ Index(((int)((P0 *)_this)->slot), 2) ]);
		now.free_bit[ Index(((P0 *)_this)->slot, 2) ] = 0;
#ifdef VAR_RANGES
		logval("free_bit[owner:slot]", ((int)now.free_bit[ Index(((int)((P0 *)_this)->slot), 2) ]));
#endif
		;
		/* merge: goto :b1(19, 13, 19) */
		reached[0][13] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 111: // STATE 15 - pool.pml:121 - [slot = (slot+1)] (0:17:1 - 1)
		IfNotBlocked
		reached[0][15] = 1;
		(trpt+1)->bup.oval = ((int)((P0 *)_this)->slot);
		((P0 *)_this)->slot = (((int)((P0 *)_this)->slot)+1);
#ifdef VAR_RANGES
		logval("owner:slot", ((int)((P0 *)_this)->slot));
#endif
		;
		/* merge: assert((slot<2))(17, 16, 17) */
		reached[0][16] = 1;
		spin_assert((((int)((P0 *)_this)->slot)<2), "(slot<2)", II, tt, t);
		/* merge: .(goto)(0, 18, 17) */
		reached[0][18] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 112: // STATE 21 - pool.pml:72 - [(!(partition[b]))] (41:0:1 - 1)
		IfNotBlocked
		reached[0][21] = 1;
		if (!( !(((int)now.partition[ Index(((int)((P0 *)_this)->b), 2) ]))))
			continue;
		/* merge: partition[b] = 1(0, 22, 41) */
		reached[0][22] = 1;
		(trpt+1)->bup.oval = ((int)now.partition[ Index(((int)((P0 *)_this)->b), 2) ]);
		now.partition[ Index(((P0 *)_this)->b, 2) ] = 1;
#ifdef VAR_RANGES
		logval("partition[owner:b]", ((int)now.partition[ Index(((int)((P0 *)_this)->b), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 1 */
	case 113: // STATE 40 - pool.pml:83 - [D_STEP83]
		IfNotBlocked

		reached[0][40] = 1;
		reached[0][t->st] = 1;
		reached[0][tt] = 1;

		if (TstOnly) return 1;

		sv_save();
		S_024_0: /* 2 */
		((P0 *)_this)->old = 255;
#ifdef VAR_RANGES
		logval("owner:old", ((int)((P0 *)_this)->old));
#endif
		;
S_025_0: /* 2 */
		((P0 *)_this)->i = 0;
#ifdef VAR_RANGES
		logval("owner:i", ((int)((P0 *)_this)->i));
#endif
		;
S_036_0: /* 2 */
S_035_0: /* 2 */
S_026_0: /* 2 */
		if (!((((int)((P0 *)_this)->i)<2)))
			goto S_035_1;
S_030_0: /* 2 */
S_027_0: /* 2 */
		if (!(((((int)now.state[ Index(((int)((P0 *)_this)->i), 2) ])!=0)&&(((int)now.key[ Index(((int)((P0 *)_this)->i), 2) ])==((int)((P0 *)_this)->b)))))
			goto S_030_1;
S_028_0: /* 2 */
		((P0 *)_this)->old = ((int)((P0 *)_this)->i);
#ifdef VAR_RANGES
		logval("owner:old", ((int)((P0 *)_this)->old));
#endif
		;
		goto S_031_0;
S_030_1: /* 3 */
S_029_0: /* 2 */
		/* else */;
		goto S_031_0;
S_030_2: /* 3 */
		Uerror("blocking sel in d_step (nr.0, near line 88)");
S_031_0: /* 2 */
S_032_0: /* 2 */
		((P0 *)_this)->i = (((int)((P0 *)_this)->i)+1);
#ifdef VAR_RANGES
		logval("owner:i", ((int)((P0 *)_this)->i));
#endif
		;
		goto S_036_0; /* ';' */
S_035_1: /* 3 */
S_033_0: /* 2 */
		/* else */;
S_034_0: /* 2 */
		goto S_037_0;	/* 'goto' */
S_035_2: /* 3 */
		Uerror("blocking sel in d_step (nr.1, near line 86)");
S_037_0: /* 2 */
		goto S_038_0;	/* 'break' */
S_038_0: /* 2 */
		((P0 *)_this)->i = 0;
#ifdef VAR_RANGES
		logval("owner:i", ((int)((P0 *)_this)->i));
#endif
		;
		goto S_065_0;
S_065_0: /* 1 */

#if defined(C_States) && (HAS_TRACK==1)
		c_update((uchar *) &(now.c_state[0]));
#endif
		_m = 3; goto P999;

	case 114: // STATE 42 - pool.pml:128 - [(((old!=255)&&(state[old]==1)))] (0:0:0 - 1)
		IfNotBlocked
		reached[0][42] = 1;
		if (!(((((int)((P0 *)_this)->old)!=255)&&(((int)now.state[ Index(((int)((P0 *)_this)->old), 2) ])==1))))
			continue;
		_m = 3; goto P999; /* 0 */
	case 115: // STATE 43 - pool.pml:129 - [image[old] = page] (0:0:1 - 1)
		IfNotBlocked
		reached[0][43] = 1;
		(trpt+1)->bup.oval = ((int)now.image[ Index(((int)((P0 *)_this)->old), 2) ]);
		now.image[ Index(((P0 *)_this)->old, 2) ] = ((int)((P0 *)_this)->page);
#ifdef VAR_RANGES
		logval("image[owner:old]", ((int)now.image[ Index(((int)((P0 *)_this)->old), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 116: // STATE 44 - pool.pml:130 - [accepted[b] = page] (0:0:1 - 1)
		IfNotBlocked
		reached[0][44] = 1;
		(trpt+1)->bup.oval = ((int)now.accepted[ Index(((int)((P0 *)_this)->b), 2) ]);
		now.accepted[ Index(((P0 *)_this)->b, 2) ] = ((int)((P0 *)_this)->page);
#ifdef VAR_RANGES
		logval("accepted[owner:b]", ((int)now.accepted[ Index(((int)((P0 *)_this)->b), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 117: // STATE 45 - pool.pml:77 - [partition[b] = 0] (0:0:1 - 1)
		IfNotBlocked
		reached[0][45] = 1;
		(trpt+1)->bup.oval = ((int)now.partition[ Index(((int)((P0 *)_this)->b), 2) ]);
		now.partition[ Index(((P0 *)_this)->b, 2) ] = 0;
#ifdef VAR_RANGES
		logval("partition[owner:b]", ((int)now.partition[ Index(((int)((P0 *)_this)->b), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 118: // STATE 47 - pool.pml:108 - [free_bit[slot] = 1] (0:0:1 - 1)
		IfNotBlocked
		reached[0][47] = 1;
		(trpt+1)->bup.oval = ((int)now.free_bit[ Index(((int)((P0 *)_this)->slot), 2) ]);
		now.free_bit[ Index(((P0 *)_this)->slot, 2) ] = 1;
#ifdef VAR_RANGES
		logval("free_bit[owner:slot]", ((int)now.free_bit[ Index(((int)((P0 *)_this)->slot), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 119: // STATE 48 - pool.pml:109 - [admitted = (admitted+1)] (0:0:1 - 1)
		IfNotBlocked
		reached[0][48] = 1;
		(trpt+1)->bup.oval = ((int)now.admitted);
		now.admitted = (((int)now.admitted)+1);
#ifdef VAR_RANGES
		logval("admitted", ((int)now.admitted));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 120: // STATE 50 - pool.pml:134 - [(((old!=255)&&(state[old]!=1)))] (0:0:0 - 1)
		IfNotBlocked
		reached[0][50] = 1;
		if (!(((((int)((P0 *)_this)->old)!=255)&&(((int)now.state[ Index(((int)((P0 *)_this)->old), 2) ])!=1))))
			continue;
		_m = 3; goto P999; /* 0 */
	case 121: // STATE 51 - pool.pml:135 - [seen = number[old]] (0:0:1 - 1)
		IfNotBlocked
		reached[0][51] = 1;
		(trpt+1)->bup.oval = ((int)((P0 *)_this)->seen);
		((P0 *)_this)->seen = ((int)now.number[ Index(((int)((P0 *)_this)->old), 2) ]);
#ifdef VAR_RANGES
		logval("owner:seen", ((int)((P0 *)_this)->seen));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 122: // STATE 52 - pool.pml:77 - [partition[b] = 0] (0:0:1 - 1)
		IfNotBlocked
		reached[0][52] = 1;
		(trpt+1)->bup.oval = ((int)now.partition[ Index(((int)((P0 *)_this)->b), 2) ]);
		now.partition[ Index(((P0 *)_this)->b, 2) ] = 0;
#ifdef VAR_RANGES
		logval("partition[owner:b]", ((int)now.partition[ Index(((int)((P0 *)_this)->b), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 123: // STATE 54 - pool.pml:137 - [((number[old]!=seen))] (0:0:2 - 1)
		IfNotBlocked
		reached[0][54] = 1;
		if (!((((int)now.number[ Index(((int)((P0 *)_this)->old), 2) ])!=((int)((P0 *)_this)->seen))))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: old */  (trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((P0 *)_this)->old;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P0 *)_this)->old = 0;
		if (TstOnly) return 1; /* TT */
		/* dead 1: seen */  (trpt+1)->bup.ovals[1] = ((P0 *)_this)->seen;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P0 *)_this)->seen = 0;
		_m = 3; goto P999; /* 0 */
	case 124: // STATE 56 - pool.pml:139 - [((old==255))] (0:0:1 - 1)
		IfNotBlocked
		reached[0][56] = 1;
		if (!((((int)((P0 *)_this)->old)==255)))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: old */  (trpt+1)->bup.oval = ((P0 *)_this)->old;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P0 *)_this)->old = 0;
		_m = 3; goto P999; /* 0 */
	case 125: // STATE 57 - pool.pml:143 - [key[slot] = b] (0:0:1 - 1)
		IfNotBlocked
		reached[0][57] = 1;
		(trpt+1)->bup.oval = ((int)now.key[ Index(((int)((P0 *)_this)->slot), 2) ]);
		now.key[ Index(((P0 *)_this)->slot, 2) ] = ((int)((P0 *)_this)->b);
#ifdef VAR_RANGES
		logval("key[owner:slot]", ((int)now.key[ Index(((int)((P0 *)_this)->slot), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 126: // STATE 60 - pool.pml:144 - [D_STEP144]
		IfNotBlocked

		reached[0][60] = 1;
		reached[0][t->st] = 1;
		reached[0][tt] = 1;

		if (TstOnly) return 1;

		sv_save();
		S_057_0: /* 2 */
		now.state[ Index(((P0 *)_this)->slot, 2) ] = 1;
#ifdef VAR_RANGES
		logval("state[owner:slot]", ((int)now.state[ Index(((int)((P0 *)_this)->slot), 2) ]));
#endif
		;
S_058_0: /* 2 */
		now.image[ Index(((P0 *)_this)->slot, 2) ] = ((int)((P0 *)_this)->page);
#ifdef VAR_RANGES
		logval("image[owner:slot]", ((int)now.image[ Index(((int)((P0 *)_this)->slot), 2) ]));
#endif
		;
		goto S_060_0;
S_060_0: /* 1 */

#if defined(C_States) && (HAS_TRACK==1)
		c_update((uchar *) &(now.c_state[0]));
#endif
		_m = 3; goto P999;

	case 127: // STATE 61 - pool.pml:145 - [number[slot] = ticket] (0:0:1 - 1)
		IfNotBlocked
		reached[0][61] = 1;
		(trpt+1)->bup.oval = ((int)now.number[ Index(((int)((P0 *)_this)->slot), 2) ]);
		now.number[ Index(((P0 *)_this)->slot, 2) ] = ((int)((P0 *)_this)->ticket);
#ifdef VAR_RANGES
		logval("number[owner:slot]", ((int)now.number[ Index(((int)((P0 *)_this)->slot), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 128: // STATE 62 - pool.pml:146 - [accepted[b] = page] (0:0:1 - 1)
		IfNotBlocked
		reached[0][62] = 1;
		(trpt+1)->bup.oval = ((int)now.accepted[ Index(((int)((P0 *)_this)->b), 2) ]);
		now.accepted[ Index(((P0 *)_this)->b, 2) ] = ((int)((P0 *)_this)->page);
#ifdef VAR_RANGES
		logval("accepted[owner:b]", ((int)now.accepted[ Index(((int)((P0 *)_this)->b), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 129: // STATE 63 - pool.pml:147 - [queued_bit[slot] = 1] (0:0:1 - 1)
		IfNotBlocked
		reached[0][63] = 1;
		(trpt+1)->bup.oval = ((int)now.queued_bit[ Index(((int)((P0 *)_this)->slot), 2) ]);
		now.queued_bit[ Index(((P0 *)_this)->slot, 2) ] = 1;
#ifdef VAR_RANGES
		logval("queued_bit[owner:slot]", ((int)now.queued_bit[ Index(((int)((P0 *)_this)->slot), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 130: // STATE 64 - pool.pml:77 - [partition[b] = 0] (0:0:1 - 1)
		IfNotBlocked
		reached[0][64] = 1;
		(trpt+1)->bup.oval = ((int)now.partition[ Index(((int)((P0 *)_this)->b), 2) ]);
		now.partition[ Index(((P0 *)_this)->b, 2) ] = 0;
#ifdef VAR_RANGES
		logval("partition[owner:b]", ((int)now.partition[ Index(((int)((P0 *)_this)->b), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 131: // STATE 69 - pool.pml:184 - [users = (users-1)] (0:0:1 - 3)
		IfNotBlocked
		reached[0][69] = 1;
		(trpt+1)->bup.oval = ((int)now.users);
		now.users = (((int)now.users)-1);
#ifdef VAR_RANGES
		logval("users", ((int)now.users));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 132: // STATE 75 - pool.pml:187 - [page = 0] (0:82:6 - 1)
		IfNotBlocked
		reached[0][75] = 1;
		(trpt+1)->bup.ovals = grab_ints(6);
		(trpt+1)->bup.ovals[0] = ((int)((P0 *)_this)->page);
		((P0 *)_this)->page = 0;
#ifdef VAR_RANGES
		logval("owner:page", ((int)((P0 *)_this)->page));
#endif
		;
		/* merge: slot = 0(82, 76, 82) */
		reached[0][76] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P0 *)_this)->slot);
		((P0 *)_this)->slot = 0;
#ifdef VAR_RANGES
		logval("owner:slot", ((int)((P0 *)_this)->slot));
#endif
		;
		/* merge: old = 0(82, 77, 82) */
		reached[0][77] = 1;
		(trpt+1)->bup.ovals[2] = ((int)((P0 *)_this)->old);
		((P0 *)_this)->old = 0;
#ifdef VAR_RANGES
		logval("owner:old", ((int)((P0 *)_this)->old));
#endif
		;
		/* merge: seen = 0(82, 78, 82) */
		reached[0][78] = 1;
		(trpt+1)->bup.ovals[3] = ((int)((P0 *)_this)->seen);
		((P0 *)_this)->seen = 0;
#ifdef VAR_RANGES
		logval("owner:seen", ((int)((P0 *)_this)->seen));
#endif
		;
		/* merge: ticket = 0(82, 79, 82) */
		reached[0][79] = 1;
		(trpt+1)->bup.ovals[4] = ((int)((P0 *)_this)->ticket);
		((P0 *)_this)->ticket = 0;
#ifdef VAR_RANGES
		logval("owner:ticket", ((int)((P0 *)_this)->ticket));
#endif
		;
		/* merge: working = (working-1)(82, 80, 82) */
		reached[0][80] = 1;
		(trpt+1)->bup.ovals[5] = ((int)now.working);
		now.working = (((int)now.working)-1);
#ifdef VAR_RANGES
		logval("working", ((int)now.working));
#endif
		;
		_m = 3; goto P999; /* 5 */
	case 133: // STATE 82 - pool.pml:188 - [-end-] (0:0:0 - 1)
		IfNotBlocked
		reached[0][82] = 1;
		if (!delproc(1, II)) continue;
		_m = 3; goto P999; /* 0 */
	case  _T5:	/* np_ */
		if (!((!(trpt->o_pm&4) && !(trpt->tau&128))))
			continue;
		/* else fall through */
	case  _T2:	/* true */
		_m = 3; goto P999;
#undef rand
	}

