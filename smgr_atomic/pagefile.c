/*-------------------------------------------------------------------------
 *
 * pagefile.c
 *	  The file that a page of the journal belongs to.
 *
 * A copy in the journal knows its page by relation, fork and block.  Which file
 * that is, and whether a file that is not there was removed by the server or is on
 * a device that is missing, is answered here, from names alone.  Callable by any
 * process, also before there is shared memory and in a critical section.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dirent.h>
#include <sys/stat.h>

#include "catalog/pg_tablespace_d.h"
#include "common/relpath.h"
#include "storage/block.h"

#include "pagefile.h"

#define LINK_TRIES 100
#define LINK_PAUSE_US 10000

/*
 * Path of the segment file that holds a page, into MAXPGPATH bytes.  As
 * GetRelationPath(), but without allocating.
 */
void
sa_page_file_path(const SaJournalKey *key, char *path)
{
	BlockNumber segno = key->block / (BlockNumber) RELSEG_SIZE;
	int			length;

	if (key->tablespace == GLOBALTABLESPACE_OID)
		length = snprintf(path, MAXPGPATH, "global/%u", key->relation);
	else if (key->tablespace == DEFAULTTABLESPACE_OID)
		length = snprintf(path, MAXPGPATH, "base/%u/%u", key->database, key->relation);
	else
		length = snprintf(path, MAXPGPATH, "pg_tblspc/%u/%s/%u/%u", key->tablespace,
						  TABLESPACE_VERSION_DIRECTORY, key->database, key->relation);
	if (key->fork != MAIN_FORKNUM)
		length += snprintf(path + length, MAXPGPATH - length, "_%s", forkNames[key->fork]);
	if (segno > 0)
		snprintf(path + length, MAXPGPATH - length, ".%u", segno);
}

/* Is there something with this name that leads nowhere?  With errno. */
static bool
leads_nowhere(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && stat(path, &st) != 0;
}

/* Is this a directory with nothing in it? */
static bool
is_empty(const char *path)
{
	DIR		   *dir = opendir(path);
	struct dirent *entry;
	int			found = 0;

	if (dir == NULL)
		return false;
	while (found == 0 && (entry = readdir(dir)) != NULL)
		found = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	errno = ENOENT;
	return found == 0;
}

/*
 * Look once for what sa_page_file_lost_directory() is about: false if all is there
 * or has been removed by the server.
 */
static bool
lacks_directory(const SaJournalKey *key, bool strict, char *path)
{
	struct stat st;

	if (key->tablespace == DEFAULTTABLESPACE_OID)
		snprintf(path, MAXPGPATH, "base/%u", key->database);
	else
	{
		snprintf(path, MAXPGPATH, "pg_tblspc/%u", key->tablespace);
		if (lstat(path, &st) != 0 && errno == ENOENT)
			return strict;
		snprintf(path, MAXPGPATH, "pg_tblspc/%u/%s", key->tablespace, TABLESPACE_VERSION_DIRECTORY);
		if (stat(path, &st) != 0)
			return true;
		snprintf(path, MAXPGPATH, "pg_tblspc/%u/%s/%u", key->tablespace, TABLESPACE_VERSION_DIRECTORY, key->database);
	}
	return leads_nowhere(path) || (strict && key->tablespace == DEFAULTTABLESPACE_OID && is_empty(path));
}

/*
 * There is no such file: is that so because a device is not there?  Then true,
 * with errno, and what is missing in path, of MAXPGPATH bytes.  That may be
 *
 * - what a tablespace, or a database's directory, is linked to;
 * - strict: the link of a tablespace, or what was mounted on a database's directory,
 *	 which is empty without.  (But in other tablespaces than the default one it may
 *	 be empty otherwise.)
 *
 * Strict is for the start of what was a primary: no tablespace is dropped before the
 * copies of its pages are void, and its link is durable before there are any
 * (guard.c), but not if redo has made it.  In a running server the directory of a
 * database that is being removed, or was to be created, is empty for as long as it
 * takes to remove it.
 *
 * Waits a second: who removes a tablespace removes the directory before the link.
 */
bool
sa_page_file_lost_directory(const SaJournalKey *key, bool strict, char *path)
{
	if (key->tablespace == GLOBALTABLESPACE_OID)
		return false;
	for (int i = 0; lacks_directory(key, strict, path); i++)
	{
		if (i == LINK_TRIES)
			return true;
		pg_usleep(LINK_PAUSE_US);
	}
	return false;
}

/* Where in its segment file a page is, in bytes. */
off_t
sa_page_file_offset(const SaJournalKey *key)
{
	return (off_t) BLCKSZ * (key->block % (BlockNumber) RELSEG_SIZE);
}

/* Are two pages in the same segment file? */
bool
sa_page_file_is_same(const SaJournalKey *a, const SaJournalKey *b)
{
	return memcmp(a, b, offsetof(SaJournalKey, block)) == 0 &&
		a->block / (BlockNumber) RELSEG_SIZE == b->block / (BlockNumber) RELSEG_SIZE;
}
