/*-------------------------------------------------------------------------
 *
 * segment.h
 *	  Descriptors of relation segments.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_SEGMENT_H
#define SMGR_ATOMIC_SEGMENT_H

#include "compat.h"

typedef struct SaSegment
{
	File		file;			/* of fd.c; -1 = not open */
	int			open_flags;		/* beyond O_RDWR: O_DIRECT or 0 */
} SaSegment;

extern SaSegment *sa_segment_get(SMgrRelation reln, ForkNumber fork, BlockNumber block,
								 int open_flags, bool journaled);
extern void sa_segment_path(SaRelFile rel, ForkNumber fork, int segno, char *path);
extern void sa_segment_close(SMgrRelation reln, ForkNumber fork);

#endif							/* SMGR_ATOMIC_SEGMENT_H */
