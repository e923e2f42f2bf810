/*-------------------------------------------------------------------------
 *
 * entries.c
 *	  The entries of the server's tables that are ours, and the proof that the
 *	  server uses them.
 *
 * Each entry does what pages on their way need, and forwards to md.c.
 *
 * A compiler may have resolved a call through a table that it knows to be
 * constant (Debian's 15 jumps from smgrimmedsync() to mdimmedsync()).  Then the
 * call never comes to us, whatever the table says.  So each entry that the
 * contract rests on is proven: the server is asked to do it with a relation
 * that cannot exist, and the call has to arrive.
 *
 * - "write", "writeback" and "exists" at once, in the postmaster.  If they do
 *	 not come, nothing was attached.
 * - What needs files or buffers in a worker: each writer asks before it opens
 *	 the pool, the driver before it arms.  A pool whose pages a read, a truncation
 *	 or a removal passes by stays closed, and images stay on.
 * - "immedsync" is not relied on (see write.c).  The sync
 *	 table has a row for each handler, chosen by the request.  Without "extend"
 *	 every page gets a copy in the page journal (newpages.c).
 *
 * All variables are private to the process.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "attach.h"
#include "barrier.h"
#include "compat.h"
#include "doublewrite.h"
#include "entries.h"
#include "fpw.h"
#include "newpages.h"
#include "segment.h"
#include "write.h"
#include "writebehind.h"

#ifndef SA_NO_ROW_FOR_THIS_MAJOR

static bool proving = false;
static uint32 proven = 0;		/* entries whose calls came to us meanwhile, as bits */

/* Is this call only to see whether it comes here?  Then it has. */
static bool
is_proof(SaSmgrMember entry)
{
	if (proving)
		proven |= 1U << entry;
	return proving;
}

static bool
is_proven(SaSmgrMember entry)
{
	return (proven & (1U << entry)) != 0;
}

static void
write_pages(SMgrRelation reln, ForkNumber fork, BlockNumber block,
			const void **pages, BlockNumber nblocks, bool skipFsync)
{
	if (is_proof(SA_SMGR_write_pages))
		return;
	if (AmCheckpointerProcess())
		sa_fpw_checkpoint_write();
	sa_write_pages(reln, fork, block, pages, nblocks, skipFsync);
}

static bool
read_page(SMgrRelation reln, ForkNumber fork, BlockNumber block, void *page)
{
	return is_proof(SA_SMGR_read_pages) || sa_write_read(reln, fork, block, page);
}

static bool
is_zero(const char *page)
{
	return page[0] == 0 && memcmp(page, page + 1, BLCKSZ - 1) == 0;
}

/* The server is about to add these blocks; page: what is in the one, NULL = zeroes. */
static void
before_extension(SMgrRelation reln, ForkNumber fork, BlockNumber block, BlockNumber nblocks,
				 const void *page, bool skipFsync)
{
	if (SmgrIsTemp(reln))
		return;
	if (skipFsync || (page != NULL && !is_zero(page)))
		sa_newpages_written(saRelFile(reln), fork, block + nblocks - 1);
	else if (sa_write_method() == SA_WRITE_DOUBLE)
		sa_newpages_added(saRelFile(reln), fork, block);
}

SA_DEFINE_EXTEND_ENTRY(table_extend, is_proof, before_extension)
SA_DEFINE_ZEROEXTEND_ENTRY(table_zeroextend, before_extension);
SA_DEFINE_WRITE_ENTRY(table_write, write_pages)
SA_DEFINE_READ_ENTRY(table_read, read_page)
SA_DEFINE_STARTREAD_ENTRY(table_startread, is_proof, sa_write_settle);

static void
table_close(SMgrRelation reln, ForkNumber fork)
{
	if (sa_barrier_closes(reln, fork) || is_proof(SA_SMGR_close))
		return;
	sa_segment_close(reln, fork);
	mdclose(reln, fork);
}

