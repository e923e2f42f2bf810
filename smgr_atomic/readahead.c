/*-------------------------------------------------------------------------
 *
 * readahead.c
 *	  A background worker that has pages read before redo needs them.
 *
 * Full-page images bring redo the pages that it changes; without them it has to read
 * nearly all of them.  The server reads ahead itself (recovery_prefetch), but in the
 * order of WAL, a few requests at a time (maintenance_io_concurrency), and the process
 * that replays makes them.  WAL without images is short, so one can look far ahead in
 * it: this worker reads it from where redo starts, gathers the pages that redo will
 * have to read, and tells the kernel to read them (posix_fadvise), each with its
 * neighbours among them in one request.
 *
 * It advises and no more: it touches no buffer and changes no file, and redo waits for
 * nothing that it holds.  What it has read lies in the page cache, which direct
 * writes invalidate as always.  Whatever is wrong, it ends or leaves the page out, and
 * redo reads for itself: a file that is not there (it may have been dropped, or redo
 * makes it), WAL that ends, a timeline that ends, WAL that only the archive has.
 *
 * A page is left out if WAL brings it (an image, or a page made anew), or if redo has
 * changed it not long before.  (With images on nearly all are, so reading WAL twice is
 * for nothing then: on one processor redo took about a fifth longer.)
 *
 * Pages go in batches.  The first is small, because redo begins at once, the others have
 * a quarter of shared_buffers, or 512 MB: the more, the more neighbours.  A batch ends after
 * 64 MB of WAL, too.  Its pages are asked for in the order of WAL, so what redo
 * needs first comes first, when redo has come to the batch before: at most two batches,
 * half of shared_buffers, lie in the page cache ahead of it, with as many pages between
 * them at worst (neighbours()), and the WAL of three.  What redo has passed is left out.
 *
 * Others need the device, too: redo itself, a standby's WAL and its queries.  So before
 * a slice of requests the last page of the slice before the last one is waited for: about
 * two slices are on their way at a time.
 *
 * Redo starts the worker (the startup function of our resource manager, interlock.c),
 * in a crash recovery and on a standby; it ends when it has come to the end of the WAL
 * that is there, as a standby that has caught up has.  Until then it takes one of
 * max_worker_processes, on a hot standby from parallel queries.  (It is not raised for that:
 * a standby must have as many as its primary, so a newer library could not be installed
 * there first.)
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "access/rmgr.h"
#include "access/xlog.h"
#include "access/xlog_internal.h"
#include "access/xlogreader.h"
#include "access/xlogrecovery.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "postmaster/interrupt.h"
#include "storage/bufmgr.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/pmsignal.h"
#include "utils/wait_event.h"

#include "compat.h"
#include "pagefile.h"
#include "readahead.h"
#include "smgr_atomic.h"
#include "worker.h"

#define FIRST_BATCH 1024			/* pages */
#define LARGEST_BATCH 65536
#define LARGEST_WAL (64 * 1024 * 1024)	/* bytes of it that a batch looks through */
#define LARGEST_REQUEST 16		/* pages, and aligned: redo waits for all of it if it needs one */
#define SLICE 16				/* requests */
#define BUCKET 4
#define OPEN_FILES 64
#define WAIT_MS 5
#define WAIT_STILL_MS 1000
#define STILL_WAITS 1000		/* 5 s */

/* WAL as a reader of it gets it: one segment open at a time. */
typedef struct WalFiles
{
	TimeLineID	timeline;
	XLogSegNo	segment;
	int			fd;				/* -1 = none */
} WalFiles;

/* A page to be read. */
typedef struct Wanted
{
	SaJournalKey page;
	int			nth;			/* in the order of WAL */
	bool		asked;			/* or redo was faster */
	XLogRecPtr	lsn;			/* of the first record that needs it */
} Wanted;

typedef struct Batch
{
	Wanted	   *pages;			/* in the order of files, once the batch is full */
	int		   *order;			/* the nth page of WAL is pages[order[nth]] */
	int			count;
	int			size;			/* so many make it full; there is room for those of one more record */
	XLogRecPtr	start;			/* of the first record in it */
	XLogRecPtr	end;			/* of the last */
} Batch;

