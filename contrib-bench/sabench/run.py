"""A whole comparison: place, initial data, rounds of arms, reports."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

from . import (fio, library, load, measure, onerun, options, page, pictures, readme, report, server,
               standby, suite, task, volume)
from .profiles import ProfileError
from .progress import Progress

ERRORS = (options.PlanError, ProfileError, volume.VolumeError, server.ServerError,
          load.LoadError, measure.CheckError, pictures.PictureError, standby.StandbyError,
          fio.FioError, library.LibraryError, subprocess.SubprocessError)


class Interrupted(BaseException):
    """A signal asked to end; a BaseException so that nothing takes it for an error."""


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
        readme.write(arguments.readme, arguments.readme_file)
        return 0
    if arguments.resume and (pathlib.Path(arguments.resume) / 'suite.json').exists():
        return _suite(suite.Suite.from_results(arguments.resume), False)
    if arguments.dry_run:
        print(options.describe(plan))
        return 0
    if arguments.only:
        raise options.PlanError('--only goes with --full, --quick or --suite')
    options.check_machine(plan)
    comparison = Comparison(plan)
    return _guarded(comparison.run, comparison.results)


def _suite(todo, dry_run):
    print(todo.describe())
    if dry_run:
        return 0
    for plan in todo.plans.values():
        options.check_machine(plan)
    todo.save()
    return _guarded(lambda: todo.run(Comparison, (*ERRORS, ProfileError, OSError)), todo.results)


def _guarded(work, results):
    """Do work; whatever happens, clean up and say how to go on."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        status = work() or 0
    except ERRORS as error:
        print(f'\nbench: {error}', file=sys.stderr)
        status = 1
    except Interrupted as signalled:
        print(f'\nbench: interrupted by {signalled}', file=sys.stderr)
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


def _interrupt(number, _frame):
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)    # nothing may disturb the cleaning up
    raise Interrupted(signal.Signals(number).name)


class Comparison:
    """State of one comparison: the plan, the result directory, what is running."""

    def __init__(self, plan, label=''):
        self.plan, self.label = plan, label
        self.programs = options.bindir(plan)[0]
        self.results = pathlib.Path(plan.results)
        self.progress = Progress(plan.total_seconds())
        self.place = self.sockets = None

    # ---- the order of things ----

    def run(self):
        self._open_results()
        print(options.describe(self.plan) + '\n')
        missing = [(number, arm) for number in range(1, self.plan.rounds + 1)
                   for arm in self.plan.order(number) if not self._record(number, arm).exists()]
        if missing:
            with contextlib.ExitStack() as stack:
                self._open_place(stack)
                self._baselines()
                self._make_template()
                for position, (number, arm) in enumerate(missing):
                    self._one(number, arm, position, len(missing))
        self.progress.end()
        self._report()

    def _open_results(self):
        self.results.mkdir(parents=True, exist_ok=True)
        if not (self.results / 'command.txt').exists():
            self.plan.save(self.results / 'plan.json')
            (self.results / 'command.txt').write_text(self.plan.command() + '\n')
            for name in ('setup', 'prepare', 'script', 'task'):
                if getattr(self.plan, name):
                    shutil.copy(self.plan.sql(name), self.results / f'{name}.sql')

    def _open_place(self, stack):
        self.progress.stage('', 0)
        self.progress.say('making a place for the data')
        self.place = volume.make(self.plan, server.owner())
        stack.callback(self.place.close)
        self.sockets = server.Sockets()
        stack.callback(self.sockets.close)
        self.device = self.place.devices()
        library.install(self.plan, options.bindir(self.plan)[1], stack)
        environment = measure.environment(self.programs, self.place.path)
        (self.results / 'environment.json').write_text(json.dumps(environment, indent=2) + '\n')

    def _baselines(self):
        """What the disk can do by itself, once."""
        target = self.results / 'fio.json'
        if self.plan.fio_seconds and not target.exists():
            found = fio.measure(self.place, self.plan.disk(), self.plan.fio_seconds,
                                self.progress.say)
            onerun.write_json(target, found)

    # ---- initial data ----

    def _make_template(self):
        """Make the initial data once; every run starts from a copy of these files."""
        self.progress.say('making the initial data')
        template = self.place.template
        server.initdb(self.programs, template, self.plan.initdb_options.split())
        settings = {'fsync': 'off', 'autovacuum': 'off', 'full_page_writes': 'off',
                    'maintenance_work_mem': '512MB'}
        with self.server(template, settings, self.results / 'load.log') as running:
            if self.plan.task:
                task.initialise(running, self.plan)
            else:
                load.of(self.plan).initialise(running)
            if running.rows("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_prewarm'"):
                running.run('CREATE EXTENSION pg_prewarm;')
            running.run('CHECKPOINT;')
            running.stop()
        volume.sync(template)

    def _settings(self, more):
        """Settings of all arms, overridden by the plan's, overridden by more.

        min_wal_size keeps WAL files for reuse, as a server has them that ran for a while.
        """
        plan = self.plan
        settings = {
            'max_connections': plan.clients + 20, 'shared_buffers': plan.shared_buffers,
            'checkpoint_timeout': plan.checkpoint_timeout, 'max_wal_size': plan.max_wal_size,
            'min_wal_size': plan.max_wal_size, 'fsync': 'on', 'log_checkpoints': 'on',
            'log_line_prefix': measure.LOG_LINE_PREFIX, 'log_destination': 'stderr',
            'logging_collector': 'off', 'lc_messages': 'C'}
        settings.update(item.split('=', 1) for item in plan.set)
        settings.update(more)
        return settings

    @contextlib.contextmanager
    def server(self, data, settings, log, sockets=None):
        """A running server with the settings of all and these, for a time."""
        running = server.Server(self.programs, data, sockets or self.sockets,
                                self._settings(settings), log)
        try:
            running.start()
            yield running
        finally:
            running.stop(signal.SIGQUIT)

    # ---- one run ----

    def _record(self, number, arm):
        return self._directory(number, arm) / 'run.json'

    def _directory(self, number, arm):
        return self.results / 'runs' / f'round-{number}-{arm.name}'

    def _one(self, number, arm, position, count):
        """One arm in one round, from restoring the files to its record."""
        prepare, each = self.plan.estimates()
        self.progress.total = prepare + each * count
        self.progress.stage(f'{self.label}round {number}/{self.plan.rounds} · {arm.name} · ',
                            prepare + each * position)
        record = onerun.Run(self, number, arm, self._directory(number, arm)).record()
        onerun.write_json(self._record(number, arm), record)
        self.progress.note(f'{self.label}round {number}/{self.plan.rounds} · {arm.name:<12} '
                           + report.one_line(record['figures']))

    # ---- afterwards ----

    def _report(self):
        result = page.load(self.results)
        picture = pictures.tps_over_time(result.plan, result.records, self.results)
        print(report.write(result.plan, result.records, result.environment, self.results))
        page.write([result], self.results / 'report.html', self.plan.load_title())
        print(f'\nreport   {self.results / "report.html"}')
        if picture:
            print(f'picture  {picture}\n         {picture.with_suffix(".png")}')
        print(f'results  {self.results}')
