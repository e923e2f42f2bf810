/*
 * race.c
 *	  Write-through against everything else that changes a file, all at once:
 *	  other write-through writers, plain and direct writers, mappings, truncation,
 *	  hole punching, memory pressure.  Afterwards the cache and the device must
 *	  agree, and pages that only atomic writers have written must be whole.
 *
 * Usage: race SECONDS
 */
#define _GNU_SOURCE
#include "wt.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#define PAGES 16
#define SIZE (PAGES * PAGE)

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static double end;
static int	fd,
			direct;

/* a mapped page that truncation has taken away */
static sigjmp_buf cut_off;

static void
on_sigbus(int number)
{
	(void) number;
	siglongjmp(cut_off, 1);
}

typedef void (*Worker) (int number, char *page, unsigned *seed);

static off_t
some_page(unsigned *seed)
{
	return (off_t) (rand_r(seed) % PAGES) * PAGE;
}

/* A page that says in each 512 bytes who wrote it and when. */
static void
stamp(char *page, int number, unsigned *seed)
{
	uint64_t	value = ((uint64_t) (number + 1) << 32) | (uint32_t) rand_r(seed);

	for (size_t i = 0; i < PAGE / sizeof(value); i++)
		((uint64_t *) page)[i] = value;
}

static void
must(int good, const char *what)
{
	if (!good)
	{
		printf("# %s: %s\n", what, strerror(errno));
		fflush(stdout);
		_exit(1);
	}
}

static void
by_writethrough(int number, char *page, unsigned *seed)
{
	stamp(page, number, seed);
	errno = 0;
	must(write_atomic(fd, page, PAGE, some_page(seed)) == PAGE, "write-through");
}

static void
by_direct(int number, char *page, unsigned *seed)
{
	stamp(page, number, seed);
	must(write_flags(direct, page, PAGE, some_page(seed), RWF_ATOMIC) == PAGE, "direct write");
}

static void
by_plain(int number, char *page, unsigned *seed)
{
	stamp(page, number, seed);
	must(pwrite(fd, page, PAGE, some_page(seed)) == PAGE, "plain write");
	if (rand_r(seed) % 8 == 0)
		must(fdatasync(fd) == 0, "fdatasync");
}

static void
by_mapping(int number, char *page, unsigned *seed)
{
	off_t		at = some_page(seed);
	char	   *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, at);

	must(map != MAP_FAILED, "mmap");
	stamp(page, number, seed);
	if (sigsetjmp(cut_off, 1) == 0)
	{
		for (int i = 0; i < 4; i++)
			memcpy(map, page, PAGE);
	}
	munmap(map, PAGE);
}

/* A reader that has pages mapped and in use, and lets them go. */
static void
by_reading(int number, char *page, unsigned *seed)
{
	off_t		at = some_page(seed);
	volatile char *map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, at);

	(void) number;
	must(map != MAP_FAILED, "mmap");
	if (sigsetjmp(cut_off, 1) == 0)
	{
		for (int i = 0; i < PAGE; i += 64)
			(void) map[i];
	}
	munmap((void *) map, PAGE);
	must(pread(fd, page, PAGE, some_page(seed)) >= 0, "read");
	must(pread(direct, page, PAGE, some_page(seed)) >= 0, "direct read");
	if (rand_r(seed) % 4 == 0)
		posix_fadvise(fd, some_page(seed), PAGE, POSIX_FADV_DONTNEED);
}

static void
by_cutting(int number, char *page, unsigned *seed)
{
	(void) number;
	(void) page;
	switch (rand_r(seed) % 3)
	{
		case 0:
			must(ftruncate(fd, some_page(seed) + rand_r(seed) % PAGE) == 0, "ftruncate");
			break;
		case 1:
			must(ftruncate(fd, SIZE) == 0, "ftruncate");
			break;
		case 2:
			must(fallocate(fd, 3, some_page(seed), PAGE) == 0, "fallocate");
	}
	usleep(1000);
}

