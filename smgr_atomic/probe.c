/*-------------------------------------------------------------------------
 *
 * probe.c
 *	  Find out whether a page written to a directory can tear.
 *
 * Two questions are asked and both must be answered with yes:
 *
 * 1. What does the kernel say?  statx(STATX_WRITE_ATOMIC) of a file in that
 *	  directory gives the atomic write unit; STATX_DIOALIGN says whether direct
 *	  I/O is real.  A verdict needs more than numbers, because two kernels and
 *	  one filesystem promise what they do not keep; see check_hazards().
 * 2. Does it work?  A file without a name (O_TMPFILE, so that nothing is left
 *	  behind however we end) is written with pwritev2(RWF_ATOMIC), overwritten,
 *	  flushed and read back.
 *
 * "Hardware" means the device's own unit covers the page: unit_max_opt on XFS
 * (unit_max there includes software copy-on-write), unit_max on ext4, which
 * has no software path.  Sources: fs/xfs/xfs_iops.c xfs_report_atomic_write(),
 * fs/ext4/inode.c ext4_getattr(), block/bdev.c bdev_statx() of Linux 6.18-7.3.
 *
 * No server header is included here; nothing is printed; functions return 0
 * or -errno, or write a reason that a person can act on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#define JOURNAL_PAGE_SIZE 8192	/* SA_JOURNAL_BLOCK */

/*
 * struct statx as of Linux 6.16.  The C library of a stable distribution may
 * be older than the running kernel, so the layout (which is ABI) is spelled
 * here instead of being taken from its headers.
 */
typedef struct SaStatx
{
	uint32_t	mask;
	uint32_t	blksize;
	uint64_t	attributes;
	uint32_t	nlink,
				uid,
				gid;
	uint16_t	mode,
				pad0;
	uint64_t	ino,
				size,
				blocks,
				attributes_mask;
	uint64_t	times[8];
	uint32_t	rdev_major,
				rdev_minor,
				dev_major,
				dev_minor;
	uint64_t	mnt_id;
	uint32_t	dio_mem_align,
				dio_offset_align;
	uint64_t	subvol;
	uint32_t	atomic_write_unit_min,
				atomic_write_unit_max,
				atomic_write_segments_max,
				dio_read_offset_align,
				atomic_write_unit_max_opt,
				spare2;
	uint64_t	spare3[8];
} SaStatx;

_Static_assert(sizeof(SaStatx) == 256, "struct statx is 256 bytes");

#define SA_STATX_MNT_ID			0x00001000U
#define SA_STATX_DIOALIGN		0x00002000U
#define SA_STATX_WRITE_ATOMIC	0x00010000U
#define SA_STATX_ATTR_DAX		0x00200000U

/*
 * struct xfs_fsop_geom_v1 of fs/xfs/libxfs/xfs_fs.h, which is ABI but in no
 * header that a C library brings.
 */
typedef struct SaXfsGeometry
{
	uint32_t	blocksize,
				rtextsize,
				agblocks,
				agcount,
				logblocks,
				sectsize,
				inodesize,
				imaxpct;
	uint64_t	datablocks,
				rtblocks,
				rtextents,
				logstart;
	uint8_t		uuid[16];
	uint32_t	sunit,
				swidth;
	int32_t		version;
	uint32_t	flags,
				logsectsize,
				rtsectsize,
				dirblocksize;
} SaXfsGeometry;

_Static_assert(sizeof(SaXfsGeometry) == 112, "struct xfs_fsop_geom_v1 is 112 bytes");

#define SA_XFS_IOC_FSGEOMETRY		_IOR('X', 100, SaXfsGeometry)
#define SA_XFS_GEOMETRY_REFLINK		(1U << 20)

