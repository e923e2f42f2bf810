	switch (t->back) {
	default: Uerror("bad return move");
	case  0: goto R999; /* nothing to undo */

		 /* PROC :init: */

	case 3: // STATE 4
		;
		((P5 *)_this)->i = trpt->bup.ovals[2];
		now.free_bit[ Index(((P5 *)_this)->i, 2) ] = trpt->bup.ovals[1];
		now.number[ Index(((P5 *)_this)->i, 2) ] = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;

	case 4: // STATE 10
		;
		((P5 *)_this)->i = trpt->bup.oval;
		;
		goto R999;
;
		;
		
	case 6: // STATE 12
		;
		;
		delproc(0, now._nr_pr-1);
		;
		goto R999;

	case 7: // STATE 13
		;
		((P5 *)_this)->i = trpt->bup.oval;
		;
		goto R999;

	case 8: // STATE 19
		;
		((P5 *)_this)->i = trpt->bup.oval;
		;
		goto R999;

	case 9: // STATE 20
		;
		;
		delproc(0, now._nr_pr-1);
		;
		goto R999;

	case 10: // STATE 21
		;
		;
		delproc(0, now._nr_pr-1);
		;
		goto R999;
;
		;
		
	case 12: // STATE 23
		;
		;
		delproc(0, now._nr_pr-1);
		;
		goto R999;

	case 13: // STATE 24
		;
		((P5 *)_this)->i = trpt->bup.oval;
		;
		goto R999;

	case 14: // STATE 30
		;
		((P5 *)_this)->i = trpt->bup.oval;
		;
		goto R999;

	case 15: // STATE 31
		;
		;
		delproc(0, now._nr_pr-1);
		;
		goto R999;
;
		;
		
	case 17: // STATE 33
		;
		;
		delproc(0, now._nr_pr-1);
		;
		goto R999;

	case 18: // STATE 38
		;
		p_restor(II);
		;
		;
		goto R999;

		 /* PROC last */
;
		;
		
	case 20: // STATE 2
		;
		((P4 *)_this)->before = trpt->bup.oval;
		;
		goto R999;

	case 21: // STATE 3
		;
		((P4 *)_this)->slot = trpt->bup.oval;
		;
		goto R999;
;
		;
		
	case 23: // STATE 5
		;
		((P4 *)_this)->seen = trpt->bup.oval;
		;
		goto R999;

	case 24: // STATE 7
		;
		((P4 *)_this)->there = trpt->bup.oval;
		;
		goto R999;

	case 25: // STATE 9
		;
		((P4 *)_this)->b = trpt->bup.oval;
		;
		goto R999;

	case 26: // STATE 11
		;
		now.partition[ Index(((P4 *)_this)->b, 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 27: // STATE 14
		;
		((P4 *)_this)->there = trpt->bup.oval;
		;
		goto R999;

	case 28: // STATE 15
		;
		now.partition[ Index(((P4 *)_this)->b, 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 29: // STATE 20
		;
	/* 0 */	((P4 *)_this)->there = trpt->bup.oval;
		;
		;
		goto R999;

	case 30: // STATE 21
		;
	/* 0 */	((P4 *)_this)->seen = trpt->bup.oval;
		;
		;
		goto R999;

	case 31: // STATE 25
		;
		((P4 *)_this)->slot = trpt->bup.oval;
		;
		goto R999;
;
		;
		
	case 33: // STATE 33
		;
		p_restor(II);
		;
		;
		goto R999;

		 /* PROC dropper */
;
		;
		
	case 35: // STATE 5
		;
		((P3 *)_this)->slot = trpt->bup.ovals[1];
		now.dropping = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;
;
		;
		
	case 37: // STATE 7
		;
		((P3 *)_this)->seen = trpt->bup.oval;
		;
		goto R999;

	case 38: // STATE 9
		;
		((P3 *)_this)->there = trpt->bup.oval;
		;
		goto R999;

	case 39: // STATE 11
		;
		((P3 *)_this)->b = trpt->bup.oval;
		;
		goto R999;

	case 40: // STATE 13
		;
		now.partition[ Index(((P3 *)_this)->b, 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 41: // STATE 16
		;
		((P3 *)_this)->there = trpt->bup.oval;
		;
		goto R999;

	case 42: // STATE 17
		;
		now.partition[ Index(((P3 *)_this)->b, 2) ] = trpt->bup.oval;
		;
		goto R999;
;
		;
		
	case 44: // STATE 23
		;
		((P3 *)_this)->mine = trpt->bup.oval;
		;
		goto R999;

	case 45: // STATE 26
		;
		((P3 *)_this)->mine = trpt->bup.ovals[1];
		now.queued_bit[ Index(((P3 *)_this)->slot, 2) ] = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;
;
		
	case 46: // STATE 29
		goto R999;
;
		
	case 47: // STATE 27
		goto R999;

	case 48: // STATE 31
		;
	/* 0 */	((P3 *)_this)->mine = trpt->bup.oval;
		;
		;
		goto R999;

	case 49: // STATE 33
		;
		now.partition[ Index(now.key[ Index(((P3 *)_this)->slot, 2) ], 2) ] = trpt->bup.oval;
		;
		goto R999;
	case 50: // STATE 38
		sv_restor();
		goto R999;

	case 51: // STATE 39
		;
		now.partition[ Index(now.key[ Index(((P3 *)_this)->slot, 2) ], 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 52: // STATE 42
		;
		now.free_bit[ Index(((P3 *)_this)->slot, 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 53: // STATE 43
		;
		now.admitted = trpt->bup.oval;
		;
		goto R999;

	case 54: // STATE 45
		;
	/* 0 */	((P3 *)_this)->mine = trpt->bup.oval;
		;
		;
		goto R999;

	case 55: // STATE 46
		;
		now.queued_bit[ Index(((P3 *)_this)->slot, 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 56: // STATE 55
		;
		((P3 *)_this)->slot = trpt->bup.oval;
		;
		goto R999;

	case 57: // STATE 61
		;
		now.generation = trpt->bup.oval;
		;
		goto R999;
;
		;
			case 59: // STATE 66
		sv_restor();
		goto R999;

	case 60: // STATE 67
		;
		now.dropping = trpt->bup.oval;
		;
		goto R999;

	case 61: // STATE 68
		;
		((P3 *)_this)->n = trpt->bup.oval;
		;
		goto R999;

	case 62: // STATE 80
		;
		now.working = trpt->bup.ovals[6];
		((P3 *)_this)->mine = trpt->bup.ovals[5];
		((P3 *)_this)->there = trpt->bup.ovals[4];
		((P3 *)_this)->n = trpt->bup.ovals[3];
		((P3 *)_this)->b = trpt->bup.ovals[2];
		((P3 *)_this)->seen = trpt->bup.ovals[1];
		((P3 *)_this)->slot = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 7);
		goto R999;

	case 63: // STATE 82
		;
		p_restor(II);
		;
		;
		goto R999;

		 /* PROC drainer */

	case 64: // STATE 4
		;
		((P2 *)_this)->had[1] = trpt->bup.ovals[2];
		((P2 *)_this)->had[0] = trpt->bup.ovals[1];
		now.users = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;

	case 65: // STATE 6
		;
		((P2 *)_this)->before = trpt->bup.oval;
		;
		goto R999;

	case 66: // STATE 7
		;
		((P2 *)_this)->slot = trpt->bup.oval;
		;
		goto R999;
;
		;
		
	case 68: // STATE 9
		;
		((P2 *)_this)->seen = trpt->bup.oval;
		;
		goto R999;

	case 69: // STATE 11
		;
		((P2 *)_this)->there = trpt->bup.oval;
		;
		goto R999;

	case 70: // STATE 13
		;
		((P2 *)_this)->b = trpt->bup.oval;
		;
		goto R999;

	case 71: // STATE 15
		;
		now.partition[ Index(((P2 *)_this)->b, 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 72: // STATE 18
		;
		((P2 *)_this)->there = trpt->bup.oval;
		;
		goto R999;

	case 73: // STATE 19
		;
		now.partition[ Index(((P2 *)_this)->b, 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 74: // STATE 24
		;
	/* 0 */	((P2 *)_this)->there = trpt->bup.oval;
		;
		;
		goto R999;

	case 75: // STATE 25
		;
	/* 0 */	((P2 *)_this)->seen = trpt->bup.oval;
		;
		;
		goto R999;

	case 76: // STATE 29
		;
		((P2 *)_this)->slot = trpt->bup.oval;
		;
		goto R999;
;
		;
		
	case 78: // STATE 37
		;
		now.users = trpt->bup.oval;
		;
		goto R999;

	case 79: // STATE 45
		;
		now.working = trpt->bup.ovals[7];
		((P2 *)_this)->had[1] = trpt->bup.ovals[6];
		((P2 *)_this)->had[0] = trpt->bup.ovals[5];
		((P2 *)_this)->there = trpt->bup.ovals[4];
		((P2 *)_this)->b = trpt->bup.ovals[3];
		((P2 *)_this)->before = trpt->bup.ovals[2];
		((P2 *)_this)->seen = trpt->bup.ovals[1];
		((P2 *)_this)->slot = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 8);
		goto R999;

	case 80: // STATE 47
		;
		p_restor(II);
		;
		;
		goto R999;

		 /* PROC writer */

	case 81: // STATE 2
		;
		now.queued_bit[ Index(((P1 *)_this)->slot, 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 82: // STATE 5
		;
		now.partition[ Index(now.key[ Index(((P1 *)_this)->slot, 2) ], 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 83: // STATE 8
		;
		now.state[ Index(((P1 *)_this)->slot, 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 84: // STATE 9
		;
		now.partition[ Index(now.key[ Index(((P1 *)_this)->slot, 2) ], 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 85: // STATE 11
		;
	/* 0 */	((P1 *)_this)->opened_at = trpt->bup.oval;
		;
		;
		goto R999;

	case 86: // STATE 12
		;
		((P1 *)_this)->file = trpt->bup.oval;
		;
		goto R999;

	case 87: // STATE 13
		;
		((P1 *)_this)->opened_at = trpt->bup.oval;
		;
		goto R999;

	case 88: // STATE 17
		;
	/* 0 */	((P1 *)_this)->file = trpt->bup.oval;
		;
		;
		goto R999;

	case 89: // STATE 18
		;
		((P1 *)_this)->file = trpt->bup.oval;
		;
		goto R999;
	case 90: // STATE 24
		sv_restor();
		goto R999;

	case 91: // STATE 26
		;
		((P1 *)_this)->fails = trpt->bup.ovals[1];
	/* 0 */	((P1 *)_this)->fails = trpt->bup.ovals[0];
		;
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;

	case 92: // STATE 27
		;
		now.under_way[ Index(now.key[ Index(((P1 *)_this)->slot, 2) ], 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 93: // STATE 29
		;
		now.partition[ Index(now.key[ Index(((P1 *)_this)->slot, 2) ], 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 94: // STATE 32
		;
		now.state[ Index(((P1 *)_this)->slot, 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 95: // STATE 33
		;
		now.queued_bit[ Index(((P1 *)_this)->slot, 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 96: // STATE 34
		;
		now.partition[ Index(now.key[ Index(((P1 *)_this)->slot, 2) ], 2) ] = trpt->bup.oval;
		;
		goto R999;
	case 97: // STATE 38
		sv_restor();
		goto R999;

	case 98: // STATE 40
		;
		now.partition[ Index(now.key[ Index(((P1 *)_this)->slot, 2) ], 2) ] = trpt->bup.oval;
		;
		goto R999;
	case 99: // STATE 45
		sv_restor();
		goto R999;

	case 100: // STATE 46
		;
		now.partition[ Index(now.key[ Index(((P1 *)_this)->slot, 2) ], 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 101: // STATE 49
		;
		now.free_bit[ Index(((P1 *)_this)->slot, 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 102: // STATE 50
		;
		now.admitted = trpt->bup.oval;
		;
		goto R999;
	case 103: // STATE 56
		sv_restor();
		goto R999;

	case 104: // STATE 60
		;
		p_restor(II);
		;
		;
		goto R999;

		 /* PROC owner */
;
		;
		
	case 106: // STATE 5
		;
		((P0 *)_this)->page = trpt->bup.ovals[1];
		now.users = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;

	case 107: // STATE 7
		;
		now.tickets = trpt->bup.ovals[1];
		((P0 *)_this)->ticket = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;
;
		;
		
	case 109: // STATE 10
		;
		((P0 *)_this)->slot = trpt->bup.oval;
		;
		goto R999;

	case 110: // STATE 12
		;
		now.free_bit[ Index(((P0 *)_this)->slot, 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 111: // STATE 15
		;
		((P0 *)_this)->slot = trpt->bup.oval;
		;
		goto R999;

	case 112: // STATE 22
		;
		now.partition[ Index(((P0 *)_this)->b, 2) ] = trpt->bup.oval;
		;
		goto R999;
	case 113: // STATE 40
		sv_restor();
		goto R999;
;
		;
		
	case 115: // STATE 43
		;
		now.image[ Index(((P0 *)_this)->old, 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 116: // STATE 44
		;
		now.accepted[ Index(((P0 *)_this)->b, 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 117: // STATE 45
		;
		now.partition[ Index(((P0 *)_this)->b, 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 118: // STATE 47
		;
		now.free_bit[ Index(((P0 *)_this)->slot, 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 119: // STATE 48
		;
		now.admitted = trpt->bup.oval;
		;
		goto R999;
;
		;
		
	case 121: // STATE 51
		;
		((P0 *)_this)->seen = trpt->bup.oval;
		;
		goto R999;

	case 122: // STATE 52
		;
		now.partition[ Index(((P0 *)_this)->b, 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 123: // STATE 54
		;
	/* 1 */	((P0 *)_this)->seen = trpt->bup.ovals[1];
	/* 0 */	((P0 *)_this)->old = trpt->bup.ovals[0];
		;
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;

	case 124: // STATE 56
		;
	/* 0 */	((P0 *)_this)->old = trpt->bup.oval;
		;
		;
		goto R999;

	case 125: // STATE 57
		;
		now.key[ Index(((P0 *)_this)->slot, 2) ] = trpt->bup.oval;
		;
		goto R999;
	case 126: // STATE 60
		sv_restor();
		goto R999;

	case 127: // STATE 61
		;
		now.number[ Index(((P0 *)_this)->slot, 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 128: // STATE 62
		;
		now.accepted[ Index(((P0 *)_this)->b, 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 129: // STATE 63
		;
		now.queued_bit[ Index(((P0 *)_this)->slot, 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 130: // STATE 64
		;
		now.partition[ Index(((P0 *)_this)->b, 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 131: // STATE 69
		;
		now.users = trpt->bup.oval;
		;
		goto R999;

	case 132: // STATE 80
		;
		now.working = trpt->bup.ovals[5];
		((P0 *)_this)->ticket = trpt->bup.ovals[4];
		((P0 *)_this)->seen = trpt->bup.ovals[3];
		((P0 *)_this)->old = trpt->bup.ovals[2];
		((P0 *)_this)->slot = trpt->bup.ovals[1];
		((P0 *)_this)->page = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 6);
		goto R999;

	case 133: // STATE 82
		;
		p_restor(II);
		;
		;
		goto R999;
	}

