"""A whole comparison: place, initial data, rounds of arms, reports."""

import contextlib
import csv
import json
import os
import pathlib
import shutil
import signal
import sys
import time

from . import figures, load, measure, options, pictures, report, sampler, server, volume
from .profiles import ProfileError
from .progress import Progress

ERRORS = (options.PlanError, ProfileError, volume.VolumeError, server.ServerError,
          load.LoadError, measure.CheckError, pictures.PictureError)


class Interrupted(BaseException):
    """A signal asked to end; a BaseException so that nothing takes it for an error."""


def main(argv):
    """Entry of contrib-bench/bench; returns the exit status."""
    for name in [name for name in os.environ if name.startswith('PG') and name != 'PG_CONFIG']:
        del os.environ[name]
    try:
        plan, arguments = options.parse(argv)
        if arguments.dry_run:
            print(options.describe(plan))
            return 0
        options.check_machine(plan)
    except (options.PlanError, ProfileError, OSError) as error:
        print(f'bench: {error}', file=sys.stderr)
        return 2
    return _guarded(Comparison(plan))


def _guarded(comparison):
    """Run a comparison; whatever happens, clean up and say how to go on."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        comparison.run()
        return 0
    except ERRORS as error:
        comparison.progress.note(f'bench: {error}')
        status = 1
    except Interrupted as signalled:
        comparison.progress.note(f'bench: interrupted by {signalled}')
        status = 130
    finally:
        comparison.hand_over()
    comparison.progress.note(f'bench: continue with --resume {comparison.results}')
    return status


def _interrupt(number, _frame):
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)    # nothing may disturb the cleaning up
    raise Interrupted(signal.Signals(number).name)


class Comparison:
    """State of one comparison: the plan, the result directory, what is running."""

    def __init__(self, plan):
        self.plan = plan
        self.programs = options.bindir(plan)[0]
        self.results = pathlib.Path(plan.results)
        self.progress = Progress(plan.total_seconds())
        self.place = self.sockets = None
        self.rate = plan.sample_rate

    # ---- the order of things ----

    def run(self):
        self._open_results()
        print(options.describe(self.plan) + '\n')
        missing = [(number, arm) for number in range(1, self.plan.rounds + 1)
                   for arm in self.plan.order(number) if not self._record(number, arm).exists()]
        if missing:
            with contextlib.ExitStack() as stack:
                self._open_place(stack)
                self._make_template()
                for position, (number, arm) in enumerate(missing):
                    self._one(number, arm, position, len(missing))
        self.progress.end()
        self._report()

    def _open_results(self):
        self.results.mkdir(parents=True, exist_ok=True)
        if not (self.results / 'plan.json').exists():
            self.plan.save(self.results / 'plan.json')
            (self.results / 'command.txt').write_text(self.plan.command() + '\n')
            if self.plan.script:
                shutil.copy(self.plan.script, self.results / 'script.sql')

    def _open_place(self, stack):
        self.progress.stage('', 0)
        self.progress.say('making a place for the data')
        self.place = volume.make(self.plan, server.owner())
        stack.callback(self.place.close)
        self.sockets = server.Sockets()
        stack.callback(self.sockets.close)
        self.device = volume.block_device(self.place.path)
        environment = measure.environment(self.programs, self.place.path)
        (self.results / 'environment.json').write_text(json.dumps(environment, indent=2) + '\n')

    def hand_over(self):
        """Give the results to the user behind sudo."""
        if os.getuid() == 0 and 'SUDO_UID' in os.environ and self.results.exists():
            uid, gid = int(os.environ['SUDO_UID']), int(os.environ['SUDO_GID'])
            for base, directories, files in os.walk(self.results):
                for name in ['.', *directories, *files]:
                    os.chown(os.path.join(base, name), uid, gid, follow_symlinks=False)

    # ---- initial data ----

    def _make_template(self):
        """Make the initial data once; every run starts from a copy of these files."""
        self.progress.say('making the initial data')
        template = self.place.path / 'template'
        server.initdb(self.programs, template, self.plan.initdb_options.split())
        settings = self._settings({'fsync': 'off', 'autovacuum': 'off', 'full_page_writes': 'off'})
        with self._server(template, settings, self.results / 'load.log') as running:
            load.initialise(running, self.plan.scale)
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
    def _server(self, data, settings, log):
        running = server.Server(self.programs, data, self.sockets, settings, log)
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
        directory = self._directory(number, arm)
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        prepare, each = self.plan.estimates()
        self.progress.total = prepare + each * count
        self.progress.stage(f'round {number}/{self.plan.rounds} · {arm.name} · ',
                            prepare + each * position)
        self.progress.say('restoring the data')
        data = self.place.path / 'data'
        volume.restore(self.place.path / 'template', data)
        background = measure.background()
        with self._server(data, self._settings(arm.settings), directory / 'server.log') as running:
            try:
                record = self._measured(running, number, arm, directory)
            finally:
                self.place.unlimit()
        record['machine']['background_cpu'] = background
        _write_json(self._record(number, arm), record)
        result = record['figures']
        self.progress.note(f'round {number}/{self.plan.rounds} · {arm.name:<12} '
                           f'{result["tps"]:8.0f} TPS, slowest second {result["second_min"]:.0f}, '
                           f'{result["wal_per_transaction"]:.0f} B of WAL per transaction')

    def _measured(self, running, number, arm, directory):
        """Warm up, measure, and make the record of a run."""
        plan, seed = self.plan, self.plan.seed + number
        checks = measure.check_arm(running, arm)
        _save_settings(running, directory)
        self.progress.say('reading the data into memory')
        load.prewarm(running)
        running.run('CHECKPOINT;')
        self.progress.say(f'warm-up, {plan.warmup} s')
        tps = load.warm_up(running, plan, seed + 1000)
        self.rate = self.rate or load.sample_rate(plan, tps)
        measure.wait_quiet(running)
        self.place.limit(plan.disk())
        before, machine = measure.snapshot(running, self.device), measure.busy()
        library = measure.library_stats(running) if arm.library else None
        launched = time.time()
        with sampler.Sampler(self.device) as sampled:
            text, progress_tps = load.measure(running, plan, seed, directory, self.rate,
                                              self._show)
            measure.wait_quiet(running)
        counters = measure.difference(before, measure.snapshot(running, self.device))
        machine = measure.difference(machine, measure.busy())
        drained = None if plan.no_drain else self._drain(running, before)
        if arm.library:
            library = measure.library_work(library, measure.library_stats(running),
                                           drained or counters)
            measure.check_arm(running, arm)
        found = figures.per_second(plan, directory, self.rate, progress_tps, sampled.samples,
                                   launched)
        latencies, rows, tps, start = found
        _write_csv(directory / 'seconds.csv', rows)
        measure.compress(directory)
        log = (directory / 'server.log').read_text(errors='replace').splitlines()
        points = measure.within(measure.checkpoints(log), start, start + plan.duration)
        summary = load.summary(text)
        return {'round': number, 'arm': arm.name, 'seed': seed, 'start': start,
                'sample_rate': self.rate, 'checks': checks, 'counters': counters,
                'drained': drained, 'library': library, 'machine': machine,
                'checkpoints': points, 'tps_per_second': tps,
                'figures': figures.of_run(plan, summary, latencies, tps, counters, points,
                                          drained, library)}

    def _show(self, second, tps, _ms):
        self.progress.say(f'{second:.0f}/{self.plan.duration} s · {tps:.0f} TPS',
                          self.plan.estimates()[1] - self.plan.duration + second)

    def _drain(self, running, before):
        """Write out what is still in memory: it is the run's work too.  Counters since before."""
        self.progress.say('waiting until all is on disk')
        started = time.monotonic()
        measure.checkpoint(running)
        volume.sync(self.place.path)
        seconds = time.monotonic() - started
        counters = measure.difference(before, measure.snapshot(running, self.device))
        return {'seconds': seconds, **counters}

    # ---- afterwards ----

    def _report(self):
        records = [json.loads(self._record(number, arm).read_text())
                   for number in range(1, self.plan.rounds + 1) for arm in self.plan.arm_list()]
        picture = pictures.tps_over_time(self.plan, records, self.results)
        environment = json.loads((self.results / 'environment.json').read_text())
        print(report.write(self.plan, records, environment, self.results))
        print(f'\npicture  {picture}\n         {picture.with_suffix(".png")}\n'
              f'results  {self.results}')


def _save_settings(running, directory):
    rows = running.rows("SELECT name, setting, unit, source FROM pg_settings "
                        "WHERE source <> 'default' ORDER BY name")
    _write_csv(directory / 'settings.csv', rows)


def _write_csv(path, rows):
    with path.open('w', newline='') as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _write_json(path, value):
    """Write so that the file is whole or not there: --resume takes it as done."""
    new = path.with_suffix('.new')
    new.write_text(json.dumps(value, indent=1) + '\n')
    new.replace(path)
