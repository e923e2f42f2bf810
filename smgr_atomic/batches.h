/*-------------------------------------------------------------------------
 *
 * batches.h
 *	  How many pages go to the device at a time, where bandwidth is short.
 *
 * Pages that are written for the page journal, or back from the page cache, and WAL
 * that is flushed for commits stand in one line at the device.  At 20 MB/s a batch of
 * 128 pages holds up each commit by 50 ms.  So a batch has as many blocks as take
 * SA_BATCH_MS more than a single page does; the retirer's steps then have no more
 * pages (retirer.c).  What a single page takes - the latency of the device, its
 * flush, and the wait behind others, which is the same for all sizes - is not to
 * be saved by smaller batches, and a device that has nothing but latency gets the
 * largest.
 *
 * Bandwidth is often granted in portions (a cloud's, the kernel's throttle): much
 * at once, then nothing for 100 ms.  So the mean of SA_WINDOW_MS counts, not the time
 * of one batch.  There too the copies of pages are packed: it is worth the
 * processor's time then, and a batch has more pages in the same blocks; how many is
 * seen from those before.  As many blocks as the device could take it may never have then:
 * the time of fewer tells what more would take.  Batches become larger by an eighth and smaller by half.  Every
 * SA_SINGLE_MS of work one page goes alone, to know what that takes; and before batches
 * become smaller once more, because the device may have become slow for all sizes.
 *
 * Arithmetic only, of one process: tests/steps_model.c tries it on devices.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_BATCHES_H
#define SMGR_ATOMIC_BATCHES_H

#define SA_BATCH_MS 4
#define SA_WINDOW_MS 200
#define SA_SINGLE_MS 500
#define SA_FEWEST_BLOCKS 8
#define SA_LEAST_OF_PAGE (1.0 / 16)

typedef struct SaBatches
{
	int			blocks;			/* of a batch at most */
	int			most;			/* blocks, and pages */
	double		of_page;		/* blocks that a page takes, a mean of the last few batches */
	bool		packs;			/* copies should be packed */
	double		single_ms;		/* of one page, a mean of about the last ten; 0 = not known */
	double		since_single;	/* ms of work */
	double		slow_ms;		/* mean of a window that was slow, until a page has gone alone; 0 = none */
	double		window_ms;
	int			window_batches;
	int			window_blocks;
} SaBatches;

static inline void
sa_batches_begin(SaBatches *batches, int most)
{
	memset(batches, 0, sizeof(*batches));
	batches->blocks = batches->most = most;
	batches->of_page = 1;
}

/* Pages that fit into a batch. */
static inline int
sa_batches_pages(const SaBatches *batches)
{
	return (int) Min(batches->blocks / batches->of_page, batches->most);
}

/* Pages of the next batch at most. */
static inline int
sa_batches_next(const SaBatches *batches)
{
	return batches->single_ms == 0 || batches->since_single > SA_SINGLE_MS || batches->slow_ms > 0 ? 1 :
		sa_batches_pages(batches);
}

/* How many pages should be on their way at once; PG_UINT32_MAX = any number: bandwidth is not short. */
static inline uint32
sa_batches_limit(const SaBatches *batches)
{
	return batches->blocks <= batches->most / 4 ? (uint32) batches->blocks : PG_UINT32_MAX;
}

/* Once bandwidth is short, it is so until it clearly is not. */
static inline void
sa_batches_set(SaBatches *batches, int blocks)
{
	batches->blocks = Min(Max(blocks, SA_FEWEST_BLOCKS), batches->most);
	batches->packs = batches->blocks <= batches->most / (batches->packs ? 2 : 4);
	if (!batches->packs)
		batches->of_page = 1;
}

/* A page has gone alone. */
static inline void
sa_batches_single(SaBatches *batches, double ms)
{
	bool		slow = batches->slow_ms > Max(ms, batches->single_ms) + SA_BATCH_MS;
	bool		slower = batches->slow_ms > 0 && !slow;

	if (slow)
		sa_batches_set(batches, batches->blocks / 2);
	batches->single_ms += (ms - batches->single_ms) / (batches->single_ms == 0 ? 1 : slower ? 2 : 10);
	batches->since_single = 0;
	batches->slow_ms = 0;
}

/* What a batch as large as may be would have taken in this window, in ms. */
static inline double
sa_batches_mean(const SaBatches *batches)
{
	double		mean = batches->window_ms / batches->window_batches;
	double		larger = (double) batches->blocks * batches->window_batches / batches->window_blocks;

	return batches->single_ms + (mean - batches->single_ms) * (larger > 1 && mean > batches->single_ms ? larger : 1);
}

/*
 * A batch of so many pages, most of them with a copy, took "ms".  blocks: of a packed
 * one; else as many as pages.
 */
static inline void
sa_batches_ended(SaBatches *batches, int pages, int blocks, double ms)
{
	bool		full = pages >= sa_batches_pages(batches) || (blocks < pages && blocks * 2 >= batches->blocks);
	double		mean;

	batches->since_single += ms;
	if (pages == 1)
	{
		sa_batches_single(batches, ms);
		return;
	}
	batches->of_page += (Min(Max((double) blocks / pages, SA_LEAST_OF_PAGE), 1) - batches->of_page) / 4;
	if (!full)
		return;					/* there were no more: says nothing of larger ones */
	batches->window_ms += ms;
	batches->window_batches++;
	batches->window_blocks += blocks;
	if (batches->window_ms < SA_WINDOW_MS)
		return;
	mean = sa_batches_mean(batches);
	if (mean > batches->single_ms + SA_BATCH_MS)
		batches->slow_ms = mean;
	else
		sa_batches_set(batches, batches->blocks + batches->blocks / 8 + 1);
	batches->window_ms = 0;
	batches->window_batches = 0;
	batches->window_blocks = 0;
}

#endif							/* SMGR_ATOMIC_BATCHES_H */