/* What check_hazards() and others need to know about the place. */
typedef struct Place
{
	char		mount_options[1024];
	uint32_t	type;			/* f_type of struct statfs */
	bool		dax;			/* files here bypass the page cache */
	unsigned	kernel_major,
				kernel_minor,
				kernel_patch;
	uint64_t	partition_start;	/* in sectors of 512 bytes; 0 = none */
	bool		misaligned;		/* which the device's atomic unit does not bear */
	bool		realtime;		/* files go to the realtime device of XFS */
	SaXfsGeometry xfs;			/* all 0 where it is not XFS */
} Place;

static const char *const verdict_names[] = {"none", "journal", "software", "hardware"};

const char *
sa_verdict_name(SaVerdict verdict)
{
	return verdict_names[verdict];
}

/*
 * Number of RWF_WRITETHROUGH in the kernel headers this was compiled with,
 * or 0 where they have none.  Its number is not settled, so it is never
 * spelled here.
 */
int
sa_probe_writethrough_flag(void)
{
#ifdef RWF_WRITETHROUGH
	return RWF_WRITETHROUGH;
#else
	return 0;
#endif
}

/* The running kernel, for people ("6.18.44-1"). */
void
sa_probe_kernel(char *text, size_t size)
{
	struct utsname name;

	if (uname(&name) != 0)
		snprintf(text, size, "unknown");
	else
		snprintf(text, size, "%s %s", name.sysname, name.release);
}

static int
statx_fd(int fd, SaStatx *stx)
{
	memset(stx, 0, sizeof(*stx));
	if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH,
				SA_STATX_MNT_ID | SA_STATX_DIOALIGN | SA_STATX_WRITE_ATOMIC,
				stx) != 0)
		return -errno;
	return 0;
}

static void
limits_from_statx(const SaStatx *stx, SaLimits *limits)
{
	memset(limits, 0, sizeof(*limits));
	if (stx->mask & SA_STATX_WRITE_ATOMIC)
	{
		limits->unit_min = stx->atomic_write_unit_min;
		limits->unit_max = stx->atomic_write_unit_max;
		limits->unit_max_opt = stx->atomic_write_unit_max_opt;
		limits->segments_max = stx->atomic_write_segments_max;
	}
	if (stx->mask & SA_STATX_DIOALIGN)
	{
		limits->dio_mem_align = stx->dio_mem_align;
		limits->dio_offset_align = stx->dio_offset_align;
	}
}

/*
 * Read the limits of an open file.  Returns 0 or -errno; limits the kernel
 * does not report are 0.  One system call, no allocation.
 */
int
sa_probe_limits(int fd, SaLimits *limits)
{
	SaStatx		stx;
	int			rc = statx_fd(fd, &stx);

	if (rc == 0)
		limits_from_statx(&stx, limits);
	return rc;
}

/*
 * May a page of page_size bytes be written atomically with these limits?
 * The offset of a page is a multiple of page_size, a power of two, so the
 * natural alignment that RWF_ATOMIC asks for is given.
 */
bool
sa_limits_allow(const SaLimits *limits, uint32_t page_size)
{
	return limits->dio_mem_align != 0 &&
		limits->dio_mem_align <= page_size &&
		limits->dio_offset_align != 0 &&
		limits->dio_offset_align <= page_size &&
		limits->segments_max >= 1 &&
		limits->unit_min != 0 &&
		limits->unit_min <= page_size &&
		limits->unit_max >= page_size;
}

static void set_text(char *target, const char *fmt,...) __attribute__((format(printf, 2, 3)));

static void
set_text(char *target, const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	vsnprintf(target, SA_PROBE_TEXT_LEN, fmt, args);
	va_end(args);
}

/* Errors that say nothing about what the storage can do. */
static bool
is_transient(int error)
{
	return error == ENOSPC || error == EDQUOT || error == EMFILE || error == ENFILE ||
		error == ENOMEM || error == EAGAIN || error == EINTR;
}

/* Verdict "none" with its reason. */
#define REFUSE(probe, ...) \
	((probe)->verdict = SA_VERDICT_NONE, set_text((probe)->reason, __VA_ARGS__))

