/*-------------------------------------------------------------------------
 *
 * smgr_atomic.c
 *	  Torn-free page writes on an unmodified PostgreSQL server.
 *
 * This file opens the rooms in their order; each room's header says what it
 * does.
 *
 *	  postmaster  _PG_init: settings, table swap, shared memory asked for
 *	  postmaster  shmem_startup_hook: shared memory, probe, first state of the
 *				  contract (again after a backend's crash)
 *	  every child inherits all of it by fork
 *	  driver	  transitions, the first one included (background worker)
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "commands/extension.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"

#include "attach.h"
#include "barrier.h"
#include "compat.h"
#include "doublewrite.h"
#include "driver.h"
#include "entries.h"
#include "fpw.h"
#include "guard.h"
#include "interlock.h"
#include "journalfile.h"
#include "newdb.h"
#include "newpages.h"
#include "place.h"
#include "retirer.h"
#include "segment.h"
#include "smgr_atomic.h"
#include "stats.h"
#include "write.h"
#include "writebehind.h"
#include "writer.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

int			sa_mode = SA_MODE_AUTO;
bool		sa_require = false;
bool		sa_manage_full_page_writes = true;
int			sa_writethrough_flag = 0;
int			sa_write_behind_size = 32 * 1024;
int			sa_writers = 1;
int			sa_io_depth = 64;
bool		sa_io_uring = true;
char	   *sa_journal_directory = NULL;
int			sa_journal_size = 64 * 1024;
int			sa_journal_compression = SA_COMPRESSION_OFF;
bool		sa_ignore_journal = false;
int			sa_on_unsafe_tablespace = SA_UNSAFE_ERROR;
bool		sa_recovery_readahead = true;
bool		sa_wal_interlock = true;
bool		sa_allow_unsafe_standby = false;
bool		sa_preloaded = false;

static const struct config_enum_entry mode_options[] = {
	{"auto", SA_MODE_AUTO, false},
	{"direct", SA_MODE_DIRECT, false},
	{"writethrough", SA_MODE_WRITETHROUGH, false},
	{"doublewrite", SA_MODE_DOUBLEWRITE, false},
	{"off", SA_MODE_OFF, false},
	{NULL, 0, false}
};

static const struct config_enum_entry compression_options[] = {
	{"auto", SA_COMPRESSION_AUTO, false},
	{"lz4", SA_COMPRESSION_LZ4, false},
	{"off", SA_COMPRESSION_OFF, false},
	{NULL, 0, false}
};

static const struct config_enum_entry unsafe_options[] = {
	{"error", SA_UNSAFE_ERROR, false},
	{"demote", SA_UNSAFE_DEMOTE, false},
	{NULL, 0, false}
};

static shmem_request_hook_type prev_shmem_request_hook = NULL;
static shmem_startup_hook_type prev_shmem_startup_hook = NULL;

const char *
sa_mode_name(SaMode mode)
{
	for (const struct config_enum_entry *entry = mode_options; entry->name != NULL; entry++)
	{
		if (entry->val == (int) mode)
			return entry->name;
	}
	return "unknown";
}

static void
define_settings(void)
{
	DefineCustomEnumVariable("smgr_atomic.mode",
							 "Sets how pages are written atomically.",
							 "\"auto\" takes the best method that works everywhere, \"off\" leaves pages to the server.",
							 &sa_mode, SA_MODE_AUTO, mode_options,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("smgr_atomic.require",
							 "Refuses to start the server if pages cannot be written atomically.",
							 "With smgr_atomic.mode = off or fsync = off they are not.",
							 &sa_require, false,
							 PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("smgr_atomic.manage_full_page_writes",
							 "Turns full_page_writes off while every page is written atomically, and on otherwise.",
							 "If off, full_page_writes is left as configured.",
							 &sa_manage_full_page_writes, true,
							 PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("smgr_atomic.writethrough_flag",
							"Sets the number of the kernel's RWF_WRITETHROUGH flag.",
							"0 takes the number from the kernel headers of the build; anything else is for pre-release kernels.",
							&sa_writethrough_flag, 0, 0, INT_MAX,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("smgr_atomic.write_behind_size",
							"Sets the size of the pool of pages on their way to storage.",
							"0 makes every process wait for the pages it writes, and there is no page journal.",
							&sa_write_behind_size, 32 * 1024, 0, 4 * 1024 * 1024,
							PGC_POSTMASTER, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("smgr_atomic.writers",
							"Sets the number of processes that carry pages from the pool to storage.",
							NULL,
							&sa_writers, 1, 1, SA_MAX_WRITERS,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("smgr_atomic.io_depth",
							"Sets how many writes each writer keeps under way.",
							NULL,
							&sa_io_depth, 64, 1, 256,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("smgr_atomic.io_uring",
							 "Lets writers use io_uring.",
							 "If off, or if the kernel refuses it, each writer has one write under way at a time.",
							 &sa_io_uring, true,
							 PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("smgr_atomic.journal_directory",
							   "Sets the directory of the page journal that method doublewrite uses.",
							   "Any but the default must exist, on XFS or ext4; no other data directory may use it.",
							   &sa_journal_directory, SA_JOURNAL_DEFAULT_DIRECTORY,
							   PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("smgr_atomic.journal_size",
							"Sets the size of the page journal.",
							NULL,
							&sa_journal_size, 64 * 1024, 8 * 1024, 4 * 1024 * 1024,
							PGC_POSTMASTER, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomEnumVariable("smgr_atomic.journal_compression",
							 "Sets how copies in the page journal are compressed.",
							 "\"auto\" compresses them with LZ4 while the journal's disk is short of bandwidth.",
							 &sa_journal_compression, SA_COMPRESSION_OFF, compression_options,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("smgr_atomic.ignore_journal",
							 "Starts after a crash without repair from the page journal.",
							 "Torn pages stay torn. For a journal that is lost for good.",
							 &sa_ignore_journal, false,
							 PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("smgr_atomic.recovery_readahead",
							 "Has pages read ahead of recovery, neighbours in one request.",
							 "As many as half of shared_buffers lie in the page cache ahead of it, with some between them.",
							 &sa_recovery_readahead, true,
							 PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("smgr_atomic.on_unsafe_tablespace",
							 "Sets what CREATE TABLESPACE does on storage that is not torn-free.",
							 "\"error\" refuses it, \"demote\" turns full-page images on for the whole cluster first.",
							 &sa_on_unsafe_tablespace, SA_UNSAFE_ERROR, unsafe_options,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("smgr_atomic.wal_interlock",
							 "Logs a WAL record that stops recovery where pages can tear.",
							 "WAL without full-page images is safe only on storage that keeps pages whole.",
							 &sa_wal_interlock, true,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("smgr_atomic.allow_unsafe_standby",
							 "Allows replay of WAL without full-page images on storage where pages can tear.",
							 "A crash of such a standby can damage it beyond repair.",
							 &sa_allow_unsafe_standby, false,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	MarkGUCPrefixReserved("smgr_atomic");
}

/*
 * Our workers must not take slots that parallel queries count on.
 */
