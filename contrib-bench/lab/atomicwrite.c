/*-------------------------------------------------------------------------
 *
 * atomicwrite.c
 *	  Writes pages of a file with RWF_ATOMIC and tells what the kernel said.
 *
 * The file gets the allocation hints that the library gives its files, and is
 * written once with plain writes first, so that what counts are overwrites of
 * pages that have a place.  Prints one line of key=value:
 *
 *	unit_max, unit_max_opt, dio_mem_align	statx() of the open file
 *	written					overwrites that reported success
 *	error					of the first that did not, 0 if none
 *	cached					pages of the file in the page cache afterwards: direct
 *							writes leave none, a write that quietly became a
 *							buffered one does
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../../smgr_atomic/probe.h"

#define PAGE_BYTES 8192
#define OS_PAGE 4096

static int
fail(const char *what)
{
	fprintf(stderr, "atomicwrite: could not %s: %s\n", what, strerror(errno));
	return 2;
}

static int
pages_cached(int fd, size_t bytes)
{
	unsigned char *resident = calloc(bytes / OS_PAGE, 1);
	void	   *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	int			count = 0;

	if (resident == NULL || map == MAP_FAILED || mincore(map, bytes, resident) != 0)
		count = -1;
	for (size_t i = 0; count >= 0 && i < bytes / OS_PAGE; i++)
		count += resident[i] & 1;
	if (map != MAP_FAILED)
		munmap(map, bytes);
	free(resident);
	return count;
}

int
main(int argc, char **argv)
{
	int			pages = argc == 3 ? atoi(argv[2]) : 0;
	int			written = 0,
				error = 0;
	void	   *page;
	SaLimits	limits;
	int			fd;

	if (pages <= 0)
	{
		fputs("Usage: atomicwrite FILE PAGES\n", stderr);
		return 2;
	}
	fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC | O_DIRECT | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail("open the file");
	if (posix_memalign(&page, PAGE_BYTES, PAGE_BYTES) != 0)
		return fail("get memory");
	if (sa_probe_limits(fd, &limits) != 0)
		return fail("ask statx");
	(void) sa_probe_prepare_fd(fd, PAGE_BYTES,
							   limits.unit_max_opt >= PAGE_BYTES ? SA_VERDICT_HARDWARE : SA_VERDICT_SOFTWARE);

	memset(page, 1, PAGE_BYTES);
	for (int i = 0; i < pages; i++)
	{
		if (pwrite(fd, page, PAGE_BYTES, (off_t) i * PAGE_BYTES) != PAGE_BYTES)
			return fail("write the file");
	}
	if (fsync(fd) != 0)
		return fail("flush the file");
	(void) posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);

	memset(page, 2, PAGE_BYTES);
	for (int i = 0; i < pages && error == 0; i++)
	{
		struct iovec iov = {page, PAGE_BYTES};
		ssize_t		done = pwritev2(fd, &iov, 1, (off_t) i * PAGE_BYTES, RWF_ATOMIC);

		if (done == PAGE_BYTES)
			written++;
		else
			error = done < 0 ? errno : EIO;
	}
	printf("unit_max=%u unit_max_opt=%u dio_mem_align=%u written=%d error=%d cached=%d\n",
		   limits.unit_max, limits.unit_max_opt, limits.dio_mem_align, written, error,
		   pages_cached(fd, (size_t) pages * PAGE_BYTES));
	if (fsync(fd) != 0)
		return fail("flush the file");
	free(page);
	close(fd);
	return 0;
}
