"""Precision, recall and F1 of each class; macro F1, their plain mean, and weighted F1, the mean
weighted with the pictures of each class.

Where a figure would divide by zero it is 0, as with scikit-learn's zero_division=0: the precision
of a class that was never answered, the recall of one without pictures, the F1 of either.

Which classes enter the mean is what surprises. Without `among` they are, as in scikit-learn, all
that occur among the truth or the answers: a class that is in neither has no F1 and is left out,
one that has no pictures but was answered counts as 0. `among` names the classes instead (as
scikit-learn's labels= does), and each of them counts, as 0 where it must.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hf_resnet.metrics.arrays import Array, FloatArray, IntArray, class_numbers, paired
from hf_resnet.metrics.confusion import confusion_matrix
from hf_resnet.metrics.intervals import Counts, Interval, bootstrap


@dataclass(frozen=True, eq=False)
class PerClass:
    """One entry a class: the figures, the pictures of the class, and how often it was answered."""

    precision_K: FloatArray
    recall_K: FloatArray
    f1_K: FloatArray
    support_K: IntArray
    answered_K: IntArray


def per_class(truth_N: ArrayLike, answers_N: ArrayLike, classes: int) -> PerClass:
    return per_class_of(confusion_matrix(truth_N, answers_N, classes))


def per_class_of(matrix_KK: IntArray) -> PerClass:
    """The same out of a confusion matrix."""
    counts = Counts.of(matrix_KK)
    return PerClass(
        precision_K=share(counts.right_K, counts.answered_K),
        recall_K=share(counts.right_K, counts.support_K),
        f1_K=_f1(counts),
        support_K=counts.support_K,
        answered_K=counts.answered_K,
    )


def macro_f1(truth_N: ArrayLike, answers_N: ArrayLike, among: ArrayLike | None = None) -> float:
    matrix_KK, among_M = table(truth_N, answers_N, among)
    return float(_macro(Counts.of(matrix_KK), among_M))


def macro_f1_interval(
    truth_N: ArrayLike, answers_N: ArrayLike, among: ArrayLike | None = None, *, seed: int = 0
) -> Interval:
    """By stratified bootstrap; the classes in the mean are the same in every resample."""
    matrix_KK, among_M = table(truth_N, answers_N, among)
    return bootstrap(matrix_KK, lambda counts: _macro(counts, among_M), seed=seed)


def weighted_f1(truth_N: ArrayLike, answers_N: ArrayLike) -> float:
    matrix_KK, _ = table(truth_N, answers_N, None)
    return float(_weighted(Counts.of(matrix_KK)))


def weighted_f1_interval(truth_N: ArrayLike, answers_N: ArrayLike, *, seed: int = 0) -> Interval:
    """By stratified bootstrap."""
    matrix_KK, _ = table(truth_N, answers_N, None)
    return bootstrap(matrix_KK, _weighted, seed=seed)


def table(
    truth_N: ArrayLike, answers_N: ArrayLike, among: ArrayLike | None
) -> tuple[IntArray, IntArray]:
    """The confusion matrix of the classes that occur, and where in it the mean's classes are.

    Only those that occur, so that 20 pictures answered by a network of 20,000 classes do not
    make a table of 400 million cells.
    """
    truth_N, answers_N = paired(truth_N, answers_N)
    occurring_K = np.union1d(truth_N, answers_N)
    among_M = occurring_K if among is None else np.unique(class_numbers(among, "among"))
    known_K = np.union1d(occurring_K, among_M)
    matrix_KK = confusion_matrix(
        np.searchsorted(known_K, truth_N), np.searchsorted(known_K, answers_N), len(known_K)
    )
    return matrix_KK, np.searchsorted(known_K, among_M)


def _f1(counts: Counts) -> FloatArray:
    return share(2 * counts.right_K, counts.answered_K + counts.support_K)


def _macro(counts: Counts, among_M: IntArray) -> FloatArray:
    mean: FloatArray = _f1(counts)[..., among_M].mean(axis=-1)
    return mean


def _weighted(counts: Counts) -> FloatArray:
    weight_K = counts.support_K / counts.support_K.sum(axis=-1, keepdims=True)
    mean: FloatArray = (_f1(counts) * weight_K).sum(axis=-1)
    return mean


def share(part: Array, whole: Array) -> FloatArray:
    """part / whole, and 0 where whole is 0."""
    part, whole = np.broadcast_arrays(part, whole)
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)
