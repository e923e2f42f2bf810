"""The HTML report: one file, no script, no network, light and dark."""

import html
import json
import pathlib

from . import claims, measure, options, report, svg, wal

STYLE = '''
:root { color-scheme: light dark; --ink: #1f2328; --soft: #5b6470; --line: #d5dae0; --page: #ffffff;
  --box: #f5f7f9; --bad: #b3261e; --good: #1a6f3c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #9aa4af; --line: #363d46;
  --page: #14181d; --box: #1c2229; --bad: #ff8a80; --good: #7bd39b; } }
body { background: var(--page); color: var(--ink); max-width: 1080px; margin: 2em auto; padding: 0 1em;
  font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.6em; } h2 { font-size: 1.25em; margin: 2.2em 0 .4em; border-top: 1px solid var(--line);
  padding-top: 1em; } h3 { font-size: 1em; margin: 1.4em 0 .2em; }
table { border-collapse: collapse; font-size: 13px; margin: .6em 0; } .wide { overflow-x: auto; }
th, td { padding: 3px 9px; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
th:first-child, td:first-child, .words { text-align: left; } td.verdict { white-space: nowrap; }
tr.section td { font-weight: 600; padding-top: .8em; }
svg { width: 100%; height: auto; background: var(--box); border-radius: 6px; }
svg text { fill: var(--ink); font: 12px system-ui, "DejaVu Sans", sans-serif; } svg text.unit { fill: var(--soft); }
svg .grid { stroke: var(--line); } svg .frame { stroke: var(--soft); stroke-dasharray: 3 3; }
svg .whisker { stroke: var(--ink); stroke-width: 1.3; }
.note, .ratio { color: var(--soft); font-size: 12.5px; } .ratio { display: block; }
.loss { color: var(--bad); } .gain { color: var(--good); } .noisy { color: var(--bad); font-weight: 600; }
.part { display: inline-block; width: 13px; height: 10px; background: var(--soft); margin: 0 3px 0 10px; }
pre { background: var(--box); padding: .7em; border-radius: 6px; overflow-x: auto; font-size: 12.5px; }
'''


def load(directory):
    """Read a comparison back from its directory."""
    directory = pathlib.Path(directory)
    plan = options.Plan.load(directory / 'plan.json')
    plan.results = str(directory)
    records = [json.loads(path.read_text())
               for path in sorted(directory.glob('runs/*/run.json'))]
    plan.methods = measure.methods(records)
    environment = json.loads((directory / 'environment.json').read_text())
    fio = directory / 'fio.json'
    return claims.Result(directory.name, plan, records, environment,
                         report.summarise(plan, records),
                         json.loads(fio.read_text()) if fio.exists() else [], directory)


def write(results, target, title, unfinished=()):
    """Write the report of some comparisons; unfinished: claims.Unfinished ones of a suite."""
    parts = ['<!DOCTYPE html><html lang="en"><meta charset="utf-8">',
             '<meta name="viewport" content="width=device-width">',
             f'<title>{html.escape(title)}</title><style>{STYLE}</style>',
             f'<h1>{html.escape(title)}</h1>',
             *(f'<p>{html.escape(report.conditions(first.plan, first.environment)[1])}</p>' for first in results[:1]),
             _noise(results), _list(claims.unfinished(unfinished), 'noisy'), _targets(results, unfinished),
             *((_losses(results), _headlines(results)) if results else ()),
             *(_wear(result) for result in results), _baselines(results)]
    parts += [_comparison(result) for result in results]
    target.write_text('\n'.join(parts) + '</html>\n')


def _list(lines, kind=''):
    return '' if not lines else '<ul>' + ''.join(f'<li class="{kind}">{html.escape(line)}</li>' for line in lines) + '</ul>'


def _noise(results):
    lines = claims.noise(results)
    return _list(lines, 'noisy') if lines else ''


def _targets(results, unfinished):
    rows = claims.targets(results, unfinished)
    if not rows:
        return ''
    kinds = {'reached': 'gain', 'not reached': 'loss', 'failed': 'loss'}
    body = ''.join(f'<tr><td class="verdict {kinds.get(row[0], "")}">{row[0]}</td>'
                   + ''.join(f'<td class="words">{html.escape(cell)}</td>' for cell in row[1:]) + '</tr>'
                   for row in rows)
    heads = ''.join(f'<th class="words">{head}</th>' for head in claims.TARGET_HEADS)
    return (f'<h2>Targets</h2><p class="note">{claims.TARGET_NOTE}</p><div class="wide"><table>'
            f'<tr>{heads}</tr>{body}</table></div>')


def _losses(results):
    head, lines = claims.losses_text(results)
    return (f'<h2>Where smgr_atomic loses</h2><p>{html.escape(head)}</p>'
            + (_list(lines, 'loss') if lines else ''))


