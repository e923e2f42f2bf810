/*
 * writecost.c
 *	  Price of the storage manager's way to the disk over the bare system call.
 *
 * In one backend, batches of pwritev2(RWF_ATOMIC) on an O_DIRECT descriptor
 * take turns with batches of smgrwrite(), which goes through the server's
 * table of storage managers and so through whatever library sits there.  Both
 * write the same blocks of the same file with the same bytes, from the same
 * aligned buffers.  Every write is timed on its own.
 *
 * writecost_accept() compares what a process that evicts a page pays: stock's
 * mdwrite(), which copies it into the page cache, against smgrwrite(), which
 * copies it into the write-behind pool.  Who goes first alternates.  Each writes
 * blocks of its own half of the file; stock's have been read through the page
 * cache, as a page has that is evicted, so that it need not allocate them there.
 * Between batches everything is made durable, unmeasured, so that
 * neither finds the pool full or the page cache dirty beyond its share.
 *
 * writecost_rate() writes many different blocks as fast as smgrwrite() takes
 * them and waits until all are durable: the rate of whatever carries pages to
 * the disk behind the table of storage managers.
 *
 * The blocks keep their content: each is read first and written back.  The
 * relation is locked against everyone else and must be permanent.
 *
 * A tool for measuring, not part of the product: it is loaded by its path and
 * never installed.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_class.h"
#include "common/pg_prng.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/fd.h"
#include "storage/md.h"
#include "storage/smgr.h"
#include "utils/rel.h"

#ifndef RWF_ATOMIC
#define RWF_ATOMIC 0x00000040	/* linux/fs.h since 6.11 */
#endif

#define ALIGNMENT 4096			/* enough for direct I/O on every disk we know */
#define MAX_BATCH 4096
#define MAX_PAIRS 100000

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(writecost);
PG_FUNCTION_INFO_V1(writecost_accept);
PG_FUNCTION_INFO_V1(writecost_rate);

/* What both ways of writing need to know. */
typedef struct Bench
{
	Relation	rel;
	int			fd;				/* O_DIRECT, first segment of the main fork */
	BlockNumber nblocks;		/* blocks in that segment */
	int			batch;
	BlockNumber *blocks;		/* [batch] */
	char	   *pages;			/* [batch][BLCKSZ], aligned */
} Bench;

static uint64
now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64) ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* Open the first segment of a relation's main fork for direct I/O. */
static int
open_direct(Relation rel)
{
	int			fd;

#if PG_VERSION_NUM >= 180000
	RelPathStr	path = relpathperm(RelationGetSmgr(rel)->smgr_rlocator.locator, MAIN_FORKNUM);
	const char *name = path.str;
#elif PG_VERSION_NUM >= 160000
	const char *name = relpathperm(RelationGetSmgr(rel)->smgr_rlocator.locator, MAIN_FORKNUM);
#else
	const char *name = relpathperm(RelationGetSmgr(rel)->smgr_rnode.node, MAIN_FORKNUM);
#endif

	fd = OpenTransientFile(name, O_RDWR | O_DIRECT | PG_BINARY);
	if (fd < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open file \"%s\" for direct I/O: %m", name)));
	return fd;
}

/*
 * Read what a chosen block holds; past the page cache, or the first write of
 * the block would pay for dropping it there.
 */
static void
read_block(Bench *bench, int i)
{
	if (pread(bench->fd, bench->pages + (Size) i * BLCKSZ, BLCKSZ,
			  (off_t) bench->blocks[i] * BLCKSZ) != BLCKSZ)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read block %u: %m", bench->blocks[i])));
}

/* Read it as stock does: its page is in the page cache then. */
static void
read_md(Bench *bench, int i)
{
#if PG_VERSION_NUM >= 170000
	void	   *page = bench->pages + (Size) i * BLCKSZ;

	mdreadv(RelationGetSmgr(bench->rel), MAIN_FORKNUM, bench->blocks[i], &page, 1);
#else
	mdread(RelationGetSmgr(bench->rel), MAIN_FORKNUM, bench->blocks[i],
		   bench->pages + (Size) i * BLCKSZ);
#endif
}

/* Choose the blocks of the next batch, in [first, last], and read them. */
static void
choose_blocks(Bench *bench, pg_prng_state *prng, BlockNumber first, BlockNumber last,
			  void (*read_one) (Bench *, int))
{
	for (int i = 0; i < bench->batch; i++)
	{
		bench->blocks[i] = pg_prng_uint64_range(prng, first, last);
		read_one(bench, i);
	}
}

