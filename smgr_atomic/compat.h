/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  Every difference between server majors; the only file that looks at
 *	  PG_VERSION_NUM.
 *
 * The newest shape is the one the rest of the code is written for; older
 * servers are brought to it here.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_COMPAT_H
#define SMGR_ATOMIC_COMPAT_H

#include "access/xlogreader.h"
#include "catalog/pg_tablespace.h"
#include "common/relpath.h"
#include "storage/fd.h"
#include "miscadmin.h"
#include "storage/md.h"
#include "storage/proc.h"
#include "storage/smgr.h"
#include "storage/sync.h"
#include "utils/fmgroids.h"
#include "utils/guc_tables.h"
#include "utils/wait_event.h"

/*
 * Rows of the server's private tables, member by member, as they stand in
 * src/backend/storage/smgr/smgr.c (f_smgr) and src/backend/storage/sync/sync.c
 * (SyncOps).  t/015_rows.pl reads them from the program file and compares.
 *
 * A major that is not listed has an empty row: it compiles, and attaching is
 * refused when it runs.
 */
#if PG_VERSION_NUM < 150000
#error smgr_atomic needs PostgreSQL 15 or newer
#elif PG_VERSION_NUM < 160000
#define SA_SMGR_ROW(M) \
	M(init, mdinit) M(shutdown, NULL) M(open, mdopen) M(close, mdclose) \
	M(create, mdcreate) M(exists, mdexists) M(unlink, mdunlink) \
	M(extend, mdextend) M(prefetch, mdprefetch) M(read, mdread) \
	M(write, mdwrite) M(writeback, mdwriteback) M(nblocks, mdnblocks) \
	M(truncate, mdtruncate) M(immedsync, mdimmedsync)
#elif PG_VERSION_NUM < 170000
#define SA_SMGR_ROW(M) \
	M(init, mdinit) M(shutdown, NULL) M(open, mdopen) M(close, mdclose) \
	M(create, mdcreate) M(exists, mdexists) M(unlink, mdunlink) \
	M(extend, mdextend) M(zeroextend, mdzeroextend) M(prefetch, mdprefetch) \
	M(read, mdread) M(write, mdwrite) M(writeback, mdwriteback) \
	M(nblocks, mdnblocks) M(truncate, mdtruncate) M(immedsync, mdimmedsync)
#elif PG_VERSION_NUM < 180000
#define SA_SMGR_ROW(M) \
	M(init, mdinit) M(shutdown, NULL) M(open, mdopen) M(close, mdclose) \
	M(create, mdcreate) M(exists, mdexists) M(unlink, mdunlink) \
	M(extend, mdextend) M(zeroextend, mdzeroextend) M(prefetch, mdprefetch) \
	M(readv, mdreadv) M(writev, mdwritev) M(writeback, mdwriteback) \
	M(nblocks, mdnblocks) M(truncate, mdtruncate) M(immedsync, mdimmedsync) \
	M(registersync, mdregistersync)
#elif PG_VERSION_NUM < 200000
#define SA_SMGR_ROW(M) \
	M(init, mdinit) M(shutdown, NULL) M(open, mdopen) M(close, mdclose) \
	M(create, mdcreate) M(exists, mdexists) M(unlink, mdunlink) \
	M(extend, mdextend) M(zeroextend, mdzeroextend) M(prefetch, mdprefetch) \
	M(maxcombine, mdmaxcombine) M(readv, mdreadv) M(startreadv, mdstartreadv) \
	M(writev, mdwritev) M(writeback, mdwriteback) M(nblocks, mdnblocks) \
	M(truncate, mdtruncate) M(immedsync, mdimmedsync) \
	M(registersync, mdregistersync) M(fd, mdfd)
#endif

#ifdef SA_SMGR_ROW
#define SA_SYNC_ROW(M) \
	M(sync, mdsyncfiletag) M(unlink, mdunlinkfiletag) M(matches, mdfiletagmatches)
#else
#define SA_SMGR_ROW(M)
#define SA_SYNC_ROW(M)
#define SA_NO_ROW_FOR_THIS_MAJOR
#endif

/* The server version this is compiled for, as server_version_num. */
#define SA_BUILT_FOR PG_VERSION_NUM

