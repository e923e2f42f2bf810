"""Pages per second and processor time per page: the kernel's atomic path against the pool."""

import json
import os
import subprocess

from . import fio, measure, pageserver, processes, volume

DECLARE = '''CREATE FUNCTION writecost_rate(regclass, integer, integer, OUT seconds float8,
  OUT machine_cpu_s float8, OUT prepare_cpu_s float8)
  AS '{module}', 'writecost_rate' LANGUAGE C STRICT;'''


class PageRateError(Exception):
    """A way of writing did not do what it is there for."""


class Kernel:
    """A loop of writes in one process, through io_uring."""

    def __init__(self, key, name, program, file, given, plain):
        self.key, self.name = key, name
        self.command = [str(program), str(file), str(given.depth), f'{given.pages}p',
                        *(['plain'] if plain else [])]

    def turn(self, _number):
        """(pages, seconds, processor seconds of the process, of the machine)"""
        machine = measure.busy()
        done = subprocess.run(self.command, text=True, capture_output=True)
        if done.returncode != 0:
            raise PageRateError(f'{self.name}: {done.stderr.strip()}')
        found = json.loads(done.stdout)
        machine = measure.difference(machine, measure.busy())
        return found['writes'], found['seconds'], found['cpu_s'], machine['cpu_used_s']


class Pool:
    """A server's write-behind pool."""

    def __init__(self, key, name, running, given):
        self.key, self.name, self.running, self.pages = key, name, running, given.pages

    def turn(self, number):
        """(pages, seconds, processor seconds of all the server's processes, of the machine)"""
        written = pageserver.pages_by_library(self.running)
        before = processes.cpu_seconds(self.running.process.pid)
        found = self.running.row(
            f"SELECT * FROM writecost_rate('writecost_pages', {self.pages}, {number})")
        measure.wait_quiet(self.running)    # a session's time is the postmaster's once it is gone
        used = processes.cpu_seconds(self.running.process.pid) - before - found['prepare_cpu_s']
        written = pageserver.pages_by_library(self.running) - written
        if written < self.pages:
            raise PageRateError(f'{self.name}: only {written} of {self.pages} pages went through smgr_atomic')
        return self.pages, found['seconds'], used, found['machine_cpu_s']


def written_file(path, pages, hint):
    """A file that is written throughout, with the copy-on-write hint the library gives its files."""
    path.touch()
    if hint:
        subprocess.run(['xfs_io', '-c', 'extsize 8192', '-c', 'cowextsize 8192', str(path)], check=True,
                       stdout=subprocess.DEVNULL)
    with path.open('r+b') as file:
        for _ in range(pages // 128):
            file.write(os.urandom(1 << 20))
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return path


def pool(key, name, mode, given, programs, place, work, module, stack):
    settings = {'smgr_atomic.mode': mode, 'smgr_atomic.io_depth': given.depth,
                'smgr_atomic.writers': given.writers}
    running = pageserver.start(programs, place.path / mode, work / f'{mode}.log', settings,
                               given.file_pages, stack)
    running.run(DECLARE.format(module=module))
    status = running.row('SELECT mode_in_force, protection FROM smgr_atomic_status')
    if status['mode_in_force'] != mode:
        raise PageRateError(f'{name}: mode in force is {status["mode_in_force"]}')
    return Pool(key, name, running, given), status['protection']


def ways(given, programs, place, work, stack):
    """Everything that takes part, ready to write."""
    xfs = given.fs == 'xfs'
    program, module = fio.build_atomicwrite(work), pageserver.build(programs, work)
    file = written_file(place.path / 'plain', given.file_pages, False)
    found = [Kernel('kernel-plain', f'plain, depth {given.depth}', program, file, given, True)]
    if xfs:
        file = written_file(place.path / 'atomic', given.file_pages, True)
        direct, protection = pool('pool-direct', 'pool, direct', 'direct', given, programs, place, work, module,
                                  stack)
        name = {'software': 'copy-on-write'}.get(protection, protection)
        found += [Kernel('kernel-atomic', f'{name}, depth {given.depth}', program, file, given, False), direct]
    journal, _ = pool('pool-journal', 'pool, journal', 'doublewrite', given, programs, place, work, module, stack)
    return found + [journal]


def warm_up(taking_part, place):
    """A turn of each that nobody counts: files and servers are new."""
    for way in taking_part:
        turn(way, 0, place)


def turn(way, number, place):
    """(pages/s, µs of its processes per page, µs of the machine per page)"""
    volume.sync(place.path)
    pages, seconds, used, machine = way.turn(number)
    return pages / seconds, used * 1e6 / pages, machine * 1e6 / pages
