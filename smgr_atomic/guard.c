/*-------------------------------------------------------------------------
 *
 * guard.c
 *	  What CREATE TABLESPACE, DROP TABLESPACE and DROP DATABASE mean for the
 *	  contract, and who has asked whether images are on.
 *
 * A new tablespace on storage that is not torn-free is refused while pages
 * are written atomically, or (smgr_atomic.on_unsafe_tablespace = demote) the
 * whole cluster goes back to full-page images first.  A tablespace that is
 * dropped may have been the last unsafe one, so storage is looked at again; and
 * after CREATE TABLESPACE, because the method may have changed meanwhile.
 *
 * This is for good messages in time; what makes an unsafe place harmless is
 * the check of each segment when it is opened (segment.c).
 *
 * DROP DATABASE and ALTER DATABASE SET TABLESPACE rely on what is done at the
 * end of the checkpoint that they ask for (fpw.c, "Every checkpoint").  One that
 * is asked for in the moment when recovery ends can become a restartpoint: the
 * checkpointer asks first whether there is recovery, then for what requests
 * there are (CheckpointerMain()).  So as long as no checkpoint has completed,
 * one is made before these commands; what they ask for begins after that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "postmaster/bgwriter.h"
#include "tcop/utility.h"

#include "attach.h"
#include "compat.h"
#include "filecopy.h"
#include "fpw.h"
#include "guard.h"
#include "probe.h"
#include "smgr_atomic.h"

#define DISARM_POLL_MS 10000

static ProcessUtility_hook_type prev_process_utility = NULL;

/* Give the directory hints that the tablespace's directories inherit. */
static void
prepare_location(const char *location, SaVerdict verdict)
{
	int			fd = open(location, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void) sa_probe_prepare_fd(fd, BLCKSZ, verdict);
	close(fd);
}

/*
 * Torn-free, but not by the method in force, which is one for the whole
 * cluster.
 */
static void
refuse_writethrough(const SaProbe *probe)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("tablespace location \"%s\" cannot be written by method writethrough", probe->path),
			 errdetail("%s. Every page of this cluster is written by that method.",
					   probe->writethrough_reason),
			 errhint("Set smgr_atomic.mode = direct, reload, and create the tablespace then. "
					 "Direct atomic writes work there.")));
}

/*
 * Check a new location; returns if the command may go on.  If the cluster had
 * to be demoted for it, sa_fpw_release() is due after the command.
 */
static void
check_location(const char *location, bool top_level)
{
	SaStatus	status;
	SaProbe		probe;

	if (!superuser() || location[0] != '/' || access(location, F_OK) != 0)
		return;					/* the server will complain */
	if (sa_fpw_hold_if_off())	/* no arming until the new place can be seen */
		return;
	sa_fpw_status(&status);
	sa_probe_directory(location, BLCKSZ, sa_decide_writethrough_flag(), &probe);
	if (status.method == SA_WRITE_DOUBLE && probe.journal)
		return;
	if (status.method == SA_WRITE_DOUBLE)
	{
		probe.verdict = SA_VERDICT_NONE;
		memcpy(probe.reason, probe.journal_reason, sizeof(probe.reason));
	}
	if (probe.verdict != SA_VERDICT_NONE)
	{
		if (status.method == SA_WRITE_THROUGH && !probe.writethrough)
			refuse_writethrough(&probe);
		prepare_location(location, probe.verdict);
		return;
	}
	if (sa_on_unsafe_tablespace == SA_UNSAFE_ERROR)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("tablespace location \"%s\" is not torn-free", location),
				 errdetail("%s. Pages are written atomically in this cluster and full-page images are off or about to be.",
						   probe.reason),
				 errhint("Use storage that smgr_atomic_probe() accepts, or set smgr_atomic.on_unsafe_tablespace = demote "
						 "to turn full-page images on for the whole cluster first.%s",
						 !probe.journal || status.method == SA_WRITE_DOUBLE ? "" :
						 " With smgr_atomic.mode = doublewrite it could be used as it is.")));

	PreventInTransactionBlock(top_level, "CREATE TABLESPACE");
	ereport(NOTICE,
			(errmsg("turning full-page images on for the whole cluster"),
			 errdetail("Tablespace location \"%s\" is not torn-free: %s.", location, probe.reason)));
	sa_fpw_hold();
	while (!sa_fpw_wait(SA_STATE_OFF, DISARM_POLL_MS))
		CHECK_FOR_INTERRUPTS();
}

