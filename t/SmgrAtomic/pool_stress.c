/*
 * pool_stress.c
 *	  For tests: hammers relations of its own through smgr.c, from any number of
 *	  sessions, and checks every page read against the last one written.
 *
 * The relations have fixed file numbers, so the names are used again and again:
 * written, read, extended, truncated, removed, created anew.  What each page
 * must hold follows from (relation, block, sequence); the sequence of the last
 * write stands in a file that all sessions map.
 *
 * Locks, in the file too, play the part of the server's: one for each relation
 * (shared to use blocks, exclusive to truncate, remove, create), one to extend,
 * one for each block (as the buffer that holds it).  Interrupts are held while
 * any is held.
 *
 *	  pool_stress_create(file, relations, blocks)	makes file and relations
 *	  pool_stress_run(file, seconds, seed, drops)	returns operations done
 *	  pool_stress_verify(file)		reads the files past server and page cache,
 *									after a checkpoint; returns pages
 *	  pool_stress_remove(file)		removes the relations
 *
 * A page that is not the one expected is an ERROR.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "access/xlog.h"
#include "catalog/pg_tablespace_d.h"
#include "common/pg_prng.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "postmaster/bgwriter.h"
#include "storage/proc.h"
#include "storage/smgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/timestamp.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(pool_stress_create);
PG_FUNCTION_INFO_V1(pool_stress_run);
PG_FUNCTION_INFO_V1(pool_stress_verify);
PG_FUNCTION_INFO_V1(pool_stress_remove);

#define FIRST_NUMBER 4000000000u	/* no relation of the server has it */
#define MAX_RELATIONS 16
#define MAX_BLOCKS 4096
#define WORDS (BLCKSZ / sizeof(uint64))

#if PG_VERSION_NUM < 160000
typedef RelFileNode RelFile;
#define RELATION_NUMBER(rel) (rel).relNode
#define DATABASE(rel) (rel).dbNode
#define SPACE(rel) (rel).spcNode
#else
typedef RelFileLocator RelFile;
#define RELATION_NUMBER(rel) (rel).relNumber
#define DATABASE(rel) (rel).dbOid
#define SPACE(rel) (rel).spcOid
#endif
#if PG_VERSION_NUM < 170000
#define NO_BACKEND InvalidBackendId
#else
#define NO_BACKEND INVALID_PROC_NUMBER
#endif
#if PG_VERSION_NUM >= 190000
#define CHECKPOINT_NOW (CHECKPOINT_FAST | CHECKPOINT_FORCE | CHECKPOINT_WAIT)
#else
#define CHECKPOINT_NOW (CHECKPOINT_IMMEDIATE | CHECKPOINT_FORCE | CHECKPOINT_WAIT)
#endif

typedef struct Relation_
{
	pg_atomic_uint32 users;		/* sharing; EXCLUSIVE = one alone */
	pg_atomic_uint32 wanted;	/* by who wants it alone */
	pg_atomic_uint32 extending;
	pg_atomic_uint32 block_count;
	pg_atomic_uint32 locks[MAX_BLOCKS];
	uint64		sequence[MAX_BLOCKS];
} Relation_;

#define EXCLUSIVE 0x80000000u

typedef struct State
{
	Oid			database;
	int			relations;
	int			blocks;
	pg_atomic_uint64 sequence;
	pg_atomic_uint32 failed;	/* a session has; its locks are never released */
	Relation_	relation[MAX_RELATIONS];
} State;

static State *state = NULL;
static pg_prng_state prng;
static char raw_page[2 * BLCKSZ];

/* ---- locks ------------------------------------------------------------------- */

static void
wait_a_bit(void)
{
	if (pg_atomic_read_u32(&state->failed))
		elog(ERROR, "pool_stress: another session has failed");
	pg_usleep(50);
}

static void
fail(void)
{
	pg_atomic_write_u32(&state->failed, 1);
}

static void
lock(pg_atomic_uint32 *word)
{
	uint32		expected = 0;

	while (!pg_atomic_compare_exchange_u32(word, &expected, 1))
	{
		expected = 0;
		wait_a_bit();
	}
}

static void
unlock(pg_atomic_uint32 *word)
{
	pg_memory_barrier();
	pg_atomic_write_u32(word, 0);
}

static void
share(Relation_ *relation)
{
	for (;;)
	{
		uint32		users = pg_atomic_read_u32(&relation->users);

		if (users != EXCLUSIVE && pg_atomic_read_u32(&relation->wanted) == 0 &&
			pg_atomic_compare_exchange_u32(&relation->users, &users, users + 1))
			return;
		wait_a_bit();
	}
}

static void
unshare(Relation_ *relation)
{
	pg_atomic_fetch_sub_u32(&relation->users, 1);
}

static void
take(Relation_ *relation)
{
	uint32		expected = 0;

	pg_atomic_fetch_add_u32(&relation->wanted, 1);
	while (!pg_atomic_compare_exchange_u32(&relation->users, &expected, EXCLUSIVE))
	{
		expected = 0;
		wait_a_bit();
	}
	pg_atomic_fetch_sub_u32(&relation->wanted, 1);
}

