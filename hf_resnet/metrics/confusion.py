"""Who is taken for whom: matrix_KK counts the pictures of class [row] answered as [column]."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hf_resnet.metrics.arrays import IntArray, paired


@dataclass(frozen=True)
class Confused:
    """One kind of mistake: `count` pictures of class `truth` were answered `answer`."""

    truth: int
    answer: int
    count: int
    share: float
    """The count as a share of the pictures of class `truth`."""


def confusion_matrix(truth_N: ArrayLike, answers_N: ArrayLike, classes: int) -> IntArray:
    truth_N, answers_N = paired(truth_N, answers_N, classes)
    cells_N = truth_N * classes + answers_N
    return np.bincount(cells_N, minlength=classes * classes).reshape(classes, classes)


def most_confused(matrix_KK: IntArray, most: int = 10) -> list[Confused]:
    """The mistakes made most often; of equally many, those that cost their class more.

    cat taken for dog and dog taken for cat are two mistakes.
    """
    wrong_KK = matrix_KK.copy()
    np.fill_diagonal(wrong_KK, 0)
    support_K = matrix_KK.sum(axis=1)
    found = [
        Confused(int(row), int(column), int(count), float(count / support_K[row]))
        for (row, column), count in zip(np.argwhere(wrong_KK), wrong_KK[wrong_KK > 0], strict=True)
    ]
    found.sort(key=lambda each: (-each.count, -each.share, each.truth, each.answer))
    return found[:most]
