/*-------------------------------------------------------------------------
 *
 * decide.h
 *	  Which way of writing pages do mode and storage allow?
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_DECIDE_H
#define SMGR_ATOMIC_DECIDE_H

#include "probe.h"
#include "smgr_atomic.h"
#include "write.h"

#define SA_REASON_LEN 1024

/* What storage and settings allow now. */
typedef struct SaDecision
{
	bool		safe;			/* pages can be atomic everywhere */
	bool		transient;		/* not safe only because a place could not be asked */
	SaWriteMethod method;
	SaVerdict	protection;
	char		reason[SA_REASON_LEN];
} SaDecision;

extern void sa_decide(SaMode mode, bool flush, SaDecision *decision);
extern void sa_decide_by_storage(SaMode mode, bool flush, SaDecision *decision);
extern int	sa_decide_writethrough_flag(void);

#endif							/* SMGR_ATOMIC_DECIDE_H */
