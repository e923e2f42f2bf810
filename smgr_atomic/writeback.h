/*-------------------------------------------------------------------------
 *
 * writeback.h
 *	  From the page cache to storage: pages written back, files synced.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_WRITEBACK_H
#define SMGR_ATOMIC_WRITEBACK_H

#include "journal.h"
#include "steps.h"

/* Segments, each as the key of its first page; {0} is an empty set. */
typedef struct SaFileSet
{
	SaJournalKey *files;		/* malloc'ed */
	size_t		count;
	size_t		capacity;
} SaFileSet;

extern bool sa_will_pass(int error);
extern void sa_file_set_add(SaFileSet *set, const SaJournalKey *page);
extern void sa_file_set_sync(SaFileSet *set);
extern void sa_writeback_start(int fd, const SaJournalKey *pages, uint32 count);
extern void sa_writeback_await(int fd, const SaJournalKey *pages, uint32 count);
extern uint32 sa_writeback_step(const SaJournalKey *pages, uint32 count, SaStepSize *size);

#endif							/* SMGR_ATOMIC_WRITEBACK_H */
