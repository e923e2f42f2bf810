/*-------------------------------------------------------------------------
 *
 * doublewrite.h
 *	  Pages go to the journal before they go to their place.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_DOUBLEWRITE_H
#define SMGR_ATOMIC_DOUBLEWRITE_H

#include "storage/latch.h"

#include "compat.h"
#include "journal.h"

#define SA_DOUBLEWRITE_LOCKS "smgr_atomic_journal"
#define SA_DOUBLEWRITE_LOCK_COUNT 3

typedef enum SaReserved
{
	SA_RESERVED,				/* room in the journal; write, then place */
	SA_RESERVED_CLOSED,			/* pages do not go through the journal now */
	SA_RESERVED_FULL			/* make room first */
} SaReserved;

/* A batch on its way to the journal. */
typedef struct SaBatch
{
	char	   *room;			/* aligned, SA_BATCH_ROOM bytes, to pack it in; NULL = as it is */
	int			copies;			/* so many of its slots, the first, need a copy */
	uint16		lengths[SA_JOURNAL_MAX_ENTRIES];	/* of these */
	uint32		start;			/* of the first (SaJournalHeader) */
	uint32		blocks;			/* of all, the header included */
	XLogRecPtr	redo;			/* of the checkpoint that had begun last */
	SaRingPlace place;
} SaBatch;

static inline bool
sa_batch_is_packed(const SaBatch *batch)
{
	return batch->start != SA_JOURNAL_BLOCK;
}

#define SA_BATCH_ROOM ((Size) (1 + SA_JOURNAL_MAX_ENTRIES) * SA_JOURNAL_BLOCK)

/* For people: now, and since start. */
typedef struct SaJournalStatus
{
	bool		open;			/* pages go through it */
	char		path[MAXPGPATH];	/* "" = no file */
	uint64		size;			/* bytes of the ring */
	uint64		used;			/* of them, what guards pages not known to be durable */
	uint64		batches;
	uint64		pages;
	uint64		new_pages;		/* of them, without a copy */
	uint64		packed_pages;	/* and with one that is packed */
	uint64		written;		/* bytes of all batches */
	uint64		retirements;
	uint64		waits;			/* a batch or record found the ring full */
	uint64		pauses;			/* of the retirer (pace.c) */
	uint64		repair_checked; /* at the last start: pages that had a copy */
	uint64		repair_restored;	/* and those overwritten by it, or with zeroes if it had none */
} SaJournalStatus;

extern Size sa_doublewrite_shmem_size(void);
extern void sa_doublewrite_shmem_init(void);

/* for those who decide */
extern bool sa_doublewrite_usable(char *reason, size_t size);
extern int	sa_doublewrite_descriptor(const char *path);
extern void sa_doublewrite_start(bool clean);
extern void sa_doublewrite_give_up(bool clean);
extern void sa_doublewrite_open(void);
extern void sa_doublewrite_close(void);
extern bool sa_doublewrite_is_open(void);
extern void sa_doublewrite_status(SaJournalStatus *status);
extern void sa_doublewrite_repaired(uint64 checked, uint64 restored);

/* for writers */
extern int	sa_doublewrite_batch_max(void);
extern SaReserved sa_doublewrite_reserve(int *slots, int count, SaBatch *batch);
extern void sa_doublewrite_make_room(void);
extern void sa_doublewrite_write(const int *slots, int count, const SaBatch *batch);
extern void sa_doublewrite_set_chunk(uint32 pages);
extern uint32 sa_doublewrite_chunk(void);
extern void sa_doublewrite_count_pause(void);
extern void sa_doublewrite_placed(int section, int count);

/* for those who sync files: in between the kernel may tell of a failed write */
extern void sa_doublewrite_sync_begins(void);
extern void sa_doublewrite_sync_ends(bool failed, const char *path);

/* for the retirer */
extern bool sa_doublewrite_has_moved(void);
extern void sa_doublewrite_set_retirer(Latch *latch);
extern uint32 sa_doublewrite_pages_max(void);
extern uint32 sa_doublewrite_copies_max(void);
extern uint32 sa_doublewrite_due_pages(uint64 *done, bool soon, SaJournalKey *copy, bool *retire);
extern bool sa_doublewrite_has_room(void);
extern bool sa_doublewrite_may_go_on(void);
extern uint64 sa_doublewrite_pages(void);
extern bool sa_doublewrite_retire(void);

/* for those who shorten or remove files, or let others do it */
extern void sa_doublewrite_forget(SaRelFile rel, ForkNumber fork, BlockNumber first_block);
extern void sa_doublewrite_void(void);

#endif							/* SMGR_ATOMIC_DOUBLEWRITE_H */
