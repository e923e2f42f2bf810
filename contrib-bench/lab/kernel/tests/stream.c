/*
 * stream.c
 *	  A stream of page writes to be cut off, and the look at what is left.
 *
 * Usage: stream make FILE
 *		  stream METHOD FILE NUMBER		until killed, "streaming" after 50; METHOD: writethrough, direct,
 *									direct-plain (without RWF_ATOMIC), plain
 *		  stream check FILE
 *
 * NUMBER, from 0 to 3, says which quarter of the pages is written.
 * "make" lays the file out so that the blocks of a page (1 KiB each: mkfs.xfs -b
 * size=1024) are not next to each other on the device: a page that is written in
 * place then takes eight requests.  Each 512 bytes of a page hold the page's number and the write's.
 * "check" prints "pages N written N torn N".
 */
#define _GNU_SOURCE
#include "wt.h"

#define PAGES 2048
#define WRITERS 4				/* at most; each has its own pages */
#define SECTOR 512
#define PIECE 1024				/* a block of the filesystem */

static void
stamp(char *page, uint64_t number, uint64_t write)
{
	for (int i = 0; i < PAGE; i += SECTOR)
	{
		((uint64_t *) (page + i))[0] = number;
		((uint64_t *) (page + i))[1] = write;
	}
}

/* The last blocks of all pages first, from the end to the start. */
static void
make(const char *name)
{
	int			fd = open_file(name, O_TRUNC | O_DIRECT);
	char	   *page = aligned(PAGE);

	memset(page, 0, PAGE);
	for (int at = PAGE - PIECE; at >= 0; at -= PIECE)
	{
		for (int64_t i = PAGES - 1; i >= 0; i--)
		{
			stamp(page, (uint64_t) i, 0);
			if (pwrite(fd, page + at, PIECE, i * PAGE + at) != PIECE)
				die("write");
		}
	}
	if (fsync(fd) != 0)
		die("fsync");
}

static void
stream(const char *method, const char *name, unsigned worker)
{
	int			is_direct = strncmp(method, "direct", 6) == 0;
	int			is_plain = strcmp(method, "plain") == 0;
	int			flags = is_plain || strcmp(method, "direct-plain") == 0 ? 0 : RWF_ATOMIC;
	int			fd = open_file(name, is_direct ? O_DIRECT : 0);
	char	   *page = aligned(PAGE);

	if (!is_direct && !is_plain)
		flags |= through;
	memset(page, 0, PAGE);
	srandom((unsigned) getpid());
	for (uint64_t write = 1;; write++)
	{
		uint64_t	number = (uint64_t) random() % (PAGES / WRITERS) * WRITERS + worker;
		long		done;

		stamp(page, number, write);
		done = write_flags(fd, page, PAGE, (off_t) number * PAGE, flags);
		if (done != PAGE)
		{
			errno = done < 0 ? (int) -done : EIO;
			die("write %llu", (unsigned long long) write);
		}
		if (write == 50)
		{
			printf("streaming\n");
			fflush(stdout);
		}
		/* copy-on-write keeps the old page until its log is on the device */
		if (write % 32 == 0 && fdatasync(fd) != 0)
			die("fdatasync");
	}
}

static void
check(const char *name)
{
	int			fd = open_file(name, 0);
	char	   *page = aligned(PAGE);
	long		written = 0,
				torn = 0;

	for (uint64_t i = 0; i < PAGES; i++)
	{
		uint64_t   *first = (uint64_t *) page;
		int			whole = 1;

		if (pread(fd, page, PAGE, (off_t) i * PAGE) != PAGE)
			die("read");
		for (int at = 0; at < PAGE; at += SECTOR)
		{
			uint64_t   *stamps = (uint64_t *) (page + at);

			whole &= stamps[0] == i && stamps[1] == first[1];
		}
		torn += !whole;
		written += first[1] != 0;
	}
	printf("pages %d written %ld torn %ld\n", PAGES, written, torn);
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "make") == 0)
		make(argv[2]);
	else if (argc == 3 && strcmp(argv[1], "check") == 0)
		check(argv[2]);
	else if (argc == 4)
	{
		find_flag();
		stream(argv[1], argv[2], (unsigned) atol(argv[3]) % WRITERS);
	}
	else
		die("usage: stream make|check FILE, stream METHOD FILE NUMBER");
	return 0;
}
