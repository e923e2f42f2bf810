/*-------------------------------------------------------------------------
 *
 * steps_model.c
 *	  The size of the retirer's steps (steps.h) on devices of every speed, and
 *	  which of them count as fast; the size of batches for the journal (batches.h).
 *
 *	  steps_model
 *
 * A device does so many requests a second, one after the other, and each is
 * ready so many ms after that.  The loop is that of retirer.c: a step is begun,
 * then the one before it is waited for.  Prints what is wrong; status 1 then.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "batches.h"
#include "steps.h"

typedef struct Device
{
	double		rate;			/* requests a ms, or pages */
	int			run;			/* pages of a request, and the rate is of pages; 0 = one page, and of requests */
	double		latency;		/* ms */
	double		now;
	double		idle_at;
	double		ready_at;		/* of the step begun last */
} Device;

#define FAST_TIMES (SA_JUDGED_TIMES + SA_TRIAL_TIMES)

static int	failures = 0;

static void
check(bool good, const char *what, const SaSteps *steps, const Device *device)
{
	if (good)
		return;
	failures++;
	printf("not so: %s (rate %g a ms, latency %g ms, steps of %d requests, %d pages; %d to %d)\n",
		   what, device->rate, device->latency, steps->next.requests, steps->next.pages, steps->fewest, steps->most);
}

/* The next file, of so many requests; returns how long its longest step took. */
static double
write_back_file(SaSteps *steps, Device *device, int requests)
{
	double		longest = 0,
				ended = device->now;
	SaStepSize	might = {0},
				had = {0};
	int			run = Max(device->run, 1);

	do
	{
		SaStepSize	before = had,
					before_might = might;
		double		before_ready = device->ready_at;

		might = steps->next;
		had.requests = Min(Min(might.requests, (might.pages + run - 1) / run), requests);
		had.pages = Min(might.pages, had.requests * run);
		requests -= had.requests;
		device->idle_at = Max(device->idle_at, device->now) + (device->run > 0 ? had.pages : had.requests) / device->rate;
		device->ready_at = device->idle_at + device->latency;
		if (before.requests > 0)
		{
			device->now = Max(device->now, before_ready);
			longest = Max(longest, device->now - ended);
			sa_steps_ended(steps, before_might, before, device->now - ended);
		}
		ended = device->now;
		check(steps->next.requests >= steps->fewest && steps->next.requests <= steps->most &&
			  steps->next.pages >= steps->fewest, "a step is within its bounds", steps, device);
	} while (had.requests > 0);
	return longest;
}

/* A device of one speed: its steps take what they should, and it is kept busy. */
static void
steady(int io_depth, double rate, double latency)
{
	Device		device = {.rate = rate, .latency = latency};
	SaSteps		steps;
	double		begin,
				size,
				busy,
				longest = 0;
	int			done = 0;

	sa_steps_begin(&steps, io_depth, 8192);
	write_back_file(&steps, &device, 100000);
	begin = device.now;
	for (; done < 200000; done += 10000)
	{
		double		took = write_back_file(&steps, &device, 10000);

		longest = Max(longest, took);
	}
	size = latency < SA_STEP_MS ? steps.most : steps.fewest;
	busy = Min(rate, 2 * size / (latency + size / rate));
	check(longest <= Max(2 * SA_STEP_MS, steps.fewest / rate) + latency + 0.1, "no step takes long", &steps, &device);
	check(done / (device.now - begin) > 0.8 * busy, "the device is kept busy", &steps, &device);
}

/* A device short of bandwidth, and requests of many pages: no step takes long. */
static void
adjacent(int io_depth, double rate, int run)
{
	Device		device = {.rate = rate, .run = run};
	SaSteps		steps;
	double		longest = 0;

	sa_steps_begin(&steps, io_depth, 8192);
	write_back_file(&steps, &device, 10000);
	for (int requests = 0; requests < 20000; requests += 1000)
	{
		double		took = write_back_file(&steps, &device, 1000);

		longest = Max(longest, took);
	}
	check(longest <= Max(2 * SA_STEP_MS, steps.fewest / rate) + 0.1, "no step of many pages takes long", &steps, &device);
}

/* Pages that are clean, then a device that is slow. */
static void
clean_before(int io_depth, double rate, int requests)
{
	Device		device = {.rate = 1e9};
	SaSteps		steps;
	int			allowed;

	sa_steps_begin(&steps, io_depth, 8192);
	for (int i = 0; i < 20; i++)
		write_back_file(&steps, &device, 10000);
	check(steps.next.requests == steps.most, "clean pages go out in the largest steps", &steps, &device);
	device.rate = rate;
	write_back_file(&steps, &device, requests);
	write_back_file(&steps, &device, requests);
	allowed = Max(steps.fewest, (int) (2 * rate * SA_STEP_MS * steps.most / Min(requests, steps.most)));
	check(steps.next.requests <= allowed, "a slow step makes the next ones smaller", &steps, &device);
}

