"""Markdown of results for a README: the part between two marks is replaced.

    contrib-bench/bench --readme DIR [--readme-file README.md]
"""

import pathlib
import shutil

from . import claims, options, page, report

BEGIN, END = '<!-- result:begin -->', '<!-- result:end -->'
ROWS = ('wal_per_transaction', 'tps', 'second_cv', 'second_min', 'p99_ms', 'p999_ms', 'bytes_per_page')
TASK_ROWS = ('task_s', 'task_durable_s', 'task_pages_per_s', 'wal_bytes', 'bytes_per_page')


def replace(text, part):
    """text with the part between the marks replaced."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise options.PlanError(f'the file must have "{BEGIN}" and then "{END}", each once')
    head, rest = text.split(BEGIN)
    return f'{head}{BEGIN}\n{part}\n{END}{rest.split(END)[1]}'


def write(directory, file):
    """Put the results of a directory (one comparison or a suite) into a Markdown file."""
    directory, file = pathlib.Path(directory), pathlib.Path(file)
    if (directory / 'suite.json').exists():
        from .suite import Suite, complete
        suite = Suite.from_results(directory)
        results = [page.load(directory / name) for name, plan in suite.plans.items()
                   if complete(plan)]
    else:
        results = [page.load(directory)]
    if not results:
        raise options.PlanError(f'no comparison in {directory} is finished')
    picture = next((result for result in results if (result.directory / 'tps.svg').exists()), None)
    target = None
    if picture:
        target = file.parent / 'doc' / 'tps.svg'
        target.parent.mkdir(exist_ok=True)
        shutil.copy(picture.directory / 'tps.svg', target)
    file.write_text(replace(file.read_text(), section(results, picture and 'doc/tps.svg', picture)))


def section(results, picture='', of=None):
    """Markdown: conditions, losses, headline table, figures of the first comparison, picture."""
    first = results[0]
    noise = [f'**{line}**' for line in claims.noise(results)]
    parts = [report.conditions(first.plan, first.environment)[1], *noise, _losses(results),
             '\n'.join(f'- {claims.named(results, result, line)}'
                       for result in results for line in claims.disk_share(result))]
    if len(results) > 1:
        parts += [_headlines(results, False), _headlines(results, True)]
    parts += [_wear(result) for result in results]
    parts += [f'{first.name}: `{first.plan.command()}`' if len(results) > 1
              else f'`{first.plan.command()}`',
              report.conditions(first.plan, first.environment)[0], _figures(first)]
    if picture:
        parts += [f'![TPS over time{", " + of.name if len(results) > 1 else ""}]({picture})']
    parts.append('Medians and, in parentheses, their bootstrap intervals over rounds. A ratio is claimed only '
                 'where its interval excludes 1.')
    return '\n\n'.join(part for part in parts if part)


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
    lines = [_row([result.name, result.plan.disk().title, arm.title,
                  *(text for text, _ in [*cells, near])])
             for result in results if bool(result.plan.task) == tasks
             for arm, cells, near in claims.headline(result)]
    head = ['against stock', 'disk', 'arm', *(title for _, title in keys), 'of the unsafe bound']
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
