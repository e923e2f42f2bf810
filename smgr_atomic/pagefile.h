/*-------------------------------------------------------------------------
 *
 * pagefile.h
 *	  The file that a page of the journal belongs to.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_PAGEFILE_H
#define SMGR_ATOMIC_PAGEFILE_H

#include "journal.h"

extern void sa_page_file_path(const SaJournalKey *key, char *path);
extern off_t sa_page_file_offset(const SaJournalKey *key);
extern bool sa_page_file_is_same(const SaJournalKey *a, const SaJournalKey *b);
extern bool sa_page_file_lost_directory(const SaJournalKey *key, bool strict, char *path);

#endif							/* SMGR_ATOMIC_PAGEFILE_H */
