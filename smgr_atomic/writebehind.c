/*-------------------------------------------------------------------------
 *
 * writebehind.c
 *	  The shared pool between those who hand pages over and the device.
 *
 * A backend that evicts a dirty page should not wait for the device.  Stock
 * PostgreSQL copies the page into the kernel's page cache; here it is copied
 * into a slot of a pool in shared memory, and writers (writer.c) carry slots to
 * their place, many at a time, each atomically.  Unlike the page cache the
 * pool is bounded, never writes half a page, and keeps the device busy evenly.
 *
 * A page in the pool is a page written, for everybody but the device:
 *
 * - Written again while queued: the image is replaced in its slot.  Written
 *	 again while in flight: the caller waits until that write is done and then
 *	 gets a slot, so two writes of one block are never under way together and
 *	 the newer one wins.
 * - Read: every read looks here first.  A slot leaves the table only after
 *	 its write has completed, so a reader that misses finds that image or a
 *	 newer one in the file.
 * - Sync: before a file is fsynced (checkpoint, immedsync, full sync queue) its
 *	 slots are drained, so whatever fsync covers in stock it covers here.  And
 *	 each checkpoint drains everything accepted before its end (fpw.c), so
 *	 what reads files behind the server's back after a checkpoint (CREATE
 *	 DATABASE ... STRATEGY file_copy, ALTER DATABASE SET TABLESPACE, DROP
 *	 DATABASE) finds them complete and no late write comes.
 * - Truncate and unlink: slots of blocks that go away are discarded, and those
 *	 in flight waited for, before the file is touched.  Then
 *	 forget_generation is raised, and writers close their descriptors before
 *	 they write anything claimed later; so no late write lands on a file that
 *	 was shortened, removed or created again under the same name.
 *	 Directories of databases that are dropped or moved vanish without a call
 *	 that reaches us; but between the last page handed over for them and their
 *	 removal comes the end of a checkpoint, or in recovery a barrier, where the
 *	 pool is drained and the generation raised too (sa_pool_let_go()).  Only a
 *	 database whose creation fails vanishes without either: see newdb.c.
 * - Crash of a process: shared memory is reset and accepted pages are lost,
 *	 as dirty shared buffers are.  No checkpoint has counted them, so redo
 *	 brings them back.
 *
 * In recovery no checkpoint comes before directories are copied or removed;
 * there the startup process drains the pool at the barrier that does (see
 * barrier.c), and waits for pages of init forks, whose files it copies.
 *
 * Nobody waits for a process that cannot run: whoever needs a slot to be
 * written or freed writes a batch itself if no writer is running (shutdown
 * checkpoint, standalone server, before the writers' start).
 *
 * Nobody is overtaken for ever:
 *
 * - Who finds no free slot stands in line, and a slot that is freed is granted
 *	 to the first in line, who alone is woken; a newcomer never gets past those
 *	 who wait, because no slot is available to anybody while somebody waits.
 *	 Who gives up leaves the line, unless it was granted one meanwhile.
 * - Each page has a number, drawn when its slot is taken.  A drain waits for
 *	 pages with numbers drawn before it began, not for those that follow them
 *	 into the same slots: under constant load it takes as long as writing the
 *	 pool once.
 *
 * No space.  A page whose write found no space (ENOSPC: copy-on-write) cannot
 * leave, and its caller has gone.  It is held: it keeps its slot, can be read,
 * replaced and discarded as if it were queued, but is tried again only every
 * SPACE_RETRY_US, some pages at a time, and without delay as soon as one such
 * page has gone.  So that others do not suffer:
 *
 * - A tablespace of which a page is held gets no more slots while it has half of
 *	 the pool or more; its pages are then not taken (SA_NO_SPACE).  The caller
 *	 writes them itself and gets the error that there is no space, or, if there
 *	 is by now, gets on.  That errs on the safe side: tablespaces are told apart
 *	 by a few bits of their OIDs.
 * - If every slot has a page that found no space (they came before that was
 *	 known), pages of other tablespaces are not taken either, and those in line
 *	 are told: they write themselves.
 * - An error beats waiting there, because the caller holds a buffer that DROP
 *	 TABLE would wait for, and dropping it is what may give space (DROP DATABASE
 *	 waits, for the end of its checkpoint).  Only where an
 *	 error is the end of recovery, it is waited (SA_PATIENT).
 * - Drains wait, as they hold nothing, except that of a process that has to sync
 *	 a file because the server's queue of sync requests is full.  So that this
 *	 is rare the checkpointer empties the queue while it waits here.
 *
 * What waits can be cancelled?  A caller that writes a shared buffer holds its
 * content lock, which holds interrupts (LWLockAcquire()), and since 18 so does
 * smgrwritev() itself: those waits end with the slot, the page or the error.
 * Who writes around shared buffers before 18 (SA_CANCELLABLE) leaves the line
 * when cancelled or terminated; drains and settling are interruptible unless the
 * caller holds interrupts.
 *
 * What protects what
 *
 *	  buckets, slot->next, slot->key, slot->state,		partition lock of the key
 *	  slot->awaited, page images
 *	  slot->number				written under the partition lock, after the key;
 *								NO_NUMBER when no page is there.  Numbers never
 *								come twice, so who reads the same one before and
 *								after has looked at one page all the time
 *	  free bit of a slot		atomic; who clears it owns the slot, and fills
 *								it before it can be found
 *	  queued bit of a slot		atomic; who clears it may start the write or
 *								discard the slot; nobody else will
 *	  held bit of a slot		as the queued bit; a slot has at most one of them
 *	  slot->refusals, pages_of,	partition lock of the key, and atomic
 *	  refused_of, refused
 *	  line, waiter->granted,	line_mutex; the latter two also read without it:
 *	  available					"granted" by its owner, after it has prepared to
 *								sleep on what is broadcast then.  So many free
 *								bits are set as slots are available or granted
 *	  numbers, forget_generation	atomic
 *	  counters, flags			atomics, no order needed
 *	  writers[]					spinlock
 *
 * A slot's way: free bit cleared (owner) -> filled, in table, QUEUED, queued
 * bit set (partition lock) -> queued bit cleared (claimer or discarder) ->
 * IN_FLIGHT (partition lock; from here the image is frozen) -> written -> out
 * of the table, FREE (partition lock) -> free bit set.  Between the clearing
 * of the queued bit and IN_FLIGHT the image may still be replaced; the claimer
 * then writes the newer one.  A failed write goes back from IN_FLIGHT to
 * QUEUED, with the queued or the held bit.  At most one partition lock is held at
 * a time, and nothing is waited for while holding one.
 *
 * From standing in line to the page's place in the table interrupts are held and
 * nothing raises an error (who helps itself allocates without error, see
 * writer.c), so neither a place in line nor a slot is ever lost.  There, and while
 * it owns a bit, a background worker is not terminated (worker.c).
 *
 * Reading without a lock.  is_empty() and the head of a chain are looked at
 * before any lock is taken, so a read costs next to nothing where the pool has
 * nothing for it.  What makes that right is that the reader came after the page
 * was accepted, in the order that the server's locks make: a page is handed over
 * out of a buffer before that buffer loses the block (under the lock of the
 * block's mapping partition), and a read of the block begins after its new
 * buffer was found under that same lock.  So the reader sees the slot as taken
 * and the chain's head as set by then; a head never is -1 in between while the
 * chain has a page, each being one aligned word.  If the page has left since, its
 * write had completed before, and the file has it.
 *
 * Waking.  Each sleep is prepared (announced) before its reason is looked at
 * once more, and who changes the reason does so before it looks for sleepers;
 * contrib-bench/lab/model/wake.pml has the protocol.  Timeouts are for reasons
 * that lie outside: held pages, a device that comes back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/pg_bitutils.h"
#include "postmaster/bgwriter.h"
#include "storage/condition_variable.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "storage/spin.h"

#include "smgr_atomic.h"
#include "worker.h"
#include "writebehind.h"
#include "writer.h"

#define LATENCY_BUCKETS 40		/* bucket i: below 2^i microseconds */
#define WAIT_MS 1000			/* a wait looks again at least this often */
#define CHECKPOINTER_WAIT_MS 100	/* the checkpointer's, that takes sync requests meanwhile */
#define SPACE_RETRY_US 200000	/* between attempts to write pages that found no space */
#define SPACE_RETRY_PAGES 64	/* in one such attempt */
#define SPACES 64				/* tablespaces are told apart by their OIDs modulo this */
#define WAKE_PAGES 128			/* so many queued pages end a writer's nap */
#define PRESSED_US 2000000		/* for so long after somebody began to wait, or looked again, writers do not pause */
#define WAIT_QUEUES 32			/* those who wait are spread over so many */
#define NO_NUMBER PG_UINT64_MAX

