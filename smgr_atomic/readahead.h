/*-------------------------------------------------------------------------
 *
 * readahead.h
 *	  A background worker that has pages read before redo needs them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_READAHEAD_H
#define SMGR_ATOMIC_READAHEAD_H

#include "postgres.h"

extern void sa_readahead_start(void);
extern PGDLLEXPORT void sa_readahead_main(Datum arg);

#endif							/* SMGR_ATOMIC_READAHEAD_H */