typedef struct PageFile
{
	SaJournalKey of;			/* some page in it */
	int			fd;				/* -1 = it is not there */
	bool		used;
} PageFile;

typedef struct Requests
{
	int64		pages;
	int64		count;
} Requests;

/*
 * Pages that redo came to not long ago, so that shared buffers should have most of them:
 * one half of their hash, in the bucket that the other half gives, the newest first; as
 * many as there are buffers.  What is pushed out of its bucket too early is asked for
 * without need.
 */
static uint32 *recent;
static uint32 wait_event;

/* Files of pages, each at the place that its hash gives. */
static PageFile open_files[OPEN_FILES];

/*
 * Start the worker, where there is something to read ahead.  Startup process, when redo
 * begins.
 */
void
sa_readahead_start(void)
{
	if (!sa_recovery_readahead || !IsUnderPostmaster || saReadsPastPageCache())
		return;
	if (!sa_worker_launch("smgr_atomic readahead", "sa_readahead_main"))
		ereport(LOG,
				(errmsg("smgr_atomic: no process is free to read ahead of redo"),
				 errdetail("Recovery may take longer."),
				 errhint("Raise max_worker_processes.")));
}

/* Read a page of WAL; -1 if it is not there. */
static int
read_wal(XLogReaderState *reader, XLogRecPtr page, int wanted, XLogRecPtr record, char *buffer)
{
	WalFiles   *files = reader->private_data;
	XLogSegNo	segment;

	XLByteToSeg(page, segment, wal_segment_size);
	if (files->fd >= 0 && segment != files->segment)
	{
		close(files->fd);
		files->fd = -1;
	}
	if (files->fd < 0)
	{
		char		path[MAXPGPATH];

		XLogFilePath(path, files->timeline, segment, wal_segment_size);
		files->fd = BasicOpenFile(path, O_RDONLY | PG_BINARY);
		files->segment = segment;
	}
	if (files->fd < 0 ||
		pg_pread(files->fd, buffer, XLOG_BLCKSZ, XLogSegmentOffset(page, wal_segment_size)) != XLOG_BLCKSZ)
		return -1;
	return XLOG_BLCKSZ;
}

static SaJournalKey
key_of(const DecodedBkpBlock *block)
{
	SaRelFile	rel = saTagRelFile(block);

	return (SaJournalKey)
	{
		.tablespace = saTablespace(rel),
		.database = saDatabase(rel),
		.relation = saRelNumber(rel),
		.fork = block->forknum,
		.block = block->blkno
	};
}

/* Note that redo comes to this page; false if it did not long ago. */
static bool
is_new(const SaJournalKey *page)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) page, sizeof(*page), 0);
	uint32	   *bucket = &recent[(uint32) hash % (uint32) (NBuffers / BUCKET) * BUCKET];
	uint32		mark = (uint32) (hash >> 32) | 1;	/* 0 = none */

	for (int i = 0; i < BUCKET; i++)
	{
		if (bucket[i] == mark)
			return false;
	}
	memmove(bucket + 1, bucket, (BUCKET - 1) * sizeof(uint32));
	bucket[0] = mark;
	return true;
}

/* Add what redo of this record has to read: not what it makes anew, nor what the record brings. */
static void
add_pages(Batch *batch, XLogReaderState *record)
{
	for (int i = 0; i <= XLogRecMaxBlockId(record); i++)
	{
		DecodedBkpBlock *block = XLogRecGetBlock(record, i);
		SaJournalKey page;

		if (!block->in_use || (XLogRecGetRmid(record) == RM_XLOG_ID && !block->has_image))
			continue;			/* a hint (XLOG_FPI_FOR_HINT) without its image: redo does nothing */
		page = key_of(block);
		if (!is_new(&page) || (block->flags & BKPBLOCK_WILL_INIT) || (block->has_image && block->apply_image))
			continue;
		batch->pages[batch->count] = (Wanted) {.page = page, .nth = batch->count, .lsn = record->ReadRecPtr};
		batch->count++;
	}
}

static int
compare_wanted(const void *a, const void *b)
{
	return sa_journal_compare_pages(&((const Wanted *) a)->page, &((const Wanted *) b)->page);
}

