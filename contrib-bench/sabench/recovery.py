"""A crash at the end of a run, and how long the server takes to come back.

The load runs for some seconds after a checkpoint, then every process of the server gets
SIGKILL at once.  What stock left in the page cache is written out and the cache emptied: after
a power cut it is empty too.  Limits of the disk are in force during recovery.
"""

import re
import time

from . import measure, processes, volume

REDO_DONE = re.compile(r'redo done at \S+ system usage: .*elapsed: ([\d.]+) s')
REDO_FROM = re.compile(r'redo starts at ([0-9A-F]+)/([0-9A-F]+)')
REPAIRED = re.compile(r'smgr_atomic: page journal: .* (\d+) restored, .*; (\d+) ms')
REDO_TO = re.compile(r'redo done at ([0-9A-F]+)/([0-9A-F]+)')


def crash_and_recover(running, data, place, disk, directory, transactions):
    """Kill the server, start it again, time it.  Returns what was found."""
    processes.kill_all(running.process.pid)
    running.process.wait()
    running.process = None
    for files in [data] + ([place.wal.path] if place.wal else []):
        volume.sync(files)
        volume.forget(files)
    running.log = directory / 'recovery.log'
    place.limit(disk)
    started = time.monotonic()
    try:
        running.start(poll=0.02)
        ready = time.monotonic() - started
    finally:
        place.unlimit()
    log = running.log.read_text(errors='replace')
    found = parse(log)
    points = [point for point in measure.checkpoints(log.splitlines()) if point['end'] is not None]
    return {'ready_s': ready, 'transactions': transactions,
            'end_checkpoint_s': points[0]['end'] - points[0]['start'] if points else None, **found}


def parse(log):
    """Server log of a recovery -> redo_s, redo_bytes (0 where redo was not needed), and with a page
    journal what its repair took."""
    repair = REPAIRED.search(log)
    repaired = {'repaired_pages': int(repair[1]), 'repair_s': int(repair[2]) / 1000} if repair else {}
    begin, done, end = REDO_FROM.search(log), REDO_DONE.search(log), REDO_TO.search(log)
    if not (begin and done and end):
        return {'redo_s': 0.0, 'redo_bytes': 0, **repaired}
    first, last = (int(found[1], 16) << 32 | int(found[2], 16) for found in (begin, end))
    return {'redo_s': float(done[1]), 'redo_bytes': last - first, **repaired}