/* A process in line for a slot; each has one. */
typedef struct Waiter
{
	dlist_node	node;
	bool		granted;		/* out of the line, a slot is its own */
} Waiter;

typedef struct PoolShared
{
	pg_atomic_uint32 accepting;
	pg_atomic_uint32 proven;	/* reads, truncations, removals come to us */
	pg_atomic_uint64 numbers;	/* drawn so far; the next page's */
	pg_atomic_uint32 in_flight;
	pg_atomic_uint32 refused;	/* slots with pages that found no space */
	pg_atomic_uint32 refused_of[SPACES];	/* the same by tablespace */
	pg_atomic_uint32 pages_of[SPACES];	/* slots with pages, by tablespace */
	pg_atomic_uint64 space_retry;	/* when to try them again, a TimestampTz */
	pg_atomic_uint32 held_hand; /* slot where the next of them is looked for */
	pg_atomic_uint32 hand;		/* word where the next claim begins */
	pg_atomic_uint32 free_hint; /* word where the next search for a slot begins: about the first with one */
	pg_atomic_uint32 hurry;		/* somebody waits: writers should not gather pages */
	pg_atomic_uint64 pressed;	/* when somebody waited last who should not for long, a TimestampTz */
	pg_atomic_uint64 forget_generation;
	ConditionVariable turn[WAIT_QUEUES];	/* by waiter: it was granted a slot */
	ConditionVariable done[WAIT_QUEUES];	/* by slot: its page has left, or was queued again */

	slock_t		line_mutex;		/* protects the following two */
	dlist_head	line;			/* of Waiters */
	pg_atomic_uint32 available; /* free slots that nobody was granted; not > 0 while there is a line */

	slock_t		mutex;			/* protects the following */
	int			running;
	Latch	   *writers[SA_MAX_WRITERS];	/* NULL = not running */
	int			sleeping;		/* of the running ones; also read without it */
	SaRest		rests[SA_MAX_WRITERS];
	bool		io_uring;
	int			io_uring_errno;

	/* counters */
	pg_atomic_uint64 accepted;
	pg_atomic_uint64 combined;
	pg_atomic_uint64 coalesced;
	pg_atomic_uint64 writes;
	pg_atomic_uint64 written;
	pg_atomic_uint64 reads;
	pg_atomic_uint64 discarded;
	pg_atomic_uint64 waits;
	pg_atomic_uint64 helped;
	pg_atomic_uint64 pauses;
	pg_atomic_uint64 latency[LATENCY_BUCKETS];
} PoolShared;

static PoolShared *shared = NULL;
static uint32 wait_event_pool;	/* for a free slot, or for a page to be written */
static SaSlot *slots = NULL;
static char *pages = NULL;
static pg_atomic_uint64 *free_bits = NULL;
static pg_atomic_uint64 *queued_bits = NULL;
static pg_atomic_uint64 *held_bits = NULL;
static Waiter *waiters = NULL;	/* by number of the process */
static LWLockPadded *locks = NULL;
static int *buckets = NULL;		/* first slot of each chain, -1 = none */

/* Number of slots, a multiple of 64; 0 = no pool. */
static int
pool_slots(void)
{
	return (int) TYPEALIGN(64, ((uint64) sa_write_behind_size * 1024 + BLCKSZ - 1) / BLCKSZ);
}

static int
pool_words(void)
{
	return pool_slots() / 64;
}

/* Chains; a multiple of SA_POOL_PARTITIONS, so each has one lock. */
static int
bucket_count(void)
{
	return 2 * pool_slots();
}

static Size
bits_size(void)
{
	return mul_size(pool_words(), sizeof(pg_atomic_uint64));
}

Size
sa_pool_shmem_size(void)
{
	Size		size = sizeof(PoolShared);

	if (pool_slots() == 0)
		return size;
	size = add_size(size, mul_size(pool_slots(), sizeof(SaSlot)));
	size = add_size(size, mul_size(pool_slots() + 1, BLCKSZ));
	size = add_size(size, mul_size(3, bits_size()));
	size = add_size(size, mul_size(bucket_count(), sizeof(int)));
	size = add_size(size, mul_size(saProcCount(), sizeof(Waiter)));
	return add_size(size, 7 * PG_CACHE_LINE_SIZE);
}

static void
init_control(void)
{
	memset(shared, 0, sizeof(PoolShared));
	pg_atomic_write_u32(&shared->available, pool_slots());
	dlist_init(&shared->line);
	SpinLockInit(&shared->line_mutex);
	for (int i = 0; i < WAIT_QUEUES; i++)
	{
		ConditionVariableInit(&shared->turn[i]);
		ConditionVariableInit(&shared->done[i]);
	}
	SpinLockInit(&shared->mutex);
	for (int word = 0; word < pool_words(); word++)
	{
		pg_atomic_init_u64(&free_bits[word], ~UINT64CONST(0));
		pg_atomic_init_u64(&queued_bits[word], 0);
		pg_atomic_init_u64(&held_bits[word], 0);
	}
}