/* One bare atomic write; EAGAIN and EINTR are the two errors worth a retry. */
static void
write_raw(Bench *bench, int i)
{
	struct iovec iov = {bench->pages + (Size) i * BLCKSZ, BLCKSZ};
	off_t		offset = (off_t) bench->blocks[i] * BLCKSZ;
	ssize_t		written;

	do
		written = pwritev2(bench->fd, &iov, 1, offset, RWF_ATOMIC);
	while (written < 0 && (errno == EAGAIN || errno == EINTR));
	if (written != BLCKSZ)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("pwritev2(RWF_ATOMIC) of block %u wrote %zd of %d bytes: %m",
						bench->blocks[i], written, BLCKSZ)));
}

static void
write_smgr(Bench *bench, int i)
{
	smgrwrite(RelationGetSmgr(bench->rel), MAIN_FORKNUM, bench->blocks[i],
			  bench->pages + (Size) i * BLCKSZ, false);
}

/* What stock does. */
static void
write_md(Bench *bench, int i)
{
#if PG_VERSION_NUM >= 170000
	const void *page = bench->pages + (Size) i * BLCKSZ;

	mdwritev(RelationGetSmgr(bench->rel), MAIN_FORKNUM, bench->blocks[i], &page, 1, false);
#else
	mdwrite(RelationGetSmgr(bench->rel), MAIN_FORKNUM, bench->blocks[i],
			bench->pages + (Size) i * BLCKSZ, false);
#endif
}

/* Write the batch one way, time of each write into times[]; returns the sum. */
static double
time_batch(Bench *bench, void (*write_one) (Bench *, int), double *times)
{
	double		sum = 0;

	for (int i = 0; i < bench->batch; i++)
	{
		uint64		start = now_ns(CLOCK_MONOTONIC);

		write_one(bench, i);
		times[i] = (double) (now_ns(CLOCK_MONOTONIC) - start);
		sum += times[i];
	}
	return sum;
}

static int
compare_doubles(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

/* Value at a share of the values (0.5: median); sorts them. */
static double
quantile(double *values, int count, double share)
{
	qsort(values, count, sizeof(double), compare_doubles);
	return values[Min((int) (count * share), count - 1)];
}

static void
check_arguments(int pairs, int batch)
{
	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser to write blocks past the buffer manager")));
	if (pairs < 1 || pairs > MAX_PAIRS || batch < 1 || batch > MAX_BATCH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("pairs must be between 1 and %d, batch between 1 and %d",
						MAX_PAIRS, MAX_BATCH)));
}

static TupleDesc
result_desc(FunctionCallInfo fcinfo)
{
	TupleDesc	tupdesc;

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return tupdesc;
}

/* Lock the relation, write out its buffers, and prepare everything. */
static void
open_bench(Bench *bench, Oid relid, int batch)
{
	bench->rel = relation_open(relid, AccessExclusiveLock);
	if (bench->rel->rd_rel->relkind != RELKIND_RELATION ||
		bench->rel->rd_rel->relpersistence != RELPERSISTENCE_PERMANENT)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a permanent table",
						RelationGetRelationName(bench->rel))));
	FlushRelationBuffers(bench->rel);
	bench->nblocks = Min(RelationGetNumberOfBlocks(bench->rel), RELSEG_SIZE);
	if (bench->nblocks == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("table \"%s\" is empty", RelationGetRelationName(bench->rel))));
	bench->fd = open_direct(bench->rel);
	bench->batch = batch;
	bench->blocks = palloc(batch * sizeof(BlockNumber));
	bench->pages = (char *) TYPEALIGN(ALIGNMENT, palloc((Size) batch * BLCKSZ + ALIGNMENT));
}

/*
 * writecost(relation, pairs, batch) -> raw_ns, smgr_ns, ratio, ratio_q1, ratio_q3
 *
 * Medians of single writes in ns; ratio is the median over pairs of batches of
 * (sum by smgrwrite / sum by pwritev2), with its quartiles.
 */
