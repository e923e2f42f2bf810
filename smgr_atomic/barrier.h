/*-------------------------------------------------------------------------
 *
 * barrier.h
 *	  Something to do when the server says: let go of all relation files.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_BARRIER_H
#define SMGR_ATOMIC_BARRIER_H

#include "compat.h"

extern void sa_barrier_register(void (*in_recovery) (void));
extern bool sa_barrier_closes(SMgrRelation reln, ForkNumber fork);

#endif							/* SMGR_ATOMIC_BARRIER_H */
