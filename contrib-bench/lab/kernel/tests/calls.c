/*
 * calls.c
 *	  One call at a time: what RWF_WRITETHROUGH leaves in the page cache and on
 *	  the device, with and without RWF_ATOMIC, and what it refuses.
 *
 * Usage: calls, in a directory that takes atomic writes; or calls --refused, in
 * one on a filesystem that does not know the flag.
 */
#define _GNU_SOURCE
#include "wt.h"

#include <signal.h>
#include <sys/resource.h>

#define SIZE (1024 * 1024)

static int	fd,
			direct;
static char *page,
		   *got;

static void
fill(char *buffer, size_t length, int c)
{
	memset(buffer, c, length);
}

/* Is a range the same byte all over, read in both ways, without a sync before? */
static int
holds(off_t offset, size_t length, int c)
{
	char	   *wanted = aligned(length);
	char	   *cached = aligned(length);
	char	   *stored = aligned(length);
	int			same;

	fill(wanted, length, c);
	same = pread(fd, cached, length, offset) == (ssize_t) length &&
		memcmp(cached, wanted, length) == 0 &&
		pread(direct, stored, length, offset) == (ssize_t) length &&
		memcmp(stored, wanted, length) == 0;
	free(wanted);
	free(cached);
	free(stored);
	return same;
}

/* The first reads of a direct descriptor write the cache back: look before. */
static int
is_clean_and_cached(off_t offset, size_t length)
{
	struct wt_cachestat stat = cache_of(fd, offset, length);

	if (stat.dirty != 0 || stat.writeback != 0 || stat.cached != length / BLOCK)
		printf("# cached %ld dirty %ld writeback %ld of %zu\n", (long) stat.cached,
			   (long) stat.dirty, (long) stat.writeback, length / BLOCK);
	return stat.cached == length / BLOCK && stat.dirty == 0 && stat.writeback == 0;
}

static int
is_resident(off_t offset, size_t length)
{
	unsigned char vector[SIZE / BLOCK];
	void	   *map = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, offset);
	int			resident = 1;

	if (map == MAP_FAILED || mincore(map, length, vector) != 0)
		die("mincore");
	for (size_t i = 0; i < length / BLOCK; i++)
		resident &= vector[i] & 1;
	munmap(map, length);
	return resident;
}

static void
check(const char *what, off_t offset, size_t length, int c)
{
	int			resident = is_resident(offset, length);

	ok(is_clean_and_cached(offset, length) && resident, "%s: cached and clean", what);
	ok(holds(offset, length, c), "%s: in the cache and on the device", what);
}

