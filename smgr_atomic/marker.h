/*-------------------------------------------------------------------------
 *
 * marker.h
 *	  The file in the data directory that names its page journal.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_MARKER_H
#define SMGR_ATOMIC_MARKER_H

#include "journal.h"

/* Its name in the data directory. */
#define SA_MARKER_NAME "smgr_atomic.journal"

typedef struct SaMarker
{
	char		path[MAXPGPATH];
	uint8		uuid[SA_JOURNAL_UUID];
	uint64		generation;
	bool		original;		/* read: it was written in this data directory, not in one this is a copy of */
} SaMarker;

extern bool sa_marker_read(SaMarker *marker);
extern void sa_marker_announce(const char *path, const SaJournalSuper *super);
extern void sa_marker_remove(int elevel);
extern bool sa_marker_names(const SaMarker *marker, const SaJournalSuper *super);
extern bool sa_marker_is_current(const SaMarker *marker, const SaJournalSuper *super);
extern bool sa_marker_is_of(const SaMarker *marker, const SaJournalSuper *super);

#endif							/* SMGR_ATOMIC_MARKER_H */
