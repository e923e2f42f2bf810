"""The table (text and Markdown), results.csv and results.json."""

import csv
import json
import textwrap
from dataclasses import dataclass

from . import measure, statistics
from .figures import LEAD
from .standby import CATCH_UP_SECONDS


@dataclass(frozen=True)
class Metric:
    """A row of the table.  better: "more", "less" or "" (no ratio is shown)."""
    key: str
    label: str
    better: str = ''
    digits: int = 0
    divide: float = 1.0


SECTIONS = (
    ('Time of one repetition', (
        Metric('task_s', 'statement, s', 'less', 2),
        Metric('task_durable_s', 'until all of it is on disk, s', 'less', 2),
        Metric('task_pages_per_s', 'pages written per second of the statement', 'more'),
        Metric('file_fio_direct', 'fio, direct writes of the same file, depth 32, per second'),
        Metric('file_fio_atomic', 'atomic writes of the same file, depth 32, per second'),
        Metric('task_fio_share', 'pages written per second against fio', '', 2),
        Metric('task_atomic_share', 'pages written per second against atomic writes', '', 2))),
    ('Page writes', (
        Metric('pages_per_s', 'pages per second', 'more'),
        Metric('page_own_cpu_us', 'processor time of its processes per page, µs', 'less', 1),
        Metric('page_machine_cpu_us', 'processor time of the machine per page, µs', 'less', 1),
        Metric('accept_us', 'time of one write, µs', 'less', 2),
        Metric('accept_beside', 'time against stock, batch by batch', 'less', 2),
        Metric('accept_cpu_beside', 'processor time against stock, batch by batch', 'less', 2))),
    ('Throughput', (
        Metric('tps', 'TPS', 'more'),
        Metric('tps_beside', 'TPS against the first arm, slice by slice', 'more', 3),
        Metric('cpu_beside', 'processor time of the server against the first arm, slice by slice', 'less', 3),
        Metric('second_sd', 'standard deviation of seconds', 'less'),
        Metric('second_cv', 'coefficient of variation', 'less', 3),
        Metric('second_min', 'slowest second, TPS', 'more'),
        Metric('slow_seconds', 'seconds below half the median'),
        Metric('failed', 'failed transactions'))),
    ('Latency, ms', (
        Metric('p50_ms', 'p50', 'less', 1), Metric('p95_ms', 'p95', 'less', 1),
        Metric('p99_ms', 'p99', 'less', 1), Metric('p999_ms', 'p99.9', 'less', 1),
        Metric('max_ms', 'max', 'less', 1))),
    ('WAL', (
        Metric('wal_bytes', 'written, MB', 'less', 1, 1e6),
        Metric('wal_per_transaction', 'bytes per transaction', 'less'),
        Metric('archive_per_transaction', 'bytes per transaction under gzip -1', 'less'),
        Metric('records_per_transaction', 'records per transaction', '', 2),
        Metric('images_per_transaction', 'full-page images per transaction', '', 3),
        Metric('images', 'full-page images'))),
    ('Processor time per transaction, µs', (
        Metric('server_cpu_us', 'of the server', 'less'),
        Metric('machine_cpu_us', 'of all the machine did', 'less'))),
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
        Metric('drained_bytes_per_transaction', 'bytes per transaction until all is on disk', 'less'),
        Metric('bytes_per_page', 'bytes per page written', 'less'),
        Metric('wal_bytes_per_page', 'WAL per page written', 'less'),
        Metric('data_bytes_per_page', 'bytes per page written, without WAL', 'less'))),
    ('Largest file', (
        Metric('extents_before', 'extents before the run'),
        Metric('extents_after', 'extents after it'),
        Metric('read_before_mb_s', 'cold sequential read before, MB/s'),
        Metric('read_after_mb_s', 'cold sequential read after, MB/s', 'more'))),
    ('Recovery after kill -9', (
        Metric('ready_s', 'until connections are accepted, s', 'less', 2),
        Metric('redo_s', 'redo, s', 'less', 2),
        Metric('redo_bytes', 'WAL replayed, MB', 'less', 1, 1e6),
        Metric('redo_us', 'redo per transaction, µs', 'less', 1),
        Metric('repair_s', 'reading the page journal, s', '', 2),
        Metric('end_checkpoint_s', 'checkpoint after redo, s', '', 2),
        Metric('repaired_pages', 'pages restored from it'))),
    ('Standby', (
        Metric('lag_most_bytes', 'most behind, MB', 'less', 1, 1e6),
        Metric('lag_end_bytes', 'behind at the end, MB', 'less', 1, 1e6),
        Metric('catch_up_s', 'then until it has caught up, s', 'less', 1))),
)
BETWEEN_CHECKPOINTS = {metric.key for title, metrics in SECTIONS if title in ('Throughput', 'Latency, ms')
                       for metric in metrics}       # better there than with a checkpoint under way
