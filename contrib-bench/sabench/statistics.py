"""Numbers of one run, and of all rounds of an arm.  Nothing here knows where they come from."""

import collections
import functools
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
# Percentile bootstrap of the median over rounds.  With five rounds or fewer it is the range of
# the rounds, so it can be no surer than that: see coverage().  One round has no interval.
# Claims are made of ratios only, and three rounds on one side of 1 are no rarity by chance: theirs is
# the wider of the bootstrap interval and the 95 % t interval of their logarithms.

T95 = {3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}     # by rounds

@functools.lru_cache(maxsize=None)
def _samples(count):
    """Draws of count indices with replacement, the same each time."""
    source = random.Random(SEED + count)
    return [source.choices(range(count), k=count) for _ in range(RESAMPLES)]


def interval(values):
    """Bootstrap interval of the median: (low, high); None for fewer than two values."""
    values = list(values)
    if len(values) < 2:
        return None
    return _middle_part([median([values[index] for index in draw])
                         for draw in _samples(len(values))])


def _middle_part(estimates):
    ordered = sorted(estimates)
    return (percentile(ordered, (1 - LEVEL) / 2), percentile(ordered, (1 + LEVEL) / 2))


def coverage(rounds):
    """How surely the range of this many rounds holds the true median: 1 - 2 (1/2)^n."""
    return min(LEVEL, 1 - 2 * 0.5 ** rounds) if rounds > 1 else 0.0


def over_rounds(values):
    """One value per round -> {median, low, high, interval, rounds}; None without any value."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return {'median': median(known), 'low': min(known), 'high': max(known),
            'interval': interval(known), 'rounds': len(known)}


def ratio(values, base):
    """Ratios of two arms round by round, so that what changed between rounds cancels out.

    Both are {round: value}.  Rounds that one lacks or whose base is 0 are left out.
    """
    shared = [number for number in values if values[number] is not None and base.get(number)]
    return _ratios_over_rounds([values[number] / base[number] for number in shared])


def _ratios_over_rounds(ratios):
    """over_rounds() with the interval that claims need."""
    entry = over_rounds(ratios)
    known = [value for value in ratios if value is not None]
    if len(known) in T95 and min(known) > 0:
        logs = [math.log(value) for value in known]
        half = T95[len(known)] * deviation(logs) / math.sqrt(len(logs))
        low, high = entry['interval']
        entry['interval'] = (min(low, math.exp(mean(logs) - half)), max(high, math.exp(mean(logs) + half)))
    return entry


def resampled(seconds, base, figure):
    """Ratio of a figure of per-second TPS, {round: list} of two arms, with an interval.

    Rounds are drawn, then in each of them blocks of seconds: neighbours are alike, and a
    checkpoint takes several.  figure is a function of a list of seconds; rounds in which it is
    None or the base's is 0 are left out.  The interval also holds what ratio() would say.
    """
    rounds = sorted(set(seconds) & set(base))
    plain = _ratios_over_rounds([_quotient(figure(seconds[number]), figure(base[number]))
                         for number in rounds])
    if plain is None or plain['interval'] is None:
        return plain
    source = random.Random(SEED)
    estimates = []
    for _ in range(RESAMPLES // 4):
        ratios = [_quotient(figure(_blocks(source, seconds[number])),
                            figure(_blocks(source, base[number])))
                  for number in source.choices(rounds, k=len(rounds))]
        known = [value for value in ratios if value is not None]
        estimates += [median(known)] if known else []
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
