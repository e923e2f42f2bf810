--
-- The SQL surface of smgr_atomic.  Needs a server that preloads the library;
-- works on any storage, so it prints no verdicts.
--
CREATE EXTENSION smgr_atomic;

-- one row that hangs together
SELECT count(*) AS status_rows,
       bool_and(attached) AS attached,
       bool_and((state = 'active') = (full_page_writes = 'off')) AS images_follow_state,
       bool_and(full_page_writes = current_setting('full_page_writes')) AS show_agrees,
       bool_and(protection IN ('none', 'software', 'journal', 'hardware')) AS protection_known,
       bool_and(reason <> '') AS has_reason,
       bool_and(kernel LIKE 'Linux %') AS kernel_named,
       bool_and(library_version = (SELECT extversion FROM pg_extension WHERE extname = 'smgr_atomic')) AS same_version
FROM smgr_atomic_status;

-- every tablespace has a place, each place a verdict with a reason
SELECT t.spcname,
       bool_and(p.verdict IN ('none', 'software', 'hardware')) AS verdict_known,
       bool_and(p.reason <> '' AND p.filesystem <> '' AND p.path <> '') AS told
FROM pg_tablespace t LEFT JOIN smgr_atomic_tablespaces p ON p.tablespace = t.spcname
GROUP BY t.spcname ORDER BY t.spcname;

-- the cluster's protection is that of its weakest place, or the page journal's
SELECT s.state = 'off' OR s.protection = 'journal' OR s.protection = (SELECT verdict FROM smgr_atomic_tablespaces
    ORDER BY array_position(ARRAY['none', 'software', 'hardware'], verdict) LIMIT 1) AS weakest_counts
FROM smgr_atomic_status s;

-- a directory that is not in use
SELECT verdict, reason FROM smgr_atomic_probe('/nonexistent/smgr_atomic');
SELECT verdict, filesystem, journal, journal_reason <> '' AS says_why FROM smgr_atomic_probe('/proc');
SELECT verdict = (SELECT verdict FROM smgr_atomic_tablespaces WHERE path = 'base') AS same_as_view
FROM smgr_atomic_probe(current_setting('data_directory') || '/base');

-- counters count pages that are written, and start again after a reset
SELECT smgr_atomic_stats_reset();
CREATE TABLE smgr_atomic_test AS SELECT g AS id, repeat('x', 100) AS pad FROM generate_series(1, 1000) g;
CREATE TEMPORARY TABLE smgr_atomic_temp AS SELECT 1 AS id;
CHECKPOINT;
SELECT sum(pages + delegated_off) > 0 AS pages_counted,
       bool_and(bytes = pages * current_setting('block_size')::bigint) AS bytes_follow,
       sum(errors) AS errors,
       bool_and(stats_reset > now() - interval '1 hour') AS reset_recently
FROM smgr_atomic_stats WHERE backend_type = 'checkpointer';
SELECT pg_catalog.array_agg(attname::text ORDER BY attnum) AS stats_columns
FROM pg_attribute WHERE attrelid = 'smgr_atomic_stats'::regclass AND attnum > 0;
-- storage, past shared buffers (the cluster of these tests has checksums)
SELECT count(*) AS torn FROM smgr_atomic_torn_pages('smgr_atomic_test');
SELECT count(*) AS torn FROM smgr_atomic_torn_pages('smgr_atomic_test', 'fsm');
SELECT count(*) AS torn FROM smgr_atomic_torn_pages('smgr_atomic_test', 'init');
SELECT * FROM smgr_atomic_torn_pages('smgr_atomic_test', 'spoon');
SELECT * FROM smgr_atomic_torn_pages('smgr_atomic_status');
SELECT * FROM smgr_atomic_torn_pages('smgr_atomic_temp');
DROP TABLE smgr_atomic_test;

-- the pool, if there is one, takes pages exactly while images may be off
SELECT accepting = (slots > 0 AND s.state IN ('active', 'paused')) AS accepts_when_it_should,
       used BETWEEN 0 AND slots AND in_flight BETWEEN 0 AND slots AS within_bounds,
       slots * current_setting('block_size')::bigint = pg_size_bytes(current_setting('smgr_atomic.write_behind_size')) AS size_as_set,
       writers = CASE WHEN slots > 0 THEN current_setting('smgr_atomic.writers')::int ELSE 0 END AS writers_run,
       io_method <> '' AS io_named
FROM smgr_atomic_pool, smgr_atomic_status s;

-- the page journal, where there is one
SELECT open = (s.mode_in_force = 'doublewrite') AS open_when_in_force,
       (path IS NULL) = (size = 0) AS sized,
       used BETWEEN 0 AND size AS within_bounds,
       batches <= pages AS batches_have_pages,
       repair_restored <= repair_checked AS repair_adds_up
FROM smgr_atomic_journal, smgr_atomic_status s;

-- the settings
SELECT name, setting, unit, context, vartype, enumvals
FROM pg_settings WHERE name LIKE 'smgr\_atomic.%' ORDER BY name;
SELECT name, short_desc FROM pg_settings WHERE name LIKE 'smgr\_atomic.%' ORDER BY name;
SET smgr_atomic.mode = 'direct';
SET smgr_atomic.require = on;
SET smgr_atomic.no_such_setting = 1;
ALTER SYSTEM SET smgr_atomic.mode = 'sometimes';
ALTER SYSTEM SET smgr_atomic.on_unsafe_tablespace = 'ignore';

-- waiting and pausing: arguments
SELECT smgr_atomic_wait(state, '1 second') FROM smgr_atomic_status;
SELECT smgr_atomic_wait('disarming', '0');
SELECT smgr_atomic_wait('asleep');
SELECT smgr_atomic_pause('0');
SELECT smgr_atomic_pause('2 days');
SELECT smgr_atomic_pause('-1 hour');

-- who may do what
CREATE ROLE smgr_atomic_nobody;
CREATE ROLE smgr_atomic_reader IN ROLE pg_read_server_files;
CREATE ROLE smgr_atomic_monitor IN ROLE pg_monitor;
SET ROLE smgr_atomic_nobody;
SELECT attached FROM smgr_atomic_status;
SELECT count(*) >= 0 AS may_read_stats FROM smgr_atomic_stats;
SELECT * FROM smgr_atomic_tablespaces;
SELECT verdict FROM smgr_atomic_probe('/proc');
SELECT * FROM smgr_atomic_torn_pages('pg_class');
SELECT smgr_atomic_stats_reset();
SELECT smgr_atomic_pause('1 minute');
SELECT smgr_atomic_resume();
RESET ROLE;
SET ROLE smgr_atomic_reader;
SELECT verdict FROM smgr_atomic_probe('/proc');
RESET ROLE;
SET ROLE smgr_atomic_monitor;
SELECT count(*) > 0 AS may_read_places FROM smgr_atomic_tablespaces;
RESET ROLE;
DROP ROLE smgr_atomic_nobody, smgr_atomic_reader, smgr_atomic_monitor;

-- goes without a trace
DROP EXTENSION smgr_atomic;
SELECT count(*) AS left_behind FROM pg_class WHERE relname LIKE 'smgr\_atomic\_s%';
