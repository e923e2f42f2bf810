"""Charts as inline SVG for the HTML report.

Text and lines take the colours of the page (class names and currentColor), so one picture is
readable on a light and on a dark page; arms have middle tones.
"""

import html
import math

from . import statistics

WIDTH = 960
LEFT, RIGHT = 78, 14
GAP = 0.04                  # between rounds, as a share of a round
LETTER = 7.4                # width of one in a text, about


def text(x, y, words, anchor='start', kind=''):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
            f'{f" class={chr(34)}{kind}{chr(34)}" if kind else ""}>{html.escape(words)}</text>')


def line(x1, y1, x2, y2, kind='grid'):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def rectangle(x, y, width, height, colour, opacity=1.0, title=''):
    inside = f'<title>{html.escape(title)}</title>' if title else ''
    return (f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}" '
            f'fill="{colour}" fill-opacity="{opacity}">{inside}</rect>')


def picture(height, parts, label):
    return (f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{html.escape(label)}">'
            + ''.join(parts) + '</svg>')


def short(value):
    """A number for an axis: 12000 -> "12k"."""
    for size, unit in ((1e9, 'G'), (1e6, 'M'), (1e3, 'k')):
        if abs(value) >= size:
            return f'{value / size:.3g}{unit}'
    return f'{value:.3g}'


def ticks(top, wanted=5):
    """Round numbers from 0 to top."""
    if top <= 0:
        return [0]
    step = 10 ** math.floor(math.log10(top / wanted))
    step = next(step * factor for factor in (1, 2, 5, 10) if top / (step * factor) <= wanted)
    return [step * number for number in range(int(top / step + 1e-9) + 1)]


def with_legend(arms, height, parts, label):
    """A picture under lines with the colours of the arms."""
    drawn, x, y = [], LEFT, 16
    for arm in arms:
        title = arm.title + (' (UNSAFE)' if arm.warning else '')
        wide = 42 + LETTER * len(title)
        if x > LEFT and x + wide > WIDTH:
            x, y = LEFT, y + 18
        drawn += [rectangle(x, y - 9, 14, 10, arm.colour), text(x + 19, y, title)]
        x += wide
    moved = f'<g transform="translate(0,{y - 16})">' + ''.join(parts) + '</g>'
    return picture(height + y - 16, [*drawn, moved], label)


# ---- TPS over time -----------------------------------------------------------------------

def tps_over_time(plan, records, noisy=()):
    """A line for each arm, rounds one after the other, checkpoints below; noisy: numbers of rounds."""
    arms = plan.arm_list()
    height, top_y, bottom_y = 330, 46, 250
    step = plan.duration * (1 + GAP)
    end = (plan.rounds - 1) * step + plan.duration
    most = max((value for record in records for value in record['tps_per_second']), default=1) or 1

    def x(second):
        return LEFT + (WIDTH - LEFT - RIGHT) * second / end

    def y(tps):
        return bottom_y - (bottom_y - top_y) * tps / (most * 1.05)

    parts = [text(14, 36, 'transactions per second', kind='unit')]
    for value in ticks(most):
        parts += [line(LEFT, y(value), WIDTH - RIGHT, y(value)),
                  text(LEFT - 6, y(value) + 4, short(value), 'end')]
    for number in range(plan.rounds):
        name = f'round {number + 1}' + (' NOISY' if number + 1 in noisy else '')
        parts += _round_frame(plan, number, name, number * step, x, top_y, bottom_y)
    for lane, arm in enumerate(arms):
        own = [record for record in records if record['arm'] == arm.name]
        for record in own:
            begin = (record['round'] - 1) * step
            points = ' '.join(f'{x(begin + second + 0.5):.1f},{y(tps):.1f}'
                              for second, tps in enumerate(record['tps_per_second']))
            parts.append(f'<polyline points="{points}" fill="none" stroke="{arm.colour}" '
                         'stroke-width="1.5"/>')
            lane_y = bottom_y + 26 + lane * 44 / max(len(arms), 1)
            parts += [rectangle(x(begin + point['from']), lane_y, x(point['to']) - x(point['from']),
                                5, arm.colour, title=_checkpoint_title(point))
                      for point in record['checkpoints']]
    parts += [text(14, bottom_y + 40, 'check-'), text(14, bottom_y + 54, 'points'),
              text(WIDTH / 2, height - 6, 'seconds since the start of the round', 'middle', 'unit')]
    return with_legend(plan.arm_list(), height, parts, 'transactions per second over time')


