/*
 * fake_program.c
 *	  For tests: preloaded into a server (LD_PRELOAD), makes the server program
 *	  look different from what it is to a library that looks for its tables.
 *
 * What is faked is named by the environment variable TEST_FAKE:
 *
 *	  no_relro		the program has no read-only segment
 *	  empty			... has one with nothing in it
 *	  twice			... has every table twice
 *	  hole			... has a storage manager table without "close"
 *	  other			... with another function in its place
 *	  longer		... with one more entry at its end
 *	  copy			... has tables that nobody uses
 *	  not_writable	memory cannot be made writable
 *	  not_readonly	memory cannot be made read-only again
 *
 * Loaded by shared_preload_libraries, too:
 *
 *	  NAME N		the server's internal setting NAME has the value N
 *	  take_over		"close" of the storage manager table is taken over, by
 *					a function that calls the one it found there
 *	  resolved N F	entry N of the storage manager table is function F of the
 *					server all the same, as if a compiler had resolved the call
 */
#define _GNU_SOURCE
#include "postgres.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fmgr.h"
#include "storage/ipc.h"
#include "utils/guc.h"
#include "utils/guc_tables.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

typedef int (*PhdrCallback) (struct dl_phdr_info *, size_t, void *);

typedef struct Fake
{
	PhdrCallback callback;
	void	   *arg;
	const char *what;
} Fake;

#define ENTRY_OF_CLOSE 3

static const char *
fake(void)
{
	const char *what = getenv("TEST_FAKE");

	return what ? what : "";
}

/* The storage manager table among count pointers, NULL if it is not there. */
static void **
find_table(void **from, size_t count)
{
	void	   *first = dlsym(RTLD_DEFAULT, "mdinit");

	for (size_t i = 0; i + ENTRY_OF_CLOSE < count; i++)
	{
		if (from[i] == first && from[i + 1] == NULL)
			return from + i;
	}
	return NULL;
}

/* The first entry after the storage manager table. */
static void **
end_of_table(void **table)
{
	void	  **entry = table + 2;
	Dl_info		info;

	while (dladdr(*entry, &info) != 0 && info.dli_sname != NULL &&
		   strncmp(info.dli_sname, "md", 2) == 0 && strcmp(info.dli_sname, "mdsyncfiletag") != 0)
		entry++;
	return entry;
}

