/*-------------------------------------------------------------------------
 *
 * writer.c
 *	  Carrying pages of the pool to their place.
 *
 * A batch is claimed from the pool, sorted, and cut into requests: adjacent
 * pages of a segment leave as one write of the largest power of two that the
 * file's atomic unit and natural alignment allow.  Requests are kept under way
 * up to smgr_atomic.io_depth; a new batch is claimed as soon as the last
 * request of the one before has been started.
 *
 * Writers are background workers that do this for ever.  A process that must
 * wait for a page while no writer is running does one batch itself
 * (sa_writer_help).
 *
 * Errors come when the one who handed the page over has gone:
 *	  EAGAIN, EINTR,		the request is made again, after a pause if often
 *	  ENOMEM
 *	  ENOSPC, EDQUOT		the pages are held by the pool, with a WARNING, and
 *							tried again, one by one, until there is space
 *							(copy-on-write needs it, and a page that has no blocks
 *							yet); others go on.  Nothing of them has been written:
 *							on ext4 that is nearly full pages that go through the
 *							page cache get their blocks first (place.c)
 *	  no such file			the page is dropped if its database was being created
 *							and that has failed (newdb.c); else as below
 *	  EINVAL on a large		the file's pages are written one by one; not all of
 *	  request				it need be placed so that the device can do it
 *	  anything else			PANIC, as for a failed fsync: the page is in no
 *							buffer any more, only WAL has it
 * and when a file is opened:
 *	  EMFILE, ENFILE,		this process's other files are closed, then it is
 *	  ENOMEM, EINTR, EAGAIN	tried again after a pause, with a WARNING
 *	  anything else			PANIC
 *
 * Memory: what a process needs is allocated before it claims anything, without
 * error; a process that gets none does not help (others, or a later attempt,
 * will).  After that nothing is allocated but for messages.
 *
 * Descriptors: at most FILES at a time, opened by path for the method in force
 * (and written by that method as long as they are open), closed
 * when the pool's forget generation has risen since they were opened (see
 * writebehind.c), when there are too many, and when there is nothing to do.
 * They are raised through fd.c's accounting of external descriptors.  Writers
 * take no part in barriers: only processes connected to a database do, and
 * auxiliary ones (ProcSignalInit()).
 *
 * Locks: none but those inside writebehind.c.  Interrupts are held from the
 * claim to the last completion, so a batch is never left half done.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "batches.h"
#include "doublewrite.h"
#include "entries.h"
#include "fpw.h"
#include "newdb.h"
#include "pace.h"
#include "place.h"
#include "probe.h"
#include "segment.h"
#include "smgr_atomic.h"
#include "stats.h"
#include "worker.h"
#include "write.h"
#include "writeback.h"
#include "writebehind.h"
#include "writer.h"

#define FILES 64
/* instead of a file's index */
#define NOT_NOW (-1)
#define GONE (-2)				/* with a database that was not created after all */
#define CLAIM_MAX 256
#define MAX_DEPTH 256
#define NAP_MS 20
#define JOURNAL_NAP_MS 60
#define MAX_IDLE_NAPS 100
#define QUICK_RETRIES 256
#define RETRY_PAUSE_US 10000
#define OPEN_PAUSE_US 100000
#define WARNING_MS 10000		/* the same warning no more often than this */
#define SPACE_ASKED_MS 1		/* how long an answer to "is there space" counts */
#define NEARLY_FULL (256 * INT64CONST(1024 * 1024))	/* bytes left */

typedef struct WriterFile
{
	SaRelFile	rel;
	ForkNumber	fork;
	int			segno;
	int			fd;
	SaWriteMethod method;		/* what it was opened for */
	uint32		unit_max;
	instr_time	space_asked;	/* when it was, */
	bool		reserve;		/* and the answer */
	char		path[MAXPGPATH];
} WriterFile;

