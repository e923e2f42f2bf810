/*-------------------------------------------------------------------------
 *
 * tornscan.c
 *	  Looks for torn pages in the relation files of a stopped cluster.
 *
 * A page is sound when it is all zeros (new), or when its checksum is right
 * and its header makes sense; the checksum code is the server's own.  Any
 * other page is damaged.  That alone does not make it torn: one checksum over
 * 8 KiB says that something is wrong, not what.  A damaged page is called torn
 * only on evidence, tried in this order:
 *
 *	log			the request log of a powerdisk tells, for the sectors under this
 *				page, that the last cut lost the newest write of some while
 *				others hold theirs.  Proof.
 *	zeros		some sectors are all zeros where the page must have data: its
 *				first write did not arrive whole.
 *	reference	some sectors are those of a sound version of the page in another
 *				copy of the cluster, some are not: halves of two versions.
 *
 * Without evidence the verdict is "damaged", with "plausible" telling whether
 * the header could be that of a page (a tear looks like that, so does a
 * flipped bit).  A tear between versions that differ in one half only leaves a
 * sound page; and one torn page in 65536 has a right checksum by accident.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "catalog/pg_control.h"
#include "storage/bufpage.h"
#include "storage/checksum.h"
#include "storage/checksum_impl.h"

#include "cutlog.h"

#define MIN_SECTOR 512
#define MAX_SECTORS (BLCKSZ / MIN_SECTOR)
#define EXIT_SOUND 0
#define EXIT_FOUND 1
#define EXIT_FAILED 2

/* What is known of one damaged page. */
typedef struct Finding
{
	const char *path;			/* below PGDATA */
	BlockNumber block;			/* of the relation, not of the segment */
	const char *verdict;		/* torn | damaged */
	const char *evidence;		/* log | zeros | reference | none */
	bool		plausible;
	uint16		expected;		/* checksum computed */
	uint16		found;			/* checksum on the page */
	XLogRecPtr	lsn;
	char		map[MAX_SECTORS + 1];	/* a letter per sector */
} Finding;

static int	sector_size = 4096;
static int	nsectors;			/* per page */
static bool json = false;
static const char *pgdata;
static const char *reference = NULL;
static CutLog *cutlog = NULL;

static uint64 files_scanned = 0;
static uint64 pages_scanned = 0;
static uint64 pages_new = 0;
static uint64 pages_torn = 0;
static uint64 pages_damaged = 0;
static uint64 partial_tails = 0;

static void
fail(const char *what, const char *path)
{
	fprintf(stderr, "tornscan: %s \"%s\": %s\n", what, path, strerror(errno));
	exit(EXIT_FAILED);
}

/* ---- one page ------------------------------------------------------------ */

