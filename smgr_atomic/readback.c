/*-------------------------------------------------------------------------
 *
 * readback.c
 *	  What a read of a file says of storage.
 *
 * Repair (repair.c) leaves a page alone that is whole where it is.  For that it
 * has to know that what it reads is on storage and will be read there again:
 *
 * - What the page cache has may not have been written back yet, or the device
 *	 refused it and the kernel has marked it clean.  cachestat(2) tells what it
 *	 has; kernels before 6.5 do not.  A filesystem that keeps its pages in the
 *	 cache of another one (overlayfs) would deny it: XFS and ext4 do not.
 * - A device below may have a page cache of its own: a loop device without direct
 *	 I/O.  (Also a remote one that is a file there; this cannot be seen from here.
 *	 It loses a page in this way only if it fails to write it, tells nobody who
 *	 looks, and answers the fsync of the repair with success.)
 * - A device of several legs answers from one of them; after a power cut another
 *	 may have something else until they are synchronised, and be the one that is
 *	 left.  Writing makes them equal.
 * - XFS flushes the device of files on a realtime section only if their mapping
 *	 has changed; where that section is on the same device a clean file is not
 *	 flushed.
 *
 * So what these functions are not sure of is written.  No server header is
 * included here.
 *
 *-------------------------------------------------------------------------
 */
#include "readback.h"

#include <dirent.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "probe.h"

/* Linux 6.5; libc's headers may be older */
#if !defined(SYS_cachestat) && !defined(__mips__) && !defined(__alpha__)
#define SYS_cachestat 451
#endif

#define MAX_PATH 1024
#define MAX_STACK 8				/* devices upon devices */

static bool
exists(const char *directory, const char *name)
{
	char		path[MAX_PATH];

	return snprintf(path, sizeof(path), "%s/%s", directory, name) < MAX_PATH && access(path, F_OK) == 0;
}

/* Is the first character of a file in sysfs a 1? */
static bool
says_yes(const char *directory, const char *name)
{
	char		path[MAX_PATH];
	FILE	   *file;
	int			first;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "r");
	if (file == NULL)
		return false;
	first = fgetc(file);
	fclose(file);
	return first == '1';
}

/*
 * How many devices are below this one, and one of them, as a directory of sysfs;
 * -1 = nobody can say.
 */
static int
devices_below(const char *device, char *below, size_t size)
{
	char		path[MAX_PATH];
	struct dirent *entry;
	int			count = 0;
	DIR		   *slaves;

	snprintf(path, sizeof(path), "%s/slaves", device);
	slaves = opendir(path);
	if (slaves == NULL)
		return -1;
	while ((entry = readdir(slaves)) != NULL)
	{
		if (entry->d_name[0] == '.')
			continue;
		count++;
		if (snprintf(below, size, "%s/%s", path, entry->d_name) >= (int) size)
		{
			count = -1;
			break;
		}
	}
	closedir(slaves);
	return count;
}

/* Has a device one leg, and none of those below it a page cache? */
static bool
device_is_plain(unsigned int major_number, unsigned int minor_number)
{
	char		device[MAX_PATH];
	char		below[MAX_PATH];

	snprintf(device, sizeof(device), "/sys/dev/block/%u:%u", major_number, minor_number);
	for (int depth = 0; depth < MAX_STACK; depth++)
	{
		if (exists(device, "partition"))
			strncat(device, "/..", sizeof(device) - strlen(device) - 1);
		if (exists(device, "md") || (exists(device, "loop") && !says_yes(device, "loop/dio")))
			return false;
		switch (devices_below(device, below, sizeof(below)))
		{
			case 0:
				return true;
			case 1:
				strcpy(device, below);
				break;
			default:
				return false;
		}
	}
	return false;
}

/*
 * Does a read of this open file give what storage has, where the page cache has
 * nothing (sa_readback_cached()), and does an fsync() of it flush the device?
 * False also where nobody can say.
 */
bool
sa_readback_trusted(int fd)
{
	char		reason[SA_PROBE_TEXT_LEN];
	struct fsxattr attr = {0};
	struct stat st;

	if (sa_probe_journal_fd(fd, reason) != 0 || reason[0] != '\0')
		return false;
	if (ioctl(fd, FS_IOC_FSGETXATTR, &attr) != 0 || (attr.fsx_xflags & FS_XFLAG_REALTIME) != 0)
		return false;
	return fstat(fd, &st) == 0 && device_is_plain(major(st.st_dev), minor(st.st_dev));
}

/*
 * Has the page cache anything of this range of an open file (in bytes)?  True
 * also where nobody can say.
 */
bool
sa_readback_cached(int fd, uint64_t offset, uint64_t length)
{
#ifdef SYS_cachestat
	struct
	{
		uint64_t	offset;
		uint64_t	length;
	}			range = {offset, length};
	struct
	{
		uint64_t	cached;			/* pages */
		uint64_t	others[4];
	}			found = {0};

	if (syscall(SYS_cachestat, fd, &range, &found, 0) == 0)
		return found.cached > 0;
#endif
	return true;
}
