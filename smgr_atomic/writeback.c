/*-------------------------------------------------------------------------
 *
 * writeback.c
 *	  From the page cache to storage: pages written back, files synced.
 *
 * Pages of the page journal go to their places through the page cache.  Their
 * copies may be given up when the places are durable (doublewrite.c); here is
 * how they become so, and what counts as a failure:
 *
 * - The kernel tells of a page that it could not write back once to each open
 *	 file that was there before, and only if nobody was told yet to one that was
 *	 opened later.  Each call in here may be the one that is told, and what it
 *	 is told may be about any page of the file.  So every error is a PANIC, and
 *	 the caller holds, from before the call, what keeps others from taking the
 *	 file for durable (sa_doublewrite_sync_begins()).
 * - To start a write-back may fail too; ext4 may drop the page then, and tells
 *	 nobody else.
 * - A file that is gone needs no sync.  But where the directory of its tablespace
 *	 is gone as well, while the tablespace is still linked, or that of its database
 *	 is on a device that is not there, nobody has dropped it: the copies are all
 *	 there is.
 * - A file that cannot be opened for want of memory or descriptors says nothing
 *	 of its pages: it is tried again.  No sync is ever tried again.
 *
 * Nothing here allocates with palloc, knows of the ring or takes a lock.  All
 * but sa_writeback_step() and sa_will_pass() raise nothing but PANICs, and may
 * be called in a critical section.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "pgstat.h"
#include "storage/block.h"
#include "storage/fd.h"
#include "utils/wait_event.h"

#include "pagefile.h"
#include "probe.h"
#include "writeback.h"

#define MAX_GAP 1024			/* pages between two of one call */
#define PASSING_PAUSE_US 10000
#define PASSING_TRIES 3000		/* half a minute */

/* Is this error of a call that opens or asks about a file for want of what others will give back? */
bool
sa_will_pass(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == EINTR || error == EAGAIN;
}

/*
 * The call has failed, with errno: shall it be made once more?  If so, after a
 * pause.  EMFILE will not pass: this process has closed what it could by then.
 */
static bool
try_again(int *tries)
{
	if (!sa_will_pass(errno) || errno == EMFILE || ++*tries > PASSING_TRIES)
		return false;
	pg_usleep(PASSING_PAUSE_US);
	return true;
}

/* ---- whole files ---- */

static int
compare_files(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(SaJournalKey));
}

/* Add the file of a page. */
void
sa_file_set_add(SaFileSet *set, const SaJournalKey *page)
{
	SaJournalKey file = *page;

	file.block -= file.block % (BlockNumber) RELSEG_SIZE;
	if (set->count > 0 && compare_files(&file, &set->files[set->count - 1]) == 0)
		return;
	if (set->count == set->capacity)
	{
		set->capacity = set->capacity == 0 ? 256 : set->capacity * 2;
		set->files = realloc(set->files, set->capacity * sizeof(SaJournalKey));
		if (set->files == NULL)
			elog(PANIC, "out of memory");
	}
	set->files[set->count++] = file;
}

/* There is no such file.  Has it been dropped? */
static void
check_directory(const SaJournalKey *file)
{
	char		path[MAXPGPATH];

	if (!sa_page_file_lost_directory(file, false, path))
		return;
	ereport(PANIC,
			(errcode_for_file_access(),
			 errmsg("could not access \"%s\", where there are pages of the page journal: %m", path),
			 errdetail("Copies of its pages in the page journal cannot be given up."),
			 errhint("Bring the device of this database or tablespace back; recovery needs it.")));
}

static void
cannot_sync(const char *path)
{
	ereport(PANIC,
			(errcode_for_file_access(),
			 errmsg("could not fsync file \"%s\": %m", path),
			 errdetail("Copies of its pages in the page journal cannot be given up.")));
}

