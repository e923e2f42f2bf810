/*-------------------------------------------------------------------------
 *
 * doublewrite.c
 *	  Pages go to the journal before they go to their place.
 *
 * The strategy for storage without an atomic unit.  A batch of pages that a
 * writer has claimed from the pool is written to the journal (journal.c has
 * its layout), in one write that is durable when it returns; then the pages are
 * written to their places, plainly, through the page cache: who reads them
 * again soon finds them there, as in stock.  A page that tears when the kernel
 * writes it back has a whole copy.  Pages that recovery can make from zeroes
 * (newpages.c) have none: the batch has their names and checksums only.  Their entries
 * are subject to the rules below as copies are.
 *
 * The rules, each of which the model in tests/ has been run without:
 *
 * 1. No page is written to its place before its batch is durable.
 * 2. A section of the ring is used again only after every page in it has been
 *	  written to its place, then every file with such a page has been
 *	  fdatasync'ed (a failure is a PANIC; a file that is gone needs none), then a
 *	  superblock that excludes the section has become durable ("retired").
 * 3. Before a file is shortened or removed under a name that can come back soon,
 *	  the copies of its pages are made void, because what is written there next
 *	  may not come through here (relation extension, index builds): first the
 *	  files are fdatasync'ed, so that the pages in place are whole without
 *	  their copies - redo may read them once more if we crash now -, then a
 *	  "forget" is written, then the caller goes on.  This is needed only if the
 *	  window has such pages, which the keys kept in shared memory tell.
 * 4. The whole window is retired ("voided") at the end of each checkpoint, in
 *	  recovery by the startup process at each barrier (barrier.c): one of these
 *	  comes before directories of databases are copied or removed, which no call
 *	  announces.  Outside of recovery every copy is therefore also newer than
 *	  the redo point of the last checkpoint.  Each batch says which redo point was
 *	  the last then, so that repair can see that this is so: after a start without
 *	  the library it is not (journal.c), nor between the end of a checkpoint and that
 *	  of the voiding.
 * 5. While the journal is open every page goes through it.  It is opened only
 *	  when no process writes in another way any more, and closed only while
 *	  full-page images are on, before any process writes in another way.  A
 *	  page that a writer claimed under the method "doublewrite" while the journal
 *	  is closed goes to its place plainly: images protect it then (fpw.c).
 *	  There is no way from doublewrite to another atomic method but over "off".
 *
 * A relation that is dropped outside of recovery needs none of this at once: the
 * server keeps its file, empty, until after the next checkpoint, and its name
 * with it.  When that removes the file, rule 3 holds.
 *
 * Retiring takes as long as writing back what is in the page cache of these
 * files, so a worker of its own (retirer.c) does it ahead of need.  No more pages
 * of ours are dirty in the page cache than the ring has room for copies of; of those
 * that have none SA_JOURNAL_KEYS times as many.  Who finds the ring full retires
 * too: nobody waits for the worker.
 *
 * The file is opened by the postmaster at start, if pages go through it from the
 * start on, and inherited by every process; or by the driver when it is first
 * wanted, and by each other process when it first writes to it.  Its directory may
 * be moved or another put in its place meanwhile.  So a process that opens it sees
 * whether it is the same file, and who writes a superblock whether it still has
 * its name; if not, images have to come on (the retirer tells the driver).
 *
 * The kernel tells of a failed write-back once, to whoever syncs the file next;
 * who opens and syncs the file after that is told that all is well.  So from
 * before such a call until it is known to have worked, or the process is dead of
 * its PANIC, nobody else may sync a file of pages and conclude anything from it:
 * neither that a copy is not needed any more, nor that a checkpoint is complete.
 * All who sync files hold retire_lock meanwhile, and a PANIC does not let go.
 * (But md.c's own fsync when it extends a file while the queue of sync requests
 * is full: nothing of ours is called there.)
 *
 * Locks
 *	  lock			ring, keys, open, moved, retirer, counters
 *	  retire_lock	held through a retirement, and by everybody who syncs files of
 *					pages or waits for their write-back; protects the
 *					superblock.  Taken before lock.
 *	  turn_lock		held while waiting for retire_lock
 * All of them exclusively, but for reading what lock protects, and by who syncs
 * files while the journal is not open.
 * A process that waits for room or for a void has nothing reserved itself, so
 * what it waits for (pages of others on their way) always comes.
 *
 * No function here allocates with palloc; all but _usable, _start, _give_up,
 * _open and _close may be called in a critical section.  Whatever fails is a PANIC.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "access/xlog.h"
#include "access/xlog_internal.h"
#include "access/xlogrecovery.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/bufpage.h"
#include "storage/condition_variable.h"
#include "storage/fd.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

#include "doublewrite.h"
#include "journalfile.h"
#include "journalmake.h"
#include "marker.h"
#include "newpages.h"
#include "smgr_atomic.h"
#include "writeback.h"
#include "writebehind.h"

#define WAIT_MS 1000
#define RETIRE_AT (SA_JOURNAL_SECTIONS * 5 / 8)	/* sections in use */
#define MAX_WRITE_TRIES 1000