/* Also in critical sections, with every buffer of the blocks gone. */
static void
table_truncate(SMgrRelation reln, ForkNumber fork, BlockNumber old_blocks, BlockNumber nblocks)
{
	if (is_proof(SA_SMGR_truncate))
		return;
	if (SmgrIsTemp(reln) || nblocks >= old_blocks)
	{
		mdtruncate(reln, fork, old_blocks, nblocks);
		return;
	}
	sa_pool_discard(saRelFile(reln), fork, nblocks);
	sa_doublewrite_forget(saRelFile(reln), fork, nblocks);
	sa_doublewrite_sync_begins();
	mdtruncate(reln, fork, old_blocks, nblocks);	/* syncs the file itself if the queue is full */
	sa_doublewrite_sync_ends(false, NULL);
}

static void
table_unlink(SaRelFileBackend rel, ForkNumber fork, bool is_redo)
{
	if (is_proof(SA_SMGR_unlink))
		return;
	if (!saUnlinkIsTemp(rel))
	{
		sa_pool_discard(saUnlinkRelFile(rel), fork, 0);
		if (is_redo)
			sa_doublewrite_forget(saUnlinkRelFile(rel), fork, 0);
	}
	mdunlink(rel, fork, is_redo);
}

static void
drain_fork(SMgrRelation reln, ForkNumber fork)
{
	if (!SmgrIsTemp(reln))
		sa_pool_drain_file(saRelFile(reln), fork, -1);
}

/*
 * With wal_level = minimal a commit makes the relations that it has created
 * durable by smgrdosyncall(): it has their buffers written, and for each fork
 * that exists calls the entry "immedsync", which need not come to us (see
 * write.c).  The question whether the fork exists comes between the two, so it
 * drains.  It is asked again when a transaction has ended and its relations are
 * removed: not then, their pages may be waiting for the space that this gives.
 */
static bool
table_exists(SMgrRelation reln, ForkNumber fork)
{
	if (is_proof(SA_SMGR_exists))
		return false;
	if (!XLogIsNeeded() && IsTransactionState())
		drain_fork(reln, fork);
	return mdexists(reln, fork);
}

static void
table_immedsync(SMgrRelation reln, ForkNumber fork)
{
	drain_fork(reln, fork);
	sa_doublewrite_sync_begins();
	mdimmedsync(reln, fork);	/* a failure is a PANIC */
	sa_doublewrite_sync_ends(false, NULL);
}

static void
table_writeback(SMgrRelation reln, ForkNumber fork, BlockNumber block, BlockNumber nblocks)
{
	if (!is_proof(SA_SMGR_writeback))
		sa_write_writeback(reln, fork, block, nblocks);
}

static int
table_sync(const FileTag *tag, char *path)
{
	int			rc;

	if (sa_fpw_is_ours(tag))
		return sa_fpw_syncfiletag(tag, path);
	sa_pool_drain_file(saTagRelFile(tag), tag->forknum, (int64) tag->segno);
	sa_doublewrite_sync_begins();
	rc = mdsyncfiletag(tag, path);
	sa_doublewrite_sync_ends(rc < 0 && errno != ENOENT, path);
	return rc;
}

/*
 * Our own request, by which the journal's window becomes void, is among md's:
 * some of these come before it.
 */
static int
table_sync_unlink(const FileTag *tag, char *path)
{
	if (sa_fpw_is_ours(tag))
		return sa_fpw_unlinkfiletag(tag);
	sa_doublewrite_forget(saTagRelFile(tag), InvalidForkNumber, 0);
	return mdunlinkfiletag(tag, path);
}

/* ---- the proof ---- */

static SMgrRelation
nonexistent(void)
{
	SaRelFile	none = {0};

	saRelNumber(none) = 1;
	return saOpenRelation(none);
}

/*
 * In the postmaster, which has no files yet: md.c must not get as far as
 * opening one.  So first comes a call that md.c would take for nothing to do,
 * then, if that came to us, the others.
 */
