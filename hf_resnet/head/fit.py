"""A head fitted on features: multinomial logistic regression, its regularisation chosen by itself.

Knows nothing of networks or files. The strength is chosen by cross-validation on log loss rather
than accuracy: it counts how sure the head is of every picture, so it tells strengths apart that get
the same pictures right, and the head's probabilities come out meaning something. Every fold is
fitted at once, going from strong to weak and each time starting from where the last one ended.
"""

import time
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from hf_resnet.config import HeadConfig
from hf_resnet.errors import DataError
from hf_resnet.head.blocks import Source, StandardRows, standard_of, threads
from hf_resnet.head.folds import folds_of
from hf_resnet.head.lbfgs import Minimum, Place, minimise
from hf_resnet.head.softmax import LEAVES_NONE, Curvature, Problems, SoftmaxGuess, curvature_of

PATH = tuple(10.0**-power for power in range(1, 9))
"""Strengths to try, strong to weak, for features of mean squared length 1."""

DEFAULT_REGULARIZATION = 1e-4
"""Where there are too few pictures to choose by."""

NO_MATTER = 1e-3
"""A difference in log loss that says nothing, and a log loss that leaves nothing to gain."""

_UNEVEN = 1.5
_ROUGH, _EXACT = 3e-4, 1e-7
_MOST_COLUMNS = 1024


@dataclass(frozen=True)
class Score:
    """How well one strength did on the pictures it did not learn from."""

    regularization: float
    log_loss: float
    accuracy: float


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


@dataclass(frozen=True)
class _Task:
    """What every fit on the same pictures has in common."""

    rows: StandardRows
    label_N: np.ndarray
    weight_N: np.ndarray
    fold_N: np.ndarray
    classes: int
    intercept: bool
    curvature: Curvature

    def without(self, folds: list[int]) -> Problems:
        return Problems(
            self.rows,
            self.label_N,
            self.weight_N,
            self.fold_N,
            np.array(folds),
            self.classes,
            self.intercept,
        )

    def solved(
        self, problems: Problems, start: Place, regularization: float, tolerance: float
    ) -> Minimum:
        objective = partial(problems.objective, regularization=regularization)
        guess = SoftmaxGuess(problems, self.curvature, regularization)
        return minimise(objective, start, guess, tolerance=tolerance)


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
    balanced = _balanced(config, counts_K)
    weight_N = (
        1 / counts_K[label_N] / classes if balanced else np.full(len(label_N), 1 / len(label_N))
    )
    chosen = config.regularization
    fold_N, folds = folds_of(key_N, label_N, config.folds, seed)
    folds = 0 if chosen is not None else folds
    with threads() as pool:
        standard = standard_of(source, weight_N, pool, centred=intercept)
        rows = StandardRows(source, standard, pool)
        curvature = curvature_of(rows, weight_N)
        task = _Task(rows, label_N, weight_N, fold_N, classes, intercept, curvature)
        problem = task.without([LEAVES_NONE])
        start = problem.start
        scores: tuple[Score, ...] = ()
        if folds:
            chosen, start, scores = _choose(task, folds)
        chosen = DEFAULT_REGULARIZATION if chosen is None else chosen
        found = task.solved(problem, start, chosen, _EXACT)
    weight_PKD, bias_PK = problem.split(found.place.points_PN)
    weight_KD, bias_K = standard.undone(weight_PKD[0], bias_PK[0])
    return Fit(
        weight_KD=weight_KD.astype(np.float32),
        bias_K=(bias_K - bias_K.mean()).astype(np.float32) if intercept else None,
        feature_mean_D=standard.mean_D.astype(np.float32),
        regularization=chosen,
        cross_validation=scores,
        folds=folds,
        class_weight="balanced" if balanced else "none",
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


def _balanced(config: HeadConfig, counts_K: np.ndarray) -> bool:
    if config.class_weight == "auto":
        return bool(counts_K.max() > _UNEVEN * counts_K.min())
    return config.class_weight == "balanced"


def _choose(task: _Task, folds: int) -> tuple[float, Place, tuple[Score, ...]]:
    """The strength to take, a start for the fit with it, and what all that were tried did.

    Tens first, until it gets worse or there is nothing left to gain; then half-way to both
    neighbours of the best.
    """
    together = max(1, _MOST_COLUMNS // task.classes)
    groups = [
        task.without(list(range(first, min(first + together, folds))))
        for first in range(0, folds, together)
    ]
    places = best_places = [group.start for group in groups]
    scores: list[Score] = []
    for regularization in PATH:
        places, score = _score(task, groups, places, regularization)
        best = min((each.log_loss for each in scores), default=np.inf)
        scores.append(score)
        if score.log_loss < best:
            best_places = places
        if score.log_loss > best + NO_MATTER or score.log_loss < NO_MATTER:
            break
    centre = min(scores, key=lambda score: score.log_loss).regularization
    for regularization in (centre * 10**0.5, centre / 10**0.5):
        scores.append(_score(task, groups, best_places, regularization)[1])
    scores.sort(key=lambda score: -score.regularization)
    chosen = min(scores, key=lambda score: score.log_loss).regularization
    middle = Place(
        np.concatenate([place.points_PN for place in best_places]).mean(0, keepdims=True),
        np.concatenate([place.scale_P for place in best_places]).mean(keepdims=True),
    )
    return chosen, middle, tuple(scores)


def _score(
    task: _Task, groups: list[Problems], starts: list[Place], regularization: float
) -> tuple[list[Place], Score]:
    """Fit all folds with one strength, and test each on what it did not see."""
    places, sums = [], np.zeros(3)
    for problems, start in zip(groups, starts, strict=True):
        found = task.solved(problems, start, regularization, _ROUGH)
        places.append(found.place)
        sums += problems.held_out(found.place.points_PN)
    weight, loss, right = (float(each) for each in sums)
    return places, Score(regularization, loss / weight, right / weight)
