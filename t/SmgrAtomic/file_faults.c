/*
 * file_faults.c
 *	  For tests: preloaded into a server (LD_PRELOAD), makes calls on one file
 *	  fail, and stops processes on their way to a PANIC.
 *
 * While the file "test_fault" is in the data directory (the current directory
 * of every server process) and holds "CALL WHO ERRNO TIMES PATH", the first TIMES
 * such calls on a file whose path ends with PATH, by processes that have WHO in
 * their title, fail with ERRNO.  Each leaves a line in "test_faults".  A PATH that
 * ends with a slash means all files below a directory of this path.  CALL is
 *
 *	  open		opening it
 *	  reserve	fallocate()
 *	  write		pwritev2(); ERRNO 0: half of it is written, for that once
 *	  start		sync_file_range() that starts a write-back
 *	  await		sync_file_range() that waits for one
 *	  truncate	ftruncate(); ERRNO 0: waits until "test_fault" is gone
 *
 * While the file "test_hold_panic" is there, who is about to say that it panics
 * creates "test_panicking" and waits until it is gone.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))

typedef struct Fault
{
	char		call[20];
	char		who[100];
	int			error;
	int			times;
	char		path[1000];
} Fault;

static int
read_fault(Fault *fault)
{
	FILE	   *file;
	int			ok;

	if (access("test_fault", F_OK) != 0)
		return 0;
	file = fopen("test_fault", "r");
	if (file == NULL)
		return 0;
	ok = fscanf(file, "%19s %99s %d %d %999s", fault->call, fault->who, &fault->error, &fault->times, fault->path) == 5;
	fclose(file);
	return ok;
}

static int
is_me(const char *who)
{
	char		title[1000] = "";
	FILE	   *file = fopen("/proc/self/cmdline", "r");

	if (file != NULL)
	{
		if (fgets(title, sizeof(title), file) == NULL)
			title[0] = '\0';
		fclose(file);
	}
	return strstr(title, who) != NULL;
}

static int
ends_with(const char *name, const char *end)
{
	size_t		length = strlen(name);

	if (end[strlen(end) - 1] == '/')
		return strstr(name, end) != NULL;
	return length >= strlen(end) && strcmp(name + length - strlen(end), end) == 0;
}

/* Leave a line; is it one of the first so many? */
static int
count(int times)
{
	int			fd = NEXT(open) ("test_faults", O_WRONLY | O_CREAT | O_APPEND, 0600);
	struct stat st = {0};

	if (fd < 0 || write(fd, "x\n", 2) != 2 || fstat(fd, &st) != 0)
		abort();
	close(fd);
	return st.st_size / 2 <= times;
}

static int
fails_by_name(const char *call, const char *name, int *error)
{
	Fault		fault;
	int			saved = errno;
	int			fails = read_fault(&fault) && strcmp(fault.call, call) == 0 && ends_with(name, fault.path) &&
		is_me(fault.who) && count(fault.times);

	errno = saved;
	*error = fault.error;
	return fails;
}

static int
fails(const char *call, int fd, int *error)
{
	char		link[64];
	char		name[4096];
	ssize_t		length;

	if (access("test_fault", F_OK) != 0)
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, name, sizeof(name) - 1);
	if (length < 0)
		return 0;
	name[length] = '\0';
	return fails_by_name(call, name, error);
}

int
open(const char *path, int flags,...)
{
	va_list		args;
	mode_t		mode;
	int			error;

	va_start(args, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
	va_end(args);
	if (fails_by_name("open", path, &error))
	{
		errno = error;
		return -1;
	}
	return NEXT(open) (path, flags, mode);
}

int
open64(const char *path, int flags,...)
{
	va_list		args;
	mode_t		mode;

	va_start(args, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
	va_end(args);
	return open(path, flags, mode);
}

ssize_t
pwritev2(int fd, const struct iovec *iov, int iovcnt, off_t offset, int flags)
{
	int			error;

	if (fails("write", fd, &error))
	{
		struct iovec half = {iov->iov_base, iov->iov_len / 2};

		errno = error;
		return error != 0 ? -1 : NEXT(pwritev2) (fd, &half, 1, offset, flags);
	}
	return NEXT(pwritev2) (fd, iov, iovcnt, offset, flags);
}

int
fallocate(int fd, int mode, off_t offset, off_t length)
{
	int			error;

	if (fails("reserve", fd, &error))
	{
		errno = error;
		return -1;
	}
	return NEXT(fallocate) (fd, mode, offset, length);
}

int
sync_file_range(int fd, off64_t offset, off64_t length, unsigned int flags)
{
	int			error;

	if (fails(flags == SYNC_FILE_RANGE_WRITE ? "start" : "await", fd, &error))
	{
		errno = error;
		return -1;
	}
	return NEXT(sync_file_range) (fd, offset, length, flags);
}

int
ftruncate(int fd, off_t length)
{
	int			error;

	if (fails("truncate", fd, &error))
	{
		while (error == 0 && access("test_fault", F_OK) == 0)
			usleep(5000);
		errno = error;
		if (error != 0)
			return -1;
	}
	return NEXT(ftruncate) (fd, length);
}

ssize_t
write(int fd, const void *data, size_t length)
{
	if (fd == STDERR_FILENO && access("test_hold_panic", F_OK) == 0 && memmem(data, length, "PANIC:", 6) != NULL)
	{
		close(creat("test_panicking", 0600));
		while (access("test_hold_panic", F_OK) == 0)
			usleep(5000);
	}
	return NEXT(write) (fd, data, length);
}
