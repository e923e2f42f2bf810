"""Numbers of one run, and of all rounds of an arm.  Nothing here knows where they come from."""

import math


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


def steadiness(tps):
    """Per-second TPS -> mean, standard deviation, coefficient of variation, minimum, slow seconds.

    cv is None when the mean is 0; slow_seconds counts seconds below half of the median.
    """
    middle = mean(tps)
    spread = deviation(tps)
    half = median(tps) / 2
    return {'second_mean': middle, 'second_sd': spread,
            'second_cv': spread / middle if middle else None,
            'second_min': min(tps), 'slow_seconds': sum(1 for value in tps if value < half)}


def latency(microseconds):
    """Latencies in µs -> percentiles in ms."""
    ordered = sorted(microseconds)
    return {name: percentile(ordered, share) / 1000 for name, share in (
        ('p50_ms', 0.5), ('p95_ms', 0.95), ('p99_ms', 0.99), ('p999_ms', 0.999), ('max_ms', 1.0))}


def over_rounds(values):
    """One value per round -> {median, low, high, rounds}; None where no round has a value."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return {'median': median(known), 'low': min(known), 'high': max(known), 'rounds': len(known)}


def ratio(values, base):
    """Ratios of two arms round by round, so that what changed between rounds cancels out.

    Both are {round: value}.  Rounds that one lacks or whose base is 0 are left out.
    """
    shared = [number for number in values if values[number] is not None and base.get(number)]
    return over_rounds([values[number] / base[number] for number in shared])
