/*-------------------------------------------------------------------------
 *
 * probe.h
 *	  What one directory or one open file can promise about page writes.
 *
 * Include this to ask about storage.  It needs no server header, so that the
 * same code serves the library and the command smgr-atomic-check.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_PROBE_H
#define SMGR_ATOMIC_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* pwritev2() flag: the write reaches storage whole or not at all (Linux 6.11). */
#ifndef RWF_ATOMIC
#define RWF_ATOMIC 0x00000040
#endif

/* f_type of struct statfs, which is ABI too (linux/magic.h) */
#define SA_XFS_MAGIC			0x58465342U
#define SA_EXT4_MAGIC			0xEF53U /* ext2 and ext3, too */

#define SA_PROBE_TEXT_LEN 512

/* Ordered: the weaker of two verdicts is the smaller value. */
typedef enum SaVerdict
{
	SA_VERDICT_NONE = 0,		/* a page write may tear */
	SA_VERDICT_JOURNAL,			/* a copy in the page journal makes it whole again */
	SA_VERDICT_SOFTWARE,		/* the filesystem makes it whole (copy-on-write) */
	SA_VERDICT_HARDWARE			/* the device makes it whole */
} SaVerdict;

/* What statx() says of one file, all in bytes. */
typedef struct SaLimits
{
	uint32_t	unit_min;		/* smallest atomic write */
	uint32_t	unit_max;		/* largest atomic write */
	uint32_t	unit_max_opt;	/* largest one done by the device; 0 = not told */
	uint32_t	segments_max;	/* iovec segments of one atomic write */
	uint32_t	dio_mem_align;	/* memory alignment of direct I/O; 0 = none */
	uint32_t	dio_offset_align;	/* file offset alignment; 0 = none */
} SaLimits;

typedef struct SaProbe
{
	char		path[1024];
	char		filesystem[32];
	char		device[64];		/* e.g. /dev/nvme0n1p2 */
	SaLimits	limits;
	uint32_t	device_unit_max;	/* queue/atomic_write_unit_max_bytes */
	SaVerdict	verdict;
	bool		examined;		/* false: nothing could be tried there, verdict none */
	bool		transient;		/* verdict none only for want of space, files or memory */
	bool		writethrough;	/* RWF_WRITETHROUGH|RWF_ATOMIC works here */
	char		reason[SA_PROBE_TEXT_LEN];	/* why this verdict, what to do */
	char		writethrough_reason[SA_PROBE_TEXT_LEN];
	bool		journal;		/* pages here can be protected by the page journal */
	bool		journal_transient;	/* it cannot only for want of space, files or memory */
	char		journal_reason[SA_PROBE_TEXT_LEN];
} SaProbe;

extern const char *sa_verdict_name(SaVerdict verdict);
extern int	sa_probe_limits(int fd, SaLimits *limits);
extern int	sa_probe_journal_fd(int fd, char *reason);
extern bool sa_limits_allow(const SaLimits *limits, uint32_t page_size);
extern void sa_probe_directory(const char *path, uint32_t page_size,
							   int writethrough_flag, SaProbe *probe);
extern int	sa_probe_prepare_fd(int fd, uint32_t page_size, SaVerdict verdict);
extern int	sa_probe_sync_filesystem(const char *path);
extern int	sa_probe_writethrough_flag(void);
extern void sa_probe_kernel(char *text, size_t size);

#endif							/* SMGR_ATOMIC_PROBE_H */
