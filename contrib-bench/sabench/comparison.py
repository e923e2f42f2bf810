"""One comparison: place, initial data, rounds of arms, reports."""

import contextlib
import json
import pathlib
import shutil
import signal

from . import (claims, fio, hugepages, library, load, measure, onerun, options, page, pictures, report, server, task,
               volume)
from .progress import Progress

WAL_FILE_MB = 16


class Comparison:
    """State of one comparison: the plan, the result directory, what is running."""

    def __init__(self, plan, label=''):
        self.plan, self.label = plan, label
        self.programs = options.bindir(plan)[0]
        self.results = pathlib.Path(plan.results)
        self.progress = Progress(plan.total_seconds())
        self.place = self.sockets = None
        self.huge_pages = hugepages.HugePages()
        self.took = []          # seconds of the runs so far

    # ---- the order of things ----

    def run(self):
        self._open_results()
        print(options.describe(self.plan) + '\n')
        missing = self._missing()
        if missing:
            with contextlib.ExitStack() as stack:
                self._open_place(stack)
                self._baselines()
                self._forget(missing)
                self._measure(missing, stack)
        self.progress.end()
        self._report()

    def _missing(self):
        """(round, arm) of what is to be run, in its order: whole rounds, for arms are compared within a round."""
        rounds = [number for number in range(1, self.plan.rounds + 1)
                  if not all(self._record(number, arm).exists() for arm in self.plan.arm_list())]
        return [(number, arm) for number in rounds for arm in self.plan.order(number)]

    def _forget(self, missing):
        """Half a round that is there goes, or another interruption would mix it with what is made now."""
        for number, arm in missing:
            self._record(number, arm).unlink(missing_ok=True)

    def _open_results(self):
        if not (self.results / 'command.txt').exists():
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
        stack.callback(self.huge_pages.close)
        self.device = self.place.devices()
        library.install(self.plan, options.bindir(self.plan)[1], stack)
        self._write_environment()

    def _write_environment(self):
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
        if self.plan.huge_pages:
            self._reserve_huge_pages(template)
        settings = {'fsync': 'off', 'autovacuum': 'off', 'full_page_writes': 'off',
                    'maintenance_work_mem': '512MB'}
        with self.server(template, settings, self.results / 'load.log') as running:
            if self.plan.task:
                task.initialise(running, self.plan)
            else:
                load.of(self.plan).initialise(running)
            if running.rows("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_prewarm'"):
                running.run('CREATE EXTENSION pg_prewarm;')
            self._make_wal_files(running)
            running.run('CHECKPOINT;')
            running.stop()
        volume.sync(template)

    def _make_wal_files(self, running):
        """Enough that no arm makes new ones while it is measured.

        A server that ran for a while uses old ones again; to make one is to write 16 MB of zeroes, and it is stock
        that writes so much WAL.  The CHECKPOINT that follows gives the old ones their next names.
        """
        have = int(running.run('SELECT count(*) FROM pg_ls_waldir()'))
        wanted = self.plan.wal_files_mb() // WAL_FILE_MB
        running.run("SELECT pg_logical_emit_message(false, 'bench', 'a file of WAL');\n"
                    'SELECT pg_switch_wal();\n' * max(0, wanted - have))

    def _reserve_huge_pages(self, data):
        """For all rounds at once: an arm that needs more must not be the first to find memory in pieces."""
        log = self.results / 'load.log'
        self.huge_pages.reserve(hugepages.needed(self.plan, [
            server.Server(self.programs, data, self.sockets, self._settings(arm.settings), log).huge_pages()
            for arm in self.plan.arm_list()]))
        self._write_environment()

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
            'logging_collector': 'off', 'lc_messages': 'C',
            'huge_pages': 'on' if plan.huge_pages else 'off'}       # "try" may differ between arms
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

    def _measure(self, missing, _stack):
        """Make the records of (round, arm) pairs."""
        self._make_template()
        for position, (number, arm) in enumerate(missing):
            self._one(number, arm, position, len(missing))

    def _record(self, number, arm):
        return self._directory(number, arm) / 'run.json'

    def _directory(self, number, arm):
        return self.results / 'runs' / f'round-{number}-{arm.name}'

    def _one(self, number, arm, position, count):
        """One arm in one round, from restoring the files to its record."""
        prepare, each = self.plan.estimates()
        each = sum(self.took) / len(self.took) if self.took else each
        self.progress.total = prepare + each * count
        self.progress.stage(f'{self.label}round {number}/{self.plan.rounds} · {arm.name} · ',
                            prepare + each * position)
        record = onerun.Run(self, number, arm, self._directory(number, arm)).record()
        onerun.write_json(self._record(number, arm), record)
        self.took.append(record['elapsed_s'])
        self.progress.note(f'{self.label}round {number}/{self.plan.rounds} · {arm.name:<12} '
                           + report.one_line(record['figures']) + (', NOISY' if report.disturbed(record) else ''))

    def _keep(self, number, arm, figures, machine, **more):
        """Write the record of a run that is not a load of its own."""
        path = self._record(number, arm)
        path.parent.mkdir(parents=True, exist_ok=True)
        onerun.write_json(path, {
            'round': number, 'arm': arm.name, 'tps_per_second': [], 'checkpoints': [], 'histogram': {},
            'wal': None, 'machine': machine, 'figures': figures, **more})
        self.progress.note(f'{self.label}round {number}/{self.plan.rounds} · {arm.name:<12} '
                           + report.one_line(figures)
                           + (', NOISY' if report.disturbed({'machine': machine}) else ''))

    # ---- afterwards ----

    def _report(self):
        result = page.load(self.results)
        picture = pictures.tps_over_time(result.plan, result.records, self.results)
        shown = report.write(result.plan, result.records, result.environment, self.results)
        print('\n'.join([shown, *claims.target_lines([result])]))
        page.write([result], self.results / 'report.html', self.plan.load_title())
        print(f'\nreport   {self.results / "report.html"}')
        if picture:
            print(f'picture  {picture}\n         {picture.with_suffix(".png")}')
        print(f'results  {self.results}')
