/*-------------------------------------------------------------------------
 *
 * newdb.c
 *	  Databases that are being created, and what becomes of their pages if
 *	  that fails.
 *
 * CREATE DATABASE ... STRATEGY wal_log copies pages through shared buffers, and
 * those that leave them come to the write-behind pool.  If it fails, or is
 * cancelled, or its session is ended, the server drops its buffers and removes
 * the new directory at once (createdb_failure_callback() in dbcommands.c), in
 * every state of fpw.c and with neither a checkpoint nor a barrier, at whose end
 * pages would have left the pool.  So here is kept which databases are being
 * created:
 *
 * - A writer that finds the file of such a page gone drops the page (writer.c),
 *	 if its tablespace is not gone while it is still linked.  Anything else that
 *	 is gone is a PANIC, as ever.
 * - After the directory has gone, and before the OID can be used again (its
 *	 transaction has not ended yet, so its row in pg_database still conflicts),
 *	 pages left in the pool are discarded, writers forget their files, and
 *	 copies in the page journal are made void: the next database with that OID
 *	 has files of the same names.
 * - A database whose pages were dropped is not created: somebody else has
 *	 removed files, and the command fails.
 *
 * No other failure leaves pages behind: STRATEGY file_copy and ALTER DATABASE
 * SET TABLESPACE copy files, of which no page is in a buffer before they have
 * succeeded.  While WAL is replayed nothing is created here; the record of the
 * removal has a barrier (barrier.c).
 *
 * How it is known.  The OID is told to object_access_hook after the row was
 * made and before the first file is.  The command's end comes through
 * ProcessUtility_hook: its cleanup is around the server's, so it runs after it,
 * for errors and for the end of the session alike.
 *
 * A crash resets all of this, with the pool that it is about.
 *
 * Lock: that of the tranche SA_NEWDB_LOCK protects all of NewDbShared.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/objectaccess.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "tcop/utility.h"

#include "doublewrite.h"
#include "newdb.h"
#include "pagefile.h"
#include "writebehind.h"

typedef struct NewDb
{
	Oid			database;		/* InvalidOid = entry is free */
	uint64		dropped;		/* pages whose file was gone */
} NewDb;

typedef struct NewDbShared
{
	LWLock	   *lock;
	NewDb		entries[FLEXIBLE_ARRAY_MEMBER];	/* MaxBackends of them */
} NewDbShared;

static NewDbShared *shared = NULL;

/* Private to the process: it is inside CREATE DATABASE; its entry, -1 = none yet. */
static bool creating = false;
static int	mine = -1;

static ProcessUtility_hook_type prev_process_utility = NULL;
static object_access_hook_type prev_object_access = NULL;

Size
sa_newdb_shmem_size(void)
{
	return add_size(offsetof(NewDbShared, entries), mul_size(MaxBackends, sizeof(NewDb)));
}

/* Called from shmem_startup_hook. */
void
sa_newdb_shmem_init(void)
{
	bool		found;

	shared = ShmemInitStruct("smgr_atomic new databases", sa_newdb_shmem_size(), &found);
	if (found)
		return;
	memset(shared, 0, sa_newdb_shmem_size());
	shared->lock = &(GetNamedLWLockTranche(SA_NEWDB_LOCK))->lock;
}

/* A process that may create databases is one of MaxBackends, so there is room. */
static void
enter(Oid database)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < MaxBackends && mine < 0; i++)
	{
		if (OidIsValid(shared->entries[i].database))
			continue;
		shared->entries[i] = (NewDb) {.database = database};
		mine = i;
	}
	LWLockRelease(shared->lock);
}

/* Returns how many pages were dropped. */
static uint64
leave(void)
{
	uint64		dropped;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	dropped = shared->entries[mine].dropped;
	shared->entries[mine].database = InvalidOid;
	LWLockRelease(shared->lock);
	mine = -1;
	return dropped;
}

static bool
directory_is_lost(SaRelFile rel)
{
	SaJournalKey key = {.tablespace = saTablespace(rel), .database = saDatabase(rel)};
	char		path[MAXPGPATH];

	return sa_page_file_lost_directory(&key, false, path);
}

/*
 * A page cannot be written because its file is not there.  Is that because its
 * database is being created, and that has failed?  Then nobody needs the page.
 * Any process.
 */
bool
sa_newdb_has_gone(SaRelFile rel)
{
	bool		gone = false;

	if (directory_is_lost(rel))
		return false;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < MaxBackends && !gone; i++)
	{
		if (shared->entries[i].database != saDatabase(rel) || !OidIsValid(saDatabase(rel)))
			continue;
		shared->entries[i].dropped++;
		gone = true;
	}
	LWLockRelease(shared->lock);
	return gone;
}

static void
newdb_object_access(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id, void *arg)
{
	if (prev_object_access)
		prev_object_access(access, class_id, object_id, sub_id, arg);
	if (creating && mine < 0 && access == OAT_POST_CREATE && class_id == DatabaseRelationId)
		enter(object_id);
}

/* The database has files; have all its pages found theirs? */
static void
created(void)
{
	/* others read this, but only we change it */
	Oid			database = mine >= 0 ? shared->entries[mine].database : InvalidOid;

	creating = false;
	if (mine >= 0 && leave() > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("files of database %u were removed while it was being created", database),
				 errdetail("Pages could not be written to them, so the database is not created."),
				 errhint("Find out who removes files from the data directory, and create the database again.")));
}

/*
 * It failed, and its directories have been removed.  Interrupts are held: an
 * error in here would leave the entry behind.
 */
static void
creation_failed(int code, Datum arg)
{
	creating = false;
	if (mine < 0)
		return;
	HOLD_INTERRUPTS();
	sa_pool_discard_database(shared->entries[mine].database);
	sa_doublewrite_void();
	(void) leave();
	RESUME_INTERRUPTS();
}

static void
newdb_process_utility(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree,
					  ProcessUtilityContext context, ParamListInfo params,
					  QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc)
{
	ProcessUtility_hook_type next = prev_process_utility ? prev_process_utility : standard_ProcessUtility;

	if (!IsA(pstmt->utilityStmt, CreatedbStmt))
	{
		next(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
		return;
	}
	PG_ENSURE_ERROR_CLEANUP(creation_failed, (Datum) 0);
	{
		creating = true;
		next(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
		created();
	}
	PG_END_ENSURE_ERROR_CLEANUP(creation_failed, (Datum) 0);
}

/* From _PG_init() in shared_preload_libraries. */
void
sa_newdb_register(void)
{
	prev_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = newdb_process_utility;
	prev_object_access = object_access_hook;
	object_access_hook = newdb_object_access;
}
