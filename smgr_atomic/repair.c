/*-------------------------------------------------------------------------
 *
 * repair.c
 *	  Repair before redo: torn pages are made whole from the page journal.
 *
 * Runs in the postmaster (or a standalone server) at start, and again after a
 * backend's crash, before any child that could read a page.  If the start is
 * not a clean one and a marker says that the journal was in use, every page that
 * the journal's window tells of is read in place.  If its newest whole entry has a
 * copy, that is put there, unless what is there is newer.  If it has none, because
 * recovery can make the page from zeroes (newpages.c), zeroes are put there, unless
 * what is there is one of the versions that entries tell of.  Then all files with such
 * pages are fsynced.  Nothing in the journal changes before that, so a crash in here
 * costs nothing but time: the next start does it all again.  Only after that
 * doublewrite.c begins a new generation, and what is in the file counts no more.
 *
 * A page that looks right may not be so on storage (readback.c): after a crash of
 * the server alone what is read comes from the page cache.  It may not have been
 * written back yet; or the device has refused it, and the kernel has told somebody
 * and marked it clean.  So such a page is written even if it looks right.  What
 * certainly comes from storage, as after the machine has started anew, is written
 * only if it differs: that spares most of the work after a power cut.  It may be
 * in a cache of the device all the same; so every file is fsynced although nothing
 * was written.  Nothing leaves the window that is not, by this start, known to be
 * durable in place.
 *
 * What can be met, and what is done
 *
 * - Clean start (pg_control says "shut down"): every page is durable in place,
 *	 and tools may have changed files since (pg_checksums, pg_upgrade,
 *	 pg_resetwal).  Nothing is applied.  pg_resetwal after a crash makes a start
 *	 look clean; what that tears is pg_resetwal's risk, as ever.  So are new pages
 *	 that an earlier start has emptied, if it found no WAL then.
 * - "shut down in recovery" is not clean: a standby may stop without a
 *	 restartpoint.  Here pg_checksums may have run; a copy gets its checksum
 *	 anew, so that it equals a page that was only given one.
 * - backup_label: the directory is a base backup that was restored, or comes
 *	 from pg_rewind.  Pages in it are older or newer than any journal's, and
 *	 redo begins at a checkpoint during which images were forced.  Nothing is
 *	 applied, the marker (which is part of the backup) is removed.  But where the
 *	 journal that the marker names is there, with copies, in the directory where
 *	 it was written, the label may be one that was left behind in a running
 *	 primary, and its crash has torn pages: the server does not start, and says
 *	 how to go on in either case.  (Most restores come with standby.signal or
 *	 recovery.signal; after pg_rewind pg_control does not say "in production".)
 * - A directory copied while the server was stopped: clean.  A snapshot of all
 *	 volumes at one moment: as after a crash, with its own journal.  A snapshot
 *	 without the journal's device: the journal there has gone on, so its
 *	 generation or its lock do not fit; else this is like a snapshot without one
 *	 of the tablespaces, which no server can make good.
 * - The journal is not there, cannot be read, or is not the one the marker
 *	 names: the server does not start, and says what can be done.  It never
 *	 guesses that pages might be whole.
 * - A file that is gone, or too short for the page: it was dropped or truncated,
 *	 or its extension was lost; redo knows about it.  But the directory of a
 *	 tablespace or database that is not there may be on a device that is not:
 *	 then the server does not start either (sa_page_file_lost_directory()).
 * - A relation that was truncated, or dropped and created again under its old
 *	 name: copies of the one before are void (doublewrite.c, rules 3 and 4).
 * - Timelines and promotion: LSNs only grow, and the journal knows nothing else.
 *	 A standby has its own journal.
 * - The library is removed after a crash: WAL without images has a record that
 *	 stops recovery (interlock.c).  If images were on, or after a clean stop, the
 *	 server works without it, and marker and journal are left behind.  When the
 *	 library is back, copies are void because a checkpoint has completed since
 *	 (journal.c); what tears meanwhile has its image in WAL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/relpath.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/bufpage.h"
#include "storage/checksum.h"
#include "storage/fd.h"

#include "doublewrite.h"
#include "journalfile.h"
#include "marker.h"
#include "pagefile.h"
#include "readback.h"
#include "repair.h"
#include "smgr_atomic.h"

/* ---- blocks of the journal ---- */

#define READ_AHEAD (8 * 1024 * 1024)
#define KEEP_MAX (32 * READ_AHEAD)
#define HUGE_PAGE (2 * 1024 * 1024)