static bool
all_zero(const char *bytes, int len)
{
	for (int i = 0; i < len; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

/* The tests of the server's PageIsVerifiedExtended(), besides the checksum. */
static bool
header_plausible(const char *page)
{
	const PageHeaderData *p = (const PageHeaderData *) page;

	return (p->pd_flags & ~PD_VALID_FLAG_BITS) == 0 &&
		p->pd_lower <= p->pd_upper && p->pd_upper <= p->pd_special &&
		p->pd_special <= BLCKSZ && p->pd_upper != 0 &&
		p->pd_special == MAXALIGN(p->pd_special) &&
		(p->pd_pagesize_version & 0xFF00) == BLCKSZ;
}

static bool
page_sound(char *page, BlockNumber block)
{
	const PageHeaderData *p = (const PageHeaderData *) page;

	if (p->pd_upper == 0)
		return all_zero(page, BLCKSZ);
	return pg_checksum_page(page, block) == p->pd_checksum && header_plausible(page);
}

/*
 * Zero sectors: '0', others '#'.  In a page with a header, a sector may be
 * zeros only in the hole between pd_lower and pd_upper.
 */
static bool
torn_by_zeros(const char *page, Finding *f)
{
	const PageHeaderData *p = (const PageHeaderData *) page;
	bool		headless = all_zero(page, sector_size);
	int			missing = 0;

	for (int i = 0; i < nsectors; i++)
	{
		int			from = i * sector_size;
		bool		zero = all_zero(page + from, sector_size);

		f->map[i] = zero ? '0' : '#';
		if (zero && (headless || from < p->pd_lower || from + sector_size > p->pd_upper))
			missing++;
	}
	return missing > 0 && missing < nsectors && (headless || header_plausible(page));
}

/* Sectors that are the same in the reference: '=', others '#'. */
static bool
torn_by_reference(const char *page, off_t offset, Finding *f)
{
	PGAlignedBlock other;
	char		path[MAXPGPATH * 2];
	int			same = 0;
	int			fd;
	ssize_t		n;

	snprintf(path, sizeof(path), "%s/%s", reference, f->path);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	n = pread(fd, other.data, BLCKSZ, offset);
	close(fd);
	if (n != BLCKSZ || all_zero(other.data, BLCKSZ) || !page_sound(other.data, f->block))
		return false;
	for (int i = 0; i < nsectors; i++)
	{
		bool		equal = memcmp(page + i * sector_size, other.data + i * sector_size,
								   sector_size) == 0;

		f->map[i] = equal ? '=' : '#';
		same += equal;
	}
	return same > 0 && same < nsectors;
}

/* Where a byte of a file lies on the device; false for holes and the like. */
static bool
device_offset(int fd, off_t offset, uint64_t *result)
{
	struct
	{
		struct fiemap map;
		struct fiemap_extent extent;
	}			request = {.map = {.fm_start = offset, .fm_length = 1, .fm_extent_count = 1}};
	const struct fiemap_extent *e = &request.extent;

	if (ioctl(fd, FS_IOC_FIEMAP, &request) != 0 || request.map.fm_mapped_extents == 0 ||
		(e->fe_flags & (FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC |
						FIEMAP_EXTENT_UNWRITTEN | FIEMAP_EXTENT_ENCODED)) != 0)
		return false;
	*result = e->fe_physical + (offset - e->fe_logical);
	return true;
}

/*
 * '+' the newest write arrived, '-' it was lost, '~' it was lost but an older
 * unflushed one arrived, '.' not written since the last flush before the cut,
 * '?' not on the device.
 */
static bool
torn_by_log(int fd, off_t offset, Finding *f)
{
	int			lost = 0;
	int			untouched_or_kept = 0;

	for (int i = 0; i < nsectors; i++)
	{
		uint64_t	where;

		f->map[i] = device_offset(fd, offset + (off_t) i * sector_size, &where) ?
			cutlog_fate(cutlog, where) : '?';
		lost += f->map[i] == '-' || f->map[i] == '~';
		untouched_or_kept += f->map[i] != '-';
	}
	return lost > 0 && untouched_or_kept > 0;
}

static void
find_evidence(int fd, off_t offset, const char *page, Finding *f)
{
	f->verdict = "torn";
	if (cutlog && torn_by_log(fd, offset, f))
		f->evidence = "log";
	else if (torn_by_zeros(page, f))
		f->evidence = "zeros";
	else if (reference && torn_by_reference(page, offset, f))
		f->evidence = "reference";
	else
	{
		f->verdict = "damaged";
		f->evidence = "none";
		f->map[0] = '\0';
	}
}

/* ---- report ---------------------------------------------------------------- */

/* Relation files have plain names; a tablespace's path cannot come in here. */
static void
report(const Finding *f)
{
	if (json)
		printf("%s\n    {\"file\": \"%s\", \"block\": %u, \"verdict\": \"%s\", \"evidence\": \"%s\", "
			   "\"sectors\": \"%s\", \"header_plausible\": %s, \"lsn\": \"%X/%X\", "
			   "\"checksum_expected\": %u, \"checksum_found\": %u}",
			   pages_torn + pages_damaged > 1 ? "," : "", f->path, f->block, f->verdict,
			   f->evidence, f->map, f->plausible ? "true" : "false",
			   LSN_FORMAT_ARGS(f->lsn), f->expected, f->found);
	else
		printf("%s: block %u is %s (evidence: %s%s%s), lsn %X/%X, checksum expected %04X, found %04X%s\n",
			   f->path, f->block, f->verdict, f->evidence, f->map[0] ? ", sectors " : "", f->map,
			   LSN_FORMAT_ARGS(f->lsn), f->expected, f->found,
			   f->plausible ? "" : ", header is not that of a page");
}

static void
summary(void)
{
	if (json)
		printf("%s],\n  \"files\": " UINT64_FORMAT ", \"pages\": " UINT64_FORMAT
			   ", \"new\": " UINT64_FORMAT ", \"torn\": " UINT64_FORMAT ", \"damaged\": "
			   UINT64_FORMAT ", \"partial_tails\": " UINT64_FORMAT ", \"sector\": %d}\n",
			   pages_torn + pages_damaged > 0 ? "\n  " : "", files_scanned, pages_scanned,
			   pages_new, pages_torn, pages_damaged, partial_tails, sector_size);
	else
		printf(UINT64_FORMAT " files, " UINT64_FORMAT " pages (" UINT64_FORMAT " new): "
			   UINT64_FORMAT " torn, " UINT64_FORMAT " damaged otherwise\n",
			   files_scanned, pages_scanned, pages_new, pages_torn, pages_damaged);
}

/* ---- files ----------------------------------------------------------------- */

static void
check_page(int fd, off_t offset, char *page, const char *path, BlockNumber block)
{
	const PageHeaderData *p = (const PageHeaderData *) page;
	Finding		f = {.path = path, .block = block};

	pages_scanned++;
	if (page_sound(page, block))
	{
		pages_new += p->pd_upper == 0;
		return;
	}
	f.plausible = header_plausible(page);
	f.found = p->pd_checksum;
	f.expected = p->pd_upper == 0 ? 0 : pg_checksum_page(page, block);
	f.lsn = PageGetLSN((Page) p);
	find_evidence(fd, offset, page, &f);
	if (strcmp(f.verdict, "torn") == 0)
		pages_torn++;
	else
		pages_damaged++;
	report(&f);
}

/*
 * A relation's file: digits, perhaps a fork, perhaps a segment.  Temporary
 * relations (t3_16384) are not wanted: nobody reads them after a crash.
 */
static bool
is_relation_file(const char *name, unsigned *segment)
{
	static const char *const forks[] = {"_fsm", "_vm", "_init"};
	const char *p = name;

	*segment = 0;
	while (isdigit((unsigned char) *p))
		p++;
	if (p == name)
		return false;
	for (int i = 0; i < lengthof(forks); i++)
	{
		if (strncmp(p, forks[i], strlen(forks[i])) == 0)
		{
			p += strlen(forks[i]);
			break;
		}
	}
	if (*p == '.' && isdigit((unsigned char) p[1]))
	{
		*segment = (unsigned) strtoul(p + 1, NULL, 10);
		for (p++; isdigit((unsigned char) *p); p++)
			;
	}
	return *p == '\0';
}

static void
scan_file(const char *path, unsigned segment)
{
	PGAlignedBlock page;
	char		full[MAXPGPATH * 2];
	off_t		offset = 0;
	ssize_t		n;
	int			fd;

	snprintf(full, sizeof(full), "%s/%s", pgdata, path);
	fd = open(full, O_RDONLY);
	if (fd < 0)
		fail("could not open file", full);
	files_scanned++;
	while ((n = pread(fd, page.data, BLCKSZ, offset)) == BLCKSZ)
	{
		check_page(fd, offset, page.data, path,
				   (BlockNumber) (offset / BLCKSZ) + segment * (BlockNumber) RELSEG_SIZE);
		offset += BLCKSZ;
	}
	if (n < 0)
		fail("could not read file", full);
	/* the server does not count a page that is not there in full */
	partial_tails += n > 0;
	/* for whoever starts the server next, the page cache is as it was found */
	(void) posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
}

static void
scan_directory(const char *path)
{
	char		full[MAXPGPATH];
	char		file[MAXPGPATH + 256];
	struct dirent *entry;
	unsigned	segment;
	DIR		   *dir;

	snprintf(full, sizeof(full), "%s/%s", pgdata, path);
	dir = opendir(full);
	if (dir == NULL)
		fail("could not open directory", full);
	while ((entry = readdir(dir)) != NULL)
	{
		if (!is_relation_file(entry->d_name, &segment))
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		scan_file(file, segment);
	}
	closedir(dir);
}

/* Directories of databases: names of digits only. */
static void
scan_databases(const char *path)
{
	char		full[MAXPGPATH];
	char		sub[MAXPGPATH];
	struct dirent *entry;
	DIR		   *dir;

	snprintf(full, sizeof(full), "%s/%s", pgdata, path);
	dir = opendir(full);
	if (dir == NULL)
		fail("could not open directory", full);
	while ((entry = readdir(dir)) != NULL)
	{
		if (strspn(entry->d_name, "0123456789") != strlen(entry->d_name))
			continue;
		snprintf(sub, sizeof(sub), "%s/%s", path, entry->d_name);
		scan_directory(sub);
	}
	closedir(dir);
}

/* pg_tblspc/OID/PG_15_202209061/DATABASE/... */
static void
scan_tablespaces(void)
{
	static const char prefix[] = "PG_" PG_MAJORVERSION "_";
	char		path[MAXPGPATH];
	char		sub[MAXPGPATH];
	struct dirent *space;
	struct dirent *version;
	DIR		   *spaces;
	DIR		   *versions;

	snprintf(path, sizeof(path), "%s/pg_tblspc", pgdata);
	spaces = opendir(path);
	if (spaces == NULL)
		fail("could not open directory", path);
	while ((space = readdir(spaces)) != NULL)
	{
		if (!isdigit((unsigned char) space->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "%s/pg_tblspc/%s", pgdata, space->d_name);
		versions = opendir(path);
		if (versions == NULL)
			fail("could not open tablespace", path);
		while ((version = readdir(versions)) != NULL)
		{
			if (strncmp(version->d_name, prefix, strlen(prefix)) != 0)
				continue;
			snprintf(sub, sizeof(sub), "pg_tblspc/%s/%s", space->d_name, version->d_name);
			scan_databases(sub);
		}
		closedir(versions);
	}
	closedir(spaces);
}

/* ---- start ------------------------------------------------------------------ */

/*
 * Only a cluster of this program's server version, with checksums, can be
 * judged.  pg_control itself fits a sector, so it is never torn.
 */
static void
check_control_file(void)
{
	ControlFileData control;
	char		path[MAXPGPATH];
	int			fd;

	snprintf(path, sizeof(path), "%s/global/pg_control", pgdata);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, &control, sizeof(control)) != sizeof(control))
		fail("could not read control file", path);
	close(fd);
	if (control.pg_control_version != PG_CONTROL_VERSION ||
		control.blcksz != BLCKSZ || control.relseg_size != RELSEG_SIZE)
	{
		fprintf(stderr, "tornscan: \"%s\" is not of a PostgreSQL " PG_MAJORVERSION
				" cluster with pages of %d bytes\n", pgdata, BLCKSZ);
		exit(EXIT_FAILED);
	}
	if (control.data_checksum_version != PG_DATA_CHECKSUM_VERSION)
	{
		fprintf(stderr, "tornscan: data checksums are off in \"%s\": torn pages cannot be told "
				"from sound ones\n(create the cluster with initdb --data-checksums)\n", pgdata);
		exit(EXIT_FAILED);
	}
}

static void
check_stopped(void)
{
	char		path[MAXPGPATH];
	char		proc[64];
	FILE	   *f;
	int			pid;

	snprintf(path, sizeof(path), "%s/postmaster.pid", pgdata);
	f = fopen(path, "r");
	if (f == NULL)
		return;
	if (fscanf(f, "%d", &pid) == 1)
	{
		snprintf(proc, sizeof(proc), "/proc/%d/cwd", pid);
		if (access(proc, F_OK) == 0)
			fprintf(stderr, "tornscan: warning: process %d may be running on this data directory; "
					"pages being written look torn\n", pid);
	}
	fclose(f);
}

static void
usage(FILE *to)
{
	fprintf(to,
			"tornscan - looks for torn pages in the data directory of a stopped server\n"
			"\n"
			"Usage: tornscan [OPTION]... PGDATA\n"
			"\n"
			"  --sector N            bytes that the disk writes whole: 512 to %d, default 4096\n"
			"  --powerdisk-log FILE  request log of the powerdisk below this filesystem: tells\n"
			"                        which sectors of a damaged page the last cut took.  The\n"
			"                        filesystem must lie on the disk directly, and the server\n"
			"                        must not have been started since\n"
			"  --reference DIR       another copy of the cluster (backup, image before the cut)\n"
			"                        to find the halves of a torn page in\n"
			"  --json                one JSON object instead of lines\n"
			"  --help\n"
			"\n"
			"Reads all relation files (all forks) in base, global and pg_tblspc and verifies\n"
			"every page with the server's own checksum code; data checksums must be on.\n"
			"All-zero pages are new pages and fine.  A damaged page is called torn when there\n"
			"is evidence for it: the log of the disk, sectors of zeros where the page has data,\n"
			"or sectors of another version.  Otherwise it is called damaged.  \"sectors\" shows\n"
			"the page sector by sector:\n"
			"  log:        + newest write arrived  - lost  ~ lost, but an older unflushed one\n"
			"              arrived  . not written since the flush before the cut\n"
			"  zeros:      0 zeros  # data\n"
			"  reference:  = as in the reference  # not\n"
			"\n"
			"Exit status: 0 every page is sound, 1 torn or damaged pages, 2 could not tell.\n",
			BLCKSZ);
}

static void
read_arguments(int argc, char **argv)
{
	static const struct option options[] = {
		{"sector", required_argument, NULL, 's'},
		{"powerdisk-log", required_argument, NULL, 'l'},
		{"reference", required_argument, NULL, 'r'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}
	};
	int			c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
	{
		switch (c)
		{
			case 's':
				sector_size = atoi(optarg);
				break;
			case 'l':
				cutlog = cutlog_read(optarg);
				if (cutlog == NULL)
					fail("could not read request log", optarg);
				break;
			case 'r':
				reference = optarg;
				break;
			case 'j':
				json = true;
				break;
			case 'h':
				usage(stdout);
				exit(EXIT_SOUND);
			default:
				exit(EXIT_FAILED);
		}
	}
	if (argc - optind != 1 || sector_size < MIN_SECTOR || sector_size > BLCKSZ ||
		(sector_size & (sector_size - 1)) != 0)
	{
		usage(stderr);
		exit(EXIT_FAILED);
	}
	nsectors = BLCKSZ / sector_size;
	pgdata = argv[optind];
}

int
main(int argc, char **argv)
{
	read_arguments(argc, argv);
	check_control_file();
	check_stopped();
	if (json)
		printf("{\"findings\": [");
	scan_directory("global");
	scan_databases("base");
	scan_tablespaces();
	summary();
	return pages_torn + pages_damaged > 0 ? EXIT_FOUND : EXIT_SOUND;
}
