/*-------------------------------------------------------------------------
 *
 * write.c
 *	  Write pages to their segments, each whole or not at all.
 *
 * Every write of an existing page of a permanent or unlogged relation is
 * handed to the write-behind pool (writebehind.c), or goes out here as one
 * pwritev2() of exactly BLCKSZ with RWF_ATOMIC.  There is no path
 * from here to a plain write once the method is not SA_WRITE_PLAIN: what the
 * kernel refuses is an ERROR, the page stays dirty in shared buffers, and the
 * checkpoint that needs it does not complete.  A short write is an error too;
 * md.c's loop that writes the rest would break atomicity.
 *
 * Temporary relations are left to md.c (they do not survive a crash), and so
 * is extension: a new page has either a full image in WAL (independent of
 * full_page_writes) or is fsynced before its transaction commits.  A direct
 * write to a page that md.c wrote through the page cache is ordered by the
 * kernel, which writes back and drops the cached range first.
 *
 * Zero pages of extension are not taken into the pool.  The file must have them
 * when the call returns: its length is how long the relation is, for everybody,
 * and that there is no space must be told here and now, to the one who extends.
 * A pool of zero pages could promise neither without writing.  From 16 on
 * md.c adds runs of pages by fallocate() (mdzeroextend()), which dirties no page
 * cache; single ones, and all before 16, it writes, and what is lost by that is
 * one flush of a page that was to be written anyhow.
 *
 * Pages written with skipFsync do not go to the pool.  Their files are made
 * durable by smgrimmedsync() or smgrregistersync(), before the transaction
 * commits, and those calls may not come to us: each is the last member of the
 * table's row in some major, and compilers have resolved such calls at build
 * time (Debian's 15 jumps to mdimmedsync(), its 17 to mdregistersync()).
 *
 * Sync requests are the ones md.c makes: same tag, same fallback when the
 * checkpointer's queue is full.
 *
 * The method is one word in shared memory, read without a lock before each
 * write.  Whoever changes it from atomic to plain or back is responsible for
 * the writes that read the old value just before (fpw.c uses a barrier).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/uio.h>

#include "access/xlog.h"
#include "access/xlogrecovery.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "portability/instr_time.h"
#include "storage/bufpage.h"
#include "storage/shmem.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "doublewrite.h"
#include "neverlogged.h"
#include "newpages.h"
#include "probe.h"
#include "segment.h"
#include "stats.h"
#include "write.h"
#include "writebehind.h"

/* EAGAIN: some tries at once, then with pauses, about ten seconds in all. */
#define QUICK_RETRIES	16
#define MAX_RETRIES		(QUICK_RETRIES + 1000)
#define RETRY_PAUSE_US	10000

/* Alignment of the bounce page: sa_limits_allow() accepts up to this. */
#define SA_PAGE_ALIGN	BLCKSZ

typedef struct WriteShared
{
	pg_atomic_uint32 method;	/* SaWriteMethod */
	pg_atomic_uint32 writethrough_flag; /* set before the method needs it */
} WriteShared;

static WriteShared *shared = NULL;

static char *bounce_page = NULL;

Size
sa_write_shmem_size(void)
{
	return sizeof(WriteShared);
}

/* Called from shmem_startup_hook.  Pages are written plainly until told. */
void
sa_write_shmem_init(void)
{
	bool		found;

	shared = ShmemInitStruct("smgr_atomic write", sizeof(WriteShared), &found);
	if (found)
		return;
	pg_atomic_init_u32(&shared->method, SA_WRITE_PLAIN);
	pg_atomic_init_u32(&shared->writethrough_flag, 0);
}

/*
 * Set the method for all processes.  A write that is under way in another
 * process may still use the old one.
 */
void
sa_write_set_method(SaWriteMethod method, int writethrough_flag)
{
	/* never cleared: a write under way may still need it */
	if (writethrough_flag != 0)
		pg_atomic_write_u32(&shared->writethrough_flag, (uint32) writethrough_flag);
	pg_write_barrier();
	pg_atomic_write_u32(&shared->method, method);
	pg_memory_barrier();
}

SaWriteMethod
sa_write_method(void)
{
	return shared == NULL ? SA_WRITE_PLAIN : (SaWriteMethod) pg_atomic_read_u32(&shared->method);
}

/* For people. */
const char *
sa_method_name(SaWriteMethod method)
{
	static const char *const names[] = {"off", "direct", "writethrough", "doublewrite"};

	return names[method];
}

/*
 * Flags of pwritev2() for a method.  The method is that of the descriptor, not
 * the one in force now: RWF_WRITETHROUGH on an O_DIRECT descriptor is refused.
 *
 * A build with SA_UNSAFE_BENCHMARK, which has another file name and warns at
 * start, leaves RWF_ATOMIC out: it shows what the pool can do where the
 * filesystem's copy-on-write does not hold it back.
 */