/*
 * A scan looks at the whole journal: so many blocks at once spare it the device's
 * latency.  Then copies are wanted in the order of their pages, which is none
 * here: so what was read is kept, unless the journal is larger than KEEP_MAX.
 */
typedef struct JournalReader
{
	int			fd;
	char	   *buffer;			/* aligned for direct I/O */
	size_t		size;
	bool		keeps;			/* that is enough for the whole file */
	uint64		start;			/* in the file, of what is in the buffer */
	size_t		length;
} JournalReader;

/*
 * 0, or an errno.  Most of the time of a scan would be page faults, one for each 4 kB
 * of the buffer.
 */
static int
open_reader(JournalReader *reader, int fd, uint64 file_size)
{
	void	   *buffer = NULL;
	int			error;

	memset(reader, 0, sizeof(*reader));
	reader->fd = fd;
	reader->keeps = file_size <= KEEP_MAX;
	reader->size = reader->keeps ? file_size : READ_AHEAD;
	error = posix_memalign(&buffer, HUGE_PAGE, reader->size);
	if (error == 0)
		(void) madvise(buffer, reader->size, MADV_HUGEPAGE);
	reader->buffer = buffer;
	return error;
}

static bool
in_buffer(const JournalReader *reader, uint64 offset)
{
	return offset >= reader->start && offset + SA_JOURNAL_BLOCK <= reader->start + reader->length;
}

/* Read on, until the block at offset is there.  0, or an errno. */
static int
fill(JournalReader *reader, uint64 offset)
{
	if (!reader->keeps)
	{
		reader->start = offset;
		reader->length = 0;
	}
	while (!in_buffer(reader, offset))
	{
		size_t		more = Min(reader->size - reader->length, READ_AHEAD);
		ssize_t		done = pread(reader->fd, reader->buffer + reader->length, more,
								 reader->start + reader->length);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < SA_JOURNAL_BLOCK)
			return done < 0 ? errno : EIO;
		reader->length += done - done % SA_JOURNAL_BLOCK;
	}
	return 0;
}

/* A SaJournalRead, for the scan: from the start to the end. */
static int
read_ahead(void *arg, uint64 offset, void *block)
{
	JournalReader *reader = arg;
	int			error = in_buffer(reader, offset) ? 0 : fill(reader, offset);

	if (error == 0)
		memcpy(block, reader->buffer + (offset - reader->start), SA_JOURNAL_BLOCK);
	return error;
}

/* The same, after the scan, in any order. */
static int
read_again(void *arg, uint64 offset, void *block)
{
	JournalReader *reader = arg;

	if (reader->keeps)
		return read_ahead(reader, offset, block);
	return sa_journal_read_block(&reader->fd, offset, block);
}

/* ---- the repair ---- */

typedef struct Repair
{
	JournalReader journal;
	bool		checksums;		/* the cluster has them */
	bool		in_production;	/* it was a primary */
	bool	   *cached;			/* of each copy: its page may not come from storage */
	bool		device_failed;	/* from then on no page is taken to come from storage */
	/* the segment that is open */
	int			fd;				/* -1 = there is none, or it is not needed */
	bool		trusted;		/* where nothing is cached, reads tell of storage */
	SaJournalKey file;			/* a page of it */
	off_t		size;
	char		path[MAXPGPATH];
	/* for people */
	uint64		checked;
	uint64		restored;
	uint64		emptied;		/* recovery makes them again */
	uint64		rewritten;		/* looked right, but in the page cache */
	uint64		skipped;		/* no such page any more */
	uint64		unfinished;		/* no whole copy: the page was not written to its place either */
} Repair;

/* The server cannot start, and here is why. */
static void
refuse(const SaMarker *marker, const char *why)
{
	ereport(FATAL,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the page journal \"%s\" is needed for recovery, but %s", marker->path, why),
			 errdetail("The server was not shut down cleanly. Pages may be torn, and WAL may have no full-page images of them."),
			 errhint("Bring the journal's device or file back, or restore a backup. Or set smgr_atomic.ignore_journal = on "
					 "to start without it and take the risk of torn pages.")));
}

static void
refuse_file(const char *what, const char *path)
{
	ereport(FATAL,
			(errcode_for_file_access(),
			 errmsg("could not %s file \"%s\" to repair it from the page journal: %m", what, path),
			 errdetail("The journal is unchanged; the next start tries again.")));
}

/* ---- pages ---- */

