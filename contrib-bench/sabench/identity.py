"""What the figures of a comparison depend on beside its plan: --resume must find the same.

identity.json in its directory: settings of the arms, limits of the disk, the kernel, the server's version, and SHA-256 of
the files of statements, of the installed library, of the sources of one that is built for a comparison, and of bench itself.
"""

import dataclasses
import hashlib
import json
import os
import platform
import subprocess

from . import library, options, profiles

FILE = 'identity.json'


def of(plan):
    """{what: value} of a plan on this machine, now."""
    programs, libraries = options.bindir(plan)
    arms = plan.arm_list()
    found = {f'arm {arm.name}': {**arm.settings, 'full_page_writes in force': arm.full_page_writes,
                                 'library file': arm.library_file} for arm in arms}
    found['disk limits'] = [plan.disk().iops, plan.disk().bandwidth]
    if plan.wal_limit:
        found['limits of the volume of WAL'] = [plan.wal_disk().iops, plan.wal_disk().bandwidth]
    found['kernel'], found['number of processors'] = platform.release(), os.cpu_count()
    found['sources of bench'] = _hash(*(path for files in ('sabench/*.py', 'writecost/*.c', 'atomicwrite/*.c')
                                        for path in sorted(profiles.HOME.glob(files))))
    found['server version'] = subprocess.run([str(programs / 'postgres'), '--version'], text=True, capture_output=True,
                                             check=True).stdout.strip()
    for name in ('setup', 'prepare', 'script', 'task'):
        if getattr(plan, name):
            found[f'--{name}'] = _hash(plan.sql(name))
    for name in sorted({arm.library for arm in arms if arm.library}):
        found[f'installed library {name}'] = _hash(libraries / f'{name}.so')
    if any(arm.library_file for arm in arms):
        found['sources of the library for benchmarks'] = _hash(*sorted(library.SOURCE.glob('smgr_atomic/*.[ch]')))
    return found


def _hash(*paths):
    return hashlib.sha256(b''.join(path.read_bytes() for path in paths)).hexdigest()


def differences(saved, now):
    """Names of what is not the same."""
    return [name for name in {**saved, **now} if saved.get(name) != now.get(name)]


def settle(plan, directory, complete, of_plan=of):
    """Make sure that runs may go into a directory: it is new, or holds this plan and was made with the same.

    complete: every run is there, so nothing is mixed.  Raises options.PlanError.
    """
    saved = directory / 'plan.json'
    if (directory / 'suite.json').exists():
        raise options.PlanError(f'--results: "{directory}" holds the results of a suite')
    if not saved.exists():
        directory.mkdir(parents=True, exist_ok=True)
        (directory / FILE).write_text(json.dumps(of_plan(plan), indent=1) + '\n')
        plan.save(saved)
        return
    if dataclasses.replace(options.Plan.load(saved), results=plan.results) != plan:
        raise options.PlanError(f'--results: "{directory}" holds the results of another plan')
    if not complete and (directory / FILE).exists():
        found = differences(json.loads((directory / FILE).read_text()), of_plan(plan))
        if found:
            raise options.PlanError(f'"{directory}" was begun with another: {", ".join(found)}; '
                                    'begin anew in another directory')
