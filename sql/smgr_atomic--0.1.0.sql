/* sql/smgr_atomic--0.1.0.sql */

\echo Use "CREATE EXTENSION smgr_atomic" to load this file. \quit

CREATE FUNCTION smgr_atomic_status(
    OUT attached boolean,
    OUT mode text,
    OUT mode_in_force text,
    OUT protection text,
    OUT state text,
    OUT state_since timestamptz,
    OUT waits_for text,
    OUT full_page_writes text,
    OUT reason text,
    OUT kernel text,
    OUT library_version text)
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL SAFE;

CREATE VIEW smgr_atomic_status AS SELECT * FROM smgr_atomic_status();
GRANT SELECT ON smgr_atomic_status TO PUBLIC;

COMMENT ON VIEW smgr_atomic_status IS 'whether pages are written atomically and full-page images are off, and why';

CREATE FUNCTION smgr_atomic_places(
    OUT tablespace_oid oid,
    OUT path text,
    OUT filesystem text,
    OUT device text,
    OUT unit_min bigint,
    OUT unit_max bigint,
    OUT unit_max_opt bigint,
    OUT segments_max bigint,
    OUT dio_mem_align bigint,
    OUT dio_offset_align bigint,
    OUT device_unit_max bigint,
    OUT verdict text,
    OUT reason text,
    OUT journal boolean,
    OUT journal_reason text)
RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

CREATE VIEW smgr_atomic_tablespaces AS
    SELECT coalesce(t.spcname, p.tablespace_oid::text) AS tablespace,
           p.path, p.filesystem, p.device, p.unit_min, p.unit_max, p.unit_max_opt,
           p.segments_max, p.dio_mem_align, p.dio_offset_align, p.device_unit_max,
           p.verdict, p.reason, p.journal, p.journal_reason
    FROM smgr_atomic_places() p
    LEFT JOIN pg_catalog.pg_tablespace t ON t.oid = p.tablespace_oid;

COMMENT ON VIEW smgr_atomic_tablespaces IS 'what each place the cluster writes pages to promises, probed now';

CREATE FUNCTION smgr_atomic_probe(
    path text,
    OUT path text,
    OUT filesystem text,
    OUT device text,
    OUT unit_min bigint,
    OUT unit_max bigint,
    OUT unit_max_opt bigint,
    OUT segments_max bigint,
    OUT dio_mem_align bigint,
    OUT dio_offset_align bigint,
    OUT device_unit_max bigint,
    OUT verdict text,
    OUT reason text,
    OUT journal boolean,
    OUT journal_reason text)
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION smgr_atomic_probe(text) IS 'what a directory promises about page writes';

CREATE FUNCTION smgr_atomic_stats(
    OUT backend_type text,
    OUT pages bigint,
    OUT bytes bigint,
    OUT accepted bigint,
    OUT retries bigint,
    OUT delegated_temporary bigint,
    OUT delegated_off bigint,
    OUT errors bigint,
    OUT write_time_ms double precision,
    OUT stats_reset timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL SAFE;

CREATE VIEW smgr_atomic_stats AS SELECT * FROM smgr_atomic_stats();
GRANT SELECT ON smgr_atomic_stats TO PUBLIC;

COMMENT ON VIEW smgr_atomic_stats IS 'pages written, by backend type, since the last reset or start';

CREATE FUNCTION smgr_atomic_pool(
    OUT accepting boolean,
    OUT slots integer,
    OUT used integer,
    OUT in_flight integer,
    OUT no_space integer,
    OUT writers integer,
    OUT io_method text,
    OUT io_depth integer,
    OUT accepted bigint,
    OUT combined bigint,
    OUT coalesced bigint,
    OUT writes bigint,
    OUT written bigint,
    OUT reads bigint,
    OUT discarded bigint,
    OUT waits bigint,
    OUT helped bigint,
    OUT pauses bigint,
    OUT latency_p50_ms double precision,
    OUT latency_p95_ms double precision,
    OUT latency_p99_ms double precision)
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL SAFE;

CREATE VIEW smgr_atomic_pool AS SELECT * FROM smgr_atomic_pool();
GRANT SELECT ON smgr_atomic_pool TO PUBLIC;

COMMENT ON VIEW smgr_atomic_pool IS 'the write-behind pool now, and its counters since start';

CREATE FUNCTION smgr_atomic_journal(
    OUT open boolean,
    OUT path text,
    OUT size bigint,
    OUT used bigint,
    OUT batches bigint,
    OUT pages bigint,
    OUT retirements bigint,
    OUT waits bigint,
    OUT pauses bigint,
    OUT repair_checked bigint,
    OUT repair_restored bigint,
    OUT new_pages bigint,
    OUT packed_pages bigint,
    OUT written bigint)
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL SAFE;

CREATE VIEW smgr_atomic_journal AS SELECT * FROM smgr_atomic_journal();
GRANT SELECT ON smgr_atomic_journal TO PUBLIC;

COMMENT ON VIEW smgr_atomic_journal IS 'the page journal now, its counters since start, and what repair did at start';

CREATE FUNCTION smgr_atomic_torn_pages(
    relation regclass,
    fork text DEFAULT 'main',
    OUT block bigint,
    OUT page_lsn pg_lsn,
    OUT expected integer,
    OUT found integer)
RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION smgr_atomic_torn_pages(regclass, text) IS 'pages whose checksum or header is wrong in storage; expected is null where there is no header';

CREATE FUNCTION smgr_atomic_stats_reset() RETURNS void
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

CREATE FUNCTION smgr_atomic_pause(duration interval) RETURNS void
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION smgr_atomic_pause(interval) IS 'keep full-page images on for a while, for tools that need them';

CREATE FUNCTION smgr_atomic_resume() RETURNS void
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

CREATE FUNCTION smgr_atomic_wait(state text, timeout interval DEFAULT '1 minute') RETURNS boolean
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION smgr_atomic_wait(text, interval) IS 'wait until smgr_atomic_status shows a state; false after the timeout';

-- The probes write a file; resets and pauses are a superuser's business
-- unless granted.
REVOKE ALL ON FUNCTION smgr_atomic_places() FROM PUBLIC;
REVOKE ALL ON FUNCTION smgr_atomic_stats_reset() FROM PUBLIC;
REVOKE ALL ON FUNCTION smgr_atomic_pause(interval) FROM PUBLIC;
REVOKE ALL ON FUNCTION smgr_atomic_resume() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION smgr_atomic_places() TO pg_monitor;
GRANT SELECT ON smgr_atomic_tablespaces TO pg_monitor;
