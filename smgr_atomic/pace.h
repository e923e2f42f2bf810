/*-------------------------------------------------------------------------
 *
 * pace.h
 *	  Rests for those who write in the background, so that WAL is flushed soon.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_PACE_H
#define SMGR_ATOMIC_PACE_H

#define SA_PACE_WAIT_EVENT "SmgrAtomicPace"

extern int	sa_pace_rest_ms(double busy_ms);

#endif							/* SMGR_ATOMIC_PACE_H */
