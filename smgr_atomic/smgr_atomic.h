/*-------------------------------------------------------------------------
 *
 * smgr_atomic.h
 *	  Settings, as every room may read them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_H
#define SMGR_ATOMIC_H

#define SA_VERSION "0.1.0"

typedef enum SaMode
{
	SA_MODE_OFF,
	SA_MODE_AUTO,
	SA_MODE_DIRECT,
	SA_MODE_WRITETHROUGH
} SaMode;

extern int	sa_mode;			/* SaMode */
extern bool sa_require;
extern bool sa_manage_full_page_writes;
extern int	sa_writethrough_flag;	/* 0 = the kernel headers' */

extern bool sa_preloaded;		/* loaded by shared_preload_libraries */

extern const char *sa_mode_name(SaMode mode);

#endif							/* SMGR_ATOMIC_H */