METRICS = {metric.key: metric for _, metrics in SECTIONS for metric in metrics}

LEGEND = ('Median over rounds; {spread}. Ratios are against the first arm, round by round; {claim}')
CLAIM = ('"~" marks one whose interval includes 1: no difference shown. With {rounds} rounds the interval of a median '
         'holds the true one in {coverage:.1%} of cases. Those of ratios are the wider of that and, up to ten rounds, '
         'the 95 % t interval of their logarithms; those of ratios of per-second figures also hold the bootstrap over '
         f'rounds and blocks of {statistics.BLOCK} seconds. "?" marks one that not every round has (its base is 0, or '
         'one of them has no figure): nothing is claimed.')
NO_CLAIM = (f'"?": fewer than {statistics.ROUNDS_TO_CLAIM} rounds show no interval worth the name, '
            'nothing is claimed.')
BUSY_SHARE = 0.05           # of the processors, from here on it is worth a warning
CHECKPOINT_SHARE = 0.25     # of the measured seconds; with less a round shows a time between checkpoints
NO_CHECKPOINT = ('No checkpoint was under way in a quarter of the measured seconds of {which}: what these rounds show of '
                 'TPS and WAL is a time between checkpoints.')
NOT_CAUGHT_UP = (f'The standby needed more than {CATCH_UP_SECONDS} s to catch up and was not waited for any longer: '
                 '{which}.')
UNFINISHED = ('A checkpoint that had not finished when a run ended counts its writing until then '
              'and no syncing.')
BUFFERED = ('Written to the device, and bytes per transaction: during the run only. Stock leaves pages in the page cache that '
            'reach it later.')
DRAINED = ('Pages are counted until all was on disk after the run; so are "bytes per transaction until all is on disk" '
           'and bytes per page.')
WHOLE = (f'Counters (WAL, pages, device, processor time) and the transactions they are divided by are those of the '
         f'measured seconds and the {LEAD} before them, in which the sessions are new; TPS and latencies are of the '
         'measured ones.')
SHARED = 'Device figures count whatever else used the device of that directory, too.'
IMAGES = ('Images per transaction, and with them the ratios of WAL, depend on how often checkpoints come: every '
          '{timeout}, or whenever about half of max_wal_size ({size}) is filled; see "checkpoints begun".')
TASK = 'A "transaction" here is one repetition of the statement.'

SLICED = {'tps_beside': 'tps', 'cpu_beside': 'cpu_us'}      # figures of slices, by what they compare
PER_SECOND = {'second_cv': statistics.variation, 'second_sd': statistics.deviation}


def section_of(key):
    """Title of the section that a figure is in."""
    return next(title for title, metrics in SECTIONS for metric in metrics if metric.key == key)


def summarise(plan, records):
    """{arm: {metric: {median, low, high, interval, rounds, ratio}}} for every figure."""
    values, seconds = {}, {}
    for record in records:
        seconds.setdefault(record['arm'], {})[record['round']] = record.get('tps_per_second') or []
        for key, value in record['figures'].items():
            values.setdefault(record['arm'], {}).setdefault(key, {})[record['round']] = value
    first = plan.arm_list()[0].name
    result = {}
    for arm, figures in values.items():
        result[arm] = {}
        for key, rounds in figures.items():
            entry = statistics.over_rounds(rounds.values())
            if entry is not None:
                entry['ratio'] = _ratio(key, rounds, values[first].get(key, {}), seconds[arm],
                                        seconds[first])
            result[arm][key] = entry
    return result


