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

#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/procsignal.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "driver.h"
#include "fpw.h"
#include "writebehind.h"

#define RESTART_SECONDS 2

/* A reload, or a request to look at storage again, not acted on yet. */
static bool settings_changed = false;

/* Register the worker.  From _PG_init() in shared_preload_libraries. */
void
sa_driver_register(void)
{
	BackgroundWorker worker = {0};

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = RESTART_SECONDS;
	strlcpy(worker.bgw_library_name, "smgr_atomic", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "sa_driver_main", BGW_MAXLEN);
	strlcpy(worker.bgw_name, "smgr_atomic driver", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "smgr_atomic driver", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
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
	WaitForProcSignalBarrier(EmitProcSignalBarrier(PROCSIGNAL_BARRIER_SMGRRELEASE));
}

/* With the pool closed, wait until nothing is in it and nothing can come. */
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

/*
 * Off -> arming -> active.  Also resumes an arming whose driver died.
 */
static void
arm(void)
{
	SaDecision	decision;

	settings_changed = false;
	sa_fpw_decide(sa_mode, false, &decision);
	if (!decision.safe)
	{
		refuse(&decision);
		return;
	}
	sa_fpw_begin(SA_STATE_ARMING, &decision);
	wait_for_writes_under_way();

	/* a place may have been added before all processes wrote atomically */
	sa_fpw_decide(sa_mode, true, &decision);
	if (!decision.safe)
	{
		sa_fpw_begin(SA_STATE_DISARMING, NULL);
		refuse(&decision);
		return;
	}
	sa_fpw_after_checkpoint(SA_ACTION_ACTIVATE);
}

/* Active or paused -> disarming -> off.  Also resumes a disarming. */
static void
disarm(const SaStatus *status)
{
	if (sa_mode == SA_MODE_OFF)
	{
		SaDecision	decision;

		sa_fpw_decide(sa_mode, false, &decision);
		(void) sa_fpw_explain(&decision);
	}
	sa_fpw_begin(SA_STATE_DISARMING, NULL);
	empty_pool();
	if (!status->images)
		sa_fpw_after_checkpoint(SA_ACTION_IMAGES_ON);
	sa_fpw_after_checkpoint(SA_ACTION_PLAIN);
}

/* Mode changed from one atomic method to another. */
static void
change_method(const SaStatus *status)
{
	SaDecision	decision;

	settings_changed = false;
	sa_fpw_decide(sa_mode, false, &decision);
	if (!decision.safe)
	{
		refuse(&decision);
		disarm(status);
	}
	else if (decision.method != status->method)
	{
		sa_fpw_close_pool();
		empty_pool();
		sa_fpw_switch_method(&decision);
	}
}

/* Make one step towards what the settings ask for. */
static void
step(void)
{
	SaStatus	status;
	bool		paused;
	bool		wanted;

	sa_fpw_status(&status);
	wanted = sa_mode != SA_MODE_OFF && status.holds == 0;
	paused = status.paused_until > GetCurrentTimestamp();
	switch (status.state)
	{
		case SA_STATE_OFF:
			if (wanted && settings_changed)
				arm();
			break;
		case SA_STATE_ARMING:
			if (wanted)
				arm();
			else
				disarm(&status);
			break;
		case SA_STATE_ACTIVE:
			if (!wanted)
				disarm(&status);
			else if (paused)
				sa_fpw_after_checkpoint(SA_ACTION_PAUSE);
			else if (settings_changed)
				change_method(&status);
			break;
		case SA_STATE_PAUSED:
			if (!wanted)
				disarm(&status);
			else if (!paused)
				sa_fpw_after_checkpoint(SA_ACTION_ACTIVATE);
			break;
		case SA_STATE_DISARMING:
			disarm(&status);
			break;
	}
}

/* Milliseconds until a pause ends; -1 = nothing to wait for. */
static long
until_pause_ends(void)
{
	SaStatus	status;

	sa_fpw_status(&status);
	if (status.state != SA_STATE_PAUSED)
		return -1;
	return Max(0, (long) ((status.paused_until - GetCurrentTimestamp()) / 1000)) + 1;
}

/* Step until nothing changes any more. */
static void
settle(void)
{
	static uint32 rechecks_seen = 0;
	SaStatus	before,
				after;

	do
	{
		sa_fpw_status(&before);
		settings_changed |= before.rechecks != rechecks_seen;
		rechecks_seen = before.rechecks;
		step();
		sa_fpw_status(&after);
	} while (before.state != after.state || before.rechecks != after.rechecks);
	settings_changed = false;
}

/* Entry point of the background worker. */
void
sa_driver_main(Datum arg)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	sa_fpw_set_driver();

	for (;;)
	{
		long		timeout;

		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			settings_changed = true;
		}
		settle();

		timeout = until_pause_ends();
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (timeout >= 0 ? WL_TIMEOUT : 0),
						 timeout, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		if (ProcDiePending)
			proc_exit(0);		/* asleep: nothing to say about it */
		CHECK_FOR_INTERRUPTS();
	}
}