static void
drop_cache(void)
{
	if (fsync(fd) != 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
		die("fadvise");
}

/* The means of observation see a difference where there is one. */
static void
test_controls(void)
{
	fill(page, PAGE, 'a');
	if (pwrite(fd, page, PAGE, 0) != PAGE)
		die("write");
	ok(cache_of(fd, 0, PAGE).dirty == 2, "control: a plain write is dirty in the cache");
	ok(write_flags(direct, page, PAGE, 0, RWF_ATOMIC) == PAGE, "control: a direct atomic write");
	ok(cache_of(fd, 0, PAGE).cached == 0, "control: is not in the cache afterwards");
	drop_cache();
	ok(cache_of(fd, 0, SIZE).cached == 0 && !is_resident(0, PAGE), "control: an empty cache is seen");
}

static void
test_atomic(size_t unit_max)
{
	char	   *large = aligned(unit_max);

	fill(page, PAGE, 'b');
	drop_cache();
	ok(write_atomic(fd, page, PAGE, 3 * PAGE) == PAGE, "a page that is not cached");
	check("a page that was not cached", 3 * PAGE, PAGE, 'b');

	fill(page, PAGE, 'c');
	(void) !pread(fd, got, PAGE, 3 * PAGE);
	ok(write_atomic(fd, page, PAGE, 3 * PAGE) == PAGE, "a page that is cached");
	check("a page that was cached", 3 * PAGE, PAGE, 'c');

	fill(page, PAGE, 'd');
	(void) !pwrite(fd, page, PAGE, 3 * PAGE);
	fill(page, PAGE, 'e');
	ok(write_atomic(fd, page, PAGE, 3 * PAGE) == PAGE, "a page that is dirty");
	check("a page that was dirty", 3 * PAGE, PAGE, 'e');

	for (size_t length = BLOCK; length <= unit_max && length <= SIZE; length *= 2)
	{
		fill(large, length, 'f');
		ok(write_atomic(fd, large, length, 0) == (long) length, "%zu bytes", length);
		check("that many", 0, length, 'f');
	}
	free(large);
}

/* Neighbours in one large folio, clean and dirty, keep what they have. */
static void
test_neighbours(void)
{
	char	   *large = aligned(SIZE);

	fill(large, SIZE, 'g');
	(void) !pwrite(fd, large, SIZE, 0);
	fill(page, PAGE, 'h');
	ok(write_atomic(fd, page, PAGE, 4 * PAGE) == PAGE, "a page among dirty ones");
	check("a page among dirty ones", 4 * PAGE, PAGE, 'h');
	ok(holds(0, 4 * PAGE, 'g') && holds(5 * PAGE, SIZE - 5 * PAGE, 'g'), "neighbours have their data");

	drop_cache();
	for (size_t at = 0; at < SIZE; at += 65536)	/* read ahead */
		(void) !pread(fd, large, 65536, (off_t) at);
	fill(page, PAGE, 'i');
	ok(write_atomic(fd, page, PAGE, 7 * PAGE) == PAGE, "a page among clean ones");
	check("a page among clean ones", 7 * PAGE, PAGE, 'i');
	ok(holds(5 * PAGE, 2 * PAGE, 'g') && holds(8 * PAGE, SIZE - 8 * PAGE, 'g'),
	   "neighbours have their data");
	free(large);
}

static void
test_mapping(void)
{
	char	   *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 9 * PAGE);

	if (map == MAP_FAILED)
		die("mmap");
	fill(map, PAGE, 'j');
	fill(page, PAGE, 'k');
	ok(write_atomic(fd, page, PAGE, 9 * PAGE) == PAGE, "a page that a mapping has dirtied");
	check("a page that a mapping has dirtied", 9 * PAGE, PAGE, 'k');
	ok(memcmp(map, page, PAGE) == 0, "the mapping has the new data");
	map[17] = 'x';
	ok(cache_of(fd, 9 * PAGE, PAGE).dirty > 0, "a store to the mapping makes it dirty again");
	if (msync(map, PAGE, MS_SYNC) != 0 || pread(direct, got, PAGE, 9 * PAGE) != PAGE)
		die("msync");
	ok(got[17] == 'x' && got[18] == 'k', "and msync() brings that to the device");

	/* the data may come from a mapping of the very page */
	fill(map, PAGE, 'l');
	ok(write_atomic(fd, map, PAGE, 9 * PAGE) == PAGE, "a page from its own mapping");
	check("a page from its own mapping", 9 * PAGE, PAGE, 'l');
	munmap(map, PAGE);
}

