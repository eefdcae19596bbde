"""What every metric takes, checked once: labels_N (class numbers) and answers_N or scores_NK.

The names carry their shape: N pictures, K classes. Wrong arrays are the calling program's fault,
so they raise ValueError and not one of the errors that are meant for a person.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
Array = NDArray[Any]


def class_numbers(numbers_N: ArrayLike, what: str, classes: int | None = None) -> IntArray:
    """The numbers as int64, after a look at their shape, kind and range."""
    numbers_N = np.asarray(numbers_N)
    if numbers_N.ndim != 1 or not numbers_N.size:
        raise ValueError(
            f"{what} must be one class number a picture, got an array of shape {numbers_N.shape}"
        )
    if numbers_N.dtype.kind not in "iu":
        raise ValueError(f"{what} must be whole numbers, got {numbers_N.dtype}")
    low, high = int(numbers_N.min()), int(numbers_N.max())
    if low < 0 or (classes is not None and high >= classes):
        allowed = "from 0 up" if classes is None else f"from 0 to {classes - 1}"
        raise ValueError(f"{what} must be class numbers {allowed}, got {low} to {high}")
    return numbers_N.astype(np.int64, copy=False)


def paired(
    truth_N: ArrayLike, answers_N: ArrayLike, classes: int | None = None
) -> tuple[IntArray, IntArray]:
    """Both as class numbers, one answer for each picture."""
    truth_N = class_numbers(truth_N, "truth", classes)
    answers_N = class_numbers(answers_N, "answers", classes)
    _same_length(truth_N, answers_N, "answers")
    return truth_N, answers_N


def scored(truth_N: ArrayLike, scores_NK: ArrayLike) -> tuple[IntArray, Array]:
    """Truth as class numbers, and one finite score for each picture and class."""
    scores_NK = np.asarray(scores_NK)
    if scores_NK.ndim != 2 or not scores_NK.size:
        raise ValueError(
            f"scores must be one row a picture and one column a class, got shape {scores_NK.shape}"
        )
    if not np.isfinite(scores_NK).all():
        raise ValueError("scores must be finite, got nan or infinity among them")
    truth_N = class_numbers(truth_N, "truth", scores_NK.shape[1])
    _same_length(truth_N, scores_NK, "scores")
    return truth_N, scores_NK


def _same_length(truth_N: IntArray, others: Array, what: str) -> None:
    if len(truth_N) != len(others):
        raise ValueError(f"truth has {len(truth_N)} pictures, {what} {len(others)}")
