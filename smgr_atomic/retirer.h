/*-------------------------------------------------------------------------
 *
 * retirer.h
 *	  The background worker that makes room in the page journal.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_RETIRER_H
#define SMGR_ATOMIC_RETIRER_H

extern void sa_retirer_register(void);

extern PGDLLEXPORT void sa_retirer_main(Datum arg);

#endif							/* SMGR_ATOMIC_RETIRER_H */