int
sa_write_flags(SaWriteMethod method)
{
#ifdef SA_UNSAFE_BENCHMARK
	if (method == SA_WRITE_DIRECT)
		return 0;
#endif
	if (method == SA_WRITE_DOUBLE)
		return 0;
	if (method == SA_WRITE_THROUGH)
		return RWF_ATOMIC | (int) pg_atomic_read_u32(&shared->writethrough_flag);
	return RWF_ATOMIC;
}

/* Flags of open() for a method, beside O_RDWR: through the page cache or not. */
int
sa_write_open_flags(SaWriteMethod method)
{
	return method == SA_WRITE_DIRECT ? O_DIRECT : 0;
}

static void
make_key(SaPageKey *key, SMgrRelation reln, ForkNumber fork, BlockNumber block)
{
	key->rel = saRelFile(reln);
	key->fork = fork;
	key->block = block;
}

/*
 * Where an error is the end of recovery, wait for space: in the startup process,
 * and in a checkpoint that it waits for.  (With hot standby it does not, and may
 * have to drop what the checkpointer holds.)
 */
static int
own_patience(void)
{
	if (AmStartupProcess() ||
		(AmCheckpointerProcess() && RecoveryInProgress() && !HotStandbyActive()))
		return SA_PATIENT;
	return 0;
}

static void
report_failure(int error, BlockNumber block, const char *path)
{
	sa_stats_error();
	errno = error;
	switch (error)
	{
		case ENOSPC:
		case EDQUOT:
			ereport(ERROR,
					(errcode(ERRCODE_DISK_FULL),
					 errmsg("could not write block %u in file \"%s\": %m", block, path),
					 errdetail("The page was not written; it stays in memory and in WAL. "
							   "An atomic overwrite through copy-on-write needs free space for the new copy."),
					 errhint("Free some space on this filesystem; the page will be written again.")));
			break;
		case EINVAL:
		case EOPNOTSUPP:
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not write block %u in file \"%s\" atomically: %m", block, path),
					 errdetail("The page was not written, because a plain write could tear it; it stays in memory and in WAL."),
					 errhint("Check with smgr_atomic_probe() whether the storage was changed under the running server, "
							 "and put it back; the page will be written then.")));
			break;
		default:
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not write block %u in file \"%s\": %m", block, path),
					 errdetail("The page was not written; it stays in memory and in WAL.")));
	}
}

/*
 * Tell the checkpointer that this segment needs an fsync before the next
 * checkpoint can complete; as register_dirty_segment() in md.c.
 */
static void
register_dirty_segment(SMgrRelation reln, ForkNumber fork, BlockNumber block, File file)
{
	SaRelFile	tag_rel = saRelFile(reln);
	FileTag		tag;
	int			rc;

	memset(&tag, 0, sizeof(tag));
	tag.handler = SYNC_HANDLER_MD;
	tag.forknum = fork;
	saTagRelFile(&tag) = tag_rel;
	tag.segno = block / (BlockNumber) RELSEG_SIZE;

	if (RegisterSyncRequest(&tag, SYNC_REQUEST, false))
		return;
	ereport(DEBUG1,
			(errmsg_internal("could not forward fsync request because request queue is full")));
	if (own_patience() != 0)
		sa_pool_drain_file(tag_rel, fork, (int64) tag.segno);
	else if (!sa_pool_settle_file(tag_rel, fork, (int64) tag.segno))
		report_failure(ENOSPC, block, FilePathName(file));
	sa_doublewrite_sync_begins();
	rc = FileSync(file, WAIT_EVENT_DATA_FILE_SYNC);
	sa_doublewrite_sync_ends(rc < 0, FilePathName(file));
	if (rc < 0)
		ereport(data_sync_elevel(ERROR),
				(errcode_for_file_access(),
				 errmsg("could not fsync file \"%s\": %m", FilePathName(file))));
}

/*
 * A copy of the page in this process's bounce page: aligned for direct I/O,
 * and standing still.  A page in shared buffers may get hint bits while the
 * device reads it, which storage with checksums of its own would see as an error.
 *
 * For all majors alike: since 16 shared buffers are aligned (to 4096 bytes, so
 * not for every device), but only 19 keeps hint bits out of a page while it is
 * written, and callers also write from memory of their own.  The copy takes
 * well under a microsecond, the write that follows tens of them.
 */
static const void *
still_page(const void *page)
{
	if (bounce_page == NULL)
	{
		char	   *raw = MemoryContextAlloc(TopMemoryContext, BLCKSZ + SA_PAGE_ALIGN);

		bounce_page = (char *) TYPEALIGN(SA_PAGE_ALIGN, raw);
	}
	memcpy(bounce_page, page, BLCKSZ);
	return bounce_page;
}

