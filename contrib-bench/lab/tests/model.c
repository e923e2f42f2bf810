/*-------------------------------------------------------------------------
 *
 * model.c
 *	  Unit tests of cache.c, the model of a disk with a volatile write cache.
 *
 * Prints TAP.  Usage: model [FIRST-SEED].  The oracle below does not share a
 * line with the model: it keeps for every sector what is durable and every
 * content written since, and says which contents are possible after a cut.
 *
 *-------------------------------------------------------------------------
 */
#include "cache.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTORS 64
#define HISTORY 64

static int	ntests;
static int	nfailed;
static uint64_t random_state;

static void __attribute__((format(printf, 2, 3)))
ok(bool good, const char *format, ...)
{
	va_list		args;

	printf("%sok %d - ", good ? "" : "not ", ++ntests);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	nfailed += !good;
}

static uint32_t
dice(uint32_t sides)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t) (random_state >> 33) % sides;
}

static int
new_image(void)
{
	char		name[] = "/tmp/powerdisk-model-XXXXXX";
	int			fd = mkstemp(name);

	if (fd < 0 || ftruncate(fd, SECTORS * 4096) != 0)
	{
		printf("Bail out! no temporary file: %s\n", strerror(errno));
		exit(1);
	}
	unlink(name);
	return fd;
}

static DiskOptions
options(uint32_t sector, uint32_t unit, uint64_t seed)
{
	DiskOptions o = {
		.size = (uint64_t) SECTORS * sector,
		.sector = sector,
		.atomic_unit = unit,
		.survive = 50,
		.seed = seed,
		.cache_limit = 1 << 30
	};

	return o;
}

static Disk *
new_disk(int image, const DiskOptions *o, FILE *log, FILE *data)
{
	Disk	   *disk = disk_open(image, o, log, data);

	if (disk == NULL)
	{
		printf("Bail out! disk_open: %s\n", strerror(errno));
		exit(1);
	}
	return disk;
}

/* A sector is filled with one stamp, so its first bytes identify its content. */
static void
fill(unsigned char *buf, uint32_t sector, uint64_t stamp)
{
	for (uint32_t i = 0; i + sizeof(stamp) <= sector; i += sizeof(stamp))
		memcpy(buf + i, &stamp, sizeof(stamp));
}

/* UINT64_MAX when the bytes are not of one stamp: torn within a sector. */
static uint64_t
stamp_of(const unsigned char *buf, uint32_t sector)
{
	uint64_t	stamp;
	uint64_t	other;

	memcpy(&stamp, buf, sizeof(stamp));
	for (uint32_t i = 0; i + sizeof(stamp) <= sector; i += sizeof(stamp))
	{
		memcpy(&other, buf + i, sizeof(other));
		if (other != stamp)
			return UINT64_MAX;
	}
	return stamp;
}

/* Stamp of a sector of the image file: what is durable. */
static uint64_t
on_image(int image, uint32_t sector, int n)
{
	unsigned char buf[4096] = {0};

	if (pread(image, buf, sector, (off_t) n * sector) < 0)
		return UINT64_MAX;
	return stamp_of(buf, sector);
}

static uint64_t
by_read(Disk *disk, uint32_t sector, int n)
{
	unsigned char buf[4096];

	if (disk_read(disk, buf, sector, (uint64_t) n * sector) != 0)
		return UINT64_MAX;
	return stamp_of(buf, sector);
}

static int
write_sectors(Disk *disk, uint32_t sector, int n, int count, uint64_t stamp)
{
	static unsigned char buf[SECTORS * 4096];

	for (int i = 0; i < count; i++)
		fill(buf + (size_t) i * sector, sector, stamp);
	return disk_write(disk, buf, (size_t) count * sector, (uint64_t) n * sector);
}

/* ---- oracle ----------------------------------------------------------- */

typedef struct Oracle
{
	uint64_t	durable[SECTORS];
	uint64_t	pending[SECTORS][HISTORY];
	int			npending[SECTORS];
} Oracle;

