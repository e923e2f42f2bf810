/*
 * wt.h
 *	  What the tests of RWF_WRITETHROUGH have in common.  Each of them takes the
 *	  flag's number from the environment (RWF_WRITETHROUGH=0x...), prints TAP,
 *	  and works in the current directory.
 */
#ifndef WT_H
#define WT_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef RWF_ATOMIC
#define RWF_ATOMIC 0x40
#endif
#ifndef RWF_DONTCACHE
#define RWF_DONTCACHE 0x80
#endif
#define BLOCK 4096
#define PAGE (2 * BLOCK)

static int	through;			/* RWF_WRITETHROUGH */
static int	tests_run,
			tests_failed;

static inline void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *fmt,...)
{
	va_list		args;

	printf("Bail out! ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf(": %s\n", strerror(errno));
	exit(1);
}

static inline void __attribute__((format(printf, 2, 3)))
ok(int good, const char *fmt,...)
{
	va_list		args;

	tests_run++;
	tests_failed += !good;
	printf("%sok %d - ", good ? "" : "not ", tests_run);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

static inline int
done_testing(void)
{
	printf("1..%d\n", tests_run);
	return tests_failed != 0;
}

static inline void
find_flag(void)
{
	const char *number = getenv("RWF_WRITETHROUGH");

	through = number != NULL ? (int) strtol(number, NULL, 0) : 0;
	if (through == 0)
	{
		errno = ENOENT;
		die("RWF_WRITETHROUGH in the environment");
	}
}

/* Result, or -errno. */
static inline long
write_flags(int fd, const void *data, size_t length, off_t offset, int flags)
{
	struct iovec iov = {(void *) data, length};
	ssize_t		done;

	do
		done = pwritev2(fd, &iov, 1, offset, flags);
	while (done < 0 && errno == EAGAIN);
	return done < 0 ? -errno : done;
}

static inline long
write_atomic(int fd, const void *data, size_t length, off_t offset)
{
	return write_flags(fd, data, length, offset, through | RWF_ATOMIC);
}

static inline void *
aligned(size_t length)
{
	void	   *p = NULL;

	if (posix_memalign(&p, 65536, length) != 0)
		die("memory");
	return p;
}

static inline int
open_file(const char *name, int flags)
{
	int			fd = open(name, O_RDWR | O_CREAT | flags, 0600);

	if (fd < 0)
		die("%s", name);
	return fd;
}

/* What the page cache has of a range: cachestat(2), since 6.5. */
struct wt_range
{
	uint64_t	offset,
				length;
};

struct wt_cachestat
{
	uint64_t	cached,
				dirty,
				writeback,
				evicted,
				recently_evicted;
};

static inline struct wt_cachestat
cache_of(int fd, off_t offset, size_t length)
{
	struct wt_range range = {(uint64_t) offset, length};
	struct wt_cachestat stat;

	if (syscall(451, fd, &range, &stat, 0) != 0)
		die("cachestat");
	return stat;
}

/* Largest atomic write to a file, in bytes: stx_atomic_write_unit_max. */
static inline size_t
unit_max_of(int fd)
{
	uint32_t	stx[64];

	if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, 0x10000 /* STATX_WRITE_ATOMIC */ , stx) != 0)
		die("statx");
	return stx[172 / sizeof(uint32_t)];
}

#endif							/* WT_H */