/*
 * Find the mount with this id in /proc/self/mountinfo and take filesystem
 * type, options and device from it.  Line format: proc_pid_mountinfo(5):
 * id parent major:minor root mountpoint options [optional]... - type source
 * superoptions.
 */
static void
find_mount(uint64_t mnt_id, SaProbe *probe, Place *place)
{
	FILE	   *file = fopen("/proc/self/mountinfo", "re");
	char	   *line = NULL;
	size_t		size = 0;

	snprintf(probe->filesystem, sizeof(probe->filesystem), "unknown");
	if (file == NULL)
		return;
	while (getline(&line, &size, file) > 0)
	{
		char		options[512] = "",
					super[512] = "",
					source[64] = "";
		char	   *dash;

		if (strtoull(line, NULL, 10) != mnt_id)
			continue;
		dash = strstr(line, " - ");
		if (dash == NULL)
			continue;
		(void) sscanf(line, "%*s %*s %*s %*s %*s %511s", options);
		(void) sscanf(dash, " - %31s %63s %511s", probe->filesystem, source, super);
		snprintf(place->mount_options, sizeof(place->mount_options), ",%s,%s,",
				 options, super);
		memcpy(probe->device, source, sizeof(source));
		break;
	}
	free(line);
	fclose(file);
}

static bool
has_option(const Place *place, const char *option)
{
	char		wanted[64];

	snprintf(wanted, sizeof(wanted), ",%s,", option);
	return strstr(place->mount_options, wanted) != NULL;
}

/* By the mount, or by the directory (chattr +x). */
static bool
is_dax(const Place *place)
{
	return place->dax || has_option(place, "dax") || has_option(place, "dax=always");
}

/* One number of a file in the device's directory in sysfs, 0 if there is none. */
static uint64_t
read_device_number(const SaStatx *stx, const char *name)
{
	char		path[128];
	FILE	   *file;
	unsigned long long number = 0;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", stx->dev_major, stx->dev_minor, name);
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	if (fscanf(file, "%llu", &number) != 1)
		number = 0;
	fclose(file);
	return number;
}

/* A limit of its queue.  A partition has none of its own, its parent has. */
static uint32_t
read_queue_limit(const SaStatx *stx, const char *name)
{
	char		file[64];
	uint64_t	limit;

	snprintf(file, sizeof(file), "queue/%s", name);
	limit = read_device_number(stx, file);
	if (limit == 0)
	{
		snprintf(file, sizeof(file), "../queue/%s", name);
		limit = read_device_number(stx, file);
	}
	return (uint32_t) limit;
}

/*
 * The block device's own promise, and whether its partition lets it through:
 * the kernel's rule is that of bdev_can_atomic_write() in block/bdev.c.
 */
static void
read_device(const SaStatx *stx, SaProbe *probe, Place *place)
{
	uint32_t	unit = read_queue_limit(stx, "atomic_write_unit_min_bytes");
	uint32_t	boundary = read_queue_limit(stx, "atomic_write_boundary_bytes");

	probe->device_unit_max = read_queue_limit(stx, "atomic_write_unit_max_bytes");
	place->partition_start = read_device_number(stx, "start");
	if (boundary > unit)
		unit = boundary;
	place->misaligned = unit != 0 && place->partition_start * 512 % unit != 0;
}

/* What XFS tells of itself and of the trial file. */
static void
read_xfs(int fd, const SaProbe *probe, Place *place)
{
	struct fsxattr attr;

	if (strcmp(probe->filesystem, "xfs") != 0)
		return;
	if (ioctl(fd, SA_XFS_IOC_FSGEOMETRY, &place->xfs) != 0)
		memset(&place->xfs, 0, sizeof(place->xfs));
	place->realtime = ioctl(fd, FS_IOC_FSGETXATTR, &attr) == 0 &&
		(attr.fsx_xflags & FS_XFLAG_REALTIME) != 0;
}

static void
read_kernel_version(Place *place)
{
	struct utsname name;

	if (uname(&name) != 0 ||
		sscanf(name.release, "%u.%u.%u", &place->kernel_major,
			   &place->kernel_minor, &place->kernel_patch) < 2)
		place->kernel_major = place->kernel_minor = place->kernel_patch = 0;
}

