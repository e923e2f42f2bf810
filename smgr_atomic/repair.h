/*-------------------------------------------------------------------------
 *
 * repair.h
 *	  Repair before redo: torn pages are made whole from the page journal.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_REPAIR_H
#define SMGR_ATOMIC_REPAIR_H

#include "access/xlogdefs.h"

/* The start that is under way. */
typedef struct SaStartInfo
{
	bool		clean;			/* no WAL will be replayed */
	bool		images;			/* images were on at the last checkpoint */
	bool		shut_down;		/* every page is durable in place */
	bool		in_production;	/* the last one was of a primary, and has not ended cleanly */
	bool		from_archive;	/* standby.signal or recovery.signal */
	bool		backup_label;	/* pages are those of a base backup */
	bool		checksums;
	XLogRecPtr	redo;			/* of the last checkpoint; invalid = not known */
	uint64		system_identifier;
	bool		journaled;		/* pages went through the page journal before */
} SaStartInfo;

extern bool sa_repair(const SaStartInfo *info);

#endif							/* SMGR_ATOMIC_REPAIR_H */
