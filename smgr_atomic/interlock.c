/*-------------------------------------------------------------------------
 *
 * interlock.c
 *	  The WAL records of our resource manager: what standbys and restores need.
 *
 * WAL without full-page images may be replayed only where no page can tear.
 * While images are off the WAL says so, by a record of our own resource
 * manager: right before images go off, and between the redo point and the end
 * of every checkpoint made while they are off (fpw.c sees to that).  Recovery
 * that starts from any such checkpoint, in a crash, on a standby or from a
 * base backup, therefore meets one.
 *
 * - Without the library the server stops at the record by its own rule
 *	 ("resource manager with ID ... not registered", and a hint to
 *	 shared_preload_libraries).
 * - With the library, replay stops unless pages are written atomically here,
 *	 or smgr_atomic.allow_unsafe_standby says that the risk is taken.
 *
 * The same resource manager has a record for a single page, see neverlogged.c; it is
 * logged only while images are off.
 *
 * Its startup function, called when redo begins, has readahead.c begin.
 *
 * The resource manager id is the one PostgreSQL sets aside for experiments
 * until one is reserved; "make SA_RMGR_ID=n" builds with another.  It is part of
 * the WAL format: primary and standby must be built with the same.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/rmgr.h"
#include "access/xlog.h"
#include "access/xlog_internal.h"
#include "access/xloginsert.h"
#include "access/xlogreader.h"
#include "lib/stringinfo.h"

#include "fpw.h"
#include "interlock.h"
#include "neverlogged.h"
#include "readahead.h"
#include "smgr_atomic.h"
#include "write.h"

StaticAssertDecl(SA_RMGR_ID >= RM_MIN_CUSTOM_ID && SA_RMGR_ID <= RM_MAX_CUSTOM_ID,
				 "SA_RMGR_ID is one of those for extensions");

typedef struct xl_sa_images_off
{
	uint32		page_size;		/* atomic unit that replay needs, in bytes */
} xl_sa_images_off;

/* Redo: may this server replay what follows?  Startup process. */
static void
interlock_redo(XLogReaderState *record)
{
	static bool warned = false;
	xl_sa_images_off *rec = (xl_sa_images_off *) XLogRecGetData(record);
	SaStatus	status;

	/* not what this file is about, but of the same resource manager */
	if ((XLogRecGetInfo(record) & ~XLR_INFO_MASK) == XLOG_SA_PAGE)
	{
		sa_never_logged_redo(record);
		return;
	}
	if ((XLogRecGetInfo(record) & ~XLR_INFO_MASK) != XLOG_SA_IMAGES_OFF)
		elog(PANIC, "interlock_redo: unknown op code %u", XLogRecGetInfo(record));
	sa_fpw_replayed_images_off(record->ReadRecPtr);
	if (sa_write_method() != SA_WRITE_PLAIN && rec->page_size == BLCKSZ)
		return;

	sa_fpw_status(&status);
	if (!sa_allow_unsafe_standby)
		ereport(FATAL,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this WAL has no full-page images, and pages can tear on this server's storage"),
				 errdetail("Pages are not written atomically here: %s. A crash could damage this server beyond repair.",
						   status.reason),
				 errhint("Put the data on storage that smgr-atomic-check accepts and set smgr_atomic.mode = auto, "
						 "or set smgr_atomic.allow_unsafe_standby = on to take the risk.")));
	if (!warned)
		ereport(WARNING,
				(errmsg("replaying WAL without full-page images where pages can tear"),
				 errdetail("Pages are not written atomically here: %s. A crash can damage this server beyond repair.",
						   status.reason)));
	warned = true;
}

static void
interlock_desc(StringInfo buf, XLogReaderState *record)
{
	xl_sa_images_off *rec = (xl_sa_images_off *) XLogRecGetData(record);

	if ((XLogRecGetInfo(record) & ~XLR_INFO_MASK) == XLOG_SA_IMAGES_OFF)
		appendStringInfo(buf, "page size %u", rec->page_size);
}

static const char *
interlock_identify(uint8 info)
{
	switch (info & ~XLR_INFO_MASK)
	{
		case XLOG_SA_IMAGES_OFF:
			return "IMAGES_OFF";
		case XLOG_SA_PAGE:
			return "PAGE";
		default:
			return NULL;
	}
}

static RmgrData interlock_rmgr = {
	.rm_name = "smgr_atomic",
	.rm_redo = interlock_redo,
	.rm_desc = interlock_desc,
	.rm_identify = interlock_identify,
	.rm_startup = sa_readahead_start
};

/*
 * Register the resource manager, whether records are logged or not: WAL of
 * others must be replayed.  From _PG_init() in shared_preload_libraries.
 */
void
sa_interlock_register(void)
{
	RegisterCustomRmgr(SA_RMGR_ID, &interlock_rmgr);
}

/*
 * Log the record, if smgr_atomic.wal_interlock is on.  Any process that may
 * insert WAL; the checkpointer in practice.
 */
void
sa_interlock_log(void)
{
	xl_sa_images_off rec = {.page_size = BLCKSZ};

	if (!sa_wal_interlock)
		return;
	XLogBeginInsert();
	XLogRegisterData((char *) &rec, sizeof(rec));
	/* a checkpoint for this record alone would bring the next record, for ever */
	XLogSetRecordFlags(XLOG_MARK_UNIMPORTANT);
	XLogInsert(SA_RMGR_ID, XLOG_SA_IMAGES_OFF);
}