static bool
kernel_at_least(const Place *place, unsigned major, unsigned minor, unsigned patch)
{
	if (place->kernel_major != major)
		return place->kernel_major > major;
	if (place->kernel_minor != minor)
		return place->kernel_minor > minor;
	return place->kernel_patch >= patch;
}

static void
explain_ext4(SaProbe *probe, const Place *place, uint32_t page_size)
{
	const SaLimits *limits = &probe->limits;

	if (has_option(place, "data=journal"))
		REFUSE(probe, "ext4 data=journal silently loses the guarantee; mount without data=journal");
	else if (limits->unit_max >= page_size && limits->dio_mem_align == 0)
		REFUSE(probe, "no direct I/O on this ext4 directory (data journalling by chattr +j or tune2fs -o journal_data, verity or inline data), which silently loses the guarantee");
	else if (probe->device_unit_max < page_size)
		REFUSE(probe, "ext4 has no software path and the device promises %u bytes; use XFS with reflink=1, or a device with an atomic unit of %u",
			   probe->device_unit_max, page_size);
	else if (!kernel_at_least(place, 6, 16, 0))
		REFUSE(probe, "ext4 on kernel %u.%u: writes of several blocks are atomic from 6.16",
			   place->kernel_major, place->kernel_minor);
	else if (place->misaligned)
		REFUSE(probe, "the partition starts at sector %llu, so that the device's atomic unit of %u bytes cannot be used; make it start at a multiple of 2048, or use XFS with reflink=1",
			   (unsigned long long) place->partition_start, probe->device_unit_max);
	else
		REFUSE(probe, "ext4 without bigalloc: largest atomic unit is %u; recreate with mkfs.ext4 -O bigalloc -C 16384",
			   limits->unit_max);
}

/*
 * XFS on a device with atomic units gives no larger unit than divides the size
 * of its allocation groups, in software either (xfs_calc_group_awu_max()).
 */
static void
explain_xfs(SaProbe *probe, const Place *place, uint32_t page_size)
{
	uint64_t	group = (uint64_t) place->xfs.agblocks * place->xfs.blocksize;

	if (!kernel_at_least(place, 6, 16, 0))
		REFUSE(probe, "XFS on kernel %u.%u: writes of several blocks are atomic from 6.16 (use 6.18 or newer)",
			   place->kernel_major, place->kernel_minor);
	else if (place->realtime)
		REFUSE(probe, "files here go to the realtime device of XFS: largest atomic unit is %u; clear that with xfs_io -c 'chattr -t' before files are made",
			   probe->limits.unit_max);
	else if (place->xfs.blocksize != 0 && (place->xfs.flags & SA_XFS_GEOMETRY_REFLINK) == 0)
		REFUSE(probe, "XFS without reflink: largest atomic unit is %u; recreate with mkfs.xfs -m reflink=1",
			   probe->limits.unit_max);
	else if (group % page_size != 0)
		REFUSE(probe, "XFS allocation groups of %llu bytes are not a multiple of %u: largest atomic unit is %u; recreate with mkfs.xfs -d agsize=%llum",
			   (unsigned long long) group, page_size, probe->limits.unit_max,
			   (unsigned long long) (group >> 20) + 1);
	else
		REFUSE(probe, "largest atomic unit on this XFS is %u bytes, a page is %u",
			   probe->limits.unit_max, page_size);
}

/*
 * Why the limits do not allow a page, said so that a person can act on it.
 */