/* Not pg_fsync(): with fsync = off these pages are still the only ones. */
static void
close_segment(Repair *repair)
{
	if (repair->fd >= 0 && fsync(repair->fd) != 0)
		refuse_file("fsync", repair->path);
	if (repair->fd >= 0)
		close(repair->fd);
	repair->fd = -1;
}

/* There is no such file.  Has it been dropped? */
static void
check_directory(const Repair *repair, const SaJournalKey *key)
{
	char		path[MAXPGPATH];

	if (!sa_page_file_lost_directory(key, repair->in_production, path))
		return;
	ereport(FATAL,
			(errcode_for_file_access(),
			 errmsg("could not access \"%s\", where there are pages to repair: %m", path),
			 errdetail("The page journal has copies of pages there; without repair they may be torn."),
			 errhint("Bring the device of this database or tablespace back; remove a database's directory that is empty "
					 "because the database was being created. Or set smgr_atomic.ignore_journal = on to start without repair.")));
}

/* Have the segment of a page open; false if it is gone. */
static bool
open_segment(Repair *repair, const SaJournalKey *key)
{
	struct stat st = {0};

	if (sa_page_file_is_same(key, &repair->file))
		return repair->fd >= 0;
	close_segment(repair);
	repair->file = *key;
	if (key->fork < 0 || key->fork > MAX_FORKNUM)
		return false;
	sa_page_file_path(key, repair->path);
	repair->fd = BasicOpenFile(repair->path, O_RDWR | PG_BINARY);
	if (repair->fd < 0 && errno == ENOENT)
	{
		check_directory(repair, key);
		return false;
	}
	if (repair->fd < 0 || fstat(repair->fd, &st) != 0)
		refuse_file("open", repair->path);
	/* takes an error from before the start, if there is one; it may be about other files, too */
	repair->device_failed = fsync(repair->fd) != 0 || repair->device_failed;
	repair->trusted = !repair->device_failed && sa_readback_trusted(repair->fd);
	repair->size = st.st_size;
	return true;
}

/* Has a page, as storage has it, a checksum, and a wrong one? */
static bool
checksum_is_wrong(const Repair *repair, char *page, BlockNumber block)
{
	if (!repair->checksums || PageIsNew((Page) page))
		return false;
	return pg_checksum_page(page, block) != ((PageHeader) page)->pd_checksum;
}

/*
 * The newest of a page's count copies, newest first, that is whole, read into page; or
 * that which says that zeroes do.  NULL if there is none.
 */
static const SaJournalCopy *
newest_whole(Repair *repair, const SaMarker *marker, const SaJournalCopy *copies, size_t count, char *page)
{
	for (size_t i = 0; i < count; i++)
	{
		bool		whole;
		int			error;

		if (copies[i].offset == 0)
			return &copies[i];
		error = sa_journal_read_copy(read_again, &repair->journal, &copies[i], page, &whole);
		if (error != 0)
			refuse(marker, psprintf("it could not be read: %s", strerror(error)));
		if (!whole)
			continue;
		if (repair->checksums && !PageIsNew((Page) page))
			((PageHeader) page)->pd_checksum = pg_checksum_page(page, copies[i].key.block);
		return &copies[i];
	}
	return NULL;
}

static void
write_page(Repair *repair, const char *page, off_t offset)
{
	ssize_t		done = pg_pwrite(repair->fd, page, BLCKSZ, offset);

	if (done >= 0 && done != BLCKSZ)
		errno = ENOSPC;
	if (done != BLCKSZ)
		refuse_file("write", repair->path);
}

/* Read a page in place; false if storage cannot: the cut may have torn it, and writing makes it readable. */
static bool
read_page(Repair *repair, char *page, off_t offset)
{
	ssize_t		done = pg_pread(repair->fd, page, BLCKSZ, offset);

	if (done >= 0 && done != BLCKSZ)
		errno = EIO;
	if (done != BLCKSZ && errno != EIO)
		refuse_file("read", repair->path);
	return done == BLCKSZ;
}

/*
 * Look at one page in place, and put its copy there, which is in page, if storage may
 * have it torn; or zeroes, for a page that has none, of which older ones follow, count
 * in all.  cached: what is read may not come from storage.
 */
