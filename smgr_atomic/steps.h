/*-------------------------------------------------------------------------
 *
 * steps.h
 *	  How many requests a step of write-back makes: what the device does in
 *	  SA_STEP_MS.
 *
 * The retirer has two steps under way and measures the time from the end of one
 * to the end of the next (retirer.c).  That is what the device needs for the
 * later one, unless it does many requests at once: then the second of two ends
 * right after the first, and steps grow until they do not.  Where each request
 * takes longer than SA_STEP_MS, however few there are, steps are the smallest.
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
 * after a pause says little (a cloud disk has saved up some writes), nor do pages that
 * are clean: so whole passes over sections count, and some of them in succession.
 *
 * Arithmetic only, of one process: tests/steps_model.c tries it on devices.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_STEPS_H
#define SMGR_ATOMIC_STEPS_H

#define SA_STEP_MS 10
#define SA_PASS_PAGES 256		/* fewer say nothing of the device */
#define SA_FAST_RATE 10			/* pages a ms */
#define SA_FAST_PASSES 4

typedef struct SaSteps
{
	int			next;			/* requests of the next step at most */
	int			fewest;
	int			most;
	int			fast_passes;	/* the last so many, SA_FAST_PASSES at most */
} SaSteps;

static inline void
sa_steps_begin(SaSteps *steps, int io_depth)
{
	/* two steps are under way at a time, and other pages between theirs */
	steps->fewest = Max(io_depth / 4, 1);
	steps->most = io_depth * 4;
	steps->next = steps->fewest;
	steps->fast_passes = 0;
}

/*
 * A step that might have made so many requests and made so many has ended, "ms"
 * after the one before it.
 */
static inline void
sa_steps_ended(SaSteps *steps, int might, int made, double ms)
{
	if (ms > SA_STEP_MS)
		steps->next = Min(steps->next, Max((int) (might * SA_STEP_MS / ms), steps->fewest));
	else if (ms < SA_STEP_MS / 2 && made == might)
		steps->next = Max(steps->next, Min(might * 2, steps->most));
}

/* So many pages have been written back, in steps, and that took "ms" in all. */
static inline void
sa_steps_pass_ended(SaSteps *steps, uint32 pages, double ms)
{
	if (pages >= SA_PASS_PAGES)
		steps->fast_passes = pages < ms * SA_FAST_RATE ? 0 : Min(steps->fast_passes + 1, SA_FAST_PASSES);
}

/* Is the device fast enough for the retirer to wait? */
static inline bool
sa_steps_fast(const SaSteps *steps)
{
	return steps->fast_passes == SA_FAST_PASSES;
}

#endif							/* SMGR_ATOMIC_STEPS_H */
