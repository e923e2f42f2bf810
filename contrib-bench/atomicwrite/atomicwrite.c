/*
 * atomicwrite.c
 *	  Random 8 KiB overwrites of a file with O_DIRECT|RWF_ATOMIC through io_uring.
 *
 * What fio --atomic=1 measures, for systems whose fio does not know it yet.  The
 * file must exist and be written already: only overwrites are counted.  It ends
 * after so many seconds, or ("30000p") pages.  With "plain" the writes go without
 * RWF_ATOMIC, for comparison.  Prints one line of JSON.  A tool for measuring, not part of the product.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef RWF_ATOMIC
#define RWF_ATOMIC 0x00000040	/* linux/fs.h since 6.11 */
#endif

#define PAGE 8192
#define ALIGNMENT 4096
#define MAX_DEPTH 1024

static void
die(const char *what, int error)
{
	fprintf(stderr, "atomicwrite: %s: %s\n", what, strerror(error));
	exit(1);
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static double
cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_utime.tv_sec + usage.ru_utime.tv_usec / 1e6 +
		usage.ru_stime.tv_sec + usage.ru_stime.tv_usec / 1e6;
}

/* xorshift64*: good enough to choose blocks, the same in every run */
static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 2685821657736338717ULL;
}

static int	rw_flags = RWF_ATOMIC;

/* Queue one write of a random page; slot says which buffer and is its user data. */
static void
queue_write(struct io_uring *ring, int fd, char *buffers, uintptr_t slot, uint64_t pages,
			uint64_t *random)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_write(sqe, fd, buffers + slot * PAGE, PAGE, next_random(random) % pages * PAGE);
	sqe->rw_flags = rw_flags;
	io_uring_sqe_set_data(sqe, (void *) slot);
}

/* Take one completion; returns whether the page was written (EAGAIN: try another). */
static int
reap_write(struct io_uring *ring, uintptr_t *slot)
{
	struct io_uring_cqe *cqe;
	int			result = io_uring_wait_cqe(ring, &cqe);

	if (result < 0)
		die("io_uring_wait_cqe", -result);
	*slot = (uintptr_t) io_uring_cqe_get_data(cqe);
	result = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	if (result < 0 && result != -EAGAIN && result != -EINTR)
		die(rw_flags ? "write with RWF_ATOMIC" : "write", -result);
	if (result >= 0 && result != PAGE)
		die("short write", EIO);
	return result == PAGE;
}

/* Write for so many seconds, or most pages; returns how many were written. */
static uint64_t
overwrite(struct io_uring *ring, int fd, char *buffers, int depth, uint64_t pages, double seconds,
		  uint64_t most)
{
	uint64_t	random = 88172645463325252ULL;
	uint64_t	written = 0;
	int			under_way = depth;
	double		end = now() + seconds;

	for (int i = 0; i < depth; i++)
		queue_write(ring, fd, buffers, i, pages, &random);
	while (under_way > 0)
	{
		uintptr_t	slot;

		if (io_uring_submit(ring) < 0)
			die("io_uring_submit", EIO);
		written += reap_write(ring, &slot);
		if (now() < end && written + under_way <= most)
			queue_write(ring, fd, buffers, slot, pages, &random);
		else
			under_way--;
	}
	return written;
}

int
main(int argc, char **argv)
{
	struct io_uring ring;
	struct stat st;
	char	   *buffers;
	uint64_t	written;
	double		start;
	int			plain = argc == 5 && strcmp(argv[4], "plain") == 0;
	int			depth = argc == 4 || plain ? atoi(argv[2]) : 0;
	int			amount = argc == 4 || plain ? atoi(argv[3]) : 0;
	int			in_pages = amount > 0 && strchr(argv[3], 'p') != NULL;
	int			fd;
	int			error;

	if (depth < 1 || depth > MAX_DEPTH || amount < (in_pages ? depth : 1))
	{
		fprintf(stderr, "usage: atomicwrite FILE DEPTH SECONDS|PAGESp [plain]\n");
		return 2;
	}
	if (plain)
		rw_flags = 0;
	fd = open(argv[1], O_RDWR | O_DIRECT);
	if (fd < 0 || fstat(fd, &st) < 0)
		die(argv[1], errno);
	if (st.st_size < PAGE)
		die(argv[1], ENODATA);
	if ((error = posix_memalign((void **) &buffers, ALIGNMENT, (size_t) depth * PAGE)) != 0)
		die("memory", error);
	memset(buffers, 'x', (size_t) depth * PAGE);
	if ((error = io_uring_queue_init(depth, &ring, 0)) < 0)
		die("io_uring", -error);

	start = now();
	written = overwrite(&ring, fd, buffers, depth, st.st_size / PAGE, in_pages ? 1e9 : amount,
						in_pages ? (uint64_t) amount : UINT64_MAX);
	if (in_pages && fdatasync(fd) < 0)
		die("fdatasync", errno);
	printf("{\"writes\": %llu, \"seconds\": %.3f, \"cpu_s\": %.3f}\n",
		   (unsigned long long) written, now() - start, cpu_seconds());
	io_uring_queue_exit(&ring);
	return 0;
}