Datum
writecost(PG_FUNCTION_ARGS)
{
	int			pairs = PG_GETARG_INT32(1);
	int			batch = PG_GETARG_INT32(2);
	Bench		bench;
	pg_prng_state prng;
	double	   *raw;
	double	   *smgr;
	double	   *ratios;
	TupleDesc	tupdesc;
	Datum		values[5];
	bool		nulls[5] = {false};

	check_arguments(pairs, batch);
	tupdesc = result_desc(fcinfo);
	open_bench(&bench, PG_GETARG_OID(0), batch);
	pg_prng_seed(&prng, 1);
	raw = palloc_extended((Size) pairs * batch * sizeof(double), MCXT_ALLOC_HUGE);
	smgr = palloc_extended((Size) pairs * batch * sizeof(double), MCXT_ALLOC_HUGE);
	ratios = palloc(pairs * sizeof(double));

	/* Pair -1 only opens files and warms up; who goes first alternates. */
	for (int pair = -1; pair < pairs; pair++)
	{
		int			slot = Max(pair, 0);
		double		raw_sum;
		double		smgr_sum;

		CHECK_FOR_INTERRUPTS();
		choose_blocks(&bench, &prng, 0, bench.nblocks - 1, read_block);
		if (slot % 2 == 0)
		{
			raw_sum = time_batch(&bench, write_raw, raw + (Size) slot * batch);
			smgr_sum = time_batch(&bench, write_smgr, smgr + (Size) slot * batch);
		}
		else
		{
			smgr_sum = time_batch(&bench, write_smgr, smgr + (Size) slot * batch);
			raw_sum = time_batch(&bench, write_raw, raw + (Size) slot * batch);
		}
		ratios[slot] = smgr_sum / raw_sum;
	}

	values[0] = Float8GetDatum(quantile(raw, pairs * batch, 0.5));
	values[1] = Float8GetDatum(quantile(smgr, pairs * batch, 0.5));
	values[2] = Float8GetDatum(quantile(ratios, pairs, 0.5));
	values[3] = Float8GetDatum(quantile(ratios, pairs, 0.25));
	values[4] = Float8GetDatum(quantile(ratios, pairs, 0.75));

	CloseTransientFile(bench.fd);
	relation_close(bench.rel, NoLock);	/* the lock stays until commit */
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(tupdesc, values, nulls)));
}

/* Time of one batch, in ns. */
typedef struct Sums
{
	double		wall;
	double		cpu;
} Sums;

/* Write a batch one way, then make it durable; times of single writes into times[]. */
static Sums
accept_batch(Bench *bench, pg_prng_state *prng, BlockNumber first, BlockNumber last,
			 void (*read_one) (Bench *, int), void (*write_one) (Bench *, int), double *times)
{
	Sums		sums;
	uint64		cpu;

	choose_blocks(bench, prng, first, last, read_one);
	cpu = now_ns(CLOCK_THREAD_CPUTIME_ID);
	sums.wall = time_batch(bench, write_one, times);
	sums.cpu = (double) (now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu);
	smgrimmedsync(RelationGetSmgr(bench->rel), MAIN_FORKNUM);
	return sums;
}

/*
 * writecost_accept(relation, pairs, batch) -> stock_ns, pool_ns, ratio, cpu_ratio
 *
 * Medians of single writes in ns; the ratios are medians over pairs of batches
 * of (smgrwrite / mdwrite), by the clock and by this thread's CPU time.
 */
