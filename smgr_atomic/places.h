/*-------------------------------------------------------------------------
 *
 * places.h
 *	  Every directory this cluster writes relation pages to.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_PLACES_H
#define SMGR_ATOMIC_PLACES_H

#include "nodes/pg_list.h"

#include "probe.h"

typedef struct SaPlace
{
	Oid			tablespace;
	SaProbe		probe;			/* probe.path is relative to the data directory */
} SaPlace;

extern List *sa_places_probe(int writethrough_flag);
extern const SaPlace *sa_places_weakest(List *places);
extern void sa_places_prepare(List *places);
extern int	sa_places_sync(List *places, const char **failed);

#endif							/* SMGR_ATOMIC_PLACES_H */
