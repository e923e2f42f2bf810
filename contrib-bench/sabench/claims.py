"""What a comparison shows: gains, losses and how near the unsafe bound, with intervals."""

from dataclasses import dataclass

from . import report, statistics, targets as judge

# Why smgr_atomic can lose where it does: whatever the method, and by the method in force.
FULL = 'the pool fills up while a checkpoint writes'
WHY = {
    **dict.fromkeys(('second_cv', 'second_sd', 'second_min'), FULL),
    'p50_ms': 'see TPS', 'p95_ms': 'see TPS',
    **dict.fromkeys(('p99_ms', 'p999_ms'), 'sessions wait for room in the pool'),
    'tps': 'a page written at once is an operation of its own on the disk; the page cache merges neighbours and '
           'writes later',
    'server_cpu_us': 'the pool copies pages and its writers write each of them',
    'drained_bytes_per_transaction': 'the page cache merges several writes of one page before they '
                                     'reach the disk; what is written at once reaches it each time',
    'ready_s': 'see redo', 'redo_us': 'see redo',
    'redo_s': 'redo reads pages from disk that full-page images would have brought',
    **dict.fromkeys(('tps_beside', 'cpu_beside'), 'what the library adds to each read and write of a page'),
    **dict.fromkeys(('accept_us', 'accept_beside', 'accept_cpu_beside'),
                    'the page is copied into a slot, looked up and locked, and a writer may be woken'),
    'pages_per_s': 'handing over between processes, and making all durable at the end',
    'page_own_cpu_us': 'the pool copies pages and looks them up',
    **dict.fromkeys(('task_s', 'task_durable_s', 'task_pages_per_s'),
                    'pages leave one by one; in stock they wait in the page cache'),
}
WHY_METHOD = {
    'copy-on-write': {
        'tps': "XFS copy-on-write takes some 50 µs of processor time for each page; the page cache merges neighbours "
               'and writes later',
        'server_cpu_us': "the pool copies pages and the kernel's copy-on-write works in the writers",
        'machine_cpu_us': 'XFS copy-on-write',
        'data_bytes_per_page': 'XFS writes its log for each copy-on-write',
        'read_after_mb_s': 'copy-on-write leaves the file in many extents',
        **dict.fromkeys(('task_s', 'task_durable_s', 'task_pages_per_s'), 'pages leave at the pace of copy-on-write')},
    'page journal': {
        **dict.fromkeys(('tps', *(key for key in WHY if key.startswith('task_')), 'drained_bytes_per_transaction',
                         'data_bytes_per_page', 'bytes_per_page', 'machine_cpu_us'),
                        'pages that are not new are written twice, to the journal and then in place'),
        'task_s': 'pages that are not new are written twice, and fewer than in stock wait in the page cache at its end',
        'server_cpu_us': 'the pool copies pages and the writers fill the journal',
        'ready_s': 'the journal is read, and torn pages are repaired, before redo'},
}
# Where there is a standby, on the same machine.
KEEPS_UP = 'the standby keeps up, and takes processors and flushes of the device from the primary'
WHY_STANDBY = dict.fromkeys(('tps', 'second_cv', 'second_sd', 'second_min', 'machine_cpu_us'), KEEPS_UP)
SMALLEST = 0.01             # a difference below this is not worth a line


@dataclass
class Result:
    """One comparison as read back from its directory."""
    name: str
    plan: object
    records: list
    environment: dict
    summary: dict
    fio: list
    directory: object


@dataclass
class Unfinished:
    """A comparison of a suite without a result; reason: why it failed or, without a plan, was left out, '' if neither."""
    name: str
    plan: object
    reason: str

    @property
    def failed(self):
        return bool(self.plan and self.reason)


def unfinished(left):
    """A line for each comparison that failed or was left out, and one with those that were not made."""
    waiting = ', '.join(one.name for one in left if not one.reason)
    return ([f'{"Failed" if one.failed else "Left out"}: {one.name}: {" ".join(one.reason.split())}'
             for one in left if one.reason]
            + ([f'Not finished: {waiting}.'] if waiting else []))


def ours(plan):
    """Arms that run the product as it is."""
    return [arm for arm in plan.arm_list() if arm.library and not arm.warning]


def unsafe(plan):
    """The arm that is stock without images, or None."""
    return next((arm for arm in plan.arm_list()
                 if arm.full_page_writes == 'off' and not arm.library), None)


