/*-------------------------------------------------------------------------
 *
 * attach.c
 *	  Find the server's storage manager table and sync table, and take over
 *	  some of their entries.
 *
 * Stock PostgreSQL has no registration call for storage managers.  The table
 * smgrsw (smgr.c) is "static const": it lives in the part of the program that
 * the loader relocates and then makes read-only (PT_GNU_RELRO).  All its
 * members are exported functions, so the whole row is known to us, and a row
 * of 15 or more pointers in that order is not there by chance.  The table
 * syncsw (sync.c) is found the same way by its first row.
 *
 * Rules:
 * - exactly one match of every member of both rows, and no member of md.c after
 *	 them that is unknown here, or nothing is touched: a write call that a
 *	 server gained would go past us;
 * - done in the postmaster before it has children, so every process inherits
 *	 the same tables by fork and no process ever sees half of a change;
 * - an entry is replaced by one aligned pointer store; nothing else in the
 *	 page changes; the page's protection is restored to read-only;
 * - the originals need not be kept: they are the exported md* functions.
 *
 * Nothing here knows what the entries do.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include "miscadmin.h"
#include "utils/guc.h"

#include "attach.h"

/* A table's row as the server should have it. */
typedef struct Row
{
	const char *table;			/* for messages */
	int			length;
	void	   *const *functions;
	const char *const *names;
} Row;

/* What a search of the RELRO segment came to. */
typedef struct Search
{
	const Row  *row;
	bool		has_relro;
	int			matches;
	void	  **where;			/* the match */
	uintptr_t	relro_end;		/* of the segment it is in */
	int			best;			/* members that fit in the best row */
	void	  **best_where;
} Search;

/* Entries that were taken over, for sa_attach_verify(). */
typedef struct Taken
{
	const Row  *row;
	void	  **where;
	const SaSwap *swaps;
	int			count;
} Taken;

#define ROW_FUNCTION(name, function) (void *) function,
#define ROW_NAME(name, function) #name,

/* the NULLs at the end keep the arrays legal for a major without a row */
static void *const smgr_functions[] = {SA_SMGR_ROW(ROW_FUNCTION) NULL};
static const char *const smgr_names[] = {SA_SMGR_ROW(ROW_NAME) NULL};
static void *const sync_functions[] = {SA_SYNC_ROW(ROW_FUNCTION) NULL};
static const char *const sync_names[] = {SA_SYNC_ROW(ROW_NAME) NULL};

static const Row smgr_row = {"storage manager", SA_SMGR_MEMBERS, smgr_functions, smgr_names};
static const Row sync_row = {"sync handler", SA_SYNC_MEMBERS, sync_functions, sync_names};

static Taken taken_smgr;
static Taken taken_sync;

static bool attached = false;
static char reason[512] = "not attached";

bool
sa_attached(void)
{
	return attached;
}

/* Why sa_attach() refused; "attached" after success. */
const char *
sa_attach_reason(void)
{
	return reason;
}

/* The entries were replaced, but the server does not use them. */
void
sa_attach_failed(const char *why)
{
	attached = false;
	strlcpy(reason, why, sizeof(reason));
}

#define REFUSE(...) (snprintf(reason, sizeof(reason), __VA_ARGS__), false)

/*
 * Does the server that runs have the major version this was compiled for?
 * The module magic block checks the same; its message would stop the server.
 */
static bool
check_version(void)
{
	int			running = atoi(GetConfigOption("server_version_num", false, false));

#ifdef SA_NO_ROW_FOR_THIS_MAJOR
	return REFUSE("PostgreSQL %d is not known to this version of smgr_atomic", running / 10000);
#else
	if (running / 10000 != SA_BUILT_FOR / 10000)
		return REFUSE("compiled for PostgreSQL %d, but the server is %d",
					  SA_BUILT_FOR / 10000, running / 10000);
	if (running < SA_OLDEST_MINOR)
		return REFUSE("the server is %d.%d; smgr_atomic needs %d.%d or newer",
					  running / 10000, running % 10000,
					  SA_OLDEST_MINOR / 10000, SA_OLDEST_MINOR % 10000);
	return true;
#endif
}

static int
count_fitting(const Row *row, void **candidate)
{
	int			fitting = 0;

	for (int i = 0; i < row->length; i++)
		fitting += candidate[i] == row->functions[i];
	return fitting;
}

/* dl_iterate_phdr() callback; the main program comes first. */
static int
search_relro(struct dl_phdr_info *info, size_t size, void *data)
{
	Search	   *search = data;

	for (int i = 0; i < info->dlpi_phnum; i++)
	{
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		void	  **candidate = (void **) TYPEALIGN(sizeof(void *), info->dlpi_addr + ph->p_vaddr);
		void	  **end = (void **) (info->dlpi_addr + ph->p_vaddr + ph->p_memsz);

		if (ph->p_type != PT_GNU_RELRO)
			continue;
		search->has_relro = true;
		for (; candidate + search->row->length <= end; candidate++)
		{
			int			fitting = count_fitting(search->row, candidate);

			if (fitting > search->best)
			{
				search->best = fitting;
				search->best_where = candidate;
			}
			if (fitting == search->row->length)
			{
				search->matches++;
				search->where = candidate;
				search->relro_end = (uintptr_t) end;
			}
		}
	}
	return 1;					/* only the main program */
}

/* Name of an exported function of the main program, NULL if it is not one. */
static const char *
server_function(void *address)
{
	Dl_info		info;
	Dl_info		program;

	if (address == NULL || dladdr(address, &info) == 0 || dladdr((void *) mdopen, &program) == 0 ||
		info.dli_fbase != program.dli_fbase || info.dli_saddr != address)
		return NULL;
	return info.dli_sname;
}