static void
oracle_write(Oracle *o, int n, int count, uint64_t stamp)
{
	for (int i = n; i < n + count; i++)
		o->pending[i][o->npending[i]++] = stamp;
}

static uint64_t
oracle_newest(const Oracle *o, int n)
{
	return o->npending[n] > 0 ? o->pending[n][o->npending[n] - 1] : o->durable[n];
}

static void
oracle_flush(Oracle *o)
{
	for (int i = 0; i < SECTORS; i++)
	{
		o->durable[i] = oracle_newest(o, i);
		o->npending[i] = 0;
	}
}

static bool
oracle_possible(const Oracle *o, int n, uint64_t stamp)
{
	bool		found = stamp == o->durable[n];

	for (int i = 0; i < o->npending[n]; i++)
		found = found || stamp == o->pending[n][i];
	return found;
}

/* ---- tests ------------------------------------------------------------ */

typedef struct Tally
{
	int			impossible;		/* content that no surviving write explains */
	int			misread;		/* a read that did not see the newest write */
	int			not_on_image;	/* flushed, but not on the image */
	int			early;			/* unflushed, but on the image before the cut */
	int			reached;		/* unflushed sectors that survived a cut */
	int			vanished;
} Tally;

static void
check_flushed(Tally *t, const Oracle *o, int image, uint32_t sector)
{
	for (int i = 0; i < SECTORS; i++)
		t->not_on_image += on_image(image, sector, i) != o->durable[i];
}

static void
check_cut(Tally *t, Oracle *o, int image, uint32_t sector)
{
	for (int i = 0; i < SECTORS; i++)
	{
		uint64_t	stamp = on_image(image, sector, i);

		t->impossible += !oracle_possible(o, i, stamp);
		if (o->npending[i] > 0)
		{
			t->reached += stamp == oracle_newest(o, i);
			t->vanished += stamp == o->durable[i];
		}
		o->durable[i] = stamp;
		o->npending[i] = 0;
	}
}

static void
random_step(Tally *t, Oracle *o, Disk *disk, int image, uint32_t sector, uint64_t stamp)
{
	uint32_t	what = dice(100);
	int			n = (int) dice(SECTORS);
	int			count = 1 + (int) dice(8);

	if (count > SECTORS - n)
		count = SECTORS - n;
	if (what < 60 && o->npending[n] < HISTORY - 8)
	{
		write_sectors(disk, sector, n, count, stamp);
		oracle_write(o, n, count, stamp);
		t->early += on_image(image, sector, n) != o->durable[n];
	}
	else if (what < 90)
		t->misread += by_read(disk, sector, n) != oracle_newest(o, n);
	else if (what < 96)
	{
		disk_flush(disk);
		oracle_flush(o);
		check_flushed(t, o, image, sector);
	}
	else
	{
		disk_cut(disk, "test");
		check_cut(t, o, image, sector);
		disk_power_on(disk);
	}
}

static void
test_random(uint32_t sector, uint64_t seed)
{
	DiskOptions opt = options(sector, 0, seed);
	int			image = new_image();
	Disk	   *disk = new_disk(image, &opt, NULL, NULL);
	static Oracle oracle;
	Tally		t = {0};

	memset(&oracle, 0, sizeof(oracle));
	random_state = seed;
	for (uint64_t stamp = 1; stamp <= 5000; stamp++)
		random_step(&t, &oracle, disk, image, sector, stamp);
	ok(t.not_on_image == 0, "sector %u, seed %" PRIu64 ": what flush promised is on the image (%d not)",
	   sector, seed, t.not_on_image);
	ok(t.early == 0, "... and nothing is durable before a flush (%d were)", t.early);
	ok(t.misread == 0, "... reads see the newest write (%d did not)", t.misread);
	ok(t.impossible == 0, "... a cut leaves a written version of each sector, whole (%d not)",
	   t.impossible);
	ok(t.reached > 100 && t.vanished > 100,
	   "... some unflushed sectors survive, some vanish (%d, %d)", t.reached, t.vanished);
	disk_close(disk);
	close(image);
}

