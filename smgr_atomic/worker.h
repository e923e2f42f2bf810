/*-------------------------------------------------------------------------
 *
 * worker.h
 *	  What our background workers have in common, and what others of them need.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_WORKER_H
#define SMGR_ATOMIC_WORKER_H

#include "postmaster/bgworker.h"

extern void sa_worker_register(const char *name, const char *type, const char *function,
							   BgWorkerStartTime start, int restart_seconds, int number);
extern bool sa_worker_launch(const char *name, const char *function);
extern void sa_worker_begin(void (*on_sigterm) (SIGNAL_ARGS));
extern bool sa_worker_reload(void);
extern void sa_defer_termination(void);
extern void sa_allow_termination(void);

#endif							/* SMGR_ATOMIC_WORKER_H */
