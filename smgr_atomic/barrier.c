/*-------------------------------------------------------------------------
 *
 * barrier.c
 *	  Something to do when the server says: let go of all relation files.
 *
 * Directories of databases are copied, moved and removed without a call that
 * reaches a storage manager.  What does reach every process before that is
 * PROCSIGNAL_BARRIER_SMGRRELEASE, and a process that takes part in it releases
 * each relation it has open, through the table's close entry.  So a process
 * that wants to know keeps a relation open that cannot exist, the sentinel;
 * its close is the barrier (or smgrcloseall(), which means the same to us).
 *
 * The startup process watches, and drains the pool: while WAL is replayed no
 * checkpoint comes between the last page handed over for a database and the
 * copying (dbase_redo(): FlushDatabaseBuffers(), barrier, copydir()) or removal
 * of its directory (DropDatabaseBuffers(), XLogDropDatabase() with
 * smgrcloseall(), barrier, rmtree()).  Whatever the startup process hands over
 * later is for files that came later; so it also has the writers forget theirs.
 *
 * smgrcloseall() ends the sentinel.  The startup process opens it again before
 * each record of the database resource manager, whose redo function is wrapped
 * for that.
 *
 * All variables are private to the process.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/rmgr.h"
#include "access/xlog_internal.h"

#include "barrier.h"

static bool watching = false;
static void (*action) (void) = NULL;
static void (*server_dbase_redo) (XLogReaderState *record) = NULL;

/* No database has OID 0, so no file has this name. */
static SaRelFile
sentinel(void)
{
	SaRelFile	rel = {0};

	saRelNumber(rel) = 1;
	return rel;
}

/*
 * The table's close entry asks: is this the sentinel?  If so the action has
 * been carried out, once for all forks, and there is nothing to close.
 */
bool
sa_barrier_closes(SMgrRelation reln, ForkNumber fork)
{
	SaRelFile	rel;

	if (!watching)
		return false;
	rel = sentinel();
	if (!saRelFileEquals(saRelFile(reln), rel))
		return false;
	if (fork == MAIN_FORKNUM)
		action();
	return true;
}

static void
dbase_redo_watched(XLogReaderState *record)
{
	watching = true;
	(void) saOpenRelation(sentinel());
	server_dbase_redo(record);
}

/*
 * Have the startup process call in_recovery at each barrier and when databases
 * go.  It may wait, but neither open nor close a relation.  From _PG_init() in
 * shared_preload_libraries, once.
 */
void
sa_barrier_register(void (*in_recovery) (void))
{
	action = in_recovery;
	server_dbase_redo = RmgrTable[RM_DBASE_ID].rm_redo;
	RmgrTable[RM_DBASE_ID].rm_redo = dbase_redo_watched;
}
