/*-------------------------------------------------------------------------
 *
 * neverlogged.c
 *	  Empty pages of which WAL knows nothing.
 *
 * A full-page image does more than repair torn pages.  The server sometimes
 * initialises a page anew without saying so in WAL, and its LSN is 0 then:
 *
 * - SP-GiST takes a page from the free space map and finds that it has the wrong
 *	 parity (allocNewBuffer() in spgutils.c);
 * - a table is extended, and an error comes before the row is logged (heap_insert()
 *	 looks for serialization conflicts in between); GiST and nbtree likewise.
 *
 * If WAL since the last redo point has records about the block from before - of
 * the rows that VACUUM removed, say, before it truncated the table - and such a page
 * reaches its file, then after a crash redo applies them to an empty page, because
 * its LSN is older, and ends in a PANIC or a FATAL error, at every start.  Stock
 * restores the image in the first of these records.  So does nothing here while
 * images are off, however whole each page was written.
 *
 * Therefore an empty page with LSN 0 is logged as a whole before it is written, and
 * what is written has the LSN of that record.  Redo then passes over the older
 * records and restores the image.  The page in shared buffers keeps its LSN: there
 * the server takes 0 for "never logged" (lazy_scan_new_or_empty()), which errs on
 * the safe side.  Merely to write an LSN would not do: whoever reads that page again
 * would not log it, and a standby, which lacks the block, would stop at the next
 * record about it.
 *
 * Such pages are rare, so each may cost a flush of WAL.  Pages with LSN 0 that are
 * not empty are not: an index being built has many.
 *
 * Not logged is
 *
 * - what is not in a permanent shared buffer: an image of an unlogged relation would
 *	 have recovery make its file, which ResetUnloggedRelations() does not expect;
 * - with wal_level = minimal, a page whose block in its file has LSN 0 too: the
 *	 relation may be a new one that skips WAL, and an older image would come back
 *	 after its commit.  That leaves tables that were truncated and extended again;
 * - anything in recovery, where pages are initialised by WAL only, in the shutdown
 *	 checkpoint, where WAL must not grow (this leaves a crash before it has ended),
 *	 and in a standalone server, where images are on.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "access/xloginsert.h"
#include "miscadmin.h"
#include "storage/buf_internals.h"
#include "storage/bufpage.h"

#include "fpw.h"
#include "neverlogged.h"
#include "writebehind.h"

/* All zero, as a page is that was never initialised, does not count. */
static bool
is_empty_with_no_lsn(const void *page)
{
	Page		p = unconstify(void *, page);

	return XLogRecPtrIsInvalid(PageGetLSN(p)) && !PageIsNew(p) && PageIsEmpty(p);
}

/*
 * Does a shared buffer of a permanent relation have this block?  The caller has it
 * pinned, if so.
 */
static bool
is_permanent(SMgrRelation reln, ForkNumber fork, BlockNumber block)
{
	SaRelFile	rel = saRelFile(reln);
	BufferTag	tag;
	uint32		hash;
	LWLock	   *lock;
	int			buffer;
	bool		permanent;

	saInitBufferTag(&tag, rel, fork, block);
	hash = BufTableHashCode(&tag);
	lock = BufMappingPartitionLock(hash);
	LWLockAcquire(lock, LW_SHARED);
	buffer = BufTableLookup(&tag, hash);
	permanent = buffer >= 0 && (saBufferState(GetBufferDescriptor(buffer)) & BM_PERMANENT) != 0;
	LWLockRelease(lock);
	return permanent;
}

/* Was the block written before with an LSN? */
static bool
was_logged(SMgrRelation reln, ForkNumber fork, BlockNumber block)
{
	SaPageBuffer before;
	SaPageKey	key = {.rel = saRelFile(reln), .fork = fork, .block = block};

	if (!sa_pool_read(&key, before.data))
		saMdReadPage(reln, fork, block, before.data);
	return !XLogRecPtrIsInvalid(PageGetLSN((Page) before.data));
}

static bool
may_be_logged(SMgrRelation reln, ForkNumber fork, BlockNumber block)
{
	return IsPostmasterEnvironment && !RecoveryInProgress() && XLogInsertAllowed() &&
		!sa_fpw_is_shutdown_checkpoint() && is_permanent(reln, fork, block) &&
		(XLogIsNeeded() || was_logged(reln, fork, block));
}

/*
 * The page to be written in place of this one: itself, or a copy of it that is in
 * WAL, durably, and has its LSN and checksum.  The copy is valid until the next
 * call.  Who writes a page atomically, not in a critical section; the buffer, if
 * there is one, is pinned and share-locked.
 */
const void *
sa_log_if_never_logged(SMgrRelation reln, ForkNumber fork, BlockNumber block, const void *page)
{
	static PGAlignedBlock copy;
	SaRelFile	rel = saRelFile(reln);

	if (fork != MAIN_FORKNUM || !is_empty_with_no_lsn(page) || !may_be_logged(reln, fork, block))
		return page;
	memcpy(copy.data, page, BLCKSZ);
	/* not all page types say truly where their unused part is */
	XLogFlush(log_newpage(&rel, fork, block, copy.data, false));
	PageSetChecksum((Page) copy.data, block);
	return copy.data;
}