static bool
is_in(const Row *row, void *function)
{
	for (int i = 0; i < row->length; i++)
	{
		if (row->functions[i] == function)
			return true;
	}
	return false;
}

/*
 * An entry that should be another: this is not the server we know, or somebody
 * else has replaced it.  Name what is there instead.
 */
static bool
explain_entry(const Row *row, int member, void *found)
{
	Dl_info		info;

	if (server_function(found) != NULL)
		return REFUSE("entry \"%s\" of the %s table is %s, which is not the one expected",
					  row->names[member], row->table, server_function(found));
	if (found != NULL && dladdr(found, &info) != 0 && info.dli_fname != NULL)
		return REFUSE("entry \"%s\" of the %s table points into \"%s\": another library has taken it over",
					  row->names[member], row->table, info.dli_fname);
	return REFUSE("entry \"%s\" of the %s table is not the one expected",
				  row->names[member], row->table);
}

/*
 * No row fits completely.  If one fits but for a few members, name the first.
 */
static bool
explain_no_match(const Search *search)
{
	const Row  *row = search->row;

	if (search->best > row->length / 2)
	{
		for (int i = 0; i < row->length; i++)
		{
			if (search->best_where[i] != row->functions[i])
				return explain_entry(row, i, search->best_where[i]);
		}
	}
	return REFUSE("the %s table was not found in the server program", row->table);
}

/*
 * Does the row that was found end where ours does?  What comes after it is
 * another table, perhaps the other one of md.c.
 */
static bool
check_end(const Search *found)
{
	void	   *next = (uintptr_t) (found->where + found->row->length) < found->relro_end ?
		found->where[found->row->length] : NULL;
	const char *name = server_function(next);

	if (name == NULL || strncmp(name, "md", 2) != 0 ||
		is_in(&smgr_row, next) || is_in(&sync_row, next))
		return true;
	return REFUSE("the %s table has an entry after \"%s\" that is not known: %s",
				  found->row->table, found->row->names[found->row->length - 1], name);
}

static bool
find_row(Search *search)
{
	dl_iterate_phdr(search_relro, search);
	if (!search->has_relro)
		return REFUSE("the server program has no relocation read-only segment");
	if (search->matches == 0)
		return explain_no_match(search);
	if (search->matches > 1)
		return REFUSE("the %s table was found %d times in the server program",
					  search->row->table, search->matches);
	return check_end(search);
}

/*
 * Replace entries of the row that was found.  All or none: if the page cannot
 * be made writable nothing is stored.  Only pages that lie wholly inside the
 * segment are made read-only again, as the loader does (_dl_protect_relro).
 */
static bool
swap_entries(const Search *found, const SaSwap *swaps, int count, Taken *taken)
{
	const Row  *row = found->row;
	uintptr_t	page_size = (uintptr_t) sysconf(_SC_PAGESIZE);
	uintptr_t	start = TYPEALIGN_DOWN(page_size, (uintptr_t) found->where);
	uintptr_t	end = TYPEALIGN(page_size, (uintptr_t) (found->where + row->length));
	uintptr_t	protected_end = Min(end, TYPEALIGN_DOWN(page_size, found->relro_end));

	if (mprotect((void *) start, end - start, PROT_READ | PROT_WRITE) != 0)
		return REFUSE("could not make the %s table writable: %s", row->table, strerror(errno));
	for (int i = 0; i < count; i++)
		((void *volatile *) found->where)[swaps[i].member] = swaps[i].replacement;
	*taken = (Taken) {row, found->where, swaps, count};
	if (protected_end > start && mprotect((void *) start, protected_end - start, PROT_READ) != 0)
		ereport(LOG,
				(errmsg("smgr_atomic: could not make the %s table read-only again: %m", row->table)));
	return true;
}

/*
 * Take over entries of both tables.  Call once, in the postmaster or a
 * standalone server, before any child exists.  Returns false with
 * sa_attach_reason() set if any condition fails; pages are then written by
 * md.c as ever.  The arrays must stay: sa_attach_verify() looks at them.
 */
bool
sa_attach(const SaSwap *smgr, int smgr_count, const SaSwap *sync, int sync_count)
{
	Search		smgr_search = {.row = &smgr_row};
	Search		sync_search = {.row = &sync_row};

	Assert(!IsUnderPostmaster);

	/*
	 * Sync entries first: they forward all that is not ours and nothing of
	 * ours is sent before the second swap, so one swap alone is harmless.
	 */
	attached = check_version() &&
		find_row(&smgr_search) &&
		find_row(&sync_search) &&
		swap_entries(&sync_search, sync, sync_count, &taken_sync) &&
		swap_entries(&smgr_search, smgr, smgr_count, &taken_smgr);
	if (attached)
		snprintf(reason, sizeof(reason), "attached");
	return attached;
}

static bool
still_ours(const Taken *taken)
{
	for (int i = 0; i < taken->count; i++)
	{
		int			member = taken->swaps[i].member;

		if (taken->where[member] != taken->swaps[i].replacement)
			return explain_entry(taken->row, member, taken->where[member]);
	}
	return true;
}

/*
 * A library that was loaded after this one may have taken our entries over:
 * then pages no longer come to us, or no longer as they should.  Postmaster,
 * when all libraries are loaded and no page has been written yet.
 */
void
sa_attach_verify(void)
{
	if (attached)
		attached = still_ours(&taken_sync) && still_ours(&taken_smgr);
}
