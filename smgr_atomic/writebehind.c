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
 *	 that reaches us; but a checkpoint (in recovery: the startup process's
 *	 drain) and then a barrier come between the last page handed over for them
 *	 and their removal, and at barriers and after checkpoints writers forget
 *	 their files too.
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
 * What protects what
 *
 *	  table (key -> slot), slot->state, slot->key,		partition lock of the key
 *	  page images
 *	  free bit of a slot		atomic; who clears it owns the slot, and fills
 *								it before it can be found
 *	  queued bit of a slot		atomic; who clears it may start the write or
 *								discard the slot; nobody else will
 *	  counters, used, flags		atomics, no order needed
 *	  writers[]					spinlock
 *
 * A slot's way: free bit cleared (owner) -> filled, in table, QUEUED, queued
 * bit set (partition lock) -> queued bit cleared (claimer or discarder) ->
 * IN_FLIGHT (partition lock; from here the image is frozen) -> written -> out
 * of the table, FREE (partition lock) -> free bit set.  Between the clearing
 * of the queued bit and IN_FLIGHT the image may still be replaced; the claimer
 * then writes the newer one.  A failed write goes back from IN_FLIGHT to
 * QUEUED.  At most one partition lock is held at a time, and nothing is waited
 * for while holding one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "port/pg_bitutils.h"
#include "storage/condition_variable.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "utils/hsearch.h"

#include "smgr_atomic.h"
#include "writebehind.h"
#include "writer.h"

#define LATENCY_BUCKETS 40		/* bucket i: below 2^i microseconds */
#define WAIT_MS 1000			/* a wait looks again at least this often */
#define WAKE_PAGES 64			/* so many queued pages end a writer's nap */

typedef struct TableEntry
{
	SaPageKey	key;
	int			slot;
} TableEntry;

typedef struct PoolShared
{
	pg_atomic_uint32 accepting;
	pg_atomic_uint32 used;		/* slots not free */
	pg_atomic_uint32 in_flight;
	pg_atomic_uint32 hand;		/* word where the next claim begins */
	pg_atomic_uint32 free_hint; /* word where the next search for a slot begins */
	pg_atomic_uint64 forget_generation;
	ConditionVariable progress; /* a slot was completed or freed */

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
	pg_atomic_uint64 reads;
	pg_atomic_uint64 discarded;
	pg_atomic_uint64 waits;
	pg_atomic_uint64 helped;
	pg_atomic_uint64 latency[LATENCY_BUCKETS];
} PoolShared;

static PoolShared *shared = NULL;
static SaSlot *slots = NULL;
static char *pages = NULL;
static pg_atomic_uint64 *free_bits = NULL;
static pg_atomic_uint64 *queued_bits = NULL;
static LWLockPadded *locks = NULL;
static HTAB *table = NULL;

/* Number of slots, a multiple of 64; 0 = no pool. */
static int
pool_slots(void)
{
	return (int) TYPEALIGN(64, (uint64) sa_write_behind_size * 1024 / BLCKSZ);
}

static int
pool_words(void)
{
	return pool_slots() / 64;
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
	size = add_size(size, mul_size(2, bits_size()));
	size = add_size(size, hash_estimate_size(pool_slots() + SA_POOL_PARTITIONS, sizeof(TableEntry)));
	return add_size(size, 5 * PG_CACHE_LINE_SIZE);
}

static void
init_control(void)
{
	memset(shared, 0, sizeof(PoolShared));
	ConditionVariableInit(&shared->progress);
	SpinLockInit(&shared->mutex);
	for (int word = 0; word < pool_words(); word++)
	{
		pg_atomic_init_u64(&free_bits[word], ~UINT64CONST(0));
		pg_atomic_init_u64(&queued_bits[word], 0);
	}
}

