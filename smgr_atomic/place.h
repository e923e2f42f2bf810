/*-------------------------------------------------------------------------
 *
 * place.h
 *	  The writer's last step: requests that put pages where they belong,
 *	  untorn.
 *
 * This is the seam for strategies: writer.c makes requests and learns what
 * became of them; how a request reaches its place untorn is known here only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_PLACE_H
#define SMGR_ATOMIC_PLACE_H

#include "portability/instr_time.h"

#define SA_REQUEST_PAGES 16		/* pages of one request at most */

/* One write of 1 to SA_REQUEST_PAGES adjacent pages, a power of two. */
typedef struct SaRequest
{
	int			fd;
	off_t		offset;			/* in the segment, a multiple of the length */
	int			page_count;
	int			slots[SA_REQUEST_PAGES];
	void	   *data;			/* aligned, page_count * BLCKSZ bytes */
	void	   *staging;		/* this request's own buffer */
	int			flags;			/* of pwritev2() */
	bool		page_cache;		/* goes no further than the page cache */
	bool		reserve;		/* see to it that there is space first; page cache only */
	int			file;			/* index of the file, for messages */
	int			section;		/* of the page journal; -1 = not in it */
	instr_time	started;
	int			error;			/* 0 or errno, when done */
} SaRequest;

extern int	sa_place_open(int depth, bool want_io_uring);
extern void sa_place_await_orphans(void);
extern bool sa_place_is_async(void);
extern void sa_place_start(SaRequest *request);
extern SaRequest *sa_place_finish(bool wait);

#endif							/* SMGR_ATOMIC_PLACE_H */
