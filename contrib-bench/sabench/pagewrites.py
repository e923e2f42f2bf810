"""Comparisons of page writes alone, without SQL: pagerate and "writecost --accept" as rounds of ways."""

import contextlib
import pathlib
import shutil
import tempfile
import types

from . import measure, pagerate, pageserver, processes, volume
from .comparison import Comparison

PAGES = 30000               # written in a turn of pagerate
FILE_PAGES = 65536
DEPTH = 64
PAIRS, BATCH = 200, 16      # of writecost_accept() in a round

ACCEPT = '''CREATE FUNCTION writecost_accept(regclass, integer, integer, OUT stock_ns float8,
  OUT pool_ns float8, OUT ratio float8, OUT cpu_ratio float8)
  AS '{module}', 'writecost_accept' LANGUAGE C STRICT;'''


class PageWrites(Comparison):
    """Base of the two: a place for programs, and what the machine did in each turn."""

    def _work(self, stack):
        work = pathlib.Path(tempfile.mkdtemp(prefix='sabench-'))
        stack.callback(shutil.rmtree, work, ignore_errors=True)
        work.chmod(0o755)
        return work

    def _watched(self, turn):
        """(what turn() returns, record of the machine)

        The servers are up all the time, so nothing is measured before the turn.
        """
        machine, others = measure.busy(), processes.others()
        found = turn()
        return found, {**measure.difference(machine, measure.busy()), 'background_cpu': 0.0,
                       'others_cpu_s': processes.grown(others, processes.others())}


class PageRate(PageWrites):
    """Pages per second of the kernel's own loops and of a server's pool."""

    def _measure(self, missing, stack):
        plan = self.plan
        given = types.SimpleNamespace(pages=PAGES, file_pages=FILE_PAGES, depth=DEPTH, writers=1,
                                      fs=plan.filesystem)
        self.progress.say('making files and starting servers')
        ways = {way.key: way for way in pagerate.ways(given, self.programs, self.place, self._work(stack), stack)}
        lacking = ', '.join(sorted({arm.name for _, arm in missing} - set(ways)))
        if lacking:
            raise pagerate.PageRateError(f'{plan.filesystem} does not offer: {lacking}')
        pagerate.warm_up(ways.values(), self.place)
        for number, arm in missing:
            self.progress.say(f'round {number} · {arm.name}')
            (rate, own, machine), seen = self._watched(
                lambda: pagerate.turn(ways[arm.name], number, self.place))
            self._keep(number, arm, {'pages_per_s': rate, 'page_own_cpu_us': own, 'page_machine_cpu_us': machine},
                       seen)


class Accept(PageWrites):
    """What a process pays that evicts a page: into the page cache, or into the pool."""

    def _measure(self, missing, stack):
        work = self._work(stack)
        module = pageserver.build(self.programs, work)
        for number in sorted({number for number, _ in missing}):
            found, seen = self._round(number, module, work)
            for arm in self.plan.arm_list():
                pool = arm.library
                self._keep(number, arm, {
                    'accept_us': found['pool_ns' if pool else 'stock_ns'] / 1000,
                    'accept_beside': found['ratio'] if pool else 1.0,
                    'accept_cpu_beside': found['cpu_ratio'] if pool else 1.0}, seen)

    def _round(self, number, module, work):
        """Both in turns in a server of its own: what a start brings, such as which memory, is in the spread."""
        self.progress.say(f'round {number}')
        data = self.place.path / 'data'
        shutil.rmtree(data, ignore_errors=True)
        with contextlib.ExitStack() as stack:
            running = pageserver.start(self.programs, data, work / 'server.log',
                                       {'smgr_atomic.write_behind_size': '128MB'}, 32768, stack)
            running.run(ACCEPT.format(module=module))
            volume.sync(self.place.path)
            volume.forget(data)
            return self._watched(lambda: running.row(
                f"SELECT * FROM writecost_accept('writecost_pages', {PAIRS}, {BATCH})"))