/* Called from shmem_startup_hook.  The pool takes nothing until told. */
void
sa_pool_shmem_init(void)
{
	bool		found;
	char	   *raw;

	wait_event_pool = saWaitEvent("SmgrAtomicPool");
	shared = ShmemInitStruct("smgr_atomic pool", sizeof(PoolShared), &found);
	if (pool_slots() == 0)
	{
		if (!found)
			init_control();
		return;
	}
	slots = ShmemInitStruct("smgr_atomic pool slots", pool_slots() * sizeof(SaSlot), &found);
	raw = ShmemInitStruct("smgr_atomic pool pages", (Size) (pool_slots() + 1) * BLCKSZ, &found);
	pages = (char *) TYPEALIGN(BLCKSZ, raw);
	free_bits = ShmemInitStruct("smgr_atomic pool free", bits_size(), &found);
	queued_bits = ShmemInitStruct("smgr_atomic pool queued", bits_size(), &found);
	held_bits = ShmemInitStruct("smgr_atomic pool held", bits_size(), &found);
	waiters = ShmemInitStruct("smgr_atomic pool waiters", saProcCount() * sizeof(Waiter), &found);
	locks = GetNamedLWLockTranche(SA_POOL_LOCKS);
	buckets = ShmemInitStruct("smgr_atomic pool buckets", bucket_count() * sizeof(int), &found);
	if (found)
		return;
	memset(slots, 0, pool_slots() * sizeof(SaSlot));
	for (int slot = 0; slot < pool_slots(); slot++)
		pg_atomic_init_u64(&slots[slot].number, NO_NUMBER);
	for (int i = 0; i < bucket_count(); i++)
		buckets[i] = -1;
	init_control();
}

/*
 * Let the pool take pages, or not any more.  Pages in it stay until they are
 * written; processes that are handing one over just now may still do so.
 */
void
sa_pool_set_accepting(bool accepting)
{
	pg_atomic_write_u32(&shared->accepting, accepting && pool_slots() > 0);
	/* the method may change next, and with it how files are opened */
	pg_atomic_fetch_add_u64(&shared->forget_generation, 1);
	pg_memory_barrier();
}

/*
 * The server calls through its table for all that the pool depends on
 * (entries.c).  Before a writer has found that, the pool takes nothing.
 */
void
sa_pool_is_proven(void)
{
	pg_atomic_write_u32(&shared->proven, 1);
}

static bool
takes_pages(void)
{
	return pg_atomic_read_u32(&shared->accepting) != 0 && pg_atomic_read_u32(&shared->proven) != 0;
}

/* Slots that are taken. */
static uint32
slots_used(void)
{
	return pool_slots() - pg_atomic_read_u32(&shared->available);
}

/* For readers and drains, see above; costs no lock. */
static bool
is_empty(void)
{
	/* after what told the caller that the page is not in its buffer any more */
	pg_read_barrier();
	return shared == NULL || pool_slots() == 0 || slots_used() == 0;
}

SaSlot *
sa_pool_slot(int slot)
{
	return &slots[slot];
}

char *
sa_pool_page(int slot)
{
	return pages + (Size) slot * BLCKSZ;
}

/* Raised whenever descriptors of writers may mean files that are gone. */
uint64
sa_pool_forget_generation(void)
{
	return pg_atomic_read_u64(&shared->forget_generation);
}

static uint32
hash_of(const SaPageKey *key)
{
	return hash_bytes((const unsigned char *) key, sizeof(SaPageKey));
}

static LWLock *
lock_of(uint32 hash)
{
	return &locks[hash % SA_POOL_PARTITIONS].lock;
}

static int *
chain_of(uint32 hash)
{
	return &buckets[hash % bucket_count()];
}

/* The slot that holds a page, -1 = none.  Caller holds the partition's lock. */
static int
lookup(const SaPageKey *key, uint32 hash)
{
	int			slot = *chain_of(hash);

	while (slot >= 0 && memcmp(&slots[slot].key, key, sizeof(SaPageKey)) != 0)
		slot = slots[slot].next;
	return slot;
}

/* Set or clear a bit; returns whether that changed it. */
static bool
set_bit(pg_atomic_uint64 *bits, int slot)
{
	uint64		mask = UINT64CONST(1) << (slot % 64);

	return (pg_atomic_fetch_or_u64(&bits[slot / 64], mask) & mask) == 0;
}

static bool
clear_bit(pg_atomic_uint64 *bits, int slot)
{
	uint64		mask = UINT64CONST(1) << (slot % 64);

	return (pg_atomic_fetch_and_u64(&bits[slot / 64], ~mask) & mask) != 0;
}

/*
 * Take a free slot.  There is one for whoever was granted one.
 *
 * One of the first, so that what is used is no more than what is needed at a
 * time: it stays in the processor's caches, and each process has it in its page
 * table after a while.  (Taken in turn, every slot would be new to a process for
 * as long as it has not been round all of the pool: three page faults in each
 * transaction of an evicting load.)
 */
static int
take_free_slot(void)
{
	uint32		start = pg_atomic_read_u32(&shared->free_hint);

	for (uint32 i = 0;; i++)
	{
		uint32		word = (start + i) % pool_words();
		uint64		bits;

		while ((bits = pg_atomic_read_u64(&free_bits[word])) != 0)
		{
			int			slot = word * 64 + pg_rightmost_one_pos64(bits);

			if (!clear_bit(free_bits, slot))
				continue;		/* somebody else was faster */
			if (i > 0)
				pg_atomic_write_u32(&shared->free_hint, word);
			return slot;
		}
	}
}

/*
 * So many slots were freed: grant them to those who are first in line, and wake
 * these; what is left is available to anybody.
 */
static void
grant(int count)
{
	uint32		queues = 0;		/* as bits */

	StaticAssertStmt(WAIT_QUEUES == 32, "a queue is a bit");
	SpinLockAcquire(&shared->line_mutex);
	for (; count > 0 && !dlist_is_empty(&shared->line); count--)
	{
		Waiter	   *first = dlist_container(Waiter, node, dlist_pop_head_node(&shared->line));

		first->granted = true;
		queues |= 1U << ((first - waiters) % WAIT_QUEUES);
	}
	pg_atomic_write_u32(&shared->available, pg_atomic_read_u32(&shared->available) + count);
	SpinLockRelease(&shared->line_mutex);
	for (; queues != 0; queues &= queues - 1)
		ConditionVariableBroadcast(&shared->turn[pg_rightmost_one_pos32(queues)]);
}

/* Take an available slot, else stand in line.  Returns whether there was one. */
static bool
stand_in_line(Waiter *waiter)
{
	uint32		available;

	SpinLockAcquire(&shared->line_mutex);
	available = pg_atomic_read_u32(&shared->available);
	waiter->granted = available > 0;
	if (available > 0)
		pg_atomic_write_u32(&shared->available, available - 1);
	else
		dlist_push_tail(&shared->line, &waiter->node);
	SpinLockRelease(&shared->line_mutex);
	return available > 0;
}

/* Leave the line; false if a slot was granted meanwhile. */
static bool
leave_line(Waiter *waiter)
{
	bool		granted;

	SpinLockAcquire(&shared->line_mutex);
	granted = waiter->granted;
	if (!granted)
		dlist_delete(&waiter->node);
	SpinLockRelease(&shared->line_mutex);
	return !granted;
}

