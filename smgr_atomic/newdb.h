/*-------------------------------------------------------------------------
 *
 * newdb.h
 *	  Databases that are being created, and what becomes of their pages if
 *	  that fails.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_NEWDB_H
#define SMGR_ATOMIC_NEWDB_H

#include "compat.h"

extern Size sa_newdb_shmem_size(void);
extern void sa_newdb_shmem_init(void);
extern void sa_newdb_register(void);
extern bool sa_newdb_has_gone(SaRelFile rel);

#define SA_NEWDB_LOCK "smgr_atomic new databases"

#endif							/* SMGR_ATOMIC_NEWDB_H */