typedef struct DoublewriteShared
{
	LWLock	   *lock;
	LWLock	   *turn_lock;
	LWLock	   *retire_lock;
	ConditionVariable progress; /* pages were placed, or sections retired */
	pg_atomic_uint32 chunk;		/* pages that should be on their way at once; no order needed */
	pg_atomic_uint64 pauses;	/* of the retirer (pace.c); likewise */
	bool		available;		/* set once: there is a file, and super and ring fit it */
	bool		open;
	Latch	   *retirer;		/* NULL = it does not run */
	bool		moved;			/* set once: another file, or none, has its name */
	char		path[MAXPGPATH];	/* set before "available", with the next two */
	dev_t		device;
	ino_t		inode;
	uint64		batches;
	uint64		pages;
	uint64		new_pages;
	uint64		packed_pages;
	uint64		blocks;
	uint64		retirements;
	uint64		waits;
	uint64		repair_checked; /* set at start */
	uint64		repair_restored;
	SaJournalSuper super;
	SaRing		ring;
} DoublewriteShared;

static DoublewriteShared *shared = NULL;

/* keys[section * section_pages + n]: nth page of the section */
static SaJournalKey *keys = NULL;

/* Of the postmaster, inherited; else of this process. */
static int	journal_fd = -1;
static char journal_path[MAXPGPATH];

/* Has this start been repaired from a journal?  Postmaster; inherited. */
static bool repaired = false;

static uint32
section_blocks(void)
{
	return sa_journal_section_blocks((uint64) sa_journal_size * 1024);
}

static uint32
section_pages(void)
{
	return sa_journal_section_pages(section_blocks());
}

static Size
keys_size(void)
{
	return mul_size(SA_JOURNAL_SECTIONS * sizeof(SaJournalKey), section_pages());
}

Size
sa_doublewrite_shmem_size(void)
{
	return add_size(sizeof(DoublewriteShared), keys_size());
}

/* Called from shmem_startup_hook. */
void
sa_doublewrite_shmem_init(void)
{
	bool		found;

	shared = ShmemInitStruct("smgr_atomic doublewrite", sizeof(DoublewriteShared), &found);
	keys = ShmemInitStruct("smgr_atomic doublewrite keys", keys_size(), &found);
	if (found)
		return;
	memset(shared, 0, sizeof(DoublewriteShared));
	shared->lock = &GetNamedLWLockTranche(SA_DOUBLEWRITE_LOCKS)[0].lock;
	shared->retire_lock = &GetNamedLWLockTranche(SA_DOUBLEWRITE_LOCKS)[1].lock;
	shared->turn_lock = &GetNamedLWLockTranche(SA_DOUBLEWRITE_LOCKS)[2].lock;
	ConditionVariableInit(&shared->progress);
	pg_atomic_init_u32(&shared->chunk, PG_UINT32_MAX);
	pg_atomic_init_u64(&shared->pauses, 0);
}

/*
 * Take retire_lock.  A process that takes it again and again (retirer.c) would
 * get past all others that wait for it: so only one waits for it, and the next
 * for that one.
 */
static void
lock_retiring(void)
{
	LWLockAcquire(shared->turn_lock, LW_EXCLUSIVE);
	LWLockAcquire(shared->retire_lock, LW_EXCLUSIVE);
	LWLockRelease(shared->turn_lock);
}

/* In the postmaster, which has no pages under way, the start fails. */
static void
panic(const char *what)
{
	ereport(IsUnderPostmaster || !IsPostmasterEnvironment ? PANIC : FATAL,
			(errcode_for_file_access(),
			 errmsg("could not %s page journal \"%s\": %m", what, journal_path),
			 errdetail("Pages must not be written to their places without a copy there."),
			 errhint("Check the device and the kernel log.")));
}

/* Is it the file that others of this server have open? */
static bool
is_the_same(const struct stat *st)
{
	return st->st_dev == shared->device && st->st_ino == shared->inode;
}

/* The open journal.  There is one (available). */
static int
descriptor(void)
{
	struct stat st;

	if (journal_fd >= 0)
		return journal_fd;
	strlcpy(journal_path, shared->path, MAXPGPATH);
	journal_fd = sa_journal_join(journal_path);
	if (journal_fd < 0)
		panic("open");
	if (fstat(journal_fd, &st) != 0 || !is_the_same(&st))
	{
		errno = ESTALE;
		panic("open again");
	}
	return journal_fd;
}

