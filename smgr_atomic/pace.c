/*-------------------------------------------------------------------------
 *
 * pace.c
 *	  Rests for those who write in the background, so that WAL is flushed soon.
 *
 * Where bandwidth is short (batches.h) a device that is given pages without a pause
 * has a line of requests before it at all times, at the end of which each flush of WAL
 * stands: at 20 MB/s a checkpoint left 220 transactions a second, of 7,000.  So
 * whoever writes pages there, for the page journal (writer.c) or back from the page
 * cache (retirer.c), rests after each piece of work for twice as long as that took, which
 * gives those who commit the device for about half of the time: 2,700 remained.  The
 * checkpoint took 66 s instead of 43.  (In a trial, resting only as long as the work took
 * gave 62 s instead of 78, and seconds with 100 transactions.)
 *
 * A rest is 0.1 s at most.  The retirer has one more step under way meanwhile, so it rests
 * about as long as it works.  Each process rests after its own work: with three or more
 * writers (one is the default) the device is seldom left to others.
 *
 * A checkpoint that takes longer keeps more WAL, and recovery has more to read.  So
 * nobody rests
 * - while no WAL is flushed: nobody commits (nor loads, nor vacuums);
 * - in recovery, so on a standby;
 * - while the state changes: images may have to come on because a crash could not be
 *	 repaired now;
 * - when half of max_wal_size of WAL has come since the redo point: about then the
 *	 server begins the next checkpoint;
 * - when somebody waits for the pool, or has within the last two seconds: a session, not
 *	 the checkpointer, the background writer or autovacuum;
 * - in the retirer, when the journal has room for no more than two sections.
 * Whether WAL is on the same device is not asked.
 *
 * No state but of this process.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"

#include "doublewrite.h"
#include "fpw.h"
#include "pace.h"
#include "writebehind.h"

#define RESTS 2					/* times as long as the work */
#define REST_MS_MAX 100

/* Has WAL been flushed since this process asked last, and is there room for more? */
static bool
others_commit(void)
{
	static XLogRecPtr seen = InvalidXLogRecPtr;
	XLogRecPtr	flushed;
	bool		some;

	if (RecoveryInProgress())
		return false;
	flushed = GetFlushRecPtr(NULL);
	some = flushed != seen;
	seen = flushed;
	return some && flushed < GetRedoRecPtr() + (uint64) max_wal_size_mb * 1024 * 1024 / 2;
}

/*
 * A process has had the device write pages for so many milliseconds.  Returns for how
 * many it should rest before the next; 0 = not at all.  Writers and the retirer.
 */
int
sa_pace_rest_ms(double busy_ms)
{
	bool		commits = others_commit();

	if (!commits || sa_doublewrite_chunk() == PG_UINT32_MAX || sa_pool_is_pressed() || !sa_fpw_is_settled())
		return 0;
	return (int) Min(busy_ms * RESTS, REST_MS_MAX);
}