static void
explain_limits(SaProbe *probe, const Place *place, uint32_t page_size)
{
	if (!kernel_at_least(place, 6, 11, 0))
		REFUSE(probe, "kernel %u.%u is older than 6.11 and has no atomic writes",
			   place->kernel_major, place->kernel_minor);
	else if (strcmp(probe->filesystem, "ext4") == 0)
		explain_ext4(probe, place, page_size);
	else if (strcmp(probe->filesystem, "xfs") == 0)
		explain_xfs(probe, place, page_size);
	else if (probe->limits.unit_max != 0)
		REFUSE(probe, "largest atomic unit on this %s is %u bytes, a page is %u",
			   probe->filesystem, probe->limits.unit_max, page_size);
	else
		REFUSE(probe, "no guarantee: statx reports no atomic writes on %s; use XFS with reflink=1 (kernel 6.18 or newer)",
			   probe->filesystem);
}

/*
 * Storage that promises what it does not keep.  Returns true when refused.
 *
 * - ext4 data=journal, fs-verity and inline data fall back to a buffered
 *	 write that reports success without atomicity (ext4_file_write_iter()
 *	 looks at ext4_should_use_dio() after RWF_ATOMIC was accepted) while statx
 *	 still advertises a unit.
 * - XFS copy-on-write atomic writes can corrupt data before 6.18; the fixes
 *	 (8d54eacd82a0, 8d7bba1e8314) are also in 6.17.8.  Hardware writes fall
 *	 back to the same path for holes and misaligned extents, so both are
 *	 refused.
 * - a DAX file never does block I/O.
 */
static bool
check_hazards(SaProbe *probe, const Place *place)
{
	if (strcmp(probe->filesystem, "ext4") == 0 && has_option(place, "data=journal"))
		REFUSE(probe, "ext4 data=journal silently loses the guarantee; mount without data=journal");
	else if (is_dax(place))
		REFUSE(probe, "DAX mount or directory: writes bypass the block device and can tear; mount without dax, or clear it with chattr -x");
	else if (strcmp(probe->filesystem, "xfs") == 0 && !kernel_at_least(place, 6, 17, 8))
		REFUSE(probe, "XFS copy-on-write path of kernel %u.%u.%u is known to corrupt data; use 6.18 or newer (or 6.17.8)",
			   place->kernel_major, place->kernel_minor, place->kernel_patch);
	else
		return false;
	return true;
}

/* One full atomic write; 0 or -errno.  EAGAIN and EINTR are retried. */
static int
trial_write(int fd, const void *page, uint32_t page_size, int flags)
{
	struct iovec iov = {.iov_base = (void *) page, .iov_len = page_size};

	for (int tries = 0; tries < 1000; tries++)
	{
		ssize_t		done = pwritev2(fd, &iov, 1, 0, flags);

		if (done == (ssize_t) page_size)
			return 0;
		if (done >= 0)
			return -EIO;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		usleep(1000);
	}
	return -EAGAIN;
}

/*
 * Write, overwrite, flush and read back one page of an unnamed file.
 * open_flags is O_DIRECT or 0, write_flags has RWF_ATOMIC.  0 or -errno;
 * *step names the step that failed.
 */
static int
trial(const char *path, uint32_t page_size, int open_flags, int write_flags,
	  SaVerdict verdict, const char **step)
{
	size_t		align = page_size < 4096 ? 4096 : page_size;
	char	   *page = NULL;
	int			fd,
				rc;

	*step = "open an unnamed file";
	fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC | open_flags, 0600);
	if (fd < 0)
		return -errno;
	if (posix_memalign((void **) &page, align, 2 * align) != 0)
	{
		close(fd);
		return -ENOMEM;
	}
	memset(page, 0xA5, page_size);
	memset(page + align, 0x5A, page_size);

	(void) sa_probe_prepare_fd(fd, page_size, verdict);
	*step = "write a page";
	rc = trial_write(fd, page, page_size, write_flags);
	if (rc == 0)
	{
		*step = "overwrite a page";
		rc = trial_write(fd, page + align, page_size, write_flags);
	}
	if (rc == 0)
	{
		*step = "flush a page";
		rc = fdatasync(fd) == 0 ? 0 : -errno;
	}
	if (rc == 0)
	{
		ssize_t		got;

		*step = "read a page back";
		got = pread(fd, page, page_size, 0);
		if (got < 0)
			rc = -errno;
		else if (got != (ssize_t) page_size || memcmp(page, page + align, page_size) != 0)
			rc = -EIO;
	}
	free(page);
	close(fd);
	return rc;
}