def _headlines(results):
    """Two tables: loads and timed statements."""
    parts = ['<h2>At a glance</h2><p class="note">smgr_atomic against the first arm of each comparison, round by '
             'round, with the interval of the median. “No difference shown”: the interval includes 1. “Of the unsafe '
             'bound”: against stock with images off.</p>']
    for tasks, keys in ((False, claims.HEADLINE), (True, claims.TASK_HEADLINE)):
        chosen = [result for result in results if bool(result.plan.task) == tasks]
        if not chosen:
            continue
        titles = ['comparison', 'arm', 'against', 'disk', *(title for _, title in keys), 'of the unsafe bound']
        parts.append('<div class="wide"><table><tr>' + ''.join(f'<th>{title}</th>' for title in titles)
                     + '</tr>')
        for result in chosen:
            for arm, cells, near in claims.headline(result):
                words = [*((word, '') for word in (result.name, arm.title, result.plan.arm_list()[0].title,
                                                   result.plan.disk_title())), *cells, near]
                parts.append('<tr>' + ''.join(f'<td class="{kind}">{html.escape(word)}</td>'
                                              for word, kind in words) + '</tr>')
        parts.append('</table></div>')
    return ''.join(parts)


def _wear(result):
    rows = claims.wear(result)
    if not rows:
        return ''
    table = ''.join('<tr>' + ''.join(f'<td>{html.escape(cell)}</td>' for cell in row) + '</tr>' for row in rows)
    heads = ''.join(f'<th>{html.escape(head)}</th>' for head in claims.wear_head(result))
    return (f'<h2>Wear</h2><p class="note">{html.escape(claims.WEAR_NOTE)}</p><div class="wide"><table>'
            f'<tr>{heads}</tr>{table}</table></div>')


def _baselines(results):
    """What the disk can do, for each comparison that measured it."""
    parts, seen = [], set()
    for result in results:
        disk = result.plan.disk_title()
        if not result.fio or disk in seen:
            continue
        seen.add(disk)
        rows = [(job['title'], '#7d8fa3', [(job.get('iops', 0), 'writes')], None, _fio_note(job))
                for job in result.fio]
        parts.append(f'<h3>{html.escape(disk)}</h3>'
                     + svg.bars(rows, '8 KiB writes per second', 'what the disk can do'))
    if not parts:
        return ''
    return ('<h2>What the disk can do by itself</h2><p class="note">Random 8 KiB overwrites of one file of '
            '1 GiB on the same volume, before any server ran (fio; atomic ones by atomicwrite, io_uring, '
            'where fio cannot).</p>' + ''.join(parts))


def _fio_note(job):
    if 'refused' in job:
        return 'refused: ' + job['refused']
    return f'{job["iops"]:,.0f}/s, {job["cpu_us"]:.0f} µs CPU'


def _comparison(result):
    plan = result.plan
    head = report.conditions(plan, result.environment)[0]
    parts = [f'<h2 id="{html.escape(result.name)}">{html.escape(result.name)}</h2>',
             f'<p class="note">{html.escape(head)}</p>']
    parts.append(_list(report.remarks(result.records)))
    if plan.driver == 'slices':
        parts += [_simple_bars(result, 'tps', 'transactions per second, median of slices')]
    elif not plan.has_server_settings():
        parts += [_simple_bars(result, 'pages_per_s', 'pages per second'),
                  _simple_bars(result, 'page_machine_cpu_us', 'processor time of the machine per page, µs'),
                  _simple_bars(result, 'accept_us', 'time of one write, µs', '{:,.2f}')]
    elif plan.task:
        parts += [_task_bars(result), _list(claims.disk_share(result))]
    else:
        noisy = {record['round'] for record in result.records if report.noisy(record)}
        parts += ['<h3>TPS over time</h3>', svg.tps_over_time(plan, result.records, noisy),
                  '<h3>Latency</h3>', svg.latency(plan, result.records), _extents(result)]
    parts += [_wal_bars(result), _recovery_bars(result), _write_bars(result), _images(result), _table(result),
              f'<p class="note">Repeat: </p><pre>{html.escape(plan.command())}</pre>']
    return '\n'.join(parts)


def _extents(result):
    chart = svg.extents_over_time(result.plan, result.records)
    return f'<h3>Extents of the largest file</h3>{chart}' if chart else ''


def _median(result, arm, key):
    entry = result.summary[arm.name].get(key)
    return entry['median'] if entry else 0


def _span(result, arm, key):
    entry = result.summary[arm.name].get(key)
    return entry and entry['interval']


def _bars(result, key, parts, unit, label, note='{:,.0f}'):
    """A bar for each arm that has a figure; parts(arm) gives its pieces."""
    rows = [(arm.title, arm.colour, parts(arm), _span(result, arm, key),
             note.format(_median(result, arm, key)) + (' UNSAFE' if arm.warning else ''))
            for arm in result.plan.arm_list() if result.summary[arm.name].get(key)]
    return svg.bars(rows, unit, label) if rows else ''


