"""How strong the regularisation should be, by cross-validation.

Strengths are compared on log loss rather than accuracy: it counts how sure the head is of every
picture, so it tells strengths apart that get the same pictures right, and the head's probabilities
come out meaning something. All folds are fitted at once, from strong to weak, each time starting
from where the last strength ended.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from hf_resnet.head.blocks import StandardRows
from hf_resnet.head.curvature import Curvature, SoftmaxGuess
from hf_resnet.head.lbfgs import Minimum, Place, minimise
from hf_resnet.head.softmax import Problems

PATH = tuple(10.0**-power for power in range(1, 9))
"""Strengths to try, strong to weak, for features of mean squared length 1."""

NO_MATTER = 1e-3
"""A difference in log loss that says nothing, and a log loss that leaves nothing to gain."""

MOST_COLUMNS = 1024
"""Folds times classes that are fitted at once."""

_TOLERANCE = 3e-4


@dataclass(frozen=True)
class Score:
    """How well one strength did on the pictures it did not learn from."""

    regularization: float
    log_loss: float
    accuracy: float


@dataclass(frozen=True)
class Task:
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


def choose(task: Task, folds: int) -> tuple[float, Place, tuple[Score, ...]]:
    """The strength to take, a start for the fit with it, and what all that were tried did.

    Tens first, until it gets worse or there is nothing left to gain; then half-way to both
    neighbours of the best.
    """
    together = max(1, MOST_COLUMNS // task.classes)
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
    task: Task, groups: list[Problems], starts: list[Place], regularization: float
) -> tuple[list[Place], Score]:
    """Fit all folds with one strength, and test each on what it did not see."""
    places, sums = [], np.zeros(3)
    for problems, start in zip(groups, starts, strict=True):
        found = task.solved(problems, start, regularization, _TOLERANCE)
        places.append(found.place)
        sums += problems.held_out(found.place.points_PN)
    weight, loss, right = (float(each) for each in sums)
    return places, Score(regularization, loss / weight, right / weight)
