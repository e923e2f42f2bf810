/*-------------------------------------------------------------------------
 *
 * sqlfuncs.c
 *	  The SQL surface: read-only views of the other rooms, and the few calls
 *	  that ask the driver for something.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xlog.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_tablespace_d.h"
#include "commands/tablespace.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/wait_event.h"

#include "attach.h"
#include "doublewrite.h"
#include "fpw.h"
#include "places.h"
#include "smgr_atomic.h"
#include "stats.h"
#include "writebehind.h"

PG_FUNCTION_INFO_V1(smgr_atomic_status);
PG_FUNCTION_INFO_V1(smgr_atomic_places);
PG_FUNCTION_INFO_V1(smgr_atomic_probe);
PG_FUNCTION_INFO_V1(smgr_atomic_stats);
PG_FUNCTION_INFO_V1(smgr_atomic_stats_reset);
PG_FUNCTION_INFO_V1(smgr_atomic_pool);
PG_FUNCTION_INFO_V1(smgr_atomic_journal);
PG_FUNCTION_INFO_V1(smgr_atomic_pause);
PG_FUNCTION_INFO_V1(smgr_atomic_resume);
PG_FUNCTION_INFO_V1(smgr_atomic_wait);

#define PROBE_COLUMNS 14
#define MAX_PAUSE_MS INT64CONST(86400000)

/* Every SQL function calls this first. */
void
sa_require_preload(void)
{
	if (!sa_preloaded)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("smgr_atomic must be loaded via shared_preload_libraries"),
				 errdetail("It has to be in place before the first page is written."),
				 errhint("Add smgr_atomic to shared_preload_libraries and restart the server.")));
}

/* Of the function that is being called. */
static TupleDesc
row_type(FunctionCallInfo fcinfo)
{
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return desc;
}

static Datum
text_datum(const char *value)
{
	return CStringGetTextDatum(value);
}

/*
 * What the current state waits for.  A process that waits for its client to
 * take what was sent answers no barrier; the server does not tell which have
 * not answered, but which wait for their clients can be seen.
 */
static char *
waits_for(const SaStatus *status)
{
	StringInfoData text;
	const char *before = "; waiting for their clients: ";

	initStringInfo(&text);
	appendStringInfoString(&text, sa_fpw_waits_for(status));
	for (uint32 i = 0; status->waits_for_writes && i < ProcGlobal->allProcCount; i++)
	{
		volatile PGPROC *proc = &ProcGlobal->allProcs[i];
		int			pid = proc->pid;

		if (pid == 0 || proc->wait_event_info != WAIT_EVENT_CLIENT_WRITE)
			continue;
		appendStringInfo(&text, "%s%d", before, pid);
		before = ", ";
	}
	return text.data;
}

/* One row: what is asked, what is in force, and why. */
Datum
smgr_atomic_status(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		values[11];
	bool		nulls[11] = {false};
	SaStatus	status;
	char		kernel[128];

	sa_require_preload();
	desc = row_type(fcinfo);

	sa_fpw_status(&status);
	sa_probe_kernel(kernel, sizeof(kernel));
	values[0] = BoolGetDatum(sa_attached());
	values[1] = text_datum(sa_mode_name((SaMode) sa_mode));
	values[2] = text_datum(sa_method_name(sa_write_method()));
	values[3] = text_datum(sa_verdict_name(status.protection));
	values[4] = text_datum(sa_state_name(status.state));
	values[5] = TimestampTzGetDatum(status.since);
	values[6] = text_datum(waits_for(&status));
	values[7] = text_datum(sa_fpw_shown_images() ? "on" : "off");
	values[8] = text_datum(status.reason);
	values[9] = text_datum(kernel);
	values[10] = text_datum(SA_VERSION);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}

