/*-------------------------------------------------------------------------
 *
 * cutlog.h
 *	  What a powerdisk's request log says about the sectors of the disk.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LAB_CUTLOG_H
#define LAB_CUTLOG_H

#include <stdint.h>

typedef struct CutLog CutLog;

/* NULL with errno set; EINVAL when it is not such a log. */
extern CutLog *cutlog_read(const char *path);

/*
 * What the last cut did to the sector at this offset: '+' its newest write
 * arrived, '-' none of its unflushed writes did, '~' an older one did but not
 * the newest, '.' there was nothing unflushed, or it was written again since.
 */
extern char cutlog_fate(const CutLog *log, uint64_t offset);

#endif							/* LAB_CUTLOG_H */
