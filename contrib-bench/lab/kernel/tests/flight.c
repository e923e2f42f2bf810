/*
 * flight.c
 *	  Write-through while the device is slow, and when it refuses: nobody changes
 *	  a page whose write is in flight, and errors are told to whom they belong.
 *
 * Usage: flight DISK, in a directory on it; DISK is scsi_debug's ("sda"), whose
 * delay and write protection are set.  Nothing else may write to the disk: the log
 * of a write-protected XFS would shut it down (see kernel.pl).
 */
#define _GNU_SOURCE
#include "wt.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>

#define DELAY "/sys/bus/pseudo/drivers/scsi_debug/delay"
#define PROTECTED "/sys/module/scsi_debug/parameters/wp"
#define ATTEMPTS 6
#define PATIENCE 180			/* seconds */
#define PAGES 16
#define SIZE (PAGES * PAGE)

static const char *disk;
static char *page,
		   *got;

static void
fill(char *buffer, int c)
{
	memset(buffer, c, PAGE);
}

static void
must_be_before(time_t end, const char *what)
{
	if (time(NULL) > end)
	{
		errno = ETIMEDOUT;
		die("%s", what);
	}
}

/* The delay cannot be changed while a command is under way. */
static void
set(const char *name, const char *value)
{
	time_t		end = time(NULL) + PATIENCE;
	int			fd = open(name, O_WRONLY);

	while (fd < 0 || write(fd, value, strlen(value)) < 0)
	{
		if (errno != EBUSY || time(NULL) > end)
			die("%s", name);
		usleep(10000);
	}
	close(fd);
}

/* A number from one of the disk's files in /sys. */
static long
disk_number(const char *name, int field)
{
	char		path[64];
	long		value = -1;
	FILE	   *file;

	snprintf(path, sizeof(path), "/sys/block/%s/%s", disk, name);
	if ((file = fopen(path, "r")) == NULL)
		die("%s", path);
	for (int i = 0; i <= field; i++)
	{
		if (fscanf(file, "%ld", &value) != 1)
			die("%s", path);
	}
	fclose(file);
	return value;
}

static long
writes_done(void)
{
	return disk_number("stat", 4);
}

/* A file of 'a's on the device and in the cache, nothing left to be written. */
static int
new_file(const char *name)
{
	int			fd;

	unlink(name);
	fd = open_file(name, 0);
	fill(page, 'a');
	for (int i = 0; i < PAGES; i++)
	{
		if (write(fd, page, PAGE) != PAGE)
			die("write");
	}
	if (fsync(fd) != 0)
		die("fsync");
	sync();
	return fd;
}

static int
device_holds(const char *name, off_t offset, int c)
{
	int			direct = open_file(name, O_DIRECT);
	int			same;

	fill(page, c);
	same = pread(direct, got, PAGE, offset) == PAGE && memcmp(got, page, PAGE) == 0;
	close(direct);
	return same;
}

static int
cache_holds(int fd, off_t offset, int c)
{
	fill(page, c);
	return pread(fd, got, PAGE, offset) == PAGE && memcmp(got, page, PAGE) == 0;
}

/* ---- a slow device ---------------------------------------------------------- */

static pid_t
start_write(int fd, int flags)
{
	pid_t		pid;

	fflush(stdout);
	if ((pid = fork()) < 0)
		die("fork");
	if (pid > 0)
		return pid;
	fill(page, 'b');
	_exit(write_flags(fd, page, PAGE, 0, flags) == PAGE ? 0 : 1);
}

/*
 * Stores to a page through a mapping while the device is busy with it.  Was the
 * device done when the store was?  -1: it was so before the store, because
 * this machine is slower still.
 */
static int
store_has_waited(int fd, long done_before)
{
	char	   *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	time_t		end = time(NULL) + PATIENCE;
	int			waited = -1;

	if (map == MAP_FAILED)
		die("mmap");
	(void) *(volatile char *) map;
	while (writes_done() == done_before)
	{
		if (disk_number("inflight", 1) == 0)
		{
			must_be_before(end, "no write under way");
			usleep(1000);
			continue;
		}
		*(volatile char *) (map + 100) = 'x';
		waited = writes_done() > done_before;
		break;
	}
	munmap(map, PAGE);
	return waited;
}

/* In hundredths of a second, for each command. */
static void
slow_down(int attempt)
{
	char		text[16];

	snprintf(text, sizeof(text), "%d", 200 << attempt);
	set(DELAY, text);
}

static void
test_stable(const char *name, int flags)
{
	int			waited = -1,
				status = 0,
				intact = 1;

	for (int i = 0; i < ATTEMPTS && waited < 0; i++)
	{
		int			fd = new_file(name);
		long		before = writes_done();
		pid_t		writer;

		slow_down(i);
		writer = start_write(fd, flags);
		waited = store_has_waited(fd, before);
		if (waitpid(writer, &status, 0) != writer)
			die("wait");
		set(DELAY, "0");
		fill(page, 'b');
		page[100] = waited < 0 ? 'b' : 'x';
		intact &= status == 0 && pread(fd, got, PAGE, 0) == PAGE && memcmp(got, page, PAGE) == 0;
		close(fd);
	}
	ok(waited == 1, "%s: a store to the page waits for the write in flight", name);
	ok(intact, "%s: written, and the store came after it", name);
}

