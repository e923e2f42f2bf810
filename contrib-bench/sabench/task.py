"""A statement that is timed as a whole: COPY, CREATE INDEX, VACUUM, CHECKPOINT.

Each repetition: prepare (not measured), the statement, then CHECKPOINT and sync until all of
its work is on disk.  Counters run from the statement to the end of that.
"""

import time

from . import measure, statistics, volume


def initialise(server, plan):
    """Run the profile's setup file."""
    server.run_file(plan.sql('setup'), scale=plan.scale)
    server.run('VACUUM (FREEZE, ANALYZE);')


def once(server, plan, device, place, look):
    """One repetition: {seconds, durable_seconds, counters, drained, wal}.

    look(from, to) looks at the statement's WAL before the checkpoint recycles it; its time counts
    nowhere, but what the server writes meanwhile it need not write later.
    """
    if plan.prepare:
        server.run_file(plan.sql('prepare'), scale=plan.scale)
    measure.wait_quiet(server)
    before = measure.snapshot(server, device)
    seconds = _timed(server, plan)
    middle = measure.snapshot(server, device)
    found = look(before['wal_lsn'], middle['wal_lsn'])
    started = time.monotonic()
    measure.checkpoint(server)
    volume.sync(place.path)
    return {'seconds': seconds, 'durable_seconds': seconds + time.monotonic() - started,
            'counters': measure.difference(before, middle), 'wal': found,
            'drained': measure.difference(before, measure.snapshot(server, device))}


def _timed(server, plan):
    """Seconds that the statement took, by the server's clock in one session."""
    clock = 'SELECT extract(epoch FROM clock_timestamp());\n'
    text = f"\\set file '{server.data / 'bench.copy'}'\n\\set scale {plan.scale}\n"
    lines = server.run(text + clock + plan.sql('task').read_text() + clock).split()
    return float(lines[-1]) - float(lines[0])


def total(repeats, name):
    """Counters of all repetitions added up."""
    return {key: sum(one[name][key] for one in repeats) for key in repeats[0][name]}


def summary(repeats):
    """What figures.of_run() wants of a load; here a "transaction" is one repetition."""
    plain = [one for one in repeats if not one['wal']] or repeats
    return {'transactions': len(repeats), 'failed': 0,
            'task_s': statistics.median([one['seconds'] for one in repeats]),
            'task_durable_s': statistics.median([one['durable_seconds'] for one in plain]),
            'task_pages_per_s': statistics.median([_pages(one) / one['seconds']
                                                   for one in repeats])}


def _pages(one):
    """Pages the server wrote in a repetition while its statement ran."""
    return sum(one['counters'][name] for name in
               ('buffers_checkpoint', 'buffers_bgwriter', 'buffers_backend'))