/* grant() is to follow. */
static void
free_slot(int slot)
{
	uint32		word = slot / 64;

	set_bit(free_bits, slot);
	if (word < pg_atomic_read_u32(&shared->free_hint))
		pg_atomic_write_u32(&shared->free_hint, word);
}

static void
give_back_slot(int slot)
{
	free_slot(slot);
	grant(1);
}

/* Wake a writer that rests in this way, or deeper. */
static void
wake_writer(SaRest rest)
{
	Latch	   *latch = NULL;

	SpinLockAcquire(&shared->mutex);
	for (int i = 0; i < SA_MAX_WRITERS && latch == NULL; i++)
	{
		if (shared->writers[i] == NULL || shared->rests[i] < rest)
			continue;
		latch = shared->writers[i];
		if (shared->rests[i] == SA_REST_SLEEP)
			shared->sleeping--;
		shared->rests[i] = SA_REST_AWAKE;
	}
	SpinLockRelease(&shared->mutex);
	if (latch != NULL)
		SetLatch(latch);
}

static uint64
wake_pages(void)
{
	return Min(WAKE_PAGES, pool_slots() / 8);
}

/*
 * Writer: is it worth a batch, or should more pages gather first?  They should
 * not if somebody waits, for a page or for a slot.
 */
bool
sa_pool_has_many(void)
{
	return slots_used() >= pg_atomic_read_u32(&shared->in_flight) +
		pg_atomic_read_u32(&shared->refused) + wake_pages() || pg_atomic_read_u32(&shared->hurry) != 0;
}

static ConditionVariable *
turn_of(const Waiter *waiter)
{
	return &shared->turn[(waiter - waiters) % WAIT_QUEUES];
}

static int
running_writers(void)
{
	return *(volatile int *) &shared->running;
}

/*
 * A page is queued.  If no writer runs, the first in line writes it, and may be
 * asleep because there was nothing to write when it looked.  (Who waits for this
 * very page is told by whoever moves it.)
 */
static void
wake_first_in_line(void)
{
	ConditionVariable *cv = NULL;

	if (running_writers() > 0)
		return;
	SpinLockAcquire(&shared->line_mutex);
	if (!dlist_is_empty(&shared->line))
		cv = turn_of(dlist_container(Waiter, node, dlist_head_node(&shared->line)));
	SpinLockRelease(&shared->line_mutex);
	if (cv != NULL)
		ConditionVariableBroadcast(cv);
}

/*
 * A page was queued.  If all writers sleep one must be woken; if one naps or
 * works it will see the page, unless so many have gathered that it should now.
 * The values are read without the lock: a writer that goes to sleep just now
 * looks for queued pages once more after it has said so.  If no writer runs, who
 * is in line may have seen nothing to write before.
 */
static void
page_was_queued(void)
{
	bool		many = slots_used() % wake_pages() == 0;

	pg_memory_barrier();
	if (many || *(volatile int *) &shared->sleeping == *(volatile int *) &shared->running)
		wake_writer(many ? SA_REST_NAP : SA_REST_SLEEP);
	wake_first_in_line();
}

/* Are there pages that found no space, and is it time to try them again? */
static bool
space_retry_due(void)
{
	int64		left;

	if (pg_atomic_read_u32(&shared->refused) == 0)
		return false;
	left = (int64) pg_atomic_read_u64(&shared->space_retry) - GetCurrentTimestamp();
	return left <= 0 || left > SPACE_RETRY_US;	/* the latter: the clock was set back */
}

/*
 * Is it nobody's loss if this process waits a little longer?  (Who wants to change the page that
 * it writes waits too, for a pause at most.)
 */
static bool
may_wait_long(void)
{
	return MyBackendType == B_CHECKPOINTER || MyBackendType == B_BG_WRITER || MyBackendType == B_AUTOVAC_WORKER;
}

static long
wait_ms(void)
{
	if (AmCheckpointerProcess())
		return CHECKPOINTER_WAIT_MS;
	return pg_atomic_read_u32(&shared->refused) > 0 ? SPACE_RETRY_US / 1000 : WAIT_MS;
}

/*
 * Sleep for a while, until woken; or, if pages are queued and no writer is
 * running, write a batch here.  The caller has prepared to sleep on cv, and
 * looks afterwards whether what it waits for has come.
 *
 * In a critical section (sa_pool_discard()) only pages in flight are waited
 * for, so there is somebody who writes them.
 */
static void
wait_on(ConditionVariable *cv)
{
	if (running_writers() == 0 && CritSectionCount == 0 && sa_pool_has_queued())
	{
		bool		helped;

		ConditionVariableCancelSleep();
		helped = sa_writer_help();
		CHECK_FOR_INTERRUPTS();
		ConditionVariablePrepareToSleep(cv);
		if (helped)
			return;
	}
	pg_atomic_write_u32(&shared->hurry, 1);
	if (may_wait_long())
		wake_writer(SA_REST_NAP);
	else
	{
		pg_atomic_write_u64(&shared->pressed, GetCurrentTimestamp());
		wake_writer(SA_REST_PAUSE);
	}
	(void) ConditionVariableTimedSleep(cv, wait_ms(), wait_event_pool);
}

static int
space_of(const SaPageKey *key)
{
	return saTablespace(key->rel) % SPACES;
}

/* Has the tablespace no space, and half of the pool already? */
static bool
has_its_share(const SaPageKey *key)
{
	return pg_atomic_read_u32(&shared->refused_of[space_of(key)]) > 0 &&
		pg_atomic_read_u32(&shared->pages_of[space_of(key)]) >= pool_slots() / 2;
}

/* Why a caller should not wait for a slot any longer; SA_TAKEN = it should. */
static SaHanded
reason_to_leave(const SaPageKey *key, int patience)
{
	if ((patience & SA_CANCELLABLE) != 0 && (QueryCancelPending || ProcDiePending))
		return SA_INTERRUPTED;
	if ((patience & SA_PATIENT) == 0 &&
		(has_its_share(key) || pg_atomic_read_u32(&shared->refused) >= pool_slots()))
		return SA_NO_SPACE;
	return SA_TAKEN;
}

/*
 * Get a slot, in order; or none, and say why.  Interrupts are held, and the
 * caller is not terminated.
 */
static SaHanded
get_free_slot(const SaPageKey *key, int patience, int *slot)
{
	Waiter	   *waiter = &waiters[saMyProcNumber()];
	SaHanded	leave = SA_TAKEN;

	if (!stand_in_line(waiter))
	{
		ConditionVariable *cv = turn_of(waiter);

		pg_atomic_fetch_add_u64(&shared->waits, 1);
		ConditionVariablePrepareToSleep(cv);
		while (!*(volatile bool *) &waiter->granted &&
			   (leave = reason_to_leave(key, patience)) == SA_TAKEN)
			wait_on(cv);
		ConditionVariableCancelSleep();
		if (leave == SA_TAKEN || !leave_line(waiter))
			leave = SA_TAKEN;
		if (leave != SA_TAKEN)
			return leave;
	}
	*slot = take_free_slot();
	return SA_TAKEN;
}

/* A page that somebody has seen in a slot. */
typedef struct Seen
{
	int			slot;
	uint64		number;
	uint32		hash;			/* of its key */
	uint32		refusals;		/* so far */
} Seen;