/* Files of few requests each, on a fast device. */
static void
short_files(int io_depth)
{
	Device		device = {.rate = 1e9};
	SaSteps		steps;
	int			before;

	sa_steps_begin(&steps, io_depth, 8192);
	before = steps.next.requests;
	for (int i = 0; i < 1000; i++)
		write_back_file(&steps, &device, before - 1);
	check(steps.next.requests == before, "short steps do not make steps larger", &steps, &device);
}

/* Two steps of one size were begun before the time of either was known. */
static void
both_slow(int io_depth)
{
	Device		device = {.rate = 1e9};
	SaSteps		steps;
	SaStepSize	large;

	sa_steps_begin(&steps, io_depth, 8192);
	write_back_file(&steps, &device, 100000);
	large = steps.next;
	sa_steps_ended(&steps, large, large, 4 * SA_STEP_MS);
	sa_steps_ended(&steps, large, large, 4 * SA_STEP_MS);
	check(steps.next.requests == Max(large.requests / 4, steps.fewest), "the same slow time counts once", &steps, &device);
}

/* Steps of 100 pages, a thousand at a time; a device that has had a pause does some at once. */
static void
thousand(SaSteps *steps, double rate, int saved)
{
	SaStepSize	size = {.requests = 100, .pages = 100};

	for (int done = 0; done < SA_JUDGED_PAGES; done += size.pages)
		sa_steps_ended(steps, size, size, done < saved ? 0 : size.pages / rate);
}

/* Is a device fast, for a ring of so many pages? */
static void
fast_or_not(int ring_pages, double rate, int saved, bool fast)
{
	Device		device = {.rate = rate};
	SaSteps		steps;

	sa_steps_begin(&steps, 64, ring_pages);
	for (int i = 0; i < 2 * FAST_TIMES; i++)
	{
		check(sa_steps_fast(&steps) == (fast && i >= FAST_TIMES), "a device is fast after some time", &steps, &device);
		check(sa_steps_on_trial(&steps) == (fast && i >= SA_JUDGED_TIMES && i < FAST_TIMES), "it is tried before", &steps, &device);
		thousand(&steps, rate, saved);
	}
	for (int i = 0; i < SA_JUDGED_TIMES; i++)
	{
		thousand(&steps, 0.1, 0);
		check(!sa_steps_fast(&steps), "once slow is enough", &steps, &device);
		for (int clean = 1; clean < FAST_TIMES; clean++)
			thousand(&steps, 1, SA_JUDGED_PAGES);
		check(!sa_steps_fast(&steps), "a few clean pages do not make it fast", &steps, &device);
	}
}

/*
 * A device that is fast for some time after each pause: it is not taken for a fast one, and soon
 * it is seldom tried any more.
 */
static void
fast_at_first(void)
{
	SaStepSize	size = {.requests = 100, .pages = 100};
	Device		device = {.rate = 1};
	SaSteps		steps;
	int			mistakes = 0;

	sa_steps_begin(&steps, 64, 8192);
	for (int i = 0; i < 1000; i++)
	{
		bool		tried = sa_steps_on_trial(&steps);

		check(!sa_steps_fast(&steps), "who is slow without rests is not fast", &steps, &device);
		thousand(&steps, tried ? 1 : 100, 0);
		mistakes += tried;
	}
	check(mistakes == 5, "a mistake is made a few times", &steps, &device);
	for (int i = 0; i < 2 * SA_JUDGED_MORE * SA_JUDGED_MOST; i++)
		thousand(&steps, 100, 0);
	thousand(&steps, 1, 0);
	for (int i = 0; i < SA_JUDGED_TIMES * SA_JUDGED_MORE + SA_TRIAL_TIMES; i++)
		thousand(&steps, 100, 0);
	check(sa_steps_fast(&steps), "mistakes are forgiven in time", &steps, &device);

	sa_steps_begin(&steps, 64, 8192);
	for (int i = 0; i < FAST_TIMES; i++)
		thousand(&steps, 100, 0);
	check(sa_steps_fast(&steps), "a device is fast", &steps, &device);
	sa_steps_ended(&steps, size, size, 101);
	check(!sa_steps_fast(&steps), "what has taken too long already is slow", &steps, &device);
}

/*
 * Batches to a device that writes so many blocks a ms after so many ms, each, or in
 * portions of 100 ms.  Packed, a page takes of_page of a block; 1 = they never are.  Checks the size
 * that they have most of the time, in blocks, and whether they are packed then.
 */