Datum
writecost_accept(PG_FUNCTION_ARGS)
{
	int			pairs = PG_GETARG_INT32(1);
	int			batch = PG_GETARG_INT32(2);
	TupleDesc	tupdesc = result_desc(fcinfo);
	Bench		bench;
	pg_prng_state prng;
	double	   *stock;
	double	   *pool;
	double	   *ratios;
	double	   *cpu_ratios;
	Datum		values[4];
	bool		nulls[4] = {false};

	check_arguments(pairs, batch);
	open_bench(&bench, PG_GETARG_OID(0), batch);
	pg_prng_seed(&prng, 1);
	stock = palloc_extended((Size) pairs * batch * sizeof(double), MCXT_ALLOC_HUGE);
	pool = palloc_extended((Size) pairs * batch * sizeof(double), MCXT_ALLOC_HUGE);
	ratios = palloc(pairs * sizeof(double));
	cpu_ratios = palloc(pairs * sizeof(double));

	/* Pair -1 only opens files and warms up; who goes first alternates. */
	for (int pair = -1; pair < pairs; pair++)
	{
		int			slot = Max(pair, 0);
		BlockNumber half = bench.nblocks / 2;
		Sums		by_md;
		Sums		by_pool;

		CHECK_FOR_INTERRUPTS();
		for (int turn = 0; turn < 2; turn++)
		{
			if (turn == slot % 2)
				by_md = accept_batch(&bench, &prng, 0, half - 1, read_md, write_md,
									 stock + (Size) slot * batch);
			else
				by_pool = accept_batch(&bench, &prng, half, bench.nblocks - 1, read_block, write_smgr,
									   pool + (Size) slot * batch);
		}
		ratios[slot] = by_pool.wall / by_md.wall;
		cpu_ratios[slot] = by_pool.cpu / by_md.cpu;
	}

	values[0] = Float8GetDatum(quantile(stock, pairs * batch, 0.5));
	values[1] = Float8GetDatum(quantile(pool, pairs * batch, 0.5));
	values[2] = Float8GetDatum(quantile(ratios, pairs, 0.5));
	values[3] = Float8GetDatum(quantile(cpu_ratios, pairs, 0.5));

	CloseTransientFile(bench.fd);
	relation_close(bench.rel, NoLock);	/* the lock stays until commit */
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(tupdesc, values, nulls)));
}

/* Block numbers 0 to count - 1 in random order. */
static BlockNumber *
shuffled_blocks(BlockNumber count, uint64 seed)
{
	BlockNumber *blocks = palloc_extended((Size) count * sizeof(BlockNumber), MCXT_ALLOC_HUGE);
	pg_prng_state prng;

	pg_prng_seed(&prng, seed);
	for (BlockNumber i = 0; i < count; i++)
	{
		BlockNumber j = pg_prng_uint64_range(&prng, 0, i);

		blocks[i] = blocks[j];
		blocks[j] = i;
	}
	return blocks;
}

/* Processor time of the whole machine since boot, in s; idle, waiting and stolen time is none. */
static double
machine_cpu(void)
{
	FILE	   *file = AllocateFile("/proc/stat", "r");
	double		t[7];

	if (file == NULL ||
		fscanf(file, "cpu %lf %lf %lf %lf %lf %lf %lf", &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6]) != 7)
		elog(ERROR, "could not read /proc/stat");
	FreeFile(file);
	return (t[0] + t[1] + t[2] + t[5] + t[6]) / sysconf(_SC_CLK_TCK);
}

/*
 * writecost_rate(relation, pages, seed) -> seconds, machine_cpu_s, prepare_cpu_s
 *
 * Time from the first of so many smgrwrite() calls, each for another block, to
 * the return of smgrimmedsync(), and what the machine worked meanwhile; apart
 * from that, processor time of this process before.
 */
Datum
writecost_rate(PG_FUNCTION_ARGS)
{
	int			pages = PG_GETARG_INT32(1);
	TupleDesc	tupdesc = result_desc(fcinfo);
	Bench		bench;
	uint64		start;
	double		machine;
	Datum		values[3];
	bool		nulls[3] = {false};

	check_arguments(1, 1);
	open_bench(&bench, PG_GETARG_OID(0), 1);
	if (pages < 1 || pages > bench.nblocks)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("pages must be between 1 and %u", bench.nblocks)));
	bench.blocks = shuffled_blocks(bench.nblocks, PG_GETARG_INT32(2));
	bench.pages = palloc_extended((Size) pages * BLCKSZ + ALIGNMENT, MCXT_ALLOC_HUGE);
	bench.pages = (char *) TYPEALIGN(ALIGNMENT, bench.pages);
	for (int i = 0; i < pages; i++)
		read_block(&bench, i);

	values[2] = Float8GetDatum((double) now_ns(CLOCK_THREAD_CPUTIME_ID) / 1e9);
	machine = machine_cpu();
	start = now_ns(CLOCK_MONOTONIC);
	for (int i = 0; i < pages; i++)
	{
		CHECK_FOR_INTERRUPTS();
		write_smgr(&bench, i);
	}
	smgrimmedsync(RelationGetSmgr(bench.rel), MAIN_FORKNUM);
	values[0] = Float8GetDatum((double) (now_ns(CLOCK_MONOTONIC) - start) / 1e9);
	values[1] = Float8GetDatum(machine_cpu() - machine);

	CloseTransientFile(bench.fd);
	relation_close(bench.rel, NoLock);	/* the lock stays until commit */
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(tupdesc, values, nulls)));
}
