"""Libraries built only for a benchmark: an arm with a line "build" runs the server with one.

The server then runs in a mount namespace in which the special library lies over the installed
one, so that neither the installation nor anything else on the machine changes.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from . import profiles

SOURCE = profiles.HOME.parent


class LibraryError(Exception):
    """A library for a benchmark could not be built."""


def build_all(plan, stack):
    """{flags: library} for all arms of a plan that want one; removed with the stack."""
    result = {}
    for arm in plan.arm_list():
        if arm.build and arm.build not in result:
            if os.getuid() != 0:
                raise LibraryError(f'arm {arm.name} needs root: use sudo')
            work = pathlib.Path(tempfile.mkdtemp(prefix='sabench-build-'))
            stack.callback(shutil.rmtree, work, ignore_errors=True)
            result[arm.build] = _build(plan, arm, work)
    return result


def known(flags, source=SOURCE):
    """Whether the sources know every macro that flags define; else they would do nothing."""
    text = ''.join(path.read_text() for path in (source / 'smgr_atomic').glob('*.[ch]'))
    return all(re.search(rf'\b{name}\b', text) for name in re.findall(r'-D(\w+)', flags))


def _build(plan, arm, work):
    """Build a copy of the sources; returns the path of the library."""
    if not known(arm.build):
        raise LibraryError(f'arm {arm.name}: the sources of smgr_atomic know nothing of '
                           f'"{arm.build}"')
    work.chmod(0o755)
    for name in ('Makefile', 'smgr_atomic', 'sql', 'smgr_atomic.control'):
        path = SOURCE / name
        if path.is_dir():
            shutil.copytree(path, work / name, ignore=shutil.ignore_patterns('*.o', '*.so', '*.bc'))
        else:
            shutil.copy(path, work)
    done = subprocess.run(['make', '-s', '-C', str(work), f'PG_CONFIG={plan.pg_config}',
                           f'COPT={arm.build}', 'with_llvm=no', 'smgr_atomic.so'], text=True,
                          capture_output=True, start_new_session=True)
    if done.returncode != 0:
        raise LibraryError(f'arm {arm.name}: make: {done.stderr.strip()}')
    library = work / 'smgr_atomic.so'
    library.chmod(0o755)
    return library
