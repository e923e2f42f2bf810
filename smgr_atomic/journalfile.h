/*-------------------------------------------------------------------------
 *
 * journalfile.h
 *	  The file that holds the page journal.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_JOURNALFILE_H
#define SMGR_ATOMIC_JOURNALFILE_H

#include "journal.h"

#define SA_JOURNAL_NAME "smgr_atomic.journal"
#define SA_JOURNAL_DEFAULT_DIRECTORY "pgsql_tmp_smgr_atomic"

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

extern int	sa_journal_sync_path(const char *path, int flags);
extern int	sa_journal_rename(const char *from, const char *to);

#endif							/* SMGR_ATOMIC_JOURNALFILE_H */