/* ---- opening and closing it ---- */

/*
 * Have the journal open; false, with a reason, if that cannot be.  Postmaster or
 * driver.
 */
static bool
open_or_make(char *reason, size_t size)
{
	if (journal_fd >= 0)
		return true;
	sa_journal_path(journal_path);
	journal_fd = sa_journal_obtain(journal_path, section_blocks(), repaired, reason, size);
	return journal_fd >= 0;
}

/* Begin a new generation: what is in the file counts no more. */
static void
begin_generation(void)
{
	struct stat st = {0};
	bool		found;
	int			error;

	error = sa_journal_read_super(sa_journal_read_block, &journal_fd, &shared->super, &found);
	if (error == 0 && fstat(journal_fd, &st) != 0)
		error = errno;
	if (error != 0 || !found)
	{
		errno = error != 0 ? error : EIO;
		panic("read");
	}
	shared->device = st.st_dev;
	shared->inode = st.st_ino;
	shared->super.generation++;
	sa_ring_init(&shared->ring, section_blocks());
	strlcpy(shared->path, journal_path, MAXPGPATH);
	shared->available = true;
}

/* Has another file the journal's name, or none?  What cannot be asked counts as no. */
static void
notice_if_moved(void)
{
	struct stat st;

	if (shared->moved)
		return;
	if (stat(shared->path, &st) != 0)
	{
		if (errno != ENOENT && errno != ENOTDIR)
			return;
	}
	else if (is_the_same(&st))
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->moved = true;
	if (shared->retirer != NULL)
		SetLatch(shared->retirer);
	LWLockRelease(shared->lock);
}

/*
 * Can pages go through the journal?  If not, a reason for people.  Opens the
 * journal, or makes it.  In the postmaster at start, after repair, when
 * sa_doublewrite_start() or _give_up() follows; or in the driver, when no page
 * has gone through a journal since the start.
 */
bool
sa_doublewrite_usable(char *reason, size_t size)
{
	if (sa_write_behind_size == 0)
	{
		snprintf(reason, size, "doublewrite needs the write-behind pool, but smgr_atomic.write_behind_size is 0");
		return false;
	}
	if (IsBinaryUpgrade)
	{
		snprintf(reason, size, "no page journal during pg_upgrade");
		return false;
	}
	if (data_sync_retry)
	{
		snprintf(reason, size, "doublewrite needs data_sync_retry = off; with it, an fsync that fails is forgotten by the next");
		return false;
	}
	if (shared->available)
		notice_if_moved();
	if (shared->moved)
	{
		snprintf(reason, size, "page journal \"%s\" is not in its place any more; "
				 "it was moved, replaced or unmounted, and is not used before a restart", shared->path);
		return false;
	}
	if (shared->available)
		return true;
	if (!open_or_make(reason, size))
		return false;
	if (!IsUnderPostmaster)
		return true;
	if (!sa_journal_share(journal_fd))
		panic("share");
	lock_retiring();
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	begin_generation();
	LWLockRelease(shared->lock);
	LWLockRelease(shared->retire_lock);
	return true;
}

/*
 * The journal that this postmaster has open already, from before a backend's
 * crash, if that is its path; else -1.  A second open file could not get the
 * lock.
 */
int
sa_doublewrite_descriptor(const char *path)
{
	return journal_fd >= 0 && strcmp(path, journal_path) == 0 ? journal_fd : -1;
}

/* Write the superblock as it is in shared memory, as the newest. */
static void
write_super(void)
{
	int			error;

	shared->super.serial++;
	error = sa_journal_write_super(descriptor(), &shared->super);
	notice_if_moved();
	if (error == 0)
		return;
	errno = error;
	panic("write superblock of");
}

/* Marker, then a superblock with a void window; then pages may go through. */
static void
begin_use(void)
{
	/* a driver that is not the first may not have opened the journal yet */
	sa_marker_announce(shared->path, &shared->super);
	shared->super.in_use = 1;
	shared->super.window_start = shared->ring.next_sequence;
	write_super();
}

/*
 * Let others have the journal that the marker names, unless it is that of the
 * path given (NULL = any) or not ours any more.  Postmaster at start, when
 * nothing in it is needed.  After a crash only if the marker was written here:
 * this may be a copy of the data directory that still needs it.
 *
 * With a new generation: a copy that has the marker, crashed and was not seen
 * here then refuses to go without the journal.
 */
