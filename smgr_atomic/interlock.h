/*-------------------------------------------------------------------------
 *
 * interlock.h
 *	  The WAL records of our resource manager.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_INTERLOCK_H
#define SMGR_ATOMIC_INTERLOCK_H

#include "access/rmgr.h"

#ifndef SA_RMGR_ID
#define SA_RMGR_ID RM_EXPERIMENTAL_ID
#endif

#define XLOG_SA_IMAGES_OFF 0x00 /* pages from here on may lack full images */
#define XLOG_SA_PAGE 0x10		/* a page (neverlogged.c) */

extern void sa_interlock_register(void);
extern void sa_interlock_log(void);

#endif							/* SMGR_ATOMIC_INTERLOCK_H */