static void
untake(Relation_ *relation)
{
	pg_memory_barrier();
	pg_atomic_write_u32(&relation->users, 0);
}

/* ---- pages ------------------------------------------------------------------- */

static char *
page_buffer(void)
{
	return (char *) TYPEALIGN(BLCKSZ, raw_page);
}

static uint64
word_of(int relation, BlockNumber block, uint64 sequence, int i)
{
	if (i == 0)
		return sequence;
	return (sequence * UINT64CONST(0x9E3779B97F4A7C15)) ^ ((uint64) relation << 56) ^ ((uint64) block << 24) ^ i;
}

static char *
make_page(int relation, BlockNumber block, uint64 sequence)
{
	uint64	   *words = (uint64 *) page_buffer();

	for (int i = 0; i < WORDS; i++)
		words[i] = word_of(relation, block, sequence, i);
	return page_buffer();
}

static void
check_page(const char *how, int relation, BlockNumber block, uint64 sequence)
{
	uint64	   *words = (uint64 *) page_buffer();

	for (int i = 0; i < WORDS; i++)
	{
		if (words[i] == word_of(relation, block, sequence, i))
			continue;
		fail();
		elog(ERROR, "pool_stress: %s: relation %d, block %u: page is of write " UINT64_FORMAT
			 ", expected " UINT64_FORMAT " (word %d)", how, relation, block, words[0], sequence, i);
	}
}

static RelFile
rel_of(int relation)
{
	RelFile		rel = {0};

	SPACE(rel) = DEFAULTTABLESPACE_OID;
	DATABASE(rel) = state->database;
	RELATION_NUMBER(rel) = FIRST_NUMBER + relation;
	return rel;
}

static SMgrRelation
open_relation(int relation)
{
	return smgropen(rel_of(relation), NO_BACKEND);
}

