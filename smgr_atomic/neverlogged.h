/*-------------------------------------------------------------------------
 *
 * neverlogged.h
 *	  Empty pages of which WAL knows nothing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_NEVERLOGGED_H
#define SMGR_ATOMIC_NEVERLOGGED_H

#include "compat.h"

extern const void *sa_log_if_never_logged(SMgrRelation reln, ForkNumber fork, BlockNumber block, const void *page);

#endif							/* SMGR_ATOMIC_NEVERLOGGED_H */
