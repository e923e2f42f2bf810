/*
 * hold_fsync.c
 *	  For tests: preloaded into a server (LD_PRELOAD), stops a checkpoint in
 *	  the middle, in its sync phase.
 *
 * While the file "test_hold" is in the data directory (the current directory
 * of every server process) and holds "N PATH", fsync() of a file whose path
 * ends with PATH creates "test_held" with N in it and waits until N changes or
 * the file is gone.
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
ends_with(int fd, const char *path)
{
	char		link[64];
	char		name[4096];
	ssize_t		length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, name, sizeof(name) - 1);
	if (length < (ssize_t) strlen(path))
		return 0;
	name[length] = '\0';
	return strcmp(name + length - strlen(path), path) == 0;
}

int
fsync(int fd)
{
	int			(*next) (int) = (int (*) (int)) dlsym(RTLD_NEXT, "fsync");
	char		path[1000];
	int			number = read_hold(path);

	if (number != 0 && ends_with(fd, path))
	{
		FILE	   *held = fopen("test_held.new", "w");

		fprintf(held, "%d\n", number);
		fclose(held);
		rename("test_held.new", "test_held");
		while (read_hold(path) == number)
			usleep(5000);
	}
	return next(fd);
}