typedef struct Writer
{
	uint32		wait_event;		/* while it rests, */
	uint32		pace_event;		/* and while it makes a pause */
	bool		is_writer;		/* else a process that helps itself */
	int			depth;
	SaRequest  *requests;		/* depth of them */
	SaRequest **idle;			/* those not under way */
	int			idle_count;
	SaBatches	batches;		/* how many pages go to the page journal at once */
	int			batch[CLAIM_MAX];	/* claimed slots, sorted */
	int			batch_count;
	int			batch_next;		/* first not yet in a request */
	char	   *packing;		/* where they are packed; NULL = never */
	int			section;		/* of the page journal; -1 = batch is not in it */
	int			retries;		/* since a request was done */
	int			pause_us;		/* before the next claim; requests were refused */
	int			pause_ms;		/* of a writer, the same; others need the device (pace.c) */
	WriterFile	files[FILES];
	int			file_count;
	uint64		file_generation;
} Writer;

static Writer *me = NULL;

/* False, with nothing done, if there is not enough memory. */
static bool
create_writer(bool is_writer, int depth)
{
	MemoryContext context = TopMemoryContext;
	const int	flags = MCXT_ALLOC_ZERO | MCXT_ALLOC_NO_OOM;
	Writer	   *writer = MemoryContextAllocExtended(context, sizeof(Writer), flags);
	SaRequest  *requests = MemoryContextAllocExtended(context, depth * sizeof(SaRequest), flags);
	Size		packing = is_writer ? SA_BATCH_ROOM : 0;
	SaRequest **idle = MemoryContextAllocExtended(context, depth * sizeof(SaRequest *), flags);
	char	   *staging = MemoryContextAllocExtended(context, (Size) (depth * SA_REQUEST_PAGES + 1) * BLCKSZ + packing,
													 MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);

	if (writer == NULL || requests == NULL || idle == NULL || staging == NULL)
	{
		void	   *parts[] = {writer, requests, idle, staging};

		for (int i = 0; i < lengthof(parts); i++)
		{
			if (parts[i] != NULL)
				pfree(parts[i]);
		}
		return false;
	}
	writer->is_writer = is_writer;
	writer->depth = depth;
	sa_batches_begin(&writer->batches, Min(CLAIM_MAX, sa_doublewrite_batch_max()));
	writer->requests = requests;
	writer->idle = idle;
	staging = (char *) TYPEALIGN(BLCKSZ, staging);
	for (int i = 0; i < depth; i++)
	{
		requests[i].staging = staging + (Size) i * SA_REQUEST_PAGES * BLCKSZ;
		idle[writer->idle_count++] = &requests[i];
	}
	if (is_writer)
		writer->packing = staging + (Size) depth * SA_REQUEST_PAGES * BLCKSZ;
	me = writer;
	return true;
}

/*
 * Level of a warning.  A client of a process that helps itself is told nothing: if
 * it does not read, all who wait for the pages in flight here would wait for it.
 */
static int
warning_level(void)
{
	return me != NULL && me->is_writer ? WARNING : LOG_SERVER_ONLY;
}

/* Has this kind of warning not been given for a while? */
static bool
warning_due(TimestampTz *last)
{
	TimestampTz now = GetCurrentTimestamp();
	int64		since = now - *last;

	if (*last != 0 && since >= 0 && since < WARNING_MS * INT64CONST(1000))
		return false;
	*last = now;
	return true;
}

static bool
under_way(void)
{
	return me->idle_count < me->depth;
}

static void
close_files(void)
{
	Assert(!under_way());
	for (int i = 0; i < me->file_count; i++)
	{
		close(me->files[i].fd);
		ReleaseExternalFD();
	}
	me->file_count = 0;
}

/* A file could not be opened or asked (error, errno): it will be later, or PANIC. */
static void
open_failed(const char *path, BlockNumber block, int error)
{
	static TimestampTz last = 0;

	if (sa_will_pass(error) && !warning_due(&last))
		return;
	errno = error;
	ereport(sa_will_pass(error) ? warning_level() : PANIC,
			(errcode_for_file_access(),
			 errmsg("could not open file \"%s\" (target block %u): %m", path, block),
			 sa_will_pass(error) ?
			 errdetail("A page that was accepted for it waits in the write-behind pool; this is tried again.") :
			 errdetail("A page that was accepted for it cannot be written.")));
}