/* Fill the batch with the next pages of WAL; false if WAL has ended. */
static bool
fill(Batch *batch, XLogReaderState *reader)
{
	char	   *error;
	bool		more = true;

	batch->count = 0;
	batch->start = reader->EndRecPtr;
	while (more && batch->count < batch->size && reader->EndRecPtr - batch->start < LARGEST_WAL)
	{
		more = XLogReadRecord(reader, &error) != NULL && !ShutdownRequestPending;
		if (more)
			add_pages(batch, reader);
	}
	batch->end = reader->EndRecPtr;
	qsort(batch->pages, batch->count, sizeof(Wanted), compare_wanted);
	for (int i = 0; i < batch->count; i++)
		batch->order[batch->pages[i].nth] = i;
	return more;
}

/* Is somebody still in need of this?  Ends the process if the postmaster is gone. */
static bool
is_wanted(const WalFiles *wal, XLogRecPtr end)
{
	TimeLineID	timeline;

	if (!PostmasterIsAlive())
		proc_exit(1);
	return !ShutdownRequestPending && RecoveryInProgress() && GetXLogReplayRecPtr(&timeline) < end &&
		timeline == wal->timeline;
}

/* The file of a page, open; -1 if it is not there. */
static int
file_of(const SaJournalKey *page)
{
	SaJournalKey segment = *page;
	PageFile   *file;
	char		path[MAXPGPATH];

	segment.block /= RELSEG_SIZE;
	file = &open_files[hash_bytes((const unsigned char *) &segment, sizeof(segment)) % OPEN_FILES];
	if (file->used && sa_page_file_is_same(&file->of, page))
		return file->fd;
	if (file->used && file->fd >= 0)
		close(file->fd);
	sa_page_file_path(page, path);
	*file = (PageFile) {.of = *page, .fd = BasicOpenFile(path, O_RDONLY | PG_BINARY), .used = true};
	return file->fd;
}

/* Not to be kept: redo may remove them, and their space would stay in use. */
static void
close_files(void)
{
	for (int i = 0; i < OPEN_FILES; i++)
	{
		if (open_files[i].used && open_files[i].fd >= 0)
			close(open_files[i].fd);
		open_files[i].used = false;
	}
}

/* Can both be in one request? */
static bool
is_near(const Wanted *a, const Wanted *b)
{
	return sa_page_file_is_same(&a->page, &b->page) && a->page.block / LARGEST_REQUEST == b->page.block / LARGEST_REQUEST;
}

/*
 * The pages, from "first" to "last" in the order of files, that are read with this one:
 * with what is between them, if that is no more than they are.
 */
static void
neighbours(const Batch *batch, int which, int *first, int *last)
{
	const Wanted *pages = batch->pages;
	int			from = which,
				to = which;

	while (from > 0 && !pages[from - 1].asked && is_near(&pages[from - 1], &pages[which]))
		from--;
	while (to < batch->count - 1 && !pages[to + 1].asked && is_near(&pages[to + 1], &pages[which]))
		to++;
	while (from < which && pages[which].page.block - pages[from].page.block + 1 > 2 * (which - from + 1))
		from++;
	while (to > which && pages[to].page.block - pages[from].page.block + 1 > 2 * (to - from + 1))
		to--;
	*first = from;
	*last = to;
}

/* Have the kernel read a page and its neighbours.  Returns the number of pages. */
static int
ask_for_page(Batch *batch, int which)
{
	int			first,
				last;
	int			fd = file_of(&batch->pages[which].page);
	off_t		offset;

	neighbours(batch, which, &first, &last);
	for (int i = first; i <= last; i++)
		batch->pages[i].asked = true;
	if (fd < 0)
		return 0;
	offset = sa_page_file_offset(&batch->pages[first].page);
	(void) posix_fadvise(fd, offset, sa_page_file_offset(&batch->pages[last].page) - offset + BLCKSZ, POSIX_FADV_WILLNEED);
	return last - first + 1;
}

/* Wait until this page has been read.  If it cannot be, redo will say so. */
static void
await_page(const SaJournalKey *page)
{
	char		byte;
	ssize_t		done = pg_pread(file_of(page), &byte, 1, sa_page_file_offset(page));

	(void) done;
}