/* What is waited for. */
typedef enum Until
{
	UNTIL_GONE,
	UNTIL_NOT_IN_FLIGHT,		/* or gone */
	UNTIL_REFUSED				/* once more than when it was seen, or gone */
} Until;

/* Is it still to come?  If so the end of the page or of its write will be announced. */
static bool
await(const Seen *page, Until until)
{
	SaSlot	   *slot = &slots[page->slot];
	bool		waits;

	LWLockAcquire(lock_of(page->hash), LW_EXCLUSIVE);
	waits = pg_atomic_read_u64(&slot->number) == page->number &&
		!(until == UNTIL_NOT_IN_FLIGHT && slot->state != SA_SLOT_IN_FLIGHT) &&
		!(until == UNTIL_REFUSED && slot->refusals != page->refusals);
	if (waits)
		slot->awaited = true;
	LWLockRelease(lock_of(page->hash));
	return waits;
}

static void
wait_for_page(const Seen *page, Until until)
{
	ConditionVariable *cv = &shared->done[page->slot % WAIT_QUEUES];

	ConditionVariablePrepareToSleep(cv);
	while (await(page, until))
		wait_on(cv);
	ConditionVariableCancelSleep();
}

/* What became of an attempt to put a page into the table. */
typedef enum Placed
{
	PLACED_NEW,					/* in the slot offered */
	PLACED_COMBINED,			/* in the slot it had; the one offered is not needed */
	PLACED_BUSY,				/* an older image is in flight */
	PLACED_NOWHERE				/* not here, and no slot was offered */
} Placed;

/* slot < 0 offers none.  *busy is set for PLACED_BUSY. */
static Placed
place(const SaPageKey *key, uint32 hash, const void *page, int slot, uint64 number, Seen *busy)
{
	Placed		result = PLACED_NOWHERE;
	int			old;

	LWLockAcquire(lock_of(hash), LW_EXCLUSIVE);
	old = lookup(key, hash);
	if (old >= 0 && slots[old].state == SA_SLOT_QUEUED)
	{
		memcpy(sa_pool_page(old), page, BLCKSZ);
		result = PLACED_COMBINED;
	}
	else if (old >= 0)
	{
		*busy = (Seen) {.slot = old, .number = pg_atomic_read_u64(&slots[old].number), .hash = hash};
		result = PLACED_BUSY;
	}
	else if (slot >= 0)
	{
		slots[slot].key = *key;
		slots[slot].state = SA_SLOT_QUEUED;
		slots[slot].refusals = 0;
		pg_atomic_fetch_add_u32(&shared->pages_of[space_of(key)], 1);
		slots[slot].next = *chain_of(hash);
		*chain_of(hash) = slot;
		memcpy(sa_pool_page(slot), page, BLCKSZ);
		pg_write_barrier();
		pg_atomic_write_u64(&slots[slot].number, number);
		set_bit(queued_bits, slot);
		result = PLACED_NEW;
	}
	LWLockRelease(lock_of(hash));
	return result;
}

/* Replace the image of a page that is here, once it is not in flight; false if it is not here. */
static bool
combine(const SaPageKey *key, uint32 hash, const void *page)
{
	Seen		busy;
	Placed		placed;

	while ((placed = place(key, hash, page, -1, NO_NUMBER, &busy)) == PLACED_BUSY)
		wait_for_page(&busy, UNTIL_NOT_IN_FLIGHT);
	return placed == PLACED_COMBINED;
}

/*
 * Have the memory of a slot in this process's page table, before any lock is
 * taken.  By reading, because to a read fault the kernel answers with the pages
 * around it too (do_fault_around(), 64 kB), to a write fault with that page only.
 */
static void
map_slot(int slot)
{
	const volatile char *page = sa_pool_page(slot);

	(void) page[0];
	(void) page[BLCKSZ - 1];
}

/* Put a page into a slot of its own, or over an older image. */
static SaHanded
put_page(const SaPageKey *key, const void *page, int patience, Placed *placed)
{
	uint32		hash = hash_of(key);
	SaHanded	handed;
	uint64		number;
	int			slot;
	Seen		busy;

	/* a page that is here already need not wait for a slot */
	*placed = PLACED_COMBINED;
	if (pg_atomic_read_u32(&shared->available) == 0 || has_its_share(key))
	{
		if (combine(key, hash, page))
			return SA_TAKEN;
		if ((handed = reason_to_leave(key, patience)) != SA_TAKEN)
			return handed;
	}
	if ((handed = get_free_slot(key, patience, &slot)) != SA_TAKEN)
		return handed;
	map_slot(slot);
	number = pg_atomic_fetch_add_u64(&shared->numbers, 1);
	while ((*placed = place(key, hash, page, slot, number, &busy)) == PLACED_BUSY)
		wait_for_page(&busy, UNTIL_NOT_IN_FLIGHT);
	if (*placed == PLACED_COMBINED)
		give_back_slot(slot);
	return SA_TAKEN;
}

/*
 * Does the pool take pages?  If not, the caller settles the block and writes
 * the page.  A caller with interrupts held may rely on it until they are resumed.
 *
 * Not with fsync = off: then the server calls nothing of ours for the files of a
 * checkpoint, and at the end of a restartpoint nothing at all, so pages would
 * still be here when it is complete.
 */
bool
sa_pool_takes_pages(void)
{
	return takes_pages() && enableFsync;
}

/*
 * Hand over a page, also where the pool takes none (then the caller waits for
 * it).  Waits, with interrupts held, while the pool is full or the block is in
 * flight, as for a write that the kernel does not finish.
 *
 * patience is a set of SA_PATIENT, SA_CANCELLABLE.  If the result is not
 * SA_TAKEN the pool has no page of this block, unless the caller is not the only
 * one who hands it over.  Any process; does not allocate; raises no error.
 */
SaHanded
sa_pool_put(const SaPageKey *key, const void *page, int patience)
{
	SaHanded	handed;
	Placed		placed;

	HOLD_INTERRUPTS();
	sa_defer_termination();
	handed = put_page(key, page, patience, &placed);
	if (handed == SA_TAKEN)
	{
		pg_atomic_fetch_add_u64(&shared->accepted, 1);
		if (placed == PLACED_COMBINED)
			pg_atomic_fetch_add_u64(&shared->combined, 1);
		else
			page_was_queued();
	}
	sa_allow_termination();
	RESUME_INTERRUPTS();
	return handed;
}

/* Read a page if it is here.  Any process. */
bool
sa_pool_read(const SaPageKey *key, void *page)
{
	uint32		hash;
	int			slot;

	if (is_empty())
		return false;
	hash = hash_of(key);
	if (*(volatile int *) chain_of(hash) < 0)
		return false;			/* without the lock: see "Reading" above */
	LWLockAcquire(lock_of(hash), LW_SHARED);
	slot = lookup(key, hash);
	if (slot >= 0)
		memcpy(page, sa_pool_page(slot), BLCKSZ);
	LWLockRelease(lock_of(hash));
	if (slot < 0)
		return false;
	pg_atomic_fetch_add_u64(&shared->reads, 1);
	return true;
}