/*
 * One atomic write.  Returns 0 or an errno; counts retries.  EAGAIN means
 * that the kernel could not drop the cached copy of the range just now.
 */
static int
submit(int fd, const void *page, off_t offset, int flags, uint64 *retries)
{
	struct iovec iov = {.iov_base = unconstify(void *, page), .iov_len = BLCKSZ};

	for (*retries = 0;; (*retries)++)
	{
		ssize_t		done = pwritev2(fd, &iov, 1, offset, flags);

		if (done == BLCKSZ)
			return 0;
		if (done >= 0)
			return EIO;			/* short: the kernel broke its promise */
		if ((errno != EAGAIN && errno != EINTR) || *retries >= MAX_RETRIES)
			return errno;
		if (errno == EAGAIN && *retries >= QUICK_RETRIES)
			pg_usleep(RETRY_PAUSE_US);
	}
}

/* Write one page and wait for it. */
static void
write_now(SaSegment *segment, BlockNumber block, const void *page, SaWriteMethod method)
{
	int			fd = saFileGetRawDesc(segment->file);
	off_t		offset = (off_t) BLCKSZ * (block % (BlockNumber) RELSEG_SIZE);
	uint64		retries = 0;
	int			error;

	page = still_page(page);
	pgstat_report_wait_start(WAIT_EVENT_DATA_FILE_WRITE);
	error = fd < 0 ? errno : submit(fd, page, offset, sa_write_flags(method), &retries);
	pgstat_report_wait_end();

	if (retries > 0)
		sa_stats_retries(retries);
	if (error != 0)
		report_failure(error, block, FilePathName(segment->file));
}

/*
 * Must the file have the page when the write returns?  In recovery the server
 * flushes pages of init forks one by one (XLogReadBufferForRedoExtended()), and
 * ResetUnloggedRelations() then copies the files.
 */
static bool
must_wait(ForkNumber fork)
{
	return fork == INIT_FORKNUM && RecoveryInProgress();
}

static void
report_crowded(BlockNumber block, const char *path)
{
	sa_stats_error();
	ereport(ERROR,
			(errcode(ERRCODE_DISK_FULL),
			 errmsg("could not write block %u in file \"%s\": too many pages wait for space in the write-behind pool",
					block, path),
			 errdetail("The page was not written; it stays in memory and in WAL."),
			 errhint("Free some space on the filesystem that the server log names; the page will be written then.")));
}

/*
 * Wait until what the pool has for this block is in its file.  False if it finds no
 * space, unless that would be the end of recovery: the pool then keeps the page, which is
 * the newest.
 */
static bool
settles(const SaPageKey *key)
{
	if (sa_pool_settle_block(key))
		return true;
	if (own_patience() == 0)
		return false;
	sa_pool_drain_file(key->rel, key->fork, (int64) (key->block / (BlockNumber) RELSEG_SIZE));
	return true;
}

/* The same; no space is an error. */
static void
settle(const SaPageKey *key, const char *path)
{
	if (!settles(key))
		report_failure(ENOSPC, key->block, path);
}

/*
 * Stock is about to write these pages.  The pool may still have older ones of
 * theirs, which found no space while it was emptied: they must not come later.
 */
static void
settle_refused(SMgrRelation reln, ForkNumber fork, BlockNumber block, BlockNumber nblocks)
{
	for (BlockNumber i = 0; i < nblocks && sa_pool_lacks_space(); i++)
	{
		SaPageKey	key;
		char		path[MAXPGPATH];

		make_key(&key, reln, fork, block + i);
		sa_segment_path(key.rel, fork, (int) (key.block / (BlockNumber) RELSEG_SIZE), path);
		settle(&key, path);
	}
}

/*
 * Hand one page to the pool, or write it.  The segment is looked up either
 * way: what is wrong with the file is an error here, for the one who has the
 * page, not later for a writer.
 *
 * Through the page journal pages go only from the pool, so there it takes those
 * too that it would not let stay.
 *
 * Returns false, with nothing done, if patience allowed for being cancelled.
 */
