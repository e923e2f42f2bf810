/*-------------------------------------------------------------------------
 *
 * fpw.h
 *	  The contract between page writes and full-page images.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_FPW_H
#define SMGR_ATOMIC_FPW_H

#include "utils/timestamp.h"

#include "compat.h"
#include "decide.h"

typedef enum SaState
{
	SA_STATE_OFF = 0,			/* pages plain, images on */
	SA_STATE_ARMING,			/* pages atomic, images on, waiting for a checkpoint */
	SA_STATE_ACTIVE,			/* pages atomic, images off */
	SA_STATE_PAUSED,			/* pages atomic, images on at a user's request */
	SA_STATE_DISARMING			/* pages atomic; images on, then a checkpoint */
} SaState;

/* What the checkpointer is asked to do after a checkpoint has completed. */
typedef enum SaAction
{
	SA_ACTION_ACTIVATE = 1,		/* images off: arming or paused -> active; in a pause: arming -> paused */
	SA_ACTION_PAUSE,			/* active with images on -> paused */
	SA_ACTION_IMAGES_ON,		/* images on; disarming, or to be paused */
	SA_ACTION_PLAIN,			/* disarming -> off */
	SA_ACTION_EVERY				/* after every checkpoint; see fpw.c */
} SaAction;

typedef struct SaStatus
{
	SaState		state;
	TimestampTz since;
	bool		images;			/* full_page_writes in force, as last confirmed */
	bool		waits_for_writes;	/* the driver waits for writes under way */
	SaWriteMethod method;
	SaVerdict	protection;
	TimestampTz paused_until;	/* 0 = not paused */
	int			holds;			/* sessions that need the state "off" */
	int			copies;			/* sessions that copy files, for which images stay on (filecopy.c) */
	uint32		requests;		/* counts what the driver is asked to look at */
	uint32		generation;		/* of the current transition */
	bool		checkpointed;	/* files were let go of after a checkpoint since the start */
	char		reason[SA_REASON_LEN];
} SaStatus;

extern Size sa_fpw_shmem_size(void);
extern void sa_fpw_shmem_init(void);
extern void sa_fpw_start(void);

extern bool sa_fpw_images(const SaStatus *status);
extern bool sa_fpw_shown_images(void);
extern bool sa_fpw_wants_pause(const SaStatus *status);
extern void sa_fpw_status(SaStatus *status);
extern const char *sa_state_name(SaState state);
extern const char *sa_fpw_waits_for(const SaStatus *status);

/* for the driver of transitions */
extern bool sa_fpw_begin(const SaStatus *from, SaState state, const SaDecision *decision);
extern void sa_fpw_open_pool(bool open);
extern void sa_fpw_waits_for_writes(bool waits);
extern void sa_fpw_switch_method(const SaDecision *decision);
extern bool sa_fpw_is_settled(void);
extern bool sa_fpw_explain(const SaDecision *decision);
extern void sa_fpw_after_checkpoint(SaAction action);
extern void sa_fpw_set_driver(void);

/* for SQL functions */
extern void sa_fpw_wake_driver(void);
extern void sa_fpw_set_pause(TimestampTz until);
extern bool sa_fpw_wait(SaState state, long timeout_ms);

/* for the guard of CREATE TABLESPACE */
extern void sa_fpw_hold(void);
extern bool sa_fpw_hold_if_off(void);
extern void sa_fpw_release(void);
extern void sa_fpw_recheck(void);

/* for sessions that copy files */
extern bool sa_fpw_told_images(void);
extern bool sa_fpw_keep_images(void);

/* for redo */
extern void sa_fpw_replayed_images_off(XLogRecPtr lsn);

/* before the write-behind pool takes pages */
extern void sa_fpw_follow_checkpoints(void);

/* the checkpointer is about to write a page */
extern void sa_fpw_checkpoint_write(void);
extern bool sa_fpw_is_shutdown_checkpoint(void);
extern bool sa_fpw_images_are_off(void);

/* our requests in the sync queue */
extern bool sa_fpw_is_ours(const FileTag *tag);
extern int	sa_fpw_syncfiletag(const FileTag *tag, char *path);
extern int	sa_fpw_unlinkfiletag(const FileTag *tag);

#endif							/* SMGR_ATOMIC_FPW_H */