static void
refuse_storage(const char *path, BlockNumber block, const char *reason)
{
	ereport(PANIC,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("file \"%s\" is on storage where the page journal protects no pages (target block %u)",
					path, block),
			 errdetail("A page that was accepted for it was not written; WAL has it. In detail: %s.", reason),
			 errhint("Move the tablespace back to storage that smgr_atomic_probe() accepts; recovery needs it.")));
}

/* Returns its index, NOT_NOW or GONE. */
static int
open_file(const SaPageKey *key, int segno)
{
	WriterFile *file = &me->files[me->file_count];
	SaWriteMethod method = sa_write_method();
	SaLimits	limits = {0};
	char		reason[SA_PROBE_TEXT_LEN] = "";
	int			rc;

	file->rel = key->rel;
	file->fork = key->fork;
	file->segno = segno;
	INSTR_TIME_SET_ZERO(file->space_asked);

	/*
	 * Plain: a process that read "doublewrite" just before that ended.  Images
	 * are on by then.
	 */
	file->method = method == SA_WRITE_PLAIN ? SA_WRITE_DOUBLE : method;
	sa_segment_path(key->rel, key->fork, segno, file->path);

	ReserveExternalFD();
	file->fd = BasicOpenFile(file->path, O_RDWR | PG_BINARY | sa_write_open_flags(file->method));
	if (file->fd < 0)
		rc = -errno;
	else if (file->method == SA_WRITE_DOUBLE)
		rc = sa_probe_journal_fd(file->fd, reason);
	else
		rc = sa_probe_limits(file->fd, &limits);
	if (rc != 0)
	{
		if (file->fd >= 0)
			close(file->fd);
		ReleaseExternalFD();
		if (rc == -ENOENT && sa_newdb_has_gone(key->rel))
			return GONE;
		open_failed(file->path, key->block, -rc);
		return NOT_NOW;
	}
	if (reason[0] != '\0')
		refuse_storage(file->path, key->block, reason);
	if (file->method == SA_WRITE_DOUBLE)
		file->unit_max = BLCKSZ;	/* the page cache gains nothing from larger ones */
	else
		file->unit_max = limits.unit_max_opt >= BLCKSZ ? limits.unit_max_opt : limits.unit_max;
	return me->file_count++;
}

/* Index of the open file for a page; NOT_NOW if there are too many open, or it cannot be opened; GONE. */
static int
get_file(const SaPageKey *key)
{
	int			segno = (int) (key->block / (BlockNumber) RELSEG_SIZE);

	for (int i = me->file_count - 1; i >= 0; i--)
	{
		WriterFile *file = &me->files[i];

		if (file->segno == segno && file->fork == key->fork && saRelFileEquals(file->rel, key->rel))
			return i;
	}
	return me->file_count < FILES ? open_file(key, segno) : NOT_NOW;
}

/*
 * Does a page that has no blocks yet have to get them before it is written?  ext4
 * allocates them one by one; XFS all for a write, or none (and its fallocate() needs
 * space also where there are blocks).  Asked only if there may not be enough.  Others may
 * fill the volume while a page is written: hence the margin.
 */
static bool
must_reserve(WriterFile *file)
{
	struct statfs space;
	instr_time	now;
	instr_time	since;

	INSTR_TIME_SET_CURRENT(now);
	since = now;
	INSTR_TIME_SUBTRACT(since, file->space_asked);
	if (INSTR_TIME_GET_MILLISEC(since) >= SPACE_ASKED_MS || INSTR_TIME_GET_MILLISEC(since) < 0)
	{
		file->space_asked = now;
		file->reserve = fstatfs(file->fd, &space) != 0 ||
			((uint32) space.f_type == SA_EXT4_MAGIC &&
			 (int64) space.f_bavail < NEARLY_FULL / Max((int64) space.f_bsize, 1));
	}
	return file->reserve;
}

