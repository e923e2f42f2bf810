"""One arm in one round, from its fresh files to its record."""

import csv
import json
import pathlib
import shutil
import time

from . import extents, figures, fio, load, measure, processes, recovery, sampler, standby, task, volume, wal


class Run:
    """State of one run; owner is the Comparison it belongs to."""

    def __init__(self, owner, number, arm, directory):
        self.plan, self.place, self.device = owner.plan, owner.place, owner.device
        self.programs, self.progress = owner.programs, owner.progress
        self.number, self.arm, self.directory = number, arm, directory
        self.seed = owner.plan.seed + number
        self.load = load.of(owner.plan)
        self.data = owner.place.path / 'data'
        self.server = owner.server

    # ---- from files to record ----

    def record(self):
        """Do it all; returns the record."""
        began = time.monotonic()
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        self.progress.say('restoring the data')
        self.place.restore(self.data)
        background = measure.background()
        before = extents.look(self.data)
        with self.server(self.data, self.arm.settings, self.directory / 'server.log') as running, \
                standby.following(self, running) as follower:
            try:
                record = self._task(running) if self.plan.task else self._load(running, follower)
                self.place.unlimit()
                record['extents'] = {'before': before, 'after': extents.look(self.data)}
                record['recovery'] = self._crash(running)
            finally:
                self.place.unlimit()
        record['figures'].update(self._fio_beside(record['figures']))
        record['machine']['background_cpu'] = background
        record['elapsed_s'] = time.monotonic() - began
        record['figures'].update(figures.extents(record['extents']))
        record['figures'].update(figures.recovery(record['recovery']))
        return record

    def _begin(self, running):
        """Checks, settings, data in memory, a checkpoint: the common start."""
        checks = measure.check_arm(running, self.arm)
        save_settings(running, self.directory)
        self.progress.say('reading the data into memory')
        load.prewarm(running)
        running.run('CHECKPOINT;')
        return checks

    # ---- loads that run for some seconds ----

    def _load(self, running, follower):
        plan = self.plan
        checks = self._begin(running)
        self.place.limit(plan.disk())       # the warm-up too: what it leaves to be logged whole is the disk's doing
        self.progress.say(f'warm-up, {plan.warmup} s')
        tps = self.load.warm_up(running, plan.warmup, self.seed + 1000)['tps']
        measure.wait_quiet(running)
        before, machine, others = self._now(running), measure.busy(), processes.others()
        library = measure.library_stats(running) if self.arm.library else None
        file = next(iter(extents.largest(self.data, 1)), None)
        with sampler.Sampler(self.device, file) as sampled, follower.sampling():
            read = self.load.measure(running, self.seed, self.directory, tps, self._show)
            measure.wait_quiet(running)
        after = self._now(running)
        counters = measure.difference(before, after)
        machine = measure.difference(machine, measure.busy())
        machine['others_cpu_s'] = processes.grown(others, processes.others())
        replica = follower.catch_up()
        found = self._look_at_wal(running, self.data / 'pg_wal', before['wal_lsn'], after['wal_lsn'])
        drained = None if plan.no_drain else self._drain(running, before)
        outcome = read(sampled.samples)
        _write_csv(self.directory / 'seconds.csv', outcome.rows)
        points = measure.within(self._checkpoints(), outcome.start, outcome.start + plan.duration)
        library = self._library(running, library, drained or counters)
        result = figures.of_run(plan, outcome.summary, outcome.latency, outcome.tps, counters,
                                points, drained, library)
        result.update(figures.processor(counters, machine, outcome.summary['transactions']))
        result.update(figures.archive(result, found))
        result.update(figures.replica(replica))
        return self._record(checks, outcome.start, counters, drained, library, machine, found,
                            result, checkpoints=points, tps_per_second=outcome.tps,
                            histogram=outcome.histogram, replica=replica,
                            extents_over_time=[[second - figures.LEAD, count] for second, count in sampled.extents
                                               if second >= figures.LEAD])

    def _show(self, second, tps, _ms):
        whole = figures.LEAD + self.plan.duration
        self.progress.say(f'{second:.0f}/{whole} s · {tps:.0f} TPS', self.plan.estimates()[1] - whole + second)

    def _now(self, running):
        """Counters of server and device, and the processor time of the server."""
        return {**measure.snapshot(running, self.device),
                'server_cpu_s': processes.cpu_seconds(running.process.pid)}

    def _drain(self, running, before):
        """Write out what is still in memory: it is the run's work too.  Counters since before."""
        self.progress.say('waiting until all is on disk')
        started = time.monotonic()
        measure.checkpoint(running)
        volume.sync(self.place.path)
        seconds = time.monotonic() - started
        return {'seconds': seconds, **measure.difference(before, self._now(running))}

    # ---- statements that are timed ----

    def _task(self, running):
        plan = self.plan
        checks = self._begin(running)
        self.place.limit(plan.disk())
        machine, others, start = measure.busy(), processes.others(), time.time()
        kept, repeats = (self.data / 'pg_wal').resolve().parent / 'wal-kept', []
        shutil.rmtree(kept, ignore_errors=True)
        for count in range(plan.repeat):
            self.progress.say(f'{plan.task}, {count + 1} of {plan.repeat}')
            repeats.append(task.once(running, plan, self.device, self.place, self.arm.library,
                                     kept if count == plan.repeat - 1 else None))
        self.place.unlimit()
        machine = measure.difference(machine, measure.busy())
        machine['others_cpu_s'] = processes.grown(others, processes.others())
        drained = task.total(repeats, 'drained')
        drained['seconds'] = sum(one['durable_seconds'] - one['seconds'] for one in repeats)
        measure.check_arm(running, self.arm)
        library = task.total(repeats, 'library') if self.arm.library else None
        summary = task.summary(repeats, plan.times_checkpoint())
        found = self._look_at_wal(running, kept, repeats[-1]['wal_from'], repeats[-1]['wal_to'])
        shutil.rmtree(kept)
        result = figures.of_run(plan, summary, {}, [], drained, [], drained, library)
        result.update(figures.archive(result, found))
        return self._record(checks, start, drained, drained, library, machine, found, result,
                            checkpoints=[], tps_per_second=[], histogram={}, repeats=repeats)

    def _fio_beside(self, result):
        """What the disk does by itself on the largest file, and how near the statement came to that."""
        plan, found = self.plan, {}
        if plan.task and plan.file_fio_seconds:
            self.progress.say('fio on the same file')
            found = fio.beside(extents.largest(self.data, 1)[0], self.place, plan.disk(), plan.file_fio_seconds)
            for kind, name in (('direct', 'task_fio_share'), ('atomic', 'task_atomic_share')):
                rate = found[f'file_fio_{kind}']
                pages = result.get('task_pages_per_s')
                found[name] = pages / rate if pages and rate else None
        return found

    # ---- afterwards ----

    def _checkpoints(self):
        log = (self.directory / 'server.log').read_text(errors='replace')
        return measure.checkpoints(log.splitlines())

    def _library(self, running, before, counters):
        """What smgr_atomic counted; the server must still be what the arm says."""
        measure.check_arm(running, self.arm)
        if not self.arm.library:
            return None
        return measure.library_work(before, measure.library_stats(running), counters)

    def _look_at_wal(self, running, directory, start, end):
        self.progress.say('looking at the WAL')
        size = int(running.row("SELECT setting FROM pg_settings "
                               "WHERE name = 'wal_segment_size'")['setting'])
        return wal.look(self.programs, directory, start, end, size)

    def _crash(self, running):
        plan = self.plan
        if not plan.crash_seconds:
            return None
        self.progress.say(f'load for {plan.crash_seconds} s, then a crash')
        self.place.unlimit()
        running.run('CHECKPOINT;')
        transactions = self.load.warm_up(running, plan.crash_seconds, self.seed + 2000)['transactions']
        self.progress.say('recovery')
        return recovery.crash_and_recover(running, self.data, self.place, plan.disk(),
                                          self.directory, transactions)

    def _record(self, checks, start, counters, drained, library, machine, found, result, **more):
        return {'round': self.number, 'arm': self.arm.name, 'seed': self.seed, 'start': start,
                'sample_rate': getattr(self.load, 'rate', 1.0), 'checks': checks,
                'counters': counters, 'drained': drained, 'library': library, 'machine': machine,
                'wal': found, 'figures': result, **more}


def save_settings(running, directory):
    rows = running.rows("SELECT name, setting, unit, source FROM pg_settings "
                        "WHERE source <> 'default' ORDER BY name")
    _write_csv(directory / 'settings.csv', rows)


def _write_csv(path, rows):
    with pathlib.Path(path).open('w', newline='') as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_json(path, value):
    """Write so that the file is whole or not there: --resume takes it as done."""
    new = path.with_suffix('.new')
    new.write_text(json.dumps(value, indent=1) + '\n')
    new.replace(path)
