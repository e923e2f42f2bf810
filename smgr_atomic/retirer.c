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
 * When most of the ring is in use it has the kernel write back its pages, then
 * retires what is complete.  It writes back in steps, because all that an
 * fdatasync() finds goes to the device at once, and WAL waits behind it.  A step is
 * what the device does in some milliseconds (steps.h): many pages at once cost less
 * processor time than a few now and then.  For each step it takes the lock under
 * which files are synced, because it may be the one that the kernel tells of a
 * failure (doublewrite.c).
 *
 * On a fast device it does nothing before that, because it is cheaper to take many
 * pages in the order of their files: whenever ext4 writes back a block of a folio of
 * its page cache it goes through all blocks of that folio, of which there may be
 * 512.  Section by section, with random pages, a twentieth of all processor time
 * went there (perf, kernel 6.18).  A slow device needs all its time, so there each
 * section is written back as soon as it is complete, the rest before it retires: what
 * has come meanwhile, again and again, because an fdatasync() that finds some MB holds
 * up WAL for as long as these take.
 *
 * And while the journal has room it is written back evenly: in small steps, one on its way
 * at a time, with rests (but in recovery), so that pages go half as fast again as they come.
 * At 3000 requests a second all else stood still for a third of a second at each section, or
 * for more than one when the retirer had taken the disk for a fast one; at 1000 transactions
 * a second, which it can do, that was seen from outside.
 *
 * Where bandwidth is short, a step has no more pages than a batch for the journal
 * (batches.h), and it makes pauses instead (pace.c).
 *
 * It also has the driver look again when the journal is not where it was.
 *
 * It starts with the postmaster, because writers serve recovery too.  It may
 * die at any point: whoever finds the journal full makes room itself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "access/xlog.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "postmaster/interrupt.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "doublewrite.h"
#include "fpw.h"
#include "pace.h"
#include "pagefile.h"
#include "retirer.h"
#include "smgr_atomic.h"
#include "steps.h"
#include "worker.h"
#include "writeback.h"

#define FEW_PAGES 16			/* so many, and a batch of each writer, may be left to fdatasync() */
#define MAX_PASSES 10
#define RATE_MS 200
#define RATE_LEAST 0.01			/* pages a millisecond: as good as none */
#define EVEN_HASTE 1.5			/* times as fast as they come */
#define EVEN_MS_MAX 100

typedef struct Step
{
	uint32		first;			/* of the pages of a segment */
	uint32		end;
	SaStepSize	might;			/* have had */
	SaStepSize	had;
} Step;

static SaSteps steps;
static uint32 pace_event;
static uint32 even_event;

/* Register the worker.  From _PG_init() in shared_preload_libraries. */
void
sa_retirer_register(void)
{
	sa_worker_register("smgr_atomic retirer", "smgr_atomic retirer", "sa_retirer_main",
					   BgWorkerStart_PostmasterStart, 1, 0);
}

/* Should pages be written back as evenly as they come, if there is room?  Where bandwidth is short pauses see to that. */
static bool
is_even(void)
{
	return !sa_steps_fast(&steps) && !sa_steps_on_trial(&steps) && sa_doublewrite_chunk() == PG_UINT32_MAX;
}

/* Has the device no time to lose?  Where bandwidth is short it is hardly measured. */
static bool
is_slow(void)
{
	return !sa_steps_fast(&steps) || sa_doublewrite_chunk() != PG_UINT32_MAX;
}

/*
 * Begin the next step, of pages of one segment in order, after the page "first"; a small one
 * has as few requests as steps may have.
 */
static Step
begin_step(int fd, const SaJournalKey *pages, uint32 first, uint32 count, bool small)
{
	Step		step = {.first = first, .might = steps.next};

	if (small)
		step.might.requests = steps.fewest;
	step.might.pages = (int) Min((uint32) step.might.pages, sa_doublewrite_chunk());
	step.had = step.might;
	step.end = first + sa_writeback_step(pages + first, count - first, &step.had);
	sa_writeback_start(fd, pages + first, step.end - first);
	return step;
}

static double
milliseconds_since(instr_time then)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, then);
	return INSTR_TIME_GET_MILLISEC(now);
}

/*
 * Take the lock under which files are synced; false if it was others' for so long
 * that the time says nothing of the device.
 */
static bool
sync_begins_at_once(void)
{
	instr_time	asked;

	INSTR_TIME_SET_CURRENT(asked);
	sa_doublewrite_sync_begins();
	return milliseconds_since(asked) < 1;
}

/* Has somebody taken the journal away?  The driver will ask why: images have to come on. */
static void
tell_if_moved(void)
{
	static bool told = false;

	if (told || !sa_doublewrite_has_moved())
		return;
	told = true;
	sa_fpw_recheck();
}

/* How many pages come to the journal in a millisecond. */
static double
arriving(void)
{
	static uint64 pages_before = 0;
	static instr_time since;
	static double rate = 0;
	double		ms = milliseconds_since(since);
	uint64		pages;

	if (ms >= 0 && ms < RATE_MS)
		return rate;
	pages = sa_doublewrite_pages();
	if (!INSTR_TIME_IS_ZERO(since) && ms > 0)
		rate = Max((pages - pages_before) / ms, ms < 10 * RATE_MS ? rate * 0.8 : 0);
	pages_before = pages;
	INSTR_TIME_SET_CURRENT(since);
	return rate;
}

/*
 * So many pages were written back in so many milliseconds.  For how many should others have
 * the device, so that pages are written back hardly faster than they come?
 */