/* Every request fails between the cut and power on, and changes nothing. */
static void
test_power(void)
{
	DiskOptions opt = options(512, 0, 1);
	int			image = new_image();
	Disk	   *disk = new_disk(image, &opt, NULL, NULL);
	unsigned char buf[512];

	write_sectors(disk, 512, 0, 4, 7);
	disk_flush(disk);
	ok(disk_power_on(disk) == -EALREADY, "power on when it is on is refused");
	ok(disk_cut(disk, "test") == 0 && !disk_has_power(disk), "cut");
	ok(disk_cut(disk, "test") == -EALREADY, "a second cut is refused");
	ok(write_sectors(disk, 512, 0, 4, 8) == -EIO, "no power: write fails with EIO");
	ok(disk_read(disk, buf, 512, 0) == -EIO, "no power: read fails with EIO");
	ok(disk_flush(disk) == -EIO, "no power: flush fails with EIO");
	ok(disk_power_on(disk) == 0 && by_read(disk, 512, 3) == 7, "power on: the flushed data is there");
	disk_close(disk);
	close(image);
}

/* survive 0 loses the cache and only the cache; survive 100 keeps all of it. */
static void
test_survive(uint32_t percent)
{
	DiskOptions opt = options(4096, 0, 3);
	int			image = new_image();
	Disk	   *disk;
	int			kept = 0;

	opt.survive = percent;
	disk = new_disk(image, &opt, NULL, NULL);
	write_sectors(disk, 4096, 0, SECTORS, 1);
	disk_flush(disk);
	write_sectors(disk, 4096, 0, SECTORS / 2, 2);
	disk_cut(disk, "test");
	for (int i = 0; i < SECTORS; i++)
		kept += on_image(image, 4096, i) == (i < SECTORS / 2 ? 2 : 1);
	ok(kept == (percent == 100 ? SECTORS : SECTORS / 2),
	   "survive %u: %d of %d sectors as they should be", percent, kept, SECTORS);
	disk_close(disk);
	close(image);
}

/* Pages of two sectors: with an atomic unit none is torn, without many are. */
static int
torn_pages(uint32_t sector, uint32_t unit, uint64_t cache_limit)
{
	DiskOptions opt = options(sector, unit, 5);
	int			image = new_image();
	Disk	   *disk;
	int			per_page = (int) (8192 / sector);
	int			torn = 0;

	opt.size = 8192 * 16;
	opt.cache_limit = cache_limit;
	disk = new_disk(image, &opt, NULL, NULL);
	for (uint64_t round = 1; round <= 50; round++)
	{
		/* whole pages, in runs, several versions of some */
		for (int i = 0; i < 40; i++)
		{
			int			page = (int) dice(16);
			int			run = 1 + (int) dice(3);

			if (run > 16 - page)
				run = 16 - page;
			write_sectors(disk, sector, page * per_page, run * per_page, round * 100 + (uint64_t) i);
		}
		disk_cut(disk, "test");
		for (int page = 0; page < 16; page++)
			for (int s = 1; s < per_page; s++)
				if (on_image(image, sector, page * per_page + s) !=
					on_image(image, sector, page * per_page))
				{
					torn++;
					break;
				}
		disk_power_on(disk);
	}
	disk_close(disk);
	close(image);
	return torn;
}

static void
test_atomic_unit(uint32_t sector)
{
	random_state = 5;
	ok(torn_pages(sector, 8192, 1 << 30) == 0, "sector %u, atomic unit 8192: every page is whole", sector);
	ok(torn_pages(sector, 8192, 10 * sector) == 0, "... also when the cache overflows");
	ok(torn_pages(sector, 0, 1 << 30) > 50, "... and without it pages tear (control)");
	ok(torn_pages(sector, sector, 1 << 30) > 50, "... and with a unit of one sector too (control)");
}