static void
release_marked(const char *keep, bool clean)
{
	SaMarker	marker;
	SaJournalSuper super;
	char		reason[MAXPGPATH + 128] = "";
	bool		found;
	int			inherited;
	int			fd;

	if (!sa_marker_read(&marker) || (keep != NULL && strcmp(marker.path, keep) == 0) || !(clean || marker.original))
		return;
	inherited = sa_doublewrite_descriptor(marker.path);
	fd = inherited >= 0 ? inherited : sa_journal_open(marker.path, reason, sizeof(reason));
	if (fd >= 0 && sa_journal_read_super(sa_journal_read_block, &fd, &super, &found) == 0 && found &&
		super.in_use && sa_marker_is_of(&marker, &super))
	{
		int			error;

		super.generation++;
		sa_marker_announce(marker.path, &super);
		super.serial++;
		super.in_use = 0;
		error = sa_journal_write_super(fd, &super);
		if (error != 0)
			snprintf(reason, sizeof(reason), "could not write to it: %s", strerror(error));
	}
	if (reason[0] != '\0')
		ereport(LOG,
				(errmsg("smgr_atomic: page journal \"%s\" is not given up: %s", marker.path, reason),
				 errdetail("It is not needed any more, but will look as if it were."),
				 errhint("Remove the file before it is to be used again.")));
	if (fd >= 0 && fd != inherited)
		close(fd);
}

/*
 * Pages go through the journal from now on.  Postmaster at start, after
 * sa_doublewrite_usable() has said yes; nothing in the file is needed any more.
 * clean: after a clean shutdown.
 */
void
sa_doublewrite_start(bool clean)
{
	Assert(!IsUnderPostmaster && journal_fd >= 0);
	release_marked(journal_path, clean);
	begin_generation();
	begin_use();
	shared->open = true;
}

/*
 * No page will go through a journal for now, and none is needed.  Postmaster at
 * start; clean: after a clean shutdown.
 */
void
sa_doublewrite_give_up(bool clean)
{
	release_marked(NULL, clean);
	if (journal_fd >= 0)
		sa_journal_close(journal_fd);
	journal_fd = -1;
	sa_marker_remove(FATAL);
}

bool
sa_doublewrite_is_open(void)
{
	bool		open;

	if (shared == NULL || !shared->available)
		return false;
	LWLockAcquire(shared->lock, LW_SHARED);
	open = shared->open;
	LWLockRelease(shared->lock);
	return open;
}

/*
 * From now on pages go through the journal.  Driver: every process uses the
 * method "doublewrite", and full-page images are on.
 */
void
sa_doublewrite_open(void)
{
	if (sa_doublewrite_is_open())
		return;
	lock_retiring();
	begin_use();
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->open = true;
	LWLockRelease(shared->lock);
	LWLockRelease(shared->retire_lock);
}

/*
 * From now on no page goes through the journal, and nothing in it counts.
 * Checkpointer: full-page images have been on since before the redo point of
 * the last checkpoint.
 */
void
sa_doublewrite_close(void)
{
	if (!sa_doublewrite_is_open())
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->open = false;
	LWLockRelease(shared->lock);
	sa_doublewrite_void();
	lock_retiring();
	shared->super.in_use = 0;
	write_super();
	LWLockRelease(shared->retire_lock);
	sa_marker_remove(WARNING);
}

/* What repair has done.  Postmaster at start. */
void
sa_doublewrite_repaired(uint64 checked, uint64 restored)
{
	repaired = true;
	shared->repair_checked = checked;
	shared->repair_restored = restored;
}

void
sa_doublewrite_status(SaJournalStatus *status)
{
	memset(status, 0, sizeof(*status));
	LWLockAcquire(shared->lock, LW_SHARED);
	status->open = shared->open;
	strlcpy(status->path, shared->path, MAXPGPATH);
	if (shared->available)
		status->size = (uint64) SA_JOURNAL_SECTIONS * section_blocks() * SA_JOURNAL_BLOCK;
	for (uint32 i = 0; i < shared->ring.live; i++)
	{
		const SaRingSection *section = &shared->ring.sections[sa_ring_section(&shared->ring, i)];

		status->used += (uint64) Max(Max(section->used_blocks, section->copies), section->pages / SA_JOURNAL_KEYS) * SA_JOURNAL_BLOCK;
	}
	status->batches = shared->batches;
	status->pages = shared->pages;
	status->new_pages = shared->new_pages;
	status->packed_pages = shared->packed_pages;
	status->written = shared->blocks * SA_JOURNAL_BLOCK;
	status->retirements = shared->retirements;
	status->waits = shared->waits;
	status->pauses = pg_atomic_read_u64(&shared->pauses);
	status->repair_checked = shared->repair_checked;
	status->repair_restored = shared->repair_restored;
	LWLockRelease(shared->lock);
}

