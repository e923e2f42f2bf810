/*-------------------------------------------------------------------------
 *
 * cache.c
 *	  Model of a disk with a volatile write cache.  See cache.h for what it
 *	  promises.
 *
 * Every write is held as one Version per sector, in order of arrival.  Several
 * unflushed versions of one sector are all kept, because each of them may be
 * the one that survives a cut: walking from the oldest to the newest and
 * writing those that survive leaves the newest survivor on the image.
 *
 * Thin disk: "full" and "capacity" limit how many sectors were ever written.
 * A sector that is a hole in the image file counts as never written.
 *
 *-------------------------------------------------------------------------
 */
#include "cache.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What one unflushed write did to one sector. */
typedef struct Version
{
	struct Version *younger;	/* arrived next, any sector */
	uint64_t	request;
	uint64_t	sector;
	unsigned char bytes[];
} Version;

struct Disk
{
	int			image;
	DiskOptions opt;
	FILE	   *log;
	FILE	   *data;
	bool		power;
	uint64_t	nsectors;

	Version   **newest;			/* by sector; NULL = as on the image */
	Version    *oldest_in_cache;
	Version    *youngest_in_cache;
	uint64_t	nversions;
	uint64_t	nunflushed;		/* sectors with at least one version */

	unsigned char *written;		/* a bit per sector: not a hole */
	uint64_t	nwritten;
	uint64_t	capacity;		/* sectors; UINT64_MAX = no limit */

	/* armed events; 0 = not armed */
	uint64_t	cut_unflushed;	/* cut when so many sectors are unflushed */
	uint64_t	cut_write;		/* cut at the n-th write from now */
	uint64_t	eio_write;		/* fail the n-th write from now */
	uint64_t	eio_from;		/* fail every write in this range */
	uint64_t	eio_to;

	uint64_t	requests;		/* writes, flushes, cuts, settings, ... */
	uint64_t	writes;
	uint64_t	reads;
	uint64_t	flushes;
	uint64_t	refused;
	uint64_t	cuts;
	uint64_t	kept;			/* at the last cut, in versions */
	uint64_t	lost;
	char		why[32];		/* of the last cut */
};

static void
note(Disk *disk, const char *what, uint64_t a, uint64_t b)
{
	if (disk->log)
		fprintf(disk->log, "%s %" PRIu64 " %" PRIu64 "\n", what, a, b);
}

/* splitmix64: every bit of the result depends on every bit of x */
static uint64_t
mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* FNV-1a */
uint64_t
disk_hash(const void *buf, size_t len)
{
	const unsigned char *p = buf;
	uint64_t	h = UINT64_C(0xcbf29ce484222325);

	while (len-- > 0)
		h = (h ^ *p++) * UINT64_C(0x100000001b3);
	return h;
}

bool
parse_size(const char *text, uint64_t *value)
{
	char	   *end;
	unsigned	shift = 0;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*value = strtoull(text, &end, 10);
	if (errno != 0)
		return false;
	if (*end == 'k' || *end == 'K')
		shift = 10;
	else if (*end == 'M')
		shift = 20;
	else if (*end == 'G')
		shift = 30;
	if (shift > 0)
		end++;
	if (*end != '\0' || *value > UINT64_MAX >> shift)
		return false;
	*value <<= shift;
	return true;
}