def _simple_bars(result, key, unit, note='{:,.0f}'):
    return _bars(result, key, lambda arm: [(_median(result, arm, key), unit)], unit, unit, note)


def _recovery_bars(result):
    names = ('redo', 'checkpoint after redo', 'the rest until connections, the page journal included')

    def parts(arm):
        redo, last = _median(result, arm, 'redo_s'), _median(result, arm, 'end_checkpoint_s')
        rest = max(_median(result, arm, 'ready_s') - redo - last, 0)
        return list(zip((redo, last, rest), names))

    chart = _bars(result, 'ready_s', parts, 'seconds', 'recovery after kill -9', '{:.2f}')
    return chart and ('<h3>Recovery after kill -9</h3>' + svg.explain(names) + chart)


def _task_bars(result):
    def parts(arm):
        statement = _median(result, arm, 'task_s')
        return [(statement, 'statement'), (_median(result, arm, 'task_durable_s') - statement,
                                           'then until on disk')]

    return ('<h3>Time of one repetition</h3>' + svg.explain(['statement', 'then until all is on disk'])
            + _bars(result, 'task_durable_s', parts, 'seconds', 'time of one repetition', '{:.2f}'))


def _image_share(result, arm):
    """Share of full-page images in the bytes of the WAL that could still be read."""
    kinds = [kind for record in result.records if record['arm'] == arm.name and record.get('wal')
             for kind in record['wal']['kinds'].values()]
    images = sum(kind['image_bytes'] for kind in kinds)
    total = images + sum(kind['bytes'] for kind in kinds)
    return images / total if total else 0


def _wal_bars(result):
    def parts(arm):
        whole, share = _median(result, arm, 'wal_per_transaction'), _image_share(result, arm)
        return [(whole * (1 - share), 'records'), (whole * share, 'full-page images')]

    unit = 'bytes of WAL per ' + ('repetition' if result.plan.task else 'transaction')
    chart = _bars(result, 'wal_per_transaction', parts, unit, 'WAL')
    return chart and '<h3>WAL</h3>' + svg.explain(['records', 'full-page images']) + chart


def _write_bars(result):
    def parts(arm):
        whole = _median(result, arm, 'drained_bytes_per_transaction')
        log = min(_median(result, arm, 'drained_wal_per_transaction'), whole)
        return [(log, 'WAL'), (whole - log, 'all else')]

    unit = 'bytes to the device per ' + ('repetition' if result.plan.task else 'transaction')
    chart = _bars(result, 'drained_bytes_per_transaction', parts, unit, 'bytes to the device')
    if not chart:
        return ''
    return ('<h3>Bytes written to the device, until all was on disk</h3>'
            + svg.explain(['WAL', 'all else (pages, filesystem, partly filled WAL)']) + chart)


def _images(result):
    """Full-page images by kind of record, for each arm; from the WAL still there."""
    rows = []
    for arm in result.plan.arm_list():
        for record in result.records:
            if record['arm'] == arm.name and record.get('wal'):
                sample = record['wal']
                kinds = sorted(((kind['images'], name) for name, kind in sample['kinds'].items()
                                if kind.get('images')), reverse=True)[:6]
                rows += [(arm.title, name, f'{count:,}', f'{sample["bytes"] / 1e6:,.0f} MB '
                          f'({sample["share"]:.0%} of the run)', wal.EXPLAINED.get(name, ''))
                         for count, name in kinds]
                break
    if not rows:
        return ''
    body = ''.join('<tr>' + ''.join(f'<td>{html.escape(cell)}</td>' for cell in row) + '</tr>'
                   for row in rows)
    return ('<details><summary>Full-page images by kind of record (first round, WAL that could still be '
            'read)</summary><table><tr><th>arm</th><th>record</th><th>images</th><th>in</th><th></th></tr>'
            f'{body}</table></details>')


def _table(result):
    """Every figure with its interval and what it shows."""
    plan = result.plan
    heads = ''.join(f'<th>{html.escape(arm.title)}'
                    + (f'<br><span class="loss">{html.escape(arm.warning.split(":")[0])}</span>'
                       if arm.warning else '') + '</th>' for arm in plan.arm_list())
    body = []
    for label, cells in report.rows(plan, result.summary):
        if cells is None:
            body.append(f'<tr class="section"><td colspan="{len(plan.arm_list()) + 1}">'
                        f'{html.escape(label)}</td></tr>')
            continue
        body.append(f'<tr><td>{html.escape(label)}</td>' + ''.join(
            f'<td>{html.escape(value)}<span class="ratio">{html.escape(ratio)}</span></td>'
            for value, ratio in cells) + '</tr>')
    notes = report.notes(plan, result.summary, 'the interval in parentheses')
    return ('<details open><summary>All figures</summary><div class="wide"><table><tr><th></th>'
            f'{heads}</tr>{"".join(body)}</table></div>'
            + ''.join(f'<p class="note">{html.escape(note)}</p>' for note in notes) + '</details>')
