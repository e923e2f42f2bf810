/*
 * writethrough_standin.c
 *	  A stand-in for kernels without RWF_WRITETHROUGH, for tests: preloaded into
 *	  a process (LD_PRELOAD), it answers pwritev2() with that flag.
 *
 * RWF_WRITETHROUGH|RWF_ATOMIC on an ordinary descriptor is forwarded as a
 * direct atomic write on a second descriptor of the same file.  The kernel
 * writes back and drops what the page cache has of the range, so the ordinary
 * descriptor reads the new data; one read through it puts them into the cache,
 * where the real call would have left them.  What the storage refuses is
 * refused here with the same error.
 *
 * This is the call's ABI and no more: it says nothing about speed, or about
 * what a kernel does when it writes from its page cache.  io_uring does not
 * come by here, so smgr_atomic.io_uring must be off.
 *
 * Environment:
 *	  SMGR_ATOMIC_STANDIN_FLAG	the flag's number; without it nothing is answered
 *	  SMGR_ATOMIC_STANDIN_LOG	a line is appended for each call:
 *								"PID OFFSET LENGTH SEGMENTS FLAGS O_DIRECT RESULT PATH"
 *	  SMGR_ATOMIC_STANDIN_REFUSE	files whose path begins so get EOPNOTSUPP, as
 *								on a filesystem that does not know the flag
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef RWF_ATOMIC
#define RWF_ATOMIC 0x40			/* include/uapi/linux/fs.h, since 6.11 */
#endif

#define MAX_LENGTH (1024 * 1024)

typedef ssize_t (*Pwritev2) (int, const struct iovec *, int, off_t, int);

static void
get_path(int fd, char *path, size_t size)
{
	char		link[64];
	ssize_t		length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, size - 1);
	path[length < 0 ? 0 : length] = '\0';
}

static void
log_call(const char *path, const struct iovec *iov, int count, off_t offset, int flags,
		 int open_flags, ssize_t result)
{
	const char *log = getenv("SMGR_ATOMIC_STANDIN_LOG");
	char		line[4300];
	int			length;
	int			fd;

	if (log == NULL || (fd = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) < 0)
		return;
	length = snprintf(line, sizeof(line), "%d %lld %zu %d 0x%x %d %zd %s\n", (int) getpid(),
					  (long long) offset, iov[0].iov_len, count, (unsigned) flags,
					  (open_flags & O_DIRECT) != 0, result, path);
	if (write(fd, line, length) != length)
		abort();
	close(fd);
}

/* The write itself; -1 with errno set, as the call. */
static ssize_t
write_directly(Pwritev2 next, int fd, const struct iovec *iov, off_t offset, int flags)
{
	static char buffer[2 * MAX_LENGTH];
	char	   *aligned = (char *) (((size_t) buffer + MAX_LENGTH - 1) / MAX_LENGTH * MAX_LENGTH);
	struct iovec copy = {aligned, iov->iov_len};
	char		link[64];
	int			direct;
	ssize_t		done;
	int			error;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	direct = open(link, O_WRONLY | O_DIRECT | O_CLOEXEC);
	if (direct < 0)
		return -1;
	memcpy(aligned, iov->iov_base, iov->iov_len);
	done = next(direct, &copy, 1, offset, flags);
	error = errno;
	close(direct);
	if (done == (ssize_t) iov->iov_len && pread(fd, aligned, iov->iov_len, offset) != done)
		abort();
	errno = error;
	return done;
}

static ssize_t
answer(Pwritev2 next, const char *path, int fd, const struct iovec *iov, int count,
	   off_t offset, int flags, int flag, int open_flags)
{
	const char *refuse = getenv("SMGR_ATOMIC_STANDIN_REFUSE");
	int			error = 0;

	if (refuse != NULL && strncmp(path, refuse, strlen(refuse)) == 0)
		error = EOPNOTSUPP;
	else if ((open_flags & O_DIRECT) != 0 || count != 1 || iov[0].iov_len > MAX_LENGTH)
		error = EINVAL;
	else if ((flags & RWF_ATOMIC) == 0)
		error = EOPNOTSUPP;		/* nobody here needs it without */
	if (error != 0)
	{
		errno = error;
		return -1;
	}
	return write_directly(next, fd, iov, offset, flags & ~flag);
}

ssize_t
pwritev2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	Pwritev2	next = (Pwritev2) dlsym(RTLD_NEXT, "pwritev2");
	const char *number = getenv("SMGR_ATOMIC_STANDIN_FLAG");
	int			flag = number != NULL ? (int) strtol(number, NULL, 0) : 0;
	int			open_flags;
	char		path[4096];
	ssize_t		done;
	int			error;

	if ((flags & flag) == 0)
		return next(fd, iov, count, offset, flags);
	open_flags = fcntl(fd, F_GETFL);
	if (open_flags < 0)
		return -1;
	get_path(fd, path, sizeof(path));
	done = answer(next, path, fd, iov, count, offset, flags, flag, open_flags);
	error = errno;
	log_call(path, iov, count, offset, flags, open_flags, done < 0 ? -error : done);
	errno = error;
	return done;
}
