"""The table (text and Markdown), results.csv and results.json."""

import csv
import json
import textwrap
from dataclasses import dataclass

from . import statistics


@dataclass(frozen=True)
class Metric:
    """A row of the table.  better: "more", "less" or "" (no ratio is shown)."""
    key: str
    label: str
    better: str = ''
    digits: int = 0
    divide: float = 1.0


SECTIONS = (
    ('Throughput', (
        Metric('tps', 'TPS', 'more'),
        Metric('second_sd', 'standard deviation of seconds', 'less'),
        Metric('second_cv', 'coefficient of variation', 'less', 3),
        Metric('second_min', 'slowest second, TPS', 'more'),
        Metric('slow_seconds', 'seconds below half the median'),
        Metric('failed', 'failed transactions'))),
    ('Latency, ms', (
        Metric('p50_ms', 'p50', 'less', 1), Metric('p95_ms', 'p95', 'less', 1),
        Metric('p99_ms', 'p99', 'less', 1), Metric('max_ms', 'max', 'less', 1))),
    ('WAL', (
        Metric('wal_bytes', 'written, MB', 'less', 1, 1e6),
        Metric('wal_per_transaction', 'bytes per transaction', 'less'),
        Metric('images', 'full-page images'))),
    ('Checkpoints and pages', (
        Metric('checkpoints_begun', 'checkpoints begun'),
        Metric('checkpoints_finished', 'checkpoints finished'),
        Metric('checkpoint_write_s', 'checkpoints writing, s', '', 1),
        Metric('checkpoint_sync_s', 'checkpoints syncing, s', '', 2),
        Metric('buffers_checkpoint', 'pages by the checkpointer'),
        Metric('buffers_bgwriter', 'pages by the background writer'),
        Metric('buffers_backend', 'pages by sessions'),
        Metric('library_pages', 'pages by way of smgr_atomic'),
        Metric('library_pooled', 'of these through its pool'),
        Metric('library_us_per_page', 'µs a page held up its process'))),
    ('Device', (
        Metric('device_write_bytes', 'written, MB', '', 1, 1e6),
        Metric('device_writes', 'write operations'),
        Metric('device_flushes', 'flushes'),
        Metric('device_bytes_per_transaction', 'bytes per transaction', 'less'),
        Metric('device_read_bytes', 'read, MB', '', 1, 1e6),
        Metric('drain_s', 'then until all is on disk, s', '', 1),
        Metric('drained_bytes_per_transaction', 'bytes per transaction then', 'less'))),
)

LEGEND = ('Median over rounds; {spread}. Ratios are against the first arm, round by round; '
          '"~" marks one whose rounds disagree about the direction.')
BUSY_SHARE = 0.05           # of the processors, from here on it is worth a warning
UNFINISHED = ('A checkpoint that had not finished when a run ended counts its writing until then '
              'and no syncing.')
BUFFERED = ('Written to the device: during the run only. Stock leaves pages in the page cache that '
            'reach it later.')
DRAINED = ('Pages are counted until all was on disk after the run; so are "bytes per transaction '
           'then".')
SHARED = 'Device figures count whatever else used the device of that directory, too.'


def summarise(plan, records):
    """{arm: {metric: {median, low, high, rounds, ratio}}} for every figure of the records."""
    values = {}
    for record in records:
        for key, value in record['figures'].items():
            values.setdefault(record['arm'], {}).setdefault(key, {})[record['round']] = value
    base = values[plan.arm_list()[0].name]
    result = {}
    for arm, figures in values.items():
        result[arm] = {}
        for key, rounds in figures.items():
            entry = statistics.over_rounds(rounds.values())
            if entry is not None:
                entry['ratio'] = statistics.ratio(rounds, base.get(key, {}))
            result[arm][key] = entry
    return result


# ---- cells -------------------------------------------------------------------------------

def number(value, digits):
    return f'{value:,.{digits}f}'


