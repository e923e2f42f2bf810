/*
 * ops.c
 *	  Random operations on one file, compared after each with a model in memory,
 *	  in the way of fsx: write-through of all sizes among plain, direct and
 *	  mapped reads and writes, truncation, holes, fsync and dropped caches.
 *
 * Usage: ops SEED COUNT
 *
 * XFS must be mounted with allocsize=4096: a direct write beyond the end of a
 * file into space that was preallocated for it leaves delayed allocations there,
 * and later direct reads fail with EIO, without write-through and the patch, too.
 */
#define _GNU_SOURCE
#include "wt.h"

#define SIZE (512 * 1024)

static int	fd,
			direct;
static char model[SIZE];
static size_t model_size = 0;
static char *buffer;
static size_t unit_max;
static long operation;
static const char *what;

static size_t
below(size_t n)
{
	return (size_t) (((uint64_t) random() << 16 ^ (uint64_t) random()) % n);
}

static void __attribute__((noreturn))
differs(const char *how, size_t at)
{
	printf("# operation %ld (%s): %s differs at %zu of %zu\n", operation, what, how, at, model_size);
	ok(0, "operations");
	done_testing();
	exit(1);
}

static void
compare(const char *how, const char *got, size_t from, size_t length)
{
	for (size_t i = 0; i < length; i++)
	{
		if (got[i] != model[from + i])
			differs(how, from + i);
	}
}

static void
expect(long result, long wanted)
{
	if (result != wanted)
	{
		printf("# operation %ld (%s): %ld instead of %ld: %s\n", operation, what, result, wanted,
			   strerror(result < -1 ? (int) -result : errno));
		ok(0, "operations");
		done_testing();
		exit(1);
	}
}

static void
new_data(size_t length)
{
	for (size_t i = 0; i < length; i++)
		buffer[i] = (char) random();
}

static void
put(size_t at, size_t length)
{
	memcpy(model + at, buffer, length);
	if (at + length > model_size)
		model_size = at + length;
}

static void
any_range(size_t *at, size_t *length)
{
	*at = below(SIZE - 1);
	*length = 1 + below(SIZE - *at < 70000 ? SIZE - *at : 70000);
}

/* A power of two at a multiple of itself. */
static void
atomic_range(size_t *at, size_t *length)
{
	*length = BLOCK;
	while (*length * 2 <= unit_max && *length < 65536 && random() % 2)
		*length *= 2;
	*at = below(SIZE / *length) * *length;
}

static void
write_by(int how)
{
	static const char *const names[] = {"plain", "write-through", "atomic write-through", "direct atomic"};
	size_t		at,
				length;

	what = names[how];
	if (how < 2)
		any_range(&at, &length);
	else
		atomic_range(&at, &length);
	new_data(length);
	if (how == 0)
		expect(pwrite(fd, buffer, length, (off_t) at), (long) length);
	else if (how == 1)
		expect(write_flags(fd, buffer, length, (off_t) at, through), (long) length);
	else if (how == 2)
		expect(write_atomic(fd, buffer, length, (off_t) at), (long) length);
	else
		expect(write_flags(direct, buffer, length, (off_t) at, RWF_ATOMIC), (long) length);
	put(at, length);

	/* what write-through has left is on the device already, and in the cache */
	if (how == 2)
	{
		struct wt_cachestat stat = cache_of(fd, (off_t) at, length);

		if (stat.dirty != 0 || stat.writeback != 0 || stat.cached != length / BLOCK)
			differs("state of the cache", at);
		expect(pread(direct, buffer, length, (off_t) at), (long) length);
		compare("device", buffer, at, length);
	}
}

static void
use_mapping(int write)
{
	size_t		at,
				length,
				start;
	char	   *map;

	what = write ? "mapped write" : "mapped read";
	if (model_size == 0)
		return;
	at = below(model_size);
	length = 1 + below(model_size - at < 70000 ? model_size - at : 70000);
	start = at / BLOCK * BLOCK;
	map = mmap(NULL, at - start + length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t) start);
	if (map == MAP_FAILED)
		die("mmap");
	if (write)
	{
		new_data(length);
		memcpy(map + (at - start), buffer, length);
		put(at, length);
	}
	else
		compare("mapping", map + (at - start), at, length);
	munmap(map, at - start + length);
}

static void
read_back(void)
{
	size_t		at,
				length;

	what = "read";
	if (model_size == 0)
		return;
	at = below(model_size);
	length = 1 + below(model_size - at < 70000 ? model_size - at : 70000);
	expect(pread(fd, buffer, length, (off_t) at), (long) length);
	compare("cache", buffer, at, length);
}

static void
resize(void)
{
	size_t		size = below(SIZE);

	what = "truncate";
	expect(ftruncate(fd, (off_t) size), 0);
	if (size > model_size)
		memset(model + model_size, 0, size - model_size);
	model_size = size;
	memset(model + size, 0, SIZE - size);
}

static void
punch(void)
{
	size_t		at,
				length;

	what = "punch hole";
	any_range(&at, &length);
	expect(fallocate(fd, 3, (off_t) at, (off_t) length), 0);
	memset(model + at, 0, length);
}

static void
compare_all(int descriptor, const char *how)
{
	what = how;
	expect(pread(descriptor, buffer, SIZE, 0), (long) model_size);
	compare(how, buffer, 0, model_size);
}

static void
operate(void)
{
	int			choice = (int) below(20);

	if (choice < 4)
		write_by(0);
	else if (choice < 6)
		write_by(1);
	else if (choice < 11)
		write_by(2);
	else if (choice < 12)
		write_by(3);
	else if (choice < 14)
		use_mapping(1);
	else if (choice < 15)
		use_mapping(0);
	else if (choice < 16)
		read_back();
	else if (choice < 17)
		resize();
	else if (choice < 18)
		punch();
	else if (choice < 19)
		expect(fdatasync(fd), 0);
	else
		posix_fadvise(fd, (off_t) below(SIZE), 65536, POSIX_FADV_DONTNEED);
}

int
main(int argc, char **argv)
{
	long		count = argc == 3 ? atol(argv[2]) : 0;

	find_flag();
	if (count <= 0)
		die("usage: ops SEED COUNT");
	srandom((unsigned) atol(argv[1]));
	buffer = aligned(SIZE);
	fd = open_file("ops", O_TRUNC);
	direct = open_file("ops", O_DIRECT);
	unit_max = unit_max_of(fd);
	for (operation = 1; operation <= count; operation++)
	{
		operate();
		if (operation % 50 == 0)
			compare_all(fd, "cache");
	}
	compare_all(fd, "cache");
	if (fsync(fd) != 0)
		die("fsync");
	compare_all(direct, "device");
	ok(1, "%ld operations, seed %s: cache and device are what the model says", count, argv[1]);
	return done_testing();
}