/* Relation identity: RelFileNode became RelFileLocator in 16. */
#if PG_VERSION_NUM < 160000
typedef RelFileNode SaRelFile;
#define saRelFile(reln)			((reln)->smgr_rnode.node)
#define saRelNumber(rel)		((rel).relNode)
#define saTablespace(rel)		((rel).spcNode)
#define saDatabase(rel)			((rel).dbNode)
#define saTagRelFile(tag)		((tag)->rnode)
#define saRelFileEquals(a, b)	RelFileNodeEquals(a, b)
#define saUnlinkRelFile(backend_rel) ((backend_rel).node)
#define saUnlinkIsTemp(backend_rel) RelFileNodeBackendIsTemp(backend_rel)
typedef RelFileNodeBackend SaRelFileBackend;
#else
typedef RelFileLocator SaRelFile;
#define saRelFile(reln)			((reln)->smgr_rlocator.locator)
#define saRelNumber(rel)		((rel).relNumber)
#define saTablespace(rel)		((rel).spcOid)
#define saDatabase(rel)			((rel).dbOid)
#define saTagRelFile(tag)		((tag)->rlocator)
#define saRelFileEquals(a, b)	RelFileLocatorEquals(a, b)
#define saUnlinkRelFile(backend_rel) ((backend_rel).locator)
#define saUnlinkIsTemp(backend_rel) RelFileLocatorBackendIsTemp(backend_rel)
typedef RelFileLocatorBackend SaRelFileBackend;
#endif

/* The tag of a shared buffer, and its state; for who includes storage/buf_internals.h. */
#if PG_VERSION_NUM < 160000
#define saInitBufferTag(tag, rel, fork, block) INIT_BUFFERTAG(*(tag), rel, fork, block)
#else
#define saInitBufferTag(tag, rel, fork, block) InitBufferTag(tag, &(rel), fork, block)
#endif
#if PG_VERSION_NUM < 190000
#define saBufferState(descriptor) pg_atomic_read_u32(&(descriptor)->state)
#else
#define saBufferState(descriptor) pg_atomic_read_u64(&(descriptor)->state)
#endif

/* Number of values of BackendType; 15 does not name it. */
#ifndef BACKEND_NUM_TYPES
#define BACKEND_NUM_TYPES (B_LOGGER + 1)
#endif

/* A page that may be given to md.c: aligned for direct I/O since 16. */
#if PG_VERSION_NUM < 160000
typedef PGAlignedBlock SaPageBuffer;
#else
typedef PGIOAlignedBlock SaPageBuffer;
#endif

/*
 * The write entry of the table.  17 writes runs of pages (smgr_writev); older
 * servers write one, with a buffer that 15 does not declare const.
 *
 * SA_DEFINE_WRITE_ENTRY(entry, target) defines the function "entry" for the
 * server's table, which calls target with the arguments of smgr_writev.
 */
#if PG_VERSION_NUM < 160000
typedef char *SaPage;
#else
typedef const void *SaPage;
#endif
#if PG_VERSION_NUM < 170000
#define SA_SMGR_write_pages SA_SMGR_write
#define SA_DEFINE_WRITE_ENTRY(entry, target) \
static void \
entry(SMgrRelation reln, ForkNumber fork, BlockNumber block, SaPage page, bool skipFsync) \
{ \
	const void *pages[1] = {page}; \
	target(reln, fork, block, pages, 1, skipFsync); \
}
#else
#define SA_SMGR_write_pages SA_SMGR_writev
#define SA_DEFINE_WRITE_ENTRY(entry, target) \
static void \
entry(SMgrRelation reln, ForkNumber fork, BlockNumber block, const void **pages, \
	  BlockNumber nblocks, bool skipFsync) \
{ \
	target(reln, fork, block, pages, nblocks, skipFsync); \
}
#endif

static inline void
saMdWritePages(SMgrRelation reln, ForkNumber fork, BlockNumber block,
			   const void **pages, BlockNumber nblocks, bool skipFsync)
{
#if PG_VERSION_NUM < 170000
	for (BlockNumber i = 0; i < nblocks; i++)
		mdwrite(reln, fork, block + i, (SaPage) pages[i], skipFsync);
#else
	mdwritev(reln, fork, block, pages, nblocks, skipFsync);
#endif
}

/*
 * The read entries, in the same way.  target(reln, fork, block, page) returns
 * true if it has read the page.
 */
#if PG_VERSION_NUM < 170000
#if PG_VERSION_NUM < 160000
typedef char *SaReadPage;
#else
typedef void *SaReadPage;
#endif
#define SA_SMGR_read_pages SA_SMGR_read
#define SA_DEFINE_READ_ENTRY(entry, target) \
static void \
entry(SMgrRelation reln, ForkNumber fork, BlockNumber block, SaReadPage page) \
{ \
	if (!target(reln, fork, block, page)) \
		mdread(reln, fork, block, page); \
}
#else
#define SA_SMGR_read_pages SA_SMGR_readv
#define SA_DEFINE_READ_ENTRY(entry, target) \
static void \
entry(SMgrRelation reln, ForkNumber fork, BlockNumber block, void **pages, BlockNumber nblocks) \
{ \
	BlockNumber first = 0; \
	for (BlockNumber i = 0; i < nblocks; i++) \
	{ \
		if (!target(reln, fork, block + i, pages[i])) \
			continue; \
		if (i > first) \
			mdreadv(reln, fork, block + first, pages + first, i - first); \
		first = i + 1; \
	} \
	if (nblocks > first) \
		mdreadv(reln, fork, block + first, pages + first, nblocks - first); \
}
#endif

