/*-------------------------------------------------------------------------
 *
 * fpw.c
 *	  The contract between page writes and full-page images, and the states
 *	  between "not torn-free, images on" and "torn-free, images off".
 *
 *	  state		pages	images	left when
 *	  off		plain	on		driver: mode asks for atomic writes
 *	  arming	atomic	on		a checkpoint that began afterwards completes
 *	  active	atomic	off		driver: mode off, or a pause
 *	  paused	atomic	on		driver: pause over and no session copies, or mode off
 *	  disarming	atomic	off,on	a checkpoint that began with images on completes
 *
 * "Paused" is reached after a whole checkpoint with images on, because tools
 * that ask for images (pg_rewind) copy pages that change meanwhile and need the
 * image of each (a session that does so is itself a reason for it, see filecopy.c);
 * until then the state is still "active", with images on, or
 * "arming", which goes to "paused" then and not to "active".  Where
 * full_page_writes is the user's there is a pause only while his images are on.
 *
 * Why this is never weaker than stock:
 *
 * - Pages are plain only in "off", and "off" is entered only when images have
 *	 been on since before the redo point of the last completed checkpoint.  So
 *	 a page that tears has a full image in the WAL that recovery replays.
 * - Images are off only in "active", which is entered only after a checkpoint
 *	 that began when every process was writing atomically.  So nothing that
 *	 was written plainly is still on its way to storage.  What other programs
 *	 wrote before the server started (a restored backup) is covered by a
 *	 syncfs() of every place before that checkpoint.
 * - A crash forgets the state: it lives in shared memory, never in a file, and
 *	 every start begins with images on.  WAL written while images were off must
 *	 be replayed with atomic writes, whatever mode says now: a start that may
 *	 replay WAL begins in "arming" or "disarming" if the storage can, not in
 *	 "off"; where it cannot, the interlock record stops recovery.  (Replaying
 *	 WAL that has images with atomic writes is always right.)
 * - A page that was initialised anew without WAL, which an older record since the
 *	 redo point would not fit, is logged before it is written (neverlogged.c).
 * - Nothing is written to a configuration file.
 *
 * How the server's own full_page_writes changes.  Its shared value is changed
 * by UpdateFullPageWrites() in the checkpointer only, which logs the change.
 * There is no hook to run code there, but there is the sync queue: an
 * unlink request is carried out by the checkpointer right after a checkpoint
 * that began after the request has completed (SyncPostCheckpoint), which is
 * precisely the moment the contract speaks of.  Our requests carry the tag of
 * a relation that cannot exist (all zero) with the action as fork number and
 * the transition's generation as segment; the table entries below take them
 * out before md.c sees them.  A request of an earlier generation does nothing.
 *
 * The write-behind pool takes pages whenever all processes write atomically
 * and none can be about to write plainly: from the start on, if it begins with
 * atomic writes, or once a barrier has been answered while arming; until the
 * last checkpoint of disarming.
 *
 * Every checkpoint, in every state:
 *
 * - When it has completed, an unlink request (SA_ACTION_EVERY) lets go of all
 *	 files (sa_write_let_go()) and leaves the next such request.  DROP DATABASE
 *	 and ALTER DATABASE SET TABLESPACE wait for a checkpoint before they remove
 *	 directories, and no other call announces that.  The chain begins before the
 *	 pool takes its first page, with a request by each writer, and ends with the
 *	 checkpointer, as its queue does.  A checkpoint that fails leaves the
 *	 requests for the next one that completes.
 * - The interlock record (interlock.c) must be in the WAL soon after the redo
 *	 point of every checkpoint made while images are off, and before its end.
 *	 The checkpointer logs it before the first page it writes in a checkpoint,
 *	 or else when files are synced: there a sync request logs it if that is still
 *	 due, and leaves the next sync request, whatever becomes of this checkpoint.
 *	 Nothing is logged in a shutdown checkpoint, nor in the one that ends recovery:
 *	 no WAL may come between their redo points and their records.
 *	 Where full_page_writes is the user's, the checkpointer also logs it before it
 *	 turns images off at his wish, and the driver when recovery has ended with
 *	 images off: WAL of the moment before that lacks both.
 *
 * In recovery there are restartpoints, which carry out sync requests, but not
 * unlink requests: a DROP DATABASE that is replayed does without (barrier.c), and
 * whether a restartpoint was made or skipped does not matter to it.  Unlink
 * requests wait for the first checkpoint of the new primary; guard.c sees to it
 * that a DROP DATABASE there does too.
 *
 * Locks.  Everything in FpwShared is protected by its LWLock, but
 * - images is also read without the lock by the show hook, by who writes pages
 *	 (neverlogged.c) and by the checkpointer, which alone changes it (one byte; for
 *	 others an answer from just before or after a change is equally true);
 * - driver is written and read under the lock, its latch set outside;
 * - replayed_off is atomic: redo writes it before it goes on to WAL that has no images.
 * The write method (write.c) and whether the pool takes pages are changed only
 * while holding the lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <unistd.h>

#include "access/xlog.h"
#include "catalog/pg_control.h"
#include "common/controldata_utils.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgwriter.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/guc.h"

#include "attach.h"
#include "doublewrite.h"
#include "filecopy.h"
#include "fpw.h"
#include "interlock.h"
#include "newpages.h"
#include "repair.h"
#include "writebehind.h"

typedef struct FpwShared
{
	LWLock	   *lock;
	ConditionVariable changed;	/* broadcast after each change of state */
	PGPROC	   *driver;			/* background worker, NULL = none */
	pg_atomic_uint64 replayed_off;	/* record by which the primary said so last; startup process */
	SaStatus	status;
} FpwShared;

