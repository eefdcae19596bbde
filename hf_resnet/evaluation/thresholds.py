"""When not to answer, and which classes to name: thresholds found on validation pictures.

Both are conformal: one picture more than there are is reckoned with, a wrong one, so that what they
promise holds for the next picture on average and not only for those they were found on. Neither holds
for pictures of another kind.
"""

from dataclasses import replace
from math import ceil

import numpy as np

from hf_resnet.errors import ConfigError
from hf_resnet.evaluation.figure import Figure
from hf_resnet.evaluation.studies import Abstain, Conformal
from hf_resnet.metrics import softmax
from hf_resnet.metrics.arrays import Array, IntArray


def abstain_at(truth_N: IntArray, logits_NK: Array, precision: float, split: str) -> Abstain:
    """The lowest threshold above which wrong answers, and one more, are few enough."""
    shares_NK = softmax(logits_NK)
    said_N, answer_N = shares_NK.max(axis=1), shares_NK.argmax(axis=1)
    order_N = np.argsort(-said_N, kind="stable")
    sure_N = said_N[order_N]
    wrong_N = np.cumsum(answer_N[order_N] != truth_N[order_N])
    count_N = np.arange(1, len(truth_N) + 1)
    # equally sure answers stand or fall together
    ends_N = np.append(sure_N[1:] < sure_N[:-1], True)
    enough_N = ends_N & ((wrong_N + 1) / (count_N + 1) <= 1 - precision + 1e-12)
    if not enough_N.any():
        raise ConfigError(
            f"--abstain_precision {precision:g} is not reached: however sure the answers, on the "
            f"{len(truth_N):,} {split} pictures too many are wrong, or they are too few to tell "
            f"({ceil(1 / (1 - precision)) - 1} sure and right ones at least); ask for less, or give "
            "more with --validation_dir"
        )
    last = int(np.flatnonzero(enough_N)[-1])
    everything = last == len(sure_N) - 1
    below = None if everything else float((sure_N[last] + sure_N[last + 1]) / 2)
    return Abstain(precision, below, len(truth_N), split, float((last + 1) / len(sure_N)))


def abstain_measured(found: Abstain, truth_N: IntArray, logits_NK: Array) -> Abstain:
    """The same with what it gives on other pictures."""
    shares_NK = softmax(logits_NK)
    answered_N = shares_NK.max(axis=1) >= (found.below or 0.0)
    right_N = answered_N & (shares_NK.argmax(axis=1) == truth_N)
    answered = int(answered_N.sum())
    share = Figure.of_share
    return replace(
        found,
        measured_coverage=share("Answered", answered, len(truth_N)),
        measured_precision=share("Right where answered", int(right_N.sum()), answered)
        if answered
        else None,
    )


def sets_at(truth_N: IntArray, logits_NK: Array, level: float, split: str) -> Conformal:
    """The largest threshold that names the true class for so many of the pictures, and one more."""
    n = len(truth_N)
    needed = ceil((n + 1) * level - 1e-9)
    if needed > n:
        raise ConfigError(
            f"--conformal {level:g} needs at least {ceil(level / (1 - level) - 1e-9)} {split} pictures, "
            f"got {n}; ask for less, or give more with --validation_dir"
        )
    true_N = softmax(logits_NK)[np.arange(n), truth_N]
    return Conformal(level, float(np.sort(true_N)[n - needed]), n, split)


def sets_measured(found: Conformal, truth_N: IntArray, logits_NK: Array) -> Conformal:
    """The same with what it gives on other pictures."""
    named_NK = softmax(logits_NK) >= found.least
    hit_N = named_NK[np.arange(len(truth_N)), truth_N]
    size_N = named_NK.sum(axis=1)
    return replace(
        found,
        measured_coverage=Figure.of_share("Right class named", int(hit_N.sum()), len(truth_N)),
        mean_size=float(size_N.mean()),
        empty=float((size_N == 0).mean()),
    )
