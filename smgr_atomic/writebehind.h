/*-------------------------------------------------------------------------
 *
 * writebehind.h
 *	  The shared pool between those who hand pages over and the device.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_WRITEBEHIND_H
#define SMGR_ATOMIC_WRITEBEHIND_H

#include "port/atomics.h"
#include "storage/latch.h"
#include "utils/timestamp.h"

#include "compat.h"

#define SA_POOL_PARTITIONS 32
#define SA_POOL_LOCKS "smgr_atomic_pool"

/* Identity of a page; a hash key, so it has no padding. */
typedef struct SaPageKey
{
	SaRelFile	rel;
	ForkNumber	fork;
	BlockNumber block;
} SaPageKey;

typedef enum SaSlotState
{
	SA_SLOT_FREE = 0,			/* or being filled by the process that took it */
	SA_SLOT_QUEUED,				/* accepted, image may still be replaced */
	SA_SLOT_IN_FLIGHT			/* being written, image frozen */
} SaSlotState;

/* Header of a slot; see writebehind.c for what protects it. */
typedef struct SaSlot
{
	pg_atomic_uint64 number;	/* of the page in it */
	SaPageKey	key;
	SaSlotState state;
	int			next;			/* in its chain of the table, -1 = last */
	bool		awaited;		/* somebody waits for the page's end */
	uint32		refusals;		/* so often it found no space */
} SaSlot;

/* What became of a page that was handed over. */
typedef enum SaHanded
{
	SA_TAKEN = 0,
	SA_NO_SPACE,				/* pages that find no space take up too much of the pool */
	SA_INTERRUPTED				/* the caller was cancelled */
} SaHanded;

#define SA_PATIENT		0x01	/* wait for a slot as long as it takes */
#define SA_CANCELLABLE	0x02	/* unless cancelled: the caller held no interrupts */

/*
 * How a writer rests.  A short nap lets adjacent pages gather and spares
 * backends the waking; whoever waits for a page ends it.  A pause lets others have the
 * device (pace.c); who waits and should not for long ends it, nobody else.
 * In this order: who ends a rest ends those after it too.
 */
typedef enum SaRest
{
	SA_REST_AWAKE = 0,
	SA_REST_PAUSE,				/* will go on in some milliseconds */
	SA_REST_NAP,				/* will look again in some milliseconds */
	SA_REST_SLEEP				/* until woken */
} SaRest;

/* Counters and levels, for people. */
typedef struct SaPoolStatus
{
	int			slots;
	int			used;
	int			in_flight;
	int			no_space;		/* pages that found no space, and are tried again */
	int			writers;		/* running */
	bool		accepting;
	bool		io_uring;		/* writers have it */
	int			io_uring_errno; /* why not; 0 = not tried or works */
	uint64		accepted;
	uint64		combined;		/* replaced an image that was still queued */
	uint64		coalesced;		/* pages that left as part of a larger write */
	uint64		writes;			/* write requests */
	uint64		written;		/* pages written to their files */
	uint64		reads;			/* pages read from the pool */
	uint64		discarded;		/* pages of truncated or dropped files */
	uint64		waits;			/* callers that found the pool full */
	uint64		helped;			/* pages written by who waited for them */
	uint64		pauses;			/* of writers (pace.c) */
	double		latency_ms[3];	/* of a write request: p50, p95, p99 */
} SaPoolStatus;

extern Size sa_pool_shmem_size(void);
extern void sa_pool_shmem_init(void);
extern void sa_pool_set_accepting(bool accepting);
extern void sa_pool_is_proven(void);
extern void sa_pool_status(SaPoolStatus *status);

/* for those who hand over and read pages */
extern bool sa_pool_takes_pages(void);
extern SaHanded sa_pool_put(const SaPageKey *key, const void *page, int patience);
extern bool sa_pool_read(const SaPageKey *key, void *page);
extern bool sa_pool_settle_block(const SaPageKey *key);
extern void sa_pool_drain_file(SaRelFile rel, ForkNumber fork, int64 segno);
extern bool sa_pool_settle_file(SaRelFile rel, ForkNumber fork, int64 segno);
extern void sa_pool_drain_all(void);
extern void sa_pool_let_go(void);
extern void sa_pool_discard(SaRelFile rel, ForkNumber fork, BlockNumber first_block);
extern void sa_pool_discard_database(Oid database);

/* for those who write them out */
extern int	sa_pool_claim(int *slots, int max);
extern SaSlot *sa_pool_slot(int slot);
extern char *sa_pool_page(int slot);
extern void sa_pool_complete(const int *slots, int count);
extern void sa_pool_requeue(const int *slots, int count);
extern void sa_pool_hold(const int *slots, int count);
extern uint64 sa_pool_forget_generation(void);
extern void sa_pool_count_write(int pages, uint64 latency_us, bool by_writer);
extern int	sa_pool_writer_enter(Latch *latch);
extern void sa_pool_writer_leave(int number);
extern void sa_pool_count_pause(void);
extern void sa_pool_writer_rests(int number, SaRest rest);
extern bool sa_pool_has_queued(void);
extern bool sa_pool_has_many(void);
extern bool sa_pool_is_urgent(void);
extern bool sa_pool_is_pressed(void);
extern bool sa_pool_lacks_space(void);
extern void sa_pool_report_io(bool io_uring, int error);

#define SA_ANY_FORK InvalidForkNumber
#define SA_MAX_WRITERS 8

#endif							/* SMGR_ATOMIC_WRITEBEHIND_H */