def compare(records, key, arm, base):
    """The ratio of two arms of a comparison in a figure: {median, interval, ...} or None."""
    def of(name):
        own = [record for record in records if record['arm'] == name]
        return ({record['round']: record['figures'].get(key) for record in own},
                {record['round']: record.get('tps_per_second') or [] for record in own})

    if key in SLICED:
        return _ratio_by_slices(records, SLICED[key], arm, base)
    (values, seconds), (base_values, base_seconds) = of(arm), of(base)
    return _ratio(key, values, base_values, seconds, base_seconds)


def _ratio_by_slices(records, name, arm, base):
    """Of two arms of slices: in each round the median of the ratios of neighbouring slices."""
    slices = [{record['round']: [one[name] for one in record['slices']] for record in records if record['arm'] == one_arm}
              for one_arm in (arm, base)]
    ratios = {number: statistics.median([one / other for one, other in zip(slices[0][number], slices[1][number])])
              for number in slices[0].keys() & slices[1].keys()}
    return statistics.ratio(ratios, dict.fromkeys(ratios, 1.0))


def _ratio(key, rounds, base, seconds, base_seconds):
    figure = PER_SECOND.get(key)
    if figure and all([*seconds.values(), *base_seconds.values()]):
        return statistics.resampled(seconds, base_seconds, figure)
    return statistics.ratio(rounds, base)


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
    """"1,523 (1,480–1,580)", the interval; a dash where there is no value."""
    if entry is None:
        return '–'
    low, high = entry['interval'] or (entry['median'],) * 2
    middle, low, high = (number(value / metric.divide, metric.digits)
                         for value in (entry['median'], low, high))
    return middle if low == high else f'{middle} ({low}–{high})'


def ratio_text(entry, metric):
    """"1.05x" where more is better, "17.0x less" or "1.20x more" where less is.

    "~" in front: no difference shown; "?" in front: too few rounds, or not all of them have a ratio.
    """
    ratio = entry and entry.get('ratio')
    if not ratio or not metric.better:
        return ''
    sign = {'none': '~', '': '?'}.get(statistics.verdict(ratio), '')
    return sign + _times(ratio['median'], metric)


def _times(value, metric):
    if metric.better == 'more':
        return f'{factor(value)}x'
    if value == 0:
        return 'none left'
    if f'{value:.2f}' == '1.00':
        return '1.00x'
    return f'{factor(1 / value)}x less' if value < 1 else f'{factor(value)}x more'


def claim_text(entry, metric):
    """The ratio in words with its interval: "1.05x (1.02–1.09)", "no difference shown (…)"."""
    ratio = entry and entry.get('ratio')
    if not ratio or not metric.better:
        return ''
    shown = statistics.verdict(ratio)
    if shown == '':
        why = 'not all rounds have it: no claim' if ratio.get('left_out') else 'too few rounds to claim'
        return f'{_times(ratio["median"], metric)} ({why})'
    low, high = ratio['interval']
    if shown == 'none':
        return f'no difference shown ({factor(low)}–{factor(high)})'
    if metric.better == 'less' and high == 0:
        return 'none left (in every round)'
    if metric.better == 'less' and shown == 'less':
        low, high = (1 / high, 1 / low if low else None)
    top = 'all of it' if high is None else factor(high)
    return f'{_times(ratio["median"], metric)} ({factor(low)}–{top})'


def factor(value):
    """A ratio with two digits after the point, one from ten on."""
    return f'{value:.1f}' if value >= 10 else f'{value:.2f}'


def rows(plan, summary, show=value_text, compare=claim_text):
    """Yield (section, None) and (label, [(value, ratio), ...]) where there are values."""
    names = [arm.name for arm in plan.arm_list()]
    for title, metrics in SECTIONS:
        found = [(metric, [summary[name].get(metric.key) for name in names]) for metric in metrics]
        found = [(metric, entries) for metric, entries in found if any(entries)]
        if found:
            yield title, None
        for metric, entries in found:
            yield metric.label, [(show(entry, metric), compare(entry, metric) if position else '')
                                 for position, entry in enumerate(entries)]