static void
sync_file(const SaJournalKey *file)
{
	char		path[MAXPGPATH];
	char		reason[SA_PROBE_TEXT_LEN] = "";
	int			tries = 0;
	int			fd;
	int			rc;

	sa_page_file_path(file, path);
	do
		fd = BasicOpenFile(path, O_RDWR | PG_BINARY);
	while (fd < 0 && try_again(&tries));
	if (fd < 0 && errno == ENOENT)
	{
		check_directory(file);
		return;
	}
	if (fd < 0 || fdatasync(fd) != 0)
		cannot_sync(path);
	do
	{
		rc = sa_probe_journal_fd(fd, reason);
		errno = -rc;
	} while (rc != 0 && try_again(&tries));
	if (rc != 0)
		cannot_sync(path);
	if (reason[0] != '\0')		/* not the file that was written */
		ereport(PANIC,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("could not fsync file \"%s\" for the page journal: %s", path, reason),
				 errdetail("Copies of its pages in the page journal cannot be given up."),
				 errhint("Move the tablespace back to storage that smgr_atomic_probe() accepts; recovery needs it.")));
	close(fd);
}

/* Make the files durable; the set is empty then. */
void
sa_file_set_sync(SaFileSet *set)
{
	if (set->count > 1)
		qsort(set->files, set->count, sizeof(SaJournalKey), compare_files);
	pgstat_report_wait_start(WAIT_EVENT_DATA_FILE_SYNC);
	for (size_t i = 0; i < set->count; i++)
	{
		if (i == 0 || compare_files(&set->files[i], &set->files[i - 1]) != 0)
			sync_file(&set->files[i]);
	}
	pgstat_report_wait_end();
	free(set->files);
	memset(set, 0, sizeof(*set));
}

/* ---- pages ---- */

/*
 * One sync_file_range() from the first to the last of these pages, which are of
 * one file and in order.  Where the kernel cannot do this, who syncs
 * the file has more to do.
 */
static void
sync_range(int fd, const SaJournalKey *pages, uint32 count, unsigned int flags)
{
	const SaJournalKey *last = &pages[count - 1];
	off64_t		offset = (off64_t) BLCKSZ * (pages->block % (BlockNumber) RELSEG_SIZE);
	off64_t		length = (off64_t) BLCKSZ * (last->block - pages->block + 1);
	char		path[MAXPGPATH];
	int			rc;

	do
		rc = sync_file_range(fd, offset, length, flags);
	while (rc < 0 && errno == EINTR);
	if (rc == 0 || errno == ENOSYS || errno == EPERM)
		return;
	sa_page_file_path(pages, path);
	ereport(PANIC,
			(errcode_for_file_access(),
			 errmsg("could not write back blocks %u to %u in file \"%s\": %m", pages->block, last->block, path),
			 errdetail("The pages were in the page cache only; WAL and the page journal have them."),
			 errhint("Recovery will write them again. Check the device and the kernel log.")));
}

/*
 * How many of these keys, of pages of one file and in order, are a step of no more than
 * this size; *size becomes what it has.  A page may be there more than once, and counts
 * once.  Adjacent pages are one request, of SA_REQUEST_MOST pages at most.
 */
uint32
sa_writeback_step(const SaJournalKey *pages, uint32 count, SaStepSize *size)
{
	SaStepSize	had = {0};
	uint32		length;
	int			run = 0;		/* pages of the last request */

	for (length = 0; length < count; length++)
	{
		bool		first = length == 0;

		if (!first && pages[length].block == pages[length - 1].block)
			continue;
		if (had.pages == size->pages)
			break;
		if (first || pages[length].block != pages[length - 1].block + 1 || run == SA_REQUEST_MOST)
		{
			if (had.requests == size->requests)
				break;
			had.requests++;
			run = 0;
		}
		run++;
		had.pages++;
	}
	*size = had;
	return length;
}

/*
 * sync_file_range() over these pages, of one file and in order, and over what lies
 * between: what is dirty there has to be written soon as well, and one call costs
 * less than many.  But one does not reach over what may be the rest of the file.
 */
static void
sync_ranges(int fd, const SaJournalKey *pages, uint32 count, unsigned int flags)
{
	uint32		next;

	for (uint32 first = 0; first < count; first = next)
	{
		for (next = first + 1; next < count && pages[next].block - pages[next - 1].block <= MAX_GAP;)
			next++;
		sync_range(fd, pages + first, next - first, flags);
	}
}

/* Have the kernel begin to write these pages of one file, in order. */
void
sa_writeback_start(int fd, const SaJournalKey *pages, uint32 count)
{
	sync_ranges(fd, pages, count, SYNC_FILE_RANGE_WRITE);
}

/* Wait until what was begun of these is done. */
void
sa_writeback_await(int fd, const SaJournalKey *pages, uint32 count)
{
	sync_ranges(fd, pages, count, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WAIT_AFTER);
}