/* Have a page that is held tried at once. */
static void
try_again(int slot)
{
	sa_defer_termination();
	if (clear_bit(held_bits, slot))
	{
		set_bit(queued_bits, slot);
		wake_writer(SA_REST_NAP);
	}
	sa_allow_termination();
}

/*
 * Wait until the page that is in the pool for a block now has left it.  Returns
 * false if it cannot for want of space: that was tried since.
 */
bool
sa_pool_settle_block(const SaPageKey *key)
{
	Seen		page = {.slot = -1};

	if (is_empty())
		return true;
	page.hash = hash_of(key);
	if (*(volatile int *) chain_of(page.hash) < 0)
		return true;			/* without the lock: see "Reading" above */
	LWLockAcquire(lock_of(page.hash), LW_SHARED);
	page.slot = lookup(key, page.hash);
	if (page.slot >= 0)
	{
		page.number = pg_atomic_read_u64(&slots[page.slot].number);
		page.refusals = slots[page.slot].refusals;
	}
	LWLockRelease(lock_of(page.hash));
	if (page.slot < 0)
		return true;
	try_again(page.slot);
	wait_for_page(&page, UNTIL_REFUSED);
	return !await(&page, UNTIL_GONE);
}

/* What a sweep over the pool is about. */
typedef struct Range
{
	bool		everything;
	bool		database;		/* all of rel's database; the following does not count */
	SaRelFile	rel;
	ForkNumber	fork;			/* SA_ANY_FORK = all */
	BlockNumber first,
				last;
	uint64		before;			/* of pages with lower numbers */
} Range;

static bool
in_range(const Range *range, const SaPageKey *key)
{
	if (range->database)
		return saDatabase(range->rel) == saDatabase(key->rel);
	return range->everything ||
		(saRelFileEquals(range->rel, key->rel) &&
		 (range->fork == SA_ANY_FORK || range->fork == key->fork) &&
		 key->block >= range->first && key->block <= range->last);
}

/*
 * Is there a page of the range in this slot?  A page that was accepted before
 * the sweep began stands there unchanged, so it is seen; one that comes or goes
 * just now does not matter.
 */
static bool
see_page(const Range *range, int slot, Seen *page)
{
	SaPageKey	key;
	bool		there;

	page->slot = slot;
	page->number = pg_atomic_read_u64(&slots[slot].number);
	if (page->number == NO_NUMBER || page->number >= range->before)
		return false;
	pg_read_barrier();
	key = slots[slot].key;
	if (!in_range(range, &key))
		return false;

	/* the same number as before: the key was not changing */
	page->hash = hash_of(&key);
	LWLockAcquire(lock_of(page->hash), LW_SHARED);
	there = pg_atomic_read_u64(&slots[slot].number) == page->number;
	page->refusals = slots[slot].refusals;
	LWLockRelease(lock_of(page->hash));
	return there;
}

/*
 * Wait until a page has left.  A checkpointer that absorbs takes sync requests
 * meanwhile, as it does between the files that it syncs; else backends would find
 * the queue full, and have to sync files themselves.  It holds nothing here that
 * an error, for want of memory, could leave behind.
 */
static void
wait_until_gone(const Seen *page, bool absorb)
{
	ConditionVariable *cv = &shared->done[page->slot % WAIT_QUEUES];

	ConditionVariablePrepareToSleep(cv);
	while (await(page, UNTIL_GONE))
	{
		if (absorb && AmCheckpointerProcess())
			AbsorbSyncRequests();
		wait_on(cv);
	}
	ConditionVariableCancelSleep();
}

/* Wait for all that is there now; false if that is not until it is gone, and a page finds no space. */
static bool
drain(Range *range, Until until, bool absorb)
{
	Seen		page;

	if (is_empty())
		return true;
	pg_memory_barrier();
	range->before = pg_atomic_read_u64(&shared->numbers);
	for (int slot = 0; slot < pool_slots(); slot++)
	{
		if (!see_page(range, slot, &page))
			continue;
		if (until == UNTIL_GONE)
		{
			wait_until_gone(&page, absorb);
			continue;
		}
		try_again(slot);
		wait_for_page(&page, until);
		if (await(&page, UNTIL_GONE))
			return false;
	}
	return true;
}

static Range
range_of_file(SaRelFile rel, ForkNumber fork, int64 segno)
{
	Range		range = {.rel = rel, .fork = fork, .first = 0, .last = MaxBlockNumber};

	if (segno >= 0)
	{
		range.first = (BlockNumber) segno * RELSEG_SIZE;
		range.last = range.first + (RELSEG_SIZE - 1);
	}
	return range;
}

/*
 * Wait until every page of a segment accepted before now is in its file;
 * segno < 0 means the whole fork.  Raises no error of its own: what cannot
 * be written is a PANIC in the writer.
 *
 * The checkpointer carries out a sync request of this file.  Another one that it
 * absorbs meanwhile counts for sync.c as done together with this one, so its page
 * must be in the file as well: pages accepted during the first drain are waited
 * for in a second one, in which nothing is absorbed.
 */
void
sa_pool_drain_file(SaRelFile rel, ForkNumber fork, int64 segno)
{
	Range		range = range_of_file(rel, fork, segno);

	(void) drain(&range, UNTIL_GONE, true);
	if (AmCheckpointerProcess())
		(void) drain(&range, UNTIL_GONE, false);
}

/* The same, but false as soon as one of them has been tried and finds no space. */
bool
sa_pool_settle_file(SaRelFile rel, ForkNumber fork, int64 segno)
{
	Range		range = range_of_file(rel, fork, segno);

	return drain(&range, UNTIL_REFUSED, false);
}

/* Wait until every page accepted before now is in its file. */
void
sa_pool_drain_all(void)
{
	Range		range = {.everything = true};

	(void) drain(&range, UNTIL_GONE, true);
}

/*
 * Have writers close the files they have open before they write anything that
 * is claimed from now on.
 */
static void
forget_files(void)
{
	pg_atomic_fetch_add_u64(&shared->forget_generation, 1);
	wake_writer(SA_REST_SLEEP);
}

/* Like sa_pool_drain_all(); and afterwards files may vanish. */
void
sa_pool_let_go(void)
{
	sa_pool_drain_all();
	forget_files();
}

/*
 * Take a page out of the table; the slot is free for its owner to give back.
 * Announces it to those who wait for that.
 */
static void
remove_page(int slot)
{
	SaSlot	   *header = &slots[slot];
	uint32		hash = hash_of(&header->key);
	int		   *link = chain_of(hash);
	bool		awaited;

	LWLockAcquire(lock_of(hash), LW_EXCLUSIVE);
	while (*link != slot)
		link = &slots[*link].next;
	*link = header->next;
	header->state = SA_SLOT_FREE;
	pg_atomic_fetch_sub_u32(&shared->pages_of[space_of(&header->key)], 1);
	if (header->refusals > 0)
	{
		pg_atomic_fetch_sub_u32(&shared->refused_of[space_of(&header->key)], 1);
		pg_atomic_fetch_sub_u32(&shared->refused, 1);
		pg_atomic_write_u64(&shared->space_retry, 0);	/* others may go too */
	}
	pg_atomic_write_u64(&header->number, NO_NUMBER);
	awaited = header->awaited;
	header->awaited = false;
	LWLockRelease(lock_of(hash));
	if (awaited)
		ConditionVariableBroadcast(&shared->done[slot % WAIT_QUEUES]);
}

