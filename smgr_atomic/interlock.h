/*-------------------------------------------------------------------------
 *
 * interlock.h
 *	  The WAL record that tells standbys and restores what they need.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_INTERLOCK_H
#define SMGR_ATOMIC_INTERLOCK_H

extern void sa_interlock_register(void);
extern void sa_interlock_log(void);

#endif							/* SMGR_ATOMIC_INTERLOCK_H */
