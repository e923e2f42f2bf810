/*-------------------------------------------------------------------------
 *
 * worker.c
 *	  What our background workers have in common.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "utils/guc.h"

#include "compat.h"
#include "smgr_atomic.h"
#include "worker.h"

/* Register a worker.  From _PG_init() in shared_preload_libraries. */
void
sa_worker_register(const char *name, const char *type, const char *function,
				   BgWorkerStartTime start, int restart_seconds, int number)
{
	BackgroundWorker worker = {0};

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS;
	worker.bgw_start_time = start;
	worker.bgw_restart_time = restart_seconds;
	worker.bgw_main_arg = Int32GetDatum(number);
	strlcpy(worker.bgw_library_name, SA_LIBRARY, BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, function, BGW_MAXLEN);
	strlcpy(worker.bgw_name, name, BGW_MAXLEN);
	strlcpy(worker.bgw_type, type, BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}

/* First in the entry point of a worker. */
void
sa_worker_begin(void (*on_sigterm) (SIGNAL_ARGS))
{
	if (!sa_preloaded)
		proc_exit(0);			/* preloaded from another file than this; not to be restarted */
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, on_sigterm);
	BackgroundWorkerUnblockSignals();
}

/* Read the settings again if that was asked for.  Returns whether it was. */
bool
sa_worker_reload(void)
{
	if (!ConfigReloadPending)
		return false;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	return true;
}
