"""Numbers of one run, and of all rounds of an arm.  Nothing here knows where they come from."""

import collections
import math
import random

RESAMPLES = 2000
LEVEL = 0.95
SEED = 20261125             # intervals must be the same whenever the report is made again
ROUNDS_TO_CLAIM = 3         # with fewer nothing is claimed
BLOCK = 5                   # seconds
BUCKETS_PER_OCTAVE = 10
PERCENTILES = (('p50_ms', 0.5), ('p95_ms', 0.95), ('p99_ms', 0.99), ('p999_ms', 0.999),
               ('max_ms', 1.0))


def percentile(ordered, share):
    """Value below which the given share of a sorted sequence lies (nearest rank)."""
    if not ordered:
        raise ValueError('percentile of nothing')
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def median(values):
    """Middle value; the mean of the two in the middle."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError('median of nothing')
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def mean(values):
    return math.fsum(values) / len(values)


def deviation(values):
    """Standard deviation of a sample; 0 for a single value."""
    if len(values) < 2:
        return 0.0
    middle = mean(values)
    return math.sqrt(math.fsum((value - middle) ** 2 for value in values) / (len(values) - 1))


def variation(values):
    """Coefficient of variation; None where the mean is 0."""
    middle = mean(values)
    return deviation(values) / middle if middle else None


def steadiness(tps):
    """Per-second TPS -> mean, standard deviation, coefficient of variation, minimum, slow seconds.

    cv is None when the mean is 0; slow_seconds counts seconds below half of the median.
    """
    middle = mean(tps)
    half = median(tps) / 2
    return {'second_mean': middle, 'second_sd': deviation(tps), 'second_cv': variation(tps),
            'second_min': min(tps), 'slow_seconds': sum(1 for value in tps if value < half)}


def latency(microseconds):
    """Latencies in µs -> percentiles in ms."""
    ordered = sorted(microseconds)
    return {name: percentile(ordered, share) / 1000 for name, share in PERCENTILES}


def histogram(microseconds):
    """Latencies in µs -> {bucket: count}; each bucket is a tenth of an octave (7 %) wide."""
    counts = collections.Counter(max(round(math.log2(max(value, 1)) * BUCKETS_PER_OCTAVE), 0)
                                 for value in microseconds)
    return {str(bucket): counts[bucket] for bucket in sorted(counts)}


def bucket_ms(bucket):
    """Middle of a bucket of histogram() in ms."""
    return 2 ** (int(bucket) / BUCKETS_PER_OCTAVE) / 1000


# ---- intervals ---------------------------------------------------------------------------
#
# The interval of a median over rounds lies between two of the sorted values, as many places from both
# ends as leave at least LEVEL: how surely it holds the true median, whatever the distribution, is a matter
# of counting, see coverage().  With fewer than nine rounds it is their range.  One round has no interval.
# Claims are made of ratios only, and three rounds on one side of 1 are no rarity by chance: theirs is
# the wider of that and the 95 % t interval of their logarithms.

T95 = {3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}     # by rounds


def _held(rounds, place):
    """How surely the true median lies between the values at this place (from 1) from both ends of sorted rounds."""
    return 1 - 2 * sum(math.comb(rounds, below) for below in range(place)) * 0.5 ** rounds


def _place(rounds):
    """The innermost place that leaves LEVEL; 1 where none does."""
    return max((place for place in range(2, rounds // 2 + 1) if _held(rounds, place) >= LEVEL), default=1)


def coverage(rounds):
    """How surely interval() of this many rounds holds the true median."""
    return _held(rounds, _place(rounds)) if rounds > 1 else 0.0


def interval(values):
    """Interval of the median: (low, high); None for fewer than two values."""
    ordered = sorted(values)
    if len(ordered) < 2:
        return None
    place = _place(len(ordered))
    return ordered[place - 1], ordered[-place]


def _middle_part(estimates):
    ordered = sorted(estimates)
    return (percentile(ordered, (1 - LEVEL) / 2), percentile(ordered, (1 + LEVEL) / 2))


def over_rounds(values):
    """One value per round -> {median, low, high, interval, rounds}; None without any value."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return {'median': median(known), 'low': min(known), 'high': max(known),
            'interval': interval(known), 'rounds': len(known)}


def ratio(values, base):
    """Ratios of two arms round by round, so that what changed between rounds cancels out.

    Both are {round: value}.
    """
    return _ratios_over_rounds([_quotient(values.get(number), base.get(number))
                                for number in sorted({*values, *base})])


def _ratios_over_rounds(ratios):
    """over_rounds() with the interval that claims need; without one where a round has no ratio.

    That may be the worst round: its base is 0.  Nor is there one where some ratios are 0 and others not: they
    have no logarithms.
    """
    entry = over_rounds(ratios)
    if entry is None:
        return None
    known = [value for value in ratios if value is not None]
    entry['left_out'] = len(ratios) - len(known)
    if len(known) in T95 and min(known) == 0 < max(known):
        entry['left_out'] += known.count(0)
    if entry['left_out']:
        entry['interval'] = None
    elif len(known) in T95 and min(known) > 0:
        logs = [math.log(value) for value in known]
        half = T95[len(known)] * deviation(logs) / math.sqrt(len(logs))
        low, high = entry['interval']
        entry['interval'] = (min(low, math.exp(mean(logs) - half)), max(high, math.exp(mean(logs) + half)))
    return entry


def resampled(seconds, base, figure):
    """Ratio of a figure of per-second TPS, {round: list} of two arms, with an interval.

    Rounds are drawn, then in each of them blocks of seconds: neighbours are alike, and a
    checkpoint takes several.  figure is a function of a list of seconds.  The interval also holds
    what ratio() would say; as there, it is None where a round has no ratio.
    """
    rounds = sorted({*seconds, *base})
    plain = _ratios_over_rounds([_quotient(figure(seconds[number]), figure(base[number]))
                                 if number in seconds and number in base else None for number in rounds])
    if plain is None or plain['interval'] is None:
        return plain
    source = random.Random(SEED)
    estimates = []
    for _ in range(RESAMPLES // 4):
        ratios = [_quotient(figure(_blocks(source, seconds[number])),
                            figure(_blocks(source, base[number])))
                  for number in source.choices(rounds, k=len(rounds))]
        estimates.append(median([math.inf if value is None else value for value in ratios]))
    low, high = _middle_part(estimates)
    plain['interval'] = (min(low, plain['interval'][0]), max(high, plain['interval'][1]))
    return plain


def _blocks(source, values):
    """As many seconds as values has, drawn in blocks of neighbours (circular)."""
    result = []
    while len(result) < len(values):
        start = source.randrange(len(values))
        result += [values[(start + step) % len(values)] for step in range(BLOCK)]
    return result[:len(values)]


def _quotient(value, base):
    return None if value is None or not base else value / base


def verdict(ratio_entry):
    """What a ratio shows: "more", "less", "none" (no difference shown) or "" (too few rounds)."""
    if not ratio_entry or ratio_entry.get('interval') is None \
            or ratio_entry['rounds'] < ROUNDS_TO_CLAIM:
        return ''
    low, high = ratio_entry['interval']
    return 'more' if low > 1 else 'less' if high < 1 else 'none'
