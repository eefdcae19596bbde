"""AUROC: how often a picture of a class has a higher score for it than a picture of another; ties
count half. Of several classes the plain mean over those that have pictures, each against all others.

The interval resamples nothing. Every picture's part in the figure is known (its placement: which
share of the others it stands above, or below), so the variance over classes drawn anew follows from
those parts (DeLong et al. 1988, for the mean of several curves), and the interval is Wilson's of a
share as sure as that. What surprises: equal probabilities that a network rounds to 1 are ties.
"""

import numpy as np
from numpy.typing import ArrayLike

from hf_resnet.metrics.arrays import Array, FloatArray, IntArray, scored
from hf_resnet.metrics.intervals import Interval, wilson


def auroc(truth_N: ArrayLike, scores_NK: ArrayLike) -> float:
    """One class against the others, averaged; ValueError where no class has others to stand against."""
    truth_N, scores_NK = scored(truth_N, scores_NK)
    return float(np.mean([_area(*parts) for parts in _each_class(truth_N, scores_NK)]))


def auroc_interval(truth_N: ArrayLike, scores_NK: ArrayLike) -> Interval:
    truth_N, scores_NK = scored(truth_N, scores_NK)
    part_N, areas = np.zeros(len(truth_N)), []
    for is_class_N, score_N in _each_class(truth_N, scores_NK):
        above_N = _placements(is_class_N, score_N)
        part_N[is_class_N] += above_N[is_class_N] / is_class_N.sum()
        part_N[~is_class_N] += above_N[~is_class_N] / (~is_class_N).sum()
        areas.append(above_N[is_class_N].mean())
    return _interval(float(np.mean(areas)), part_N / len(areas), truth_N)


def two_sided_auroc(inside_N: ArrayLike, outside_M: ArrayLike) -> tuple[float, Interval]:
    """How often a number of `inside` is above one of `outside`, and its interval."""
    score_N = np.concatenate([np.asarray(inside_N, float), np.asarray(outside_M, float)])
    is_inside_N = np.arange(len(score_N)) < len(np.asarray(inside_N))
    if not is_inside_N.any() or is_inside_N.all() or not np.isfinite(score_N).all():
        raise ValueError("both sides need numbers, all finite")
    above_N = _placements(is_inside_N, score_N)
    size_N = np.where(is_inside_N, is_inside_N.sum(), (~is_inside_N).sum())
    area = float(above_N[is_inside_N].mean())
    return area, _interval(area, above_N / size_N, is_inside_N.astype(np.int64))


def _each_class(truth_N: IntArray, scores_NK: Array) -> list[tuple[Array, Array]]:
    """For each class with pictures: which they are, and the scores of all pictures for it."""
    present = np.unique(truth_N)
    if len(present) < 2:
        raise ValueError("the area under the curve needs pictures of at least two classes")
    return [(truth_N == k, scores_NK[:, k]) for k in present]


def _area(is_class_N: Array, score_N: Array) -> float:
    return float(_placements(is_class_N, score_N)[is_class_N].mean())


def _placements(is_class_N: Array, score_N: Array) -> FloatArray:
    """For a picture of the class the share of others below it; for another that of the class above."""
    inside, outside = np.sort(score_N[is_class_N]), np.sort(score_N[~is_class_N])
    above_N = np.empty(len(score_N))
    above_N[is_class_N] = _share_below(outside, score_N[is_class_N])
    above_N[~is_class_N] = 1 - _share_below(inside, score_N[~is_class_N])
    return above_N


def _share_below(ordered: Array, score_N: Array) -> FloatArray:
    """The share of the ordered numbers below each score, equal ones counted half."""
    low, high = (np.searchsorted(ordered, score_N, side) for side in ("left", "right"))
    share_N: FloatArray = (low + high) / (2 * len(ordered))
    return share_N


def _interval(area: float, part_N: FloatArray, stratum_N: IntArray) -> Interval:
    """Wilson's, of as many pictures as would make a share as sure as this mean is."""
    variance = sum(_variance_of_sum(part_N[stratum_N == each]) for each in np.unique(stratum_N))
    n = float(len(part_N))
    if 0 < area < 1 and variance > 0:
        n = min(n, area * (1 - area) / variance)
    return wilson(area * n, n)


def _variance_of_sum(part_M: FloatArray) -> float:
    return float(len(part_M) * part_M.var(ddof=1)) if len(part_M) > 1 else 0.0