/* Have the kernel read a batch. */
static void
ask_for(Batch *batch, const WalFiles *wal, Requests *requests)
{
	const Wanted *before = NULL;	/* end of the slice before */

	for (int nth = 0; nth < batch->count; nth++)
	{
		Wanted	   *wanted = &batch->pages[batch->order[nth]];
		int			pages;

		if (wanted->asked)
			continue;
		if (wanted->lsn < GetXLogReplayRecPtr(NULL))
		{
			wanted->asked = true;	/* redo has read it */
			continue;
		}
		pages = ask_for_page(batch, batch->order[nth]);
		requests->pages += pages;
		if (pages == 0 || ++requests->count % SLICE != 0)
			continue;
		if (before)
			await_page(&before->page);
		before = wanted;
		if (!is_wanted(wal, batch->end))
			break;
	}
	close_files();
}

/*
 * Wait until redo has come so far; false if there is no need to go on.  It may stand still
 * for long, because it was told to wait (pg_wal_replay_pause()) or waits for queries.
 */
static bool
await_redo(const WalFiles *wal, XLogRecPtr lsn)
{
	XLogRecPtr	seen = InvalidXLogRecPtr;
	int			still = 0;

	while (is_wanted(wal, PG_UINT64_MAX))
	{
		XLogRecPtr	replayed = GetXLogReplayRecPtr(NULL);

		if (replayed >= lsn)
			return true;
		still = replayed == seen ? still + 1 : 0;
		seen = replayed;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 still < STILL_WAITS ? WAIT_MS : WAIT_STILL_MS, wait_event);
		ResetLatch(MyLatch);
	}
	return false;
}

static int
largest_batch(void)
{
	return Max(1, Min(LARGEST_BATCH, NBuffers / 4));
}

/* Read WAL and ahead of redo, from where that is, until WAL ends. */
static Requests
read_ahead(XLogReaderState *reader, Batch *batch, const WalFiles *wal)
{
	Requests	requests = {0};
	XLogRecPtr	before = InvalidXLogRecPtr; /* start of the batch before */
	bool		more;

	do
	{
		more = fill(batch, reader);
		if (!await_redo(wal, before))
			break;
		if (is_wanted(wal, batch->end))
			ask_for(batch, wal, &requests);
		before = batch->start;
		batch->size = largest_batch();
	} while (more);
	return requests;
}

/* Entry point of the background worker. */
void
sa_readahead_main(Datum arg)
{
	WalFiles	wal = {.fd = -1};
	Batch		batch = {0};
	Requests	requests;
	XLogReaderState *reader;
	XLogRecPtr	start;

	sa_worker_begin(SignalHandlerForShutdownRequest);
	wait_event = saWaitEvent("SmgrAtomicReadahead");
	start = GetXLogReplayRecPtr(&wal.timeline);
	recent = palloc_extended(NBuffers * sizeof(uint32), MCXT_ALLOC_ZERO | MCXT_ALLOC_HUGE);
	batch.size = Min(FIRST_BATCH, largest_batch());
	batch.pages = palloc((largest_batch() + XLR_MAX_BLOCK_ID + 1) * sizeof(Wanted));
	batch.order = palloc((largest_batch() + XLR_MAX_BLOCK_ID + 1) * sizeof(int));
	reader = XLogReaderAllocate(wal_segment_size, NULL, XL_ROUTINE(.page_read = read_wal), &wal);
	if (reader == NULL || !RecoveryInProgress() || start == InvalidXLogRecPtr)
		proc_exit(0);
	reader->system_identifier = GetSystemIdentifier();
	start = saFindNextRecord(reader, start);
	if (start == InvalidXLogRecPtr)
		proc_exit(0);			/* no WAL is here beyond that */
	requests = read_ahead(reader, &batch, &wal);
	ereport(LOG,
			(errmsg("smgr_atomic: read ahead of redo: %lld pages in %lld requests, WAL from %X/%X to %X/%X",
					(long long) requests.pages, (long long) requests.count,
					LSN_FORMAT_ARGS(start), LSN_FORMAT_ARGS(batch.end))));
	proc_exit(0);
}