/* Runs the same requests and returns a hash of the image they leave. */
static uint64_t
image_after(uint64_t seed, FILE *log, FILE *data, int image)
{
	DiskOptions opt = options(512, 0, seed);
	Disk	   *disk = new_disk(image, &opt, log, data);
	unsigned char all[SECTORS * 512];

	random_state = 11;
	for (uint64_t i = 1; i <= 500; i++)
	{
		if (i == 300)
			disk_set(disk, "cut-unflushed", "20");
		if (i % 41 == 0)
			disk_flush(disk);
		if (i % 173 == 0)
			disk_cut(disk, "test");
		if (!disk_has_power(disk))
			disk_power_on(disk);
		write_sectors(disk, 512, (int) dice(SECTORS - 8), 1 + (int) dice(8), i);
	}
	if (disk_has_power(disk))
		disk_cut(disk, "test");
	disk_close(disk);
	if (pread(image, all, sizeof(all), 0) != sizeof(all))
		return 0;
	return disk_hash(all, sizeof(all));
}

static void
test_same_seed(void)
{
	int			image[3] = {new_image(), new_image(), new_image()};
	uint64_t	first = image_after(42, NULL, NULL, image[0]);

	ok(image_after(42, NULL, NULL, image[1]) == first, "same seed, same disk");
	ok(image_after(43, NULL, NULL, image[2]) != first, "another seed, another disk");
	for (int i = 0; i < 3; i++)
		close(image[i]);
}

/* The log and data of a run go through powerreplay; argv[0] tells where it is. */
static void
test_replay(const char *argv0)
{
	char		name[] = "/tmp/powerdisk-log-XXXXXX";
	char		path[64];
	char		command[4300];
	int			image = new_image();
	int			log_fd = mkstemp(name);
	FILE	   *log = fdopen(log_fd, "w");
	FILE	   *data;
	uint64_t	first;
	unsigned char all[SECTORS * 512];
	FILE	   *replayed;

	snprintf(path, sizeof(path), "%s.data", name);
	data = fopen(path, "w");
	if (log == NULL || data == NULL)
		exit(1);
	first = image_after(42, log, data, image);
	fclose(log);
	fclose(data);
	snprintf(command, sizeof(command), "$(dirname '%s')/../powerreplay %s %s.image >/dev/null", argv0, name, name);
	ok(system(command) == 0, "powerreplay finds the same log");
	snprintf(path, sizeof(path), "%s.image", name);
	replayed = fopen(path, "r");
	ok(replayed && fread(all, 1, sizeof(all), replayed) == sizeof(all) &&
	   disk_hash(all, sizeof(all)) == first, "... and makes the same image");
	if (replayed)
		fclose(replayed);
	snprintf(command, sizeof(command),
			 "$(dirname '%s')/../powerreplay --seed 43 %s %s.image >/dev/null", argv0, name, name);
	ok(system(command) != 0, "... and tells that another seed cuts differently (control)");
	snprintf(command, sizeof(command), "rm -f %s %s.data %s.image %s.replayed", name, name, name, name);
	if (system(command) != 0)
		printf("# could not remove %s\n", name);
	close(image);
}

static void
test_armed_cuts(void)
{
	DiskOptions opt = options(512, 0, 1);
	int			image = new_image();
	Disk	   *disk = new_disk(image, &opt, NULL, NULL);

	disk_set(disk, "cut-write", "3");
	ok(write_sectors(disk, 512, 0, 1, 1) == 0 && write_sectors(disk, 512, 1, 1, 1) == 0 &&
	   write_sectors(disk, 512, 2, 1, 1) == -EIO && !disk_has_power(disk),
	   "cut-write 3: the third write cuts, and is not acknowledged");
	disk_power_on(disk);
	ok(write_sectors(disk, 512, 0, 1, 1) == 0, "... once");
	disk_flush(disk);
	disk_set(disk, "cut-unflushed", "4");
	write_sectors(disk, 512, 0, 3, 1);
	write_sectors(disk, 512, 0, 3, 1);
	ok(disk_has_power(disk), "cut-unflushed 4: three sectors written twice are three");
	ok(write_sectors(disk, 512, 9, 1, 1) == -EIO && !disk_has_power(disk), "... the fourth cuts");
	disk_close(disk);
	close(image);
}

