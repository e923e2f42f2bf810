/*-------------------------------------------------------------------------
 *
 * neverlogged.h
 *	  Pages that were initialised anew, of which WAL knows nothing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_NEVERLOGGED_H
#define SMGR_ATOMIC_NEVERLOGGED_H

#include "access/xlogreader.h"

#include "compat.h"

extern const void *sa_log_if_never_logged(SMgrRelation reln, ForkNumber fork, BlockNumber block, const void *page);
extern void sa_never_logged_redo(XLogReaderState *record);

#endif							/* SMGR_ATOMIC_NEVERLOGGED_H */
