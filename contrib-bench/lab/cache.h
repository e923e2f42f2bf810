/*-------------------------------------------------------------------------
 *
 * cache.h
 *	  Model of a disk with a volatile write cache.
 *
 * The model knows nothing of FUSE, threads or sockets.  It is not thread-safe:
 * the caller holds one lock around every call.
 *
 * What it promises:
 *	- a write is visible to reads at once and is held in the cache;
 *	- disk_flush() makes every write finished before it durable;
 *	- disk_cut() decides for every write since then, sector by sector (or
 *	  aligned atomic unit by atomic unit), whether it survives.  The decision
 *	  depends on the seed, the number of the request and the place, and on
 *	  nothing else, so a log of the requests replays to the same image;
 *	- after a cut every request fails with EIO until disk_power_on().
 *
 * Durable means: written to the image file.  What the host does with that file
 * is of no interest, it is the modelled disk that loses power.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LAB_CACHE_H
#define LAB_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

typedef struct DiskOptions
{
	uint64_t	size;			/* bytes, a multiple of sector and unit */
	uint32_t	sector;			/* bytes that survive or vanish together */
	uint32_t	atomic_unit;	/* bytes, 0 = none beyond the sector */
	uint32_t	survive;		/* percent of unflushed chunks that survive */
	uint64_t	seed;
	uint64_t	cache_limit;	/* bytes; beyond it the oldest writes go out */
} DiskOptions;

typedef struct Disk Disk;

/*
 * Takes an image file open for reading and writing (the model does not close
 * it), and where to log: "log" gets a line of text per request, "data" the
 * bytes of every write one after the other; either may be NULL.  Returns NULL
 * with errno set, EINVAL when the options contradict each other.
 */
extern Disk *disk_open(int image, const DiskOptions *opt, FILE *log, FILE *data);
extern void disk_close(Disk *disk);

/* These return 0 or -errno: EIO (no power, or injected), ENOSPC (full). */
extern int	disk_write(Disk *disk, const void *buf, size_t len, uint64_t off);
extern int	disk_read(Disk *disk, void *buf, size_t len, uint64_t off);
extern int	disk_flush(Disk *disk);

/* The power goes; "why" is one word for the log.  0, or -EALREADY. */
extern int	disk_cut(Disk *disk, const char *why);

/* 0, or -EALREADY. */
extern int	disk_power_on(Disk *disk);

/*
 * Changes a setting while the disk runs, see disk_settings_help().  Returns 0,
 * -EINVAL for a bad value, -ENOENT for an unknown name.
 */
extern int	disk_set(Disk *disk, const char *name, const char *value);
extern const char *disk_settings_help(void);

/* Writes key=value lines. */
extern void disk_status(const Disk *disk, FILE *to);
extern bool disk_has_power(const Disk *disk);

/* The hash that the log carries of each write's bytes. */
extern uint64_t disk_hash(const void *buf, size_t len);

/* "64k" -> 65536; false when it is not a number with k, M or G. */
extern bool parse_size(const char *text, uint64_t *value);

#endif							/* LAB_CACHE_H */