static FpwShared *shared = NULL;

static uint32 wait_event_state; /* of smgr_atomic_wait() */

static const char *const state_names[] = {"off", "arming", "active", "paused", "disarming"};

const char *
sa_state_name(SaState state)
{
	return state_names[state];
}

Size
sa_fpw_shmem_size(void)
{
	return sizeof(FpwShared);
}

/*
 * In recovery: have pages that can still be on their way to storage had images in the
 * WAL that brought them?  If not, a file that is copied now can have a page that WAL does
 * not mend.  Those replayed before the last restartpoint are there.
 */
static bool
replayed_images(void)
{
	ControlFileData *control;
	bool		crc_ok;
	bool		images;

	LWLockAcquire(ControlFileLock, LW_SHARED);
	control = get_controlfile(".", &crc_ok);
	LWLockRelease(ControlFileLock);
	images = crc_ok && control->checkPointCopy.fullPageWrites &&
		pg_atomic_read_u64(&shared->replayed_off) < control->checkPointCopy.redo;
	pfree(control);
	return images;
}

/* Redo has come to a record that says that images are off.  Startup process. */
void
sa_fpw_replayed_images_off(XLogRecPtr lsn)
{
	pg_atomic_write_u64(&shared->replayed_off, lsn);
}

/* What SHOW full_page_writes says, in any process: the value in force; in recovery, of the WAL that is replayed. */
bool
sa_fpw_shown_images(void)
{
	return RecoveryInProgress() ? replayed_images() : sa_fpw_images(&shared->status);
}

/*
 * Of this session: was "on" shown last, and which record had been replayed last before
 * that; and the same of when it has asked for it.
 */
static bool shown_images_on = false;
static uint64 shown_replayed_off;
static bool told_images_on = false;
static uint64 told_replayed_off;

static const char *
show_full_page_writes(void)
{
	shown_replayed_off = pg_atomic_read_u64(&shared->replayed_off);
	shown_images_on = sa_fpw_shown_images();
	return shown_images_on ? "on" : "off";
}

/* This session has asked for full_page_writes.  Returns whether it was told that they are on. */
bool
sa_fpw_told_images(void)
{
	told_replayed_off = shown_replayed_off;
	told_images_on = shown_images_on;
	return told_images_on;
}

/* Called from shmem_startup_hook, before sa_fpw_start(). */
void
sa_fpw_shmem_init(void)
{
	bool		found;

	wait_event_state = saWaitEvent("SmgrAtomicState");
	shared = ShmemInitStruct("smgr_atomic fpw", sizeof(FpwShared), &found);
	if (found)
		return;
	memset(shared, 0, sizeof(FpwShared));
	shared->lock = &(GetNamedLWLockTranche("smgr_atomic"))->lock;
	ConditionVariableInit(&shared->changed);
	shared->status.images = true;
	pg_atomic_init_u64(&shared->replayed_off, InvalidXLogRecPtr);
}

void
sa_fpw_status(SaStatus *status)
{
	LWLockAcquire(shared->lock, LW_SHARED);
	*status = shared->status;
	LWLockRelease(shared->lock);
}

/* Are images on?  Unmanaged, the setting is the user's. */
bool
sa_fpw_images(const SaStatus *status)
{
	return sa_manage_full_page_writes ? status->images : fullPageWrites;
}

/* Shall images stay on for a while, or come on? */
bool
sa_fpw_wants_pause(const SaStatus *status)
{
	return status->copies > 0 || status->paused_until > GetCurrentTimestamp();
}

