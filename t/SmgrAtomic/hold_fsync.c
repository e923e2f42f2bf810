/*
 * hold_fsync.c
 *	  For tests: preloaded into a server (LD_PRELOAD), stops a process in the
 *	  middle: a checkpoint in its sync phase, or whoever writes to a file or
 *	  removes a directory.
 *
 * While the file "test_hold" is in the data directory (the current directory
 * of every server process) and holds "N PATH", fsync() of a file whose path
 * ends with PATH creates "test_held" with N in it and waits until N changes or
 * the file is gone.  With "N pwrite:PATH" that is pwrite(), with "N rmdir:PATH"
 * rmdir().
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int
read_hold(char *path)
{
	FILE	   *file = fopen("test_hold", "r");
	int			number = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%d %999s", &number, path) != 2)
		number = 0;
	fclose(file);
	return number;
}

static int
ends_with(const char *name, const char *path)
{
	size_t		length = strlen(name);

	return length >= strlen(path) && strcmp(name + length - strlen(path), path) == 0;
}

/* call is "" for fsync() */
static void
hold(const char *call, const char *name)
{
	char		path[1000];
	int			number = read_hold(path);
	FILE	   *held;

	if (number == 0 || strncmp(path, call, strlen(call)) != 0 || !ends_with(name, path + strlen(call)))
		return;
	held = fopen("test_held.new", "w");
	fprintf(held, "%d\n", number);
	fclose(held);
	rename("test_held.new", "test_held");
	while (read_hold(path) == number)
		usleep(5000);
}

static void
hold_file(const char *call, int fd)
{
	char		link[64];
	char		name[4096];
	ssize_t		length;

	if (access("test_hold", F_OK) != 0)
		return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, name, sizeof(name) - 1);
	if (length < 0)
		return;
	name[length] = '\0';
	hold(call, name);
}

int
fsync(int fd)
{
	int			(*next) (int) = (int (*) (int)) dlsym(RTLD_NEXT, "fsync");

	hold_file("", fd);
	return next(fd);
}

ssize_t
pwrite(int fd, const void *data, size_t size, off_t offset)
{
	static ssize_t (*next) (int, const void *, size_t, off_t) = NULL;

	if (next == NULL)
		next = (ssize_t (*) (int, const void *, size_t, off_t)) dlsym(RTLD_NEXT, "pwrite");
	hold_file("pwrite:", fd);
	return next(fd, data, size, offset);
}

int
rmdir(const char *name)
{
	int			(*next) (const char *) = (int (*) (const char *)) dlsym(RTLD_NEXT, "rmdir");

	hold("rmdir:", name);
	return next(name);
}