static bool
write_page(SMgrRelation reln, ForkNumber fork, BlockNumber block, const void *page,
		   bool skipFsync, SaWriteMethod method, int patience)
{
	SaSegment  *segment = sa_segment_get(reln, fork, block, sa_write_open_flags(method),
										 method == SA_WRITE_DOUBLE);
	const char *path = FilePathName(segment->file);
	bool		may_stay = !skipFsync && sa_pool_takes_pages();
	SaHanded	handed = SA_NO_SPACE;
	SaPageKey	key;
	instr_time	start,
				elapsed;

	if (skipFsync)
		sa_newpages_written(saRelFile(reln), fork, block);
	page = sa_log_if_never_logged(reln, fork, block, page);
	INSTR_TIME_SET_CURRENT(start);
	make_key(&key, reln, fork, block);
	if (may_stay || method == SA_WRITE_DOUBLE)
		handed = sa_pool_put(&key, page, patience);
	if (handed == SA_INTERRUPTED)
		return false;
	if (handed == SA_NO_SPACE && method == SA_WRITE_DOUBLE)
		report_crowded(block, path);
	if (handed != SA_TAKEN || !may_stay || must_wait(fork))
		settle(&key, path);
	if (handed != SA_TAKEN)
		write_now(segment, block, page, method);
	INSTR_TIME_SET_CURRENT(elapsed);
	INSTR_TIME_SUBTRACT(elapsed, start);
	sa_stats_written(may_stay && handed == SA_TAKEN, (uint64) (INSTR_TIME_GET_DOUBLE(elapsed) * 1e9));
	if (!skipFsync)
		register_dirty_segment(reln, fork, block, segment->file);
	return true;
}

/*
 * Table entry "write": write nblocks existing pages, from block on.
 * Interrupts are held: a barrier handled while waiting for the pool would close
 * the segment under us, and be answered by a process that is about to write.
 * A caller that does not hold them can be cancelled while it waits for a slot.
 *
 * pages[i] points to BLCKSZ bytes.  Any process, recovery included, not in a
 * critical section.  Raises an error that names file and block; pages before
 * the one that failed are written.
 */
void
sa_write_pages(SMgrRelation reln, ForkNumber fork, BlockNumber block,
			   const void **pages, BlockNumber nblocks, bool skipFsync)
{
	SaWriteMethod method = sa_write_method();
	int			patience = own_patience();

	if (method == SA_WRITE_PLAIN || SmgrIsTemp(reln))
	{
		if (shared != NULL)
			sa_stats_delegated(SmgrIsTemp(reln) ? SA_DELEGATED_TEMPORARY : SA_DELEGATED_OFF);
		if (!SmgrIsTemp(reln))
			settle_refused(reln, fork, block, nblocks);
		saMdWritePages(reln, fork, block, pages, nblocks, skipFsync);
		return;
	}
	if (InterruptHoldoffCount == 0 && QueryCancelHoldoffCount == 0 && CritSectionCount == 0)
		patience |= SA_CANCELLABLE;
	HOLD_INTERRUPTS();
	for (BlockNumber i = 0; i < nblocks; i++)
	{
		if (write_page(reln, fork, block + i, pages[i], skipFsync, method, patience))
			continue;
		RESUME_INTERRUPTS();
		CHECK_FOR_INTERRUPTS();
		/* not cancelled after all; the method may be another now */
		sa_write_pages(reln, fork, block + i, pages + i, nblocks - i, skipFsync);
		return;
	}
	RESUME_INTERRUPTS();
}

/*
 * Table entry "read": take the page from the pool if it is there; else the
 * caller reads the file.
 */
bool
sa_write_read(SMgrRelation reln, ForkNumber fork, BlockNumber block, void *page)
{
	SaPageKey	key;

	if (SmgrIsTemp(reln))
		return false;
	make_key(&key, reln, fork, block);
	return sa_pool_read(&key, page);
}

/*
 * Files are about to be copied or removed behind our back, or a checkpoint has
 * completed: everything accepted before now is in its place, no writer has a
 * file open, and no copy in the page journal counts any more.
 */
void
sa_write_let_go(void)
{
	sa_pool_let_go();
	sa_doublewrite_void();
}

/*
 * Wait until the file has the last page accepted for a block, so that it can be
 * read from there.  If it finds no space that is an error, because the server's
 * asynchronous reads are of files, and the caller cannot be cancelled; recovery
 * waits, as it would end.
 */
void
sa_write_settle(SMgrRelation reln, ForkNumber fork, BlockNumber block)
{
	SaPageKey	key;
	char		path[MAXPGPATH];

	if (SmgrIsTemp(reln))
		return;
	make_key(&key, reln, fork, block);
	if (settles(&key))
		return;
	sa_segment_path(key.rel, fork, (int) (block / (BlockNumber) RELSEG_SIZE), path);
	ereport(ERROR,
			(errcode(ERRCODE_DISK_FULL),
			 errmsg("could not read block %u in file \"%s\": its newest image waits for space", block, path),
			 errdetail("The page is in the write-behind pool, and it is the file that is to be read."),
			 errhint("Free some space on this filesystem; the page will be written then.")));
}

/*
 * Table entry "writeback": a page written directly has left the page cache
 * already, and one that went through the page journal is on its way, which is
 * made durable before much has gathered; so there is nothing to start.
 */
void
sa_write_writeback(SMgrRelation reln, ForkNumber fork, BlockNumber block, BlockNumber nblocks)
{
	if (sa_write_method() == SA_WRITE_PLAIN || SmgrIsTemp(reln))
		mdwriteback(reln, fork, block, nblocks);
}
