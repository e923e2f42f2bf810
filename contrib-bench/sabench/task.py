"""A statement that is timed as a whole: COPY, CREATE INDEX, VACUUM, CHECKPOINT.

Each repetition: prepare (not measured), the statement, then CHECKPOINT and sync until all of
its work is on disk.  Counters run from the statement to the end of that.
"""

import time

from . import measure, statistics, volume, wal
from .figures import BUFFERS


def initialise(server, plan):
    """Run the profile's setup file."""
    server.run_file(plan.sql('setup'), scale=plan.scale)
    server.run('VACUUM (FREEZE, ANALYZE);')


def once(server, plan, device, place, library, kept):
    """One repetition: {seconds, durable_seconds, drained, library, wal_from, wal_to}.

    The time until all is on disk goes on from the end of the statement without a break: what the server writes
    while something else is done it need not write later.  So neither are counters asked for nor is the
    statement's WAL looked at before: kept is the directory in which its files outlive the checkpoint, or None.
    """
    if plan.prepare:
        server.run_file(plan.sql('prepare'), scale=plan.scale)
    measure.wait_quiet(server)
    by_library = measure.library_stats(server) if library else None
    before = measure.snapshot(server, device)
    seconds, position = _timed(server, plan)
    ended = time.monotonic()
    if kept:
        wal.keep(server.data / 'pg_wal', kept)
    server.run('CHECKPOINT;')
    volume.sync(place.path)
    durable = seconds + time.monotonic() - ended
    measure.checkpoint(server)          # with nothing left to write: so that the counters are handed in
    drained = measure.difference(before, measure.snapshot(server, device))
    return {'seconds': seconds, 'durable_seconds': durable, 'drained': drained,
            'wal_from': before['wal_lsn'], 'wal_to': position,
            'library': measure.library_work(by_library, measure.library_stats(server), drained) if library else None}


def _timed(server, plan):
    """Seconds that the statement took, by the server's clock in one session, and the position of WAL after it."""
    clock = 'SELECT extract(epoch FROM clock_timestamp());\n'
    text = f"\\set file '{server.data / 'bench.copy'}'\n\\set scale {plan.scale}\n"
    position = "SELECT pg_current_wal_insert_lsn() - '0/0';\n"
    lines = server.run(text + clock + plan.sql('task').read_text() + clock + position).split()
    return float(lines[-2]) - float(lines[0]), int(lines[-1])


def total(repeats, name):
    """Counters of all repetitions added up."""
    return {key: sum(one[name][key] for one in repeats) for key in repeats[0][name]}


def summary(repeats, checkpoint):
    """What figures.of_run() wants of a load; here a "transaction" is one repetition.

    checkpoint: the statement is one, so the counters know of every page that it writes.
    """
    result = {'transactions': len(repeats), 'failed': 0,
              'task_s': statistics.median([one['seconds'] for one in repeats]),
              'task_durable_s': statistics.median([one['durable_seconds'] for one in repeats])}
    if checkpoint:
        result['task_pages_per_s'] = statistics.median([
            sum(one['drained'][name] for name in BUFFERS) / one['seconds'] for one in repeats])
    return result