/* The columns that smgr_atomic_probe() and smgr_atomic_places() share. */
static void
probe_values(const SaProbe *probe, Datum *values)
{
	values[0] = text_datum(probe->path);
	values[1] = text_datum(probe->filesystem);
	values[2] = text_datum(probe->device);
	values[3] = Int64GetDatum(probe->limits.unit_min);
	values[4] = Int64GetDatum(probe->limits.unit_max);
	values[5] = Int64GetDatum(probe->limits.unit_max_opt);
	values[6] = Int64GetDatum(probe->limits.segments_max);
	values[7] = Int64GetDatum(probe->limits.dio_mem_align);
	values[8] = Int64GetDatum(probe->limits.dio_offset_align);
	values[9] = Int64GetDatum(probe->device_unit_max);
	values[10] = text_datum(sa_verdict_name(probe->verdict));
	values[11] = text_datum(probe->reason);
	values[12] = BoolGetDatum(probe->journal);
	values[13] = text_datum(probe->journal_reason);
}

/*
 * Probe a directory, in use or not.  Creates and removes an unnamed file
 * there as the server's user.
 */
Datum
smgr_atomic_probe(PG_FUNCTION_ARGS)
{
	char	   *path = text_to_cstring(PG_GETARG_TEXT_PP(0));
	TupleDesc	desc;
	Datum		values[PROBE_COLUMNS];
	bool		nulls[PROBE_COLUMNS] = {false};
	SaProbe		probe;

	sa_require_preload();
	if (!has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to probe a server directory"),
				 errhint("Only superusers and members of pg_read_server_files may do this.")));
	desc = row_type(fcinfo);

	sa_probe_directory(path, BLCKSZ, sa_decide_writethrough_flag(), &probe);
	probe_values(&probe, values);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}