def losses(result):
    """Sentences about what smgr_atomic does worse than the first arm, its interval beyond 1.

    Every figure with a direction; the reason where one is known for the method in force.
    """
    found = []
    for arm in ours(result.plan):
        reasons = {**WHY, **WHY_METHOD.get(arm.method, {}), **(WHY_STANDBY if result.plan.standby_mb_s else {})}
        for key, metric in report.METRICS.items():
            entry = result.summary[arm.name].get(key)
            if entry and lost(entry, metric):
                found.append(f'{arm.title}: {metric_name(metric)} {report.claim_text(entry, metric)}'
                             + (f': {reasons[key]}' if key in reasons else ''))
    return found


def noise(results):
    """Warnings about what else was at work, each once with the comparisons it is about."""
    found = {}
    for result in results:
        for line in report.noise_of(result.records):
            found.setdefault(line, []).append(result.name)
    return [f'{line} ({", ".join(names)})' if len(results) > 1 else line
            for line, names in found.items()]


def losses_text(results):
    """(sentence that introduces the losses, the losses of all comparisons)."""
    lines = [named(results, result, line) for result in results for line in losses(result)]
    few = [result.name for result in results
           if result.plan.rounds < statistics.ROUNDS_TO_CLAIM]
    if lines:
        head = 'Against the first arm of each comparison, with the interval and, where one is known, the likely reason:'
    elif len(few) == len(results):
        head = (f'Fewer than {statistics.ROUNDS_TO_CLAIM} rounds can show nothing, neither losses nor '
                'gains.')
    else:
        head = 'Nowhere that these rounds could show.'
    return head, lines


def targets(results, left=()):
    """What was to be reached: [(verdict, comparison, target, ratio)], losses first; texts for a table.

    left: Unfinished ones; the targets of those that failed have failed.
    """
    rows = [(judge.FAILED, '', one.name, _target_text(one.plan, target), '–')
            for one in left if one.failed for target in one.plan.target_list()]
    for result in results:
        for target in result.plan.target_list():
            ratio = report.compare(result.records, target.key, target.arm, target.base)
            rows.append((*_judged(result, target, ratio), result.name, _target_text(result.plan, target),
                         ratio_text(ratio)))
    rows.sort(key=lambda row: judge.ORDER.index(row[0]))
    return [(verdict + mark, *texts) for verdict, mark, *texts in rows]


def _judged(result, target, ratio):
    """(verdict, mark behind it)"""
    records = [record for record in result.records if record['arm'] in (target.arm, target.base)]
    mark = ' (noisy)' if any(map(report.disturbed, records)) else ''
    if target.key in report.BETWEEN_CHECKPOINTS and report.rounds_without_checkpoint(records):
        if not result.plan.means_no_checkpoint():
            return judge.NOT_SHOWN, ' (no checkpoint)' + mark
        mark = ' (between checkpoints)' + mark
    return judge.verdict(target, ratio), mark


def _target_text(plan, target):
    titles = {arm.name: arm.title for arm in plan.arm_list()}
    return (f'{metric_name(report.METRICS[target.key])}: {titles[target.arm]} ÷ {titles[target.base]} '
            f'{"≥" if target.at_least else "≤"} {target.bound:g}')


def target_lines(results, left=()):
    """The same for a terminal."""
    return [f'{verdict}: {name}: {target}: {ratio}' for verdict, name, target, ratio in targets(results, left)]


TARGET_HEADS = ('', 'comparison', 'target', 'figure (interval)')
TARGET_NOTE = ('A target is reached where the whole interval of the ratio over rounds is beyond its bound, not reached '
               'where none of it is, and not shown otherwise. Nor are TPS, seconds and latencies judged by rounds '
               'without a checkpoint in a quarter of their measured seconds; "between checkpoints": the load is so short that '
               'there is none, and hardly a page was written; "noisy": other programs were at work, or the host was.')


def ratio_text(ratio):
    """"0.97 (0.94–1.01)" with as many digits as tell it from 1."""
    if ratio is None:
        return '–'
    values = [ratio['median'], *(ratio['interval'] or ())]
    digits = 1 if ratio['median'] >= 10 else 3 if all(abs(value - 1) < 0.05 for value in values) else 2
    middle, *ends = [f'{value:.{digits}f}' for value in values]
    return f'{middle} ({"–".join(ends)})' if ends else middle


def named(results, result, line):
    """A line about one of several comparisons says which; that of the only one does not."""
    return f'{result.name}: {line}' if len(results) > 1 else line


