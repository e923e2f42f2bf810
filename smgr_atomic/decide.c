/*-------------------------------------------------------------------------
 *
 * decide.c
 *	  Which way of writing pages do mode and storage allow?
 *
 * Every place the cluster writes to is probed anew each time.  "auto" takes the
 * first that works everywhere of: writethrough; direct on a device with an atomic
 * unit; the page journal; direct by copy-on-write.  In doubt the answer is "not
 * safe", with the reason.
 *
 * Nothing is kept here, but that a journal that is found usable is opened, or made
 * (doublewrite.c).  What follows from a decision is fpw.c's at start and
 * driver.c's later.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "utils/memutils.h"

#include "attach.h"
#include "decide.h"
#include "doublewrite.h"
#include "places.h"

/* The number to use for RWF_WRITETHROUGH; 0 = not known. */
int
sa_decide_writethrough_flag(void)
{
	return sa_writethrough_flag != 0 ? sa_writethrough_flag : sa_probe_writethrough_flag();
}

/*
 * Choose the method for places that are all torn-free.
 */
static void
choose_method(SaMode mode, List *places, SaDecision *decision)
{
	ListCell   *lc;
	const SaPlace *refusing = NULL;

	foreach(lc, places)
	{
		const SaPlace *place = lfirst(lc);

		if (!place->probe.writethrough && refusing == NULL)
			refusing = place;
	}

	decision->safe = true;
	if (mode != SA_MODE_DIRECT && refusing == NULL)
		decision->method = SA_WRITE_THROUGH;
	else if (mode != SA_MODE_WRITETHROUGH)
		decision->method = SA_WRITE_DIRECT;
	else
	{
		decision->safe = false;
		decision->protection = SA_VERDICT_NONE;
		snprintf(decision->reason, SA_REASON_LEN, "mode writethrough cannot be used in \"%s\": %s",
				 refusing->probe.path, refusing->probe.writethrough_reason);
	}
}

/*
 * Choose the page journal, which needs little of the places.  A reason that does
 * not pass goes before one that does.
 */
static void
choose_doublewrite(List *places, SaDecision *decision)
{
	const SaPlace *refusing = NULL;
	ListCell   *lc;

	foreach(lc, places)
	{
		const SaPlace *place = lfirst(lc);

		if (!place->probe.journal && (refusing == NULL || refusing->probe.journal_transient))
			refusing = place;
	}
	decision->transient = refusing != NULL && refusing->probe.journal_transient;
	if (refusing != NULL)
	{
		snprintf(decision->reason, SA_REASON_LEN, "mode doublewrite cannot be used in \"%s\": %s",
				 refusing->probe.path, refusing->probe.journal_reason);
		return;
	}
	if (!sa_doublewrite_usable(decision->reason, SA_REASON_LEN))
		return;
	decision->safe = true;
	decision->method = SA_WRITE_DOUBLE;
	decision->protection = SA_VERDICT_JOURNAL;
	snprintf(decision->reason, SA_REASON_LEN, "page journal in \"%s\"", sa_journal_directory);
}

/*
 * Mode auto: would the page journal be better than what was chosen, if
 * anything was?  Nothing beats an atomic unit of the device, or a kernel that
 * writes through.  XFS copy-on-write is torn-free too, but the kernel spends
 * ten times the processor time of the journal on each page, shatters files
 * into extents, and pages written with direct I/O have to be read from the
 * device when they are needed again (README, "What a DBA must know").
 */
static bool
journal_is_better(const SaDecision *decision)
{
	if (decision->transient)
		return false;
	return !decision->safe ||
		(decision->method == SA_WRITE_DIRECT && decision->protection == SA_VERDICT_SOFTWARE);
}

static void
choose_journal_if_possible(List *places, SaDecision *decision)
{
	SaDecision	journal = {.protection = SA_VERDICT_NONE};

	choose_doublewrite(places, &journal);
	if (journal.safe)
		*decision = journal;
	else if (!decision->safe)
	{
		size_t		length = strlen(decision->reason);

		snprintf(decision->reason + length, SA_REASON_LEN - length, "; %s", journal.reason);
		decision->transient = journal.transient;
	}
}

/*
 * What storage allows for a mode other than "off", whatever the settings say.
 * Probes, and flushes, as sa_decide().  *decision comes all zero.
 */
void
sa_decide_by_storage(SaMode mode, bool flush, SaDecision *decision)
{
	MemoryContext tmp = AllocSetContextCreate(CurrentMemoryContext, "smgr_atomic places",
											  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(tmp);
	List	   *places = sa_places_probe(sa_decide_writethrough_flag());
	const SaPlace *weakest = sa_places_weakest(places);
	const char *failed;
	int			rc = 0;

	decision->protection = weakest->probe.verdict;
	decision->transient = weakest->probe.transient;
	snprintf(decision->reason, SA_REASON_LEN, "%s: %s", weakest->probe.path, weakest->probe.reason);
	if (mode == SA_MODE_DOUBLEWRITE)
	{
		decision->protection = SA_VERDICT_NONE;
		choose_doublewrite(places, decision);
	}
	else if (decision->protection != SA_VERDICT_NONE)
		choose_method(mode, places, decision);
	if (mode == SA_MODE_AUTO && journal_is_better(decision))
		choose_journal_if_possible(places, decision);
	if (decision->safe && flush)
	{
		sa_places_prepare(places);
		rc = sa_places_sync(places, &failed);
	}
	if (rc != 0)
	{
		decision->safe = false;
		decision->protection = SA_VERDICT_NONE;
		snprintf(decision->reason, SA_REASON_LEN, "could not flush the filesystem of \"%s\": %s",
				 failed, strerror(-rc));
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(tmp);
}

/*
 * Decide what mode and storage allow now.
 *
 * Probes every place (milliseconds each).  With flush, also makes everything
 * written so far to these filesystems durable, which can take as long as the
 * device needs, and sets the allocation hints.  Postmaster or worker.
 */
void
sa_decide(SaMode mode, bool flush, SaDecision *decision)
{
	memset(decision, 0, sizeof(*decision));
	if (!sa_attached())
		snprintf(decision->reason, SA_REASON_LEN, "not attached to the server: %s", sa_attach_reason());
	else if (mode == SA_MODE_OFF)
		snprintf(decision->reason, SA_REASON_LEN, "smgr_atomic.mode is off");
	else if (!enableFsync)
		snprintf(decision->reason, SA_REASON_LEN, "fsync is off, so nothing is known to be on storage");
	else
		sa_decide_by_storage(mode, flush, decision);
}