static void
batches(double rate, double latency, bool portions, double of_page, int at_least, int at_most, bool packed)
{
	Device		device = {.rate = rate, .latency = latency};
	SaSteps		none = {0};
	SaBatches	sizes;
	double		now = 0,
				granted = 0,
				sum = 0;
	int			count = 0,
				packs = 0;

	sa_batches_begin(&sizes, 200);
	while (now < 60000)
	{
		int			pages = sa_batches_next(&sizes);
		int			blocks = sizes.packs && of_page < 1 ? (int) (pages * of_page) + 1 : pages;
		double		took = latency + (portions ? 0.1 : blocks / rate);

		granted += portions ? blocks / rate : 0;
		if (granted > 100)
		{
			took += 100 * (int) (granted / 100);
			granted -= 100 * (int) (granted / 100);
		}
		if (now > 20000 && pages > 1)
		{
			sum += blocks;
			packs += sizes.packs;
			count++;
		}
		sa_batches_ended(&sizes, pages, blocks, took);
		now += took;
	}
	none.next.pages = (int) (sum / count);
	check(sum / count >= at_least && sum / count <= at_most, "batches are as large as they should be", &none, &device);
	none.next.pages = packs * 100 / count;
	check(packed ? packs > count * 0.9 : packs < count * 0.1, "batches are packed where bandwidth is short", &none, &device);
}

/* A device that becomes slow after a minute, for pages alone as for batches. */
static void
slow_for_all(double latency)
{
	Device		device = {.rate = 100, .latency = latency};
	SaSteps		none = {0};
	SaBatches	sizes;
	double		now = 0;

	sa_batches_begin(&sizes, 200);
	while (now < 120000)
	{
		int			pages = sa_batches_next(&sizes);
		double		took = (now < 60000 ? 1 : latency) + pages / device.rate;

		sa_batches_ended(&sizes, pages, pages, took);
		now += took;
		none.next.pages = sizes.blocks;
		check(now < 5000 || sizes.blocks > 150, "what makes all sizes slow makes batches no smaller", &none, &device);
	}
}

int
main(void)
{
	static const double rates[] = {0.1, 0.5, 3, 16, 100, 1000};
	static const double latencies[] = {0, 0.2, 1, 6, 12, 50};

	for (int io_depth = 1; io_depth <= 256; io_depth++)
	{
		for (int i = 0; i < lengthof(rates); i++)
		{
			for (int j = 0; j < lengthof(latencies); j++)
				steady(io_depth, rates[i], latencies[j]);
			adjacent(io_depth, rates[i], 4);
			adjacent(io_depth, rates[i], SA_REQUEST_MOST);
			clean_before(io_depth, rates[i], 100000);
			clean_before(io_depth, rates[i], io_depth * 2);
		}
		short_files(io_depth);
		both_slow(io_depth);
	}
	batches(2.5, 0.5, false, 1, 8, 12, true);
	batches(2.5, 12, false, 1, 8, 12, true);
	batches(2.5, 0.5, true, 1, 8, 40, true);
	batches(15, 0.5, false, 1, 30, 70, true);
	batches(15, 12, false, 1, 30, 70, true);
	batches(0.1, 1, false, 1, 8, 8, true);
	batches(100, 0.2, false, 1, 190, 200, false);
	batches(100, 20, false, 1, 190, 200, false);
	for (double of_page = 0.6; of_page > 0.05; of_page *= 0.6)
	{
		batches(2.5, 0.5, false, of_page, 8, 14, true);
		batches(2.5, 12, false, of_page, 8, 14, true);
		batches(2.5, 0.5, true, of_page, 7, 40, true);
		batches(0.1, 1, false, of_page, 4, 10, true);
		batches(100, 0.2, false, of_page, 190, 200, false);
		batches(100, 20, false, of_page, 190, 200, false);
	}
	for (double of_page = 0.6; of_page > 0.2; of_page *= 0.6)
	{
		batches(8, 0.5, false, of_page, 20, 42, true);
		batches(8, 12, false, of_page, 20, 42, true);
	}
	batches(15, 0.5, false, 0.19, 20, 70, true);
	batches(11, 0.5, false, 0.19, 20, 45, true);
	slow_for_all(10);
	slow_for_all(50);
	fast_or_not(8192, 3, 0, false);
	fast_or_not(8192, 3, 300, false);
	fast_or_not(8192, 9, 0, false);
	fast_or_not(8192, 11, 0, true);
	fast_or_not(8192, 50, 0, true);
	fast_or_not(524288, 50, 0, false);
	fast_or_not(1024, 3, 0, false);
	fast_or_not(1024, 11, 0, true);
	fast_at_first();
	return failures > 0;
}