def short_text(entry, metric):
    """"1,523 ±3%", half the distance from lowest to highest; a dash where there is no value."""
    if entry is None:
        return '–'
    middle, half = entry['median'], (entry['high'] - entry['low']) / 2
    spread = f' ±{half / middle:.0%}' if middle and entry['rounds'] > 1 else ''
    return number(middle / metric.divide, metric.digits) + spread


def value_text(entry, metric):
    """"1,523 (1,480–1,580)"; a dash where there is no value."""
    if entry is None:
        return '–'
    middle, low, high = (number(entry[name] / metric.divide, metric.digits)
                         for name in ('median', 'low', 'high'))
    return middle if low == high else f'{middle} ({low}–{high})'


def ratio_text(entry, metric):
    """"1.05x" where more is better, "17.0x less" or "1.20x more" where less is."""
    ratio = entry and entry.get('ratio')
    if not ratio or not metric.better:
        return ''
    middle = ratio['median']
    unclear = '~' if ratio['low'] < 1 < ratio['high'] else ''
    if metric.better == 'more':
        return f'{unclear}{factor(middle)}x'
    if middle == 0:
        return 'none left'
    if f'{middle:.2f}' == '1.00':
        return f'{unclear}1.00x'
    return f'{unclear}{factor(1 / middle)}x less' if middle < 1 else \
        f'{unclear}{factor(middle)}x more'


def factor(value):
    """A ratio with two digits after the point, one from ten on."""
    return f'{value:.1f}' if value >= 10 else f'{value:.2f}'


def rows(plan, summary, show=value_text):
    """Yield (section, None) and (label, [(value, ratio), ...]) where there are values."""
    names = [arm.name for arm in plan.arm_list()]
    for title, metrics in SECTIONS:
        yield title, None
        for metric in metrics:
            entries = [summary[name].get(metric.key) for name in names]
            if any(entries):
                yield metric.label, [(show(entry, metric),
                                      ratio_text(entry, metric) if position else '')
                                     for position, entry in enumerate(entries)]


def letters(plan):
    return [f'({chr(ord("a") + position)})' for position in range(len(plan.arm_list()))]


# ---- text and Markdown -------------------------------------------------------------------

def text_table(plan, summary):
    """The table for a terminal."""
    arms = plan.arm_list()
    body = list(rows(plan, summary, short_text))
    heads = [f'{letter} {arm.title}' for letter, arm in zip(letters(plan), arms)]
    label = max(len(name) for name, _ in body) + 3
    widths = []
    for column, head in enumerate(heads):
        cells = [cells[column] for _, cells in body if cells]
        value, ratio = (max(len(cell[part]) for cell in cells) for part in (0, 1))
        ratio = ratio + 2 if ratio else 0
        widths.append((max(value, len(head) - ratio), ratio))
    line = '─' * (label + sum(value + ratio + 3 for value, ratio in widths))
    result = [' ' * label + ''.join(f'   {head:>{value + ratio}}'
                                    for head, (value, ratio) in zip(heads, widths))]
    if any(arm.warning for arm in arms):
        marks = [arm.warning.split(':')[0] for arm in arms]
        result.append(' ' * label + ''.join(f'   {mark:>{value + ratio}}'
                                            for mark, (value, ratio) in zip(marks, widths)))
    for name, cells in body:
        if cells is None:
            result += [line, name]
            continue
        result.append(f'  {name:<{label - 2}}' + ''.join(
            f'   {cell[0]:>{value}}{cell[1]:>{ratio}}'
            for cell, (value, ratio) in zip(cells, widths)))
    return '\n'.join(result + [line])


def markdown_table(plan, summary):
    """The same table for a README."""
    arms = plan.arm_list()
    marks = [f'<br>**{arm.warning.split(":")[0]}**' if arm.warning else '' for arm in arms]
    heads = [f'{letter} {arm.title}{mark}'
             for letter, arm, mark in zip(letters(plan), arms, marks)]
    result = ['| | ' + ' | '.join(heads) + ' |', '|---|' + '---:|' * len(heads)]
    for name, cells in rows(plan, summary):
        if cells is None:
            result.append(f'| **{name}** |' + ' |' * len(heads))
            continue
        shown = [value + (f' **{ratio}**' if ratio else '') for value, ratio in cells]
        result.append(f'| {name} | ' + ' | '.join(shown) + ' |')
    return '\n'.join(result)


