"""Pictures with gnuplot: TPS over time of all arms, checkpoints marked below.

SVG and PNG have no background of their own and use middle tones, so that they can be read on
a light and on a dark page.
"""

import subprocess

WIDTH, HEIGHT = 1100, 560
INK = '#7d7d7d'             # text and axes: contrast of 4:1 on white and on black
GAP = 0.04                  # between rounds, as a share of a round
KEY_TOP = 0.905             # of the picture's height, as the next two
KEY_ROW = 0.034             # a row names two arms
KEY_GAP = 0.01              # below it


class PictureError(Exception):
    """gnuplot failed; the message quotes it."""


def tps_over_time(plan, records, directory):
    """Write tps.svg, tps.png, the gnuplot script and its data; returns the path of the SVG;
    None for timed statements, which have no TPS."""
    if not plan.is_load():
        return None
    arms = plan.arm_list()
    step = plan.duration * (1 + GAP)
    for arm in arms:
        own = sorted((record for record in records if record['arm'] == arm.name),
                     key=lambda record: record['round'])
        _write_lines(directory / f'tps-{arm.name}.dat', own, step)
        _write_bars(directory / f'checkpoints-{arm.name}.dat', own, step, arms.index(arm))
    top = max(value for record in records for value in record['tps_per_second'])
    script = _script(plan, arms, step, top or 1)
    (directory / 'tps.gnuplot').write_text(script)
    done = subprocess.run(['gnuplot', 'tps.gnuplot'], cwd=directory, text=True,
                          capture_output=True, check=False)
    if done.returncode != 0 or not (directory / 'tps.svg').exists():
        raise PictureError(f'gnuplot: {done.stderr.strip()}')
    return directory / 'tps.svg'


def _write_lines(path, records, step):
    """Second and TPS; an empty line parts the rounds so that no line joins them."""
    with path.open('w') as file:
        file.write('# second (rounds one after the other)  TPS\n')
        for record in records:
            begin = (record['round'] - 1) * step
            for second, tps in enumerate(record['tps_per_second']):
                file.write(f'{begin + second + 0.5:.2f} {tps}\n')
            file.write('\n')


def _write_bars(path, records, step, lane):
    """Begin, lane and length of each checkpoint; one outside the picture if there is none."""
    with path.open('w') as file:
        file.write('# begin  lane  length of checkpoints, s\n')
        bars = [(record['round'], point) for record in records for point in record['checkpoints']]
        for number, point in bars:
            begin = (number - 1) * step + point['from']
            file.write(f'{begin:.2f} {-lane} {point["to"] - point["from"]:.2f}\n')
        if not bars:
            file.write(f'-1000 {-lane} 0\n')


def _tics(plan, step, labels):
    """Tics that count the seconds of each round anew, with or without their labels."""
    wanted = max(plan.rounds * plan.duration / 14, 1)
    size = next(value for value in (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600,
                                    7200, 10 ** 9) if value >= wanted)
    return ', '.join(f'"{second if labels else ""}" {number * step + second:.2f}'
                     for number in range(plan.rounds)
                     for second in range(0, plan.duration, size))


def _rounds(plan, step):
    """Name each round at the top and part it from the next."""
    lines = []
    for number in range(plan.rounds):
        middle = number * step + plan.duration / 2
        lines.append(f'set label "round {number + 1}" at {middle:.2f}, graph 0.965 center '
                     f'textcolor rgb "{INK}" font ",11"')
        if number:
            edge = number * step - plan.duration * GAP / 2
            lines.append(f'set arrow from {edge:.2f}, graph 0 to {edge:.2f}, graph 1 nohead '
                         f'dt 3 lc rgb "{INK}"')
    return '\n'.join(lines)


def _title(plan):
    return (f'{plan.load_title()}, scale {plan.scale}, {plan.clients} clients, checkpoint\\\\_timeout '
            f'{plan.checkpoint_timeout}, disk: {plan.disk_title()}').replace('"', '')


def _script(plan, arms, step, top):
    end = (plan.rounds - 1) * step + plan.duration
    key_end = KEY_TOP - KEY_ROW * ((len(arms) + 1) // 2) - KEY_GAP
    thin = 2 if plan.rounds * plan.duration <= 400 else 1.2
    lines = ', \\\n  '.join(
        f'"tps-{arm.name}.dat" with lines lw {thin} lc rgb "{arm.colour}" '
        f'title "{_plain(arm.title)}{" (UNSAFE)" if arm.warning else ""}"' for arm in arms)
    bars = ', \\\n  '.join(
        f'"checkpoints-{arm.name}.dat" using 1:2:3:(0) with vectors nohead lw 6 '
        f'lc rgb "{arm.colour}" notitle' for arm in arms)
    return f'''# Repeat with: gnuplot tps.gnuplot
do for [kind in "svg png"] {{
if (kind eq "svg") {{
  set terminal svg size {WIDTH},{HEIGHT} dynamic font "DejaVu Sans,Helvetica,sans-serif,13"
  set output "tps.svg"
}} else {{
  set terminal pngcairo size {WIDTH},{HEIGHT} transparent font "DejaVu Sans,11"
  set output "tps.png"
}}
set multiplot
set lmargin at screen 0.115
set rmargin at screen 0.985
set border 3 lc rgb "{INK}"
set xrange [0:{end:.2f}]
set key at screen 0.115, screen {KEY_TOP} horizontal left Left reverse textcolor rgb "{INK}" \
  samplen 2 font ",12"
set label 100 "{_title(plan)}" at screen 0.115, screen 0.965 textcolor rgb "{INK}" font ",12"
set tmargin at screen {key_end:.3f}
set bmargin at screen 0.25
set yrange [0:{top * 1.12:.2f}]
set ylabel "transactions per second" textcolor rgb "{INK}"
set ytics nomirror textcolor rgb "{INK}"
set xtics nomirror textcolor rgb "{INK}" ({_tics(plan, step, False)})
set grid ytics lt 1 lc rgb "#a07d7d7d" lw 1
{_rounds(plan, step)}
plot {lines}
unset label
unset key
unset ylabel
unset ytics
unset grid
set border 1 lc rgb "{INK}"
set tmargin at screen 0.225
set bmargin at screen 0.115
set yrange [{-len(arms) + 0.4:.1f}:0.6]
set xtics ({_tics(plan, step, True)})
set xlabel "seconds since the start of the round" textcolor rgb "{INK}"
set label "checkpoints" at screen 0.1, screen 0.17 right textcolor rgb "{INK}" font ",11"
plot {bars}
unset arrow
unset label
unset xlabel
unset multiplot
set output
}}
'''


def _plain(text):
    """Text for gnuplot's enhanced mode, in which an underscore lowers the next letter."""
    return text.replace('_', '\\\\_').replace('"', '')