/*
 * A page is to be claimed again, or is held; whoever waited for it to land or may
 * write it looks again.
 */
static void
queue_again(int slot, pg_atomic_uint64 *bits)
{
	uint32		hash = hash_of(&slots[slot].key);
	bool		awaited;

	LWLockAcquire(lock_of(hash), LW_EXCLUSIVE);
	slots[slot].state = SA_SLOT_QUEUED;
	awaited = slots[slot].awaited;
	set_bit(bits, slot);
	LWLockRelease(lock_of(hash));
	if (awaited)
		ConditionVariableBroadcast(&shared->done[slot % WAIT_QUEUES]);
	wake_first_in_line();
}

/*
 * Discard a page if it is queued or held.  The slot may have got another page
 * since the caller looked; owning its bit makes it stand still.
 */
static bool
discard_owned(const Seen *page)
{
	pg_atomic_uint64 *bits = queued_bits;

	if (!clear_bit(bits, page->slot))
	{
		bits = held_bits;
		if (!clear_bit(bits, page->slot))
			return false;
	}
	if (pg_atomic_read_u64(&slots[page->slot].number) != page->number)
	{
		queue_again(page->slot, bits);
		wake_writer(SA_REST_NAP);
		return true;
	}
	remove_page(page->slot);
	give_back_slot(page->slot);
	pg_atomic_fetch_add_u64(&shared->discarded, 1);
	return true;
}

static bool
discard_page(const Seen *page)
{
	bool		done;

	sa_defer_termination();
	done = discard_owned(page);
	sa_allow_termination();
	return done;
}

/*
 * Discard a page, or wait until it is written if that is under way.  A write
 * that fails for want of space comes back and is held, and is discarded then:
 * what is being dropped may be what fills the disk.
 */
static void
get_rid_of(const Seen *page)
{
	ConditionVariable *cv = &shared->done[page->slot % WAIT_QUEUES];

	if (discard_page(page))
		return;
	ConditionVariablePrepareToSleep(cv);
	while (await(page, UNTIL_GONE) && !discard_page(page))
		wait_on(cv);
	ConditionVariableCancelSleep();
}

static void
discard(const Range *range)
{
	Seen		page;

	if (shared == NULL || pool_slots() == 0)
		return;
	pg_memory_barrier();
	for (int slot = 0; slot < pool_slots() && !is_empty(); slot++)
	{
		if (see_page(range, slot, &page))
			get_rid_of(&page);
	}
	forget_files();
}

/*
 * Forget pages from first_block on, of one fork or all, because the file is
 * about to be shortened or removed.  On return none of them is in the pool or
 * on its way.  Does not allocate, raises no error while interrupts are held:
 * may be called in a critical section.
 */
void
sa_pool_discard(SaRelFile rel, ForkNumber fork, BlockNumber first_block)
{
	Range		range = {.rel = rel, .fork = fork, .first = first_block,
	.last = MaxBlockNumber, .before = NO_NUMBER};

	discard(&range);
}

/* The same for a whole database that was never finished (newdb.c). */
void
sa_pool_discard_database(Oid database)
{
	Range		range = {.database = true, .before = NO_NUMBER};

	saDatabase(range.rel) = database;
	discard(&range);
}

static bool
any_bit(pg_atomic_uint64 *bits)
{
	for (int word = 0; word < pool_words(); word++)
	{
		if (pg_atomic_read_u64(&bits[word]) != 0)
			return true;
	}
	return false;
}

/* Is there something to claim? */
bool
sa_pool_has_queued(void)
{
	return any_bit(queued_bits) || (space_retry_due() && any_bit(held_bits));
}

/* Is there, and should a writer that was about to nap rather see to it now? */
bool
sa_pool_is_urgent(void)
{
	return sa_pool_has_many() && sa_pool_has_queued();
}

/* Does, or did a moment ago, anybody wait who should not for long? */
bool
sa_pool_is_pressed(void)
{
	int64		since = GetCurrentTimestamp() - (int64) pg_atomic_read_u64(&shared->pressed);

	return since >= 0 && since < PRESSED_US;
}

/* Are there pages that have to be tried again in time? */
bool
sa_pool_lacks_space(void)
{
	return shared != NULL && pg_atomic_read_u32(&shared->refused) > 0;
}

/* Claim some pages that are held, in turn. */
static int
claim_held(int *claimed, int max)
{
	uint32		hand = pg_atomic_read_u32(&shared->held_hand);
	int			count = 0;

	for (int i = 0; i < pool_slots() && count < max; i++)
	{
		int			slot = (hand + i) % pool_slots();
		uint64		bits = pg_atomic_read_u64(&held_bits[slot / 64]);

		if ((bits & (UINT64CONST(1) << (slot % 64))) != 0 && clear_bit(held_bits, slot))
			claimed[count++] = slot;
		if (count == max)
			pg_atomic_write_u32(&shared->held_hand, slot + 1);
	}
	return count;
}

/* Claim queued pages, word by word. */
static int
claim_queued(int *claimed, int max)
{
	uint32		start = pg_atomic_read_u32(&shared->hand);
	int			count = 0;

	for (int i = 0; i < pool_words() && count < max; i++)
	{
		uint32		word = (start + i) % pool_words();
		uint64		bits;

		while (count < max && (bits = pg_atomic_read_u64(&queued_bits[word])) != 0)
		{
			int			slot = word * 64 + pg_rightmost_one_pos64(bits);

			if (clear_bit(queued_bits, slot))
				claimed[count++] = slot;
		}
		pg_atomic_write_u32(&shared->hand, word);
	}
	return count;
}

/*
 * Claim up to max slots for writing; returns how many.  Their images are
 * frozen until sa_pool_complete(), sa_pool_requeue() or sa_pool_hold(), one of
 * which must follow whatever happens.
 */
int
sa_pool_claim(int *claimed, int max)
{
	uint32		hurried = pg_atomic_exchange_u32(&shared->hurry, 0);
	int			count = 0;

	if (space_retry_due())
	{
		pg_atomic_write_u64(&shared->space_retry, GetCurrentTimestamp() + SPACE_RETRY_US);
		count = claim_held(claimed, Min(max, SPACE_RETRY_PAGES));
	}
	count += claim_queued(claimed + count, max - count);
	for (int i = 0; i < count; i++)
	{
		SaSlot	   *slot = &slots[claimed[i]];
		uint32		hash = hash_of(&slot->key);

		LWLockAcquire(lock_of(hash), LW_EXCLUSIVE);
		slot->state = SA_SLOT_IN_FLIGHT;
		LWLockRelease(lock_of(hash));
	}
	pg_atomic_fetch_add_u32(&shared->in_flight, count);

	/*
	 * Who hurries us from the exchange on is heard at the next claim; who did
	 * before may wait for a page that was not claimed.
	 */
	if (count == max && hurried != 0)
		pg_atomic_write_u32(&shared->hurry, 1);
	return count;
}