static void
register_workers(void)
{
	int			writers = sa_write_behind_size > 0 ? sa_writers : 0;
	char		value[32];

	snprintf(value, sizeof(value), "%d", max_worker_processes + writers + (writers > 0) + 1);
	SetConfigOption("max_worker_processes", value, PGC_POSTMASTER, PGC_S_OVERRIDE);
	sa_driver_register();
	sa_writer_register(writers);
	if (writers > 0)
		sa_retirer_register();
}

static void
request_shared_memory(void)
{
	if (prev_shmem_request_hook)
		prev_shmem_request_hook();
	RequestAddinShmemSpace(sa_stats_shmem_size());
	RequestAddinShmemSpace(sa_write_shmem_size());
	RequestAddinShmemSpace(sa_fpw_shmem_size());
	RequestAddinShmemSpace(sa_pool_shmem_size());
	RequestNamedLWLockTranche("smgr_atomic", 1);
	RequestNamedLWLockTranche(SA_POOL_LOCKS, SA_POOL_PARTITIONS);
	RequestAddinShmemSpace(sa_doublewrite_shmem_size());
	RequestAddinShmemSpace(sa_newpages_shmem_size());
	RequestNamedLWLockTranche(SA_DOUBLEWRITE_LOCKS, SA_DOUBLEWRITE_LOCK_COUNT);
	RequestAddinShmemSpace(sa_newdb_shmem_size());
	RequestNamedLWLockTranche(SA_NEWDB_LOCK, 1);
}

static void
start_shared_memory(void)
{
	if (prev_shmem_startup_hook)
		prev_shmem_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	sa_stats_shmem_init();
	sa_write_shmem_init();
	sa_pool_shmem_init();
	sa_doublewrite_shmem_init();
	sa_newpages_shmem_init();
	sa_newdb_shmem_init();
	sa_fpw_shmem_init();
	LWLockRelease(AddinShmemInitLock);
	sa_place_await_orphans();
	sa_attach_verify();
	sa_fpw_start();
}

/*
 * Loaded too late to be of use: nothing is touched, and who asked for it is
 * refused.  Not refused, only told, are those who must get on without it:
 * CREATE EXTENSION (a dump is restored, the preload comes later), pg_upgrade,
 * which loads every library of the old cluster, and session_preload_libraries
 * and parallel workers, where an error would lock everybody out.
 */
static void
refuse_late_load(void)
{
	bool		asked = debug_query_string != NULL && !creating_extension && !IsBinaryUpgrade;

	ereport(asked ? ERROR : WARNING,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("smgr_atomic must be loaded via shared_preload_libraries"),
			 errdetail("It has to be in place before the first page is written; nothing was changed."),
			 errhint("Add smgr_atomic to shared_preload_libraries and restart the server.")));
}

/*
 * The server's module magic says nothing of pages and segments; a library with
 * others would write every page to a wrong place.
 */
static void
check_page_size(void)
{
	int			page = atoi(GetConfigOption("block_size", false, false));
	int			segment = atoi(GetConfigOption("segment_size", false, false));

	if (page != BLCKSZ || segment != RELSEG_SIZE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("smgr_atomic was compiled for another kind of server"),
				 errdetail("It has pages of %d bytes and segments of %d pages, the server has %d and %d.",
						   BLCKSZ, RELSEG_SIZE, page, segment),
				 errhint("Build it with the pg_config of this server.")));
}

/* Loaded by the postmaster or a standalone server, or too late. */
void
_PG_init(void)
{
	check_page_size();
	if (!process_shared_preload_libraries_in_progress)
	{
		refuse_late_load();
		return;
	}
#ifdef SA_UNSAFE_BENCHMARK
	ereport(WARNING,
			(errmsg("this build of smgr_atomic is for benchmarks only: page writes are NOT atomic"),
			 errdetail("A crash can tear pages beyond repair.")));
#endif
	sa_preloaded = true;
	define_settings();
	sa_entries_attach();
	sa_interlock_register();
	sa_guard_register();
	sa_newdb_register();
	sa_barrier_register(sa_write_let_go);

	prev_shmem_request_hook = shmem_request_hook;
	shmem_request_hook = request_shared_memory;
	prev_shmem_startup_hook = shmem_startup_hook;
	shmem_startup_hook = start_shared_memory;
	if (sa_attached())
		register_workers();
}