static void
start(Worker worker, int number)
{
	pid_t		pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0)
	{
		char	   *page = aligned(PAGE);
		unsigned	seed = (unsigned) number * 7919 + 1;
		long		count = 0;

		signal(SIGBUS, on_sigbus);
		for (; now() < end; count++)
			worker(number, page, &seed);
		_exit(count > 0 ? 0 : 2);
	}
}

static int
is_whole(const char *page)
{
	for (int i = 8; i < PAGE; i += 8)
	{
		if (memcmp(page, page + i, 8) != 0)
			return 0;
	}
	return 1;
}

/*
 * Let workers loose, then look at the file.  The cache is compared first with
 * what is on the device as it is (clean == 1: all writers leave it clean).
 */
static void
race(const char *name, double seconds, int clean, int whole, const Worker *workers, int count)
{
	char	   *cached = aligned(SIZE);
	char	   *stored = aligned(SIZE);
	int			status,
				failed = 0,
				torn = 0;

	memset(cached, 0, SIZE);
	if (ftruncate(fd, 0) != 0 || pwrite(fd, cached, SIZE, 0) != SIZE || fsync(fd) != 0)
		die("write");
	end = now() + seconds;
	for (int i = 0; i < count; i++)
		start(workers[i], i);
	while (wait(&status) > 0)
		failed += status != 0;
	ok(failed == 0, "%s: every process could work", name);

	if (clean)
		ok(cache_of(fd, 0, SIZE).dirty == 0, "%s: nothing is dirty", name);
	else if (ftruncate(fd, SIZE) != 0)
		die("ftruncate");
	if (pread(fd, cached, SIZE, 0) != SIZE)
		die("read");
	if (!clean && fsync(fd) != 0)
		die("fsync");
	if (pread(direct, stored, SIZE, 0) != SIZE)
		die("direct read");
	ok(memcmp(cached, stored, SIZE) == 0, "%s: cache and device agree", name);
	for (int i = 0; i < PAGES; i++)
		torn += !is_whole(stored + i * PAGE);
	if (whole)
		ok(torn == 0, "%s: every page is whole", name);
	else
		printf("# %s: %d of %d pages of several writers\n", name, torn, PAGES);
	free(cached);
	free(stored);
}

int
main(int argc, char **argv)
{
	static const Worker through_only[] = {by_writethrough, by_writethrough, by_writethrough};
	static const Worker with_readers[] = {by_writethrough, by_reading, by_writethrough, by_reading};
	static const Worker with_direct[] = {by_writethrough, by_direct, by_writethrough, by_reading};
	static const Worker with_plain[] = {by_writethrough, by_plain, by_writethrough, by_reading};
	static const Worker with_mapping[] = {by_writethrough, by_mapping, by_writethrough, by_reading};
	static const Worker with_cutting[] = {by_writethrough, by_cutting, by_writethrough, by_reading};
	/* not direct writers: with mappings they alone make fsync() return EIO */
	static const Worker with_all[] = {by_writethrough, by_plain, by_mapping, by_reading,
	by_cutting, by_writethrough};
	double		seconds = argc == 2 ? atof(argv[1]) : 0;

	find_flag();
	if (seconds <= 0)
		die("usage: race SECONDS");
	fd = open_file("race", O_TRUNC);
	direct = open_file("race", O_DIRECT);
	race("write-through", seconds, 1, 1, through_only, 3);
	race("readers", seconds, 1, 1, with_readers, 4);
	race("direct writers", seconds, 1, 1, with_direct, 4);
	race("plain writers", seconds, 0, 1, with_plain, 4);
	race("mappings", seconds, 0, 0, with_mapping, 4);
	race("truncation", seconds, 0, 0, with_cutting, 4);
	race("all but direct writers", seconds, 0, 0, with_all, 6);
	return done_testing();
}
