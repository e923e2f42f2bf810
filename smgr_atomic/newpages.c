/*-------------------------------------------------------------------------
 *
 * newpages.c
 *	  Pages that recovery can make from nothing.
 *
 * When the server needs a new page it adds a block of zeroes to the file, and fills
 * it in shared buffers, from where it is written some time later.  A crash before
 * that leaves the zeroes, and recovery has to make the page from them: everything
 * that WAL says about the page it says after the block was added, so behind the redo
 * point of a checkpoint that had begun before.  Every server without full-page images
 * depends on this.  (In all access methods of the server the first record about a new
 * page makes all of it.  One of an extension that logs only a difference to zeroes needs
 * images to be on, with this library or without.)
 *
 * So until a later checkpoint is complete such a page needs no copy in the page
 * journal.  The journal has only its checksum, so what is loaded in bulk is written
 * once, not twice.  If what is in place at a start after a crash is none of the
 * versions whose checksums the journal still has - torn, or older - zeroes are put
 * there, and recovery makes the page again.
 *
 * WAL may also speak of a block of the same number that was truncated or dropped
 * before.  That finds no page, as when the file is short, and is forgotten when
 * recovery comes to the truncation (log_invalid_page()).  It must come there before
 * it believes to be consistent.  After a promotion pg_control says until the next
 * checkpoint that this is where the promotion was; so nothing is noted before the first
 * checkpoint after a start or promotion is complete.
 *
 * The next checkpoint writes the page and makes it durable, and when it is complete
 * recovery begins behind what made the page: what the journal says of it is void
 * then, as all that it says (journal.c, "wal").
 *
 * Here is kept, for files that grow, the first block that was added so since the redo
 * point of the checkpoint that began last.  All blocks from there on were, too:
 * whoever adds a block with content, or one to be filled past shared buffers
 * (skipFsync), raises the mark above it.  Their images may be in WAL before they are
 * added, and a redo point in between.
 *
 * Nothing is noted where zeroes are not what recovery begins with:
 *
 * - in recovery itself, where WAL adds blocks that it has filled before;
 * - with wal_level = minimal: a relation may be made durable at commit instead of
 *	 being logged.
 *
 * Of other forks than the main one nothing is noted either; they are small.
 *
 * The redo point is that which is published (GetRedoRecPtr()), read before the block
 * is added.  What WAL says of the block is then behind it.  One that is about to be
 * published makes what is noted here useless, not wrong.
 *
 * What is not known here gets a copy.  So files share places: one that grows takes
 * the place of another.  If it is about a file of the same name in another
 * incarnation: removing a file and adding blocks to a new one comes to the same as
 * truncating it.  Files are copied past us by CREATE and ALTER DATABASE only, into
 * a database or tablespace that has none of them, and a checkpoint begins before.
 *
 * Each place is protected by its spinlock, in which nothing is called.  Bits of "noting"
 * are only ever set, and read without a lock: who sees them late notes late.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "common/hashfn.h"
#include "port/atomics.h"
#include "storage/shmem.h"
#include "storage/spin.h"

#include "newpages.h"

#define PLACES 1024

/* A file that grows. */
typedef struct Place
{
	slock_t		mutex;
	SaRelFile	rel;			/* number 0 = none */
	BlockNumber first;			/* from here on blocks were added as zeroes ... */
	XLogRecPtr	redo;			/* ... after this redo point was published */
} Place;

/* What must be so before a block is noted. */
#define CHECKPOINTED	0x01	/* a checkpoint of this primary is complete */
#define CAN_TELL		0x02	/* who adds blocks with content comes to us */

typedef struct NewPagesShared
{
	pg_atomic_uint32 noting;
	Place		places[PLACES];
} NewPagesShared;

static NewPagesShared *shared = NULL;

Size
sa_newpages_shmem_size(void)
{
	return sizeof(NewPagesShared);
}

/* Called from shmem_startup_hook. */
void
sa_newpages_shmem_init(void)
{
	bool		found;

	shared = ShmemInitStruct("smgr_atomic new pages", sizeof(NewPagesShared), &found);
	if (found)
		return;
	memset(shared, 0, sizeof(NewPagesShared));
	pg_atomic_init_u32(&shared->noting, 0);
	for (int i = 0; i < PLACES; i++)
		SpinLockInit(&shared->places[i].mutex);
}

/* A checkpoint is complete that was none of recovery's.  Checkpointer. */
void
sa_newpages_checkpointed(void)
{
	(void) pg_atomic_fetch_or_u32(&shared->noting, CHECKPOINTED);
}

/* The entry "extend" is proven (entries.c).  Any process. */
void
sa_newpages_can_tell(void)
{
	(void) pg_atomic_fetch_or_u32(&shared->noting, CAN_TELL);
}

static Place *
place_of(const SaRelFile *rel)
{
	return &shared->places[hash_bytes((const unsigned char *) rel, sizeof(*rel)) % PLACES];
}

/*
 * A block of zeroes is about to be added to the end of a file, to be filled in
 * shared buffers.  Any process; no critical section.
 */
void
sa_newpages_added(SaRelFile rel, ForkNumber fork, BlockNumber block)
{
	Place	   *place;
	XLogRecPtr	redo;

	if (shared == NULL || fork != MAIN_FORKNUM || !XLogIsNeeded() || RecoveryInProgress() ||
		pg_atomic_read_u32(&shared->noting) != (CHECKPOINTED | CAN_TELL))
		return;
	place = place_of(&rel);
	redo = GetRedoRecPtr();
	SpinLockAcquire(&place->mutex);
	if (!saRelFileEquals(place->rel, rel) || place->redo != redo)
	{
		place->rel = rel;
		place->first = block;
		place->redo = redo;
	}
	SpinLockRelease(&place->mutex);
}

/*
 * A block is about to be added with its content, or filled past shared buffers.  Any
 * process.
 */
void
sa_newpages_written(SaRelFile rel, ForkNumber fork, BlockNumber block)
{
	Place	   *place;

	if (shared == NULL || fork != MAIN_FORKNUM)
		return;
	place = place_of(&rel);
	SpinLockAcquire(&place->mutex);
	if (saRelFileEquals(place->rel, rel) && place->first <= block)
		place->first = block + 1;
	SpinLockRelease(&place->mutex);
}

/*
 * Was this block added as zeroes after this redo point was published?  redo: the one
 * published last, or the one before.  Any process.
 */
bool
sa_newpages_has(const SaPageKey *key, XLogRecPtr redo)
{
	Place	   *place = place_of(&key->rel);
	bool		has;

	if (key->fork != MAIN_FORKNUM)
		return false;
	SpinLockAcquire(&place->mutex);
	has = saRelFileEquals(place->rel, key->rel) && place->redo == redo && key->block >= place->first;
	SpinLockRelease(&place->mutex);
	return has;
}
