"""What the server and the machine counted: before and after a run, and in its logs."""

import gzip
import os
import pathlib
import platform
import re
import shutil
import subprocess
import time
from array import array

from . import library, processes, profiles, statistics, volume

ACTIVE_SECONDS = 120        # a library must be in force this soon after the start
QUIET_SECONDS = 30          # backends must be gone this soon after pgbench


class CheckError(Exception):
    """The server is not in the state that the arm promises, so its figures would be wrong."""


# ---- checks ------------------------------------------------------------------------------

def check_arm(server, arm):
    """Make sure that the running server is what the arm says; returns what was seen."""
    seen = {name: server.show(name) for name in ('fsync', 'full_page_writes', 'synchronous_commit',
                                                 'wal_compression', 'data_checksums')}
    if seen['fsync'] != 'on':
        raise CheckError(f'arm {arm.name}: fsync is {seen["fsync"]}, it must be on')
    if arm.library:
        seen['status'] = _wait_active(server, arm)
        seen['full_page_writes'] = server.show('full_page_writes')
    if seen['full_page_writes'] != arm.full_page_writes:
        raise CheckError(f'arm {arm.name}: full_page_writes is {seen["full_page_writes"]} in the '
                         f'running server, the arm needs {arm.full_page_writes}')
    return seen


def _wait_active(server, arm):
    """Wait until smgr_atomic_status says active with images off; CheckError with its reason."""
    library.declare(server, arm)
    limit = time.monotonic() + ACTIVE_SECONDS
    while True:
        status = server.row('SELECT * FROM smgr_atomic_status')
        if status_active(status):
            return status
        if time.monotonic() > limit or not status.get('attached'):
            raise CheckError(f'arm {arm.name}: smgr_atomic is not in force: state '
                             f'{status.get("state")}, full_page_writes '
                             f'{status.get("full_page_writes")}: {status.get("reason")}')
        time.sleep(0.5)


def status_active(status):
    """Whether a row of smgr_atomic_status says that torn-free writes are in force."""
    images = status.get('full_page_writes')
    return bool(status.get('attached')) and status.get('state') == 'active' \
        and images in (False, 'off')


METHODS = {'writethrough': 'writethrough', 'doublewrite': 'page journal',
           ('direct', 'software'): 'copy-on-write', ('direct', 'hardware'): 'hardware'}


def method(record):
    """How the library of a run wrote pages, from its status; '' for an arm without it.

    A library built for benchmarks says what the real one would do, not what it does: '' too.
    """
    status = record.get('checks', {}).get('status')
    if not status or profiles.arm(record['arm']).library_file:
        return ''
    mode, protection = status['mode_in_force'], status['protection']
    return METHODS.get((mode, protection)) or METHODS.get(mode) or f'{mode}, {protection}'


def methods(records):
    """{arm: method}; all of them where the runs of an arm differ."""
    found = {}
    for record in records:
        name = method(record)
        if name:
            found.setdefault(record['arm'], {})[name] = None
    return {arm: ' and '.join(names) for arm, names in found.items()}


# ---- counters ----------------------------------------------------------------------------

def snapshot(server, devices):
    """Counters of the server and its devices as one flat dictionary."""
    result = server.row('SELECT wal_records, wal_fpi, wal_bytes FROM pg_stat_wal')
    result['wal_lsn'] = int(server.run("SELECT pg_current_wal_insert_lsn() - '0/0'"))
    result.update(server.row(_writers_query(server.version())))
    result.update({f'device_{name}': value
                   for name, value in volume.device_counters(devices).items()})
    return result


def _writers_query(version):
    """Who wrote buffers and what checkpoints took; the views changed in 17 and in 18."""
    if version < 170000:
        return ('SELECT checkpoints_timed, checkpoints_req AS checkpoints_requested, '
                'checkpoint_write_time, checkpoint_sync_time, buffers_checkpoint, '
                'buffers_clean AS buffers_bgwriter, buffers_backend FROM pg_stat_bgwriter')
    # one extension counts once in 18, however many pages it adds
    pages = '(write_bytes + extend_bytes) / 8192' if version >= 180000 else 'writes + extends'
    return ('SELECT num_timed AS checkpoints_timed, num_requested AS checkpoints_requested, '
            'write_time AS checkpoint_write_time, sync_time AS checkpoint_sync_time, '
            'buffers_written AS buffers_checkpoint, '
            '(SELECT buffers_clean FROM pg_stat_bgwriter) AS buffers_bgwriter, '
            f"(SELECT coalesce(sum({pages}), 0) FROM pg_stat_io WHERE object = 'relation' "
            "AND backend_type NOT IN ('checkpointer', 'background writer')) AS buffers_backend "
            'FROM pg_stat_checkpointer')


