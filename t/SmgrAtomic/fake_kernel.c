/*
 * fake_kernel.c
 *	  For tests: preloaded into smgr-atomic-check (LD_PRELOAD), a stand-in for
 *	  kernels that we do not run.
 *
 *	  TEST_KERNEL=RELEASE	uname() says so, and statx() gives what a kernel of
 *							that version has: no atomic writes before 6.11, none
 *							of more than a block of 4096 bytes before 6.16
 *	  TEST_FILESYSTEM=NAME	/proc/self/mountinfo names every filesystem so
 *	  TEST_OPTIONS=LIST		... and gives every mount these options
 *	  TEST_DAX=1			statx() says that files bypass the page cache
 *	  TEST_FAIL=CALL:ERRNO	pwritev2, open or fdatasync fails; "short" for
 *							ERRNO is a write of half a page, "pread:wrong" reads
 *							other bytes than were written
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <unistd.h>

#define NEXT(name) __typeof__(&name) next = (__typeof__(&name)) dlsym(RTLD_NEXT, #name)

/* of struct statx: offsets of mask, attributes and atomic_write_unit_max */
#define STATX_MASK 0
#define STATX_ATTRIBUTES 8
#define STATX_UNIT_MAX 172
#define WRITE_ATOMIC 0x00010000U
#define ATTR_DAX 0x00200000U

static int
fails(const char *call)
{
	const char *fail = getenv("TEST_FAIL");
	size_t		length = strlen(call);

	if (fail == NULL || strncmp(fail, call, length) != 0 || fail[length] != ':')
		return 0;
	if (strcmp(fail + length + 1, "short") == 0)
		return -1;
	return atoi(fail + length + 1);
}

static int
kernel(void)
{
	unsigned	major,
				minor;
	const char *release = getenv("TEST_KERNEL");

	if (release == NULL || sscanf(release, "%u.%u", &major, &minor) != 2)
		return 1000000;
	return (int) (major * 1000 + minor);
}

int
uname(struct utsname *name)
{
	NEXT(uname);
	int			rc = next(name);

	if (getenv("TEST_KERNEL") != NULL)
		snprintf(name->release, sizeof(name->release), "%s", getenv("TEST_KERNEL"));
	return rc;
}

long
syscall(long number,...)
{
	NEXT(syscall);
	va_list		args;
	long		a[6];
	long		rc;
	uint32_t	value;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	rc = next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (number != SYS_statx || rc != 0)
		return rc;
	if (getenv("TEST_DAX") != NULL)
	{
		memcpy(&value, (char *) a[4] + STATX_ATTRIBUTES, sizeof(value));
		value |= ATTR_DAX;
		memcpy((char *) a[4] + STATX_ATTRIBUTES, &value, sizeof(value));
	}
	if (kernel() < 6011)
	{
		memcpy(&value, (char *) a[4] + STATX_MASK, sizeof(value));
		value &= ~WRITE_ATOMIC;
		memcpy((char *) a[4] + STATX_MASK, &value, sizeof(value));
	}
	else if (kernel() < 6016)
	{
		memcpy(&value, (char *) a[4] + STATX_UNIT_MAX, sizeof(value));
		value = value > 4096 ? 4096 : value;
		memcpy((char *) a[4] + STATX_UNIT_MAX, &value, sizeof(value));
	}
	return rc;
}

FILE *
fopen(const char *path, const char *mode)
{
	NEXT(fopen);
	FILE	   *file = next(path, mode);
	FILE	   *faked;
	char	   *line = NULL;
	size_t		size = 0;

	if (file == NULL || strcmp(path, "/proc/self/mountinfo") != 0 || getenv("TEST_FILESYSTEM") == NULL)
		return file;
	faked = tmpfile();
	while (faked != NULL && getline(&line, &size, file) > 0)
	{
		char		id[32];
		char	   *dash = strstr(line, " - ");

		if (dash == NULL || sscanf(line, "%31s", id) != 1)
			continue;
		fprintf(faked, "%s 1 0:1 / / rw - %s /dev/none %s\n", id, getenv("TEST_FILESYSTEM"),
				getenv("TEST_OPTIONS") ? getenv("TEST_OPTIONS") : "rw");
	}
	free(line);
	fclose(file);
	if (faked != NULL)
		rewind(faked);
	return faked;
}

int
open(const char *path, int flags,...)
{
	NEXT(open);
	va_list		args;
	int			mode;

	va_start(args, flags);
	mode = va_arg(args, int);
	va_end(args);
	if ((flags & O_TMPFILE) == O_TMPFILE && fails("open") != 0)
	{
		errno = fails("open");
		return -1;
	}
	return next(path, flags, mode);
}

ssize_t
pwritev2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	NEXT(pwritev2);

	if (fails("pwritev2") < 0)
		return (ssize_t) iov->iov_len / 2;
	if (fails("pwritev2") > 0)
	{
		errno = fails("pwritev2");
		return -1;
	}
	return next(fd, iov, count, offset, flags);
}

int
fdatasync(int fd)
{
	NEXT(fdatasync);

	if (fails("fdatasync") != 0)
	{
		errno = fails("fdatasync");
		return -1;
	}
	return next(fd);
}

ssize_t
pread(int fd, void *buffer, size_t size, off_t offset)
{
	NEXT(pread);
	ssize_t		got = next(fd, buffer, size, offset);

	if (getenv("TEST_FAIL") != NULL && strcmp(getenv("TEST_FAIL"), "pread:wrong") == 0)
		memset(buffer, 0, size);
	return got;
}