def disk_share(result):
    """For timed checkpoints: pages per second beside what the same disk does by itself."""
    best = {job['kind']: job for job in sorted(result.fio, key=lambda job: job.get('iops', 0))}
    lines = []
    for arm in ours(result.plan):
        entry = result.summary[arm.name].get('task_pages_per_s')
        if not entry:
            continue
        pages = entry['median']
        lines += _file_share(result, arm)
        for kind in ('atomic', 'direct'):
            if best.get(kind, {}).get('iops'):
                job = best[kind]
                lines.append(f'{arm.title} wrote {pages:,.0f} pages per second, '
                             f'{pages / job["iops"]:.2f} of what {job["tool"]} does by itself '
                             f'({job["title"]}: {job["iops"]:,.0f}).')
    return lines


def _file_share(result, arm):
    """The same beside fio on the file of the same run."""
    found = result.summary[arm.name]
    pages = report.value_text(found['task_pages_per_s'], report.METRICS['task_pages_per_s'])
    return [f'{arm.title} wrote {pages} pages per second, {ratio_text(found[share])} of {what} of the same file at depth '
            f'32 ({report.value_text(found[rate], report.METRICS[rate])}).'
            for share, rate, what in (('task_fio_share', 'file_fio_direct', "fio's direct writes"),
                                      ('task_atomic_share', 'file_fio_atomic', 'atomic writes'))
            if found.get(share)]


def metric_name(metric):
    """The label with its section where the label says too little alone."""
    section = next(title for title, metrics in report.SECTIONS if metric in metrics)
    alone = section in ('Throughput', 'Time of one repetition', 'Page writes', 'Largest file')
    return metric.label if alone else f'{section}: {metric.label}'


def lost(entry, metric):
    """Whether the interval of the ratio lies on the wrong side of 1, by more than SMALLEST."""
    ratio = entry.get('ratio')
    shown = statistics.verdict(ratio)
    wrong = {'more': 'less', 'less': 'more'}.get(metric.better)
    return shown == wrong and abs(ratio['median'] - 1) > SMALLEST


def against(result, key, arm, base):
    """The ratio of two arms of a comparison, as an entry that claim_text() understands."""
    return {'ratio': report.compare(result.records, key, arm.name, base.name)}


HEADLINE = (('wal_per_transaction', 'WAL per transaction'), ('tps', 'TPS'),
            ('second_cv', 'variation of TPS'), ('second_min', 'slowest second'),
            ('p99_ms', 'p99 latency'), ('drained_bytes_per_transaction', 'bytes to the device until all is on disk'))
TASK_HEADLINE = (('task_s', 'statement'), ('task_durable_s', 'until on disk'),
                 ('wal_bytes', 'WAL'), ('drained_bytes_per_transaction', 'bytes to the device until all is on disk'))

WEAR = (('wal_bytes_per_page', 'WAL'), ('data_bytes_per_page', 'all else'), ('bytes_per_page', 'together'))
WEAR_NOTE = ('Bytes written to the block device until all was on disk, WAL included, for each page the server '
             'wrote; in this comparison each page is changed once after a checkpoint and written once.')


def wear(result):
    """Of a comparison of profile wear: cells of a table, a row for each arm.  Else none."""
    if result.plan.profile != 'wear':
        return []
    return [[arm.title, *(report.value_text(result.summary[arm.name].get(key), report.METRICS[key])
                          for key, _ in WEAR),
             report.claim_text(result.summary[arm.name].get('bytes_per_page'),
                               report.METRICS['bytes_per_page']) if position else '']
            for position, arm in enumerate(result.plan.arm_list())]


def wear_head(result):
    return [f'{result.name}: bytes per page', *(title for _, title in WEAR),
            f'against {result.plan.arm_list()[0].title}']


def headline(result):
    """For each arm of ours: (arm, [claim against the first arm], claim against the unsafe bound).

    A claim is (text, "gain" | "loss" | "").
    """
    keys = TASK_HEADLINE if result.plan.task else HEADLINE
    bound, bound_key = unsafe(result.plan), 'task_s' if result.plan.task else 'tps'
    rows = []
    for arm in ours(result.plan) if result.plan.task or result.plan.is_load() else []:
        if arm.name != result.plan.arm_list()[0].name:
            cells = [_claim(result.summary[arm.name].get(key), key) for key, _ in keys]
            near = _claim(against(result, bound_key, arm, bound), bound_key) if bound else ('', '')
            rows.append((arm, cells, near))
    return rows


def _claim(entry, key):
    metric = report.METRICS[key]
    shown = statistics.verdict(entry and entry.get('ratio'))
    kind = 'gain' if shown == metric.better else 'loss' if shown in ('more', 'less') else ''
    return report.claim_text(entry, metric), kind