static int
compare_slots(const void *a, const void *b)
{
	const SaPageKey *x = &sa_pool_slot(*(const int *) a)->key;
	const SaPageKey *y = &sa_pool_slot(*(const int *) b)->key;
	int			order = memcmp(&x->rel, &y->rel, sizeof(x->rel));

	if (order == 0)
		order = (int) x->fork - (int) y->fork;
	if (order == 0)
		order = x->block < y->block ? -1 : x->block > y->block;
	return order;
}

static bool
adjacent(const SaPageKey *a, const SaPageKey *b, BlockNumber distance)
{
	return saRelFileEquals(a->rel, b->rel) && a->fork == b->fork && b->block == a->block + distance;
}

/*
 * How many pages of the batch, from batch_next on, can leave as one request:
 * a power of two, adjacent, naturally aligned (so never across a segment).  A
 * page that found no space goes alone: there may be space for one.
 */
static int
request_size(uint32 unit_max)
{
	const int  *batch = &me->batch[me->batch_next];
	const SaPageKey *first = &sa_pool_slot(batch[0])->key;
	int			left = me->batch_count - me->batch_next;
	int			run = 1;
	int			size = 1;

	if (sa_pool_slot(batch[0])->refusals > 0)
		return 1;
	while (run < left && run < SA_REQUEST_PAGES && adjacent(first, &sa_pool_slot(batch[run])->key, run) &&
		   sa_pool_slot(batch[run])->refusals == 0)
		run++;
	while (size * 2 <= run && size * 2 * BLCKSZ <= unit_max && first->block % (size * 2) == 0)
		size *= 2;
	return size;
}

/* The next page of the batch has no place any more. */
static void
drop_page(void)
{
	if (me->section >= 0)
		sa_doublewrite_placed(me->section, 1);
	sa_pool_complete(&me->batch[me->batch_next++], 1);
}

static void finish_requests(bool wait);

/*
 * Start the next request of the batch, drop its page, or ask for a pause.  There
 * is an idle request.
 */
static void
start_request(void)
{
	const SaPageKey *key = &sa_pool_slot(me->batch[me->batch_next])->key;
	SaRequest  *request;
	int			file = get_file(key);

	if (file == NOT_NOW)
	{
		while (under_way())
			finish_requests(true);
		close_files();
		file = get_file(key);
	}
	if (file == NOT_NOW)
	{
		me->pause_us = OPEN_PAUSE_US;
		return;
	}
	if (file == GONE)
	{
		drop_page();
		return;
	}

	request = me->idle[--me->idle_count];
	request->file = file;
	request->fd = me->files[file].fd;
	request->offset = (off_t) BLCKSZ * (key->block % (BlockNumber) RELSEG_SIZE);
	request->flags = sa_write_flags(me->files[file].method);
	request->page_cache = me->files[file].method == SA_WRITE_DOUBLE;
	request->reserve = request->page_cache && must_reserve(&me->files[file]);
	request->section = me->section;
	request->page_count = request_size(me->files[file].unit_max);
	memcpy(request->slots, &me->batch[me->batch_next], request->page_count * sizeof(int));
	me->batch_next += request->page_count;

	/* images are frozen: no lock needed to read them */
	request->data = sa_pool_page(request->slots[0]);
	if (request->page_count > 1)
	{
		for (int i = 0; i < request->page_count; i++)
			memcpy((char *) request->staging + (Size) i * BLCKSZ, sa_pool_page(request->slots[i]), BLCKSZ);
		request->data = request->staging;
	}
	pgstat_report_wait_start(WAIT_EVENT_DATA_FILE_WRITE);
	sa_place_start(request);
	pgstat_report_wait_end();
}

static void
warn_no_space(const SaRequest *request)
{
	static TimestampTz last = 0;

	if (!warning_due(&last))
		return;
	errno = request->error;
	ereport(warning_level(),
			(errcode(ERRCODE_DISK_FULL),
			 errmsg("could not write block %u in file \"%s\": %m",
					sa_pool_slot(request->slots[0])->key.block, me->files[request->file].path),
			 request->page_cache ?
			 errdetail("The page has no space in its file yet. It waits in the write-behind pool.") :
			 errdetail("An atomic overwrite through copy-on-write needs free space for the new copy. "
					   "The page waits in the write-behind pool."),
			 errhint("Free some space on this filesystem; the page will be written again.")));
}

