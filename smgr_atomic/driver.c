/*-------------------------------------------------------------------------
 *
 * driver.c
 *	  The background worker that moves the state machine of fpw.c.
 *
 * It compares what the settings ask for with the state in shared memory and
 * makes one step, until both agree; then it sleeps until a reload, a pause, or
 * the end of a pause.  All it knows is in shared memory, so it may die at any
 * point: the next one goes on from the state it finds, under a new generation.
 *
 * It starts when recovery has ended.  Before that images are the primary's
 * business (WAL is not written here), and pages stay atomic if they are.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/procsignal.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "doublewrite.h"
#include "driver.h"
#include "entries.h"
#include "fpw.h"
#include "smgr_atomic.h"
#include "worker.h"
#include "writebehind.h"

#define RESTART_SECONDS 2
#define RETRY_MS 10000

/*
 * A reload, or a request to look at storage again, not acted on yet: it may come
 * in a pause.  True at first: the driver before this one may have died with it.
 */
static bool settings_changed = true;

/* A place could not be asked: look again by ourselves. */
static bool retry_later = false;

/* Register the worker.  From _PG_init() in shared_preload_libraries. */
void
sa_driver_register(void)
{
	sa_worker_register("smgr_atomic driver", "smgr_atomic driver", "sa_driver_main",
					   BgWorkerStart_RecoveryFinished, RESTART_SECONDS, 0);
}

/*
 * Wait until no process is inside a write that began before now.
 *
 * A process answers the barrier when it handles interrupts, which it does not
 * do inside a table entry of the storage manager.  Every process that can
 * write pages takes part.
 */
static void
wait_for_writes_under_way(void)
{
	sa_fpw_waits_for_writes(true);
	WaitForProcSignalBarrier(EmitProcSignalBarrier(PROCSIGNAL_BARRIER_SMGRRELEASE));
	sa_fpw_waits_for_writes(false);
}

/* With the pool closed: wait until nothing is in it and nothing can come. */
static void
empty_pool(void)
{
	wait_for_writes_under_way();
	sa_pool_drain_all();
}

/* Images stay or come on; say why, once for each reason. */
static void
refuse(const SaDecision *decision)
{
	if (sa_fpw_explain(decision))
		ereport(WARNING,
				(errmsg("smgr_atomic: full_page_writes is on: %s", decision->reason)));
}

static void disarm(const SaStatus *status);

/*
 * No page may go to its place in another way while the journal has a copy of
 * it: between doublewrite and another atomic method images come on.
 */
static bool
only_over_off(const SaStatus *status, const SaDecision *decision)
{
	return status->state != SA_STATE_OFF && decision->method != status->method &&
		(decision->method == SA_WRITE_DOUBLE || status->method == SA_WRITE_DOUBLE);
}

/* Disarm, and look at the settings again then. */
static void
go_over_off(const SaStatus *status)
{
	disarm(status);
	settings_changed = true;
}

/*
 * Off -> arming -> active, or paused.  Also resumes an arming whose driver died, and the
 * one a start begins with.  From disarming only where images are not managed
 * and off.
 */
static void
arm(const SaStatus *status)
{
	SaDecision	decision;
	SaStatus	armed;

	settings_changed = false;
	sa_decide(sa_mode, false, &decision);
	if (decision.safe && only_over_off(status, &decision))
	{
		go_over_off(status);
		return;
	}
	if (decision.safe && sa_fpw_begin(status, SA_STATE_ARMING, &decision))
	{
		empty_pool();
		if (decision.method == SA_WRITE_DOUBLE)
			sa_doublewrite_open();
		sa_fpw_open_pool(true);

		/* a place may have been added before all processes wrote atomically */
		sa_decide(sa_mode, true, &decision);
		if (decision.safe)
		{
			sa_fpw_after_checkpoint(SA_ACTION_ACTIVATE);
			return;
		}
	}
	if (decision.safe)
		return;					/* somebody else has moved on */

	refuse(&decision);
	sa_fpw_status(&armed);
	retry_later = decision.transient;
	if (armed.state == SA_STATE_ARMING && !decision.transient)
		(void) sa_fpw_begin(&armed, SA_STATE_DISARMING, NULL);
}

/*
 * One step of active or paused -> disarming -> images on -> off.
 */
static void
disarm(const SaStatus *status)
{
	if (sa_mode == SA_MODE_OFF)
	{
		SaDecision	decision;

		sa_decide(sa_mode, false, &decision);
		(void) sa_fpw_explain(&decision);
	}
	if (status->state != SA_STATE_DISARMING)
	{
		(void) sa_fpw_begin(status, SA_STATE_DISARMING, NULL);
		return;
	}
	if (!sa_manage_full_page_writes && !fullPageWrites)
		return;					/* it is the user who has to turn them on */
	if (!status->images)
	{
		sa_fpw_after_checkpoint(SA_ACTION_IMAGES_ON);
		return;
	}
	sa_fpw_open_pool(false);
	empty_pool();
	sa_fpw_after_checkpoint(SA_ACTION_PLAIN);
}

/*
 * Active, and the settings were read again: another method, or storage that
 * has changed?  A place that cannot be asked just now (full disk) is no reason
 * to turn images on; each write still is atomic or an error.  It is asked again
 * later, without another message.
 */
