/*-------------------------------------------------------------------------
 *
 * powerreplay.c
 *	  Replays the request log of a powerdisk into an image.
 *
 * The replay keeps a log of its own.  It is right when that log is the same
 * as the old one: same decisions at every cut, same hash of every write.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache.h"

static void
usage(FILE *to)
{
	fputs("powerreplay - make the image of a powerdisk again from its request log\n"
		  "\n"
		  "Usage: powerreplay [--seed N] LOG IMAGE\n"
		  "\n"
		  "LOG       written by powerdisk --log LOG --log-data; LOG.data lies beside it\n"
		  "IMAGE     a copy of the image as it was when the log began (created empty when\n"
		  "          it does not exist); afterwards it is as the log ends\n"
		  "--seed N  decide the cuts by another seed: a different image on purpose\n"
		  "\n"
		  "Writes LOG.replayed.  Exit status 0 when it equals LOG, 1 when it differs (with\n"
		  "--seed that is to be expected), 2 when the replay could not be done.\n", to);
}

static void
fail(const char *what)
{
	fprintf(stderr, "powerreplay: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void
bad_line(const char *line)
{
	fprintf(stderr, "powerreplay: not a line of a request log: %s", line);
	exit(2);
}

static FILE *
open_file(const char *name, const char *suffix, const char *mode)
{
	char		path[4096];
	FILE	   *f;

	snprintf(path, sizeof(path), "%s%s", name, suffix);
	f = fopen(path, mode);
	if (f == NULL)
		fail(path);
	return f;
}

static void
replay_write(Disk *disk, FILE *data, size_t len, uint64_t off)
{
	void	   *buf = malloc(len);

	if (buf == NULL || fread(buf, 1, len, data) != len)
		fail("data of the log");
	disk_write(disk, buf, len, off);
	free(buf);
}

/*
 * A refused write has no data in the log; zeros stand for it, because it is
 * refused again.
 */
static void
replay_refused(Disk *disk, size_t len, uint64_t off)
{
	void	   *zeros = calloc(1, len);

	if (zeros == NULL)
		fail("memory");
	disk_write(disk, zeros, len, off);
	free(zeros);
}

static void
replay_line(Disk *disk, FILE *data, const char *line)
{
	uint64_t	off;
	size_t		len;
	char		name[64];
	char		value[64];

	if (sscanf(line, "write %*u %" SCNu64 " %zu", &off, &len) == 2)
		replay_write(disk, data, len, off);
	else if (sscanf(line, "refused %*u %" SCNu64 " %zu", &off, &len) == 2)
		replay_refused(disk, len, off);
	else if (strncmp(line, "flush ", 6) == 0)
		disk_flush(disk);
	else if (strncmp(line, "power-on ", 9) == 0)
		disk_power_on(disk);
	else if (sscanf(line, "cut %*u %63s", name) == 1)
		disk_cut(disk, name);	/* a cut by itself has happened already */
	else if (sscanf(line, "set %*u %63s %63s", name, value) == 2)
		disk_set(disk, name, value);
	else if (strncmp(line, "kept ", 5) != 0 && strncmp(line, "lost ", 5) != 0)
		bad_line(line);
}

static Disk *
open_from_header(const char *line, const char *image, const uint64_t *seed, FILE *log)
{
	DiskOptions opt;
	int			has_data;
	int			fd;
	Disk	   *disk;

	if (sscanf(line, "powerdisk-log 1 size=%" SCNu64 " sector=%u atomic-unit=%u survive=%u"
			   " seed=%" SCNu64 " cache-limit=%" SCNu64 " data=%d",
			   &opt.size, &opt.sector, &opt.atomic_unit, &opt.survive, &opt.seed,
			   &opt.cache_limit, &has_data) != 7)
		bad_line(line);
	if (!has_data)
	{
		fprintf(stderr, "powerreplay: the log was written without --log-data\n");
		exit(2);
	}
	if (seed)
		opt.seed = *seed;
	fd = open(image, O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		fail(image);
	if (lseek(fd, 0, SEEK_END) < (off_t) opt.size && ftruncate(fd, (off_t) opt.size) != 0)
		fail(image);
	disk = disk_open(fd, &opt, log, NULL);
	if (disk == NULL)
		fail(image);
	return disk;
}

/*
 * True when the rest of both files is the same.  The old header says data=1,
 * the new one data=0, so the comparison begins at the second line.
 */
static bool
same(FILE *a, FILE *b)
{
	char		line_a[256];
	char		line_b[256];
	bool		header = true;

	for (;;)
	{
		char	   *got_a = fgets(line_a, sizeof(line_a), a);
		char	   *got_b = fgets(line_b, sizeof(line_b), b);

		if (got_a == NULL || got_b == NULL)
			return got_a == NULL && got_b == NULL;
		if (!header && strcmp(line_a, line_b) != 0)
		{
			printf("first difference:\n  logged:   %s  replayed: %s", line_a, line_b);
			return false;
		}
		header = false;
	}
}

int
main(int argc, char **argv)
{
	uint64_t	seed;
	uint64_t   *use_seed = NULL;
	char		line[256];
	FILE	   *log;
	FILE	   *data;
	FILE	   *replayed;
	Disk	   *disk;

	if (argc == 2 && strcmp(argv[1], "--help") == 0)
	{
		usage(stdout);
		return 0;
	}
	if (argc == 5 && strcmp(argv[1], "--seed") == 0 && parse_size(argv[2], &seed))
	{
		use_seed = &seed;
		argv += 2;
		argc -= 2;
	}
	if (argc != 3)
	{
		usage(stderr);
		return 2;
	}
	log = open_file(argv[1], "", "r");
	data = open_file(argv[1], ".data", "r");
	replayed = open_file(argv[1], ".replayed", "w+");
	if (fgets(line, sizeof(line), log) == NULL)
		bad_line("\n");
	disk = open_from_header(line, argv[2], use_seed, replayed);
	while (fgets(line, sizeof(line), log) != NULL)
		replay_line(disk, data, line);
	disk_close(disk);
	rewind(log);
	rewind(replayed);
	if (!same(log, replayed))
		return 1;
	printf("replayed: the same disk\n");
	return 0;
}
