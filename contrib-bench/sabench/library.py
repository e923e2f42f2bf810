"""A build of smgr_atomic for benchmarks only, for arms with a line "library_file".

contrib-bench/unsafe-library installs it beside the real one; bench does so each time, lest an
old one is measured, and removes it again unless it was there before.  It has no extension of its
own: its functions are declared here.
"""

import os
import re
import subprocess

from . import interrupt, profiles

SOURCE = profiles.HOME.parent
TOOL = profiles.HOME / 'unsafe-library'


class LibraryError(Exception):
    """The library for a benchmark could not be installed."""


def install(plan, libraries, stack):
    """Install what the arms of a plan need; removed with the stack if it was not there."""
    files = {arm.library_file for arm in plan.arm_list() if arm.library_file}
    if files:
        if not all((libraries / f'{file}.so').exists() for file in files):
            stack.callback(_tool, plan, 'remove')
        _tool(plan, 'install')


def _tool(plan, what):
    with interrupt.held():
        done = subprocess.run([str(TOOL), what], text=True, capture_output=True,
                              env={**os.environ, 'PG_CONFIG': plan.pg_config}, start_new_session=True)
    if done.returncode != 0:
        raise LibraryError(f'unsafe-library {what}: {done.stderr.strip()}')


def declare(server, arm):
    """Make the library's functions and views known in the database, once."""
    if not arm.library_file:
        server.run(f'CREATE EXTENSION IF NOT EXISTS {arm.library};')
    elif server.run("SELECT to_regclass('smgr_atomic_status') IS NULL") == 't\n':
        server.run(statements(arm.library_file))


def statements(file):
    """The extension's script for a library of another name."""
    control = (SOURCE / 'smgr_atomic.control').read_text()
    version = re.search(r"default_version = '(.+)'", control)[1]
    text = (SOURCE / 'sql' / f'smgr_atomic--{version}.sql').read_text()
    return re.sub(r'^\\.*$', '', text, flags=re.MULTILINE).replace('MODULE_PATHNAME', file)
