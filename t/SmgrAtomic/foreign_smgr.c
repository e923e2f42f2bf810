/*
 * foreign_smgr.c
 *	  For tests: a library that takes over the page write of the server's
 *	  storage manager table, as another extension might.  It writes as before.
 */
#include "postgres.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fmgr.h"
#include "storage/md.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

#if PG_VERSION_NUM >= 170000
#define ORIGINAL mdwritev
static void
replacement(SMgrRelation reln, ForkNumber fork, BlockNumber block,
			const void **pages, BlockNumber nblocks, bool skipFsync)
{
	mdwritev(reln, fork, block, pages, nblocks, skipFsync);
}
#else
#define ORIGINAL mdwrite
#if PG_VERSION_NUM >= 160000
typedef const void *Page_;
#else
typedef char *Page_;
#endif
static void
replacement(SMgrRelation reln, ForkNumber fork, BlockNumber block, Page_ page, bool skipFsync)
{
	mdwrite(reln, fork, block, page, skipFsync);
}
#endif

/* Replace every pointer to the original in the main program's tables. */
static int
take_over(struct dl_phdr_info *info, size_t size, void *arg)
{
	uintptr_t	page_size = (uintptr_t) sysconf(_SC_PAGESIZE);

	for (int i = 0; i < info->dlpi_phnum; i++)
	{
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		void	  **entry = (void **) TYPEALIGN(sizeof(void *), info->dlpi_addr + ph->p_vaddr);
		void	  **end = (void **) (info->dlpi_addr + ph->p_vaddr + ph->p_memsz);

		if (ph->p_type != PT_GNU_RELRO)
			continue;
		for (; entry < end; entry++)
		{
			uintptr_t	start = (uintptr_t) entry & ~(page_size - 1);

			if (*entry != (void *) ORIGINAL)
				continue;
			if (mprotect((void *) start, page_size, PROT_READ | PROT_WRITE) != 0)
				elog(FATAL, "foreign_smgr: mprotect: %m");
			*entry = (void *) replacement;
		}
	}
	return 1;
}

void
_PG_init(void)
{
	dl_iterate_phdr(take_over, NULL);
}
