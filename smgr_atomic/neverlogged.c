/*-------------------------------------------------------------------------
 *
 * neverlogged.c
 *	  Pages that were initialised anew, of which WAL knows nothing.
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
 * restores the image in the first of these records.  While images are off nothing
 * would, however whole each page was written.
 *
 * Therefore a page with LSN 0 that is empty, or half built on a block that has an LSN
 * in its file, is logged as a whole before it is written, and what is written has the
 * LSN of that record.  Redo then passes over the older records and restores the image:
 * every record about the block was made under an exclusive lock, and we have the page
 * locked, so those before ours are older than the image, and those after it newer.
 * The page in shared buffers keeps its LSN: there the server takes 0 for "never
 * logged" (lazy_scan_new_or_empty()), which errs on the safe side.  Merely to write an
 * LSN would not do: whoever reads that page again would not log it, and a standby,
 * which lacks the block, would stop at the next record about it.
 *
 * Such pages are rare, so each may cost a flush of WAL.  Other pages with LSN 0 are
 * not: an index being built has many.
 *
 * The record is one of our resource manager, as an XLOG_FPI would make the file again
 * of a relation whose drop was logged just before: who drops it has the relation
 * locked, but who writes a page has not.  Only where nothing should be in WAL that
 * needs the library (images are on, or smgr_atomic.wal_interlock = off) it is an
 * XLOG_FPI.  (After the record of a truncation either makes the file longer again, with
 * pages that nobody reaches.)
 *
 * To know whether a block has an LSN in its file it is read, so a page cannot be written
 * over one that the device cannot read.
 *
 * With wal_level = minimal a relation may skip WAL, and an image would come back over
 * what its commit made durable.  So there only the LSN is written, of a record that
 * says nothing; there are no standbys.  And only where the block in its file has an
 * LSN, so that the page is not one of a new relation: this leaves tables that were
 * truncated and extended again.
 *
 * Not looked at is
 *
 * - what is not in a permanent shared buffer: an image of an unlogged relation would
 *	 have recovery make its file, which ResetUnloggedRelations() does not expect;
 * - a page that is all zero.  Redo knows what to do with that, unless nobody truncates
 *	 the relation afterwards: an nbtree page of 19 that an error in the middle of a
 *	 split has left zero, as cannot be mended here;
 * - anything in recovery, where pages are initialised by WAL only, in the shutdown
 *	 checkpoint, where WAL must not grow (this leaves a crash before it has ended),
 *	 and in a standalone server, where images are on.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/gin_private.h"
#include "access/gist.h"
#include "access/nbtree.h"
#include "access/spgist_private.h"
#include "access/xlog.h"
#include "access/xloginsert.h"
#include "access/xlogutils.h"
#include "catalog/pg_control.h"
#include "miscadmin.h"
#include "storage/buf_internals.h"
#include "storage/bufpage.h"

#include "fpw.h"
#include "interlock.h"
#include "neverlogged.h"
#include "smgr_atomic.h"
#include "writebehind.h"

/* All zero, as a page is that was never initialised, does not count. */
static bool
has_no_lsn(const void *page)
{
	Page		p = unconstify(void *, page);

	return XLogRecPtrIsInvalid(PageGetLSN(p)) && !PageIsNew(p);
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

/*
 * nbtree and GiST fill a new page in its buffer and may fail before they log it.
 * These are told from GIN and SP-GiST, which build indexes of pages without LSN in
 * shared buffers, so that such builds need not read what they overwrite.
 */
static bool
may_be_half_built(const void *page)
{
	StaticAssertStmt(sizeof(BTPageOpaqueData) == sizeof(GISTPageOpaqueData) &&
					 sizeof(BTPageOpaqueData) != sizeof(GinPageOpaqueData) &&
					 sizeof(BTPageOpaqueData) != sizeof(SpGistPageOpaqueData), "pages are told by their special space");
	return PageGetSpecialSize(unconstify(void *, page)) == sizeof(BTPageOpaqueData);
}

static bool
must_be_logged(SMgrRelation reln, ForkNumber fork, BlockNumber block, const void *page)
{
	bool		empty = PageIsEmpty(unconstify(void *, page));

	if ((!empty && !may_be_half_built(page)) || !IsPostmasterEnvironment || RecoveryInProgress() ||
		!XLogInsertAllowed() || !is_permanent(reln, fork, block))
		return false;
	return ((empty && XLogIsNeeded()) || was_logged(reln, fork, block)) && !sa_fpw_is_shutdown_checkpoint();
}

/* Returns the LSN that the page then has. */
static XLogRecPtr
log_page(SMgrRelation reln, ForkNumber fork, BlockNumber block, char *page)
{
	SaRelFile	rel = saRelFile(reln);

	/* not all page types say truly where their unused part is: it is logged too */
	if (XLogIsNeeded() && !(sa_wal_interlock && sa_fpw_images_are_off()))
		return log_newpage(&rel, fork, block, page, false);
	XLogBeginInsert();
	if (!XLogIsNeeded())
	{
		char		nothing = 0;

		XLogRegisterData(&nothing, 1);
		return XLogInsert(RM_XLOG_ID, XLOG_NOOP);
	}
	XLogRegisterBlock(0, &rel, fork, block, page, REGBUF_FORCE_IMAGE);
	return XLogInsert(SA_RMGR_ID, XLOG_SA_PAGE);
}

/* Redo: restore the page, if its relation is still there.  Startup process. */
void
sa_never_logged_redo(XLogReaderState *record)
{
	SaRelFile	rel;
	ForkNumber	fork;
	BlockNumber block;
	Buffer		buffer;

	XLogRecGetBlockTag(record, 0, &rel, &fork, &block);
	if (!smgrexists(saOpenRelation(rel), fork))
		return;
	if (XLogReadBufferForRedo(record, 0, &buffer) != BLK_RESTORED)
		elog(ERROR, "unexpected XLogReadBufferForRedo result when restoring a page of smgr_atomic");
	UnlockReleaseBuffer(buffer);
}

/*
 * The page to be written in place of this one: itself, or a copy of it that is in
 * WAL, durably, and has its LSN and checksum.  The copy is valid until the next
 * call.  Who writes a page atomically, not in a critical section; the buffer, if
 * there is one, is pinned and locked against changes.
 */
const void *
sa_log_if_never_logged(SMgrRelation reln, ForkNumber fork, BlockNumber block, const void *page)
{
	static PGAlignedBlock copy;
	XLogRecPtr	lsn;

	if (fork != MAIN_FORKNUM || !has_no_lsn(page) || !must_be_logged(reln, fork, block, page))
		return page;
	memcpy(copy.data, page, BLCKSZ);
	lsn = log_page(reln, fork, block, copy.data);
	XLogFlush(lsn);
	PageSetLSN((Page) copy.data, lsn);
	PageSetChecksum((Page) copy.data, block);
	return copy.data;
}
