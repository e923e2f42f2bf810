"""What a comparison is to reach: "tps smgr_atomic/stock >= 0.95", judged by the interval of the ratio."""

import re
from dataclasses import dataclass

from . import report, statistics

PATTERN = re.compile(r'(\w+) +([\w-]+)/([\w-]+) +(>=|<=) +(\d+(?:\.\d+)?)')
REACHED, NOT_SHOWN, NOT_REACHED, FAILED = 'reached', 'not shown', 'not reached', 'failed'
ORDER = (FAILED, NOT_REACHED, NOT_SHOWN, REACHED)      # losses first


class TargetError(Exception):
    """A target says something that bench does not understand."""


@dataclass(frozen=True)
class Target:
    """The ratio of two arms in one figure: at least or at most the bound."""
    text: str
    key: str
    arm: str
    base: str
    at_least: bool
    bound: float


def parse(text):
    found = PATTERN.fullmatch(text.strip())
    if not found:
        raise TargetError(f'--target "{text}": write it as "tps smgr_atomic/stock >= 0.95"')
    key, arm, base, sign, bound = found.groups()
    if key not in report.METRICS:
        raise TargetError(f'--target "{text}": there is no figure "{key}"; there are: {", ".join(report.METRICS)}')
    return Target(text.strip(), key, arm, base, sign == '>=', float(bound))


def verdict(target, ratio):
    """Reached where the whole interval is beyond the bound, not reached where none of it is.

    ratio: {median, interval, rounds} or None.  What lies on both sides is not shown.
    """
    if ratio is None or ratio['interval'] is None or ratio['rounds'] < statistics.ROUNDS_TO_CLAIM:
        return NOT_SHOWN
    low, high = ratio['interval']
    if not target.at_least:
        low, high = -high, -low
    bound = target.bound if target.at_least else -target.bound
    return REACHED if low >= bound else NOT_REACHED if high < bound else NOT_SHOWN