def library_stats(server):
    """Rows of smgr_atomic_stats."""
    return server.rows('SELECT * FROM smgr_atomic_stats')


def library_work(before, after, counters):
    """Growth of smgr_atomic_stats over a run; CheckError if the library did not write the pages."""
    def total(rows, name):
        return sum(row[name] or 0 for row in rows)

    work = {name: total(after, name) - total(before, name)
            for name in ('pages', 'bytes', 'accepted', 'retries', 'errors', 'write_time_ms')}
    if counters['buffers_checkpoint'] > 0 and work['pages'] == 0:
        raise CheckError('the server wrote pages but not one went through smgr_atomic')
    return work


def difference(before, after):
    """after - before for each counter."""
    return {name: after[name] - before[name] for name in after if name in before}


def checkpoint(server):
    """CHECKPOINT, and wait until the checkpointer has handed in its counters."""
    query = _writers_query(server.version())
    before = server.row(query)['checkpoints_requested']
    server.run('CHECKPOINT;')
    limit = time.monotonic() + QUIET_SECONDS
    while server.row(query)['checkpoints_requested'] == before:
        if time.monotonic() > limit:
            raise CheckError('the checkpointer does not report its counters')
        time.sleep(0.05)


def wait_quiet(server):
    """Wait until pgbench's backends are gone: they hand in their counters as they end."""
    limit = time.monotonic() + QUIET_SECONDS
    while server.rows("SELECT 1 FROM pg_stat_activity WHERE backend_type = 'client backend' "
                      "AND pid <> pg_backend_pid()"):
        if time.monotonic() > limit:
            raise CheckError('sessions are still connected after the run')
        time.sleep(0.1)


# ---- logs --------------------------------------------------------------------------------

CHECKPOINT_START = re.compile(r'^([\d.]+) \S* *LOG: +checkpoint starting: (.*)$')
CHECKPOINT_END = re.compile(
    r'^([\d.]+) \S* *LOG: +checkpoint complete: wrote (\d+) buffers .*'
    r'write=([\d.]+) s, sync=([\d.]+) s, total=([\d.]+) s')
LOG_LINE_PREFIX = '%n %p '      # %n: epoch with milliseconds


def checkpoints(lines):
    """Server log -> list of {start, end, why, buffers, write_s, sync_s}.

    end is None for one that did not finish.
    """
    result = []
    for line in lines:
        found = CHECKPOINT_START.match(line)
        if found:
            result.append({'start': float(found[1]), 'end': None, 'why': found[2]})
            continue
        found = CHECKPOINT_END.match(line)
        if found and result and result[-1]['end'] is None:
            result[-1].update(end=float(found[1]), buffers=int(found[2]),
                              write_s=float(found[3]), sync_s=float(found[4]))
    return result


def within(points, start, end):
    """Checkpoints that were under way between start and end, as seconds since start."""
    result = []
    for point in points:
        last = point['end'] if point['end'] is not None else end
        if last > start and point['start'] < end:
            shown = {'from': round(max(point['start'] - start, 0), 3),
                     'to': round(min(last, end) - start, 3),
                     'begun': point['start'] >= start,
                     'finished': point['end'] is not None and point['end'] <= end}
            if shown['finished']:
                shown.update({key: point[key] for key in ('buffers', 'write_s', 'sync_s')})
            result.append(shown)
    return result


def transactions(directory):
    """pgbench's transaction logs -> (latencies in µs, end times in µs since the epoch)."""
    latencies, ends = array('q'), array('q')
    for path in sorted(pathlib.Path(directory).glob('transactions.*')):
        opener = gzip.open if path.suffix == '.gz' else open
        with opener(path, 'rt') as lines:
            read_transactions(lines, latencies, ends)
    return latencies, ends


