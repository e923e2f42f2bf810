/*-------------------------------------------------------------------------
 *
 * retirer.c
 *	  The background worker that makes room in the page journal.
 *
 * A section of the journal can be used again when the files with its pages
 * have been synced.  Pages go to their places through the page cache, so this
 * takes as long as writing them; a writer that did it would let the pool run
 * full meanwhile.  So this worker does it ahead of need (doublewrite.c).
 *
 * It starts with the postmaster, because writers serve recovery too.  It may
 * die at any point: whoever finds the journal full makes room itself.
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
#include "utils/guc.h"
#include "utils/wait_event.h"

#include "compat.h"
#include "doublewrite.h"
#include "retirer.h"
#include "smgr_atomic.h"

/* Register the worker.  From _PG_init() in shared_preload_libraries. */
void
sa_retirer_register(void)
{
	BackgroundWorker worker = {0};

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS;
	worker.bgw_start_time = BgWorkerStart_PostmasterStart;
	worker.bgw_restart_time = 1;
	strlcpy(worker.bgw_library_name, SA_LIBRARY, BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "sa_retirer_main", BGW_MAXLEN);
	strlcpy(worker.bgw_name, "smgr_atomic retirer", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "smgr_atomic retirer", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}

static void
leave_at_exit(int code, Datum arg)
{
	sa_doublewrite_set_retirer(NULL);
}

/* Entry point of the background worker. */
void
sa_retirer_main(Datum arg)
{
	uint32		wait_event = saWaitEvent("SmgrAtomicRetirerMain");
	uint64		written_back = 0;

	if (!sa_preloaded)
		proc_exit(0);			/* preloaded from another file than this; not to be restarted */
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	before_shmem_exit(leave_at_exit, 0);
	sa_doublewrite_set_retirer(MyLatch);

	while (!ShutdownRequestPending)
	{
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		if (!sa_doublewrite_write_back(&written_back) && !sa_doublewrite_retire_early())
			(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, -1, wait_event);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	proc_exit(1);				/* 1 = to be restarted, unless the server stops */
}
