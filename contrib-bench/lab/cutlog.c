/*-------------------------------------------------------------------------
 *
 * cutlog.c
 *	  What a powerdisk's request log says about the sectors of the disk.
 *
 *-------------------------------------------------------------------------
 */
#include "cutlog.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CutLog
{
	uint64_t	sector;
	uint64_t	nsectors;
	char		fate[];			/* 0 stands for '.' */
};

static CutLog *
read_header(FILE *f)
{
	char		line[256];
	uint64_t	size;
	uint64_t	sector;
	CutLog	   *log;

	if (fgets(line, sizeof(line), f) == NULL ||
		sscanf(line, "powerdisk-log 1 size=%" SCNu64 " sector=%" SCNu64, &size, &sector) != 2 ||
		sector == 0)
	{
		errno = EINVAL;
		return NULL;
	}
	log = calloc(1, sizeof(CutLog) + size / sector);
	if (log != NULL)
	{
		log->sector = sector;
		log->nsectors = size / sector;
	}
	return log;
}

static void
read_line(CutLog *log, const char *line)
{
	uint64_t	offset;
	uint64_t	len;

	if (sscanf(line, "write %*u %" SCNu64 " %" SCNu64, &offset, &len) == 2)
	{
		for (uint64_t s = offset / log->sector; s * log->sector < offset + len && s < log->nsectors; s++)
			log->fate[s] = 0;
	}
	else if (sscanf(line, "kept %*u %" SCNu64, &offset) == 1 && offset / log->sector < log->nsectors)
		log->fate[offset / log->sector] = '+';
	else if (sscanf(line, "lost %*u %" SCNu64, &offset) == 1 && offset / log->sector < log->nsectors)
	{
		char	   *fate = &log->fate[offset / log->sector];

		*fate = *fate == '+' || *fate == '~' ? '~' : '-';
	}
	else if (strncmp(line, "cut ", 4) == 0)
		memset(log->fate, 0, log->nsectors);
}

CutLog *
cutlog_read(const char *path)
{
	char		line[256];
	FILE	   *f = fopen(path, "r");
	CutLog	   *log;

	if (f == NULL)
		return NULL;
	log = read_header(f);
	while (log != NULL && fgets(line, sizeof(line), f) != NULL)
		read_line(log, line);
	fclose(f);
	return log;
}

char
cutlog_fate(const CutLog *log, uint64_t offset)
{
	uint64_t	s = offset / log->sector;

	return s < log->nsectors && log->fate[s] ? log->fate[s] : '.';
}