/* Called from shmem_startup_hook.  The pool takes nothing until told. */
void
sa_pool_shmem_init(void)
{
	bool		found;
	HASHCTL		ctl = {0};
	char	   *raw;

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
	locks = GetNamedLWLockTranche(SA_POOL_LOCKS);
	ctl.keysize = sizeof(SaPageKey);
	ctl.entrysize = sizeof(TableEntry);
	ctl.num_partitions = SA_POOL_PARTITIONS;
	table = ShmemInitHash("smgr_atomic pool table",
						  pool_slots() + SA_POOL_PARTITIONS, pool_slots() + SA_POOL_PARTITIONS,
						  &ctl, HASH_ELEM | HASH_BLOBS | HASH_PARTITION | HASH_FIXED_SIZE);
	if (found)
		return;
	memset(slots, 0, pool_slots() * sizeof(SaSlot));
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

static bool
is_empty(void)
{
	return shared == NULL || pg_atomic_read_u32(&shared->used) == 0;
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

static LWLock *
lock_of(uint32 hash)
{
	return &locks[hash % SA_POOL_PARTITIONS].lock;
}

static TableEntry *
lookup(const SaPageKey *key, uint32 hash)
{
	return hash_search_with_hash_value(table, key, hash, HASH_FIND, NULL);
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

/* Take a free slot; -1 if there is none. */
static int
take_free_slot(void)
{
	uint32		start = pg_atomic_read_u32(&shared->free_hint);

	for (int i = 0; i < pool_words(); i++)
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
			pg_atomic_fetch_add_u32(&shared->used, 1);
			return slot;
		}
	}
	return -1;
}

static void
give_back_slot(int slot)
{
	set_bit(free_bits, slot);
	pg_atomic_fetch_sub_u32(&shared->used, 1);
	ConditionVariableBroadcast(&shared->progress);
}

/*
 * Wake a writer that rests, sleeping or (with naps) napping as well.
 */
static void
wake_writer(bool naps)
{
	Latch	   *latch = NULL;

	SpinLockAcquire(&shared->mutex);
	for (int i = 0; i < SA_MAX_WRITERS && latch == NULL; i++)
	{
		if (shared->writers[i] == NULL ||
			!(shared->rests[i] == SA_REST_SLEEP || (naps && shared->rests[i] == SA_REST_NAP)))
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

/*
 * A page was queued.  If all writers sleep one must be woken; if one naps or
 * works it will see the page, unless so many have gathered that it should now.
 * The values are read without the lock: a writer that goes to sleep just now
 * looks for queued pages once more after it has said so.
 */
static void
page_was_queued(void)
{
	bool		many = pg_atomic_read_u32(&shared->used) % WAKE_PAGES == 0;

	pg_memory_barrier();
	if (many || *(volatile int *) &shared->sleeping == *(volatile int *) &shared->running)
		wake_writer(many);
}

static int
running_writers(void)
{
	return *(volatile int *) &shared->running;
}

/*
 * One turn of waiting until something has changed in the pool: sleep if a
 * writer is running, else write a batch here.  Use between
 * ConditionVariablePrepareToSleep(&shared->progress) and ...CancelSleep().
 */
static void
wait_for_progress(void)
{
	if (running_writers() > 0)
	{
		wake_writer(true);
		(void) ConditionVariableTimedSleep(&shared->progress, WAIT_MS, PG_WAIT_EXTENSION);
		return;
	}
	ConditionVariableCancelSleep();
	sa_writer_help();
	ConditionVariablePrepareToSleep(&shared->progress);
}

/* A free slot, waiting for one if need be. */
static int
get_free_slot(void)
{
	int			slot = take_free_slot();

	if (slot >= 0)
		return slot;
	pg_atomic_fetch_add_u64(&shared->waits, 1);
	ConditionVariablePrepareToSleep(&shared->progress);
	while ((slot = take_free_slot()) < 0)
		wait_for_progress();
	ConditionVariableCancelSleep();
	return slot;
}

/* Wait until the slot no longer holds this page. */
static void
wait_for_slot(const SaPageKey *key, uint32 hash, int slot)
{
	ConditionVariablePrepareToSleep(&shared->progress);
	for (;;)
	{
		TableEntry *entry;
		bool		gone;

		LWLockAcquire(lock_of(hash), LW_SHARED);
		entry = lookup(key, hash);
		gone = entry == NULL || entry->slot != slot;
		LWLockRelease(lock_of(hash));
		if (gone)
			break;
		wait_for_progress();
	}
	ConditionVariableCancelSleep();
}

/* What became of an attempt to put a page into the table. */
typedef enum Placed
{
	PLACED_NEW,					/* in the slot offered */
	PLACED_COMBINED,			/* in the slot it had; the one offered is not needed */
	PLACED_BUSY					/* *busy is in flight with an older image */
} Placed;

static Placed
place(const SaPageKey *key, uint32 hash, const void *page, int slot, int *busy)
{
	TableEntry *entry;
	Placed		result;
	bool		found;

	LWLockAcquire(lock_of(hash), LW_EXCLUSIVE);
	entry = hash_search_with_hash_value(table, key, hash, HASH_ENTER, &found);
	if (!found)
	{
		entry->slot = slot;
		slots[slot].key = *key;
		slots[slot].state = SA_SLOT_QUEUED;
		memcpy(sa_pool_page(slot), page, BLCKSZ);
		set_bit(queued_bits, slot);
		result = PLACED_NEW;
	}
	else if (slots[entry->slot].state == SA_SLOT_QUEUED)
	{
		memcpy(sa_pool_page(entry->slot), page, BLCKSZ);
		result = PLACED_COMBINED;
	}
	else
	{
		*busy = entry->slot;
		result = PLACED_BUSY;
	}
	LWLockRelease(lock_of(hash));
	return result;
}

/*
 * Hand over a page.  Returns false if the pool takes none; the caller then
 * settles the block and writes it.  Waits while the pool is full or the block
 * is in flight.  Any process; does not allocate; may raise an error only for a
 * query cancel while waiting.
 */
bool
sa_pool_accept(const SaPageKey *key, const void *page)
{
	uint32		hash;
	int			slot,
				busy;
	Placed		placed;

	if (pg_atomic_read_u32(&shared->accepting) == 0)
		return false;

	hash = get_hash_value(table, key);
	for (;;)
	{
		slot = get_free_slot();
		placed = place(key, hash, page, slot, &busy);
		if (placed == PLACED_NEW)
			break;
		give_back_slot(slot);
		if (placed == PLACED_COMBINED)
			break;
		wait_for_slot(key, hash, busy);
	}
	pg_atomic_fetch_add_u64(&shared->accepted, 1);
	if (placed == PLACED_COMBINED)
		pg_atomic_fetch_add_u64(&shared->combined, 1);
	else
		page_was_queued();
	return true;
}

/* Read a page if it is here.  Any process. */
bool
sa_pool_read(const SaPageKey *key, void *page)
{
	uint32		hash;
	TableEntry *entry;

	if (is_empty())
		return false;
	hash = get_hash_value(table, key);
	LWLockAcquire(lock_of(hash), LW_SHARED);
	entry = lookup(key, hash);
	if (entry != NULL)
		memcpy(page, sa_pool_page(entry->slot), BLCKSZ);
	LWLockRelease(lock_of(hash));
	if (entry == NULL)
		return false;
	pg_atomic_fetch_add_u64(&shared->reads, 1);
	return true;
}

/* Wait until a block is not in the pool. */
void
sa_pool_settle_block(const SaPageKey *key)
{
	uint32		hash;
	TableEntry *entry;
	int			slot = -1;

	if (is_empty())
		return;
	hash = get_hash_value(table, key);
	LWLockAcquire(lock_of(hash), LW_SHARED);
	entry = lookup(key, hash);
	if (entry != NULL)
		slot = entry->slot;
	LWLockRelease(lock_of(hash));
	if (slot >= 0)
		wait_for_slot(key, hash, slot);
}

/* What a sweep over the pool is about. */
typedef struct Range
{
	bool		everything;
	SaRelFile	rel;
	ForkNumber	fork;			/* SA_ANY_FORK = all */
	BlockNumber first,
				last;
} Range;

static bool
in_range(const Range *range, const SaPageKey *key)
{
	return range->everything ||
		(saRelFileEquals(range->rel, key->rel) &&
		 (range->fork == SA_ANY_FORK || range->fork == key->fork) &&
		 key->block >= range->first && key->block <= range->last);
}

/*
 * Is this slot's page in the range?  First without the lock: a page that was
 * accepted before this sweep began stands there unchanged, and of one that
 * comes or goes just now the answer does not matter.  Then with it.
 */
static bool
slot_in_range(const Range *range, int slot, SaPageKey *key, uint32 *hash)
{
	TableEntry *entry;
	bool		there;

	*key = slots[slot].key;
	if (slots[slot].state == SA_SLOT_FREE || !in_range(range, key))
		return false;
	*hash = get_hash_value(table, key);
	LWLockAcquire(lock_of(*hash), LW_SHARED);
	entry = lookup(key, *hash);
	there = entry != NULL && entry->slot == slot;
	LWLockRelease(lock_of(*hash));
	return there;
}

static void
drain(const Range *range)
{
	if (is_empty())
		return;
	pg_memory_barrier();
	for (int slot = 0; slot < pool_slots(); slot++)
	{
		SaPageKey	key;
		uint32		hash;

		if (slot_in_range(range, slot, &key, &hash))
			wait_for_slot(&key, hash, slot);
	}
}

/*
 * Wait until every page of a segment accepted before now is in its file;
 * segno < 0 means the whole fork.  Raises no error of its own: what cannot
 * be written is a PANIC in the writer.
 */
void
sa_pool_drain_file(SaRelFile rel, ForkNumber fork, int64 segno)
{
	Range		range = {.rel = rel, .fork = fork, .first = 0, .last = MaxBlockNumber};

	if (segno >= 0)
	{
		range.first = (BlockNumber) segno * RELSEG_SIZE;
		range.last = range.first + (RELSEG_SIZE - 1);
	}
	drain(&range);
}

/* Wait until every page accepted before now is in its file. */
void
sa_pool_drain_all(void)
{
	Range		range = {.everything = true};

	drain(&range);
}

/*
 * Have writers close the files they have open before they write anything that
 * is claimed from now on.
 */
void
sa_pool_forget_files(void)
{
	pg_atomic_fetch_add_u64(&shared->forget_generation, 1);
	wake_writer(false);
}

/* Take a page out of the table; the slot is free for its owner to give back. */
static void
remove_page(const SaPageKey *key, uint32 hash, int slot)
{
	LWLockAcquire(lock_of(hash), LW_EXCLUSIVE);
	hash_search_with_hash_value(table, key, hash, HASH_REMOVE, NULL);
	slots[slot].state = SA_SLOT_FREE;
	LWLockRelease(lock_of(hash));
}

/*
 * Discard a slot if it is queued and in the range.  Its page may have changed
 * since the caller looked; owning the queued bit makes it stand still.
 */
static bool
discard_slot(const Range *range, int slot)
{
	SaPageKey	key;

	if (!clear_bit(queued_bits, slot))
		return false;
	key = slots[slot].key;
	if (!in_range(range, &key))
	{
		set_bit(queued_bits, slot);
		wake_writer(true);
		return true;			/* another page: the one looked for is gone */
	}
	remove_page(&key, get_hash_value(table, &key), slot);
	give_back_slot(slot);
	pg_atomic_fetch_add_u64(&shared->discarded, 1);
	return true;
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
	Range		range = {.rel = rel, .fork = fork, .first = first_block, .last = MaxBlockNumber};

	if (shared == NULL || pool_slots() == 0)
		return;
	pg_memory_barrier();
	for (int slot = 0; slot < pool_slots() && !is_empty(); slot++)
	{
		SaPageKey	key;
		uint32		hash;

		if (!slot_in_range(&range, slot, &key, &hash))
			continue;
		if (!discard_slot(&range, slot))
			wait_for_slot(&key, hash, slot);
	}
	sa_pool_forget_files();
}

bool
sa_pool_has_queued(void)
{
	for (int word = 0; word < pool_words(); word++)
	{
		if (pg_atomic_read_u64(&queued_bits[word]) != 0)
			return true;
	}
	return false;
}

/*
 * Claim up to max queued slots for writing; returns how many.  Their images
 * are frozen until sa_pool_complete() or sa_pool_requeue(), which must follow
 * whatever happens.
 */
int
sa_pool_claim(int *claimed, int max)
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
	for (int i = 0; i < count; i++)
	{
		SaSlot	   *slot = &slots[claimed[i]];
		uint32		hash = get_hash_value(table, &slot->key);

		LWLockAcquire(lock_of(hash), LW_EXCLUSIVE);
		slot->state = SA_SLOT_IN_FLIGHT;
		LWLockRelease(lock_of(hash));
	}
	pg_atomic_fetch_add_u32(&shared->in_flight, count);
	return count;
}

/* Their writes are done: the slots are free. */
void
sa_pool_complete(const int *done, int count)
{
	for (int i = 0; i < count; i++)
	{
		SaPageKey	key = slots[done[i]].key;

		remove_page(&key, get_hash_value(table, &key), done[i]);
		set_bit(free_bits, done[i]);
	}
	pg_atomic_fetch_sub_u32(&shared->in_flight, count);
	pg_atomic_fetch_sub_u32(&shared->used, count);
	ConditionVariableBroadcast(&shared->progress);
}

/* Their writes could not be done yet: queue them again. */
void
sa_pool_requeue(const int *failed, int count)
{
	for (int i = 0; i < count; i++)
	{
		SaSlot	   *slot = &slots[failed[i]];
		uint32		hash = get_hash_value(table, &slot->key);

		LWLockAcquire(lock_of(hash), LW_EXCLUSIVE);
		slot->state = SA_SLOT_QUEUED;
		set_bit(queued_bits, failed[i]);
		LWLockRelease(lock_of(hash));
	}
	pg_atomic_fetch_sub_u32(&shared->in_flight, count);
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
	ConditionVariableBroadcast(&shared->progress);
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
	status->used = pg_atomic_read_u32(&shared->used);
	status->in_flight = pg_atomic_read_u32(&shared->in_flight);
	status->accepting = pg_atomic_read_u32(&shared->accepting) != 0;
	SpinLockAcquire(&shared->mutex);
	status->writers = shared->running;
	status->io_uring = shared->io_uring;
	status->io_uring_errno = shared->io_uring_errno;
	SpinLockRelease(&shared->mutex);
	status->accepted = pg_atomic_read_u64(&shared->accepted);
	status->combined = pg_atomic_read_u64(&shared->combined);
	status->coalesced = pg_atomic_read_u64(&shared->coalesced);
	status->writes = pg_atomic_read_u64(&shared->writes);
	status->reads = pg_atomic_read_u64(&shared->reads);
	status->discarded = pg_atomic_read_u64(&shared->discarded);
	status->waits = pg_atomic_read_u64(&shared->waits);
	status->helped = pg_atomic_read_u64(&shared->helped);
	for (int i = 0; i < LATENCY_BUCKETS; i++)
		total += counts[i] = pg_atomic_read_u64(&shared->latency[i]);
	for (int i = 0; i < 3; i++)
		status->latency_ms[i] = latency_percentile(counts, total, fractions[i]);
}
