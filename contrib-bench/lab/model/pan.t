#ifdef PEG
struct T_SRC {
	char *fl; int ln;
} T_SRC[NTRANS];

void
tr_2_src(int m, char *file, int ln)
{	T_SRC[m].fl = file;
	T_SRC[m].ln = ln;
}

void
putpeg(int n, int m)
{	printf("%5d	trans %4d ", m, n);
	printf("%s:%d\n",
		T_SRC[n].fl, T_SRC[n].ln);
}
#endif

void
settable(void)
{	Trans *T;
	Trans *settr(int, int, int, int, int, char *, int, int, int);

	trans = (Trans ***) emalloc(7*sizeof(Trans **));

	/* proctype 5: :init: */

	trans[5] = (Trans **) emalloc(39*sizeof(Trans *));

	T = trans[ 5][37] = settr(340,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(340,2,7,0,0,"ATOMIC", 1, 2, 0);
	trans[5][8]	= settr(311,2,7,1,0,".(goto)", 1, 2, 0);
	T = trans[5][7] = settr(310,2,0,0,0,"DO", 1, 2, 0);
	T = T->nxt	= settr(310,2,1,0,0,"DO", 1, 2, 0);
	    T->nxt	= settr(310,2,5,0,0,"DO", 1, 2, 0);
	trans[5][1]	= settr(304,2,7,3,3,"((i<2))", 1, 2, 0); /* m: 2 -> 7,0 */
	reached5[2] = 1;
	trans[5][2]	= settr(0,0,0,0,0,"number[i] = 255",0,0,0);
	trans[5][3]	= settr(0,0,0,0,0,"free_bit[i] = 1",0,0,0);
	trans[5][4]	= settr(0,0,0,0,0,"i = (i+1)",0,0,0);
	trans[5][5]	= settr(308,2,10,2,0,"else", 1, 2, 0);
	trans[5][6]	= settr(309,2,10,1,0,"goto :b9", 1, 2, 0); /* m: 10 -> 0,16 */
	reached5[10] = 1;
	trans[5][9]	= settr(312,2,10,1,0,"break", 1, 2, 0);
	trans[5][10]	= settr(313,2,16,4,4,"i = 0", 1, 2, 0);
	trans[5][17]	= settr(320,2,16,1,0,".(goto)", 1, 2, 0);
	T = trans[5][16] = settr(319,2,0,0,0,"DO", 1, 2, 0);
	T = T->nxt	= settr(319,2,11,0,0,"DO", 1, 2, 0);
	    T->nxt	= settr(319,2,14,0,0,"DO", 1, 2, 0);
	trans[5][11]	= settr(314,2,12,5,0,"((i<2))", 1, 2, 0);
	trans[5][12]	= settr(315,2,13,6,6,"(run writer())", 1, 2, 0);
	trans[5][13]	= settr(316,2,16,7,7,"i = (i+1)", 1, 2, 0);
	trans[5][14]	= settr(317,2,19,2,0,"else", 1, 2, 0);
	trans[5][15]	= settr(318,2,19,1,0,"goto :b10", 1, 2, 0); /* m: 19 -> 0,20 */
	reached5[19] = 1;
	trans[5][18]	= settr(321,2,19,1,0,"break", 1, 2, 0);
	trans[5][19]	= settr(322,2,20,8,8,"i = 0", 1, 2, 0);
	trans[5][20]	= settr(323,2,21,9,9,"(run owner(0))", 1, 2, 0);
	trans[5][21]	= settr(324,2,27,10,10,"(run owner(1))", 1, 2, 0);
	trans[5][28]	= settr(331,2,27,1,0,".(goto)", 1, 2, 0);
	T = trans[5][27] = settr(330,2,0,0,0,"DO", 1, 2, 0);
	T = T->nxt	= settr(330,2,22,0,0,"DO", 1, 2, 0);
	    T->nxt	= settr(330,2,25,0,0,"DO", 1, 2, 0);
	trans[5][22]	= settr(325,2,23,11,0,"((i<1))", 1, 2, 0);
	trans[5][23]	= settr(326,2,24,12,12,"(run drainer())", 1, 2, 0);
	trans[5][24]	= settr(327,2,27,13,13,"i = (i+1)", 1, 2, 0);
	trans[5][25]	= settr(328,2,30,2,0,"else", 1, 2, 0);
	trans[5][26]	= settr(329,2,30,1,0,"goto :b11", 1, 2, 0); /* m: 30 -> 0,31 */
	reached5[30] = 1;
	trans[5][29]	= settr(332,2,30,1,0,"break", 1, 2, 0);
	trans[5][30]	= settr(333,2,31,14,14,"i = 0", 1, 2, 0);
	trans[5][31]	= settr(334,2,35,15,15,"(run dropper())", 1, 2, 0);
	T = trans[5][35] = settr(338,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(338,2,32,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(338,2,34,0,0,"IF", 1, 2, 0);
	trans[5][32]	= settr(335,2,33,16,0,"((1==0))", 1, 2, 0);
	trans[5][33]	= settr(336,2,36,17,17,"(run last())", 1, 2, 0);
	trans[5][36]	= settr(339,0,38,1,0,".(goto)", 1, 2, 0);
	trans[5][34]	= settr(337,2,36,2,0,"else", 1, 2, 0);
	trans[5][38]	= settr(341,0,0,18,18,"-end-", 0, 3500, 0);

	/* proctype 4: last */

	trans[4] = (Trans **) emalloc(34*sizeof(Trans *));

	trans[4][1]	= settr(271,0,31,19,0,"((working==0))", 1, 2, 0);
	T = trans[ 4][31] = settr(301,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(301,0,2,0,0,"sub-sequence", 0, 2, 0);
	trans[4][2]	= settr(272,0,3,20,20,"before = tickets", 1, 2, 0);
	trans[4][3]	= settr(273,0,28,21,21,"slot = 0", 0, 2, 0);
	trans[4][29]	= settr(299,0,28,1,0,".(goto)", 0, 2, 0);
	T = trans[4][28] = settr(298,0,0,0,0,"DO", 0, 2, 0);
	T = T->nxt	= settr(298,0,4,0,0,"DO", 0, 2, 0);
	    T->nxt	= settr(298,0,26,0,0,"DO", 0, 2, 0);
	trans[4][4]	= settr(274,0,19,22,0,"((slot<2))", 0, 2, 0);
	T = trans[ 4][19] = settr(289,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(289,0,5,0,0,"sub-sequence", 0, 2, 0);
	trans[4][5]	= settr(275,0,17,23,23,"seen = number[slot]", 1, 2, 0);
	T = trans[4][17] = settr(287,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(287,0,6,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(287,0,8,0,0,"IF", 0, 2, 0);
	trans[4][6]	= settr(276,0,23,24,24,"(((seen==255)||(seen>=before)))", 0, 2, 0); /* m: 7 -> 23,0 */
	reached4[7] = 1;
	trans[4][7]	= settr(0,0,0,0,0,"there = 0",0,0,0);
	trans[4][18]	= settr(288,0,23,1,0,".(goto)", 0, 2, 0);
	trans[4][8]	= settr(278,0,9,2,0,"else", 0, 2, 0);
	trans[4][9]	= settr(279,0,13,25,25,"b = key[slot]", 1, 2, 0);
	T = trans[ 4][13] = settr(283,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(283,0,12,0,0,"sub-sequence", 0, 2, 0);
	T = trans[ 4][12] = settr(282,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(282,2,10,0,0,"ATOMIC", 1, 2, 0);
	trans[4][10]	= settr(280,4,14,26,26,"(!(partition[b]))", 1, 2, 0); /* m: 11 -> 14,0 */
	reached4[11] = 1;
	trans[4][11]	= settr(0,0,0,0,0,"partition[b] = 1",0,0,0);
	trans[4][14]	= settr(284,0,16,27,27,"there = (number[slot]==seen)", 1, 2, 0);
	T = trans[ 4][16] = settr(286,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(286,0,15,0,0,"sub-sequence", 0, 2, 0);
	trans[4][15]	= settr(285,0,23,28,28,"partition[b] = 0", 1, 2, 0);
	T = trans[4][23] = settr(293,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(293,0,20,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(293,0,22,0,0,"IF", 0, 2, 0);
	trans[4][20]	= settr(290,0,21,29,29,"(there)", 0, 2, 0);
	trans[4][21]	= settr(291,0,25,30,30,"((number[slot]!=seen))", 1, 2, 0);
	trans[4][24]	= settr(294,0,25,1,0,".(goto)", 0, 2, 0); /* m: 25 -> 0,28 */
	reached4[25] = 1;
	trans[4][22]	= settr(292,0,25,2,0,"else", 0, 2, 0);
	trans[4][25]	= settr(295,0,28,31,31,"slot = (slot+1)", 0, 2, 0);
	trans[4][26]	= settr(296,0,32,2,0,"else", 0, 2, 0);
	trans[4][27]	= settr(297,0,32,1,0,"goto :b8", 0, 2, 0);
	trans[4][30]	= settr(300,0,32,1,0,"break", 0, 2, 0);
	trans[4][32]	= settr(302,0,33,32,0,"assert(((content[((incarnation*2)+0)]==accepted[0])&&(content[((incarnation*2)+1)]==accepted[1])))", 1, 2, 0);
	trans[4][33]	= settr(303,0,0,33,33,"-end-", 0, 3500, 0);

	/* proctype 3: dropper */

	trans[3] = (Trans **) emalloc(83*sizeof(Trans *));

	trans[3][72]	= settr(260,0,71,1,0,".(goto)", 0, 2, 0);
	T = trans[3][71] = settr(259,0,0,0,0,"DO", 0, 2, 0);
	T = T->nxt	= settr(259,0,1,0,0,"DO", 0, 2, 0);
	    T->nxt	= settr(259,0,69,0,0,"DO", 0, 2, 0);
	trans[3][1]	= settr(189,0,4,34,0,"((n<0))", 0, 2, 0);
	T = trans[ 3][4] = settr(192,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(192,2,2,0,0,"ATOMIC", 1, 2, 0);
	trans[3][2]	= settr(190,0,58,35,35,"(((users==0)&&!(dropping)))", 1, 2, 0); /* m: 3 -> 58,0 */
	reached3[3] = 1;
	trans[3][3]	= settr(0,0,0,0,0,"dropping = 1",0,0,0);
	trans[3][5]	= settr(0,0,0,0,0,"slot = 0",0,0,0);
	trans[3][59]	= settr(247,0,58,1,0,".(goto)", 0, 2, 0);
	T = trans[3][58] = settr(246,0,0,0,0,"DO", 0, 2, 0);
	T = T->nxt	= settr(246,0,6,0,0,"DO", 0, 2, 0);
	    T->nxt	= settr(246,0,56,0,0,"DO", 0, 2, 0);
	trans[3][6]	= settr(194,0,21,36,0,"((slot<2))", 0, 2, 0);
	T = trans[ 3][21] = settr(209,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(209,0,7,0,0,"sub-sequence", 0, 2, 0);
	trans[3][7]	= settr(195,0,19,37,37,"seen = number[slot]", 1, 2, 0);
	T = trans[3][19] = settr(207,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(207,0,8,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(207,0,10,0,0,"IF", 0, 2, 0);
	trans[3][8]	= settr(196,0,52,38,38,"(((seen==255)||(seen>=255)))", 0, 2, 0); /* m: 9 -> 52,0 */
	reached3[9] = 1;
	trans[3][9]	= settr(0,0,0,0,0,"there = 0",0,0,0);
	trans[3][20]	= settr(208,0,52,1,0,".(goto)", 0, 2, 0);
	trans[3][10]	= settr(198,0,11,2,0,"else", 0, 2, 0);
	trans[3][11]	= settr(199,0,15,39,39,"b = key[slot]", 1, 2, 0);
	T = trans[ 3][15] = settr(203,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(203,0,14,0,0,"sub-sequence", 0, 2, 0);
	T = trans[ 3][14] = settr(202,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(202,2,12,0,0,"ATOMIC", 1, 2, 0);
	trans[3][12]	= settr(200,4,16,40,40,"(!(partition[b]))", 1, 2, 0); /* m: 13 -> 16,0 */
	reached3[13] = 1;
	trans[3][13]	= settr(0,0,0,0,0,"partition[b] = 1",0,0,0);
	trans[3][16]	= settr(204,0,18,41,41,"there = (number[slot]==seen)", 1, 2, 0);
	T = trans[ 3][18] = settr(206,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(206,0,17,0,0,"sub-sequence", 0, 2, 0);
	trans[3][17]	= settr(205,0,52,42,42,"partition[b] = 0", 1, 2, 0);
	trans[3][53]	= settr(241,0,52,1,0,".(goto)", 0, 2, 0);
	T = trans[3][52] = settr(240,0,0,0,0,"DO", 0, 2, 0);
	T = T->nxt	= settr(240,0,22,0,0,"DO", 0, 2, 0);
	    T->nxt	= settr(240,0,50,0,0,"DO", 0, 2, 0);
	trans[3][22]	= settr(210,0,23,43,0,"((there&&(number[slot]==seen)))", 1, 2, 0);
	trans[3][23]	= settr(211,0,30,44,44,"mine = 0", 0, 2, 0);
	T = trans[ 3][30] = settr(218,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(218,2,28,0,0,"ATOMIC", 1, 2, 0);
	T = trans[3][28] = settr(216,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(216,2,24,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(216,2,27,0,0,"IF", 1, 2, 0);
	trans[3][24]	= settr(212,4,48,45,45,"(queued_bit[slot])", 1, 2, 0); /* m: 25 -> 48,0 */
	reached3[25] = 1;
	trans[3][25]	= settr(0,0,0,0,0,"queued_bit[slot] = 0",0,0,0);
	trans[3][26]	= settr(0,0,0,0,0,"mine = 1",0,0,0);
	trans[3][29]	= settr(217,0,48,46,46,".(goto)", 1, 2, 0);
	trans[3][27]	= settr(215,4,48,47,47,"((!(queued_bit[slot])&&(number[slot]!=seen)))", 1, 2, 0); /* m: 29 -> 48,0 */
	reached3[29] = 1;
	T = trans[3][48] = settr(236,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(236,0,31,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(236,0,45,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(236,0,47,0,0,"IF", 0, 2, 0);
	trans[3][31]	= settr(219,0,41,48,48,"((mine&&(number[slot]==seen)))", 1, 2, 0);
	T = trans[ 3][41] = settr(229,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(229,0,35,0,0,"sub-sequence", 0, 2, 0);
	T = trans[ 3][35] = settr(223,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(223,0,34,0,0,"sub-sequence", 0, 2, 0);
	T = trans[ 3][34] = settr(222,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(222,2,32,0,0,"ATOMIC", 1, 2, 0);
	trans[3][32]	= settr(220,4,38,49,49,"(!(partition[key[slot]]))", 1, 2, 0); /* m: 33 -> 38,0 */
	reached3[33] = 1;
	trans[3][33]	= settr(0,0,0,0,0,"partition[key[slot]] = 1",0,0,0);
/*->*/	trans[3][38]	= settr(226,32,40,50,50,"D_STEP102", 1, 2, 0);
	T = trans[ 3][40] = settr(228,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(228,0,39,0,0,"sub-sequence", 0, 2, 0);
	trans[3][39]	= settr(227,0,44,51,51,"partition[key[slot]] = 0", 1, 2, 0);
	T = trans[ 3][44] = settr(232,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(232,0,42,0,0,"sub-sequence", 0, 2, 0);
	trans[3][42]	= settr(230,0,43,52,52,"free_bit[slot] = 1", 1, 2, 0);
	trans[3][43]	= settr(231,0,52,53,53,"admitted = (admitted+1)", 1, 2, 0);
	trans[3][49]	= settr(237,0,52,1,0,".(goto)", 0, 2, 0);
	trans[3][45]	= settr(233,0,46,54,54,"((mine&&(number[slot]!=seen)))", 1, 2, 0);
	trans[3][46]	= settr(234,0,52,55,55,"queued_bit[slot] = 1", 1, 2, 0);
	trans[3][47]	= settr(235,0,52,2,0,"else", 0, 2, 0);
	trans[3][50]	= settr(238,0,55,2,0,"else", 0, 2, 0);
	trans[3][51]	= settr(239,0,55,1,0,"goto :b7", 0, 2, 0); /* m: 55 -> 0,58 */
	reached3[55] = 1;
	trans[3][54]	= settr(242,0,55,1,0,"break", 0, 2, 0);
	trans[3][55]	= settr(243,0,58,56,56,"slot = (slot+1)", 0, 2, 0);
	trans[3][56]	= settr(244,0,61,2,0,"else", 0, 2, 0);
	trans[3][57]	= settr(245,0,61,1,0,"goto :b6", 0, 2, 0);
	trans[3][60]	= settr(248,0,61,1,0,"break", 0, 2, 0);
	trans[3][61]	= settr(249,0,62,57,57,"generation = (generation+1)", 1, 2, 0);
	trans[3][62]	= settr(250,0,66,58,0,"assert(((under_way[0]==0)&&(under_way[1]==0)))", 1, 2, 0);
/*->*/	trans[3][66]	= settr(254,32,67,59,59,"D_STEP326", 1, 2, 0);
	trans[3][67]	= settr(255,0,68,60,60,"dropping = 0", 1, 2, 0);
	trans[3][68]	= settr(256,0,71,61,61,"n = (n+1)", 0, 2, 0);
	trans[3][69]	= settr(257,0,81,2,0,"else", 0, 2, 0);
	trans[3][70]	= settr(258,0,81,1,0,"goto :b5", 0, 2, 0);
	trans[3][73]	= settr(261,0,81,1,0,"break", 0, 2, 0);
	T = trans[ 3][81] = settr(269,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(269,2,74,0,0,"ATOMIC", 1, 2, 0);
	trans[3][74]	= settr(262,4,82,62,62,"slot = 0", 1, 2, 0); /* m: 75 -> 0,82 */
	reached3[75] = 1;
	trans[3][75]	= settr(0,0,0,0,0,"seen = 0",0,0,0);
	trans[3][76]	= settr(0,0,0,0,0,"b = 0",0,0,0);
	trans[3][77]	= settr(0,0,0,0,0,"n = 0",0,0,0);
	trans[3][78]	= settr(0,0,0,0,0,"there = 0",0,0,0);
	trans[3][79]	= settr(0,0,0,0,0,"mine = 0",0,0,0);
	trans[3][80]	= settr(0,0,0,0,0,"working = (working-1)",0,0,0);
	trans[3][82]	= settr(270,0,0,63,63,"-end-", 0, 3500, 0);

	/* proctype 2: drainer */

	trans[2] = (Trans **) emalloc(48*sizeof(Trans *));

	T = trans[ 2][5] = settr(146,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(146,2,1,0,0,"ATOMIC", 1, 2, 0);
	trans[2][1]	= settr(142,4,35,64,64,"(!(dropping))", 1, 2, 0); /* m: 2 -> 35,0 */
	reached2[2] = 1;
	trans[2][2]	= settr(0,0,0,0,0,"users = (users+1)",0,0,0);
	trans[2][3]	= settr(0,0,0,0,0,"had[0] = accepted[0]",0,0,0);
	trans[2][4]	= settr(0,0,0,0,0,"had[1] = accepted[1]",0,0,0);
	T = trans[ 2][35] = settr(176,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(176,0,6,0,0,"sub-sequence", 0, 2, 0);
	trans[2][6]	= settr(147,0,7,65,65,"before = tickets", 1, 2, 0);
	trans[2][7]	= settr(148,0,32,66,66,"slot = 0", 0, 2, 0);
	trans[2][33]	= settr(174,0,32,1,0,".(goto)", 0, 2, 0);
	T = trans[2][32] = settr(173,0,0,0,0,"DO", 0, 2, 0);
	T = T->nxt	= settr(173,0,8,0,0,"DO", 0, 2, 0);
	    T->nxt	= settr(173,0,30,0,0,"DO", 0, 2, 0);
	trans[2][8]	= settr(149,0,23,67,0,"((slot<2))", 0, 2, 0);
	T = trans[ 2][23] = settr(164,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(164,0,9,0,0,"sub-sequence", 0, 2, 0);
	trans[2][9]	= settr(150,0,21,68,68,"seen = number[slot]", 1, 2, 0);
	T = trans[2][21] = settr(162,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(162,0,10,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(162,0,12,0,0,"IF", 0, 2, 0);
	trans[2][10]	= settr(151,0,27,69,69,"(((seen==255)||(seen>=before)))", 0, 2, 0); /* m: 11 -> 27,0 */
	reached2[11] = 1;
	trans[2][11]	= settr(0,0,0,0,0,"there = 0",0,0,0);
	trans[2][22]	= settr(163,0,27,1,0,".(goto)", 0, 2, 0);
	trans[2][12]	= settr(153,0,13,2,0,"else", 0, 2, 0);
	trans[2][13]	= settr(154,0,17,70,70,"b = key[slot]", 1, 2, 0);
	T = trans[ 2][17] = settr(158,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(158,0,16,0,0,"sub-sequence", 0, 2, 0);
	T = trans[ 2][16] = settr(157,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(157,2,14,0,0,"ATOMIC", 1, 2, 0);
	trans[2][14]	= settr(155,4,18,71,71,"(!(partition[b]))", 1, 2, 0); /* m: 15 -> 18,0 */
	reached2[15] = 1;
	trans[2][15]	= settr(0,0,0,0,0,"partition[b] = 1",0,0,0);
	trans[2][18]	= settr(159,0,20,72,72,"there = (number[slot]==seen)", 1, 2, 0);
	T = trans[ 2][20] = settr(161,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(161,0,19,0,0,"sub-sequence", 0, 2, 0);
	trans[2][19]	= settr(160,0,27,73,73,"partition[b] = 0", 1, 2, 0);
	T = trans[2][27] = settr(168,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(168,0,24,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(168,0,26,0,0,"IF", 0, 2, 0);
	trans[2][24]	= settr(165,0,25,74,74,"(there)", 0, 2, 0);
	trans[2][25]	= settr(166,0,29,75,75,"((number[slot]!=seen))", 1, 2, 0);
	trans[2][28]	= settr(169,0,29,1,0,".(goto)", 0, 2, 0); /* m: 29 -> 0,32 */
	reached2[29] = 1;
	trans[2][26]	= settr(167,0,29,2,0,"else", 0, 2, 0);
	trans[2][29]	= settr(170,0,32,76,76,"slot = (slot+1)", 0, 2, 0);
	trans[2][30]	= settr(171,0,36,2,0,"else", 0, 2, 0);
	trans[2][31]	= settr(172,0,36,1,0,"goto :b4", 0, 2, 0);
	trans[2][34]	= settr(175,0,36,1,0,"break", 0, 2, 0);
	trans[2][36]	= settr(177,0,37,77,0,"assert(((content[((incarnation*2)+0)]>=had[0])&&(content[((incarnation*2)+1)]>=had[1])))", 1, 2, 0);
	trans[2][37]	= settr(178,0,46,78,78,"users = (users-1)", 1, 2, 0);
	T = trans[ 2][46] = settr(187,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(187,2,38,0,0,"ATOMIC", 1, 2, 0);
	trans[2][38]	= settr(179,4,47,79,79,"slot = 0", 1, 2, 0); /* m: 39 -> 0,47 */
	reached2[39] = 1;
	trans[2][39]	= settr(0,0,0,0,0,"seen = 0",0,0,0);
	trans[2][40]	= settr(0,0,0,0,0,"before = 0",0,0,0);
	trans[2][41]	= settr(0,0,0,0,0,"b = 0",0,0,0);
	trans[2][42]	= settr(0,0,0,0,0,"there = 0",0,0,0);
	trans[2][43]	= settr(0,0,0,0,0,"had[0] = 0",0,0,0);
	trans[2][44]	= settr(0,0,0,0,0,"had[1] = 0",0,0,0);
	trans[2][45]	= settr(0,0,0,0,0,"working = (working-1)",0,0,0);
	trans[2][47]	= settr(188,0,0,80,80,"-end-", 0, 3500, 0);

	/* proctype 1: writer */

	trans[1] = (Trans **) emalloc(61*sizeof(Trans *));

	trans[1][58]	= settr(139,0,57,1,0,".(goto)", 0, 2, 0);
	T = trans[1][57] = settr(138,0,0,0,0,"DO", 0, 2, 0);
	T = T->nxt	= settr(138,0,3,0,0,"DO", 0, 2, 0);
	    T->nxt	= settr(138,0,56,0,0,"DO", 0, 2, 0);
	T = trans[ 1][3] = settr(84,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(84,2,1,0,0,"ATOMIC", 1, 2, 0);
	trans[1][1]	= settr(82,4,7,81,81,"(queued_bit[slot])", 1, 2, 0); /* m: 2 -> 7,0 */
	reached1[2] = 1;
	trans[1][2]	= settr(0,0,0,0,0,"queued_bit[slot] = 0",0,0,0);
	T = trans[ 1][7] = settr(88,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(88,0,6,0,0,"sub-sequence", 0, 2, 0);
	T = trans[ 1][6] = settr(87,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(87,2,4,0,0,"ATOMIC", 1, 2, 0);
	trans[1][4]	= settr(85,4,8,82,82,"(!(partition[key[slot]]))", 1, 2, 0); /* m: 5 -> 8,0 */
	reached1[5] = 1;
	trans[1][5]	= settr(0,0,0,0,0,"partition[key[slot]] = 1",0,0,0);
	trans[1][8]	= settr(89,0,10,83,83,"state[slot] = 2", 1, 2, 0);
	T = trans[ 1][10] = settr(91,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(91,0,9,0,0,"sub-sequence", 0, 2, 0);
	trans[1][9]	= settr(90,0,15,84,84,"partition[key[slot]] = 0", 1, 2, 0);
	T = trans[1][15] = settr(96,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(96,0,11,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(96,0,14,0,0,"IF", 0, 2, 0);
	trans[1][11]	= settr(92,0,12,85,85,"((opened_at!=generation))", 1, 2, 0);
	trans[1][12]	= settr(93,0,13,86,86,"file = 255", 0, 2, 0);
	trans[1][13]	= settr(94,0,20,87,87,"opened_at = generation", 1, 2, 0);
	trans[1][16]	= settr(97,0,20,1,0,".(goto)", 0, 2, 0);
	trans[1][14]	= settr(95,0,20,2,0,"else", 0, 2, 0);
	T = trans[1][20] = settr(101,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(101,0,17,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(101,0,19,0,0,"IF", 0, 2, 0);
	trans[1][17]	= settr(98,0,18,88,88,"((file==255))", 0, 2, 0);
	trans[1][18]	= settr(99,0,24,89,89,"file = incarnation", 1, 2, 0);
	trans[1][21]	= settr(102,0,24,1,0,".(goto)", 0, 2, 0);
	trans[1][19]	= settr(100,0,24,2,0,"else", 0, 2, 0);
/*->*/	trans[1][24]	= settr(105,32,52,90,90,"D_STEP214", 1, 2, 0);
	T = trans[1][52] = settr(133,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(133,0,25,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(133,0,38,0,0,"IF", 0, 2, 0);
	trans[1][25]	= settr(106,0,27,91,91,"((1&&!(fails)))", 0, 2, 0); /* m: 26 -> 27,0 */
	reached1[26] = 1;
	trans[1][26]	= settr(0,0,0,0,0,"fails = 1",0,0,0);
	trans[1][27]	= settr(108,0,31,92,92,"under_way[key[slot]] = (under_way[key[slot]]-1)", 1, 2, 0);
	T = trans[ 1][31] = settr(112,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(112,0,30,0,0,"sub-sequence", 0, 2, 0);
	T = trans[ 1][30] = settr(111,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(111,2,28,0,0,"ATOMIC", 1, 2, 0);
	trans[1][28]	= settr(109,4,32,93,93,"(!(partition[key[slot]]))", 1, 2, 0); /* m: 29 -> 32,0 */
	reached1[29] = 1;
	trans[1][29]	= settr(0,0,0,0,0,"partition[key[slot]] = 1",0,0,0);
	trans[1][32]	= settr(113,0,33,94,94,"state[slot] = 1", 1, 2, 0);
	trans[1][33]	= settr(114,0,35,95,95,"queued_bit[slot] = 1", 1, 2, 0);
	T = trans[ 1][35] = settr(116,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(116,0,34,0,0,"sub-sequence", 0, 2, 0);
	trans[1][34]	= settr(115,0,57,96,96,"partition[key[slot]] = 0", 1, 2, 0);
	trans[1][53]	= settr(134,0,57,1,0,".(goto)", 0, 2, 0);
/*->*/	trans[1][38]	= settr(119,32,48,97,97,"D_STEP221", 1, 2, 0);
	T = trans[ 1][48] = settr(129,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(129,0,42,0,0,"sub-sequence", 0, 2, 0);
	T = trans[ 1][42] = settr(123,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(123,0,41,0,0,"sub-sequence", 0, 2, 0);
	T = trans[ 1][41] = settr(122,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(122,2,39,0,0,"ATOMIC", 1, 2, 0);
	trans[1][39]	= settr(120,4,45,98,98,"(!(partition[key[slot]]))", 1, 2, 0); /* m: 40 -> 45,0 */
	reached1[40] = 1;
	trans[1][40]	= settr(0,0,0,0,0,"partition[key[slot]] = 1",0,0,0);
/*->*/	trans[1][45]	= settr(126,32,47,99,99,"D_STEP102", 1, 2, 0);
	T = trans[ 1][47] = settr(128,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(128,0,46,0,0,"sub-sequence", 0, 2, 0);
	trans[1][46]	= settr(127,0,51,100,100,"partition[key[slot]] = 0", 1, 2, 0);
	T = trans[ 1][51] = settr(132,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(132,0,49,0,0,"sub-sequence", 0, 2, 0);
	trans[1][49]	= settr(130,0,50,101,101,"free_bit[slot] = 1", 1, 2, 0);
	trans[1][50]	= settr(131,0,57,102,102,"admitted = (admitted+1)", 1, 2, 0);
/*->*/	trans[1][56]	= settr(137,32,57,103,103,"D_STEP227", 1, 2, 0);
	trans[1][59]	= settr(140,0,60,1,0,"break", 0, 2, 0);
	trans[1][60]	= settr(141,0,0,104,104,"-end-", 0, 3500, 0);

	/* proctype 0: owner */

	trans[0] = (Trans **) emalloc(83*sizeof(Trans *));

	trans[0][73]	= settr(72,0,72,1,0,".(goto)", 0, 2, 0);
	T = trans[0][72] = settr(71,0,0,0,0,"DO", 0, 2, 0);
	T = T->nxt	= settr(71,0,1,0,0,"DO", 0, 2, 0);
	    T->nxt	= settr(71,0,70,0,0,"DO", 0, 2, 0);
	trans[0][1]	= settr(0,0,4,105,0,"((page<(1-b)))", 0, 2, 0);
	T = trans[ 0][4] = settr(3,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(3,2,2,0,0,"ATOMIC", 1, 2, 0);
	trans[0][2]	= settr(1,0,68,106,106,"(!(dropping))", 1, 2, 0); /* m: 3 -> 68,0 */
	reached0[3] = 1;
	trans[0][3]	= settr(0,0,0,0,0,"users = (users+1)",0,0,0);
	trans[0][5]	= settr(0,0,0,0,0,"page = (page+1)",0,0,0);
	T = trans[ 0][68] = settr(67,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(67,0,8,0,0,"sub-sequence", 0, 2, 0);
	T = trans[ 0][8] = settr(7,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(7,2,6,0,0,"ATOMIC", 1, 2, 0);
	trans[0][6]	= settr(5,4,9,107,107,"ticket = tickets", 1, 2, 0); /* m: 7 -> 0,9 */
	reached0[7] = 1;
	trans[0][7]	= settr(0,0,0,0,0,"tickets = (tickets+1)",0,0,0);
	trans[0][9]	= settr(8,0,20,108,0,"((ticket<admitted))", 1, 2, 0);
	T = trans[ 0][20] = settr(19,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(19,2,10,0,0,"ATOMIC", 1, 2, 0);
	trans[0][10]	= settr(9,2,17,109,109,"slot = 0", 1, 2, 0);
	trans[0][18]	= settr(17,2,17,1,0,".(goto)", 1, 2, 0);
	T = trans[0][17] = settr(16,2,0,0,0,"DO", 1, 2, 0);
	T = T->nxt	= settr(16,2,11,0,0,"DO", 1, 2, 0);
	    T->nxt	= settr(16,2,14,0,0,"DO", 1, 2, 0);
	trans[0][11]	= settr(10,2,19,110,110,"(free_bit[slot])", 1, 2, 0); /* m: 12 -> 19,0 */
	reached0[12] = 1;
	trans[0][12]	= settr(0,0,0,0,0,"free_bit[slot] = 0",0,0,0);
	trans[0][13]	= settr(12,2,19,1,0,"goto :b1", 1, 2, 0);
	trans[0][14]	= settr(13,2,15,2,0,"else", 1, 2, 0);
	trans[0][15]	= settr(14,2,17,111,111,"slot = (slot+1)", 1, 2, 0); /* m: 16 -> 0,17 */
	reached0[16] = 1;
	trans[0][16]	= settr(0,0,0,0,0,"assert((slot<2))",0,0,0);
	trans[0][19]	= settr(18,0,24,1,0,"break", 1, 2, 0);
	T = trans[ 0][24] = settr(23,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(23,0,23,0,0,"sub-sequence", 0, 2, 0);
	T = trans[ 0][23] = settr(22,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(22,2,21,0,0,"ATOMIC", 1, 2, 0);
	trans[0][21]	= settr(20,4,41,112,112,"(!(partition[b]))", 1, 2, 0); /* m: 22 -> 41,0 */
	reached0[22] = 1;
	trans[0][22]	= settr(0,0,0,0,0,"partition[b] = 1",0,0,0);
	T = trans[ 0][41] = settr(40,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(40,0,40,0,0,"sub-sequence", 0, 2, 0);
/*->*/	trans[0][40]	= settr(39,32,66,113,113,"D_STEP83", 1, 2, 0);
	T = trans[0][66] = settr(65,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(65,0,42,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(65,0,50,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(65,0,56,0,0,"IF", 0, 2, 0);
	trans[0][42]	= settr(41,0,43,114,0,"(((old!=255)&&(state[old]==1)))", 1, 2, 0);
	trans[0][43]	= settr(42,0,44,115,115,"image[old] = page", 1, 2, 0);
	trans[0][44]	= settr(43,0,46,116,116,"accepted[b] = page", 1, 2, 0);
	T = trans[ 0][46] = settr(45,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(45,0,45,0,0,"sub-sequence", 0, 2, 0);
	trans[0][45]	= settr(44,0,49,117,117,"partition[b] = 0", 1, 2, 0);
	T = trans[ 0][49] = settr(48,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(48,0,47,0,0,"sub-sequence", 0, 2, 0);
	trans[0][47]	= settr(46,0,48,118,118,"free_bit[slot] = 1", 1, 2, 0);
	trans[0][48]	= settr(47,0,69,119,119,"admitted = (admitted+1)", 1, 2, 0);
	trans[0][67]	= settr(66,0,69,1,0,".(goto)", 0, 2, 0);
	trans[0][50]	= settr(49,0,51,120,0,"(((old!=255)&&(state[old]!=1)))", 1, 2, 0);
	trans[0][51]	= settr(50,0,53,121,121,"seen = number[old]", 1, 2, 0);
	T = trans[ 0][53] = settr(52,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(52,0,52,0,0,"sub-sequence", 0, 2, 0);
	trans[0][52]	= settr(51,0,54,122,122,"partition[b] = 0", 1, 2, 0);
	trans[0][54]	= settr(53,0,24,123,123,"((number[old]!=seen))", 1, 2, 0);
	trans[0][55]	= settr(54,0,24,1,0,"goto again", 0, 2, 0);
	trans[0][56]	= settr(55,0,57,124,124,"((old==255))", 0, 2, 0);
	trans[0][57]	= settr(56,0,60,125,125,"key[slot] = b", 1, 2, 0);
/*->*/	trans[0][60]	= settr(59,32,61,126,126,"D_STEP144", 1, 2, 0);
	trans[0][61]	= settr(60,0,62,127,127,"number[slot] = ticket", 1, 2, 0);
	trans[0][62]	= settr(61,0,63,128,128,"accepted[b] = page", 1, 2, 0);
	trans[0][63]	= settr(62,0,65,129,129,"queued_bit[slot] = 1", 1, 2, 0);
	T = trans[ 0][65] = settr(64,0,0,0,0,"sub-sequence", 0, 2, 0);
	T->nxt	= settr(64,0,64,0,0,"sub-sequence", 0, 2, 0);
	trans[0][64]	= settr(63,0,69,130,130,"partition[b] = 0", 1, 2, 0);
	trans[0][69]	= settr(68,0,72,131,131,"users = (users-1)", 1, 2, 0);
	trans[0][70]	= settr(69,0,81,2,0,"else", 0, 2, 0);
	trans[0][71]	= settr(70,0,81,1,0,"goto :b0", 0, 2, 0);
	trans[0][74]	= settr(73,0,81,1,0,"break", 0, 2, 0);
	T = trans[ 0][81] = settr(80,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(80,2,75,0,0,"ATOMIC", 1, 2, 0);
	trans[0][75]	= settr(74,4,82,132,132,"page = 0", 1, 2, 0); /* m: 76 -> 0,82 */
	reached0[76] = 1;
	trans[0][76]	= settr(0,0,0,0,0,"slot = 0",0,0,0);
	trans[0][77]	= settr(0,0,0,0,0,"old = 0",0,0,0);
	trans[0][78]	= settr(0,0,0,0,0,"seen = 0",0,0,0);
	trans[0][79]	= settr(0,0,0,0,0,"ticket = 0",0,0,0);
	trans[0][80]	= settr(0,0,0,0,0,"working = (working-1)",0,0,0);
	trans[0][82]	= settr(81,0,0,133,133,"-end-", 0, 3500, 0);
	/* np_ demon: */
	trans[_NP_] = (Trans **) emalloc(3*sizeof(Trans *));
	T = trans[_NP_][0] = settr(9997,0,1,_T5,0,"(np_)", 1,2,0);
	    T->nxt	  = settr(9998,0,0,_T2,0,"(1)",   0,2,0);
	T = trans[_NP_][1] = settr(9999,0,1,_T5,0,"(np_)", 1,2,0);
}

Trans *
settr(	int t_id, int a, int b, int c, int d,
	char *t, int g, int tpe0, int tpe1)
{	Trans *tmp = (Trans *) emalloc(sizeof(Trans));

	tmp->atom  = a&(6|32);	/* only (2|8|32) have meaning */
	if (!g) tmp->atom |= 8;	/* no global references */
	tmp->st    = b;
	tmp->tpe[0] = tpe0;
	tmp->tpe[1] = tpe1;
	tmp->tp    = t;
	tmp->t_id  = t_id;
	tmp->forw  = c;
	tmp->back  = d;
	return tmp;
}

Trans *
cpytr(Trans *a)
{	Trans *tmp = (Trans *) emalloc(sizeof(Trans));

	int i;
	tmp->atom  = a->atom;
	tmp->st    = a->st;
#ifdef HAS_UNLESS
	tmp->e_trans = a->e_trans;
	for (i = 0; i < HAS_UNLESS; i++)
		tmp->escp[i] = a->escp[i];
#endif
	tmp->tpe[0] = a->tpe[0];
	tmp->tpe[1] = a->tpe[1];
	for (i = 0; i < 6; i++)
	{	tmp->qu[i] = a->qu[i];
		tmp->ty[i] = a->ty[i];
	}
	tmp->tp    = (char *) emalloc(strlen(a->tp)+1);
	strcpy(tmp->tp, a->tp);
	tmp->t_id  = a->t_id;
	tmp->forw  = a->forw;
	tmp->back  = a->back;
	return tmp;
}

#ifndef NOREDUCE
int
srinc_set(int n)
{	if (n <= 2) return LOCAL;
	if (n <= 2+  DELTA) return Q_FULL_F; /* 's' or nfull  */
	if (n <= 2+2*DELTA) return Q_EMPT_F; /* 'r' or nempty */
	if (n <= 2+3*DELTA) return Q_EMPT_T; /* empty */
	if (n <= 2+4*DELTA) return Q_FULL_T; /* full  */
	if (n ==   5*DELTA) return GLOBAL;
	if (n ==   6*DELTA) return TIMEOUT_F;
	if (n ==   7*DELTA) return ALPHA_F;
	Uerror("cannot happen srinc_class");
	return BAD;
}
int
srunc(int n, int m)
{	switch(m) {
	case Q_FULL_F: return n-2;
	case Q_EMPT_F: return n-2-DELTA;
	case Q_EMPT_T: return n-2-2*DELTA;
	case Q_FULL_T: return n-2-3*DELTA;
	case ALPHA_F:
	case TIMEOUT_F: return 257; /* non-zero, and > MAXQ */
	}
	Uerror("cannot happen srunc");
	return 0;
}
#endif
int cnt;
#ifdef HAS_UNLESS
int
isthere(Trans *a, int b)
{	Trans *t;
	for (t = a; t; t = t->nxt)
		if (t->t_id == b)
			return 1;
	return 0;
}
#endif
#ifndef NOREDUCE
int
mark_safety(Trans *t) /* for conditional safety */
{	int g = 0, i, j, k;

	if (!t) return 0;
	if (t->qu[0])
		return (t->qu[1])?2:1;	/* marked */

	for (i = 0; i < 2; i++)
	{	j = srinc_set(t->tpe[i]);
		if (j >= GLOBAL && j != ALPHA_F)
			return -1;
		if (j != LOCAL)
		{	k = srunc(t->tpe[i], j);
			if (g == 0
			||  t->qu[0] != k
			||  t->ty[0] != j)
			{	t->qu[g] = k;
				t->ty[g] = j;
				g++;
	}	}	}
	return g;
}
#endif
void
retrans(int n, int m, int is, short srcln[], uchar reach[], uchar lpstate[])
	/* process n, with m states, is=initial state */
{	Trans *T0, *T1, *T2, *T3;
	Trans *T4, *T5; /* t_reverse or has_unless */
	int i;
#if defined(HAS_UNLESS) || !defined(NOREDUCE)
	int k;
#endif
#ifndef NOREDUCE
	int g, h, j, aa;
#endif
#ifdef HAS_UNLESS
	int p;
#endif
	if (state_tables >= 4)
	{	printf("STEP 1 %s\n", 
			procname[n]);
		for (i = 1; i < m; i++)
		for (T0 = trans[n][i]; T0; T0 = T0->nxt)
			crack(n, i, T0, srcln);
		return;
	}
	do {
		for (i = 1, cnt = 0; i < m; i++)
		{	T2 = trans[n][i];
			T1 = T2?T2->nxt:(Trans *)0;
/* prescan: */		for (T0 = T1; T0; T0 = T0->nxt)
/* choice in choice */	{	if (T0->st && trans[n][T0->st]
				&&  trans[n][T0->st]->nxt)
					break;
			}
#if 0
		if (T0)
		printf("\tstate %d / %d: choice in choice\n",
		i, T0->st);
#endif
			if (T0)
			for (T0 = T1; T0; T0 = T0->nxt)
			{	T3 = trans[n][T0->st];
				if (!T3->nxt)
				{	T2->nxt = cpytr(T0);
					T2 = T2->nxt;
					imed(T2, T0->st, n, i);
					continue;
				}
				do {	T3 = T3->nxt;
					T2->nxt = cpytr(T3);
					T2 = T2->nxt;
					imed(T2, T0->st, n, i);
				} while (T3->nxt);
				cnt++;
			}
		}
	} while (cnt);
	if (state_tables >= 3)
	{	printf("STEP 2 %s\n", 
			procname[n]);
		for (i = 1; i < m; i++)
		for (T0 = trans[n][i]; T0; T0 = T0->nxt)
			crack(n, i, T0, srcln);
		return;
	}
	for (i = 1; i < m; i++)
	{	if (trans[n][i] && trans[n][i]->nxt) /* optimize */
		{	T1 = trans[n][i]->nxt;
#if 0
			printf("\t\tpull %d (%d) to %d\n",
			T1->st, T1->forw, i);
#endif
			srcln[i] = srcln[T1->st];	/* Oyvind Teig, 5.2.0 */

			if (!trans[n][T1->st]) continue;
			T0 = cpytr(trans[n][T1->st]);
			trans[n][i] = T0;
			reach[T1->st] = 1;
			imed(T0, T1->st, n, i);
			for (T1 = T1->nxt; T1; T1 = T1->nxt)
			{
#if 0
			printf("\t\tpull %d (%d) to %d\n",
				T1->st, T1->forw, i);
#endif
		/*		srcln[i] = srcln[T1->st];  gh: not useful */
				if (!trans[n][T1->st]) continue;
				T0->nxt = cpytr(trans[n][T1->st]);
				T0 = T0->nxt;
				reach[T1->st] = 1;
				imed(T0, T1->st, n, i);
	}	}	}
	if (state_tables >= 2)
	{	printf("STEP 3 %s\n", 
			procname[n]);
		for (i = 1; i < m; i++)
		for (T0 = trans[n][i]; T0; T0 = T0->nxt)
			crack(n, i, T0, srcln);
		return;
	}
#ifdef HAS_UNLESS
	for (i = 1; i < m; i++)
	{	if (!trans[n][i]) continue;
		/* check for each state i if an
		 * escape to some state p is defined
		 * if so, copy and mark p's transitions
		 * and prepend them to the transition-
		 * list of state i
		 */
	 if (!like_java) /* the default */
	 {	for (T0 = trans[n][i]; T0; T0 = T0->nxt)
		for (k = HAS_UNLESS-1; k >= 0; k--)
		{	if (p = T0->escp[k])
			for (T1 = trans[n][p]; T1; T1 = T1->nxt)
			{	if (isthere(trans[n][i], T1->t_id))
					continue;
				T2 = cpytr(T1);
				T2->e_trans = p;
				T2->nxt = trans[n][i];
				trans[n][i] = T2;
		}	}
	 } else /* outermost unless checked first */
	 {	T4 = T3 = (Trans *) 0;
		for (T0 = trans[n][i]; T0; T0 = T0->nxt)
		for (k = HAS_UNLESS-1; k >= 0; k--)
		{	if (p = T0->escp[k])
			for (T1 = trans[n][p]; T1; T1 = T1->nxt)
			{	if (isthere(trans[n][i], T1->t_id))
					continue;
				T2 = cpytr(T1);
				T2->nxt = (Trans *) 0;
				T2->e_trans = p;
				if (T3)	T3->nxt = T2;
				else	T4 = T2;
				T3 = T2;
		}	}
		if (T4)
		{	T3->nxt = trans[n][i];
			trans[n][i] = T4;
		}
	 }
	}
#endif
#ifndef NOREDUCE
	for (i = 1; i < m; i++)
	{	if (a_cycles)
		{ /* moves through these states are visible */
	#if PROG_LAB>0 && defined(HAS_NP)
			if (progstate[n][i])
				goto degrade;
			for (T1 = trans[n][i]; T1; T1 = T1->nxt)
				if (progstate[n][T1->st])
					goto degrade;
	#endif
			if (accpstate[n][i] || visstate[n][i])
				goto degrade;
			for (T1 = trans[n][i]; T1; T1 = T1->nxt)
				if (accpstate[n][T1->st])
					goto degrade;
		}
		T1 = trans[n][i];
		if (!T1) continue;
		g = mark_safety(T1);	/* V3.3.1 */
		if (g < 0) goto degrade; /* global */
		/* check if mixing of guards preserves reduction */
		if (T1->nxt)
		{	k = 0;
			for (T0 = T1; T0; T0 = T0->nxt)
			{	if (!(T0->atom&8))
					goto degrade;
				for (aa = 0; aa < 2; aa++)
				{	j = srinc_set(T0->tpe[aa]);
					if (j >= GLOBAL && j != ALPHA_F)
						goto degrade;
					if (T0->tpe[aa]
					&&  T0->tpe[aa]
					!=  T1->tpe[0])
						k = 1;
			}	}
			/* g = 0;	V3.3.1 */
			if (k)	/* non-uniform selection */
			for (T0 = T1; T0; T0 = T0->nxt)
			for (aa = 0; aa < 2; aa++)
			{	j = srinc_set(T0->tpe[aa]);
				if (j != LOCAL)
				{	k = srunc(T0->tpe[aa], j);
					for (h = 0; h < 6; h++)
						if (T1->qu[h] == k
						&&  T1->ty[h] == j)
							break;
					if (h >= 6)
					{	T1->qu[g%6] = k;
						T1->ty[g%6] = j;
						g++;
			}	}	}
			if (g > 6)
			{	T1->qu[0] = 0;	/* turn it off */
				printf("pan: warning, line %d, ",
					srcln[i]);
			 	printf("too many stmnt types (%d)",
					g);
			  	printf(" in selection\n");
			  goto degrade;
			}
		}
		/* mark all options global if >=1 is global */
		for (T1 = trans[n][i]; T1; T1 = T1->nxt)
			if (!(T1->atom&8)) break;
		if (T1)
degrade:	for (T1 = trans[n][i]; T1; T1 = T1->nxt)
			T1->atom &= ~8;	/* mark as unsafe */
		/* can only mix 'r's or 's's if on same chan */
		/* and not mixed with other local operations */
		T1 = trans[n][i];
		if (!T1 || T1->qu[0]) continue;
		j = T1->tpe[0];
		if (T1->nxt && T1->atom&8)
		{ if (j == 5*DELTA)
		  {	printf("warning: line %d ", srcln[i]);
			printf("mixed condition ");
			printf("(defeats reduction)\n");
			goto degrade;
		  }
		  for (T0 = T1; T0; T0 = T0->nxt)
		  for (aa = 0; aa < 2; aa++)
		  if  (T0->tpe[aa] && T0->tpe[aa] != j)
		  {	printf("warning: line %d ", srcln[i]);
			printf("[%d-%d] mixed %stion ",
				T0->tpe[aa], j, 
				(j==5*DELTA)?"condi":"selec");
			printf("(defeats reduction)\n");
			printf("	'%s' <-> '%s'\n",
				T1->tp, T0->tp);
			goto degrade;
		} }
	}
#endif
	for (i = 1; i < m; i++)
	{	T2 = trans[n][i];
		if (!T2
		||  T2->nxt
		||  strncmp(T2->tp, ".(goto)", 7)
		||  !stopstate[n][i])
			continue;
		stopstate[n][T2->st] = 1;
	}
	if (state_tables && !verbose)
	{	if (dodot)
		{	char buf[256], *q = buf, *p = procname[n];
			while (*p != '\0')
			{	if (*p != ':')
				{	*q++ = *p;
				}
				p++;
			}
			*q = '\0';
			printf("digraph ");
			switch (Btypes[n]) {
			case I_PROC:  printf("init {\n"); break;
			case N_CLAIM: printf("claim_%s {\n", buf); break;
			case E_TRACE: printf("notrace {\n"); break;
			case N_TRACE: printf("trace {\n"); break;
			default:      printf("p_%s {\n", buf); break;
			}
			printf("size=\"8,10\";\n");
			printf("  GT [shape=box,style=dotted,label=\"%s\"];\n", buf);
			printf("  GT -> S%d;\n", is);
		} else
		{	switch (Btypes[n]) {
			case I_PROC:  printf("init\n"); break;
			case N_CLAIM: printf("claim %s\n", procname[n]); break;
			case E_TRACE: printf("notrace assertion\n"); break;
			case N_TRACE: printf("trace assertion\n"); break;
			default:      printf("proctype %s\n", procname[n]); break;
		}	}
		for (i = 1; i < m; i++)
		{	reach[i] = 1;
		}
		tagtable(n, m, is, srcln, reach);
		if (dodot) printf("}\n");
	} else
	for (i = 1; i < m; i++)
	{	int nrelse;
		if (Btypes[n] != N_CLAIM)
		{	for (T0 = trans[n][i]; T0; T0 = T0->nxt)
			{	if (T0->st == i
				&& strcmp(T0->tp, "(1)") == 0)
				{	printf("error: proctype '%s' ",
						procname[n]);
		  			printf("line %d, state %d: has un",
						srcln[i], i);
					printf("conditional self-loop\n");
					pan_exit(1);
		}	}	}
		nrelse = 0;
		for (T0 = trans[n][i]; T0; T0 = T0->nxt)
		{	if (strcmp(T0->tp, "else") == 0)
				nrelse++;
		}
		if (nrelse > 1)
		{	printf("error: proctype '%s' state",
				procname[n]);
		  	printf(" %d, inherits %d", i, nrelse);
		  	printf(" 'else' stmnts\n");
			pan_exit(1);
	}	}
#if !defined(LOOPSTATE) && !defined(BFS_PAR)
	if (state_tables)
#endif
	do_dfs(n, m, is, srcln, reach, lpstate);

	if (!t_reverse)
	{	return;
	}
	/* process n, with m states, is=initial state -- reverse list */
	if (!state_tables && Btypes[n] != N_CLAIM)
	{	for (i = 1; i < m; i++)
		{	Trans *Tx = (Trans *) 0; /* list of escapes */
			Trans *Ty = (Trans *) 0; /* its tail element */
			T1 = (Trans *) 0; /* reversed list */
			T2 = (Trans *) 0; /* its tail */
			T3 = (Trans *) 0; /* remembers possible 'else' */

			/* find unless-escapes, they should go first */
			T4 = T5 = T0 = trans[n][i];
	#ifdef HAS_UNLESS
			while (T4 && T4->e_trans) /* escapes are first in orig list */
			{	T5 = T4;	  /* remember predecessor */
				T4 = T4->nxt;
			}
	#endif
			/* T4 points to first non-escape, T5 to its parent, T0 to original list */
			if (T4 != T0)		 /* there was at least one escape */
			{	T3 = T5->nxt;		 /* start of non-escapes */
				T5->nxt = (Trans *) 0;	 /* separate */
				Tx = T0;		 /* start of the escapes */
				Ty = T5;		 /* its tail */
				T0 = T3;		 /* the rest, to be reversed */
			}
			/* T0 points to first non-escape, Tx to the list of escapes, Ty to its tail */

			/* first tail-add non-escape transitions, reversed */
			T3 = (Trans *) 0;
			for (T5 = T0; T5; T5 = T4)
			{	T4 = T5->nxt;
	#ifdef HAS_UNLESS
				if (T5->e_trans)
				{	printf("error: cannot happen!\n");
					continue;
				}
	#endif
				if (strcmp(T5->tp, "else") == 0)
				{	T3 = T5;
					T5->nxt = (Trans *) 0;
				} else
				{	T5->nxt = T1;
					if (!T1) { T2 = T5; }
					T1 = T5;
			}	}
			/* T3 points to a possible else, which is removed from the list */
			/* T1 points to the reversed list so far (without escapes) */
			/* T2 points to the tail element -- where the else should go */
			if (T2 && T3)
			{	T2->nxt = T3;	/* add else */
			} else
			{	if (T3) /* there was an else, but there's no tail */
				{	if (!T1)	/* and no reversed list */
					{	T1 = T3; /* odd, but possible */
					} else		/* even stranger */
					{	T1->nxt = T3;
			}	}	}

			/* add in the escapes, to that they appear at the front */
			if (Tx && Ty) { Ty->nxt = T1; T1 = Tx; }

			trans[n][i] = T1;
			/* reversed, with escapes first and else last */
	}	}
	if (state_tables && verbose)
	{	printf("FINAL proctype %s\n", 
			procname[n]);
		for (i = 1; i < m; i++)
		for (T0 = trans[n][i]; T0; T0 = T0->nxt)
			crack(n, i, T0, srcln);
	}
}
void
imed(Trans *T, int v, int n, int j)	/* set intermediate state */
{	progstate[n][T->st] |= progstate[n][v];
	accpstate[n][T->st] |= accpstate[n][v];
	stopstate[n][T->st] |= stopstate[n][v];
	mapstate[n][j] = T->st;
}
void
tagtable(int n, int m, int is, short srcln[], uchar reach[])
{	Trans *z;

	if (is >= m || !trans[n][is]
	||  is <= 0 || reach[is] == 0)
		return;
	reach[is] = 0;
	if (state_tables)
	for (z = trans[n][is]; z; z = z->nxt)
	{	if (dodot)
			dot_crack(n, is, z);
		else
			crack(n, is, z, srcln);
	}

	for (z = trans[n][is]; z; z = z->nxt)
	{
#ifdef HAS_UNLESS
		int i, j;
#endif
		tagtable(n, m, z->st, srcln, reach);
#ifdef HAS_UNLESS
		for (i = 0; i < HAS_UNLESS; i++)
		{	j = trans[n][is]->escp[i];
			if (!j) break;
			tagtable(n, m, j, srcln, reach);
		}
#endif
	}
}

extern Trans *t_id_lkup[];

void
dfs_table(int n, int m, int is, short srcln[], uchar reach[], uchar lpstate[])
{	Trans *z;

	if (is >= m || is <= 0 || !trans[n][is])
		return;
	if ((reach[is] & (4|8|16)) != 0)
	{	if ((reach[is] & (8|16)) == 16)	/* on stack, not yet recorded */
		{	lpstate[is] = 1;
			reach[is] |= 8; /* recorded */
			if (state_tables && verbose)
			{	printf("state %d line %d is a loopstate\n", is, srcln[is]);
		}	}
		return;
	}
	reach[is] |= (4|16);	/* visited | onstack */
	for (z = trans[n][is]; z; z = z->nxt)
	{	t_id_lkup[z->t_id] = z;
#ifdef HAS_UNLESS
		int i, j;
#endif
		dfs_table(n, m, z->st, srcln, reach, lpstate);
#ifdef HAS_UNLESS
		for (i = 0; i < HAS_UNLESS; i++)
		{	j = trans[n][is]->escp[i];
			if (!j) break;
			dfs_table(n, m, j, srcln, reach, lpstate);
		}
#endif
	}
	reach[is] &= ~16; /* no longer on stack */
}
void
do_dfs(int n, int m, int is, short srcln[], uchar reach[], uchar lpstate[])
{	int i;
	dfs_table(n, m, is, srcln, reach, lpstate);
	for (i = 0; i < m; i++)
		reach[i] &= ~(4|8|16);
}
void
crack(int n, int j, Trans *z, short srcln[])
{	int i;

	if (!z) return;
	printf("	state %3d -(tr %3d)-> state %3d  ",
		j, z->forw, z->st);
	printf("[id %3d tp %3d", z->t_id, z->tpe[0]);
	if (z->tpe[1]) printf(",%d", z->tpe[1]);
#ifdef HAS_UNLESS
	if (z->e_trans)
		printf(" org %3d", z->e_trans);
	else if (state_tables >= 2)
	for (i = 0; i < HAS_UNLESS; i++)
	{	if (!z->escp[i]) break;
		printf(" esc %d", z->escp[i]);
	}
#endif
	printf("]");
	printf(" [%s%s%s%s%s] %s:%d => ",
		z->atom&6?"A":z->atom&32?"D":"-",
		accpstate[n][j]?"a" :"-",
		stopstate[n][j]?"e" : "-",
		progstate[n][j]?"p" : "-",
		z->atom & 8 ?"L":"G",
		PanSource, srcln[j]);
	for (i = 0; z->tp[i]; i++)
		if (z->tp[i] == '\n')
			printf("\\n");
		else
			putchar(z->tp[i]);
	if (verbose && z->qu[0])
	{	printf("\t[");
		for (i = 0; i < 6; i++)
			if (z->qu[i])
				printf("(%d,%d)",
				z->qu[i], z->ty[i]);
		printf("]");
	}
	printf("\n");
	fflush(stdout);
}
/* spin -a m.pml; cc -o pan pan.c; ./pan -D | dot -Tps > foo.ps; ps2pdf foo.ps */
void
dot_crack(int n, int j, Trans *z)
{	int i;

	if (!z) return;
	printf("	S%d -> S%d  [color=black", j, z->st);

	if (z->atom&6) printf(",style=dashed");
	else if (z->atom&32) printf(",style=dotted");
	else if (z->atom&8) printf(",style=solid");
	else printf(",style=bold");

	printf(",label=\"");
	for (i = 0; z->tp[i]; i++)
	{	if (z->tp[i] == '\\'
		&&  z->tp[i+1] == 'n')
		{	i++; printf(" ");
		} else
		{	putchar(z->tp[i]);
	}	}
	printf("\"];\n");
	if (accpstate[n][j]) printf("  S%d [color=red,style=bold];\n", j);
	else if (progstate[n][j]) printf("  S%d [color=green,style=bold];\n", j);
	if (stopstate[n][j]) printf("  S%d [color=blue,style=bold,shape=box];\n", j);
}

#ifdef VAR_RANGES
#define BYTESIZE	32	/* 2^8 : 2^3 = 256:8 = 32 */

typedef struct Vr_Ptr {
	char	*nm;
	uchar	vals[BYTESIZE];
	struct Vr_Ptr *nxt;
} Vr_Ptr;
Vr_Ptr *ranges = (Vr_Ptr *) 0;

void
logval(char *s, int v)
{	Vr_Ptr *tmp;

	if (v<0 || v > 255) return;
	for (tmp = ranges; tmp; tmp = tmp->nxt)
		if (!strcmp(tmp->nm, s))
			goto found;
	tmp = (Vr_Ptr *) emalloc(sizeof(Vr_Ptr));
	tmp->nxt = ranges;
	ranges = tmp;
	tmp->nm = s;
found:
	tmp->vals[(v)/8] |= 1<<((v)%8);
}

void
dumpval(uchar X[], int range)
{	int w, x, i, j = -1;

	for (w = i = 0; w < range; w++)
	for (x = 0; x < 8; x++, i++)
	{
from:		if ((X[w] & (1<<x)))
		{	printf("%d", i);
			j = i;
			goto upto;
	}	}
	return;
	for (w = 0; w < range; w++)
	for (x = 0; x < 8; x++, i++)
	{
upto:		if (!(X[w] & (1<<x)))
		{	if (i-1 == j)
				printf(", ");
			else
				printf("-%d, ", i-1);
			goto from;
	}	}
	if (j >= 0 && j != 255)
		printf("-255");
}

void
dumpranges(void)
{	Vr_Ptr *tmp;
	printf("\nValues assigned within ");
	printf("interval [0..255]:\n");
	for (tmp = ranges; tmp; tmp = tmp->nxt)
	{	printf("\t%s\t: ", tmp->nm);
		dumpval(tmp->vals, BYTESIZE);
		printf("\n");
	}
}
#endif
