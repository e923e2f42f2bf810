"""Loads that run for some seconds: pgbench here, sysbench in its own file.

A load has: initialise(server), warm_up(server, seconds, seed) -> TPS, and measure(...) -> Outcome.
The sessions of measure() are new ones, with cold caches and page faults before them: its first
figures.LEAD seconds are not measured.
"""

import queue
import re
import shlex
import subprocess
import threading
import time
from dataclasses import dataclass

from . import figures, measure as counters, statistics

PROGRESS = re.compile(r'^progress: ([\d.]+) s, ([\d.]+) tps, lat ([\d.]+|NaN) ms')
SAMPLES = 2_000_000         # logged transactions per run, beyond that a sample
NOTHING = {'transactions': 0, 'failed': 0, 'tps': 0.0, 'latency_average_ms': 0.0}       # summary of no load


class LoadError(Exception):
    """pgbench failed; the message quotes it."""


@dataclass
class Outcome:
    """What a load reports of its measured seconds."""
    summary: dict           # tps, latency_average_ms; transactions and failed ones of the whole run, LEAD included
    tps: list               # per second
    rows: list              # one dictionary per second, for seconds.csv
    latency: dict           # percentiles in ms
    histogram: dict         # statistics.histogram()
    start: float            # epoch


def of(plan):
    """The load that a plan asks for."""
    if plan.driver == 'sysbench':
        from .sysbench import Sysbench
        return Sysbench(plan)
    return Pgbench(plan)


class Pgbench:
    """pgbench with a built-in or an own script."""

    def __init__(self, plan):
        self.plan = plan
        self.rate = plan.sample_rate

    def initialise(self, server):
        """Make pgbench's tables and leave them frozen and analysed."""
        _pgbench(server, ['-i', '-I', 'dtgvp', '-q', '-s', str(self.plan.scale)])
        if self.plan.setup:
            server.run_file(self.plan.sql('setup'), scale=self.plan.scale)
        server.run('VACUUM (FREEZE, ANALYZE);')

    def warm_up(self, server, seconds, seed):
        """Unmeasured load; returns its summary."""
        return summary(_pgbench(server, words(self.plan, seconds, seed))) if seconds else NOTHING

    def measure(self, server, seed, directory, expected_tps, progress):
        """The measured run; logs go to directory.  Returns a function that reads them later."""
        self.rate = self.rate or sample_rate(self.plan, expected_tps)
        launched = time.time()
        text, progress_tps = measure(server, self.plan, seed, directory, self.rate, progress)
        return lambda samples: self._read(text, progress_tps, directory, samples, launched)

    def _read(self, text, progress_tps, directory, samples, launched):
        latencies, rows, tps, start = figures.per_second(self.plan, directory, self.rate,
                                                         progress_tps, samples, launched, connecting(text))
        counters.compress(directory)
        measured = {'tps': statistics.mean(tps) if tps else 0.0,
                    'latency_average_ms': statistics.mean(latencies) / 1000 if latencies else 0.0}
        return Outcome({**summary(text), **measured}, tps, rows, statistics.latency(latencies) if latencies else {},
                       statistics.histogram(latencies), start)


def slice_of(server, plan, seed):
    """A short run without a log: pgbench's summary of it."""
    result = summary(_pgbench(server, words(plan, plan.duration, seed)))
    if result['transactions'] == 0:
        raise LoadError(f'not one transaction ended in {plan.duration} s: there is nothing to compare')
    return result


def prewarm(server):
    """Read all tables and indexes into shared buffers as far as they fit."""
    if not server.rows("SELECT 1 FROM pg_extension WHERE extname = 'pg_prewarm'"):
        return
    server.run("SELECT sum(pg_prewarm(c.oid)) FROM pg_class c "
               "JOIN pg_namespace n ON n.oid = c.relnamespace "
               "WHERE n.nspname = 'public' AND c.relkind IN ('r', 'i', 'm');")


def words(plan, seconds, seed):
    """Arguments of pgbench for a plan, the address left out."""
    result = ['-n', '-c', str(plan.clients), '-j', str(plan.jobs), '-T', str(seconds),
              '-M', plan.protocol, f'--random-seed={seed}', '-P', '1']
    if plan.rate:
        result.append(f'--rate={plan.rate:g}')
    if plan.script:
        return result + ['-f', str(plan.sql('script'))]
    return result + ['-b', plan.builtin]


