/*-------------------------------------------------------------------------
 *
 * segment.c
 *	  Descriptors of relation segments, private to each process.
 *
 * md.c keeps descriptors of its own for reading, extending and truncating;
 * ours are opened with other flags.  They come from fd.c, so the server's
 * limit on open files and its LRU hold for them (before 18 the server offers
 * no way to touch a virtual file without a system call, so among themselves
 * our files are closed oldest first rather than least recently used first).
 *
 * Invariant: a descriptor of ours never outlives md.c's own for the same fork
 * of the same SMgrRelation.  The table's close entry drops both; smgrclose(),
 * smgrrelease() and PROCSIGNAL_BARRIER_SMGRRELEASE all come through it.  So a
 * relation file that is unlinked and created again under its old name (DROP
 * DATABASE, relfilenumber reuse) can not be written through an old descriptor
 * by us where md.c would not.
 *
 * A segment that md.c dropped because the relation was truncated may stay
 * open here.  md.c leaves such a file in place with length 0 until the
 * relation is dropped, so the descriptor still means the right file.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>

#include "access/xlogutils.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "pagefile.h"
#include "probe.h"
#include "segment.h"
#include "stats.h"

typedef struct ForkKey
{
	SaRelFile	rel;
	ForkNumber	fork;
} ForkKey;

typedef struct ForkEntry
{
	ForkKey		key;			/* hash key, must be first */
	int			count;			/* length of segments */
	SaSegment  *segments;		/* by segment number */
} ForkEntry;

static HTAB *forks = NULL;
static MemoryContext context = NULL;

static void
make_key(ForkKey *key, SMgrRelation reln, ForkNumber fork)
{
	memset(key, 0, sizeof(*key));
	key->rel = saRelFile(reln);
	key->fork = fork;
}

static void
create_table(void)
{
	HASHCTL		ctl = {0};

	context = AllocSetContextCreate(TopMemoryContext, "smgr_atomic segments",
									ALLOCSET_DEFAULT_SIZES);
	ctl.keysize = sizeof(ForkKey);
	ctl.entrysize = sizeof(ForkEntry);
	ctl.hcxt = context;
	forks = hash_create("smgr_atomic segments", 256, &ctl,
						HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static ForkEntry *
get_fork(SMgrRelation reln, ForkNumber fork)
{
	ForkKey		key;
	ForkEntry  *entry;
	bool		found;

	if (forks == NULL)
		create_table();
	make_key(&key, reln, fork);
	entry = hash_search(forks, &key, HASH_ENTER, &found);
	if (!found)
	{
		entry->count = 0;
		entry->segments = NULL;
	}
	return entry;
}

/* Make entry->segments[segno] exist; a new one is not open. */
static SaSegment *
get_slot(ForkEntry *entry, int segno)
{
	if (segno >= entry->count)
	{
		int			count = segno + 1;

		if (entry->segments == NULL)
			entry->segments = MemoryContextAlloc(context, count * sizeof(SaSegment));
		else
			entry->segments = repalloc(entry->segments, count * sizeof(SaSegment));
		for (int i = entry->count; i < count; i++)
			entry->segments[i].file = -1;
		entry->count = count;
	}
	return &entry->segments[segno];
}

/* Path of a segment of a permanent relation, into MAXPGPATH bytes. */
void
sa_segment_path(SaRelFile rel, ForkNumber fork, int segno, char *path)
{
	SaJournalKey key = {
		.tablespace = saTablespace(rel),
		.database = saDatabase(rel),
		.relation = saRelNumber(rel),
		.fork = fork,
		.block = (BlockNumber) segno * RELSEG_SIZE
	};

	sa_page_file_path(&key, path);
}

/*
 * Open a segment file.  In recovery a missing one is created, as md.c does:
 * WAL may write to a relation that was truncated or dropped later.
 */
static File
open_segment(SMgrRelation reln, ForkNumber fork, BlockNumber block, const char *path, int open_flags)
{
	File		file = PathNameOpenFile(path, O_RDWR | PG_BINARY | open_flags);

	if (file < 0 && errno == ENOENT && InRecovery)
	{
		SaPageBuffer page;

		/*
		 * mdread() and mdwrite() look a segment up with the same flags
		 * (EXTENSION_CREATE_RECOVERY), and in recovery a read beyond the end
		 * gives zeroes.
		 */
		saMdReadPage(reln, fork, block, page.data);
		file = PathNameOpenFile(path, O_RDWR | PG_BINARY | open_flags);
	}
	return file;
}

#define NOT_WRITTEN "The page was not written, because a crash could tear it; it stays in memory and in WAL. "
#define MOVE_BACK "Move the tablespace back to storage that smgr_atomic_probe() accepts; the page will be written then."

/* The descriptor cannot be asked (rc, -errno), so the file cannot be used. */
static void
refuse_unknown(File file, BlockNumber block, const char *path, int rc)
{
	FileClose(file);
	sa_stats_error();
	errno = -rc;
	ereport(ERROR,
			(errcode_for_file_access(),
			 errmsg("could not get atomic write limits of file \"%s\" (target block %u): %m",
					path, block)));
}

/*
 * Can this very file keep the promise?  Directories were probed, but a
 * symlink, a mount or an inode flag may have changed since.
 */
static void
check_atomic(File file, BlockNumber block, const char *path)
{
	SaLimits	limits = {0};
	int			fd = saFileGetRawDesc(file);
	int			rc = fd < 0 ? -errno : sa_probe_limits(fd, &limits);

	if (rc != 0)
		refuse_unknown(file, block, path, rc);
	if (sa_limits_allow(&limits, BLCKSZ))
	{
		SaVerdict	verdict = limits.unit_max_opt >= BLCKSZ ? SA_VERDICT_HARDWARE : SA_VERDICT_SOFTWARE;

		/* hints only save space and time: a failure is not worth a message */
		(void) sa_probe_prepare_fd(fd, BLCKSZ, verdict);
		return;
	}

	FileClose(file);
	sa_stats_error();
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("file \"%s\" is on storage without atomic page writes (target block %u)",
					path, block),
			 errdetail(NOT_WRITTEN "The largest atomic write there is %u bytes.",
					   limits.dio_mem_align == 0 ? 0 : limits.unit_max),
			 errhint(MOVE_BACK)));
}

