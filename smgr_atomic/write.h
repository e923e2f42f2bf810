/*-------------------------------------------------------------------------
 *
 * write.h
 *	  Writing pages to their segments.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_WRITE_H
#define SMGR_ATOMIC_WRITE_H

#include "compat.h"

/* How every process writes pages at the moment. */
typedef enum SaWriteMethod
{
	SA_WRITE_PLAIN = 0,			/* left to md.c: may tear */
	SA_WRITE_DIRECT,			/* RWF_ATOMIC on an O_DIRECT descriptor */
	SA_WRITE_THROUGH,			/* RWF_WRITETHROUGH|RWF_ATOMIC, buffered */
	SA_WRITE_DOUBLE				/* to the page journal, then plainly through the page cache */
} SaWriteMethod;

extern Size sa_write_shmem_size(void);
extern void sa_write_shmem_init(void);
extern void sa_write_set_method(SaWriteMethod method, int writethrough_flag);
extern SaWriteMethod sa_write_method(void);
extern const char *sa_method_name(SaWriteMethod method);
extern int	sa_write_flags(SaWriteMethod method);
extern int	sa_write_open_flags(SaWriteMethod method);
extern void sa_write_pages(SMgrRelation reln, ForkNumber fork, BlockNumber block,
						   const void **pages, BlockNumber nblocks, bool skipFsync);
extern bool sa_write_read(SMgrRelation reln, ForkNumber fork, BlockNumber block, void *page);
extern void sa_write_let_go(void);
extern void sa_write_settle(SMgrRelation reln, ForkNumber fork, BlockNumber block);
extern void sa_write_writeback(SMgrRelation reln, ForkNumber fork, BlockNumber block,
							   BlockNumber nblocks);

#endif							/* SMGR_ATOMIC_WRITE_H */
