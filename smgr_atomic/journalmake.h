/*-------------------------------------------------------------------------
 *
 * journalmake.h
 *	  Have a page journal: the one that is there, or a new one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_JOURNALMAKE_H
#define SMGR_ATOMIC_JOURNALMAKE_H

extern int	sa_journal_obtain(const char *path, uint32 section_blocks, bool repaired, char *reason, size_t size);

#endif							/* SMGR_ATOMIC_JOURNALMAKE_H */
