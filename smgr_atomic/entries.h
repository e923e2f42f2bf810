/*-------------------------------------------------------------------------
 *
 * entries.h
 *	  The entries of the server's tables that are ours, and the proof that the
 *	  server uses them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_ENTRIES_H
#define SMGR_ATOMIC_ENTRIES_H

extern void sa_entries_attach(void);
extern bool sa_entries_prove(void);

#endif							/* SMGR_ATOMIC_ENTRIES_H */
