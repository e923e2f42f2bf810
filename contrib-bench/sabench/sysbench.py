"""sysbench's OLTP tests: the workloads in which other ways against torn pages were published.

Rows are chosen as sysbench does by default (--rand-type=special: 75 % of accesses go to 1 %).
"""

import re
import shutil
import time

from . import figures, load, sampler, statistics

ROWS_PER_SCALE = 10_000     # of each table
MB_PER_ROW = 2.6e-4         # with its two indexes

SECOND = re.compile(r'^\[ (\d+)s \] .* tps: ([\d.]+) .*lat \(ms,99%\): ([\d.]+)')
BUCKET = re.compile(r'^ +([\d.]+) \|[* ]*? *(\d+)$')


class Sysbench:
    """One test, such as oltp_write_only."""

    def __init__(self, plan):
        self.plan = plan

    def _words(self, server, *more):
        plan = self.plan
        return [shutil.which('sysbench') or 'sysbench', plan.test, '--db-driver=pgsql',
                f'--pgsql-host={server.sockets.path}', f'--pgsql-port={server.address()[3]}',
                '--pgsql-user=postgres', '--pgsql-db=postgres', f'--tables={plan.tables}',
                f'--table-size={plan.scale * ROWS_PER_SCALE}', *more]

    def _run(self, seconds, seed):
        return [f'--threads={self.plan.clients}', f'--time={seconds}', '--report-interval=1',
                '--percentile=99', '--histogram=on', f'--rand-seed={seed}', 'run']

    def initialise(self, server):
        load.client(self._words(server, f'--threads={self.plan.tables}', 'prepare'))
        server.run('VACUUM (FREEZE, ANALYZE);')

    def warm_up(self, server, seconds, seed):
        return summary(load.client(self._words(server, *self._run(seconds, seed)))) if seconds else load.NOTHING

    def measure(self, server, seed, directory, _expected_tps, progress):
        """The measured run.  Returns a function that reads its report."""
        launched = time.time()
        command = self._words(server, f'--report-checkpoints={figures.LEAD}',
                              *self._run(figures.LEAD + self.plan.duration, seed))
        (directory / 'sysbench.command').write_text(' '.join(command) + '\n')
        text = load.client(command, SECOND, progress)
        (directory / 'sysbench.out').write_text(text)
        return lambda samples: self._read(text, samples, launched)

    def _read(self, text, samples, launched):
        tps, rows = seconds(text, self.plan.duration)
        whole, measured = reports(text)
        counts, start = buckets(measured), launched + figures.LEAD
        for row, values in zip(rows, zip(*(sampler.per_second(samples, name, start, self.plan.duration)
                                           for name in ('write_bytes', 'writes')))):
            row['device_write_bytes'], row['device_writes'] = values
        return load.Outcome(whole, tps, rows, latency(counts, measured), histogram(counts), start)


def reports(text):
    """(summary of a measured run, the text of its last report: all since LEAD, when the counters began anew)."""
    lead, mark, measured = text.rpartition('Latency histogram')
    first, last = summary(lead), summary(measured)
    return {**last, **{name: first[name] + last[name] for name in ('transactions', 'failed')}}, mark + measured


def seconds(text, duration):
    """sysbench's reports of single seconds after LEAD -> (TPS of each, rows for seconds.csv)."""
    found = {int(match[1]) - figures.LEAD: match for match in map(SECOND.match, text.splitlines()) if match}
    tps = [float(found[second][2]) if second in found else 0.0
           for second in range(1, duration + 1)]
    if duration not in found and len(tps) > 1:      # the last report can be left out
        tps.pop()
    rows = [{'second': number, 'tps': value,
             'p99_ms': float(found[number + 1][3]) if number + 1 in found else None}
            for number, value in enumerate(tps)]
    return tps, rows


def buckets(text):
    """sysbench's histogram -> [(ms, count)], ascending."""
    return [(float(found[1]), int(found[2])) for found in map(BUCKET.match, text.splitlines())
            if found]


def histogram(counts):
    """The same in the buckets of statistics.histogram()."""
    result = {}
    for ms, count in counts:
        bucket = next(iter(statistics.histogram([ms * 1000])))
        result[bucket] = result.get(bucket, 0) + count
    return result


def latency(counts, text):
    """Percentiles in ms from the histogram (its buckets are 2 % wide); the maximum as reported."""
    total, result = sum(count for _, count in counts), {}
    for name, share in statistics.PERCENTILES:
        seen = 0
        for ms, count in counts:
            seen += count
            if seen >= share * total:
                result[name] = ms
                break
    found = re.search(r'^ +max: +([\d.]+)', text, re.MULTILINE)
    if found:
        result['max_ms'] = float(found[1])
    return result


def summary(text):
    """sysbench's report -> transactions, failed, tps, latency_average_ms."""
    done = re.search(r'^ +transactions: +(\d+) +\(([\d.]+) per sec', text, re.MULTILINE)
    failed = re.search(r'^ +ignored errors: +(\d+)', text, re.MULTILINE)
    average = re.search(r'^ +avg: +([\d.]+)', text, re.MULTILINE)
    if not (done and average):
        raise load.LoadError(f'sysbench reported:\n{text[-2000:]}')
    return {'transactions': int(done[1]), 'failed': int(failed[1]) if failed else 0,
            'tps': float(done[2]), 'latency_average_ms': float(average[1])}