def notes(plan, summary, spread):
    """Sentences a reader needs beside the table; spread says how the table shows it."""
    result = [LEGEND.format(spread=spread)]
    result += [f'{letter} {arm.title}: {arm.warning}.'
               for letter, arm in zip(letters(plan), plan.arm_list()) if arm.warning]
    if any(entry['checkpoints_begun']['median'] > entry['checkpoints_finished']['median']
           for entry in summary.values()):
        result.append(UNFINISHED)
    result.append(BUFFERED if plan.no_drain else DRAINED)
    if plan.directory:
        result.append(SHARED)
    if plan.rounds == 1:
        result.append('One round shows no spread: a difference may be noise.')
    return result


def conditions(plan, environment):
    """What was run on what, in a few lines."""
    disk = plan.disk()
    load = plan.script or f'pgbench {plan.builtin}'
    return [
        f'{load}, scale {plan.scale}, {plan.clients} clients, {plan.rounds} rounds of '
        f'{plan.duration} s, checkpoint_timeout {plan.checkpoint_timeout}, shared_buffers '
        f'{plan.shared_buffers}; disk: {disk.title}.',
        f'{environment["postgres"]}; Linux {environment["kernel"]}; {environment["processors"]} × '
        f'{environment["processor"]}, {environment["memory_mb"] // 1024} GiB; '
        f'{environment["filesystem"]}.']


# ---- files -------------------------------------------------------------------------------

def write(plan, records, environment, directory):
    """Write all reports into directory; returns what the terminal shows."""
    summary = summarise(plan, records)
    head = conditions(plan, environment)
    noise = _noise(records)
    tail = notes(plan, summary, '± is half the distance from lowest to highest') + noise
    table = text_table(plan, summary)
    width = max(len(line) for line in table.splitlines())
    shown = '\n'.join(_wrap(head, width) + ['', table] + _wrap(tail, width))
    (directory / 'table.txt').write_text(shown + '\n')
    tail = notes(plan, summary, 'lowest and highest in parentheses') + noise
    (directory / 'report.md').write_text('\n\n'.join(
        ['# TPS over time', '![TPS over time](tps.svg)', '# Figures', markdown_table(plan, summary)]
        + tail + ['# Conditions'] + head + ['Repeat:', f'    {plan.command()}']) + '\n')
    _write_runs(directory / 'results.csv', records)
    (directory / 'results.json').write_text(json.dumps(
        {'command': plan.command(), 'environment': environment, 'plan': vars(plan),
         'summary': summary, 'runs': records}, indent=1) + '\n')
    return shown


def _noise(records):
    """A warning when other programs were at work."""
    most = max(record['machine']['background_cpu'] for record in records)
    stolen = max(record['machine']['cpu_stolen_s'] / max(record['machine']['cpu_used_s'], 1)
                 for record in records)
    result = []
    if most > BUSY_SHARE:
        result.append(f'NOISY: just before a run other programs used {most:.0%} of the processors: do '
                      'not trust TPS and latencies.')
    if stolen > BUSY_SHARE:
        result.append(f'NOISY: the host took {stolen:.0%} of the processor time of a run away.')
    return result


def _wrap(lines, width):
    return [part for line in lines for part in textwrap.wrap(line, width)]


def _write_runs(path, records):
    """One line per run with every figure."""
    names = list(dict.fromkeys(name for record in records for name in record['figures']))
    with path.open('w', newline='') as file:
        writer = csv.writer(file)
        machine = ['background_cpu', 'cpu_used_s', 'cpu_stolen_s']
        writer.writerow(['round', 'arm', *machine, *names])
        for record in sorted(records, key=lambda item: (item['round'], item['arm'])):
            writer.writerow([record['round'], record['arm'],
                             *(record['machine'][name] for name in machine),
                             *(record['figures'].get(name) for name in names)])