static void
repair_page(Repair *repair, const SaJournalCopy *copy, size_t count, bool cached, const char *page)
{
	static const SaPageBuffer zeroes;
	off_t		offset = sa_page_file_offset(&copy->key);
	bool		is_new = copy->offset == 0;
	SaPageBuffer in_place;
	bool		damaged,
				differs;

	if (!open_segment(repair, &copy->key) || offset + BLCKSZ > repair->size)
	{
		repair->skipped++;
		return;
	}
	repair->checked++;
	damaged = !read_page(repair, in_place.data, offset);
	if (is_new)
		page = damaged || sa_journal_must_empty(in_place.data, copy, count) ? zeroes.data : in_place.data;
	else
	{
		damaged = damaged || checksum_is_wrong(repair, in_place.data, copy->key.block);
		if (!sa_journal_must_restore(in_place.data, page, damaged))
			return;
	}
	differs = damaged || memcmp(in_place.data, page, BLCKSZ) != 0;
	if (!differs && !cached)
		return;
	write_page(repair, page, offset);
	if (!differs)
		repair->rewritten++;
	else if (is_new)
		repair->emptied++;
	else
		repair->restored++;
}

/*
 * Have the kernel read ahead the pages of one segment, whose first copy this
 * is: one after the other each would wait for the device.  But ask for all of
 * them first what is there already.
 */
static void
prefetch_segment(Repair *repair, const SaJournalScan *scan, size_t first)
{
	const SaJournalKey *segment = &scan->copies[first].key;
	size_t		end = first;

	if (!open_segment(repair, segment))
		return;
	for (; end < scan->count && sa_page_file_is_same(segment, &scan->copies[end].key); end++)
		repair->cached[end] = !repair->trusted || sa_readback_cached(repair->fd, sa_page_file_offset(&scan->copies[end].key), BLCKSZ);
	for (size_t i = first; i < end; i++)
		(void) posix_fadvise(repair->fd, sa_page_file_offset(&scan->copies[i].key), BLCKSZ, POSIX_FADV_WILLNEED);
}

static void
repair_pages(Repair *repair, const SaMarker *marker, const SaJournalScan *scan)
{
	size_t		next;

	repair->cached = palloc0(scan->count * sizeof(bool) + 1);
	for (size_t first = 0; first < scan->count; first = next)
	{
		const SaJournalKey *key = &scan->copies[first].key;
		const SaJournalCopy *copy;
		SaPageBuffer page;

		if (first == 0 || !sa_page_file_is_same(key, &scan->copies[first - 1].key))
			prefetch_segment(repair, scan, first);
		for (next = first + 1; next < scan->count; next++)
		{
			if (!sa_journal_same_page(&scan->copies[next].key, key))
				break;
		}
		copy = newest_whole(repair, marker, &scan->copies[first], next - first, page.data);
		if (copy != NULL)
			repair_page(repair, copy, &scan->copies[next] - copy, repair->cached[first], page.data);
		else
			repair->unfinished++;
	}
	close_segment(repair);
	pfree(repair->cached);
}

/* ---- the journal ---- */

/* Unless it is the one that this postmaster goes on with. */
static void
close_journal(const SaMarker *marker, int fd)
{
	if (fd >= 0 && fd != sa_doublewrite_descriptor(marker->path))
		close(fd);
}

/*
 * The journal that the marker names, with its superblock; -1, with the reason, if
 * what is there is not that.
 */
static int
open_journal(const SaMarker *marker, uint64 system_identifier, SaJournalSuper *super, const char **why)
{
	char		reason[1024];
	struct stat st;
	bool		found;
	int			error;
	int			fd = sa_doublewrite_descriptor(marker->path);

	*why = NULL;
	if (fd < 0)
		fd = sa_journal_open(marker->path, reason, sizeof(reason));
	if (fd < 0)
		*why = psprintf("it is not there to be used: %s", reason);
	else if ((error = sa_journal_read_super(sa_journal_read_block, &fd, super, &found)) != 0)
		*why = psprintf("it could not be read: %s", strerror(error));
	else if (!found)
		*why = "the file is not a page journal, or it is damaged, or of another version of smgr_atomic";
	else if (super->system_identifier != system_identifier)
		*why = "the file is the journal of another cluster";
	else if (!sa_marker_names(marker, super))
		*why = "the file is another one than that used before the crash";
	else if (!sa_marker_is_current(marker, super))
		*why = "it has been used since by a copy of this data directory";
	else if (fstat(fd, &st) != 0 || (uint64) st.st_size < sa_journal_file_size(super->section_blocks))
		*why = "the file is shorter than it was made";
	if (*why == NULL)
		return fd;
	close_journal(marker, fd);
	return -1;
}