/* ---- syncing files ---- */

/*
 * The caller is about to sync a file of pages by a call of the server's.  Any
 * process that holds none of our locks.  While no page goes through the journal
 * others may sync files too, as in stock; who retires waits for all of them, also
 * if it is opened meanwhile.
 */
void
sa_doublewrite_sync_begins(void)
{
	if (sa_doublewrite_is_open())
		lock_retiring();
	else
		LWLockAcquire(shared->retire_lock, LW_SHARED);
}

/*
 * It has; failed, with errno, if that was for another reason than that the file
 * is gone.  While pages go through the journal a failure is a PANIC, whatever
 * data_sync_retry says: who tried again would be told that all is well.
 */
void
sa_doublewrite_sync_ends(bool failed, const char *path)
{
	int			error = errno;

	if (failed && sa_doublewrite_is_open())
	{
		errno = error;
		ereport(PANIC,
				(errcode_for_file_access(),
				 errmsg("could not fsync file \"%s\": %m", path),
				 errdetail("Copies of its pages in the page journal cannot be given up.")));
	}
	LWLockRelease(shared->retire_lock);
	errno = error;
}

static SaJournalKey *
section_keys(int section)
{
	return keys + (Size) section * section_pages();
}

/* ---- writers ---- */

/* Pages of a batch at most, also before there is a journal. */
int
sa_doublewrite_batch_max(void)
{
	return sa_journal_batch_max(section_blocks());
}

static void
make_key(SaJournalKey *key, const SaPageKey *page)
{
	memcpy(key, &page->rel, sizeof(page->rel));
	key->fork = page->fork;
	key->block = page->block;
}

StaticAssertDecl(offsetof(SaJournalKey, fork) == sizeof(SaRelFile),
				 "identity of a relation: tablespace, database, relation");
StaticAssertDecl(SA_JOURNAL_BLOCK == BLCKSZ, "the page journal is made for 8 kB pages");

/* A section may be complete.  Caller holds the lock. */
static void
wake_retirer(void)
{
	if (shared->retirer != NULL && sa_ring_retirable(&shared->ring) > 0)
		SetLatch(shared->retirer);
}

/*
 * The redo point of the checkpoint or restartpoint that began last.  One with a
 * later redo point begins after this was asked, so pages that are in the pool by
 * now are durable in place when it completes.
 *
 * WAL is durable up to there when this returns.  Else, if a crash lost that part,
 * a start without the library could end its recovery with a checkpoint that is
 * before it, although it is later than the copy (journal.c).
 */
static XLogRecPtr
redo_begun(void)
{
	XLogRecPtr	redo = GetRedoRecPtr();
	XLogRecPtr	end = redo - redo % XLOG_BLCKSZ;

	/* the header of a page of WAL is not there before its first record */
	if (redo - end > (XLogSegmentOffset(end, wal_segment_size) == 0 ? SizeOfXLogLongPHD : SizeOfXLogShortPHD))
		end = redo;
	if (!RecoveryInProgress() && GetFlushRecPtr(NULL) < end)
		XLogFlush(end);
	return redo;
}

/*
 * Put the slots of pages that need no copy last, otherwise in their order.  Returns
 * how many need one.
 */
static int
put_new_pages_last(int *slots, int count, XLogRecPtr redo)
{
	int			without[SA_JOURNAL_MAX_ENTRIES];
	int			copies = 0;

	for (int i = 0; i < count; i++)
	{
		if (sa_newpages_has(&sa_pool_slot(slots[i])->key, redo))
			without[i - copies] = slots[i];
		else
			slots[copies++] = slots[i];
	}
	for (int i = copies; i < count; i++)
		slots[i] = without[i - copies];
	return copies;
}

/* Lay the batch out as it is. */
static void
lay_out(SaBatch *batch)
{
	for (int i = 0; i < batch->copies; i++)
		batch->lengths[i] = SA_JOURNAL_BLOCK;
	batch->start = SA_JOURNAL_BLOCK;
	batch->blocks = 1 + batch->copies;
}

/* Or packed, in its room, all but the header; false if that saves no block. */
static bool
pack(const int *slots, int count, SaBatch *batch)
{
	uint32		bytes = sa_journal_packed_start(count);

	batch->start = bytes;
	for (int i = 0; i < batch->copies; i++)
	{
		batch->lengths[i] = sa_journal_pack(sa_pool_page(slots[i]), batch->room + bytes);
		bytes += batch->lengths[i];
	}
	batch->blocks = sa_journal_blocks(bytes);
	memset(batch->room + bytes, 0, batch->blocks * SA_JOURNAL_BLOCK - bytes);
	return batch->blocks < 1 + (uint32) batch->copies;
}

