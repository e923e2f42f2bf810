/*-------------------------------------------------------------------------
 *
 * retirer.c
 *	  The background worker that makes room in the page journal.
 *
 * A section of the journal can be used again when the files with its pages
 * have been synced.  Pages go to their places through the page cache, so this
 * takes as long as writing them; a writer that did it would let the pool run
 * full meanwhile.  So this worker does it ahead of need (doublewrite.c).
 *
 * It has the kernel write back the pages of each section as soon as the section
 * is complete, with no more than smgr_atomic.io_depth of them under way, because
 * all that an fdatasync() finds goes to the device at once, and WAL waits behind
 * it.  When no such section is left and half of the ring is in use, it retires
 * them.
 *
 * It starts with the postmaster, because writers serve recovery too.  It may
 * die at any point: whoever finds the journal full makes room itself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "doublewrite.h"
#include "journalfile.h"
#include "retirer.h"
#include "smgr_atomic.h"
#include "worker.h"

/* Register the worker.  From _PG_init() in shared_preload_libraries. */
void
sa_retirer_register(void)
{
	sa_worker_register("smgr_atomic retirer", "smgr_atomic retirer", "sa_retirer_main",
					   BgWorkerStart_PostmasterStart, 1, 0);
}

/* Where the kernel cannot do this, retiring has more to do. */
static void
start_write_back(int fd, const SaJournalKey *key)
{
	off64_t		offset = (off64_t) BLCKSZ * (key->block % (BlockNumber) RELSEG_SIZE);

	(void) sync_file_range(fd, offset, BLCKSZ, SYNC_FILE_RANGE_WRITE);
}

static void
await_write_back(int fd, const SaJournalKey *key)
{
	off64_t		offset = (off64_t) BLCKSZ * (key->block % (BlockNumber) RELSEG_SIZE);
	char		path[MAXPGPATH];
	int			rc;

	sa_doublewrite_sync_begins();
	do
		rc = sync_file_range(fd, offset, BLCKSZ, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WAIT_AFTER);
	while (rc < 0 && errno == EINTR);
	if (rc < 0 && errno != ENOSYS && errno != EPERM)
	{
		sa_journal_segment_path(key, path);
		ereport(PANIC,
				(errcode_for_file_access(),
				 errmsg("could not write back block %u in file \"%s\": %m", key->block, path),
				 errdetail("The page was in the page cache only; WAL and the page journal have it."),
				 errhint("Recovery will write it again. Check the device and the kernel log.")));
	}
	sa_doublewrite_sync_ends(false, NULL);
}

/* Pages of one segment, in order. */
static void
write_back_file(const SaJournalKey *page_keys, uint32 count)
{
	char		path[MAXPGPATH];
	int			fd;

	if (page_keys[0].relation == 0)
		return;					/* void by now */
	sa_journal_segment_path(&page_keys[0], path);
	fd = BasicOpenFile(path, O_RDWR | PG_BINARY);
	if (fd < 0)
		return;					/* retiring will say why, if it has to */
	pgstat_report_wait_start(WAIT_EVENT_DATA_FILE_FLUSH);
	for (uint32 i = 0; i < count + sa_io_depth && !ShutdownRequestPending; i++)
	{
		if (i >= (uint32) sa_io_depth)
			await_write_back(fd, &page_keys[i - sa_io_depth]);
		if (i < count)
			start_write_back(fd, &page_keys[i]);
	}
	pgstat_report_wait_end();
	close(fd);
}

/*
 * Have the pages of the oldest complete section written back that was not yet,
 * *sequence being the end of the last one that was.  False if there is none.
 */
static bool
write_back_section(uint64 *sequence, SaJournalKey *page_keys)
{
	uint32		count = sa_doublewrite_complete_section(sequence, page_keys);
	uint32		next;

	qsort(page_keys, count, sizeof(SaJournalKey), sa_journal_compare_pages);
	for (uint32 first = 0; first < count; first = next)
	{
		for (next = first + 1; next < count && sa_journal_same_segment(&page_keys[first], &page_keys[next]);)
			next++;
		write_back_file(page_keys + first, next - first);
	}
	return count > 0;
}

static void
leave_at_exit(int code, Datum arg)
{
	sa_doublewrite_set_retirer(NULL);
}

/* Entry point of the background worker. */
void
sa_retirer_main(Datum arg)
{
	uint32		wait_event = saWaitEvent("SmgrAtomicRetirerMain");
	SaJournalKey *page_keys;
	uint64		written_back = 0;

	sa_worker_begin(SignalHandlerForShutdownRequest);
	page_keys = MemoryContextAlloc(TopMemoryContext, sa_doublewrite_section_max() * sizeof(SaJournalKey));
	before_shmem_exit(leave_at_exit, 0);
	sa_doublewrite_set_retirer(MyLatch);

	while (!ShutdownRequestPending)
	{
		(void) sa_worker_reload();
		if (!write_back_section(&written_back, page_keys) && !sa_doublewrite_retire_early())
			(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, -1, wait_event);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	proc_exit(1);				/* 1 = to be restarted, unless the server stops */
}