def one_line(figures):
    """A finished run in a few words, for the progress."""
    if 'pages_per_s' in figures:
        return f'{figures["pages_per_s"]:8,.0f} pages/s, {figures["page_machine_cpu_us"]:.1f} µs CPU per page'
    if 'accept_us' in figures:
        return f'{figures["accept_us"]:8.2f} µs per write, {figures["accept_beside"]:.2f} of stock'
    if 'tps_beside' in figures:
        return f'{figures["tps"]:8.0f} TPS, {figures["tps_beside"]:.4f} of the first arm'
    if 'task_s' in figures:
        return (f'{figures["task_s"]:8.2f} s, {figures["task_durable_s"]:.2f} s until all is on disk, '
                f'{figures["wal_bytes"] / 1e6:.0f} MB of WAL')
    return (f'{figures["tps"]:8.0f} TPS, slowest second {figures["second_min"]:.0f}, '
            f'{figures["wal_per_transaction"]:.0f} B of WAL per transaction')


def letters(plan):
    return [f'({chr(ord("a") + position)})' for position in range(len(plan.arm_list()))]


# ---- text and Markdown -------------------------------------------------------------------

def text_table(plan, summary):
    """The table for a terminal."""
    arms = plan.arm_list()
    body = list(rows(plan, summary, short_text, ratio_text))
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


def under_checkpoint(record):
    """Share of the measured seconds of a load in which a checkpoint was under way."""
    return sum(point['to'] - point['from'] for point in record['checkpoints']) / len(record['tps_per_second'])


def rounds_without_checkpoint(records):
    """{arm: rounds of a load that had a checkpoint in too few of their measured seconds}"""
    without = {}
    for record in records:
        if record['tps_per_second'] and under_checkpoint(record) < CHECKPOINT_SHARE:
            without.setdefault(record['arm'], []).append(record['round'])
    return without


def without_checkpoint(records):
    """A sentence where rounds had no checkpoint in their measured seconds, else none."""
    without = rounds_without_checkpoint(records)
    if not without:
        return []
    if sum(map(len, without.values())) == sum(bool(record['tps_per_second']) for record in records):
        return [NO_CHECKPOINT.format(which='any run')]
    return [NO_CHECKPOINT.format(which=_which(without))]


def not_caught_up(records):
    """A sentence where a standby was not waited for any longer, else none."""
    late = {}
    for record in records:
        if record.get('replica') and record['replica']['catch_up_s'] is None:
            late.setdefault(record['arm'], []).append(record['round'])
    return [NOT_CAUGHT_UP.format(which=_which(late))] if late else []


def _which(rounds_of):
    """{arm: rounds} in words."""
    return '; '.join(f'{arm}: round{"s" * (len(rounds) > 1)} {", ".join(map(str, sorted(rounds)))}'
                     for arm, rounds in rounds_of.items())


def remarks(records):
    """Sentences about what is missing in some rounds."""
    return without_checkpoint(records) + not_caught_up(records)


def notes(plan, summary, spread):
    """Sentences a reader needs beside the table; spread says how the table shows it."""
    claim = NO_CLAIM if plan.rounds < statistics.ROUNDS_TO_CLAIM else CLAIM.format(
        rounds=plan.rounds, coverage=statistics.coverage(plan.rounds))
    result = [LEGEND.format(spread=spread, claim=claim)]
    if plan.task:
        result.append(TASK)
    elif plan.is_load():
        result += [WHOLE, IMAGES.format(timeout=plan.checkpoint_timeout, size=plan.max_wal_size)]
    result += [f'{letter} {arm.title}: {arm.warning}.'
               for letter, arm in zip(letters(plan), plan.arm_list()) if arm.warning]
    if plan.is_load() and any(
            entry['checkpoints_begun']['median'] > entry['checkpoints_finished']['median']
            for entry in summary.values()):
        result.append(UNFINISHED)
    if plan.is_load():
        result.append(BUFFERED)
    if plan.task or plan.is_load() and not plan.no_drain:
        result.append(DRAINED)
    if plan.directory:
        result.append(SHARED)
    return result


