/*-------------------------------------------------------------------------
 *
 * guard.h
 *	  What CREATE TABLESPACE and DROP TABLESPACE mean for the contract.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_GUARD_H
#define SMGR_ATOMIC_GUARD_H

extern void sa_guard_register(void);

#endif							/* SMGR_ATOMIC_GUARD_H */
