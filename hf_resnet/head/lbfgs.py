"""L-BFGS over several problems at once, which share every look at the data.

Knows nothing of pictures or classes. The folds of a cross-validation are as many problems of the
same shape, and one matrix product for all of them takes hardly longer than for one; each keeps its
own history and its own step, and leaves when it is done. The surprise: a step starts from a guess
of the curvature, of which only the scale is learned on the way. That saves more than half of the
looks, and the first step tried is nearly always taken.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

Evaluate = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""(points_PN, which problems_P) -> (value_P, gradient_PN)."""

_SUFFICIENT = 1e-4  # the share of the promised decrease that a step must bring
_ROUNDING = 1e-7  # what single-precision sums can tell apart, relative to the value
_HALVINGS = 20


class Guess(Protocol):
    """A guess of the curvature that all problems have in common, up to a scale for each."""

    def step(self, gradient_PN: np.ndarray, scale_P: np.ndarray) -> np.ndarray:
        """The gradient times the inverse of the curvature."""
        ...

    def scale(self, moved_PN: np.ndarray, turned_PN: np.ndarray) -> np.ndarray:
        """The scale at which the curvature turns the gradient so, where a point moves so."""
        ...


@dataclass(frozen=True)
class Place:
    """A point for each problem, and the scale of the curvature around it."""

    points_PN: np.ndarray
    scale_P: np.ndarray


@dataclass(frozen=True)
class Minimum:
    """Where the problems ended."""

    place: Place
    value_P: np.ndarray
    iterations: int
    converged: bool


@dataclass
class _Pair:
    """How the points moved and the gradients with them; weight_P is 1 / (moved · turned)."""

    moved_PN: np.ndarray
    turned_PN: np.ndarray
    weight_P: np.ndarray


def minimise(
    evaluate: Evaluate,
    start: Place,
    guess: Guess,
    *,
    tolerance: float,
    most_iterations: int = 1000,
    history: int = 10,
) -> Minimum:
    """Go down until what is still to be had, as far as can be told, is below tolerance · value."""
    points, scale = start.points_PN.astype(np.float64), start.scale_P.copy()
    value, gradient = evaluate(points, np.arange(len(points)))
    active = np.ones(len(points), dtype=bool)
    pairs: deque[_Pair] = deque(maxlen=history)
    for iteration in range(most_iterations):
        step = _direction(gradient, pairs, guess, scale)
        slope = _dot(gradient, step)
        active &= -slope / 2 > tolerance * value
        if not active.any():
            return Minimum(Place(points, scale), value, iteration, True)
        which = np.flatnonzero(active)
        size, new_value, new_gradient = _search(
            evaluate, points[which], step[which], (value[which], slope[which]), which
        )
        active[which] = size > 0
        which, took = which[size > 0], size > 0
        moved, turned = np.zeros_like(points), np.zeros_like(points)
        moved[which] = size[took, None] * step[which]
        turned[which] = new_gradient[took] - gradient[which]
        points, gradient = points + moved, gradient + turned
        value[which] = new_value[took]
        pairs.append(_Pair(moved, turned, _inverse(_dot(moved, turned))))
        scale[which] = guess.scale(moved[which], turned[which])
    return Minimum(Place(points, scale), value, most_iterations, False)


def _direction(
    gradient_PN: np.ndarray, pairs: deque[_Pair], guess: Guess, scale_P: np.ndarray
) -> np.ndarray:
    """The two loops of L-BFGS, around the guess."""
    rest = -gradient_PN
    taken = []
    for pair in reversed(pairs):
        share = pair.weight_P * _dot(pair.moved_PN, rest)
        rest = rest - share[:, None] * pair.turned_PN
        taken.append(share)
    step = guess.step(rest, scale_P)
    for pair, share in zip(pairs, reversed(taken), strict=True):
        back = share - pair.weight_P * _dot(pair.turned_PN, step)
        step = step + back[:, None] * pair.moved_PN
    return step


def _search(
    evaluate: Evaluate,
    points_PN: np.ndarray,
    step_PN: np.ndarray,
    before: tuple[np.ndarray, np.ndarray],
    which_P: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Halve each step until it pays; the sizes, and value and gradient there.

    A size of 0 says that nothing better can be told from rounding: that problem is done.
    """
    value, slope = before
    size = np.ones(len(points_PN))
    new_value, new_gradient = evaluate(points_PN + step_PN, which_P)
    for _ in range(_HALVINGS):
        promised = value + _SUFFICIENT * size * slope
        again = np.flatnonzero(~(new_value <= promised + _ROUNDING * np.abs(value)))
        if not len(again):
            return size, new_value, new_gradient
        size[again] /= 2
        tried = points_PN[again] + size[again, None] * step_PN[again]
        new_value[again], new_gradient[again] = evaluate(tried, which_P[again])
    size[~(new_value <= value)] = 0
    return size, new_value, new_gradient


def _dot(a_PN: np.ndarray, b_PN: np.ndarray) -> np.ndarray:
    result: np.ndarray = np.einsum("pn,pn->p", a_PN, b_PN)
    return result


def _inverse(value_P: np.ndarray) -> np.ndarray:
    """1 / value, and 0 where there is nothing to divide by: such a pair tells nothing."""
    usable = value_P > np.finfo(np.float64).tiny
    return np.where(usable, 1 / np.where(usable, value_P, 1), 0.0)