/*
 * Decide the verdict from limits, hazards and a trial.
 */
static void
judge(const char *path, uint32_t page_size, const Place *place, SaProbe *probe)
{
	bool		is_xfs = strcmp(probe->filesystem, "xfs") == 0;
	bool		is_ext4 = strcmp(probe->filesystem, "ext4") == 0;
	const char *step;
	int			rc;

	if (!sa_limits_allow(&probe->limits, page_size))
	{
		explain_limits(probe, place, page_size);
		return;
	}
	if (check_hazards(probe, place))
		return;
	if (strcmp(probe->filesystem, "overlay") == 0)
	{
		REFUSE(probe, "overlayfs repeats what the filesystem below it promises and refuses such writes; use a directory of that filesystem itself (a volume, not a layer of a container)");
		return;
	}
	if (!is_xfs && !is_ext4)
	{
		REFUSE(probe, "%s advertises atomic writes, but this library has not been proven on it; use XFS or ext4",
			   probe->filesystem);
		return;
	}
	if (is_ext4 || probe->limits.unit_max_opt >= page_size)
		probe->verdict = SA_VERDICT_HARDWARE;
	else
		probe->verdict = SA_VERDICT_SOFTWARE;

	rc = trial(path, page_size, O_DIRECT, RWF_ATOMIC, probe->verdict, &step);
	probe->transient = is_transient(-rc);
	probe->examined = !probe->transient;
	if (rc != 0)
		REFUSE(probe, "the kernel promises atomic writes of %u bytes, but could not %s: %s",
			   probe->limits.unit_max, step, strerror(-rc));
	else if (probe->verdict == SA_VERDICT_HARDWARE)
		set_text(probe->reason, "device writes up to %u bytes atomically",
				 is_ext4 ? probe->limits.unit_max : probe->limits.unit_max_opt);
	else if (place->misaligned)
		set_text(probe->reason, "XFS copy-on-write, up to %u bytes atomically; the partition starts at sector %llu, so that the device's own unit of %u bytes cannot be used",
				 probe->limits.unit_max, (unsigned long long) place->partition_start, probe->device_unit_max);
	else
		set_text(probe->reason, "XFS copy-on-write, up to %u bytes atomically",
				 probe->limits.unit_max);
}

/*
 * Does RWF_WRITETHROUGH|RWF_ATOMIC work on an ordinary descriptor?  It gives
 * what direct atomic writes give, so the verdict for those is asked as well.
 */
static void
judge_writethrough(const char *path, uint32_t page_size, int flag, SaProbe *probe)
{
	const char *step;
	int			rc;

	if (flag == 0)
	{
		set_text(probe->writethrough_reason,
				 "the kernel headers of this build do not define RWF_WRITETHROUGH");
		return;
	}
	if (probe->verdict == SA_VERDICT_NONE)
	{
		set_text(probe->writethrough_reason, "%s", probe->reason);
		return;
	}
	rc = trial(path, page_size, 0, flag | RWF_ATOMIC, probe->verdict, &step);
	if (rc == -EOPNOTSUPP)
		set_text(probe->writethrough_reason,
				 "this kernel or filesystem does not know RWF_WRITETHROUGH (flag 0x%x) with RWF_ATOMIC", flag);
	else if (rc != 0)
		set_text(probe->writethrough_reason, "RWF_WRITETHROUGH (flag 0x%x): could not %s: %s",
				 flag, step, strerror(-rc));
	else
	{
		probe->writethrough = true;
		set_text(probe->writethrough_reason, "RWF_WRITETHROUGH works");
	}
}

/*
 * The rule for filesystems on which the page journal protects pages, for places
 * and for each file that is opened.  It needs no atomic unit, only an
 * fdatasync() that means what it says: filesystems on which this has been
 * tried.  name is what mountinfo says, NULL where it was not asked; it alone
 * tells ext2 and ext3 from ext4, whose driver serves them.
 */
