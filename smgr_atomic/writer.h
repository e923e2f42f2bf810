/*-------------------------------------------------------------------------
 *
 * writer.h
 *	  Carrying pages of the pool to their place.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_WRITER_H
#define SMGR_ATOMIC_WRITER_H

#include "postgres.h"

extern void sa_writer_register(int count);
extern bool sa_writer_help(void);
extern PGDLLEXPORT void sa_writer_main(Datum arg);

#endif							/* SMGR_ATOMIC_WRITER_H */