def sample_rate(plan, tps):
    """Share of transactions to log, so that a run stays below SAMPLES lines."""
    if plan.sample_rate:
        return plan.sample_rate
    expected = max(tps, 1.0) * (figures.LEAD + plan.duration)
    return 1.0 if expected <= SAMPLES else round(SAMPLES / expected, 4)


def measure(server, plan, seed, directory, rate, progress):
    """The measured run.  Logs go to directory; progress(second, tps, ms) is called each second.

    Returns (pgbench's report, per-second TPS of its progress lines).
    """
    arguments = words(plan, figures.LEAD + plan.duration, seed) + [
        '-l', f'--log-prefix={directory / "transactions"}']
    if rate < 1:
        arguments.append(f'--sampling-rate={rate}')
    command = [str(server.programs / 'pgbench'), *server.address(), *arguments, 'postgres']
    (directory / 'pgbench.command').write_text(shlex.join(command) + '\n')
    process = _start(command)
    try:
        seconds, messages = follow(process.stderr, PROGRESS, progress)
        report = process.stdout.read()
        status = process.wait()
    finally:
        _end(process)
    (directory / 'pgbench.out').write_text(report)
    (directory / 'pgbench.progress').write_text('\n'.join(messages) + '\n')
    if status != 0:
        raise LoadError('\n'.join([f'pgbench ended with status {status}:', *messages[-5:],
                                   "end of the server's log:", server.last_lines(5)]))
    return report, seconds


def follow(stream, pattern, progress):
    """Read a client's lines as they come; a second without one of progress is shown too.

    Returns ([(second, TPS)], all lines).
    """
    lines = queue.Queue()

    def read():
        for line in stream:
            lines.put(line.rstrip('\n'))
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    seconds, messages, started = [], [], time.monotonic()
    while True:
        try:
            line = lines.get(timeout=1.5)
        except queue.Empty:
            progress(time.monotonic() - started, 0.0, None)
            continue
        if line is None:
            return seconds, messages
        messages.append(line)
        found = pattern.match(line)
        if found:
            seconds.append((float(found[1]), float(found[2])))
            progress(float(found[1]), float(found[2]), float(found[3]))


def _end(process):
    """Make sure that pgbench is gone, whatever happened."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    process.stdout.close()


def _start(command):
    return subprocess.Popen(command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, start_new_session=True)


def _pgbench(server, arguments):
    return client([str(server.programs / 'pgbench'), *server.address(), *arguments, 'postgres'])


def client(command, pattern=None, progress=None):
    """Run a client program to its end; returns what it printed.

    With a pattern, progress is called for each line of its output that matches.
    """
    process = _start(command)
    try:
        if pattern:
            output = '\n'.join(follow(process.stdout, pattern, progress)[1]) + '\n'
            errors = process.stderr.read()
            process.wait()
        else:
            output, errors = process.communicate()
    finally:
        _end(process)
    if process.returncode != 0:
        raise LoadError(f'{command[0]}: ' + '\n'.join((errors + output).splitlines()[-5:]))
    return output


def connecting(report):
    """Seconds that pgbench took to connect, from its report."""
    found = re.search(r'^initial connection time = ([\d.]+) ms', report, re.MULTILINE)
    return float(found[1]) / 1000 if found else 0.0


def summary(report):
    """pgbench's report -> transactions, failed, tps, latency_average_ms."""
    def number(pattern, default=None):
        found = re.search(pattern, report, re.MULTILINE)
        if found:
            return float(found[1])
        if default is None:
            raise LoadError(f'no line "{pattern}" in what pgbench reported:\n{report}')
        return default

    count = int(number(r'^number of transactions actually processed: (\d+)'))
    if count == 0:              # pgbench then says no more
        return NOTHING
    return {
        'transactions': count,
        'failed': int(number(r'^number of failed transactions: (\d+)', 0)),
        'tps': number(r'^tps = ([\d.]+) \(without initial connection time\)'),
        'latency_average_ms': number(r'^latency average = ([\d.]+) ms')}