static void
prove_pages_come(void)
{
	SMgrRelation reln = nonexistent();
	SaPageBuffer page = {0};

	proving = true;
	smgrwriteback(reln, MAIN_FORKNUM, 0, 0);
	if (is_proven(SA_SMGR_writeback))
		smgrwrite(reln, MAIN_FORKNUM, 0, page.data, true);
	if (is_proven(SA_SMGR_write_pages))
		smgrexists(reln, MAIN_FORKNUM);
	proving = false;
	smgrclose(reln);
	if (!is_proven(SA_SMGR_exists))
		sa_attach_failed("the server does not call through its storage manager table");
}

static void
call_read(SMgrRelation reln)
{
	SaPageBuffer page;

	smgrread(reln, MAIN_FORKNUM, 0, page.data);
}

static void
call_truncate(SMgrRelation reln)
{
	saTruncate(reln, MAIN_FORKNUM, 1, 0);
}

static void
call_unlink(SMgrRelation reln)
{
	smgrdounlinkall(&reln, 1, false);
}

static void
call_extend(SMgrRelation reln)
{
	SaPageBuffer page = {0};

	smgrextend(reln, MAIN_FORKNUM, InvalidBlockNumber, page.data, true);
}

/* Does the call come to us?  md.c complains that there is no such file, or block. */
static bool
comes_to_us(SaSmgrMember entry, void (*call) (SMgrRelation reln))
{
	MemoryContext old = CurrentMemoryContext;

	proving = true;
	PG_TRY();
	{
		call(nonexistent());
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(old);
		FlushErrorState();
	}
	PG_END_TRY();
	proving = false;
	return is_proven(entry);
}

/*
 * Do reads, truncations, removals and closes of relations come to us?  If not,
 * says so in sa_attach_reason() of this process.  A worker with shared memory,
 * outside of transactions; once.
 */
bool
sa_entries_prove(void)
{
	static const struct
	{
		SaSmgrMember entry;
		const char *name;
		void		(*call) (SMgrRelation reln);
	}			entries[] = {
		{SA_SMGR_read_pages, "read", call_read},
		SA_STARTREAD_PROOF
		{SA_SMGR_truncate, "truncate", call_truncate},
		{SA_SMGR_close, "close", smgrclose},
		{SA_SMGR_unlink, "unlink", call_unlink},
	};

	for (int i = 0; i < lengthof(entries); i++)
	{
		char		why[128];

		if (comes_to_us(entries[i].entry, entries[i].call))
			continue;
		snprintf(why, sizeof(why), "the server does not call through its storage manager table for \"%s\"",
				 entries[i].name);
		sa_attach_failed(why);
		return false;
	}
	if (comes_to_us(SA_SMGR_extend, call_extend))
		sa_newpages_can_tell();
	return true;
}

#else

bool
sa_entries_prove(void)
{
	return false;
}

#endif

/*
 * Attach to the server.  From _PG_init() in shared_preload_libraries.
 */
void
sa_entries_attach(void)
{
#ifndef SA_NO_ROW_FOR_THIS_MAJOR
	static const SaSwap smgr[] = {
		{SA_SMGR_write_pages, table_write},
		{SA_SMGR_read_pages, table_read},
		SA_STARTREAD_SWAP(table_startread)
		{SA_SMGR_extend, table_extend},
		SA_ZEROEXTEND_SWAP(table_zeroextend)
		{SA_SMGR_close, table_close},
		{SA_SMGR_exists, table_exists},
		{SA_SMGR_truncate, table_truncate},
		{SA_SMGR_unlink, table_unlink},
		{SA_SMGR_immedsync, table_immedsync},
		{SA_SMGR_writeback, table_writeback},
	};
	static const SaSwap sync[] = {
		{SA_SYNC_sync, table_sync},
		{SA_SYNC_unlink, table_sync_unlink},
	};

	if (sa_attach(smgr, lengthof(smgr), sync, lengthof(sync)))
		prove_pages_come();
#else
	(void) sa_attach(NULL, 0, NULL, 0);
#endif
}
