"""What the disk itself can do: 8 KiB random overwrites of one file, before any server runs.

fio measures them; atomic ones too where the fio in PATH has --atomic, else our own small
program does (contrib-bench/atomicwrite), by way of io_uring as well.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass

from . import profiles, volume

FILE_MB = 1024
RWF_ATOMIC_SINCE = (3, 38)


class FioError(Exception):
    """A baseline could not be measured; the message says why."""


@dataclass(frozen=True)
class Job:
    """One baseline."""
    name: str
    title: str
    depth: int
    kind: str               # "buffered", "direct", "atomic"


JOBS = (Job('buffered', 'buffered, into the page cache', 1, 'buffered'),
        *(Job(f'direct-{depth}', f'direct, depth {depth}', depth, 'direct') for depth in (1, 8, 32)),
        *(Job(f'atomic-{depth}', f'direct atomic, depth {depth}', depth, 'atomic')
          for depth in (1, 8, 32)))


def estimate(seconds, disk):
    """Seconds that measure() takes; the buffered job leaves its file to be written at the disk's pace."""
    flush = FILE_MB / disk.bandwidth if disk.bandwidth else 0
    return len(JOBS) * (seconds + 1) + 4 + flush if seconds else 0


def knows_atomic(version):
    """Whether this fio ("fio-3.41") writes with RWF_ATOMIC; --atomic of an older one is O_ATOMIC,
    which no kernel has."""
    found = re.match(r'fio-(\d+)\.(\d+)', version)
    return bool(found) and (int(found[1]), int(found[2])) >= RWF_ATOMIC_SINCE


def _run(*words, **more):
    return subprocess.run([str(word) for word in words], text=True, capture_output=True,
                          start_new_session=True, **more)


def measure(place, disk, seconds, say):
    """All baselines on a place's volume under a disk's limits: list of dictionaries."""
    work = pathlib.Path(tempfile.mkdtemp(prefix='fio-', dir=place.path))
    try:
        target = work / 'pages'
        _prepare(target)
        own = None if knows_atomic(_run('fio', '--version').stdout) else build_atomicwrite(work)
        place.limit(disk)
        result = []
        for job in JOBS:
            say(f'what the disk can do: {job.title}')
            result.append(_one(job, target, seconds, own))
            volume.sync(work)
        return result
    finally:
        place.unlimit()
        shutil.rmtree(work, ignore_errors=True)


def beside(path, place, disk, seconds):
    """Direct and atomic writes, depth 32, on a file of a server that has ended: figures of its run.

    The file is spoilt.  A figure of what this disk refuses is None.
    """
    work = pathlib.Path(tempfile.mkdtemp(prefix='fio-'))
    try:
        own = None if knows_atomic(_run('fio', '--version').stdout) else build_atomicwrite(work)
        size = path.stat().st_size >> 20
        place.limit(disk)
        found = {}
        for kind in ('direct', 'atomic'):
            job = next(job for job in JOBS if job.kind == kind and job.depth == 32)
            found[f'file_fio_{kind}'] = _one(job, path, seconds, own, size).get('iops')
            volume.sync(place.path)
        return found
    finally:
        place.unlimit()
        shutil.rmtree(work, ignore_errors=True)


def _prepare(target):
    """A file that is written throughout, so that only overwrites are measured."""
    block = os.urandom(1 << 20)
    with target.open('wb') as file:
        for _ in range(FILE_MB):
            file.write(block)
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def build_atomicwrite(work):
    """Compile our own program for atomic writes; returns its path."""
    program = work / 'atomicwrite'
    done = _run('cc', '-std=gnu11', '-O2', '-Wall', '-o', program,
                profiles.HOME / 'atomicwrite' / 'atomicwrite.c', '-luring')
    if done.returncode != 0:
        raise FioError(f'atomicwrite does not compile: {done.stderr.strip()}')
    return program


def _one(job, target, seconds, own, size_mb=FILE_MB):
    result = {'name': job.name, 'title': job.title, 'depth': job.depth, 'kind': job.kind}
    try:
        if job.kind == 'atomic' and own:
            result.update(_with_ours(own, target, job, seconds))
        else:
            result.update(_with_fio(target, job, seconds, size_mb))
    except FioError as error:
        if job.kind != 'atomic':
            raise
        result['refused'] = str(error)          # this disk has no atomic writes
    return result


def _with_ours(own, target, job, seconds):
    done = _run(own, target, job.depth, seconds)
    if done.returncode != 0:
        raise FioError(done.stderr.strip())
    found = json.loads(done.stdout)
    return {'tool': 'atomicwrite', 'iops': found['writes'] / found['seconds'],
            'cpu_us': found['cpu_s'] * 1e6 / max(found['writes'], 1)}


def _with_fio(target, job, seconds, size_mb):
    words = ['fio', '--name=pages', f'--filename={target}', '--rw=randwrite', '--bs=8k',
             f'--size={size_mb}M', '--time_based', f'--runtime={seconds}', '--randseed=1',
             '--norandommap', '--output-format=json']
    if job.kind == 'buffered':
        words += ['--ioengine=psync', '--end_fsync=1']
    else:
        words += ['--ioengine=io_uring', '--direct=1', f'--iodepth={job.depth}']
    if job.kind == 'atomic':
        words += ['--atomic=1']
    done = _run(*words)
    if done.returncode != 0:
        raise FioError(f'fio: {done.stderr.strip() or done.stdout.strip()}')
    return parse(done.stdout)


def parse(text):
    """fio's JSON -> writes a second, latency, processor time per write."""
    job = json.loads(text[text.index('{'):])['jobs'][0]
    write, runtime = job['write'], job['job_runtime'] / 1000
    percentiles = write.get('clat_ns', {}).get('percentile', {})
    used = (job['usr_cpu'] + job['sys_cpu']) / 100 * runtime
    return {'tool': 'fio', 'iops': write['iops'],
            'p50_ms': percentiles.get('50.000000', 0) / 1e6,
            'p99_ms': percentiles.get('99.000000', 0) / 1e6,
            'cpu_us': used * 1e6 / max(write['total_ios'], 1)}