static bool
journal_is_proven(uint32_t type, const char *name, bool dax)
{
	static const struct
	{
		uint32_t	type;
		const char *name;
	}			proven[] = {{SA_XFS_MAGIC, "xfs"}, {SA_EXT4_MAGIC, "ext4"}};

	for (size_t i = 0; i < sizeof(proven) / sizeof(proven[0]); i++)
	{
		if (type == proven[i].type && (name == NULL || strcmp(name, proven[i].name) == 0))
			return !dax;
	}
	return false;
}

static void
refuse_journal(char *reason, const char *filesystem, bool dax)
{
	set_text(reason, "the page journal has not been proven on %s%s; use XFS or ext4",
			 filesystem, dax ? " with DAX" : "");
}

/*
 * Can the page journal protect pages of this open file?  reason (of
 * SA_PROBE_TEXT_LEN) is "" if so.  Returns 0 or -errno.  Two system calls, no
 * allocation unless the answer is no.
 */
int
sa_probe_journal_fd(int fd, char *reason)
{
	struct statfs fs;
	SaStatx		stx = {0};
	SaProbe		probe;
	Place		place;
	bool		dax;
	int			rc = fstatfs(fd, &fs) != 0 ? -errno : statx_fd(fd, &stx);

	reason[0] = '\0';
	if (rc != 0)
		return rc;
	dax = (stx.attributes & SA_STATX_ATTR_DAX) != 0;
	if (journal_is_proven((uint32_t) fs.f_type, NULL, dax))
		return 0;
	find_mount(stx.mnt_id, &probe, &place);
	refuse_journal(reason, probe.filesystem, dax);
	return 0;
}

/*
 * Can the page journal protect pages here?  Direct I/O is tried as well: what
 * refuses it is no ordinary disk.
 */
static void
judge_journal(const char *path, uint32_t page_size, const Place *place, SaProbe *probe)
{
	bool		dax = is_dax(place);
	const char *step;
	int			rc;

	if (!journal_is_proven(place->type, probe->filesystem, dax))
	{
		refuse_journal(probe->journal_reason, probe->filesystem, dax);
		return;
	}
	if (page_size != JOURNAL_PAGE_SIZE)
	{
		set_text(probe->journal_reason, "the page journal is made for pages of %d bytes", JOURNAL_PAGE_SIZE);
		return;
	}
	rc = trial(path, page_size, O_DIRECT, 0, SA_VERDICT_JOURNAL, &step);
	if (rc != 0)
	{
		probe->journal_transient = is_transient(-rc);
		set_text(probe->journal_reason, "could not %s: %s", step, strerror(-rc));
		return;
	}
	probe->journal = true;
	set_text(probe->journal_reason, "the page journal works");
}

/*
 * Probe the directory path for pages of page_size bytes.
 *
 * writethrough_flag is the number of RWF_WRITETHROUGH, 0 if unknown.  Fills
 * *probe completely; the verdict is "none" whenever anything is in doubt, and
 * "transient" is set if a full disk or the like is all that is known.
 * Takes a few milliseconds.  May be called from any process, not from a
 * critical section; leaves no file behind.
 */