static int
even_rest_ms(int pages, double busy_ms)
{
	static double ahead_ms = 0;
	double		rate = arriving();
	int			ms;

	if (RecoveryInProgress() || rate < RATE_LEAST)
		ahead_ms = 0;
	else
		ahead_ms = Min(Max(ahead_ms + pages / (rate * EVEN_HASTE) - busy_ms, 0), EVEN_MS_MAX);
	ms = (int) ahead_ms;
	ahead_ms -= ms;
	return ms;
}

static void
rest(int ms, uint32 wait_event)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms, wait_event);
	ResetLatch(MyLatch);		/* what it is set for is looked for again before the retirer sleeps */
}

/*
 * Let others have the device, after so many milliseconds in which pages were written back, unless
 * the journal needs room soon.  Returns whether it did.
 */
static bool
rest_after(double busy_ms, int pages)
{
	bool		even = is_even();
	int			ms = even ? even_rest_ms(pages, busy_ms) : sa_pace_rest_ms(busy_ms);

	if (ms == 0 || !sa_doublewrite_has_room() || ShutdownRequestPending)
		return false;
	if (!even)
		sa_doublewrite_count_pause();
	rest(ms, even ? even_event : pace_event);
	return true;
}

/*
 * Pages of one segment, in order.  Those of one step are begun while those of the
 * one before are on their way, so the time of a step that was on its way during a rest
 * says nothing of the device.  But if they should be written back evenly, and the journal
 * has room, one small step is on its way at a time.
 */
static void
write_back_file(const SaJournalKey *pages, uint32 count)
{
	char		path[MAXPGPATH];
	Step		step = {0};
	uint32		awaited = 0;
	instr_time	ended;
	bool		rested = false;
	int			fd;

	if (pages[0].relation == 0 || ShutdownRequestPending)
		return;					/* void by now, or no time */
	sa_page_file_path(&pages[0], path);
	fd = BasicOpenFile(path, O_RDWR | PG_BINARY);
	if (fd < 0)
		return;					/* retiring will say why, if it has to */
	INSTR_TIME_SET_CURRENT(ended);
	do
	{
		bool		even = is_even() && sa_doublewrite_has_room();
		Step		before = step;
		const Step *last = even ? &step : &before;
		bool		measured;

		pgstat_report_wait_start(WAIT_EVENT_DATA_FILE_FLUSH);
		measured = sync_begins_at_once();
		step = begin_step(fd, pages, before.end, count, even);
		sa_writeback_await(fd, pages + awaited, last->end - awaited);
		sa_doublewrite_sync_ends(false, NULL);
		pgstat_report_wait_end();
		if (measured && (even || !rested) && awaited == last->first && last->first < last->end)
			sa_steps_ended(&steps, last->might, last->had, milliseconds_since(ended));
		awaited = last->end;
		tell_if_moved();
		rested = measured && rest_after(milliseconds_since(ended), (int) (last->end - last->first));
		INSTR_TIME_SET_CURRENT(ended);
	} while (awaited < count && !ShutdownRequestPending);
	close(fd);
}

/* Have these pages written back. */
static void
write_back(SaJournalKey *page_keys, uint32 count)
{
	uint32		next;

	qsort(page_keys, count, sizeof(SaJournalKey), sa_journal_compare_pages);
	for (uint32 first = 0; first < count; first = next)
	{
		for (next = first + 1; next < count && sa_page_file_is_same(&page_keys[first], &page_keys[next]);)
			next++;
		write_back_file(page_keys + first, next - first);
	}
}

/* May it go on writing back before it retires?  An fdatasync() of many files takes time, in which more pages come. */
static bool
may_go_on(void)
{
	return is_even() ? sa_doublewrite_has_room() : sa_doublewrite_may_go_on();
}

/*
 * Have the pages written back that are due, the first *done of all having been,
 * and retire if it is time.  Where bandwidth is short not before few pages are left
 * that came meanwhile, because fdatasync() gives all of these to the device at once.
 * False if nothing is due.
 */
static bool
make_room(uint64 *done, SaJournalKey *page_keys)
{
	bool		retire;
	bool		any = false;
	uint32		count;
	int			passes = 0;

	do
	{
		count = sa_doublewrite_due_pages(done, is_slow(), page_keys, &retire);
		write_back(page_keys, count);
		any |= count > 0;
	} while (retire && count > FEW_PAGES && ++passes < MAX_PASSES && may_go_on() && !ShutdownRequestPending);
	if (retire && !ShutdownRequestPending)
		(void) sa_doublewrite_retire();
	return retire || any;
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
	SaJournalKey *page_keys;
	uint64		written_back = 0;

	sa_worker_begin(SignalHandlerForShutdownRequest);
	pace_event = saWaitEvent(SA_PACE_WAIT_EVENT);
	even_event = wait_event;
	page_keys = MemoryContextAllocExtended(TopMemoryContext, (Size) sa_doublewrite_pages_max() * sizeof(SaJournalKey),
										   MCXT_ALLOC_HUGE);
	before_shmem_exit(leave_at_exit, 0);
	sa_doublewrite_set_retirer(MyLatch);
	sa_steps_begin(&steps, sa_io_depth, sa_doublewrite_copies_max());

	while (!ShutdownRequestPending)
	{
		(void) sa_worker_reload();
		tell_if_moved();
		if (!make_room(&written_back, page_keys))
			(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, -1, wait_event);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	proc_exit(1);				/* 1 = to be restarted, unless the server stops */
}