/* What the current state is waiting for; "" = nothing. */
const char *
sa_fpw_waits_for(const SaStatus *status)
{
	if (status->state != SA_STATE_OFF && RecoveryInProgress())
		return status->state == SA_STATE_ACTIVE ? "" : "end of recovery";
	if (status->waits_for_writes)
		return "every process to answer a barrier (a hung client can delay it)";
	switch (status->state)
	{
		case SA_STATE_ARMING:
			return sa_fpw_images(status) && sa_fpw_wants_pause(status) ?
				"checkpoint, then the pause begins" :
				"checkpoint, then full-page images go off";
		case SA_STATE_ACTIVE:
			return status->images ? "checkpoint with full-page images on" : "";
		case SA_STATE_PAUSED:
			return status->copies > 0 ? "end of a session that copies files of the server, as pg_rewind does" :
				"end of the pause";
		case SA_STATE_DISARMING:
			if (!sa_fpw_images(status) && !sa_manage_full_page_writes)
				return "full_page_writes, which is not managed, to be turned on";
			return status->images ? "checkpoint with full-page images on" :
				"checkpoint, then full-page images come on";
		default:
			return "";
	}
}

/* What pg_control says of the start that is under way. */
static SaStartInfo
read_start_info(void)
{
	ControlFileData *control;
	bool		crc_ok;
	SaStartInfo info = {0};

	control = get_controlfile(".", &crc_ok);
	info.shut_down = crc_ok && control->state == DB_SHUTDOWNED;
	info.in_production = !crc_ok || control->state == DB_IN_PRODUCTION || control->state == DB_SHUTDOWNING;
	info.backup_label = access("backup_label", F_OK) == 0;
	info.checksums = control->data_checksum_version != 0;
	info.system_identifier = control->system_identifier;
	info.from_archive = access("standby.signal", F_OK) == 0 || access("recovery.signal", F_OK) == 0;
	info.clean = info.shut_down && !info.backup_label && !info.from_archive;
	info.images = crc_ok && control->checkPointCopy.fullPageWrites;
	info.redo = crc_ok ? control->checkPointCopy.redo : InvalidXLogRecPtr;
	pfree(control);
	return info;
}

/* Install a status.  Caller holds the lock, or is alone. */
static void
set_status(SaState state, const SaDecision *decision)
{
	shared->status.state = state;
	shared->status.since = GetCurrentTimestamp();
	if (decision == NULL)
		return;
	shared->status.method = decision->method;
	shared->status.protection = decision->protection;
	strlcpy(shared->status.reason, decision->reason, SA_REASON_LEN);
}

/*
 * This process's copy of full_page_writes.  PGC_S_OVERRIDE stays in force
 * over reloads of the configuration files and is written to none of them.
 */
static void
set_local_images(bool on)
{
	SetConfigOption("full_page_writes", on ? "on" : "off", PGC_POSTMASTER, PGC_S_OVERRIDE);
}

static void
report_start(const SaDecision *decision)
{
	const SaStatus *status = &shared->status;

	if (!sa_manage_full_page_writes)
	{
		ereport(LOG,
				(errmsg("smgr_atomic: full_page_writes is left as configured (%s)",
						fullPageWrites ? "on" : "off"),
				 errdetail("Page writes: %s; %s.", sa_method_name(status->method), decision->reason)));
		if (!fullPageWrites && !decision->safe)
			ereport(WARNING,
					(errmsg("full_page_writes is off, but page writes are not atomic"),
					 errdetail("A crash can tear pages beyond repair."),
					 errhint("Set smgr_atomic.manage_full_page_writes = on, or full_page_writes = on.")));
		return;
	}
	if (status->state == SA_STATE_ARMING && decision->safe)
		ereport(LOG,
				(errmsg("smgr_atomic: every page is written atomically (%s, %s); full_page_writes goes off after the first checkpoint",
						sa_method_name(decision->method), sa_verdict_name(decision->protection)),
				 errdetail("Weakest place: %s.", decision->reason)));
	else
		ereport(sa_mode == SA_MODE_OFF ? LOG : WARNING,
				(errmsg("smgr_atomic: full_page_writes is on: %s", decision->reason),
				 status->state != SA_STATE_OFF ?
				 errdetail("Pages are written atomically until recovery is done and a checkpoint has completed.") : 0));
}

