"""Loads that differ by less than a run does from the next: short slices of several servers, in turns.

In each round every arm's server is started on files of its own and all of them stay up; pgbench then
runs for some seconds on one after the other, round and round, in an order that turns about.  A figure
of a slice is compared with that of the slice of the first arm beside it, so what changes more slowly
than a slice cancels out.  What a start of a server leaves behind, such as which memory it got, is in
the spread over rounds.
"""

import contextlib
import shutil

from . import load, measure, onerun, processes, server, statistics, volume
from .comparison import Comparison


class Slices(Comparison):
    """A comparison by slices: its records have no seconds and no WAL."""

    def _measure(self, missing, _stack):
        self._make_template()
        rounds = sorted({number for number, _ in missing})
        for position, number in enumerate(rounds):
            prepare, each = self.plan.estimates()
            arms = len(self.plan.arm_list())
            self.progress.total = prepare + each * arms * len(rounds)
            self.progress.stage(f'{self.label}round {number}/{self.plan.rounds} · ',
                                prepare + each * arms * position)
            self._round(number)

    def _round(self, number):
        """All arms of a round, from their files to their records."""
        with contextlib.ExitStack() as stack:
            running, checks = {}, {}
            for arm in self.plan.order(number):
                running[arm.name], checks[arm.name] = self._start(number, arm, stack)
            machine, others = measure.busy(), processes.others()
            found = self._turns(number, running)
            machine = {**measure.difference(machine, measure.busy()), 'background_cpu': 0.0,
                       'others_cpu_s': processes.grown(others, processes.others())}
            for arm in self.plan.arm_list():
                measure.check_arm(running[arm.name], arm)
                self._keep(number, arm, figures(found, arm.name, self.plan.arm_list()[0].name), machine,
                           checks=checks[arm.name], slices=found[arm.name])

    def _start(self, number, arm, stack):
        """A server of an arm, its data in memory and after a checkpoint: (server, checks)."""
        self.progress.say(f'{arm.name}: starting on its own files')
        directory = self._directory(number, arm)
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        data = self.place.path / f'data-{arm.name}'
        volume.restore(self.place.template, data)
        sockets = server.Sockets()
        stack.callback(sockets.close)
        running = stack.enter_context(self.server(data, arm.settings, directory / 'server.log', sockets))
        checks = measure.check_arm(running, arm)
        onerun.save_settings(running, directory)
        load.prewarm(running)
        running.run('CHECKPOINT;')
        load.Pgbench(self.plan).warm_up(running, self.plan.warmup, self.plan.seed + number)
        return running, checks

    def _turns(self, number, running):
        """{arm: [{tps, cpu_us} of each slice]}"""
        found = {name: [] for name in running}
        for count in range(self.plan.repeat):
            for name in list(running) if count % 2 == 0 else reversed(running):
                self.progress.say(f'slice {count + 1} of {self.plan.repeat} · {name}',
                                  count * self.plan.duration * len(running))
                found[name].append(self._slice(running[name], self.plan.seed + 1000 * number + count))
        return found

    def _slice(self, running, seed):
        before = processes.cpu_seconds(running.process.pid)
        result = load.slice_of(running, self.plan, seed)
        measure.wait_quiet(running)     # a session's time is the postmaster's once it is gone
        used = processes.cpu_seconds(running.process.pid) - before
        return {**{name: result[name] for name in ('tps', 'transactions', 'failed')},
                'cpu_us': used * 1e6 / max(result['transactions'], 1)}


def figures(found, arm, first):
    """Figures of an arm in a round; "beside": medians of the ratios of neighbouring slices."""
    own, base = found[arm], found[first]
    return {**{name: sum(one[name] for one in own) for name in ('transactions', 'failed')},
            'tps': statistics.median([one['tps'] for one in own]),
            'server_cpu_us': statistics.median([one['cpu_us'] for one in own]),
            'tps_beside': statistics.median([one['tps'] / other['tps'] for one, other in zip(own, base)]),
            'cpu_beside': statistics.median([one['cpu_us'] / other['cpu_us']
                                             for one, other in zip(own, base)])}