static void
panic(const SaRequest *request)
{
	errno = request->error;
	ereport(PANIC,
			(errcode_for_file_access(),
			 errmsg("could not write block %u in file \"%s\": %m",
					sa_pool_slot(request->slots[0])->key.block, me->files[request->file].path),
			 errdetail("The page had been accepted into the write-behind pool, so only WAL has it now."),
			 errhint("Recovery will write it again. Check the device and the kernel log.")));
}

/*
 * Nothing of the request has been written; its pages get other copies in the page
 * journal.  (After any other error something may have been: the copies stay.)
 */
static void
give_copies_up(const SaRequest *request)
{
	if (request->section >= 0)
		sa_doublewrite_placed(request->section, request->page_count);
}

static void
queue_again(const SaRequest *request)
{
	give_copies_up(request);
	sa_pool_requeue(request->slots, request->page_count);
}

/* A request is done: free its slots, or see to its error. */
static void
settle(SaRequest *request)
{
	instr_time	elapsed;

	switch (request->error)
	{
		case 0:
			me->retries = 0;
			INSTR_TIME_SET_CURRENT(elapsed);
			INSTR_TIME_SUBTRACT(elapsed, request->started);
			if (request->section >= 0)
				sa_doublewrite_placed(request->section, request->page_count);
			sa_pool_complete(request->slots, request->page_count);
			sa_pool_count_write(request->page_count, INSTR_TIME_GET_MICROSEC(elapsed), me->is_writer);
			break;
		case EAGAIN:
		case EINTR:
		case ENOMEM:
			sa_stats_retries(1);
			if (++me->retries >= QUICK_RETRIES)
				me->pause_us = RETRY_PAUSE_US;
			queue_again(request);
			break;
		case ENOSPC:
		case EDQUOT:
			sa_stats_error();
			warn_no_space(request);
			give_copies_up(request);
			sa_pool_hold(request->slots, request->page_count);
			break;
		case EINVAL:
			if (request->page_count == 1)
				panic(request);
			me->files[request->file].unit_max = BLCKSZ;
			queue_again(request);
			break;
		default:
			panic(request);
	}
	me->idle[me->idle_count++] = request;
}

/* Settle what is done; with wait, at least one. */
static void
finish_requests(bool wait)
{
	SaRequest  *request;

	while (under_way() && (request = sa_place_finish(wait)) != NULL)
	{
		settle(request);
		wait = false;
	}
}

/* Should copies be packed?  A process that helps itself has no room for that. */
static bool
should_pack(void)
{
	return sa_journal_compression == SA_COMPRESSION_LZ4 ||
		(sa_journal_compression == SA_COMPRESSION_AUTO && me->batches.packs);
}

/*
 * Write the claimed batch to the page journal, if pages go through it.  Nothing
 * of it is written to its place before.
 */
static void
journal_batch(void)
{
	SaBatch		batch = {.room = should_pack() ? me->packing : NULL};
	SaReserved	reserved;
	instr_time	begun,
				took;

	me->section = -1;
	while ((reserved = sa_doublewrite_reserve(me->batch, me->batch_count, &batch)) == SA_RESERVED_FULL)
	{
		while (under_way())
			finish_requests(true);	/* room may be waiting for these */
		sa_doublewrite_make_room();
	}
	if (reserved == SA_RESERVED_CLOSED)
		return;
	INSTR_TIME_SET_CURRENT(begun);
	sa_doublewrite_write(me->batch, me->batch_count, &batch);
	INSTR_TIME_SET_CURRENT(took);
	INSTR_TIME_SUBTRACT(took, begun);
	/* a header alone is like a page that goes alone, and few copies say nothing of many pages */
	if (batch.copies > me->batch_count / 2 || me->batch_count == 1)
		sa_batches_ended(&me->batches, me->batch_count,
						 sa_batch_is_packed(&batch) ? (int) batch.blocks : me->batch_count, INSTR_TIME_GET_MILLISEC(took));
	if (me->is_writer)
	{
		sa_doublewrite_set_chunk(sa_batches_limit(&me->batches));
		me->pause_ms = sa_pace_rest_ms(INSTR_TIME_GET_MILLISEC(took));
	}
	me->section = batch.place.section;
}