/*
 * A start that may replay WAL, where pages cannot be (or are not wanted to be)
 * written atomically later on.  Returns the method for recovery.
 *
 * fsync = off is no reason to write plainly here: WAL may lack images.  Nor is
 * a probe that failed for a passing reason; should the storage turn out
 * unable, each write says so (segment.c).
 *
 * If images were off at the last checkpoint and pages would be plain, replay
 * must not even begin: the interlock record would stop it, but pages written
 * until then could tear.
 */
static SaWriteMethod
method_for_recovery(const SaStartInfo *info, const char *reason)
{
	SaDecision	decision = {0},
				journal = {0};
	char		unusable[SA_REASON_LEN];

	/* torn pages of the crash before have been repaired; this is about a crash from now on */
	if (sa_attached() && info->journaled)
		sa_decide_by_storage(SA_MODE_DOUBLEWRITE, false, &journal);
	if (journal.safe || (journal.transient && sa_doublewrite_usable(unusable, sizeof(unusable))))
		return SA_WRITE_DOUBLE;
	if (sa_attached())
		sa_decide_by_storage(SA_MODE_DIRECT, false, &decision);
	if (decision.safe)
		return decision.method;
	if (decision.reason[0] != '\0')
		reason = info->journaled ? journal.reason : decision.reason;
	if (decision.transient)
		return SA_WRITE_DIRECT;
	if (!info->images && !sa_allow_unsafe_standby && sa_wal_interlock)
		ereport(FATAL,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("WAL since the last checkpoint has no full-page images, and pages can tear on this server's storage"),
				 errdetail("Pages would not be written atomically: %s. A crash during recovery could damage this server beyond repair.",
						   reason),
				 errhint("Put the data on storage that smgr-atomic-check accepts, "
						 "or set smgr_atomic.allow_unsafe_standby = on to take the risk.")));
	return SA_WRITE_PLAIN;
}

/*
 * The state to begin with, and the method of writing.
 */
static SaState
first_state(const SaStartInfo *info, SaDecision *decision)
{
	if (decision->safe)
		return SA_STATE_ARMING;
	/* a standalone server keeps images on anyway; pg_rewind starts one, without fsync */
	if (sa_require && !decision->transient && !IsBinaryUpgrade && IsPostmasterEnvironment)
		ereport(FATAL,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("smgr_atomic.require is on, but pages cannot be written atomically"),
				 errdetail("%s.", decision->reason),
				 errhint("Mend the cause, or set smgr_atomic.require = off to start with full-page images.")));
	if (info->clean)
		return SA_STATE_OFF;
	decision->method = method_for_recovery(info, decision->reason);
	if (decision->method == SA_WRITE_PLAIN)
		return SA_STATE_OFF;
	return decision->transient ? SA_STATE_ARMING : SA_STATE_DISARMING;
}

/*
 * Are images off, so that the WAL must say so?  Unmanaged, by the setting as this
 * process has read it.  Any process, without the lock.
 */
bool
sa_fpw_images_are_off(void)
{
	return !sa_fpw_images(&shared->status) && (sa_manage_full_page_writes || sa_write_method() != SA_WRITE_PLAIN);
}

/* May this process log the record now, if this is not the shutdown checkpoint? */
static bool
may_say_images_off(void)
{
	return sa_wal_interlock && !RecoveryInProgress() && XLogInsertAllowed();
}

/*
 * Assign hook of full_page_writes where it is the user's: he turns images on or
 * off, and the checkpointer has read that.  It makes it known to others only after
 * this.
 */
static void
before_images_change(bool on, void *extra)
{
	if (AmCheckpointerProcess() && fullPageWrites && !on && sa_write_method() != SA_WRITE_PLAIN &&
		may_say_images_off())
		sa_interlock_log();
	if (AmCheckpointerProcess() && fullPageWrites != on)
	{
		/* what was asked for before must not follow a checkpoint that has seen both */
		LWLockAcquire(shared->lock, LW_EXCLUSIVE);
		shared->status.generation++;
		LWLockRelease(shared->lock);
	}
}

/*
 * Let fsync change at a restart only.  With it off, the checkpointer does not ask
 * for pages that are in the pool; each process that hands one over knows that and
 * waits (sa_pool_takes_pages()), but processes read their settings one by one.
 */
static void
keep_fsync(void)
{
	struct config_generic *setting = saFindSetting("fsync");

	if (setting != NULL && sa_attached())
		setting->context = PGC_POSTMASTER;
}

/*
 * Decide the state at start, and again after a crash of a backend.
 *
 * Postmaster (or standalone server), from shmem_startup_hook, before any
 * child that could write a page.  FATAL if smgr_atomic.require is on and
 * pages cannot be atomic (but for a standalone server), or if WAL without
 * images would be replayed plainly.
 */
