"""What bench does from its command line to its exit status."""

import os
import pathlib
import subprocess
import sys

from . import (fio, identity, interrupt, library, load, measure, options, pagerate, pageserver, pagewrites, pictures,
               readme, server, slices, standby, suite, volume)
from .comparison import Comparison
from .profiles import ProfileError

KINDS = {'slices': slices.Slices, 'pagerate': pagewrites.PageRate, 'accept': pagewrites.Accept}

ERRORS = (options.PlanError, ProfileError, volume.VolumeError, server.ServerError,
          load.LoadError, measure.CheckError, pictures.PictureError, standby.StandbyError,
          fio.FioError, library.LibraryError, pageserver.BuildError, pagerate.PageRateError,
          subprocess.SubprocessError, OSError)


def main(argv):
    """Entry of contrib-bench/bench; returns the exit status."""
    server.forget_environment()
    try:
        return _dispatch(argv)
    except (options.PlanError, ProfileError, OSError) as error:
        print(f'bench: {error}', file=sys.stderr)
        return 2


def _dispatch(argv):
    """One comparison, a suite of them, or only a part of a README."""
    name, results, only, words = suite.asked(argv)
    if name:
        return _suite(suite.Suite.from_file(name, results, words, only), '--dry-run' in words)
    plan, arguments = options.parse(argv)
    if arguments.readme:
        readme.write(arguments.readme, arguments.readme_file, arguments.readme_parts)
        return 0
    if arguments.resume and (pathlib.Path(arguments.resume) / 'suite.json').exists():
        return _suite(suite.Suite.from_results(arguments.resume), False)
    if arguments.dry_run:
        print(options.describe(plan))
        return 0
    if arguments.only:
        raise options.PlanError('--only goes with --full, --quick or --suite')
    options.check_machine(plan)
    identity.settle(plan, pathlib.Path(plan.results), suite.complete(plan))
    comparison = _comparison(plan)
    return _guarded(comparison.run, comparison.results)


def _comparison(plan, label=''):
    return KINDS.get(plan.driver, Comparison)(plan, label)


def _suite(todo, dry_run):
    print(todo.describe())
    if dry_run:
        return 0
    for plan in todo.plans.values():
        options.check_machine(plan)
    todo.save()
    return _guarded(lambda: todo.run(_comparison), todo.results)


def _guarded(work, results):
    """Do work; whatever happens, clean up and say how to go on."""
    interrupt.catch()
    try:
        status = work() or 0
    except ERRORS as error:
        print(f'\nbench: {error}', file=sys.stderr)
        status = 1
    except interrupt.Interrupted as signalled:
        print(f'\nbench: interrupted by {signalled.name}', file=sys.stderr)
        status = 130
    finally:
        _hand_over(results)
    if status:
        print(f'bench: continue with --resume {results}', file=sys.stderr)
    return status


def _hand_over(results):
    """Give the results to the user behind sudo."""
    if os.getuid() == 0 and 'SUDO_UID' in os.environ and results.exists():
        uid, gid = int(os.environ['SUDO_UID']), int(os.environ['SUDO_GID'])
        for base, _, files in os.walk(results):
            for name in ['.', *files]:
                os.chown(os.path.join(base, name), uid, gid, follow_symlinks=False)
