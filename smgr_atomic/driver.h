/*-------------------------------------------------------------------------
 *
 * driver.h
 *	  The background worker that moves the state machine of fpw.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_DRIVER_H
#define SMGR_ATOMIC_DRIVER_H

extern void sa_driver_register(void);
extern PGDLLEXPORT void sa_driver_main(Datum arg);

#endif							/* SMGR_ATOMIC_DRIVER_H */
