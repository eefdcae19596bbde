"""Two models on the same pictures: what counts is where one is right and the other is wrong.

`lost` are the pictures that only the other has right, `won` those that only the first has right.
"""

from math import exp, lgamma, log
from statistics import NormalDist

from hf_resnet.metrics.intervals import LEVEL, Interval


def mcnemar(lost: int, won: int) -> float:
    """McNemar's exact test: how likely so uneven a pair of counts is where a fair coin decides."""
    return min(1.0, 2 * at_least(max(lost, won), lost + won))


def at_least(heads: int, tosses: int) -> float:
    """How likely so many heads or more are, of a fair coin tossed so many times."""
    whole = lgamma(tosses + 1) - tosses * log(2)
    found = sum(
        exp(whole - lgamma(k + 1) - lgamma(tosses - k + 1)) for k in range(heads, tosses + 1)
    )
    return min(1.0, found)


def difference_interval(lost: int, won: int, n: int, level: float = LEVEL) -> Interval:
    """Of the difference of the two accuracies, (won - lost) / n, by Bonett and Price (2012)."""
    if n < 1 or min(lost, won) < 0 or lost + won > n:
        raise ValueError(f"lost and won are counts among n pictures: got {lost}, {won}, {n}")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    down, up = (lost + 1) / (n + 2), (won + 1) / (n + 2)
    reach = z * ((down + up - (up - down) ** 2) / (n + 2)) ** 0.5
    low, high = max(-1.0, up - down - reach), min(1.0, up - down + reach)
    difference = (won - lost) / n
    return Interval(min(low, difference), max(high, difference))
