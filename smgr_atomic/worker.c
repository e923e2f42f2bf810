/*-------------------------------------------------------------------------
 *
 * worker.c
 *	  What our background workers have in common, and what others of them need.
 *
 * A background worker that keeps the server's default handler of SIGTERM ends in
 * that handler, wherever it is and although it holds interrupts.  Where it holds
 * something of ours that nobody else would give back, the signal has to wait.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "utils/guc.h"

#include "compat.h"
#include "smgr_atomic.h"
#include "worker.h"

static BackgroundWorker
describe_worker(const char *name, const char *type, const char *function)
{
	BackgroundWorker worker = {.bgw_flags = BGWORKER_SHMEM_ACCESS};

	strlcpy(worker.bgw_library_name, SA_LIBRARY, BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, function, BGW_MAXLEN);
	strlcpy(worker.bgw_name, name, BGW_MAXLEN);
	strlcpy(worker.bgw_type, type, BGW_MAXLEN);
	return worker;
}

/* Register a worker.  From _PG_init() in shared_preload_libraries. */
void
sa_worker_register(const char *name, const char *type, const char *function,
				   BgWorkerStartTime start, int restart_seconds, int number)
{
	BackgroundWorker worker = describe_worker(name, type, function);

	worker.bgw_start_time = start;
	worker.bgw_restart_time = restart_seconds;
	worker.bgw_main_arg = Int32GetDatum(number);
	RegisterBackgroundWorker(&worker);
}

/*
 * Start a worker now, once, with a slot of max_worker_processes; false if none is free.
 * Any process with shared memory, not the postmaster.
 */
bool
sa_worker_launch(const char *name, const char *function)
{
	BackgroundWorker worker = describe_worker(name, name, function);

	worker.bgw_start_time = BgWorkerStart_PostmasterStart;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	return RegisterDynamicBackgroundWorker(&worker, NULL);
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

/* How many of sa_defer_termination() are open in this process. */
static int	deferring = 0;
static sigset_t mask_before;

/*
 * Keep the SIGTERM of a background worker waiting until sa_allow_termination():
 * its handler (bgworker_die()) may end the process wherever it is, also with
 * interrupts held.  The two are nested; nothing between them raises an error.
 * Any process; for others it does nothing, as they hold interrupts.
 */
void
sa_defer_termination(void)
{
	sigset_t	set;

	if (MyBgworkerEntry == NULL || deferring++ > 0)
		return;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &mask_before);
}

/* What was blocked before stays so: in proc_exit() that is everything. */
void
sa_allow_termination(void)
{
	if (MyBgworkerEntry != NULL && --deferring == 0)
		sigprocmask(SIG_SETMASK, &mask_before, NULL);
}