/*
 * Claim the next batch.  Returns whether there is one.
 *
 * Whether it goes to the journal is decided after the claim: who opens or closes
 * the journal then waits for these pages.  It does not wait for a writer that has
 * claimed nothing yet, however long that may have stood still.
 */
static bool
claim_batch(void)
{
	me->batch_next = 0;
	me->batch_count = sa_pool_claim(me->batch, me->section >= 0 ? sa_batches_next(&me->batches) :
									Min(CLAIM_MAX, sa_doublewrite_batch_max()));
	if (me->batch_count == 0)
		return false;
	qsort(me->batch, me->batch_count, sizeof(int), compare_slots);

	/* read after the claim: see writebehind.c */
	if (me->file_generation != sa_pool_forget_generation())
	{
		while (under_way())
			finish_requests(true);
		close_files();
		me->file_generation = sa_pool_forget_generation();
	}
	journal_batch();
	return true;
}

/*
 * A batch for the page journal costs a flush, in whose way the flushes of WAL
 * stand too.  So after one, pages gather for a nap unless there are many.
 */
static bool
should_gather(void)
{
	return me->section >= 0 && me->batch_next == me->batch_count && !sa_pool_has_many();
}

/*
 * Write until the pool has nothing, or not enough, queued, a pause is due, or the process
 * is told something; or once if !all.  An error in here would leave slots in flight
 * for ever, so it is a PANIC.
 */
static void
write_batches(bool all)
{
	volatile bool stop = false; /* claim no more */

	HOLD_INTERRUPTS();
	PG_TRY();
	{
		while (me->pause_us == 0)
		{
			if (me->batch_next == me->batch_count && (stop || !claim_batch()))
			{
				if (!under_way())
					break;
				finish_requests(true);	/* more may have been queued by then */
				continue;
			}
			if (me->idle_count == 0)
				finish_requests(true);
			start_request();
			finish_requests(false);
			stop = !all || ShutdownRequestPending || ConfigReloadPending || InterruptPending ||
				me->pause_ms > 0 || should_gather();
		}
		if (me->batch_next < me->batch_count)
		{
			if (me->section >= 0)
				sa_doublewrite_placed(me->section, me->batch_count - me->batch_next);
			sa_pool_requeue(&me->batch[me->batch_next], me->batch_count - me->batch_next);
		}
		me->batch_next = me->batch_count;
		while (under_way())
			finish_requests(true);
	}
	PG_CATCH();
	{
		EmitErrorReport();
		elog(PANIC, "smgr_atomic: error while pages are in flight");
	}
	PG_END_TRY();
	RESUME_INTERRUPTS();

	if (me->pause_us > 0)
		pg_usleep(me->pause_us);
	me->pause_us = 0;
}

static void
warn_no_memory(void)
{
	static TimestampTz last = 0;

	if (!warning_due(&last))
		return;
	ereport(warning_level(),
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("not enough memory to write pages of the write-behind pool"),
			 errdetail("No writer is running, so this process has to write what it waits for; it tries again."),
			 errhint("Look in the server log for why the writers have ended, and at the limits on memory.")));
}

/*
 * Write one batch in the calling process, because no writer is running.  Any
 * process.  Only the checkpointer, which writes all that is left at shutdown,
 * goes deep.  Raises no error; returns false if there is no memory for it.
 */
bool
sa_writer_help(void)
{
	if (me == NULL)
	{
		if (!(AmCheckpointerProcess() && create_writer(false, sa_io_depth)) && !create_writer(false, 1))
		{
			warn_no_memory();
			return false;
		}
		(void) sa_place_open(me->depth, sa_io_uring && me->depth > 1);
	}
	sa_defer_termination();
	write_batches(false);
	close_files();
	sa_allow_termination();
	return true;
}