/* Does the statement remove directories of a database? */
static bool
removes_database(Node *stmt)
{
	ListCell   *lc;

	if (IsA(stmt, DropdbStmt))
		return true;
	if (!IsA(stmt, AlterDatabaseStmt))
		return false;
	foreach(lc, ((AlterDatabaseStmt *) stmt)->options)
	{
		if (strcmp(((DefElem *) lfirst(lc))->defname, "tablespace") == 0)
			return true;
	}
	return false;
}

static void
have_first_checkpoint(void)
{
	SaStatus	status;

	sa_fpw_status(&status);
	if (!status.checkpointed && sa_write_behind_size > 0 && IsUnderPostmaster && sa_attached() &&
		!RecoveryInProgress())
		RequestCheckpoint(CHECKPOINT_FORCE | CHECKPOINT_FAST | CHECKPOINT_WAIT);
}

/* A tablespace that is gone was dropped meanwhile, or has lost its directory: not ours to say. */
static void
sync_tablespace(const char *path)
{
	int			fd = OpenTransientFile(path, O_RDONLY);

	if (fd < 0 && errno == ENOENT)
		return;
	if (fd < 0 || pg_fsync(fd) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not fsync file \"%s\": %m", path)));
	CloseTransientFile(fd);
}

/*
 * Have the link and the directory of a new tablespace outlive a power cut, before
 * there are pages in it: repair from the page journal takes one that is missing
 * for a device that is.  (When the journal is opened, everything is flushed.)
 */
static void
sync_tablespaces(void)
{
	DIR		   *dir;
	struct dirent *entry;

	if (sa_write_method() != SA_WRITE_DOUBLE)
		return;
	dir = AllocateDir("pg_tblspc");
	while ((entry = ReadDir(dir, "pg_tblspc")) != NULL)
	{
		char		path[MAXPGPATH];

		snprintf(path, sizeof(path), "pg_tblspc/%s", entry->d_name);
		if (entry->d_name[0] != '.')
			sync_tablespace(path);
	}
	FreeDir(dir);
	(void) fsync_fname_ext("pg_tblspc", true, false, ERROR);
}

static void
guard_process_utility(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree,
					  ProcessUtilityContext context, ParamListInfo params,
					  QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc)
{
	Node	   *stmt = pstmt->utilityStmt;
	ProcessUtility_hook_type next = prev_process_utility ? prev_process_utility : standard_ProcessUtility;
	bool		drops = IsA(stmt, DropTableSpaceStmt);	/* stmt may be freed later */
	bool		asks = IsA(stmt, VariableShowStmt) &&
		pg_strcasecmp(((VariableShowStmt *) stmt)->name, "full_page_writes") == 0;

	if (IsA(stmt, CreateTableSpaceStmt))
	{
		PG_TRY();
		{
			check_location(((CreateTableSpaceStmt *) stmt)->location,
						   context == PROCESS_UTILITY_TOPLEVEL);
			next(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
			sync_tablespaces();
		}
		PG_FINALLY();
		{
			sa_fpw_release();
		}
		PG_END_TRY();
		sa_fpw_recheck();
		return;
	}
	if (removes_database(stmt))
		have_first_checkpoint();
	next(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
	if (drops)
		sa_fpw_recheck();
	if (asks)
		sa_filecopy_asked();
}

/* From _PG_init() in shared_preload_libraries. */
void
sa_guard_register(void)
{
	prev_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = guard_process_utility;
}
