/*-------------------------------------------------------------------------
 *
 * steps.h
 *	  How many requests a step of write-back makes, and of how many pages: what the
 *	  device does in SA_STEP_MS.  And whether the device is fast.
 *
 * The retirer has two steps under way and measures the time from the end of one
 * to the end of the next (retirer.c).  That is what the device needs for the
 * later one, unless it does many requests at once: then the second of two ends
 * right after the first, and steps grow until they do not.  A device may be short of
 * requests or of bandwidth, and a request may have many pages, so each has a bound of
 * its own.  Where each request takes longer than SA_STEP_MS, however few there are,
 * steps are the smallest.
 *
 * Pages that are clean by the time of their step make the device look fast, so
 * there is an upper bound: at 3000 writes a second the largest step of the
 * default io_depth takes 0.1 s.  A step that the end of a file has cut short and
 * that took long all the same makes the next one smaller; one that was quick says
 * nothing of a larger one.
 *
 * A fast device has all pages of the ring written back before anybody notices, so
 * the retirer may wait until there are many of them.  To a slow one it goes on giving
 * a little at a time, or TPS would rise and fall with it.  What a device does first
 * after a pause says little (a cloud disk, or the kernel's throttle, has saved up some
 * writes), nor do pages that are clean: so the time of many pages counts, and several times
 * in succession; and who was taken for fast and is not has to be fast for much longer the next
 * time.  A small ring never has many pages: it counts as one of the default size.
 *
 * Small steps with rests between them (retirer.c) say little as well, because the device has
 * rested meanwhile: so who was fast often enough is on trial first, and is given sections
 * without rests.  A device of 3000 requests a second that has some to spare is found out after
 * 0.1 s; taken for fast at once it had to write most of a ring.
 *
 * Arithmetic only, of one process: tests/steps_model.c tries it on devices.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_STEPS_H
#define SMGR_ATOMIC_STEPS_H

#define SA_STEP_MS 10
#define SA_RING_MS 800			/* a fast device does the pages of a whole ring in this time */
#define SA_LEAST_RING 8192		/* pages */
#define SA_JUDGED_PAGES 1000	/* the time of so many counts, */
#define SA_JUDGED_TIMES 4		/* if so often in succession; SA_JUDGED_MORE times as often after each mistake, */
#define SA_JUDGED_MORE 8
#define SA_JUDGED_MOST 256		/* so often at most */
#define SA_TRIAL_TIMES 4		/* and then so often, without rests */

#define SA_REQUEST_MOST 32		/* pages of a request at most */

typedef struct SaStepSize
{
	int			requests;
	int			pages;			/* each counted once */
} SaStepSize;

typedef struct SaSteps
{
	SaStepSize	next;			/* of the next step at most */
	int			fewest;			/* requests, or pages */
	int			most;			/* requests */
	double		ring_pages;
	int			pages;			/* done since it was judged last, */
	double		ms;				/* in this time */
	int			fast_times;		/* how often it was fast since it was slow */
	int			fast_needed;	/* so often for it to be tried, then SA_TRIAL_TIMES to count as fast */
} SaSteps;

static inline void
sa_steps_begin(SaSteps *steps, int io_depth, int ring_pages)
{
	memset(steps, 0, sizeof(*steps));
	steps->ring_pages = Max(ring_pages, SA_LEAST_RING);
	steps->fast_needed = SA_JUDGED_TIMES;

	/* two steps are under way at a time, and other pages between theirs */
	steps->fewest = Max(io_depth / 4, 1);
	steps->most = io_depth * 4;
	steps->next.requests = steps->next.pages = steps->fewest;
}

/* So many pages took "ms". */
static inline void
sa_steps_judge(SaSteps *steps, int pages, double ms)
{
	bool		slow;

	steps->pages += pages;
	steps->ms += ms;
	slow = steps->ms * steps->ring_pages > (double) Max(steps->pages, SA_JUDGED_PAGES) * SA_RING_MS;
	if (steps->pages < SA_JUDGED_PAGES && !slow)
		return;
	if (slow && steps->fast_times >= steps->fast_needed)
		steps->fast_needed = Min(steps->fast_needed * SA_JUDGED_MORE, SA_JUDGED_MOST);
	if (!slow && steps->fast_times >= SA_JUDGED_MORE * steps->fast_needed)
		steps->fast_needed = SA_JUDGED_TIMES;	/* no mistake for a long time */
	steps->fast_times = slow ? 0 : Min(steps->fast_times + 1, SA_JUDGED_MORE * SA_JUDGED_MOST);
	steps->pages = 0;
	steps->ms = 0;
}

/* A bound after a step took "ms" that might have had so many, and had this many. */
static inline int
sa_steps_bound(int bound, int might, int had, int fewest, int most, double ms)
{
	if (ms > SA_STEP_MS)
		return Min(bound, Max((int) (might * SA_STEP_MS / ms), fewest));
	if (ms < SA_STEP_MS / 2 && had >= might)
		return Max(bound, Min(might * 2, most));
	return bound;
}

/* A step that might have had one size and had another has ended, "ms" after the one before it. */
static inline void
sa_steps_ended(SaSteps *steps, SaStepSize might, SaStepSize had, double ms)
{
	sa_steps_judge(steps, had.pages, ms);
	steps->next.requests = sa_steps_bound(steps->next.requests, might.requests, had.requests,
										  steps->fewest, steps->most, ms);
	steps->next.pages = sa_steps_bound(steps->next.pages, might.pages, had.pages,
									   steps->fewest, steps->most * SA_REQUEST_MOST, ms);
}

/* Is the device fast enough for the retirer to wait? */
static inline bool
sa_steps_fast(const SaSteps *steps)
{
	return steps->fast_times >= steps->fast_needed + SA_TRIAL_TIMES;
}

/* Or may it be, and has to show that without rests? */
static inline bool
sa_steps_on_trial(const SaSteps *steps)
{
	return steps->fast_times >= steps->fast_needed && !sa_steps_fast(steps);
}

#endif							/* SMGR_ATOMIC_STEPS_H */