/* Register the workers.  From _PG_init() in shared_preload_libraries. */
void
sa_writer_register(int count)
{
	for (int i = 0; i < count; i++)
	{
		char		name[BGW_MAXLEN];

		snprintf(name, BGW_MAXLEN, "smgr_atomic writer %d", i + 1);
		sa_worker_register(name, "smgr_atomic writer", "sa_writer_main", BgWorkerStart_PostmasterStart, 1, i);
	}
}

static void
leave_at_exit(int code, Datum number)
{
	sa_pool_writer_leave(DatumGetInt32(number));
}

static void
open_place(void)
{
	int			error = sa_place_open(me->depth, sa_io_uring);

	sa_pool_report_io(sa_place_is_async(), error);
	if (error == 0)
		return;
	errno = error;
	ereport(WARNING,
			(errmsg("smgr_atomic: the kernel refuses io_uring: %m"),
			 errdetail("Each writer has one write under way at a time instead of %d.", me->depth),
			 errhint("Allow io_uring (kernel.io_uring_disabled, the container's seccomp profile), or raise smgr_atomic.writers.")));
}

/* Is there work, or somebody who waits, so that a rest of this kind should not begin? */
static bool
should_not(SaRest how)
{
	switch (how)
	{
		case SA_REST_PAUSE:
			return sa_pool_is_pressed();
		case SA_REST_NAP:
			return sa_pool_is_urgent();
		default:
			return sa_pool_has_queued();
	}
}

/*
 * A batch costs the page journal a write and a flush, however many pages it has: on a disk of
 * 3000 requests a second, naps of NAP_MS gave the journal 2 % of them.  Where bandwidth is
 * short a batch has few pages, and has to go soon.
 */
static int
nap_ms(void)
{
	return me->section >= 0 && sa_doublewrite_chunk() == PG_UINT32_MAX ? JOURNAL_NAP_MS : NAP_MS;
}

/*
 * Make a pause, nap, or sleep until woken.  Pages that are queued during a nap wait
 * for its end, unless they are many or somebody waits for one: who finds the writer
 * awake leaves word, which is looked for once the rest is announced.  A writer
 * that sleeps has no file open.
 */
static void
rest(int number, SaRest how)
{
	bool		pause = how == SA_REST_PAUSE;
	int			events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH;

	if (how == SA_REST_SLEEP)
		close_files();
	else
		events |= WL_TIMEOUT;
	if (me->file_generation != sa_pool_forget_generation())
		close_files();

	sa_pool_writer_rests(number, how);
	if (!should_not(how))
	{
		if (pause)
			sa_pool_count_pause();
		(void) WaitLatch(MyLatch, events, pause ? me->pause_ms : nap_ms(), pause ? me->pace_event : me->wait_event);
	}
	me->pause_ms = 0;
	ResetLatch(MyLatch);
	sa_pool_writer_rests(number, SA_REST_AWAKE);
}

/* Entry point of the background worker. */
void
sa_writer_main(Datum arg)
{
	int			number;
	int			idle_naps = 0;

	sa_worker_begin(SignalHandlerForShutdownRequest);

	sa_fpw_follow_checkpoints();
	if (sa_entries_prove())
		sa_pool_is_proven();
	if (!create_writer(true, sa_io_depth))
		ereport(FATAL, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	me->wait_event = saWaitEvent("SmgrAtomicWriterMain");
	me->pace_event = saWaitEvent(SA_PACE_WAIT_EVENT);
	open_place();
	number = sa_pool_writer_enter(MyLatch);
	if (number < 0)
		elog(ERROR, "too many smgr_atomic writers");
	before_shmem_exit(leave_at_exit, Int32GetDatum(number));

	while (!ShutdownRequestPending)
	{
		(void) sa_worker_reload();
		if (sa_pool_has_queued())
		{
			write_batches(true);
			idle_naps = 0;
		}
		if (me->pause_ms > 0)
			rest(number, SA_REST_PAUSE);
		rest(number, idle_naps++ < MAX_IDLE_NAPS || sa_pool_lacks_space() ? SA_REST_NAP : SA_REST_SLEEP);
		CHECK_FOR_INTERRUPTS();
	}
	proc_exit(1);				/* 1 = to be restarted, unless the server stops */
}