void
sa_probe_directory(const char *path, uint32_t page_size, int writethrough_flag,
				   SaProbe *probe)
{
	Place		place = {0};
	SaStatx		stx = {0};
	struct statfs fs;
	int			fd,
				rc;

	memset(probe, 0, sizeof(*probe));
	snprintf(probe->path, sizeof(probe->path), "%s", path);
	snprintf(probe->filesystem, sizeof(probe->filesystem), "unknown");
	read_kernel_version(&place);

	/* a directory's own attributes first: they tell where we are */
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = fd < 0 ? -errno : statx_fd(fd, &stx);
	if (rc == 0)
	{
		find_mount(stx.mnt_id, probe, &place);
		read_device(&stx, probe, &place);
		rc = fstatfs(fd, &fs) != 0 ? -errno : 0;
		place.type = rc == 0 ? (uint32_t) fs.f_type : 0;
	}
	if (fd >= 0)
		close(fd);
	probe->transient = is_transient(-rc);
	probe->examined = rc == 0;
	if (rc != 0)
	{
		REFUSE(probe, "could not open directory \"%s\": %s", path, strerror(-rc));
		goto done;
	}

	/* limits are those of a file: atomic writes are decided at its open() */
	fd = open(path, O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EINVAL || errno == EISDIR))
	{
		REFUSE(probe, "no guarantee: %s has no direct I/O or no unnamed files; use XFS with reflink=1 (kernel 6.18 or newer)",
			   probe->filesystem);
		goto done;
	}
	rc = fd < 0 ? -errno : statx_fd(fd, &stx);
	if (rc == 0)
		read_xfs(fd, probe, &place);
	place.dax = rc == 0 && (stx.attributes & SA_STATX_ATTR_DAX) != 0;
	if (fd >= 0)
		close(fd);
	probe->transient = is_transient(-rc);
	probe->examined = rc == 0;
	if (rc != 0)
	{
		REFUSE(probe, "could not create a trial file in \"%s\": %s", path, strerror(-rc));
		goto done;
	}
	limits_from_statx(&stx, &probe->limits);
	judge(path, page_size, &place, probe);

done:
	judge_writethrough(path, page_size, writethrough_flag, probe);
	judge_journal(path, page_size, &place, probe);
}

/*
 * Give an open file or directory the allocation hints that atomic writes
 * want.  Returns 0 (also where the filesystem has no such hints) or -errno.
 *
 * fsx_cowextsize = one page: XFS copy-on-write otherwise preallocates 128 KiB
 * for every page overwritten in a new place.  fsx_extsize = one page only
 * where the device does the work: it aligns extents physically, which the
 * hardware path asks for, but it makes every extension a transaction (7.0
 * instead of 3.2 us per page here) and copy-on-write does not need it.  XFS
 * takes fsx_extsize only for directories and empty files, so for files
 * that hold data it is left alone.
 */
int
sa_probe_prepare_fd(int fd, uint32_t page_size, SaVerdict verdict)
{
	struct fsxattr attr;
	struct statfs fs;
	struct stat st;

	if (fstatfs(fd, &fs) != 0 || fstat(fd, &st) != 0)
		return -errno;
	if ((uint32_t) fs.f_type != SA_XFS_MAGIC)
		return 0;
	if (ioctl(fd, FS_IOC_FSGETXATTR, &attr) != 0)
		return -errno;

	if ((attr.fsx_xflags & FS_XFLAG_COWEXTSIZE) != 0 && attr.fsx_cowextsize == page_size &&
		(verdict != SA_VERDICT_HARDWARE || attr.fsx_extsize == page_size || !S_ISDIR(st.st_mode)))
		return 0;

	attr.fsx_xflags |= FS_XFLAG_COWEXTSIZE;
	attr.fsx_cowextsize = page_size;
	if (verdict == SA_VERDICT_HARDWARE && (S_ISDIR(st.st_mode) || st.st_size == 0))
	{
		attr.fsx_xflags |= S_ISDIR(st.st_mode) ? FS_XFLAG_EXTSZINHERIT : FS_XFLAG_EXTSIZE;
		attr.fsx_extsize = page_size;
	}
	return ioctl(fd, FS_IOC_FSSETXATTR, &attr) == 0 ? 0 : -errno;
}

/*
 * Make everything written so far to path's filesystem durable (syncfs(2)).
 * 0 or -errno.  May take as long as the device needs for its backlog.
 */
int
sa_probe_sync_filesystem(const char *path)
{
	int			fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int			rc;

	if (fd < 0)
		return -errno;
	rc = syncfs(fd) == 0 ? 0 : -errno;
	close(fd);
	return rc;
}