void
sa_fpw_start(void)
{
	struct config_generic *setting = saFindSetting("full_page_writes");
	SaStartInfo info = read_start_info();
	SaDecision	decision;
	SaState		state;

	info.journaled = sa_repair(&info);
	if (info.journaled)
		sa_decide(sa_mode, true, &decision);	/* syncfs() may tell of what the crash was about */
	sa_decide(sa_mode, true, &decision);
	state = first_state(&info, &decision);
	if (state != SA_STATE_OFF && decision.method == SA_WRITE_DOUBLE)
		sa_doublewrite_start(info.shut_down);
	else
		sa_doublewrite_give_up(info.shut_down);

	set_status(state, &decision);
	shared->status.images = true;
	sa_write_set_method(state == SA_STATE_OFF ? SA_WRITE_PLAIN : decision.method,
						sa_decide_writethrough_flag());
	/* a standalone server has no writers: it would only find errors later */
	sa_pool_set_accepting(state != SA_STATE_OFF && IsPostmasterEnvironment);
	if (sa_manage_full_page_writes)
		set_local_images(true);
	if (setting != NULL && setting->vartype == PGC_BOOL)
		saSetHooks(setting, show_full_page_writes, sa_manage_full_page_writes ? NULL : before_images_change);
	keep_fsync();
	report_start(&decision);
	if (info.checksums && state != SA_STATE_OFF)
		sa_filecopy_warn_rewound();
}

/*
 * Put the server's shared full_page_writes to the value given.  Checkpointer
 * only; the caller holds the lock.
 */
static void
change_images(bool on)
{
	Assert(LWLockHeldByMeInMode(shared->lock, LW_EXCLUSIVE));

	if (!sa_manage_full_page_writes)
	{
		shared->status.images = fullPageWrites;
		return;
	}
	set_local_images(on);
	UpdateFullPageWrites();
	shared->status.images = on;
	ereport(LOG,
			(errmsg("smgr_atomic: full_page_writes is now %s", on ? "on" : "off")));
}

/* A request of ours for the checkpointer. */
static void
make_tag(FileTag *tag, SaAction action, uint32 generation)
{
	memset(tag, 0, sizeof(*tag));
	tag->handler = SYNC_HANDLER_MD;
	tag->forknum = (int16) action;
	tag->segno = generation;
}

/* Is this one of our requests, not a file of md.c? */
bool
sa_fpw_is_ours(const FileTag *tag)
{
	SaRelFile	none = {0};

	return memcmp(&saTagRelFile(tag), &none, sizeof(none)) == 0;
}

/* Segment numbers of SA_ACTION_EVERY: a link of the chain, or to begin one. */
#define EVERY_NEXT 0
#define EVERY_FIRST 1

/*
 * Both are the checkpointer's, and lost with it, as its requests are: the next
 * link has been requested; segment number of the next sync request.  A request
 * that is made while an equal one is being carried out would end with it, so
 * two numbers take turns.
 */
static bool every_requested = false;
static uint32 sync_turn = 0;

static void
request_sync(void)
{
	FileTag		tag;

	make_tag(&tag, SA_ACTION_EVERY, sync_turn);
	RegisterSyncRequest(&tag, SYNC_REQUEST, true);
}

/*
 * Have something done in and after the next checkpoint, and so on.
 * Checkpointer.
 */
static void
request_every(void)
{
	FileTag		tag;

	if (every_requested)
		return;
	request_sync();
	make_tag(&tag, SA_ACTION_EVERY, EVERY_NEXT);
	RegisterSyncRequest(&tag, SYNC_UNLINK_REQUEST, true);
	every_requested = true;
}

/*
 * Have files let go of at the end of each checkpoint that begins from now on.
 * Waits for the checkpointer to start.  Any other process under a postmaster,
 * before it lets the pool take pages; more than one may.
 */
void
sa_fpw_follow_checkpoints(void)
{
	FileTag		tag;

	make_tag(&tag, SA_ACTION_EVERY, EVERY_FIRST);
	RegisterSyncRequest(&tag, SYNC_UNLINK_REQUEST, true);
}

/*
 * Is this process making the shutdown checkpoint?  Before it the checkpointer sets
 * ExitOnAnyError, which is the user's setting exit_on_error too; then pg_control
 * knows.
 */
bool
sa_fpw_is_shutdown_checkpoint(void)
{
	ControlFileData *control;
	bool		crc_ok;
	bool		shutdown;

	if (!ExitOnAnyError)
		return false;
	control = get_controlfile(".", &crc_ok);
	shutdown = control->state == DB_SHUTDOWNING;
	pfree(control);
	return shutdown;
}