static void
test_control(void)
{
	int			waited = -1;

	for (int i = 0; i < ATTEMPTS && waited != 0; i++)
	{
		int			fd = new_file("control");
		long		before = writes_done();

		slow_down(i);
		fill(page, 'b');
		if (pwrite(fd, page, PAGE, 0) != PAGE || sync_file_range(fd, 0, PAGE, SYNC_FILE_RANGE_WRITE) != 0)
			die("write");
		waited = store_has_waited(fd, before);
		set(DELAY, "0");
		close(fd);
	}
	ok(waited == 0, "control: a store does not wait for ordinary writeback");
}

/* ---- a device that refuses ---------------------------------------------------- */

/* Writeback of the first page fails, and nobody looks. */
static void
lose_a_page(int fd)
{
	time_t		end = time(NULL) + PATIENCE;
	struct wt_cachestat stat;

	set(PROTECTED, "Y");
	fill(page, 'l');
	if (pwrite(fd, page, PAGE, 0) != PAGE || sync_file_range(fd, 0, PAGE, SYNC_FILE_RANGE_WRITE) != 0)
		die("write");
	do
	{
		must_be_before(end, "writeback");
		usleep(1000);
		stat = cache_of(fd, 0, SIZE);
	} while (stat.dirty != 0 || stat.writeback != 0);
	set(PROTECTED, "N");
}

/*
 * scsi_debug protects from ordinary writes only.  An atomic write to blocks that
 * are shared with another file is done by copy-on-write, and so by those.
 */
static void
share(int fd)
{
	int			clone = open_file("clone", O_TRUNC);

	if (ioctl(clone, FICLONE, fd) != 0)
		die("FICLONE");
	close(clone);
	sync();
}

static void
test_refused(const char *name, int flags)
{
	int			fd = new_file(name);

	if (flags & RWF_ATOMIC)
		share(fd);
	set(PROTECTED, "Y");
	fill(page, 'c');
	ok(write_flags(fd, page, PAGE, 0, flags) < 0, "%s: refused by the device, an error", name);
	set(PROTECTED, "N");
	if (flags & RWF_ATOMIC)
	{
		ok(cache_of(fd, 0, PAGE).dirty == 0 && cache_holds(fd, 0, 'a') && device_holds(name, 0, 'a'),
		   "%s: cache and device have the old page", name);
		ok(fsync(fd) == 0, "%s: and fsync() has nothing to say", name);
	}
	else
		ok(fsync(fd) != 0, "%s: and fsync() says so again", name);
	fill(page, 'c');
	ok(write_flags(fd, page, PAGE, PAGE, flags) == PAGE && device_holds(name, PAGE, 'c'),
	   "%s: the next is written", name);
	close(fd);
}

/* What other pages have lost belongs to fsync(), of every descriptor. */
static void
test_errors_of_others(const char *name, int flags)
{
	int			fd = new_file(name);
	int			other = open_file(name, 0);
	long		done;

	lose_a_page(fd);
	fill(page, 'd');
	done = write_flags(fd, page, PAGE, 5 * PAGE, flags);
	if (flags & RWF_ATOMIC)
		ok(done == PAGE, "%s: not disturbed by another page's error", name);
	else
		ok(done < 0, "%s: an error that nobody was told of is returned", name);

	/* the mapping's flag, which is taken by the first who asks: here a direct reader */
	ok(!device_holds(name, 5 * PAGE, 'd'), "%s: the error is still there for a direct reader", name);
	ok(fsync(fd) != 0, "%s: and for fsync()", name);
	ok(fsync(other) != 0, "%s: and for fsync() of another descriptor", name);
	ok(fsync(fd) == 0 && fsync(other) == 0, "%s: once", name);
	fill(page, 'e');
	ok(write_flags(fd, page, PAGE, 5 * PAGE, flags) == PAGE && device_holds(name, 5 * PAGE, 'e'),
	   "%s: the next is written", name);
	close(fd);
	close(other);
}

int
main(int argc, char **argv)
{
	find_flag();
	if (argc != 2)
		die("usage: flight DISK");
	disk = argv[1];
	page = aligned(PAGE);
	got = aligned(PAGE);
	test_control();
	test_stable("atomic", through | RWF_ATOMIC);
	test_stable("not atomic", through);
	test_refused("atomic", through | RWF_ATOMIC);
	test_refused("not atomic", through);
	test_errors_of_others("atomic", through | RWF_ATOMIC);
	test_errors_of_others("not atomic", through);
	return done_testing();
}