static void
test_end_of_file(void)
{
	fill(page, PAGE, 'm');
	ok(write_atomic(fd, page, PAGE, SIZE) == PAGE && lseek(fd, 0, SEEK_END) == SIZE + PAGE,
	   "at the end: the file grows");
	check("at the end", SIZE, PAGE, 'm');
	ok(write_atomic(fd, page, PAGE, SIZE + 4 * PAGE) == PAGE &&
	   lseek(fd, 0, SEEK_END) == SIZE + 5 * PAGE, "beyond the end: the file grows");
	check("beyond the end", SIZE + 4 * PAGE, PAGE, 'm');
	ok(holds(SIZE + PAGE, 3 * PAGE, 0), "and has zeros between");

	if (ftruncate(fd, SIZE + 4 * PAGE + 100) != 0)
		die("ftruncate");
	fill(page, PAGE, 'n');
	ok(write_atomic(fd, page, PAGE, SIZE + 4 * PAGE) == PAGE &&
	   lseek(fd, 0, SEEK_END) == SIZE + 5 * PAGE, "across the end: the file grows");
	check("across the end", SIZE + 4 * PAGE, PAGE, 'n');

	if (fallocate(fd, 3 /* PUNCH_HOLE|KEEP_SIZE */ , 0, 4 * PAGE) != 0)
		die("fallocate");
	ok(write_atomic(fd, page, PAGE, PAGE) == PAGE, "into a hole");
	check("into a hole", PAGE, PAGE, 'n');
	ok(holds(0, PAGE, 0) && holds(2 * PAGE, 2 * PAGE, 0), "and the rest of the hole is zeros");
}

static void
test_not_atomic(void)
{
	fill(page, PAGE, 'o');
	ok(write_flags(fd, page, 5000, 100, through) == 5000, "without RWF_ATOMIC: any length and place");
	ok(cache_of(fd, 0, PAGE).dirty == 0 && cache_of(fd, 0, PAGE).cached == 2, "cached and clean");
	if (pread(direct, got, PAGE, 0) != PAGE)
		die("read");
	ok(memcmp(got + 100, page, 5000) == 0, "on the device");
	ok(write_flags(fd, page, PAGE, 0, through | RWF_DSYNC) == PAGE, "with RWF_DSYNC");
	check("with RWF_DSYNC", 0, PAGE, 'o');
	fill(page, PAGE, 'p');
	ok(write_flags(fd, page, PAGE, 0, through | RWF_ATOMIC | RWF_DSYNC) == PAGE,
	   "with RWF_ATOMIC and RWF_DSYNC");
	check("with both", 0, PAGE, 'p');
}

/* Of a write that an error cuts short, a plain one returns the part, ours the error. */
static void
test_no_part(void)
{
	char	   *half = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct rlimit old,
				limit;

	if (half == MAP_FAILED || munmap(half + PAGE, PAGE) != 0)
		die("mmap");
	fill(half, PAGE, 'o');
	ok(write_flags(fd, half, 2 * PAGE, 0, 0) == PAGE, "control: a plain write of data that end in the middle is short");
	ok(write_flags(fd, half, 2 * PAGE, 0, through) == -EFAULT, "EFAULT: written through");
	ok(write_atomic(fd, half, 2 * PAGE, 0) == -EFAULT, "EFAULT: atomically");
	munmap(half, PAGE);

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	limit = old;
	limit.rlim_cur = 8 * SIZE + BLOCK;
	setrlimit(RLIMIT_FSIZE, &limit);
	ok(write_flags(fd, page, PAGE, 8 * SIZE, 0) == BLOCK, "control: a plain write across the limit of a process is short");
	ok(write_flags(fd, page, PAGE, 8 * SIZE, through) == -EFBIG, "EFBIG: written through");
	if (ftruncate(fd, 2 * SIZE) != 0)
		die("ftruncate");
	ok(write_atomic(fd, page, PAGE, 8 * SIZE) == -EFBIG && lseek(fd, 0, SEEK_END) == 2 * SIZE,
	   "EFBIG: atomically, and nothing is written");
	setrlimit(RLIMIT_FSIZE, &old);
}

static long
two_buffers(void)
{
	struct iovec iov[2] = {{page, BLOCK}, {page + BLOCK, BLOCK}};
	ssize_t		done = pwritev2(fd, iov, 2, 0, through | RWF_ATOMIC);

	return done < 0 ? -errno : done;
}

static long
read_with_flag(void)
{
	struct iovec iov = {got, PAGE};
	ssize_t		done = preadv2(fd, &iov, 1, 0, through);

	return done < 0 ? -errno : done;
}