/* One row for each place the cluster writes pages to, probed now. */
Datum
smgr_atomic_places(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	List	   *places;
	ListCell   *lc;

	sa_require_preload();
	InitMaterializedSRF(fcinfo, 0);
	places = sa_places_probe(sa_decide_writethrough_flag());
	foreach(lc, places)
	{
		const SaPlace *place = lfirst(lc);
		Datum		values[PROBE_COLUMNS + 1];
		bool		nulls[PROBE_COLUMNS + 1] = {false};

		values[0] = ObjectIdGetDatum(place->tablespace);
		probe_values(&place->probe, values + 1);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* Counters by backend type; types that wrote nothing are left out. */
Datum
smgr_atomic_stats(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	sa_require_preload();
	InitMaterializedSRF(fcinfo, 0);
	for (int type = 0; type < BACKEND_NUM_TYPES; type++)
	{
		SaStats		stats;
		Datum		values[10];
		bool		nulls[10] = {false};

		if (!sa_stats_read((BackendType) type, &stats))
			continue;
		values[0] = text_datum(GetBackendTypeDesc((BackendType) type));
		values[1] = Int64GetDatum(stats.pages);
		values[2] = Int64GetDatum(stats.pages * BLCKSZ);
		values[3] = Int64GetDatum(stats.accepted);
		values[4] = Int64GetDatum(stats.retries);
		values[5] = Int64GetDatum(stats.delegated[SA_DELEGATED_TEMPORARY]);
		values[6] = Int64GetDatum(stats.delegated[SA_DELEGATED_OFF]);
		values[7] = Int64GetDatum(stats.errors);
		values[8] = Float8GetDatum(stats.write_time_ns / 1e6);
		values[9] = TimestampTzGetDatum(sa_stats_reset_time());
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* The write-behind pool now. */
Datum
smgr_atomic_pool(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		values[21];
	bool		nulls[21] = {false};
	SaPoolStatus pool;
	char		io[128] = "io_uring";
	int			i = 0;

	sa_require_preload();
	desc = row_type(fcinfo);

	sa_pool_status(&pool);
	if (!pool.io_uring && pool.io_uring_errno != 0)
		snprintf(io, sizeof(io), "pwritev2 (io_uring refused: %s)", strerror(pool.io_uring_errno));
	else if (!pool.io_uring)
		strlcpy(io, "pwritev2", sizeof(io));

	values[i++] = BoolGetDatum(pool.accepting);
	values[i++] = Int32GetDatum(pool.slots);
	values[i++] = Int32GetDatum(pool.used);
	values[i++] = Int32GetDatum(pool.in_flight);
	values[i++] = Int32GetDatum(pool.no_space);
	values[i++] = Int32GetDatum(pool.writers);
	values[i++] = text_datum(io);
	values[i++] = Int32GetDatum(pool.io_uring ? sa_io_depth : 1);
	values[i++] = Int64GetDatum(pool.accepted);
	values[i++] = Int64GetDatum(pool.combined);
	values[i++] = Int64GetDatum(pool.coalesced);
	values[i++] = Int64GetDatum(pool.writes);
	values[i++] = Int64GetDatum(pool.written);
	values[i++] = Int64GetDatum(pool.reads);
	values[i++] = Int64GetDatum(pool.discarded);
	values[i++] = Int64GetDatum(pool.waits);
	values[i++] = Int64GetDatum(pool.helped);
	values[i++] = Int64GetDatum(pool.pauses);
	for (int p = 0; p < 3; p++)
		values[i++] = Float8GetDatum(pool.latency_ms[p]);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}

/* The page journal now. */
Datum
smgr_atomic_journal(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		values[14];
	bool		nulls[14] = {false};
	SaJournalStatus journal;
	int			i = 0;

	sa_require_preload();
	desc = row_type(fcinfo);

	sa_doublewrite_status(&journal);
	values[i++] = BoolGetDatum(journal.open);
	nulls[i] = journal.path[0] == '\0';
	values[i++] = text_datum(journal.path);
	values[i++] = Int64GetDatum(journal.size);
	values[i++] = Int64GetDatum(journal.used);
	values[i++] = Int64GetDatum(journal.batches);
	values[i++] = Int64GetDatum(journal.pages);
	values[i++] = Int64GetDatum(journal.retirements);
	values[i++] = Int64GetDatum(journal.waits);
	values[i++] = Int64GetDatum(journal.pauses);
	values[i++] = Int64GetDatum(journal.repair_checked);
	values[i++] = Int64GetDatum(journal.repair_restored);
	values[i++] = Int64GetDatum(journal.new_pages);
	values[i++] = Int64GetDatum(journal.packed_pages);
	values[i++] = Int64GetDatum(journal.written);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}

/* Execution is granted to nobody but superusers by the install script. */
Datum
smgr_atomic_stats_reset(PG_FUNCTION_ARGS)
{
	sa_require_preload();
	sa_stats_reset();
	PG_RETURN_VOID();
}

static int64
interval_to_ms(const Interval *interval)
{
	return (interval->time + (interval->day + interval->month * INT64CONST(30)) * USECS_PER_DAY) / 1000;
}

static void
refuse_in_recovery(void)
{
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("recovery is in progress"),
				 errhint("Full-page images are the primary's business; call this there.")));
}

/* Keep full-page images on for a while; pages stay atomic. */
Datum
smgr_atomic_pause(PG_FUNCTION_ARGS)
{
	int64		ms = interval_to_ms(PG_GETARG_INTERVAL_P(0));

	sa_require_preload();
	refuse_in_recovery();
	if (ms <= 0 || ms > MAX_PAUSE_MS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("pause must be longer than zero and at most one day"),
				 errhint("To keep full-page images on for longer, set smgr_atomic.mode = off.")));
	sa_fpw_set_pause(TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms));
	PG_RETURN_VOID();
}

Datum
smgr_atomic_resume(PG_FUNCTION_ARGS)
{
	sa_require_preload();
	refuse_in_recovery();
	sa_fpw_set_pause(0);
	PG_RETURN_VOID();
}

/* Wait for a state by name; false after the timeout. */
Datum
smgr_atomic_wait(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int64		ms = interval_to_ms(PG_GETARG_INTERVAL_P(1));

	sa_require_preload();
	for (int state = SA_STATE_OFF; state <= SA_STATE_DISARMING; state++)
	{
		if (strcmp(name, sa_state_name((SaState) state)) == 0)
			PG_RETURN_BOOL(sa_fpw_wait((SaState) state, ms));
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown state \"%s\"", name),
			 errhint("States are off, arming, active, paused and disarming.")));
}
