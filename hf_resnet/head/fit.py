"""A head fitted on features: multinomial logistic regression, its regularisation chosen by itself.

Knows nothing of networks or files: features come from any source that is read in blocks. The same
data give the same head, bit for bit, and what is fitted on standardised features is given back for
features as the network makes them.
"""

import time
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from hf_resnet.config import HeadConfig
from hf_resnet.errors import DataError
from hf_resnet.head.blocks import Source, StandardRows, standard_of, threads
from hf_resnet.head.curvature import curvature_of
from hf_resnet.head.folds import folds_of
from hf_resnet.head.softmax import LEAVES_NONE
from hf_resnet.head.strength import Score, Task, choose

DEFAULT_REGULARIZATION = 1e-4
"""Where there are too few pictures to choose by."""

_UNEVEN = 1.5
_TOLERANCE = 1e-7


@dataclass(frozen=True, eq=False)
class Fit:
    """A head, and how it came about."""

    weight_KD: np.ndarray
    bias_K: np.ndarray | None
    feature_mean_D: np.ndarray
    """The mean of the features it learned from, each counting by its weight."""

    regularization: float
    cross_validation: tuple[Score, ...]
    folds: int
    class_weight: Literal["balanced", "none"]
    iterations: int
    converged: bool
    seconds: float

    def facts(self) -> dict[str, Any]:
        """All but the head itself, as JSON holds it."""
        told = ("regularization", "folds", "class_weight", "iterations", "converged", "seconds")
        facts = {name: getattr(self, name) for name in told}
        return {**facts, "cross_validation": [asdict(score) for score in self.cross_validation]}


def fit_head(
    source: Source,
    key_N: np.ndarray,
    label_N: np.ndarray,
    *,
    classes: int,
    config: HeadConfig,
    intercept: bool = True,
    seed: int = 0,
) -> Fit:
    """The head of `classes` rows that explains the labels best; the same data give the same head."""
    began = time.perf_counter()
    counts_K = np.bincount(label_N, minlength=classes)
    _check(source, label_N, counts_K, classes)
    class_weight = _class_weight(config, counts_K)
    weight_N = np.full(len(label_N), 1 / len(label_N))
    if class_weight == "balanced":
        weight_N = 1 / (classes * counts_K[label_N])
    fold_N, folds = folds_of(key_N, label_N, config.folds, seed)
    folds = folds if config.regularization is None else 0
    with threads() as pool:
        standard = standard_of(source, weight_N, pool, centred=intercept)
        rows = StandardRows(source, standard, pool)
        curvature = curvature_of(rows, weight_N)
        task = Task(rows, label_N, weight_N, fold_N, classes, intercept, curvature)
        problem = task.without([LEAVES_NONE])
        strength, start = config.regularization or DEFAULT_REGULARIZATION, problem.start
        scores: tuple[Score, ...] = ()
        if folds:
            strength, start, scores = choose(task, folds)
        found = task.solved(problem, start, strength, _TOLERANCE)
    weight_PKD, bias_PK = problem.split(found.place.points_PN)
    weight_KD, bias_K = standard.undone(weight_PKD[0], bias_PK[0])
    return Fit(
        weight_KD=weight_KD.astype(np.float32),
        bias_K=(bias_K - bias_K.mean()).astype(np.float32) if intercept else None,
        feature_mean_D=standard.mean_D.astype(np.float32),
        regularization=strength,
        cross_validation=scores,
        folds=folds,
        class_weight=class_weight,
        iterations=found.iterations,
        converged=found.converged,
        seconds=time.perf_counter() - began,
    )


def _check(source: Source, label_N: np.ndarray, counts_K: np.ndarray, classes: int) -> None:
    if classes < 2:
        raise DataError(f"a head tells at least 2 classes apart, got {classes}; add another class")
    if len(label_N) != source.shape[0]:
        raise ValueError(f"{source.shape[0]} rows of features and {len(label_N)} labels")
    if len(counts_K) > classes or label_N.min(initial=0) < 0 or not counts_K.all():
        raise ValueError(f"every label from 0 to {classes - 1} must be there, and no other")


def _class_weight(config: HeadConfig, counts_K: np.ndarray) -> Literal["balanced", "none"]:
    if config.class_weight != "auto":
        return config.class_weight
    return "balanced" if counts_K.max() > _UNEVEN * counts_K.min() else "none"