static void
map(text *file, bool create)
{
	int			fd = open(text_to_cstring(file), O_RDWR | (create ? O_CREAT | O_TRUNC : 0), 0600);

	if (fd < 0 || (create && ftruncate(fd, sizeof(State)) != 0))
		elog(ERROR, "%s: %m", text_to_cstring(file));
	state = mmap(NULL, sizeof(State), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (state == MAP_FAILED)
		elog(ERROR, "mmap: %m");
	close(fd);
}

/* Before the relation is used under a lock, as LockRelation() does. */
static SMgrRelation
use(int relation)
{
	AcceptInvalidationMessages();
	return open_relation(relation);
}

/* ---- operations -------------------------------------------------------------- */

static uint64
next_sequence(void)
{
	return pg_atomic_add_fetch_u64(&state->sequence, 1);
}

static void
write_block(int r, BlockNumber block, bool skip_fsync)
{
	Relation_  *relation = &state->relation[r];
	uint64		sequence = next_sequence();

	smgrwrite(use(r), MAIN_FORKNUM, block, make_page(r, block, sequence), skip_fsync);
	relation->sequence[block] = sequence;
}

static void
read_block(int r, BlockNumber block)
{
	smgrread(use(r), MAIN_FORKNUM, block, page_buffer());
	check_page("read", r, block, state->relation[r].sequence[block]);
}

static void
read_file(const char *how, int r, BlockNumber block)
{
	char		path[MAXPGPATH];
	int			fd;

	snprintf(path, sizeof(path), "base/%u/%u", state->database, FIRST_NUMBER + r);
	fd = open(path, O_RDONLY | O_DIRECT);
	if (fd < 0 || pread(fd, page_buffer(), BLCKSZ, (off_t) block * BLCKSZ) != BLCKSZ)
	{
		fail();
		elog(ERROR, "pool_stress: %s: %s, block %u: %m", how, path, block);
	}
	close(fd);
	check_page(how, r, block, state->relation[r].sequence[block]);
}

static void
extend(int r)
{
	Relation_  *relation = &state->relation[r];
	BlockNumber block = pg_atomic_read_u32(&relation->block_count);
	uint64		sequence = next_sequence();

	if (block >= state->blocks)
		return;
	smgrextend(use(r), MAIN_FORKNUM, block, make_page(r, block, sequence), false);
	relation->sequence[block] = sequence;
	pg_write_barrier();
	pg_atomic_write_u32(&relation->block_count, block + 1);
}

/* Also in a critical section, as RelationTruncate() does. */
static void
truncate_to(int r, BlockNumber blocks)
{
	Relation_  *relation = &state->relation[r];
	ForkNumber	fork = MAIN_FORKNUM;
	BlockNumber old = pg_atomic_read_u32(&relation->block_count);
	SMgrRelation reln = use(r);

	smgrnblocks(reln, MAIN_FORKNUM);
	START_CRIT_SECTION();
#if PG_VERSION_NUM < 180000
	smgrtruncate2(reln, &fork, 1, &old, &blocks);
#else
	smgrtruncate(reln, &fork, 1, &old, &blocks);
#endif
	END_CRIT_SECTION();
	pg_atomic_write_u32(&relation->block_count, blocks);
}

/* The file is gone at once, as when its database is dropped. */
static void
drop(int r)
{
	SMgrRelation reln = use(r);

	smgrdounlinkall(&reln, 1, true);
	pg_atomic_write_u32(&state->relation[r].block_count, 0);
}

static void
create(int r)
{
	smgrcreate(use(r), MAIN_FORKNUM, false);
	for (int i = 0; i < 8; i++)
		extend(r);
}

/* On one block of a relation, with its lock held. */
static void
on_block(int r, void (*operation) (int r, BlockNumber block))
{
	Relation_  *relation = &state->relation[r];
	uint32		blocks;

	share(relation);
	blocks = pg_atomic_read_u32(&relation->block_count);
	if (blocks > 0)
	{
		/* some blocks are hot */
		uint32		range = pg_prng_uint32(&prng) % 2 ? blocks : Min(blocks, 8);
		BlockNumber block = pg_prng_uint32(&prng) % range;

		lock(&relation->locks[block]);
		operation(r, block);
		unlock(&relation->locks[block]);
	}
	unshare(relation);
}

/* As a commit does with wal_level = minimal, and as who builds an index does. */
static void
sync_block(int r, BlockNumber block)
{
	SMgrRelation reln = use(r);

	if (!XLogIsNeeded())
		smgrdosyncall(&reln, 1);
	else
	{
		write_block(r, block, true);
		smgrimmedsync(reln, MAIN_FORKNUM);
	}
	read_file("file after immedsync", r, block);
}

static void
write_some(int r, BlockNumber block)
{
	write_block(r, block, pg_prng_uint32(&prng) % 16 == 0);
}

static void
extend_shared(int r)
{
	Relation_  *relation = &state->relation[r];

	share(relation);
	lock(&relation->extending);
	extend(r);
	unlock(&relation->extending);
	unshare(relation);
}

static void
truncate_or_drop(int r, bool drops)
{
	Relation_  *relation = &state->relation[r];

	take(relation);
	if (drops && pg_prng_uint32(&prng) % 3 == 0)
	{
		drop(r);
		create(r);
	}
	else
		truncate_to(r, pg_prng_uint32(&prng) % (pg_atomic_read_u32(&relation->block_count) + 1));
	untake(relation);
}

static void
one_operation(bool drops)
{
	int			r = pg_prng_uint32(&prng) % state->relations;
	int			dice = pg_prng_uint32(&prng) % 1000;

	HOLD_INTERRUPTS();
	if (dice < 550)
		on_block(r, write_some);
	else if (dice < 870)
		on_block(r, read_block);
	else if (dice < 980)
		extend_shared(r);
	else if (dice < 990)
		on_block(r, sync_block);
	else
		truncate_or_drop(r, drops);
	RESUME_INTERRUPTS();
}

/* ---- functions --------------------------------------------------------------- */

Datum
pool_stress_create(PG_FUNCTION_ARGS)
{
	map(PG_GETARG_TEXT_PP(0), true);
	state->database = MyDatabaseId;
	state->relations = Min(PG_GETARG_INT32(1), MAX_RELATIONS);
	state->blocks = Min(PG_GETARG_INT32(2), MAX_BLOCKS);
	for (int r = 0; r < state->relations; r++)
		create(r);
	PG_RETURN_VOID();
}

Datum
pool_stress_run(PG_FUNCTION_ARGS)
{
	TimestampTz end = GetCurrentTimestamp() + (TimestampTz) (PG_GETARG_FLOAT8(1) * 1e6);
	int64		done = 0;

	map(PG_GETARG_TEXT_PP(0), false);
	pg_prng_seed(&prng, (uint64) PG_GETARG_INT64(2));
	while (GetCurrentTimestamp() < end)
	{
		one_operation(PG_GETARG_BOOL(3));
		done++;
		CHECK_FOR_INTERRUPTS();
	}
	PG_RETURN_INT64(done);
}

Datum
pool_stress_verify(PG_FUNCTION_ARGS)
{
	int64		pages = 0;

	map(PG_GETARG_TEXT_PP(0), false);
	HOLD_INTERRUPTS();
	for (int r = 0; r < state->relations; r++)
		take(&state->relation[r]);
	RESUME_INTERRUPTS();
	RequestCheckpoint(CHECKPOINT_NOW);
	for (int r = 0; r < state->relations; r++)
	{
		for (BlockNumber block = 0; block < pg_atomic_read_u32(&state->relation[r].block_count); block++, pages++)
			read_file("file after checkpoint", r, block);
	}
	for (int r = 0; r < state->relations; r++)
		untake(&state->relation[r]);
	PG_RETURN_INT64(pages);
}

Datum
pool_stress_remove(PG_FUNCTION_ARGS)
{
	map(PG_GETARG_TEXT_PP(0), false);
	for (int r = 0; r < state->relations; r++)
		drop(r);
	PG_RETURN_VOID();
}