/*
 * Log the interlock record if this checkpoint has none yet.  Checkpointer,
 * between the redo point and the end of a checkpoint; not in a critical section.
 * Recovery is in progress in the checkpoint that ends it, although that may
 * insert WAL.
 */
void
sa_fpw_checkpoint_write(void)
{
	static XLogRecPtr logged_for = InvalidXLogRecPtr;
	XLogRecPtr	redo;

	if (!sa_fpw_images_are_off() || !may_say_images_off())
		return;
	redo = GetRedoRecPtr();
	if (redo == logged_for)
		return;
	if (!sa_fpw_is_shutdown_checkpoint())
		sa_interlock_log();
	logged_for = redo;
}

/*
 * Carry out an action.  Checkpointer, after a checkpoint that began after the
 * request has completed.  What a crash here leaves behind is WAL up to the
 * last XLOG_FPW_CHANGE record; see "a crash forgets the state" above.
 */
static void
carry_out(SaAction action)
{
	SaState		state = shared->status.state;
	bool		paused = sa_fpw_wants_pause(&shared->status);

	/*
	 * The shutdown checkpoint also comes here, and no WAL may follow it.  The
	 * next start decides anew.
	 */
	if (!XLogInsertAllowed())
		return;
	switch (action)
	{
		case SA_ACTION_ACTIVATE:
			if (shared->status.method == SA_WRITE_DOUBLE && !sa_doublewrite_is_open())
				return;
			if (state == SA_STATE_OFF || state == SA_STATE_DISARMING ||
				(state == SA_STATE_ACTIVE && !shared->status.images))
				return;
			request_every();
			if (paused && sa_fpw_images(&shared->status))
			{
				/* while arming this was a whole checkpoint with images on */
				if (state == SA_STATE_ARMING)
					set_status(SA_STATE_PAUSED, NULL);
				return;
			}
			if (sa_manage_full_page_writes || !fullPageWrites)
				sa_interlock_log();
			change_images(false);
			set_status(SA_STATE_ACTIVE, NULL);
			break;
		case SA_ACTION_PAUSE:
			if (state != SA_STATE_ACTIVE || !sa_fpw_images(&shared->status) || !paused)
				return;
			set_status(SA_STATE_PAUSED, NULL);
			break;
		case SA_ACTION_IMAGES_ON:
			if ((state == SA_STATE_DISARMING || (state == SA_STATE_ACTIVE && paused)) &&
				!shared->status.images)
				change_images(true);
			break;
		case SA_ACTION_PLAIN:
			if (state != SA_STATE_DISARMING || !shared->status.images || !fullPageWrites)
				return;
			sa_doublewrite_close();
			sa_write_set_method(SA_WRITE_PLAIN, 0);
			shared->status.method = SA_WRITE_PLAIN;
			shared->status.protection = SA_VERDICT_NONE;
			set_status(SA_STATE_OFF, NULL);
			ereport(LOG, (errmsg("smgr_atomic: pages are no longer written atomically")));
			break;
		case SA_ACTION_EVERY:
			break;				/* not for here */
	}
}

/*
 * Carry out one of our unlink requests.  Checkpointer (or a standalone
 * server), outside critical sections, after a checkpoint has completed.
 */
int
sa_fpw_unlinkfiletag(const FileTag *tag)
{
	if (tag->forknum == SA_ACTION_EVERY)
	{
		sa_write_let_go();
		if (tag->segno == EVERY_NEXT)
			every_requested = false;
		request_every();
		if (!RecoveryInProgress())
			sa_newpages_checkpointed();
	}

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (tag->forknum == SA_ACTION_EVERY)
		shared->status.checkpointed = !RecoveryInProgress();	/* not that at its end: see guard.c */
	else if (tag->segno == shared->status.generation)
		carry_out((SaAction) tag->forknum);
	LWLockRelease(shared->lock);
	ConditionVariableBroadcast(&shared->changed);
	sa_fpw_wake_driver();
	return 0;
}

/*
 * Carry out one of our sync requests.  Checkpointer, in the sync phase of a
 * checkpoint: after its redo point, before its end.
 */
int
sa_fpw_syncfiletag(const FileTag *tag, char *path)
{
	strlcpy(path, "smgr_atomic interlock", MAXPGPATH);
	sa_fpw_checkpoint_write();
	sync_turn = tag->segno == 0 ? 1 : 0;
	request_sync();
	return 0;
}