/* A batch with room in the ring counts.  Caller holds the lock. */
static void
count_batch(int count, const SaBatch *batch)
{
	shared->batches += count > 0;
	shared->pages += count;
	shared->new_pages += count - batch->copies;
	shared->packed_pages += sa_batch_is_packed(batch) ? batch->copies : 0;
	shared->blocks += batch->blocks;
}

/*
 * Reserve room for the pages of these slots, which are in flight; their order
 * changes.  With batch->room the batch is packed if that makes it smaller.  After SA_RESERVED, sa_doublewrite_write() and then
 * sa_doublewrite_placed() for each of them must follow, whatever happens.
 */
SaReserved
sa_doublewrite_reserve(int *slots, int count, SaBatch *batch)
{
	SaReserved	result = SA_RESERVED;
	SaRingPlace *place = &batch->place;

	if (!sa_doublewrite_is_open())
		return SA_RESERVED_CLOSED;
	batch->redo = redo_begun();
	batch->copies = put_new_pages_last(slots, count, batch->redo);
	if (batch->room == NULL || !pack(slots, count, batch))
		lay_out(batch);
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (!shared->open)
		result = SA_RESERVED_CLOSED;
	else if (!sa_ring_reserve(&shared->ring, count, batch->copies, batch->blocks, place))
		result = SA_RESERVED_FULL;
	for (int i = 0; i < count && result == SA_RESERVED; i++)
		make_key(section_keys(place->section) + place->first_key + i, &sa_pool_slot(slots[i])->key);
	if (result == SA_RESERVED && place->first_key == 0)
		wake_retirer();			/* a section begins: the one before takes no more */
	if (result == SA_RESERVED)
		count_batch(count, batch);
	shared->waits += result == SA_RESERVED_FULL;
	LWLockRelease(shared->lock);
	return result;
}

/* Write so many parts of a batch, of so many blocks in all, to where it belongs, durably. */
static void
write_blocks(struct iovec *iov, int count, uint32 blocks, uint64 offset)
{
	ssize_t		length = (ssize_t) blocks * SA_JOURNAL_BLOCK;
	ssize_t		done = 0;

	pgstat_report_wait_start(WAIT_EVENT_DATA_FILE_WRITE);
	for (int i = 0; i < MAX_WRITE_TRIES; i++)
	{
		done = pwritev2(descriptor(), iov, count, offset, RWF_DSYNC);
		if (done == length || (done < 0 && errno != EINTR && errno != EAGAIN))
			break;
	}
	pgstat_report_wait_end();
	if (done == length)
		return;
	if (done >= 0)
		errno = EIO;
	panic("write");
}

/* Write the batch to the journal.  It is durable when this returns. */
void
sa_doublewrite_write(const int *slots, int count, const SaBatch *batch)
{
	SaJournalEntry entries[SA_JOURNAL_MAX_ENTRIES] = {0};
	struct iovec iov[SA_JOURNAL_MAX_ENTRIES + 1];
	bool		packed = sa_batch_is_packed(batch);

	for (int i = 0; i < count; i++)
	{
		char	   *page = sa_pool_page(slots[i]);

		make_key(&entries[i].key, &sa_pool_slot(slots[i])->key);
		entries[i].crc = sa_journal_page_crc(page);
		entries[i].lsn = sa_journal_page_lsn(page);
		entries[i].length = i < batch->copies ? batch->lengths[i] : 0;
		iov[i + 1].iov_base = page;
		iov[i + 1].iov_len = BLCKSZ;
	}
	iov[0].iov_base = packed ? batch->room : sa_journal_buffer();
	iov[0].iov_len = packed ? batch->blocks * SA_JOURNAL_BLOCK : SA_JOURNAL_BLOCK;
	sa_journal_encode_header(&shared->super, SA_JOURNAL_PAGES, &batch->place, batch->redo,
							 entries, count, batch->copies, batch->start, iov[0].iov_base);
	write_blocks(iov, packed ? 1 : batch->copies + 1, batch->blocks, batch->place.offset);
}

/* A writer has found how many pages should be on their way at once (sa_batches_limit()). */
void
sa_doublewrite_set_chunk(uint32 pages)
{
	pg_atomic_write_u32(&shared->chunk, pages);
}

/* And the retirer asks. */
uint32
sa_doublewrite_chunk(void)
{
	return pg_atomic_read_u32(&shared->chunk);
}

/* The retirer makes a pause. */
void
sa_doublewrite_count_pause(void)
{
	pg_atomic_fetch_add_u64(&shared->pauses, 1);
}

