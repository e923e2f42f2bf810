"""Markdown of results for a README: what stands between two marks is replaced.

    contrib-bench/bench --readme DIR [--readme-file README.md] [--readme-parts result,wear,targets]

The marks of a part: <!-- result:begin --> and <!-- result:end -->.
"""

import pathlib
import shutil

from . import claims, options, page, report

BEGIN, END = '<!-- {}:begin -->', '<!-- {}:end -->'
ROWS = ('wal_per_transaction', 'tps', 'second_cv', 'second_min', 'p99_ms', 'p999_ms',
        'drained_bytes_per_transaction')
TASK_ROWS = ('task_s', 'task_durable_s', 'task_pages_per_s', 'wal_bytes',
             'drained_bytes_per_transaction', 'bytes_per_page')


def replace(text, part, name='result'):
    """text with what stands between the marks of a name replaced."""
    begin, end = BEGIN.format(name), END.format(name)
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise options.PlanError(f'the file must have "{begin}" and then "{end}", each once')
    head, rest = text.split(begin)
    return f'{head}{begin}\n{part}\n{end}{rest.split(end)[1]}'


def write(directory, file, parts):
    """Put these parts of the results in a directory (one comparison or a suite) into a Markdown file."""
    file = pathlib.Path(file)
    results, unfinished = _read(pathlib.Path(directory))
    text = file.read_text()
    for name in parts.split(','):
        if name not in PARTS:
            raise options.PlanError(f'--readme-parts: there is no "{name}"; there are: {", ".join(PARTS)}')
        part = PARTS[name](results, unfinished, file)
        if not part:
            raise options.PlanError(f'--readme-parts: nothing in {directory} is for "{name}"')
        text = replace(text, part, name)
    file.write_text(text)


def _read(directory):
    """(results of all comparisons in a directory that are finished, those that are not)"""
    from .suite import Suite
    suite = (directory / 'suite.json').exists()
    results, unfinished = Suite.from_results(directory).collect() if suite else ([page.load(directory)], [])
    if not results:
        raise options.PlanError(f'no comparison in {directory} is finished')
    return results, unfinished


def _result_part(results, unfinished, file):
    picture = next((result for result in results if (result.directory / 'tps.svg').exists()), None)
    target = picture_of(file)
    if picture:
        target.parent.mkdir(exist_ok=True)
        shutil.copy(picture.directory / 'tps.svg', target)
    return section(results, unfinished, picture and str(target.relative_to(file.parent)), picture)


def picture_of(file):
    """Where the picture of a Markdown file goes: beside one in doc/, with its name; else to doc/."""
    return file.with_name(f'{file.stem}-tps.svg') if file.absolute().parent.name == 'doc' else \
        file.parent / 'doc' / 'tps.svg'


def _wear_part(results, _unfinished, _file):
    """The table of bytes per page, with what it was measured on."""
    tables = [(result, _wear(result)) for result in results]
    return '\n\n'.join('\n\n'.join([' '.join(report.conditions(result.plan, result.environment)), *_noise([result]),
                                     f'`{result.plan.command()}`', table]) for result, table in tables if table)


def _targets_part(results, unfinished, _file):
    table = _targets(results, unfinished)
    return table and '\n\n'.join([report.conditions(results[0].plan, results[0].environment)[1], *_noise(results),
                                   table])


PARTS = {'result': _result_part, 'wear': _wear_part, 'targets': _targets_part}


def section(results, unfinished=(), picture='', of=None):
    """Markdown: conditions, losses, headline table, figures of the first comparison, picture."""
    head = [f'**{line}**' for line in claims.unfinished(unfinished)] + [_targets(results, unfinished)]
    if not results:
        return '\n\n'.join(part for part in head if part)
    first = results[0]
    parts = [report.conditions(first.plan, first.environment)[1], *_noise(results), *head, _losses(results),
             '\n'.join(f'- {claims.named(results, result, line)}'
                       for result in results for line in claims.disk_share(result))]
    if len(results) > 1:
        parts += [_headlines(results, False), _headlines(results, True)]
    parts += [_wear(result) for result in results]
    parts += [f'{first.name}: `{first.plan.command()}`' if len(results) > 1
              else f'`{first.plan.command()}`',
              report.conditions(first.plan, first.environment)[0], *report.remarks(first.records),
              _figures(first)]
    if picture:
        parts += [f'![TPS over time{", " + of.name if len(results) > 1 else ""}]({picture})']
    parts.append('Medians and, in parentheses, their intervals over rounds. A ratio is claimed only '
                 'where its interval excludes 1.')
    return '\n\n'.join(part for part in parts if part)


def _noise(results):
    return [f'**{line}**' for line in claims.noise(results)]


def _targets(results, unfinished):
    """A table of what was to be reached, losses first."""
    rows = claims.targets(results, unfinished)
    if not rows:
        return ''
    head = [_row(claims.TARGET_HEADS), '|---' * len(claims.TARGET_HEADS) + '|']
    return '\n'.join([claims.TARGET_NOTE, '', *head,
                      *(_row([f'**{shown}**' if shown != 'reached' else shown, *cells]) for shown, *cells in rows)])


def _losses(results):
    head, lines = claims.losses_text(results)
    return '\n'.join([f'**Where smgr_atomic loses.** {head}', *([''] if lines else []),
                      *(f'- {line}' for line in lines)])


def _wear(result):
    rows = claims.wear(result)
    if not rows:
        return ''
    head = claims.wear_head(result)
    table = '\n'.join([_row(head), '|---|' + '---:|' * (len(head) - 1), *map(_row, rows)])
    return f'{claims.WEAR_NOTE}\n\n{table}'


def _row(cells):
    return '| ' + ' | '.join(cells) + ' |'


def _headlines(results, tasks):
    """One line for each comparison and arm of ours."""
    keys = claims.TASK_HEADLINE if tasks else claims.HEADLINE
    lines = [_row([result.name, arm.title, result.plan.arm_list()[0].title, result.plan.disk_title(),
                  *(text for text, _ in [*cells, near])])
             for result in results if bool(result.plan.task) == tasks
             for arm, cells, near in claims.headline(result)]
    head = ['comparison', 'arm', 'against', 'disk', *(title for _, title in keys), 'of the unsafe bound']
    return '\n'.join([_row(head), '|---' * len(head) + '|', *lines]) if lines else ''


def _figures(result):
    """The most asked figures of one comparison, with their claims."""
    arms = result.plan.arm_list()
    heads = [arm.title + (' (**unsafe**)' if arm.warning else '') for arm in arms]
    lines = [_row(['', *heads]), '|---|' + '---:|' * len(arms)]
    for key in TASK_ROWS if result.plan.task else ROWS:
        metric = report.METRICS[key]
        entries = [result.summary[arm.name].get(key) for arm in arms]
        if any(entries):
            cells = [report.value_text(entry, metric)
                     + (f', {claim}' if position and (claim := report.claim_text(entry, metric)) else '')
                     for position, entry in enumerate(entries)]
            lines.append(_row([claims.metric_name(metric), *cells]))
    return '\n'.join(lines)