static long
without_waiting(void)
{
	struct iovec iov = {page, PAGE};
	ssize_t		done = pwritev2(fd, &iov, 1, 0, through | RWF_ATOMIC | RWF_NOWAIT);

	return done < 0 ? -errno : done;
}

static void
test_refusals(size_t unit_max)
{
	char	   *large = aligned(2 * unit_max);
	int			both = through | RWF_ATOMIC;
	int			reader = open("file", O_RDONLY);

	fill(page, PAGE, 'q');
	fill(large, 2 * unit_max, 'q');
	ok(write_atomic(fd, page, 3 * 1024, 0) == -EINVAL, "EINVAL: not a power of two");
	ok(write_atomic(fd, page, 2048, 0) == -EINVAL, "EINVAL: less than a block");
	ok(write_atomic(fd, page, PAGE, BLOCK) == -EINVAL, "EINVAL: not at a multiple of its length");
	ok(write_atomic(fd, large, 2 * unit_max, 0) == -EINVAL, "EINVAL: more than the limit");
	ok(two_buffers() == -EINVAL, "EINVAL: from two buffers");
	ok(write_flags(direct, page, PAGE, 0, both) == -EINVAL, "EINVAL: on an O_DIRECT descriptor");
	ok(write_flags(fd, page, PAGE, 0, both | RWF_DONTCACHE) == -EINVAL, "EINVAL: with RWF_DONTCACHE");
	ok(write_flags(fd, page, PAGE, 0, both | RWF_APPEND) == -EINVAL, "EINVAL: atomic, with RWF_APPEND");
	ok(write_flags(fd, page, PAGE, 0, through | RWF_APPEND) == -EINVAL, "EINVAL: with RWF_APPEND");
	ok(write_flags(fd, page, PAGE, 0, RWF_ATOMIC) == -EOPNOTSUPP,
	   "EOPNOTSUPP: RWF_ATOMIC alone on an ordinary descriptor");
	ok(write_flags(fd, page, PAGE, 0, through << 1) == -EOPNOTSUPP, "EOPNOTSUPP: the next flag");
	ok(read_with_flag() == -EOPNOTSUPP, "EOPNOTSUPP: reading");
	ok(without_waiting() == -EAGAIN, "EAGAIN: RWF_NOWAIT");
	ok(write_flags(reader, page, PAGE, 0, both) == -EBADF, "EBADF: not open for writing");
	ok(write_atomic(fd, (void *) 8192, PAGE, 0) == -EFAULT, "EFAULT: no such memory");
	ok(holds(0, PAGE, 'p'), "and nothing was written");
	close(reader);
	free(large);
}

static int
refused_here(void)
{
	fd = open_file("file", 0);
	fill(page, PAGE, 'a');
	ok(write_flags(fd, page, PAGE, 0, through) == -EOPNOTSUPP, "EOPNOTSUPP: RWF_WRITETHROUGH");
	ok(write_atomic(fd, page, PAGE, 0) == -EOPNOTSUPP, "EOPNOTSUPP: with RWF_ATOMIC");
	ok(lseek(fd, 0, SEEK_END) == 0, "nothing was written");
	return done_testing();
}

int
main(int argc, char **argv)
{
	char	   *zeros = calloc(1, SIZE);
	size_t		unit_max;

	find_flag();
	page = aligned(PAGE);
	got = aligned(PAGE);
	if (argc == 2 && strcmp(argv[1], "--refused") == 0)
		return refused_here();
	if (argc != 1)
		die("usage: calls [--refused]");
	fd = open_file("file", O_TRUNC);
	direct = open_file("file", O_DIRECT);
	unit_max = unit_max_of(fd);
	ok(unit_max >= PAGE, "atomic writes of up to %zu bytes", unit_max);
	if (pwrite(fd, zeros, SIZE, 0) != SIZE || fsync(fd) != 0)
		die("write");

	test_controls();
	test_atomic(unit_max);
	test_neighbours();
	test_mapping();
	test_end_of_file();
	test_not_atomic();
	test_refusals(unit_max);
	test_no_part();
	return done_testing();
}