/* The retirer's latch, or NULL when it ends. */
void
sa_doublewrite_set_retirer(Latch *latch)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->retirer = latch;
	LWLockRelease(shared->lock);
}

/*
 * So many pages of a section have been written to their place, or are in the
 * pool again without having been.
 */
void
sa_doublewrite_placed(int section, int count)
{
	bool		complete;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	sa_ring_done(&shared->ring, section, count);
	complete = shared->ring.sections[section].outstanding == 0;
	if (complete && section != sa_ring_section(&shared->ring, shared->ring.live - 1))
		wake_retirer();
	LWLockRelease(shared->lock);
	if (complete)
		ConditionVariableBroadcast(&shared->progress);
}

/*
 * Retire what can be retired.  False if that is nothing.
 */
bool
sa_doublewrite_retire(void)
{
	SaFileSet	files = {0};
	uint64		window = 0;
	int			count;

	lock_retiring();
	LWLockAcquire(shared->lock, LW_SHARED);
	count = sa_ring_retirable(&shared->ring);
	for (int i = 0; i < count; i++)
	{
		int			section = sa_ring_section(&shared->ring, i);

		for (uint32 k = 0; k < shared->ring.sections[section].pages; k++)
		{
			if (section_keys(section)[k].relation != 0)
				sa_file_set_add(&files, section_keys(section) + k);
		}
	}
	if (count > 0)
		window = sa_ring_window_after(&shared->ring, count);
	LWLockRelease(shared->lock);

	if (count > 0)
	{
		sa_file_set_sync(&files);
		shared->super.window_start = window;
		write_super();
		LWLockAcquire(shared->lock, LW_EXCLUSIVE);
		sa_ring_retire(&shared->ring, count);
		shared->retirements++;
		LWLockRelease(shared->lock);
	}
	LWLockRelease(shared->retire_lock);
	if (count > 0)
		ConditionVariableBroadcast(&shared->progress);
	return count > 0;
}

/* ---- the retirer ---- */

/* Has somebody taken the journal away?  It is in use until images are on. */
bool
sa_doublewrite_has_moved(void)
{
	return shared->moved;
}

/* Pages that the ring has at most. */
uint32
sa_doublewrite_pages_max(void)
{
	return SA_JOURNAL_SECTIONS * section_pages();
}

/* And of which there are copies. */
uint32
sa_doublewrite_copies_max(void)
{
	return SA_JOURNAL_SECTIONS * section_blocks();
}

/*
 * Retirer: copy the keys of the pages that are to be written back now, of those that
 * came to the journal as number *done or later (counted from the start).  If it is
 * time to retire these are all there are, so that little is left to fdatasync();
 * else, if "soon", those of complete sections.  *done becomes the number of the next
 * one.  Pages that are void by now have no relation; some of the last batch may not
 * be in place yet.  Returns how many keys, at most sa_doublewrite_pages_max();
 * *retire: sa_doublewrite_retire() is to follow.
 */
uint32
sa_doublewrite_due_pages(uint64 *done, bool soon, SaJournalKey *copy, bool *retire)
{
	uint64		number;			/* of a section's first page */
	uint32		count = 0;
	int			complete;
	int			due;

	LWLockAcquire(shared->lock, LW_SHARED);
	complete = shared->available ? sa_ring_retirable(&shared->ring) : 0;
	*retire = complete > 0 && shared->ring.live >= RETIRE_AT;
	due = *retire ? (int) shared->ring.live : soon ? complete : 0;
	number = shared->pages;
	for (uint32 i = 0; i < shared->ring.live; i++)
		number -= shared->ring.sections[sa_ring_section(&shared->ring, i)].pages;
	for (int i = 0; i < due; i++)
	{
		int			nth = sa_ring_section(&shared->ring, i);
		uint32		pages = shared->ring.sections[nth].pages;
		uint32		first = *done > number ? (uint32) Min(*done - number, pages) : 0;

		memcpy(copy + count, section_keys(nth) + first, (pages - first) * sizeof(SaJournalKey));
		count += pages - first;
		number += pages;
		*done = Max(*done, number);
	}
	LWLockRelease(shared->lock);
	return count;
}

/* ---- making room ---- */

/* Are no more than so many sections free? */
static bool
has_few_left(uint32 sections)
{
	bool		few;

	LWLockAcquire(shared->lock, LW_SHARED);
	few = shared->ring.live + sections >= SA_JOURNAL_SECTIONS;
	LWLockRelease(shared->lock);
	return few;
}

static bool
is_full(void)
{
	return has_few_left(0);
}

/* Retirer: may it take its time? */
bool
sa_doublewrite_has_room(void)
{
	return !has_few_left(2);
}

