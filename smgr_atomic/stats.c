/*-------------------------------------------------------------------------
 *
 * stats.c
 *	  Shared counters, one set per backend type.
 *
 * Every counter is a 64-bit atomic that is only added to, so writers take no
 * lock and may be anywhere, critical sections included.  A reader sees each
 * counter whole, but not all of them at one moment.  A reset stores zeroes; an
 * addition that races with it is kept or lost.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "port/atomics.h"
#include "storage/shmem.h"

#include "stats.h"

typedef struct Counters
{
	pg_atomic_uint64 pages;
	pg_atomic_uint64 accepted;
	pg_atomic_uint64 retries;
	pg_atomic_uint64 delegated[SA_DELEGATED_REASONS];
	pg_atomic_uint64 errors;
	pg_atomic_uint64 write_time_ns;
} Counters;

typedef struct StatsShared
{
	pg_atomic_uint64 reset_time;	/* TimestampTz */
	Counters	by_type[BACKEND_NUM_TYPES];
} StatsShared;

static StatsShared *shared = NULL;

Size
sa_stats_shmem_size(void)
{
	return sizeof(StatsShared);
}

static void
clear(void)
{
	for (int type = 0; type < BACKEND_NUM_TYPES; type++)
	{
		Counters   *c = &shared->by_type[type];

		pg_atomic_write_u64(&c->pages, 0);
		pg_atomic_write_u64(&c->accepted, 0);
		pg_atomic_write_u64(&c->retries, 0);
		pg_atomic_write_u64(&c->errors, 0);
		pg_atomic_write_u64(&c->write_time_ns, 0);
		for (int i = 0; i < SA_DELEGATED_REASONS; i++)
			pg_atomic_write_u64(&c->delegated[i], 0);
	}
	pg_atomic_write_u64(&shared->reset_time, (uint64) GetCurrentTimestamp());
}

/* Called from shmem_startup_hook. */
void
sa_stats_shmem_init(void)
{
	bool		found;

	shared = ShmemInitStruct("smgr_atomic stats", sizeof(StatsShared), &found);
	if (found)
		return;
	pg_atomic_init_u64(&shared->reset_time, 0);
	for (int type = 0; type < BACKEND_NUM_TYPES; type++)
	{
		Counters   *c = &shared->by_type[type];

		pg_atomic_init_u64(&c->pages, 0);
		pg_atomic_init_u64(&c->accepted, 0);
		pg_atomic_init_u64(&c->retries, 0);
		pg_atomic_init_u64(&c->errors, 0);
		pg_atomic_init_u64(&c->write_time_ns, 0);
		for (int i = 0; i < SA_DELEGATED_REASONS; i++)
			pg_atomic_init_u64(&c->delegated[i], 0);
	}
	clear();
}

/* One page more, written or handed to the pool, in so much time. */
void
sa_stats_written(bool accepted, uint64 time_ns)
{
	Counters   *c = &shared->by_type[MyBackendType];

	pg_atomic_fetch_add_u64(&c->pages, 1);
	pg_atomic_fetch_add_u64(&c->write_time_ns, time_ns);
	if (accepted)
		pg_atomic_fetch_add_u64(&c->accepted, 1);
}

void
sa_stats_retries(uint64 retries)
{
	pg_atomic_fetch_add_u64(&shared->by_type[MyBackendType].retries, retries);
}

void
sa_stats_delegated(SaDelegated why)
{
	pg_atomic_fetch_add_u64(&shared->by_type[MyBackendType].delegated[why], 1);
}

void
sa_stats_error(void)
{
	pg_atomic_fetch_add_u64(&shared->by_type[MyBackendType].errors, 1);
}

/* Counters of one backend type; false if it has written nothing. */
bool
sa_stats_read(BackendType type, SaStats *stats)
{
	Counters   *c = &shared->by_type[type];
	uint64		seen;

	stats->pages = pg_atomic_read_u64(&c->pages);
	stats->accepted = pg_atomic_read_u64(&c->accepted);
	stats->retries = pg_atomic_read_u64(&c->retries);
	stats->errors = pg_atomic_read_u64(&c->errors);
	stats->write_time_ns = pg_atomic_read_u64(&c->write_time_ns);
	seen = stats->pages + stats->retries + stats->errors;
	for (int i = 0; i < SA_DELEGATED_REASONS; i++)
	{
		stats->delegated[i] = pg_atomic_read_u64(&c->delegated[i]);
		seen += stats->delegated[i];
	}
	return seen > 0;
}

TimestampTz
sa_stats_reset_time(void)
{
	return (TimestampTz) pg_atomic_read_u64(&shared->reset_time);
}

void
sa_stats_reset(void)
{
	clear();
}