/* The same where a page that tears is made whole from the page journal. */
static void
check_journaled(File file, BlockNumber block, const char *path)
{
	char		reason[SA_PROBE_TEXT_LEN] = "";
	int			fd = saFileGetRawDesc(file);
	int			rc = fd < 0 ? -errno : sa_probe_journal_fd(fd, reason);

	if (rc != 0)
		refuse_unknown(file, block, path, rc);
	if (reason[0] == '\0')
		return;

	FileClose(file);
	sa_stats_error();
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("file \"%s\" is on storage where the page journal protects no pages (target block %u)",
					path, block),
			 errdetail(NOT_WRITTEN "In detail: %s.", reason),
			 errhint(MOVE_BACK)));
}

/*
 * Get the segment that holds a block, opened with O_RDWR | open_flags.
 *
 * Raises an error that names file and block if it cannot be opened, cannot be
 * written atomically or, journaled, cannot be protected by the page journal.
 * The result is valid until the next call.  Any process, recovery included; not
 * in a critical section (allocates).
 */
SaSegment *
sa_segment_get(SMgrRelation reln, ForkNumber fork, BlockNumber block, int open_flags, bool journaled)
{
	int			segno = (int) (block / (BlockNumber) RELSEG_SIZE);
	SaSegment  *segment = get_slot(get_fork(reln, fork), segno);
	char		path[MAXPGPATH];
	File		file;

	if (segment->file >= 0 && segment->open_flags == open_flags)
		return segment;
	if (segment->file >= 0)
	{
		File		old = segment->file;

		segment->file = -1;
		FileClose(old);
	}

	sa_segment_path(saRelFile(reln), fork, segno, path);
	file = open_segment(reln, fork, block, path, open_flags);
	if (file < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open file \"%s\" (target block %u): %m", path, block)));

	/* creating segments may have come through sa_segment_close() */
	segment = get_slot(get_fork(reln, fork), segno);
	if (journaled)
		check_journaled(file, block, path);
	else
		check_atomic(file, block, path);
	segment->file = file;
	segment->open_flags = open_flags;
	return segment;
}

/*
 * Close what is open of one fork.  The table's close entry calls this; it must
 * not fail.
 */
void
sa_segment_close(SMgrRelation reln, ForkNumber fork)
{
	ForkKey		key;
	ForkEntry  *entry;

	if (forks == NULL)
		return;
	make_key(&key, reln, fork);
	entry = hash_search(forks, &key, HASH_FIND, NULL);
	if (entry == NULL)
		return;
	for (int i = 0; i < entry->count; i++)
	{
		if (entry->segments[i].file >= 0)
			FileClose(entry->segments[i].file);
	}
	if (entry->segments != NULL)
		pfree(entry->segments);
	hash_search(forks, &key, HASH_REMOVE, NULL);
}