/* Shows the callback a program whose only segment is what the test wants. */
static int
show_fake(struct dl_phdr_info *info, size_t size, void *arg)
{
	const Fake *f = arg;
	struct dl_phdr_info shown = *info;
	ElfW(Phdr) segment = {0};
	int			copies = strcmp(f->what, "twice") == 0 ? 2 : 1;

	shown.dlpi_phnum = 0;
	shown.dlpi_phdr = &segment;
	for (int i = 0; i < info->dlpi_phnum && strcmp(f->what, "no_relro") != 0; i++)
	{
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		char	   *memory;
		void	  **table;

		if (ph->p_type != PT_GNU_RELRO)
			continue;
		memory = mmap(NULL, copies * ph->p_memsz, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		for (int c = 0; c < copies && strcmp(f->what, "empty") != 0; c++)
			memcpy(memory + c * ph->p_memsz, (void *) (info->dlpi_addr + ph->p_vaddr), ph->p_memsz);
		table = find_table((void **) memory, ph->p_memsz / sizeof(void *));
		if (strcmp(f->what, "hole") == 0)
			table[ENTRY_OF_CLOSE] = NULL;
		if (strcmp(f->what, "other") == 0)
			table[ENTRY_OF_CLOSE] = dlsym(RTLD_DEFAULT, "mdopen");
		if (strcmp(f->what, "longer") == 0)
			*end_of_table(table) = dlsym(RTLD_DEFAULT, "mda_get_range");
		segment = *ph;
		segment.p_vaddr = (uintptr_t) memory - info->dlpi_addr;
		segment.p_memsz = copies * ph->p_memsz;
		shown.dlpi_phnum = 1;
	}
	f->callback(&shown, size, f->arg);
	return 1;					/* only the main program */
}

int
dl_iterate_phdr(PhdrCallback callback, void *arg)
{
	static const char *const ours[] = {"no_relro", "empty", "twice", "hole", "other", "longer", "copy"};
	int			(*next) (PhdrCallback, void *) =
		(int (*) (PhdrCallback, void *)) dlsym(RTLD_NEXT, "dl_iterate_phdr");
	Fake		f = {callback, arg, fake()};

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
	{
		if (strcmp(f.what, ours[i]) == 0)
			return next(show_fake, &f);
	}
	return next(callback, arg);
}

int
mprotect(void *start, size_t length, int protection)
{
	int			(*next) (void *, size_t, int) =
		(int (*) (void *, size_t, int)) dlsym(RTLD_NEXT, "mprotect");

	if ((strcmp(fake(), "not_writable") == 0 && (protection & PROT_WRITE) != 0) ||
		(strcmp(fake(), "not_readonly") == 0 && protection == PROT_READ))
	{
		errno = EACCES;
		return -1;
	}
	return next(start, length, protection);
}

typedef struct Store
{
	int			entry;
	void	   *value;
	void	   *old;
} Store;

/* Store a value into an entry of the storage manager table. */
static int
store(struct dl_phdr_info *info, size_t size, void *arg)
{
	Store	   *s = arg;
	uintptr_t	page_size = (uintptr_t) sysconf(_SC_PAGESIZE);

	for (int i = 0; i < info->dlpi_phnum; i++)
	{
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		void	  **table;

		if (ph->p_type != PT_GNU_RELRO)
			continue;
		table = find_table((void **) TYPEALIGN(sizeof(void *), info->dlpi_addr + ph->p_vaddr),
						   ph->p_memsz / sizeof(void *));
		s->old = table[s->entry];
		if (mprotect((void *) ((uintptr_t) (table + s->entry) & ~(page_size - 1)), page_size,
					 PROT_READ | PROT_WRITE) != 0)
			elog(FATAL, "fake_program: mprotect: %m");
		table[s->entry] = s->value;
	}
	return 1;
}

static void (*previous) (void *reln, int fork);

static void
forward(void *reln, int fork)
{
	previous(reln, fork);
}

static void
take_over(void)
{
	Store		s = {ENTRY_OF_CLOSE, (void *) forward, NULL};

	dl_iterate_phdr(store, &s);
	previous = (void (*) (void *, int)) s.old;
}

/* After everybody has looked at the table in the postmaster. */
static shmem_startup_hook_type previous_startup = NULL;

static void
resolve(void)
{
	char		function[64] = "";
	Store		s = {0};

	if (previous_startup)
		previous_startup();
	if (sscanf(fake(), "resolved %d %63s", &s.entry, function) != 2)
		elog(FATAL, "fake_program: resolve what?");
	s.value = dlsym(RTLD_DEFAULT, function);
	dl_iterate_phdr(store, &s);
}

static void
set_setting(const char *name, int value)
{
	struct config_generic *setting = NULL;

#if PG_VERSION_NUM < 160000
	for (int i = 0; i < GetNumConfigOptions(); i++)
	{
		if (strcmp(get_guc_variables()[i]->name, name) == 0)
			setting = get_guc_variables()[i];
	}
#else
	setting = find_option(name, false, false, FATAL);
#endif
#if PG_VERSION_NUM < 190000
	*((struct config_int *) setting)->variable = value;
#else
	*setting->_int.variable = value;
#endif
}

void
_PG_init(void)
{
	const char *what = fake();
	char		name[64];
	int			value;

	if (strncmp(what, "resolved ", 9) == 0)
	{
		/* not by its name: other programs that the library is loaded into have no such variable */
		shmem_startup_hook_type *hook = dlsym(RTLD_DEFAULT, "shmem_startup_hook");

		previous_startup = *hook;
		*hook = resolve;
	}
	else if (sscanf(what, "%63[a-z_] %d", name, &value) == 2)
		set_setting(name, value);
	if (strcmp(what, "take_over") == 0)
		take_over();
}