/*
 * Ask for an action after the next checkpoint, have that checkpoint made, and
 * wait for it.  Raises an error if the checkpoint fails; the request then
 * stands for the next one that completes.  Driver only.
 */
void
sa_fpw_after_checkpoint(SaAction action)
{
	FileTag		tag;

	LWLockAcquire(shared->lock, LW_SHARED);
	make_tag(&tag, action, shared->status.generation);
	LWLockRelease(shared->lock);

	RegisterSyncRequest(&tag, SYNC_UNLINK_REQUEST, true);
	RequestCheckpoint(CHECKPOINT_FORCE | CHECKPOINT_FAST | CHECKPOINT_WAIT);
}

/*
 * Begin a transition: enter state, make requests of earlier transitions void.
 * With a decision (arming) also close the pool and install its method; once
 * all processes have seen it, the driver opens the pool.  Returns false, with
 * nothing changed, if the status is no longer the one the caller decided on, or
 * a session wants none.  Driver only.
 */
bool
sa_fpw_begin(const SaStatus *from, SaState state, const SaDecision *decision)
{
	bool		same;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	same = shared->status.state == from->state && shared->status.generation == from->generation &&
		(decision == NULL || shared->status.holds == 0);
	if (same)
	{
		shared->status.generation++;
		set_status(state, decision);
		if (decision != NULL)
		{
			sa_pool_set_accepting(false);
			sa_write_set_method(decision->method, sa_decide_writethrough_flag());
		}
	}
	LWLockRelease(shared->lock);
	ConditionVariableBroadcast(&shared->changed);
	return same;
}

/* The driver begins or ends to wait for writes under way. */
void
sa_fpw_waits_for_writes(bool waits)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->status.waits_for_writes = waits;
	LWLockRelease(shared->lock);
}

/*
 * Let the pool take pages, or not any more.  Driver only.  After closing it
 * waits for writes under way and drains the pool; it opens the pool when every
 * process is known to write atomically, by the method in force.
 */
void
sa_fpw_open_pool(bool open)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	Assert(!open || shared->status.state != SA_STATE_OFF);
	sa_pool_set_accepting(open);
	LWLockRelease(shared->lock);
}

/*
 * Go from one atomic method to another with the pool closed and empty, and
 * open it again; no state changes.  Driver only.
 */
void
sa_fpw_switch_method(const SaDecision *decision)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	Assert(decision->method != SA_WRITE_PLAIN && shared->status.state != SA_STATE_OFF);
	Assert(decision->method != SA_WRITE_DOUBLE && shared->status.method != SA_WRITE_DOUBLE);
	shared->status.method = decision->method;
	sa_write_set_method(decision->method, sa_decide_writethrough_flag());
	sa_pool_set_accepting(true);
	LWLockRelease(shared->lock);
	ereport(LOG, (errmsg("smgr_atomic: pages are now written by method %s", sa_method_name(decision->method))));
}

/*
 * Only the reason and the protection change.  Returns whether the reason is a
 * new one.  Driver only.
 */
bool
sa_fpw_explain(const SaDecision *decision)
{
	bool		is_new;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	is_new = strcmp(shared->status.reason, decision->reason) != 0;
	shared->status.protection = decision->protection;
	strlcpy(shared->status.reason, decision->reason, SA_REASON_LEN);
	LWLockRelease(shared->lock);
	return is_new;
}

/* Is no change of the state under way?  Read without the lock: true of a moment ago. */
bool
sa_fpw_is_settled(void)
{
	SaState		state = *(volatile SaState *) &shared->status.state;

	return state == SA_STATE_ACTIVE || state == SA_STATE_PAUSED;
}

static void
forget_driver(int code, Datum arg)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->driver = NULL;
	shared->status.waits_for_writes = false;
	LWLockRelease(shared->lock);
}

/*
 * The calling background worker drives transitions until it exits.  What the one
 * before it has asked for is void.  That one may have closed the pool to go from
 * one atomic method to another; both the old and the new are right.
 */
void
sa_fpw_set_driver(void)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->driver = MyProc;
	shared->status.generation++;
	if (shared->status.state == SA_STATE_ACTIVE || shared->status.state == SA_STATE_PAUSED)
		sa_pool_set_accepting(true);
	LWLockRelease(shared->lock);
	before_shmem_exit(forget_driver, 0);
	if (!sa_manage_full_page_writes && sa_fpw_images_are_off())
		sa_interlock_log();
}

void
sa_fpw_wake_driver(void)
{
	LWLockAcquire(shared->lock, LW_SHARED);
	if (shared->driver != NULL)
		SetLatch(&shared->driver->procLatch);
	LWLockRelease(shared->lock);
}