def conditions(plan, environment):
    """What was run on what, in a few lines."""
    what = f'{plan.load_title()}, {plan.rounds} rounds'
    if plan.has_server_settings():
        what = (f'{plan.load_title()}, scale {plan.scale}, {plan.clients} clients, {plan.rounds} rounds of '
                f'{plan.work()}, checkpoint_timeout {plan.checkpoint_timeout}, max_wal_size {plan.max_wal_size}, '
                f'shared_buffers {plan.shared_buffers}' + plan.more_settings())
    return [
        f'{what}; {" ".join(environment["filesystem"].split())}; disk: {plan.disk_title()}'
        + ('; WAL on another volume.' if plan.wal_volume else '.'),
        f'{environment["postgres"]}; Linux {environment["kernel"]}; {environment["processors"]} × '
        f'{environment["processor"]}, {environment["memory_mb"] // 1024} GiB.']


# ---- files -------------------------------------------------------------------------------

def write(plan, records, environment, directory):
    """Write all reports into directory; returns what the terminal shows."""
    summary = summarise(plan, records)
    head = conditions(plan, environment)
    noise = noise_of(records)
    noise = remarks(records) + noise
    tail = notes(plan, summary, '± is half the distance from lowest to highest') + noise
    table = text_table(plan, summary)
    width = max(len(line) for line in table.splitlines())
    shown = '\n'.join(_wrap(head, width) + ['', table] + _wrap(tail, width))
    (directory / 'table.txt').write_text(shown + '\n')
    tail = notes(plan, summary, 'the interval in parentheses') + noise
    picture = [] if not plan.is_load() else ['# TPS over time', '![TPS over time](tps.svg)']
    (directory / 'report.md').write_text('\n\n'.join(
        picture + ['# Figures', markdown_table(plan, summary)]
        + tail + ['# Conditions'] + head + ['Repeat:', f'    {plan.command()}']) + '\n')
    _write_runs(directory / 'results.csv', records)
    (directory / 'results.json').write_text(json.dumps(
        {'command': plan.command(), 'environment': environment, 'plan': vars(plan),
         'summary': summary, 'runs': records}, indent=1) + '\n')
    return shown


def noisy(record):
    """Share of the processors that other programs used in a run, or just before it; 0: none worth a word."""
    machine = record['machine']
    elapsed = sum(machine.get(name, 0) for name in ('cpu_used_s', 'cpu_idle_s', 'cpu_iowait_s', 'cpu_stolen_s'))
    share = max(machine['background_cpu'], machine.get('others_cpu_s', 0) / elapsed if elapsed else 0)
    return min(share, 1.0) if share > BUSY_SHARE else 0.0


def stolen(record):
    """Share of the processor time of a run that the host took away; 0: none worth a word."""
    share = record['machine']['cpu_stolen_s'] / max(record['machine']['cpu_used_s'], 1)
    return share if share > BUSY_SHARE else 0.0


def disturbed(record):
    """Whether other programs, or the host, took so much of the processors in a run that its figures are not to be trusted."""
    return bool(noisy(record) or stolen(record))


def noise_of(records):
    """Warnings when other programs were at work, with the rounds."""
    busy = {}
    for record in records:
        if noisy(record):
            busy.setdefault(record['round'], []).append((noisy(record), record['arm']))
    most_stolen = max(map(stolen, records))
    result = []
    if busy:
        rounds = ', '.join(f'{number} ({", ".join(arm for _, arm in found)})' for number, found in sorted(busy.items()))
        most = max(share for found in busy.values() for share, _ in found)
        result.append(f'NOISY: other programs used up to {most:.0%} of the processors in round {rounds}: do not trust '
                      'TPS, times and latencies.')
    if most_stolen:
        result.append(f'NOISY: the host took {most_stolen:.0%} of the processor time of a run away.')
    return result


def _wrap(lines, width):
    return [part for line in lines for part in textwrap.wrap(line, width)]


def _write_runs(path, records):
    """One line per run with every figure."""
    names = list(dict.fromkeys(name for record in records for name in record['figures']))
    with path.open('w', newline='') as file:
        writer = csv.writer(file)
        machine = ['background_cpu', 'others_cpu_s', 'cpu_used_s', 'cpu_stolen_s']
        writer.writerow(['round', 'arm', 'method', 'noisy', *machine, *names])
        for record in sorted(records, key=lambda item: (item['round'], item['arm'])):
            writer.writerow([record['round'], record['arm'], measure.method(record),
                             'NOISY' if disturbed(record) else '', *(record['machine'].get(name) for name in machine),
                             *(record['figures'].get(name) for name in names)])
