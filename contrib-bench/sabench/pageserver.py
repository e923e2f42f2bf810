"""A server with one table whose pages the module in writecost/ writes past the buffer manager."""

import shutil
import signal
import subprocess

from . import measure, profiles, server

SOURCE = profiles.HOME / 'writecost'
TABLE = '''CREATE TABLE writecost_pages (number integer, filler text) WITH (fillfactor = 100);
ALTER TABLE writecost_pages ALTER filler SET STORAGE PLAIN;
INSERT INTO writecost_pages SELECT n, repeat('x', 3900) FROM generate_series(1, {pages} * 2) n;
VACUUM (FREEZE, ANALYZE) writecost_pages;
CHECKPOINT;'''


class BuildError(Exception):
    """The module does not compile."""


def build(programs, directory):
    """Compile the module where the server's user can read it; returns its path without .so."""
    for name in ('Makefile', 'writecost.c'):
        shutil.copy(SOURCE / name, directory)
    done = subprocess.run(['make', '-s', '-C', str(directory), 'with_llvm=no',
                           f'PG_CONFIG={programs / "pg_config"}'], text=True, capture_output=True)
    if done.returncode != 0:
        raise BuildError(f'make: {done.stderr}')
    (directory / 'writecost.so').chmod(0o755)
    return directory / 'writecost'


def start(programs, data, log, settings, pages, stack):
    """A new cluster in data with that many pages, its library active; ends with the stack."""
    sockets = server.Sockets()
    stack.callback(sockets.close)
    server.initdb(programs, data, [])
    arm = profiles.arm('smgr_atomic')
    running = server.Server(programs, data, sockets, {
        **arm.settings, 'autovacuum': 'off', 'shared_buffers': '128MB', 'checkpoint_timeout': '1d',
        'huge_pages': 'off', 'max_wal_size': '4GB', 'fsync': 'on', **settings}, log)
    stack.callback(running.stop, signal.SIGQUIT)
    running.start()
    measure.check_arm(running, arm)
    running.run(TABLE.format(pages=pages))
    return running


def pages_by_library(running):
    """Pages that smgr_atomic has written so far, in all processes."""
    return sum(row['pages'] for row in measure.library_stats(running))