/* Their writes are done: the slots are free. */
void
sa_pool_complete(const int *done, int count)
{
	for (int i = 0; i < count; i++)
	{
		remove_page(done[i]);
		free_slot(done[i]);
	}
	pg_atomic_fetch_sub_u32(&shared->in_flight, count);
	pg_atomic_fetch_add_u64(&shared->written, count);
	grant(count);
}

/* Their writes could not be done yet: queue them again. */
void
sa_pool_requeue(const int *failed, int count)
{
	for (int i = 0; i < count; i++)
		queue_again(failed[i], queued_bits);
	pg_atomic_fetch_sub_u32(&shared->in_flight, count);
}

/* One of them found no space. */
static void
note_refusal(int slot)
{
	SaPageKey  *key = &slots[slot].key;
	uint32		hash = hash_of(key);

	LWLockAcquire(lock_of(hash), LW_EXCLUSIVE);
	if (slots[slot].refusals++ == 0)
	{
		pg_atomic_fetch_add_u32(&shared->refused_of[space_of(key)], 1);
		pg_atomic_fetch_add_u32(&shared->refused, 1);
	}
	LWLockRelease(lock_of(hash));
}

/* Their writes found no space: hold them.  Those in line may not want to wait any longer. */
void
sa_pool_hold(const int *failed, int count)
{
	for (int i = 0; i < count; i++)
	{
		note_refusal(failed[i]);
		queue_again(failed[i], held_bits);
	}
	pg_atomic_fetch_sub_u32(&shared->in_flight, count);
	if (pg_atomic_read_u32(&shared->available) > 0)
		return;
	for (int i = 0; i < WAIT_QUEUES; i++)
		ConditionVariableBroadcast(&shared->turn[i]);
}

/* Count one write request of some pages. */
void
sa_pool_count_write(int page_count, uint64 latency_us, bool by_writer)
{
	int			bucket = latency_us == 0 ? 0 : pg_leftmost_one_pos64(latency_us) + 1;

	pg_atomic_fetch_add_u64(&shared->writes, 1);
	pg_atomic_fetch_add_u64(&shared->latency[Min(bucket, LATENCY_BUCKETS - 1)], 1);
	if (page_count > 1)
		pg_atomic_fetch_add_u64(&shared->coalesced, page_count);
	if (!by_writer)
		pg_atomic_fetch_add_u64(&shared->helped, page_count);
}

/* A writer makes a pause. */
void
sa_pool_count_pause(void)
{
	pg_atomic_fetch_add_u64(&shared->pauses, 1);
}

/* A writer has started; returns its number, -1 if there are too many. */
int
sa_pool_writer_enter(Latch *latch)
{
	int			number = -1;

	SpinLockAcquire(&shared->mutex);
	for (int i = 0; i < SA_MAX_WRITERS && number < 0; i++)
	{
		if (shared->writers[i] == NULL)
			number = i;
	}
	if (number >= 0)
	{
		shared->writers[number] = latch;
		shared->rests[number] = SA_REST_AWAKE;
		shared->running++;
	}
	SpinLockRelease(&shared->mutex);
	return number;
}

/* It ends, with nothing in flight.  Whoever waits goes on by itself. */
void
sa_pool_writer_leave(int number)
{
	SpinLockAcquire(&shared->mutex);
	if (shared->rests[number] == SA_REST_SLEEP)
		shared->sleeping--;
	shared->rests[number] = SA_REST_AWAKE;
	shared->writers[number] = NULL;
	shared->running--;
	SpinLockRelease(&shared->mutex);
	for (int i = 0; i < WAIT_QUEUES; i++)
	{
		ConditionVariableBroadcast(&shared->turn[i]);
		ConditionVariableBroadcast(&shared->done[i]);
	}

	/* others that sleep have counted on this one */
	if (sa_pool_has_queued() || pg_atomic_read_u32(&shared->refused) > 0)
		wake_writer(SA_REST_NAP);
}

/*
 * A writer is about to rest, or awake again.  After announcing a rest it must
 * look for work once more.
 */
void
sa_pool_writer_rests(int number, SaRest rest)
{
	SpinLockAcquire(&shared->mutex);
	shared->sleeping += (rest == SA_REST_SLEEP) - (shared->rests[number] == SA_REST_SLEEP);
	shared->rests[number] = rest;
	SpinLockRelease(&shared->mutex);
	pg_memory_barrier();		/* see page_was_queued() */
}

/* Which way writers reach the device. */
void
sa_pool_report_io(bool io_uring, int error)
{
	SpinLockAcquire(&shared->mutex);
	shared->io_uring = io_uring;
	shared->io_uring_errno = error;
	SpinLockRelease(&shared->mutex);
}

/* Upper bound, in ms, of the latency that a fraction of requests kept. */
static double
latency_percentile(const uint64 *counts, uint64 total, double fraction)
{
	uint64		seen = 0;

	for (int i = 0; i < LATENCY_BUCKETS; i++)
	{
		seen += counts[i];
		if (total > 0 && seen >= total * fraction)
			return (double) (UINT64CONST(1) << i) / 1000.0;
	}
	return 0.0;
}

void
sa_pool_status(SaPoolStatus *status)
{
	static const double fractions[] = {0.50, 0.95, 0.99};
	uint64		counts[LATENCY_BUCKETS];
	uint64		total = 0;

	memset(status, 0, sizeof(*status));
	status->slots = pool_slots();
	status->used = pool_slots() == 0 ? 0 : (int) slots_used();
	status->no_space = pg_atomic_read_u32(&shared->refused);
	status->in_flight = pg_atomic_read_u32(&shared->in_flight);
	status->accepting = takes_pages();
	SpinLockAcquire(&shared->mutex);
	status->writers = shared->running;
	status->io_uring = shared->io_uring;
	status->io_uring_errno = shared->io_uring_errno;
	SpinLockRelease(&shared->mutex);
	status->accepted = pg_atomic_read_u64(&shared->accepted);
	status->combined = pg_atomic_read_u64(&shared->combined);
	status->coalesced = pg_atomic_read_u64(&shared->coalesced);
	status->writes = pg_atomic_read_u64(&shared->writes);
	status->written = pg_atomic_read_u64(&shared->written);
	status->reads = pg_atomic_read_u64(&shared->reads);
	status->discarded = pg_atomic_read_u64(&shared->discarded);
	status->waits = pg_atomic_read_u64(&shared->waits);
	status->helped = pg_atomic_read_u64(&shared->helped);
	status->pauses = pg_atomic_read_u64(&shared->pauses);
	for (int i = 0; i < LATENCY_BUCKETS; i++)
		total += counts[i] = pg_atomic_read_u64(&shared->latency[i]);
	for (int i = 0; i < 3; i++)
		status->latency_ms[i] = latency_percentile(counts, total, fractions[i]);
}
