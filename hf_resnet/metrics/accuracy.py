"""The share of pictures answered rightly: with the first answer, or within the first k.

Equal scores are ranked by class number, the smaller first, as np.argmax does; so top-1 is always
the accuracy. (scikit-learn's top_k_accuracy_score ranks the larger number first.)
"""

import warnings

import numpy as np
from numpy.typing import ArrayLike

from hf_resnet.metrics.arrays import IntArray, paired, scored
from hf_resnet.metrics.intervals import Interval, wilson


def accuracy(truth_N: ArrayLike, answers_N: ArrayLike) -> float:
    truth_N, answers_N = paired(truth_N, answers_N)
    return float((truth_N == answers_N).mean())


def accuracy_interval(truth_N: ArrayLike, answers_N: ArrayLike) -> Interval:
    truth_N, answers_N = paired(truth_N, answers_N)
    return wilson(int((truth_N == answers_N).sum()), len(truth_N))


def top_k_accuracy(truth_N: ArrayLike, scores_NK: ArrayLike, k: int = 5) -> float:
    """The share of pictures whose true class is among the k with the highest scores.

    A k above the number of classes is taken as that number, with a warning: the figure is then 1
    whatever the scores are.
    """
    ranks_N, k = _ranks(truth_N, scores_NK, k)
    return float((ranks_N < k).mean())


def top_k_accuracy_interval(truth_N: ArrayLike, scores_NK: ArrayLike, k: int = 5) -> Interval:
    ranks_N, k = _ranks(truth_N, scores_NK, k)
    return wilson(int((ranks_N < k).sum()), len(ranks_N))


def _ranks(truth_N: ArrayLike, scores_NK: ArrayLike, k: int) -> tuple[IntArray, int]:
    """How many classes stand before the true one of each picture; and k, clipped."""
    truth_N, scores_NK = scored(truth_N, scores_NK)
    if k < 1:
        raise ValueError(f"k is at least 1, got {k}")
    classes = scores_NK.shape[1]
    if k > classes:
        warnings.warn(
            f"k = {k} is taken as {classes}, since there are no more classes; "
            "every answer is then right",
            stacklevel=3,
        )
    true_N1 = np.take_along_axis(scores_NK, truth_N[:, None], axis=1)
    earlier_NK = np.arange(classes)[None, :] < truth_N[:, None]
    before_NK = (scores_NK > true_N1) | ((scores_NK == true_N1) & earlier_NK)
    return before_NK.sum(axis=1), min(k, classes)