def read_transactions(lines, latencies, ends):
    """Lines "client number latency script epoch microseconds ..."; failed ones are left out."""
    for line in lines:
        words = line.split()
        if len(words) >= 6 and words[2].isdigit():
            latencies.append(int(words[2]))
            ends.append(int(words[4]) * 1_000_000 + int(words[5]))


def seconds(latencies, ends, start, duration):
    """Group transactions by the second of their end: list of lists of latencies in µs.

    start is in µs since the epoch.  What ended after the last whole second is left out.
    """
    result = [array('q') for _ in range(duration)]
    for latency, end in zip(latencies, ends):
        index = (end - start) // 1_000_000
        if 0 <= index < duration:
            result[index].append(latency)
    return result


def second_rows(groups, tps):
    """One row per second: TPS and latency percentiles in ms (None in a second without any)."""
    rows = []
    for number, (group, rate) in enumerate(zip(groups, tps)):
        ordered = sorted(group)
        row = {'second': number, 'tps': rate}
        for name, share in (('p50_ms', 0.5), ('p95_ms', 0.95), ('p99_ms', 0.99), ('max_ms', 1.0)):
            row[name] = statistics.percentile(ordered, share) / 1000 if ordered else None
        rows.append(row)
    return rows


def compress(directory):
    """Compress transaction logs; they are the largest part of the raw data."""
    for path in pathlib.Path(directory).glob('transactions.*'):
        if path.suffix == '.gz':
            continue
        with path.open('rb') as plain, gzip.open(f'{path}.gz', 'wb', compresslevel=5) as packed:
            shutil.copyfileobj(plain, packed)
        path.unlink()


# ---- machine -----------------------------------------------------------------------------

def busy():
    """Seconds of processor time since boot, by what they went to."""
    words = pathlib.Path('/proc/stat').read_text().split('\n', 1)[0].split()[1:]
    tick = os.sysconf('SC_CLK_TCK')
    numbers = [int(word) / tick for word in words]
    return {'cpu_used_s': sum(numbers[:3]) + sum(numbers[5:7]), 'cpu_idle_s': numbers[3],
            'cpu_iowait_s': numbers[4], 'cpu_stolen_s': numbers[7]}


def background(seconds=1.0):
    """Share of the processors that other programs use now; ask while nothing of ours runs."""
    before = processes.others()
    time.sleep(seconds)
    return min(processes.grown(before, processes.others()) / (seconds * os.cpu_count()), 1.0)


def _output(*command):
    try:
        return subprocess.run(command, text=True, capture_output=True,
                              check=False).stdout.strip()
    except OSError:
        return ''


def environment(programs, directory):
    """Versions, machine and filesystem, so that figures can be judged later."""
    cpu = re.search(r'^model name\s*: (.*)$', pathlib.Path('/proc/cpuinfo').read_text(), re.M)
    meminfo = pathlib.Path('/proc/meminfo').read_text()
    memory = re.search(r'^MemTotal:\s*(\d+)', meminfo, re.M)
    device = volume.block_device(directory)
    return {
        'kernel': platform.release(), 'machine': platform.machine(),
        'processor': cpu[1] if cpu else '', 'processors': os.cpu_count(),
        'memory_mb': int(memory[1]) // 1024,
        'huge_pages': dict(re.findall(r'^(HugePages_\w+|Hugepagesize):\s*(\d+)', meminfo, re.M)),
        'filesystem': _output('findmnt', '-no', 'FSTYPE,SOURCE,OPTIONS', '-T', str(directory)),
        'xfs_info': _output('xfs_info', str(directory)),
        'device': device.name if device else None,
        'device_queue': _queue(device),
        'postgres': _output(str(programs / 'postgres'), '--version'),
        'pgbench': _output(str(programs / 'pgbench'), '--version'),
        'gnuplot': _output('gnuplot', '--version'), 'python': platform.python_version(),
        'source': _output('git', '-C', str(volume.TOOL.parent), 'describe', '--always', '--dirty')}


def _queue(device):
    """Settings of the device's request queue; a partition has its disk's."""
    if device is None:
        return {}
    queue = device / 'queue' if (device / 'queue').is_dir() else device.parent / 'queue'
    result = {}
    for name in ('logical_block_size', 'physical_block_size', 'write_cache', 'rotational',
                 'scheduler', 'nr_requests', 'atomic_write_unit_max_bytes'):
        if (queue / name).is_file():
            result[name] = (queue / name).read_text().strip()
    return result