def _round_frame(plan, number, name, begin, x, top_y, bottom_y):
    """Seconds below a round, its name above it."""
    parts = [text(x(begin + plan.duration / 2), top_y - 4, name, 'middle', 'unit')]
    if number:
        parts.append(line(x(begin - plan.duration * GAP / 2), top_y, x(begin - plan.duration * GAP / 2),
                          bottom_y, 'frame'))
    for second in ticks(plan.duration, max(8 // plan.rounds, 2)):
        parts.append(text(x(begin + second), bottom_y + 17, f'{second:g}', 'middle'))
    return parts


def _checkpoint_title(point):
    if not point['finished']:
        return 'checkpoint, not finished in the run'
    return f'checkpoint: {point["buffers"]} pages, sync {point["sync_s"]} s'


# ---- latency -----------------------------------------------------------------------------

NINES = ((0.0, '0'), (0.5, '50'), (0.9, '90'), (0.99, '99'), (0.999, '99.9'), (0.9999, '99.99'))


def latency(plan, records):
    """Latency by percentile, all rounds of an arm together; both axes logarithmic."""
    curves = {arm.name: _curve(records, arm.name) for arm in plan.arm_list()}
    known = [ms for curve in curves.values() for _, ms in curve if ms > 0]
    if not known:
        return ''
    height, top_y, bottom_y = 290, 46, 250
    low, high = math.floor(math.log10(min(known))), math.ceil(math.log10(max(known)))
    high = max(high, low + 1)

    def x(share):
        return LEFT + (WIDTH - LEFT - RIGHT) * min(-math.log10(max(1 - share, 1e-5)), 4.3) / 4.3

    def y(ms):
        return bottom_y - (bottom_y - top_y) * (math.log10(ms) - low) / (high - low)

    parts = [text(14, 36, 'latency, ms', kind='unit')]
    for power in range(low, high + 1):
        parts += [line(LEFT, y(10 ** power), WIDTH - RIGHT, y(10 ** power)),
                  text(LEFT - 6, y(10 ** power) + 4, f'{10.0 ** power:g}', 'end')]
    for share, name in NINES:
        parts += [line(x(share), top_y, x(share), bottom_y), text(x(share), bottom_y + 17, name, 'middle')]
    for arm in plan.arm_list():
        points = ' '.join(f'{x(share):.1f},{y(ms):.1f}' for share, ms in curves[arm.name])
        parts.append(f'<polyline points="{points}" fill="none" stroke="{arm.colour}" '
                     'stroke-width="1.8"/>')
    parts.append(text(WIDTH / 2, height - 4, 'percentile of transactions', 'middle', 'unit'))
    return with_legend(plan.arm_list(), height, parts, 'latency by percentile')


def _curve(records, arm):
    """[(share of transactions at most this slow, ms)], from the histograms of all rounds."""
    counts = {}
    for record in records:
        if record['arm'] == arm:
            for bucket, count in (record.get('histogram') or {}).items():
                counts[int(bucket)] = counts.get(int(bucket), 0) + count
    total, seen, result = sum(counts.values()), 0, []
    for bucket in sorted(counts):
        result.append((seen / total, statistics.bucket_ms(bucket)))
        seen += counts[bucket]
        result.append((min(seen / total, 1 - 1e-5), statistics.bucket_ms(bucket)))
    return result


# ---- extents -----------------------------------------------------------------------------

def extents_over_time(plan, records):
    """Extents of the largest file during the first round, a line for each arm."""
    own = {record['arm']: [(second, count) for second, count in record.get('extents_over_time') or []
                           if count is not None]
           for record in records if record['round'] == 1}
    most = max((count for points in own.values() for _, count in points), default=0)
    if not most:
        return ''
    height, top_y, bottom_y = 220, 46, 180

    def x(second):
        return LEFT + (WIDTH - LEFT - RIGHT) * min(second / plan.duration, 1)

    def y(count):
        return bottom_y - (bottom_y - top_y) * count / (most * 1.05)

    parts = [text(14, 36, 'extents', kind='unit')]
    for value in ticks(most, 4):
        parts += [line(LEFT, y(value), WIDTH - RIGHT, y(value)),
                  text(LEFT - 6, y(value) + 4, short(value), 'end')]
    parts += [text(x(second), bottom_y + 17, f'{second:g}', 'middle')
              for second in ticks(plan.duration, 8)]
    for arm in plan.arm_list():
        points = ' '.join(f'{x(second):.1f},{y(count):.1f}' for second, count in own.get(arm.name, []))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{arm.colour}" '
                     'stroke-width="1.8"/>')
    parts.append(text(WIDTH / 2, height - 4, 'seconds since the start of round 1', 'middle', 'unit'))
    return with_legend(plan.arm_list(), height, parts, 'extents of the largest file over time')


# ---- bars --------------------------------------------------------------------------------

def bars(rows, unit, label):
    """Horizontal stacked bars.

    rows: [(name, colour, [(value, what)], (low, high) or None, note)]; the parts of a bar are told
    apart by their strength, which explain() says in words.
    """
    most = max((max(sum(value for value, _ in parts), (span or (0, 0))[1])
                for _, _, parts, span, _ in rows), default=0) or 1
    height, row_height = 48 + 30 * len(rows), 30
    left = max(210, 16 + LETTER * max((len(name) for name, *_ in rows), default=0))
    room = WIDTH - left - 170

    def x(value):
        return left + room * value / most

    drawn = []
    for value in ticks(most):
        drawn += [line(x(value), 8, x(value), height - 38), text(x(value), height - 22, short(value), 'middle')]
    for number, (name, colour, parts, span, note) in enumerate(rows):
        y, begin = 10 + number * row_height, 0
        drawn.append(text(left - 8, y + 15, name, 'end'))
        for strength, (value, what) in zip(STRENGTHS, parts):
            drawn.append(rectangle(x(begin), y, x(begin + value) - x(begin), 20, colour, strength,
                                   f'{what}: {short(value)} {unit}'))
            begin += value
        if span:
            drawn += [line(x(span[0]), y + 10, x(span[1]), y + 10, 'whisker'),
                      *(line(x(end), y + 5, x(end), y + 15, 'whisker') for end in span)]
        drawn.append(text(x(max(begin, (span or (0, 0))[1])) + 7, y + 15, note))
    drawn.append(text(left + room / 2, height - 6, unit, 'middle', 'unit'))
    return picture(height, drawn, label)


STRENGTHS = (1.0, 0.55, 0.25)


def explain(names):
    """Which part of a bar is which, as HTML."""
    return ' '.join(f'<span class="part" style="opacity:{strength}"></span>{html.escape(name)}'
                    for strength, name in zip(STRENGTHS, names))
