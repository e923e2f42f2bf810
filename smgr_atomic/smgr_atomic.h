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

/* The library's file, for the postmaster that starts our workers. */
#ifdef SA_UNSAFE_BENCHMARK
#define SA_LIBRARY "smgr_atomic_unsafe"
#else
#define SA_LIBRARY "smgr_atomic"
#endif

typedef enum SaMode
{
	SA_MODE_OFF,
	SA_MODE_AUTO,
	SA_MODE_DIRECT,
	SA_MODE_WRITETHROUGH,
	SA_MODE_DOUBLEWRITE
} SaMode;

typedef enum SaUnsafeTablespace
{
	SA_UNSAFE_ERROR,			/* refuse it */
	SA_UNSAFE_DEMOTE			/* turn full-page images on first */
} SaUnsafeTablespace;

typedef enum SaCompression
{
	SA_COMPRESSION_OFF,
	SA_COMPRESSION_AUTO,		/* while bandwidth is short */
	SA_COMPRESSION_LZ4
} SaCompression;

extern int	sa_mode;			/* SaMode */
extern bool sa_require;
extern bool sa_manage_full_page_writes;
extern int	sa_writethrough_flag;	/* 0 = the kernel headers' */
extern int	sa_write_behind_size;	/* kB; 0 = no pool */
extern int	sa_writers;
extern int	sa_io_depth;
extern bool sa_io_uring;
extern char *sa_journal_directory;
extern int	sa_journal_size;	/* kB */
extern int	sa_journal_compression; /* SaCompression */
extern bool sa_ignore_journal;
extern int	sa_on_unsafe_tablespace;	/* SaUnsafeTablespace */
extern bool sa_recovery_readahead;
extern bool sa_wal_interlock;
extern bool sa_allow_unsafe_standby;

extern bool sa_preloaded;		/* loaded by shared_preload_libraries */

extern const char *sa_mode_name(SaMode mode);
extern void sa_require_preload(void);

#endif							/* SMGR_ATOMIC_H */
