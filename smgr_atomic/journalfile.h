/*-------------------------------------------------------------------------
 *
 * journalfile.h
 *	  The file that holds the page journal, and the marker that names it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_JOURNALFILE_H
#define SMGR_ATOMIC_JOURNALFILE_H

#include "journal.h"

#define SA_JOURNAL_NAME "smgr_atomic.journal"
#define SA_JOURNAL_DEFAULT_DIRECTORY "pgsql_tmp_smgr_atomic"

/* What the marker in the data directory says. */
typedef struct SaMarker
{
	char		path[MAXPGPATH];
	uint8		uuid[SA_JOURNAL_UUID];
	uint64		generation;
	bool		original;		/* read: it was written in this data directory, not in one this is a copy of */
} SaMarker;

extern bool sa_marker_read(SaMarker *marker);
extern bool sa_marker_write(const SaMarker *marker, int elevel);
extern void sa_marker_remove(int elevel);
extern bool sa_marker_names(const SaMarker *marker, const SaJournalSuper *super);
extern bool sa_marker_is_current(const SaMarker *marker, const SaJournalSuper *super);

extern void sa_journal_path(char *path);
extern int	sa_journal_open(const char *path, char *reason, size_t size);
extern bool sa_journal_share(int fd);
extern int	sa_journal_join(const char *path);
extern void sa_journal_close(int fd);
extern int	sa_journal_create(const char *path, uint32 section_blocks, char *reason, size_t size);
extern int	sa_journal_install(const char *path);
extern void sa_journal_discard(const char *path);
extern int	sa_journal_read_block(void *arg, uint64 offset, void *block);
extern int	sa_journal_write_super(int fd, const SaJournalSuper *super);
extern void *sa_journal_buffer(void);
extern void sa_journal_segment_path(const SaJournalKey *key, char *path);
extern bool sa_journal_lost_directory(const SaJournalKey *key, bool strict, char *path);
extern bool sa_journal_same_segment(const SaJournalKey *a, const SaJournalKey *b);

#endif							/* SMGR_ATOMIC_JOURNALFILE_H */