/*
 * The entries that make a file longer, in the same way; before(reln, fork, block,
 * nblocks, page, skipFsync) is called first, with page NULL for blocks of zeroes.  If
 * is_proof(member) there is nothing to do.
 */
#define SA_DEFINE_EXTEND_ENTRY(entry, is_proof, before) \
static void \
entry(SMgrRelation reln, ForkNumber fork, BlockNumber block, SaPage page, bool skipFsync) \
{ \
	if (is_proof(SA_SMGR_extend)) \
		return; \
	before(reln, fork, block, 1, page, skipFsync); \
	mdextend(reln, fork, block, page, skipFsync); \
}
#if PG_VERSION_NUM < 160000
#define SA_DEFINE_ZEROEXTEND_ENTRY(entry, before) \
extern int	entry##_not_needed_before_16
#define SA_ZEROEXTEND_SWAP(entry)
#else
#define SA_DEFINE_ZEROEXTEND_ENTRY(entry, before) \
static void \
entry(SMgrRelation reln, ForkNumber fork, BlockNumber block, int nblocks, bool skipFsync) \
{ \
	before(reln, fork, block, (BlockNumber) nblocks, NULL, skipFsync); \
	mdzeroextend(reln, fork, block, nblocks, skipFsync); \
}
#define SA_ZEROEXTEND_SWAP(entry) {SA_SMGR_zeroextend, entry},
#endif

/*
 * Reads that complete later, since 18: in this process, in an I/O worker, or
 * through io_uring in whichever process looks first.  All of them read the
 * file; settle(reln, fork, block) waits until it has the newest image.  None
 * can be handed to us from then until the read has completed, wherever that
 * is:
 *
 * - The caller has marked the buffers of these blocks as being read
 *	 (BM_IO_IN_PROGRESS, not valid) before it comes here, and the mark stays
 *	 until the read has completed.  A page is written out of a valid buffer,
 *	 with its content lock held, and a block has at most one buffer.
 * - What an earlier buffer of the block held was handed over before that
 *	 buffer lost the block, so settle() sees it.
 * - Who writes around shared buffers (smgr_bulk_write) does so to a file that
 *	 nobody else reads yet.
 *
 * The wait is safe even when other reads of this process are staged but not
 * submitted (batch mode): writers need neither buffers nor asynchronous I/O
 * of the server.  I/O workers get their descriptor from the entry "fd", which
 * the server uses for reads only; asynchronous writes would need an entry that
 * no row here has, and then attaching is refused.
 */
#if PG_VERSION_NUM >= 180000
#define SA_DEFINE_STARTREAD_ENTRY(entry, is_proof, settle) \
static void \
entry(PgAioHandle *ioh, SMgrRelation reln, ForkNumber fork, BlockNumber block, \
	  void **pages, BlockNumber nblocks) \
{ \
	if (is_proof(SA_SMGR_startreadv)) \
		return; \
	for (BlockNumber i = 0; i < nblocks; i++) \
		settle(reln, fork, block + i); \
	mdstartreadv(ioh, reln, fork, block, pages, nblocks); \
} \
static void \
call_startread(SMgrRelation reln) \
{ \
	SaPageBuffer page; \
	void	   *pages[1] = {page.data}; \
	smgrstartreadv(NULL, reln, MAIN_FORKNUM, 0, pages, 1); \
}
#define SA_STARTREAD_SWAP(entry) {SA_SMGR_startreadv, entry},
#define SA_STARTREAD_PROOF {SA_SMGR_startreadv, "startreadv", call_startread},
#else
#define SA_DEFINE_STARTREAD_ENTRY(entry, is_proof, settle) \
extern int	entry##_not_needed_before_18
#define SA_STARTREAD_SWAP(entry)
#define SA_STARTREAD_PROOF
#endif

/*
 * A wait event of our own for pg_stat_activity; servers have them by name
 * since 17.  Any process with shared memory; one that inherits the number by
 * fork need not ask again.
 */
static inline uint32
saWaitEvent(const char *name)
{
#if PG_VERSION_NUM < 170000
	return PG_WAIT_EXTENSION;
#else
	return WaitEventExtensionNew(name);
#endif
}

/* This process among all that have shared memory, and their number. */
static inline int
saMyProcNumber(void)
{
#if PG_VERSION_NUM < 170000
	return MyProc->pgprocno;
#else
	return MyProcNumber;
#endif
}

