/*-------------------------------------------------------------------------
 *
 * stats.h
 *	  Shared counters.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_STATS_H
#define SMGR_ATOMIC_STATS_H

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "compat.h"

/* Why a page write was left to md.c. */
typedef enum SaDelegated
{
	SA_DELEGATED_TEMPORARY,		/* temporary relation: never recovered */
	SA_DELEGATED_OFF,			/* atomic writes are not in force */
	SA_DELEGATED_REASONS
} SaDelegated;

/* Counters of one backend type. */
typedef struct SaStats
{
	uint64		pages;			/* written atomically */
	uint64		accepted;		/* of these, handed to the write-behind pool */
	uint64		retries;		/* EAGAIN and EINTR */
	uint64		delegated[SA_DELEGATED_REASONS];
	uint64		errors;
	uint64		write_time_ns;	/* spent by this backend type */
} SaStats;

extern Size sa_stats_shmem_size(void);
extern void sa_stats_shmem_init(void);
extern void sa_stats_written(bool accepted, uint64 time_ns);
extern void sa_stats_retries(uint64 retries);
extern void sa_stats_delegated(SaDelegated why);
extern void sa_stats_error(void);
extern bool sa_stats_read(BackendType type, SaStats *stats);
extern TimestampTz sa_stats_reset_time(void);
extern void sa_stats_reset(void);

#endif							/* SMGR_ATOMIC_STATS_H */
