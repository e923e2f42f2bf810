/*
 * writers.c
 *	  How fast N processes overwrite random pages of one file, or of one file
 *	  each, by one method.
 *
 * Usage: writers METHOD one|many PROCESSES SECONDS, METHOD: writethrough, direct
 * or plain (which only fills the page cache; fdatasync every 256 pages).
 * Prints pages a second, all processes together.
 */
#define _GNU_SOURCE
#include "wt.h"

#include <sys/wait.h>
#include <time.h>

#define PAGES 4096

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void
make(const char *name)
{
	int			fd = open_file(name, O_TRUNC);
	char	   *page = aligned(PAGE);

	memset(page, 1, PAGE);
	for (int i = 0; i < PAGES; i++)
	{
		if (write(fd, page, PAGE) != PAGE)
			die("write");
	}
	if (fsync(fd) != 0)
		die("fsync");
	close(fd);
}

static long
work(const char *method, const char *name, double end)
{
	int			is_direct = strcmp(method, "direct") == 0;
	int			is_plain = strcmp(method, "plain") == 0;
	int			fd = open_file(name, is_direct ? O_DIRECT : 0);
	int			flags = is_plain ? 0 : is_direct ? RWF_ATOMIC : RWF_ATOMIC | through;
	char	   *page = aligned(PAGE);
	long		count = 0;

	memset(page, 2, PAGE);
	srandom((unsigned) getpid());
	while (now() < end)
	{
		if (write_flags(fd, page, PAGE, random() % PAGES * PAGE, flags) != PAGE)
			die("write to %s", name);
		if (++count % 256 == 0 && is_plain && fdatasync(fd) != 0)
			die("fdatasync");
	}
	return count;
}

int
main(int argc, char **argv)
{
	int			processes = argc == 5 ? atoi(argv[3]) : 0;
	int			many = argc == 5 && strcmp(argv[2], "many") == 0;
	long	   *counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long		sum = 0;
	double		end;

	find_flag();
	if (processes < 1 || processes > 64 || counts == MAP_FAILED)
		die("usage: writers METHOD one|many PROCESSES SECONDS");
	for (int i = 0; i < (many ? processes : 1); i++)
	{
		char		name[32];

		snprintf(name, sizeof(name), "writers%d", i);
		make(name);
	}
	end = now() + atof(argv[4]);
	for (int i = 0; i < processes; i++)
	{
		char		name[32];

		snprintf(name, sizeof(name), "writers%d", many ? i : 0);
		fflush(stdout);
		if (fork() == 0)
		{
			counts[i] = work(argv[1], name, end);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		continue;
	for (int i = 0; i < processes; i++)
		sum += counts[i];
	printf("%.0f\n", (double) sum / atof(argv[4]));
	return 0;
}