static void
change_method(const SaStatus *status)
{
	SaDecision	decision;
	int			elevel = settings_changed ? WARNING : DEBUG1;

	settings_changed = false;
	sa_decide(sa_mode, false, &decision);
	retry_later = decision.transient;
	if (decision.safe && only_over_off(status, &decision))
		go_over_off(status);
	else if (decision.safe && decision.method != status->method)
	{
		sa_fpw_open_pool(false);
		empty_pool();
		sa_fpw_switch_method(&decision);
	}
	else if (decision.transient)
		ereport(elevel,
				(errmsg("smgr_atomic: storage cannot be checked: %s", decision.reason),
				 errdetail("Nothing changes; page writes stay atomic.")));
	else if (!decision.safe)
	{
		refuse(&decision);
		disarm(status);
	}
}

/*
 * After a pause: images go off again, unless what has changed meanwhile speaks
 * against it.
 */
static void
end_pause(const SaStatus *status, bool look_again)
{
	SaStatus	now;

	if (look_again)
		change_method(status);
	sa_fpw_status(&now);
	if (now.generation == status->generation)
		sa_fpw_after_checkpoint(SA_ACTION_ACTIVATE);
}

/* Shall "paused" be reached, or kept?  Not while the user has turned images off himself. */
static bool
can_pause(const SaStatus *status)
{
	return sa_fpw_wants_pause(status) && (sa_manage_full_page_writes || fullPageWrites);
}

/* Make one step towards what the settings ask for. */
static void
step(const SaStatus *status)
{
	bool		wanted = sa_mode != SA_MODE_OFF && status->holds == 0;
	bool		paused = can_pause(status);
	bool		look_again = settings_changed || retry_later;

	retry_later = false;
	switch (status->state)
	{
		case SA_STATE_OFF:
			if (wanted && look_again)
				arm(status);
			break;
		case SA_STATE_ARMING:
			if (!wanted)
				disarm(status);
			else
				arm(status);
			break;
		case SA_STATE_ACTIVE:
			if (!wanted)
				disarm(status);
			else if (paused)
				sa_fpw_after_checkpoint(status->images ? SA_ACTION_PAUSE : SA_ACTION_IMAGES_ON);
			else if (status->images && sa_manage_full_page_writes)
				end_pause(status, look_again);
			else if (look_again)
				change_method(status);
			break;
		case SA_STATE_PAUSED:
			if (!wanted)
				disarm(status);
			else if (!paused)
				end_pause(status, look_again);
			break;
		case SA_STATE_DISARMING:
			/* images are the user's and never came on: only pages have to go on as they are */
			if (wanted && !sa_manage_full_page_writes && !fullPageWrites)
				arm(status);
			else
				disarm(status);
			break;
	}
}

/* Milliseconds until something is due by itself; -1 = nothing is. */
static long
until_due(void)
{
	SaStatus	status;
	long		left;
	long		due = -1;

	sa_fpw_status(&status);
	left = (long) ((status.paused_until - GetCurrentTimestamp()) / 1000);
	if (status.state == SA_STATE_PAUSED && can_pause(&status))
		due = status.copies > 0 ? -1 : left + 1;
	else if (status.state == SA_STATE_PAUSED || status.state == SA_STATE_ARMING ||
			 (status.state == SA_STATE_ACTIVE &&
			  (can_pause(&status) || (status.images && sa_manage_full_page_writes))))
		due = RETRY_MS;
	if (retry_later || status.state == SA_STATE_DISARMING)
		due = due < 0 ? RETRY_MS : Min(due, RETRY_MS);
	return due;
}

/*
 * Step until nothing changes any more.  Steps wait for checkpoints, and what
 * came in meanwhile may have been announced by a latch that those waits have
 * reset; so requests are counted, and looked at again.  A pause may have ended
 * meanwhile, too.
 */
static void
settle(void)
{
	static uint32 requests_seen = 0;
	SaStatus	before,
				after;
	bool		paused;

	do
	{
		settings_changed |= sa_worker_reload();
		sa_fpw_status(&before);
		settings_changed |= before.requests != requests_seen;
		requests_seen = before.requests;
		paused = sa_fpw_wants_pause(&before);
		step(&before);
		sa_fpw_status(&after);
	} while (before.state != after.state || before.images != after.images ||
			 before.requests != after.requests || paused != sa_fpw_wants_pause(&after) || ConfigReloadPending);
}

/* Entry point of the background worker. */
void
sa_driver_main(Datum arg)
{
	uint32		wait_event = saWaitEvent("SmgrAtomicDriverMain");

	sa_worker_begin(die);
	(void) sa_entries_prove();	/* sa_decide() will know */
	sa_fpw_set_driver();

	for (;;)
	{
		long		timeout;

		settle();
		timeout = until_due();
		if (!ConfigReloadPending)
			(void) WaitLatch(MyLatch,
							 WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (timeout >= 0 ? WL_TIMEOUT : 0),
							 timeout, wait_event);
		ResetLatch(MyLatch);
		if (ProcDiePending)
			proc_exit(1);		/* asleep: nothing to say; 1 = to be restarted */
		CHECK_FOR_INTERRUPTS();
	}
}
