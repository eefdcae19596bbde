"""Balanced accuracy: the plain mean of the classes' recall, so that rare classes count as much.

The mean is over the classes that have pictures, as with scikit-learn's; where all have equally many
it is the accuracy. `among` names the classes instead, and one without pictures counts as 0.
"""

import numpy as np
from numpy.typing import ArrayLike

from hf_resnet.metrics.arrays import FloatArray, IntArray, class_numbers
from hf_resnet.metrics.f1 import share, table
from hf_resnet.metrics.intervals import Counts, Interval, bootstrap


def balanced_accuracy(
    truth_N: ArrayLike, answers_N: ArrayLike, among: ArrayLike | None = None
) -> float:
    matrix_KK, among_M = table(truth_N, answers_N, _among(truth_N, among))
    return float(_mean_recall(Counts.of(matrix_KK), among_M))


def balanced_accuracy_interval(
    truth_N: ArrayLike, answers_N: ArrayLike, among: ArrayLike | None = None, *, seed: int = 0
) -> Interval:
    """By stratified bootstrap."""
    matrix_KK, among_M = table(truth_N, answers_N, _among(truth_N, among))
    return bootstrap(matrix_KK, lambda counts: _mean_recall(counts, among_M), seed=seed)


def _among(truth_N: ArrayLike, among: ArrayLike | None) -> ArrayLike:
    return np.unique(class_numbers(truth_N, "truth")) if among is None else among


def _mean_recall(counts: Counts, among_M: IntArray) -> FloatArray:
    mean: FloatArray = share(counts.right_K, counts.support_K)[..., among_M].mean(axis=-1)
    return mean