/* pwrite and pread that finish or say why not */
static int
image_write(const Disk *disk, const unsigned char *buf, size_t len, uint64_t off)
{
	while (len > 0)
	{
		ssize_t		n = pwrite(disk->image, buf, len, (off_t) off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		buf += n;
		off += (uint64_t) n;
		len -= (size_t) n;
	}
	return 0;
}

/* What lies beyond the end of the image file reads as zeros. */
static int
image_read(const Disk *disk, unsigned char *buf, size_t len, uint64_t off)
{
	while (len > 0)
	{
		ssize_t		n = pread(disk->image, buf, len, (off_t) off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
		{
			memset(buf, 0, len);
			return 0;
		}
		buf += n;
		off += (uint64_t) n;
		len -= (size_t) n;
	}
	return 0;
}

static bool
is_written(const Disk *disk, uint64_t sector)
{
	return (disk->written[sector / 8] >> (sector % 8)) & 1;
}

static void
mark_written(Disk *disk, uint64_t sector)
{
	if (!is_written(disk, sector))
	{
		disk->written[sector / 8] |= (unsigned char) (1 << (sector % 8));
		disk->nwritten++;
	}
}

/* Which sectors the image holds already; needs SEEK_DATA from its filesystem. */
static void
find_written(Disk *disk)
{
	off_t		from = 0;

	while ((from = lseek(disk->image, from, SEEK_DATA)) >= 0 &&
		   (uint64_t) from < disk->opt.size)
	{
		off_t		to = lseek(disk->image, from, SEEK_HOLE);

		if (to < 0)
			break;
		for (uint64_t s = (uint64_t) from / disk->opt.sector;
			 s * disk->opt.sector < (uint64_t) to && s < disk->nsectors; s++)
			mark_written(disk, s);
		from = to;
	}
}

static bool
is_power_of_two(uint64_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

Disk *
disk_open(int image, const DiskOptions *opt, FILE *log, FILE *data)
{
	Disk	   *disk;

	if (!is_power_of_two(opt->sector) || opt->sector < 512 ||
		opt->size == 0 || opt->size % opt->sector != 0 || opt->survive > 100 ||
		(opt->atomic_unit != 0 &&
		 (!is_power_of_two(opt->atomic_unit) ||
		  opt->atomic_unit < opt->sector || opt->size % opt->atomic_unit != 0)))
	{
		errno = EINVAL;
		return NULL;
	}
	disk = calloc(1, sizeof(Disk));
	if (disk == NULL)
		return NULL;
	disk->image = image;
	disk->opt = *opt;
	disk->log = log;
	disk->data = data;
	disk->power = true;
	disk->capacity = UINT64_MAX;
	disk->nsectors = opt->size / opt->sector;
	disk->newest = calloc(disk->nsectors, sizeof(Version *));
	disk->written = calloc(disk->nsectors / 8 + 1, 1);
	if (disk->newest == NULL || disk->written == NULL)
	{
		disk_close(disk);
		errno = ENOMEM;
		return NULL;
	}
	find_written(disk);
	if (log)
		fprintf(log, "powerdisk-log 1 size=%" PRIu64 " sector=%u atomic-unit=%u survive=%u"
				" seed=%" PRIu64 " cache-limit=%" PRIu64 " data=%d\n",
				opt->size, opt->sector, opt->atomic_unit, opt->survive, opt->seed,
				opt->cache_limit, data != NULL);
	return disk;
}

/* Forgets the oldest version; there must be one. */
static void
drop_oldest(Disk *disk)
{
	Version    *v = disk->oldest_in_cache;

	disk->oldest_in_cache = v->younger;
	if (disk->oldest_in_cache == NULL)
		disk->youngest_in_cache = NULL;
	if (disk->newest[v->sector] == v)
	{
		disk->newest[v->sector] = NULL;
		disk->nunflushed--;
	}
	disk->nversions--;
	free(v);
}

void
disk_close(Disk *disk)
{
	while (disk->oldest_in_cache)
		drop_oldest(disk);
	free(disk->newest);
	free(disk->written);
	free(disk);
}

static int
make_durable(Disk *disk, const Version *v)
{
	return image_write(disk, v->bytes, disk->opt.sector, v->sector * disk->opt.sector);
}

/* Current content of a sector, as a read sees it. */
static int
read_sector(const Disk *disk, unsigned char *buf, uint64_t sector)
{
	const Version *v = disk->newest[sector];

	if (v == NULL)
		return image_read(disk, buf, disk->opt.sector, sector * disk->opt.sector);
	memcpy(buf, v->bytes, disk->opt.sector);
	return 0;
}

/*
 * Adds a version of one sector.  A write that covers only a part of it takes
 * the rest from what a read would see, as a drive does.
 */
static int
add_version(Disk *disk, uint64_t sector, const unsigned char *bytes,
			size_t from, size_t len)
{
	Version    *v = malloc(sizeof(Version) + disk->opt.sector);
	int			rc;

	if (v == NULL)
		return -ENOMEM;
	if (len < disk->opt.sector && (rc = read_sector(disk, v->bytes, sector)) != 0)
	{
		free(v);
		return rc;
	}
	memcpy(v->bytes + from, bytes, len);
	v->request = disk->requests;
	v->sector = sector;
	v->younger = NULL;
	if (disk->youngest_in_cache)
		disk->youngest_in_cache->younger = v;
	else
		disk->oldest_in_cache = v;
	disk->youngest_in_cache = v;
	if (disk->newest[sector] == NULL)
		disk->nunflushed++;
	disk->newest[sector] = v;
	disk->nversions++;
	mark_written(disk, sector);
	return 0;
}

/* Counts an armed event down; true when it is due. */
static bool
due(uint64_t *countdown)
{
	return *countdown > 0 && --*countdown == 0;
}

static bool
would_overfill(const Disk *disk, size_t len, uint64_t off)
{
	uint64_t	fresh = 0;

	if (disk->capacity == UINT64_MAX)
		return false;
	for (uint64_t s = off / disk->opt.sector; s * disk->opt.sector < off + len; s++)
		fresh += !is_written(disk, s);
	return fresh > 0 && disk->nwritten + fresh > disk->capacity;
}

/* A refused write leaves nothing behind, neither in the cache nor in the data log. */
static int
refuse(Disk *disk, int error, size_t len, uint64_t off)
{
	disk->refused++;
	if (disk->log)
		fprintf(disk->log, "refused %" PRIu64 " %" PRIu64 " %zu %s\n",
				disk->requests, off, len, error == ENOSPC ? "ENOSPC" : "EIO");
	return -error;
}

/* Which aligned unit, of those that survive or vanish whole, a version is in. */
static uint64_t
unit_of(const Disk *disk, const Version *v)
{
	uint32_t	unit = disk->opt.atomic_unit > disk->opt.sector ?
		disk->opt.atomic_unit : disk->opt.sector;

	return v->sector * disk->opt.sector / unit;
}

/*
 * The oldest writes leave a cache that is over its limit: they become durable,
 * each atomic unit whole (its versions follow each other in the cache).
 */
static int
trim_cache(Disk *disk)
{
	while (disk->oldest_in_cache != NULL &&
		   disk->nversions * disk->opt.sector > disk->opt.cache_limit)
	{
		uint64_t	request = disk->oldest_in_cache->request;
		uint64_t	unit = unit_of(disk, disk->oldest_in_cache);
		Version    *v;

		while ((v = disk->oldest_in_cache) != NULL &&
			   v->request == request && unit_of(disk, v) == unit)
		{
			int			rc = make_durable(disk, v);

			if (rc != 0)
				return rc;
			drop_oldest(disk);
		}
	}
	return 0;
}

static int
cache_write(Disk *disk, const unsigned char *buf, size_t len, uint64_t off)
{
	while (len > 0)
	{
		size_t		from = off % disk->opt.sector;
		size_t		n = disk->opt.sector - from;
		int			rc;

		if (n > len)
			n = len;
		rc = add_version(disk, off / disk->opt.sector, buf, from, n);
		if (rc != 0)
			return rc;
		buf += n;
		off += n;
		len -= n;
	}
	return trim_cache(disk);
}

int
disk_write(Disk *disk, const void *buf, size_t len, uint64_t off)
{
	bool		cut_now;
	int			rc;

	if (!disk->power)
		return -EIO;
	if (off > disk->opt.size || len > disk->opt.size - off)
		return -ENOSPC;
	disk->requests++;
	disk->writes++;
	cut_now = due(&disk->cut_write);
	if (due(&disk->eio_write) || (off < disk->eio_to && off + len > disk->eio_from))
		return refuse(disk, EIO, len, off);
	if (would_overfill(disk, len, off))
		return refuse(disk, ENOSPC, len, off);

	if (disk->log)
		fprintf(disk->log, "write %" PRIu64 " %" PRIu64 " %zu %016" PRIx64 "\n",
				disk->requests, off, len, disk_hash(buf, len));
	if (disk->data && fwrite(buf, 1, len, disk->data) != len)
		return -EIO;
	rc = cache_write(disk, buf, len, off);
	if (rc != 0)
		return rc;

	if (cut_now)
		disk_cut(disk, "write");
	else if (disk->cut_unflushed > 0 && disk->nunflushed >= disk->cut_unflushed)
		disk_cut(disk, "unflushed");
	return disk->power ? 0 : -EIO;
}

int
disk_read(Disk *disk, void *buf, size_t len, uint64_t off)
{
	unsigned char *to = buf;
	int			rc;

	if (!disk->power)
		return -EIO;
	if (off > disk->opt.size || len > disk->opt.size - off)
		return -EINVAL;
	disk->reads++;
	rc = image_read(disk, to, len, off);
	if (rc != 0 || len == 0 || disk->nunflushed == 0)
		return rc;

	/* lay the cached sectors over it */
	for (uint64_t s = off / disk->opt.sector; s * disk->opt.sector < off + len; s++)
	{
		uint64_t	start = s * disk->opt.sector;
		uint64_t	from = start < off ? off : start;
		uint64_t	end = start + disk->opt.sector;
		uint64_t	upto = end > off + len ? off + len : end;

		if (disk->newest[s] == NULL)
			continue;
		memcpy(to + (from - off), disk->newest[s]->bytes + (from - start), upto - from);
	}
	return 0;
}

/*
 * Only the newest version of a sector needs writing.  On an error of the image
 * file the rest stays in the cache and the flush fails.
 */
int
disk_flush(Disk *disk)
{
	if (!disk->power)
		return -EIO;
	disk->requests++;
	disk->flushes++;
	note(disk, "flush", disk->requests, disk->nunflushed);
	while (disk->oldest_in_cache)
	{
		Version    *v = disk->oldest_in_cache;

		if (disk->newest[v->sector] == v)
		{
			int			rc = make_durable(disk, v);

			if (rc != 0)
				return rc;
		}
		drop_oldest(disk);
	}
	return 0;
}

/*
 * Does this version survive?  All sectors that one write brought to one atomic
 * unit share the answer.
 */
static bool
survives(const Disk *disk, const Version *v)
{
	uint64_t	h = mix(mix(mix(disk->opt.seed) ^ v->request) ^ unit_of(disk, v));

	return h % 100 < disk->opt.survive;
}

int
disk_cut(Disk *disk, const char *why)
{
	if (!disk->power)
		return -EALREADY;
	disk->requests++;
	disk->power = false;
	disk->cuts++;
	disk->kept = disk->lost = 0;
	disk->cut_write = disk->cut_unflushed = 0;
	snprintf(disk->why, sizeof(disk->why), "%s", why);
	if (disk->log)
		fprintf(disk->log, "cut %" PRIu64 " %s seed=%" PRIu64 " unflushed=%" PRIu64 "\n",
				disk->requests, why, disk->opt.seed, disk->nunflushed);
	while (disk->oldest_in_cache)
	{
		Version    *v = disk->oldest_in_cache;
		bool		keep = survives(disk, v);

		note(disk, keep ? "kept" : "lost", v->request, v->sector * disk->opt.sector);
		if (keep && make_durable(disk, v) != 0)
		{
			/* not a disk of this model any more: nothing may be concluded from it */
			perror("powerdisk: could not write to the image file");
			abort();
		}
		disk->kept += keep;
		disk->lost += !keep;
		drop_oldest(disk);
	}
	if (disk->log)
		fflush(disk->log);
	if (disk->data)
		fflush(disk->data);
	return 0;
}

int
disk_power_on(Disk *disk)
{
	if (disk->power)
		return -EALREADY;
	disk->requests++;
	disk->power = true;
	note(disk, "power-on", disk->requests, 0);
	return 0;
}

bool
disk_has_power(const Disk *disk)
{
	return disk->power;
}

const char *
disk_settings_help(void)
{
	return
		"  seed N            seed of the next cut's generator\n"
		"  survive PERCENT   how many of the unflushed sectors a cut leaves, 0 to 100\n"
		"  cut-unflushed N   cut by itself once N sectors are unflushed (0 = off)\n"
		"  cut-write N       cut by itself at the N-th write from now (0 = off)\n"
		"  eio-write N       fail the N-th write from now with EIO, once (0 = off)\n"
		"  eio-range OFF:LEN fail every write that touches these bytes (0:0 = off)\n"
		"  capacity BYTES    thin disk: never hold more than so many distinct bytes;\n"
		"                    a write to a new place beyond that fails with ENOSPC\n"
		"                    (0 = no limit)\n"
		"  full on|off       capacity = what is held now | no limit\n";
}

static int
set_range(Disk *disk, const char *value)
{
	char		from[32];
	const char *colon = strchr(value, ':');
	uint64_t	len;

	if (colon == NULL || (size_t) (colon - value) >= sizeof(from))
		return -EINVAL;
	memcpy(from, value, (size_t) (colon - value));
	from[colon - value] = '\0';
	if (!parse_size(from, &disk->eio_from) || !parse_size(colon + 1, &len))
		return -EINVAL;
	disk->eio_to = len == 0 ? 0 : disk->eio_from + len;
	return 0;
}

static int
set_full(Disk *disk, const char *value)
{
	if (strcmp(value, "on") == 0)
		disk->capacity = disk->nwritten;
	else if (strcmp(value, "off") == 0)
		disk->capacity = UINT64_MAX;
	else
		return -EINVAL;
	return 0;
}

static int
set_number(Disk *disk, const char *name, uint64_t n)
{
	if (strcmp(name, "seed") == 0)
		disk->opt.seed = n;
	else if (strcmp(name, "survive") == 0 && n <= 100)
		disk->opt.survive = (uint32_t) n;
	else if (strcmp(name, "cut-unflushed") == 0)
		disk->cut_unflushed = n;
	else if (strcmp(name, "cut-write") == 0)
		disk->cut_write = n;
	else if (strcmp(name, "eio-write") == 0)
		disk->eio_write = n;
	else if (strcmp(name, "capacity") == 0)
		disk->capacity = n == 0 ? UINT64_MAX : n / disk->opt.sector;
	else
		return strcmp(name, "survive") == 0 ? -EINVAL : -ENOENT;
	return 0;
}

int
disk_set(Disk *disk, const char *name, const char *value)
{
	uint64_t	n;
	int			rc;

	if (strcmp(name, "eio-range") == 0)
		rc = set_range(disk, value);
	else if (strcmp(name, "full") == 0)
		rc = set_full(disk, value);
	else if (!parse_size(value, &n))
		rc = -EINVAL;
	else
		rc = set_number(disk, name, n);
	if (rc != 0)
		return rc;
	disk->requests++;
	if (disk->log)
		fprintf(disk->log, "set %" PRIu64 " %s %s\n", disk->requests, name, value);
	return 0;
}

void
disk_status(const Disk *disk, FILE *to)
{
	fprintf(to, "power=%s\n", disk->power ? "on" : "off");
	fprintf(to, "size=%" PRIu64 "\n", disk->opt.size);
	fprintf(to, "sector=%u\n", disk->opt.sector);
	fprintf(to, "atomic_unit=%u\n", disk->opt.atomic_unit);
	fprintf(to, "seed=%" PRIu64 "\n", disk->opt.seed);
	fprintf(to, "survive=%u\n", disk->opt.survive);
	fprintf(to, "requests=%" PRIu64 "\n", disk->requests);
	fprintf(to, "writes=%" PRIu64 "\n", disk->writes);
	fprintf(to, "reads=%" PRIu64 "\n", disk->reads);
	fprintf(to, "flushes=%" PRIu64 "\n", disk->flushes);
	fprintf(to, "refused=%" PRIu64 "\n", disk->refused);
	fprintf(to, "unflushed_sectors=%" PRIu64 "\n", disk->nunflushed);
	fprintf(to, "held_bytes=%" PRIu64 "\n", disk->nwritten * disk->opt.sector);
	fprintf(to, "cuts=%" PRIu64 "\n", disk->cuts);
	fprintf(to, "last_cut=%s\n", disk->why);
	fprintf(to, "last_cut_kept=%" PRIu64 "\n", disk->kept);
	fprintf(to, "last_cut_lost=%" PRIu64 "\n", disk->lost);
}