static inline int
saProcCount(void)
{
	return MaxBackends + NUM_AUXILIARY_PROCS;
}

/* Open a permanent relation. */
static inline SMgrRelation
saOpenRelation(SaRelFile rel)
{
#if PG_VERSION_NUM < 170000
	return smgropen(rel, InvalidBackendId);
#else
	return smgropen(rel, INVALID_PROC_NUMBER);
#endif
}

/* Shorten a fork.  smgrtruncate2() came with old_blocks, see SA_OLDEST_MINOR. */
static inline void
saTruncate(SMgrRelation reln, ForkNumber fork, BlockNumber old_blocks, BlockNumber nblocks)
{
#if PG_VERSION_NUM < 180000
	smgrtruncate2(reln, &fork, 1, &old_blocks, &nblocks);
#else
	smgrtruncate(reln, &fork, 1, &old_blocks, &nblocks);
#endif
}

/*
 * The truncate entry gained old_blocks in minor releases (15.11, 16.7, 17.3).
 * An older server must not be given our entry.
 */
#if PG_VERSION_NUM < 160000
#define SA_OLDEST_MINOR 150011
#elif PG_VERSION_NUM < 170000
#define SA_OLDEST_MINOR 160007
#elif PG_VERSION_NUM < 180000
#define SA_OLDEST_MINOR 170003
#else
#define SA_OLDEST_MINOR 0
#endif

/*
 * Raw descriptor of a virtual file, opening it again if the server's LRU
 * closed it.  -1 with errno on failure.  Before 18 FileGetRawDesc() does not
 * open; FileSize() does.
 */
static inline int
saFileGetRawDesc(File file)
{
#if PG_VERSION_NUM < 180000
	if (FileGetRawDesc(file) < 0 && FileSize(file) < 0)
		return -1;
#endif
	return FileGetRawDesc(file);
}

/* Read one page from its file, past the pool, into an SaPageBuffer. */
static inline void
saMdReadPage(SMgrRelation reln, ForkNumber fork, BlockNumber block, char *page)
{
#if PG_VERSION_NUM < 170000
	mdread(reln, fork, block, page);
#else
	void	   *buffers[1] = {page};

	mdreadv(reln, fork, block, buffers, 1);
#endif
}

/* The checksum of a page in its place. */
#if PG_VERSION_NUM < 190000
#define PageSetChecksum PageSetChecksumInplace
#endif

/* Flag of RequestCheckpoint(): do not spread the writes over time. */
#if PG_VERSION_NUM < 190000
#define CHECKPOINT_FAST CHECKPOINT_IMMEDIATE
#endif

/* Have functions say what a boolean setting of the server is, and be told before it changes; NULL for neither. */
static inline void
saSetHooks(struct config_generic *setting, GucShowHook show, GucBoolAssignHook assign)
{
#if PG_VERSION_NUM < 190000
	struct config_bool *record = (struct config_bool *) setting;
#else
	struct config_bool *record = &setting->_bool;
#endif

	Assert(setting->vartype == PGC_BOOL);
	record->show_hook = show;
	record->assign_hook = assign;
}

/* Is this function one of pg_read_binary_file()? */
static inline bool
saReadsBinaryFiles(Oid function)
{
#ifdef F_PG_READ_BINARY_FILE_TEXT_BOOL
	if (function == F_PG_READ_BINARY_FILE_TEXT_BOOL)
		return true;
#endif
	return function == F_PG_READ_BINARY_FILE_TEXT ||
		function == F_PG_READ_BINARY_FILE_TEXT_INT8_INT8 ||
		function == F_PG_READ_BINARY_FILE_TEXT_INT8_INT8_BOOL;
}

/* Does the server read data files past the page cache (debug_io_direct, since 16)? */
static inline bool
saReadsPastPageCache(void)
{
#if PG_VERSION_NUM < 160000
	return false;
#else
	return (io_direct_flags & IO_DIRECT_DATA) != 0;
#endif
}

/* Where the first record of WAL at or after this position begins; 0 if there is none. */
static inline XLogRecPtr
saFindNextRecord(XLogReaderState *reader, XLogRecPtr position)
{
#if PG_VERSION_NUM < 190000
	return XLogFindNextRecord(reader, position);
#else
	char	   *error;

	return XLogFindNextRecord(reader, position, &error);
#endif
}

/* The record of a server setting, NULL if there is none. */
static inline struct config_generic *
saFindSetting(const char *name)
{
#if PG_VERSION_NUM < 160000
	struct config_generic **all = get_guc_variables();
	int			count = GetNumConfigOptions();

	for (int i = 0; i < count; i++)
	{
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	}
	return NULL;
#else
	return find_option(name, false, true, 0);
#endif
}

#endif							/* SMGR_ATOMIC_COMPAT_H */