/* Ask for images on until a time; 0 ends a pause.  The driver acts on it. */
void
sa_fpw_set_pause(TimestampTz until)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->status.paused_until = until;
	shared->status.requests++;
	LWLockRelease(shared->lock);
	sa_fpw_wake_driver();
}

/* Have the driver look at storage again. */
void
sa_fpw_recheck(void)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->status.requests++;
	LWLockRelease(shared->lock);
	sa_fpw_wake_driver();
}

static bool holding = false;

static void
release_at_exit(int code, Datum arg)
{
	sa_fpw_release();
}

/* See the two below.  Returns whether this session holds the state "off". */
static bool
hold(bool only_if_off)
{
	static bool registered = false;

	if (!registered)
		before_shmem_exit(release_at_exit, 0);
	registered = true;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (!only_if_off || shared->status.state == SA_STATE_OFF)
	{
		shared->status.holds++;
		shared->status.requests++;
		holding = true;
	}
	LWLockRelease(shared->lock);
	if (holding)
		sa_fpw_wake_driver();
	return holding;
}

/*
 * Ask for the state "off" while this session does something that atomic
 * writes cannot cover.  The driver disarms; wait for it with sa_fpw_wait().
 * Ends with sa_fpw_release() or with the session.
 */
void
sa_fpw_hold(void)
{
	(void) hold(false);
}

/* The same if that is the state; else false, with nothing done. */
bool
sa_fpw_hold_if_off(void)
{
	return hold(true);
}

/* End what sa_fpw_hold() began; nothing if it did not. */
void
sa_fpw_release(void)
{
	if (!holding)
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->status.holds--;
	shared->status.requests++;
	holding = false;
	LWLockRelease(shared->lock);
	sa_fpw_wake_driver();
}

/* Of this session: it keeps images on; they have been for a whole checkpoint. */
static bool copying = false;
static bool copy_covered = false;

static void
copy_ends(int code, Datum arg)
{
	if (!copying)
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->status.copies--;
	shared->status.requests++;
	LWLockRelease(shared->lock);
	sa_fpw_wake_driver();
}

/* If images are on, they stay on until this session ends. */
static void
copy_begins(void)
{
	static bool registered = false;

	if (!registered)
		before_shmem_exit(copy_ends, 0);
	registered = true;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (shared->status.images)
	{
		shared->status.copies++;
		shared->status.requests++;
		copying = true;
	}
	copy_covered = shared->status.state == SA_STATE_PAUSED;
	LWLockRelease(shared->lock);
	if (!copying)
		return;
	sa_fpw_wake_driver();
	ereport(LOG,
			(errmsg("smgr_atomic: full-page images stay on until this session ends, as it copies files")));
}

/* As long as none has completed, one can become a restartpoint that is left out (guard.c). */
static void
make_checkpoint(void)
{
	SaStatus	status;

	sa_fpw_status(&status);
	RequestCheckpoint(CHECKPOINT_FORCE | CHECKPOINT_FAST | CHECKPOINT_WAIT);
	if (!status.checkpointed)
		RequestCheckpoint(CHECKPOINT_FORCE | CHECKPOINT_FAST | CHECKPOINT_WAIT);
}

/*
 * This session, if it has been told that images are on, is about to read files of the
 * server.  Keeps images on until it ends, and waits for a checkpoint if they have
 * not been on for a whole one.  In recovery only looks.  False if they are off.
 */
bool
sa_fpw_keep_images(void)
{
	if (!told_images_on)
		return true;
	if (pg_atomic_read_u64(&shared->replayed_off) != told_replayed_off)
		return false;
	if (RecoveryInProgress())
		return replayed_images();
	if (!sa_manage_full_page_writes)
		return fullPageWrites;
	if (!copying)
		copy_begins();
	if (copying && !copy_covered)
		make_checkpoint();
	copy_covered = true;
	return copying;
}

/*
 * Wait until a state is reached.  False after timeout_ms milliseconds.
 */
bool
sa_fpw_wait(SaState state, long timeout_ms)
{
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), timeout_ms);
	SaStatus	status;

	ConditionVariablePrepareToSleep(&shared->changed);
	for (;;)
	{
		long		left = (long) ((end - GetCurrentTimestamp()) / 1000);

		sa_fpw_status(&status);
		if (status.state == state || left <= 0)
			break;
		(void) ConditionVariableTimedSleep(&shared->changed, left, wait_event_state);
	}
	ConditionVariableCancelSleep();
	return status.state == state;
}
