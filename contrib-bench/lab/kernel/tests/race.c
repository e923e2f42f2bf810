/*
 * race.c
 *	  Write-through against everything else that changes a file, all at once:
 *	  other write-through writers, plain and direct writers, mappings, truncation,
 *	  hole punching.  Afterwards the cache and the device must agree, and pages
 *	  that only atomic writers have written must be whole.  And a clone of the
 *	  file, taken meanwhile, must be the file as it was at one moment.
 *
 * Usage: race SECONDS
 */
#define _GNU_SOURCE
#include "wt.h"

#include <linux/fs.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>

#define PAGES 16
#define SIZE (PAGES * PAGE)
#define CLONE_PAGES 4096

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

/*
 * A reader that has pages mapped and in use, and lets them go.
 *
 * It does not read directly.  A direct read has the cache written back and then
 * looks where the blocks are; a store to a mapped hole in between leaves a
 * delayed allocation there, and the read fails with EIO ("Direct I/O collision
 * with buffered writes").  That is so without write-through and the patch, too.
 */
static void
by_cached_reading(int number, char *page, unsigned *seed)
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
	if (rand_r(seed) % 4 == 0)
		posix_fadvise(fd, some_page(seed), PAGE, POSIX_FADV_DONTNEED);
}

/* For races in which no mapping is stored to. */
static void
by_reading(int number, char *page, unsigned *seed)
{
	by_cached_reading(number, page, seed);
	must(pread(direct, page, PAGE, some_page(seed)) >= 0, "direct read");
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

		signal(SIGBUS, on_sigbus);
		/* once at least, however late it is on a slow machine */
		do
			worker(number, page, &seed);
		while (now() < end);
		_exit(0);
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

/* Pages of CLONE_PAGES, every other one written: as many extents to be shared. */
static int
fragmented_file(const char *name)
{
	int			file = open_file(name, O_TRUNC | O_DIRECT);
	char	   *page = aligned(PAGE);

	memset(page, 0, PAGE);
	if (fallocate(file, 0, 0, (off_t) CLONE_PAGES * PAGE) != 0)
		die("fallocate");
	for (int i = 0; i < CLONE_PAGES; i++)
	{
		if ((i % 2 == 0 || i == CLONE_PAGES - 1) && pwrite(file, page, PAGE, (off_t) i * PAGE) != PAGE)
			die("write");
	}
	free(page);
	close(file);
	return open_file(name, 0);
}

/* The first page, then the last, say which write they are from; until killed. */
static void
write_both_ends(int file, volatile uint64_t *written)
{
	char	   *page = aligned(PAGE);

	for (uint64_t write = 1;; write++)
	{
		for (size_t i = 0; i < PAGE / sizeof(write); i++)
			((uint64_t *) page)[i] = write;
		must(write_atomic(file, page, PAGE, 0) == PAGE, "write-through");
		must(write_atomic(file, page, PAGE, (off_t) (CLONE_PAGES - 1) * PAGE) == PAGE, "write-through");
		*written = write;
	}
}

/* Until the writer has written more. */
static void
wait_for_more(const volatile uint64_t *written, pid_t writer)
{
	uint64_t	before = *written;

	while (*written < before + 2)
	{
		must(waitpid(writer, NULL, WNOHANG) == 0, "the writer ended");
		usleep(1000);
	}
}

/*
 * XFS shares extent by extent, from the first to the last, and lets readers in
 * meanwhile.  A writer must not come in: the clone would have its last page from
 * a later time than its first.
 */
static void
clones(int count)
{
	int			file = fragmented_file("cloned");
	volatile uint64_t *written = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t	first = 0,
				last = 0;
	int			later = 0,
				status;
	pid_t		writer;

	fflush(stdout);
	if (written == MAP_FAILED || (writer = fork()) < 0)
		die("fork");
	if (writer == 0)
		write_both_ends(file, written);
	for (int i = 0; i < count; i++)
	{
		int			clone = open_file("clone", O_TRUNC);

		wait_for_more(written, writer);
		if (ioctl(clone, FICLONE, file) != 0)
			die("FICLONE");
		if (pread(clone, &first, sizeof(first), 0) != sizeof(first) ||
			pread(clone, &last, sizeof(last), (off_t) (CLONE_PAGES - 1) * PAGE) != sizeof(last))
			die("read");
		later += first != last && first != last + 1;
		close(clone);
	}
	printf("# the last clone has writes %ld and %ld\n", (long) first, (long) last);
	ok(first > 0, "clones: taken from a file that is being written");
	ok(later == 0, "clones: each of one moment");
	ok(waitpid(writer, &status, WNOHANG) == 0, "clones: the writer could work");
	kill(writer, SIGKILL);
	waitpid(writer, &status, 0);
	close(file);
	unlink("clone");
	unlink("cloned");
}

int
main(int argc, char **argv)
{
	static const Worker through_only[] = {by_writethrough, by_writethrough, by_writethrough};
	static const Worker with_readers[] = {by_writethrough, by_reading, by_writethrough, by_reading};
	static const Worker with_direct[] = {by_writethrough, by_direct, by_writethrough, by_reading};
	static const Worker with_plain[] = {by_writethrough, by_plain, by_writethrough, by_reading};
	static const Worker with_mapping[] = {by_writethrough, by_mapping, by_writethrough, by_cached_reading};
	static const Worker with_cutting[] = {by_writethrough, by_cutting, by_writethrough, by_reading};
	/* not direct writers: with mappings they alone make fsync() return EIO */
	static const Worker with_all[] = {by_writethrough, by_plain, by_mapping, by_cached_reading,
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
	clones(5);
	return done_testing();
}