/* Find its copies.  0, or an errno. */
static int
scan_journal(JournalReader *reader, int fd, const SaJournalSuper *super, XLogRecPtr redo, SaJournalScan *scan)
{
	int			error = open_reader(reader, fd, sa_journal_file_size(super->section_blocks));

	if (error == 0 && super->in_use)
		error = sa_journal_scan(read_ahead, reader, super, redo, scan);
	return error;
}

static void
run_repair(const SaMarker *marker, const SaStartInfo *info)
{
	Repair		repair = {.fd = -1, .checksums = info->checksums, .in_production = info->in_production};
	SaJournalSuper super;
	SaJournalScan scan = {0};
	instr_time	start,
				elapsed;
	const char *why;
	int			fd;
	int			error;

	INSTR_TIME_SET_CURRENT(start);
	fd = open_journal(marker, info->system_identifier, &super, &why);
	if (fd < 0)
		refuse(marker, why);
	error = scan_journal(&repair.journal, fd, &super, info->redo, &scan);
	if (error != 0)
		refuse(marker, psprintf("it could not be read: %s", strerror(error)));
	repair_pages(&repair, marker, &scan);
	INSTR_TIME_SET_CURRENT(elapsed);
	INSTR_TIME_SUBTRACT(elapsed, start);
	ereport(LOG,
			(errmsg("smgr_atomic: page journal: " UINT64_FORMAT " batches, " UINT64_FORMAT " pages checked, "
					UINT64_FORMAT " restored, " UINT64_FORMAT " emptied, " UINT64_FORMAT " rewritten, " UINT64_FORMAT " of files that are gone, "
					UINT64_FORMAT " not finished, " UINT64_FORMAT " void; %.0f ms",
					scan.batches, repair.checked, repair.restored, repair.emptied, repair.rewritten, repair.skipped,
					repair.unfinished, scan.forgotten,
					INSTR_TIME_GET_MILLISEC(elapsed))));
	sa_doublewrite_repaired(repair.checked, repair.restored + repair.emptied);
	sa_journal_scan_free(&scan);
	free(repair.journal.buffer);
	close_journal(marker, fd);
}

/* ---- a start with backup_label ---- */

/* Is the journal that the marker names there, and has it, or may it have, copies of pages? */
static bool
has_copies(const SaMarker *marker, const SaStartInfo *info)
{
	JournalReader reader = {0};
	SaJournalSuper super;
	SaJournalScan scan = {0};
	const char *why;
	int			fd = open_journal(marker, info->system_identifier, &super, &why);
	bool		found;

	if (fd < 0)
		return false;
	found = scan_journal(&reader, fd, &super, info->redo, &scan) != 0 || scan.count > 0;
	sa_journal_scan_free(&scan);
	free(reader.buffer);
	close_journal(marker, fd);
	return found;
}

/*
 * Pages are those of a base backup, so the journal is none of its.  Unless this is
 * where the journal was written, it fits, and nothing asks for archive recovery:
 * then somebody may have left a backup_label behind, and only he knows.
 */
static void
leave_to_backup(const SaMarker *marker, const SaStartInfo *info)
{
	if (info->in_production && !info->from_archive && marker->original && !sa_ignore_journal &&
		has_copies(marker, info))
		ereport(FATAL,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("there is a backup_label, but the page journal \"%s\" has pages of a crash of this data directory",
						marker->path),
				 errdetail("Recovery of a backup does not use the journal, so pages that the crash has torn would stay torn."),
				 errhint("If this is not a backup that you restore, remove the file \"backup_label\". "
						 "If it is one, remove the file \"%s\" from the data directory.", SA_MARKER_NAME)));
	ereport(LOG,
			(errmsg("smgr_atomic: page journal \"%s\" is not used: this data directory comes from a base backup",
					marker->path)));
	sa_marker_remove(FATAL);
}

/*
 * Repair what the page journal can, if this start needs it.  FATAL if it does
 * and that is not possible.  Returns whether pages went through a journal
 * before, so that the WAL to be replayed may lack images.
 */
bool
sa_repair(const SaStartInfo *info)
{
	SaMarker	marker;

	if (!sa_marker_read(&marker))
		return false;
	if (info->backup_label)
	{
		leave_to_backup(&marker, info);
		return false;
	}
	if (info->shut_down)
		return false;
	if (sa_ignore_journal)
	{
		ereport(WARNING,
				(errmsg("page journal \"%s\" is ignored", marker.path),
				 errdetail("Pages that a crash has torn are not repaired. The cluster may be damaged."),
				 errhint("Set smgr_atomic.ignore_journal = off again.")));
		return true;
	}
	run_repair(&marker, info);
	return true;
}
