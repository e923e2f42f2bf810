/*-------------------------------------------------------------------------
 *
 * marker.c
 *	  The file in the data directory that names its page journal.
 *
 * A small text file.  It is there, durably, from before the first page goes to
 * the journal until every page is in place again and the journal given up.  A
 * start after a crash that finds a marker needs the journal it names.  It also
 * names the directory it was written in: a copy of the data directory has the
 * marker too, but is not the one whose journal that is.
 *
 * Written by the postmaster at start or by the driver, removed by the postmaster at
 * start or by the checkpointer, never by two at once: the driver opens the journal
 * only when the checkpointer has closed it.  It is replaced by renaming, so a crash
 * leaves the old one or the new one.  Synced with fsync = off too, as the journal is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "storage/fd.h"

#include "journalfile.h"
#include "marker.h"
#include "smgr_atomic.h"

#define MARKER_TMP SA_MARKER_NAME ".tmp"
#define MARKER_FORMAT "smgr_atomic journal 1"

/* What the marker says of where it was written; into MAXPGPATH + 16 bytes. */
static void
directory_line(char *line)
{
	char		here[MAXPGPATH];

	/* the system's answer has no symbolic links in it, whichever way the server came here */
	snprintf(line, MAXPGPATH + 16, "directory %s\n", getcwd(here, sizeof(here)) != NULL ? here : "unknown");
}

/* Without it nothing is known; who ignores the journal goes on so. */
static void
bad_marker(SaMarker *marker)
{
	memset(marker, 0, sizeof(SaMarker));
	strlcpy(marker->path, "unknown", MAXPGPATH);
	ereport(sa_ignore_journal ? WARNING : FATAL,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("could not understand file \"%s\"", SA_MARKER_NAME),
			 errdetail("It names the page journal that recovery may need."),
			 errhint("Restore a backup, or set smgr_atomic.ignore_journal = on to start without the journal "
					 "and take the risk of torn pages.")));
}

/* False if there is none. */
bool
sa_marker_read(SaMarker *marker)
{
	FILE	   *file = AllocateFile(SA_MARKER_NAME, "r");
	char		uuid[2 * SA_JOURNAL_UUID + 1];
	unsigned long long generation;
	char		line[MAXPGPATH + 16];
	char		here[MAXPGPATH + 16];
	bool		ok;

	if (file == NULL && errno == ENOENT)
		return false;
	if (file == NULL)
		ereport(FATAL,
				(errcode_for_file_access(), errmsg("could not open file \"%s\": %m", SA_MARKER_NAME)));
	ok = fgets(line, sizeof(line), file) != NULL && strcmp(line, MARKER_FORMAT "\n") == 0 &&
		fgets(line, sizeof(line), file) != NULL && strncmp(line, "path ", 5) == 0 &&
		strlen(line) > 6 && strlen(line) - 6 < MAXPGPATH &&
		fscanf(file, "uuid %32s\ngeneration %llu\n", uuid, &generation) == 2 &&
		strlen(uuid) == 2 * SA_JOURNAL_UUID;
	strlcpy(marker->path, ok ? line + 5 : "", MAXPGPATH);
	marker->path[strcspn(marker->path, "\n")] = '\0';
	directory_line(here);
	marker->original = ok && fgets(line, sizeof(line), file) != NULL && strcmp(line, here) == 0;
	FreeFile(file);
	for (int i = 0; i < SA_JOURNAL_UUID && ok; i++)
	{
		unsigned int byte;

		ok = sscanf(uuid + 2 * i, "%2x", &byte) == 1;
		marker->uuid[i] = (uint8) byte;
	}
	if (!ok)
	{
		bad_marker(marker);
		return true;
	}
	marker->generation = generation;
	return true;
}

/*
 * Say in the marker, durably, that this generation is the next of the journal at
 * path, and that it is this directory's; an ERROR if that cannot be.  Before the
 * journal says it, because a generation in the journal that is ahead of the marker's
 * means that somebody else has used it (repair.c).  Postmaster or driver.
 */
void
sa_marker_announce(const char *path, const SaJournalSuper *super)
{
	char		uuid[2 * SA_JOURNAL_UUID + 1];
	char		here[MAXPGPATH + 16];
	FILE	   *file = AllocateFile(MARKER_TMP, "w");
	bool		ok;

	directory_line(here);
	for (int i = 0; i < SA_JOURNAL_UUID; i++)
		snprintf(uuid + 2 * i, 3, "%02x", super->uuid[i]);
	ok = file != NULL &&
		fprintf(file, MARKER_FORMAT "\npath %s\nuuid %s\ngeneration %llu\n%s",
				path, uuid, (unsigned long long) super->generation, here) > 0;
	if (file != NULL && FreeFile(file) != 0)
		ok = false;
	if (ok && (errno = sa_journal_sync_path(MARKER_TMP, O_RDWR)) == 0 &&
		(errno = sa_journal_rename(MARKER_TMP, SA_MARKER_NAME)) == 0)
		return;
	ereport(ERROR,
			(errcode_for_file_access(), errmsg("could not write file \"%s\": %m", MARKER_TMP)));
}

/*
 * Durable when this returns; nothing if there is none.  A marker that stays is
 * harmless as long as its journal does.
 */
void
sa_marker_remove(int elevel)
{
	if (unlink(SA_MARKER_NAME) == 0)
		errno = sa_journal_sync_path(".", O_RDONLY | O_DIRECTORY);
	if (errno != 0 && errno != ENOENT)
		ereport(elevel,
				(errcode_for_file_access(),
				 errmsg("could not remove file \"%s\": %m", SA_MARKER_NAME),
				 errdetail("The next start may look for the page journal it names.")));
}

/* Does the marker speak of the journal with this superblock? */
bool
sa_marker_names(const SaMarker *marker, const SaJournalSuper *super)
{
	return memcmp(marker->uuid, super->uuid, SA_JOURNAL_UUID) == 0;
}

/*
 * Has nobody used this journal since the marker was written?  The superblock may
 * be one generation behind: a start ended between its marker and its superblock.
 */
bool
sa_marker_is_current(const SaMarker *marker, const SaJournalSuper *super)
{
	return super->generation == marker->generation || super->generation + 1 == marker->generation;
}

/* Does it speak of this journal, and is that still ours? */
bool
sa_marker_is_of(const SaMarker *marker, const SaJournalSuper *super)
{
	return sa_marker_names(marker, super) && sa_marker_is_current(marker, super);
}