/* Retirer: may it go on writing back before it retires, because bandwidth is short and there is room meanwhile? */
bool
sa_doublewrite_may_go_on(void)
{
	return sa_doublewrite_chunk() != PG_UINT32_MAX && !has_few_left(1);
}

/* Pages that have come to the journal, since the start. */
uint64
sa_doublewrite_pages(void)
{
	uint64		pages;

	LWLockAcquire(shared->lock, LW_SHARED);
	pages = shared->pages;
	LWLockRelease(shared->lock);
	return pages;
}

/*
 * Wait until there may be room for another batch.  The caller has nothing
 * reserved.
 */
void
sa_doublewrite_make_room(void)
{
	ConditionVariablePrepareToSleep(&shared->progress);
	if (is_full() && !sa_doublewrite_retire() && is_full())
		(void) ConditionVariableTimedSleep(&shared->progress, WAIT_MS, PG_WAIT_EXTENSION);
	ConditionVariableCancelSleep();
}

/* ---- forgetting ---- */

/* Is a batch before this sequence number in the window? */
static bool
window_reaches_before(uint64 sequence)
{
	bool		reaches;

	LWLockAcquire(shared->lock, LW_SHARED);
	reaches = shared->ring.live > 0 &&
		shared->ring.sections[sa_ring_section(&shared->ring, 0)].end_sequence <= sequence;
	LWLockRelease(shared->lock);
	return reaches;
}

/*
 * Retire all that has been written until now: no copy of it counts any more,
 * and every page of it is durable in place.  The caller has nothing reserved.
 */
void
sa_doublewrite_void(void)
{
	uint64		end;

	if (shared == NULL || !shared->available)
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	sa_ring_seal(&shared->ring);
	end = shared->ring.next_sequence;
	LWLockRelease(shared->lock);
	ConditionVariablePrepareToSleep(&shared->progress);
	while (window_reaches_before(end))
	{
		if (!sa_doublewrite_retire())
			(void) ConditionVariableTimedSleep(&shared->progress, WAIT_MS, PG_WAIT_EXTENSION);
	}
	ConditionVariableCancelSleep();
}

/*
 * Look for pages in the window that a "forget" with this key means.  With a
 * set, add their files; without, strike them out.  Caller holds the lock.
 */
static bool
find_covered(const SaJournalKey *forget, SaFileSet *files)
{
	bool		found = false;

	for (uint32 i = 0; i < shared->ring.live; i++)
	{
		int			section = sa_ring_section(&shared->ring, i);

		for (uint32 k = 0; k < shared->ring.sections[section].pages; k++)
		{
			SaJournalKey *key = section_keys(section) + k;

			if (!sa_journal_covers(forget, key))
				continue;
			found = true;
			if (files != NULL)
				sa_file_set_add(files, key);
			else
				key->relation = 0;
		}
	}
	return found;
}

static void
write_forget(const SaJournalKey *key)
{
	SaJournalEntry entry = {.key = *key};
	struct iovec iov = {.iov_base = sa_journal_buffer(), .iov_len = SA_JOURNAL_BLOCK};
	SaBatch		batch = {.room = NULL};
	SaReserved	reserved;

	while ((reserved = sa_doublewrite_reserve(NULL, 0, &batch)) == SA_RESERVED_FULL)
		sa_doublewrite_make_room();
	if (reserved == SA_RESERVED_CLOSED)
	{
		sa_doublewrite_void();	/* is being closed: void comes to the same */
		return;
	}
	sa_journal_encode_header(&shared->super, SA_JOURNAL_FORGET, &batch.place, batch.redo, &entry, 1, 0,
							 SA_JOURNAL_BLOCK, iov.iov_base);
	write_blocks(&iov, 1, 1, batch.place.offset);
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	(void) find_covered(key, NULL);
	LWLockRelease(shared->lock);
	sa_doublewrite_placed(batch.place.section, 1);
}

/*
 * Copies of pages from first_block on, of one fork or all, are void when this
 * returns.  The file is about to be shortened or removed; none of these pages
 * is in the pool or on its way.
 */
void
sa_doublewrite_forget(SaRelFile rel, ForkNumber fork, BlockNumber first_block)
{
	SaPageKey	first = {.rel = rel, .fork = fork, .block = first_block};
	SaJournalKey key;
	SaFileSet	files = {0};
	bool		found;

	if (shared == NULL || !shared->available)
		return;
	make_key(&key, &first);
	LWLockAcquire(shared->lock, LW_SHARED);
	found = find_covered(&key, &files);
	LWLockRelease(shared->lock);
	if (!found)
		return;
	lock_retiring();
	sa_file_set_sync(&files);
	LWLockRelease(shared->retire_lock);
	write_forget(&key);
}