static void
test_errors(void)
{
	DiskOptions opt = options(512, 0, 1);
	int			image = new_image();
	Disk	   *disk = new_disk(image, &opt, NULL, NULL);

	disk_set(disk, "eio-write", "2");
	ok(write_sectors(disk, 512, 0, 1, 1) == 0 && write_sectors(disk, 512, 0, 1, 2) == -EIO &&
	   write_sectors(disk, 512, 1, 1, 3) == 0 && by_read(disk, 512, 0) == 1,
	   "eio-write 2: the second write fails and leaves nothing");
	disk_set(disk, "eio-range", "1024:512");
	ok(write_sectors(disk, 512, 1, 1, 1) == 0 && write_sectors(disk, 512, 1, 2, 1) == -EIO &&
	   write_sectors(disk, 512, 2, 1, 1) == -EIO && write_sectors(disk, 512, 3, 1, 1) == 0,
	   "eio-range: writes that touch it fail");
	disk_set(disk, "eio-range", "0:0");
	disk_set(disk, "full", "on");
	ok(write_sectors(disk, 512, 1, 1, 9) == 0 && write_sectors(disk, 512, 8, 1, 9) == -ENOSPC,
	   "full: old places can be written, new ones not");
	disk_set(disk, "full", "off");
	ok(write_sectors(disk, 512, 8, 1, 9) == 0, "... until there is space");
	disk_set(disk, "capacity", "2560");
	ok(write_sectors(disk, 512, 20, 1, 9) == 0 && write_sectors(disk, 512, 21, 1, 9) == -ENOSPC,
	   "capacity counts distinct sectors");
	ok(disk_set(disk, "survive", "101") == -EINVAL && disk_set(disk, "nonsense", "1") == -ENOENT &&
	   disk_set(disk, "eio-range", "7") == -EINVAL, "bad settings are refused");
	disk_close(disk);
	close(image);
}

/* Writes that do not cover a sector, and reads across cached and durable ones. */
static void
test_partial(void)
{
	DiskOptions opt = options(4096, 0, 1);
	int			image = new_image();
	Disk	   *disk = new_disk(image, &opt, NULL, NULL);
	unsigned char buf[8192];
	bool		good = true;

	write_sectors(disk, 4096, 0, 2, UINT64_C(0x0101010101010101));
	disk_flush(disk);
	memset(buf, 2, sizeof(buf));
	disk_write(disk, buf, 1000, 3596);
	good = disk_read(disk, buf, 8192, 0) == 0;
	for (int i = 0; i < 8192; i++)
		good = good && buf[i] == (i >= 3596 && i < 4596 ? 2 : 1);
	ok(good, "a write across two sectors changes its own bytes only");
	ok(disk_write(disk, buf, 512, opt.size) == -ENOSPC && disk_write(disk, buf, 512, UINT64_MAX) == -ENOSPC,
	   "nothing is written beyond the end");
	disk_close(disk);
	close(image);
}

static void
test_cache_limit(void)
{
	DiskOptions opt = options(512, 0, 1);
	int			image = new_image();
	Disk	   *disk;

	opt.cache_limit = 4 * 512;
	disk = new_disk(image, &opt, NULL, NULL);
	for (int i = 0; i < 10; i++)
		write_sectors(disk, 512, i, 1, 77);
	ok(on_image(image, 512, 5) == 77 && on_image(image, 512, 6) == 0,
	   "a full cache writes out the oldest, and no more than it must");
	ok(by_read(disk, 512, 0) == 77 && by_read(disk, 512, 9) == 77, "... reads see all of it");
	disk_close(disk);
	close(image);
}

int
main(int argc, char **argv)
{
	uint64_t	seed = 1;

	if (argc > 1 && !parse_size(argv[1], &seed))
		return 2;
	for (uint64_t s = seed; s < seed + 3; s++)
	{
		test_random(512, s);
		test_random(4096, s);
	}
	test_power();
	test_survive(0);
	test_survive(100);
	test_atomic_unit(512);
	test_atomic_unit(4096);
	test_same_seed();
	test_replay(argv[0]);
	test_armed_cuts();
	test_errors();
	test_partial();
	test_cache_limit();
	printf("1..%d\n", ntests);
	return nfailed > 0;
}
