/*-------------------------------------------------------------------------
 *
 * newpages.h
 *	  Pages that recovery can make from nothing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_NEWPAGES_H
#define SMGR_ATOMIC_NEWPAGES_H

#include "access/xlogdefs.h"

#include "compat.h"
#include "writebehind.h"

extern Size sa_newpages_shmem_size(void);
extern void sa_newpages_shmem_init(void);
extern void sa_newpages_checkpointed(void);
extern void sa_newpages_can_tell(void);
extern void sa_newpages_added(SaRelFile rel, ForkNumber fork, BlockNumber block);
extern void sa_newpages_written(SaRelFile rel, ForkNumber fork, BlockNumber block);
extern bool sa_newpages_has(const SaPageKey *key, XLogRecPtr redo);

#endif							/* SMGR_ATOMIC_NEWPAGES_H */
