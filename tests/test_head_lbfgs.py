"""The descent ends in the minimum, whatever the company."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_resnet.head.lbfgs import Place, minimise


class Bowls:
    """Several quadratic bowls with known bottoms; counts the looks at them."""

    def __init__(self, problems: int, width: int, condition: float, seed: int) -> None:
        random = np.random.default_rng(seed)
        turn = np.linalg.qr(random.normal(size=(width, width)))[0]
        self.shape_NN = turn * np.geomspace(1, condition, width) @ turn.T
        self.bottom_PN = random.normal(size=(problems, width))
        self.looks = 0

    def __call__(self, points_PN: np.ndarray, which_P: np.ndarray):
        self.looks += 1
        apart = points_PN - self.bottom_PN[which_P]
        slope = apart @ self.shape_NN
        return 1 + (apart * slope).sum(1) / 2, slope


class Scaled:
    """The guess that the curvature is a given matrix, up to a scale."""

    def __init__(self, shape_NN: np.ndarray) -> None:
        self.inverse_NN = np.linalg.inv(shape_NN)

    def step(self, gradient_PN: np.ndarray, scale_P: np.ndarray) -> np.ndarray:
        return gradient_PN @ self.inverse_NN / scale_P[:, None]

    def scale(self, moved_PN: np.ndarray, turned_PN: np.ndarray) -> np.ndarray:
        steps_P = (turned_PN * (turned_PN @ self.inverse_NN)).sum(1)
        return steps_P / (moved_PN * turned_PN).sum(1)


def origin(problems: int, width: int, scale: float = 1.0) -> Place:
    return Place(np.zeros((problems, width)), np.full(problems, scale))


@settings(deadline=None)
@given(st.integers(1, 4), st.integers(1, 20), st.floats(1, 1e4), st.integers(0, 100))
def test_it_finds_the_bottom(problems, width, condition, seed) -> None:
    bowls = Bowls(problems, width, condition, seed)
    found = minimise(bowls, origin(problems, width), Scaled(np.eye(width)), tolerance=1e-12)
    assert found.converged
    np.testing.assert_allclose(found.place.points_PN, bowls.bottom_PN, atol=1e-3)
    np.testing.assert_allclose(found.value_P, 1, atol=1e-6)


def test_a_problem_ends_the_same_alone_and_in_company() -> None:
    bowls = Bowls(3, 10, 100, seed=1)
    company = minimise(bowls, origin(3, 10), Scaled(np.eye(10)), tolerance=1e-10)
    bowls.bottom_PN = bowls.bottom_PN[1:2]
    alone = minimise(bowls, origin(1, 10), Scaled(np.eye(10)), tolerance=1e-10)
    np.testing.assert_allclose(alone.place.points_PN[0], company.place.points_PN[1], atol=1e-8)


def test_a_good_preconditioner_saves_looks() -> None:
    plain, guided = Bowls(1, 30, 1e4, seed=2), Bowls(1, 30, 1e4, seed=2)
    minimise(plain, origin(1, 30), Scaled(np.eye(30)), tolerance=1e-10)
    minimise(guided, origin(1, 30), Scaled(guided.shape_NN), tolerance=1e-10)
    assert guided.looks <= 3 < plain.looks


@pytest.mark.parametrize("scale", [1e-4, 1e-2])
def test_a_step_that_leads_too_far_is_shortened(scale: float) -> None:
    bowls = Bowls(2, 5, 10, seed=3)
    first, _ = bowls(np.zeros((2, 5)), np.arange(2))
    step = minimise(
        bowls, origin(2, 5, scale), Scaled(np.eye(5)), tolerance=1e-12, most_iterations=1
    )
    assert (step.value_P < first).all()


def test_it_says_when_it_was_stopped_early() -> None:
    bowls = Bowls(1, 30, 1e4, seed=4)
    found = minimise(bowls, origin(1, 30), Scaled(np.eye(30)), tolerance=1e-12, most_iterations=3)
    assert not found.converged
    assert found.iterations == 3


def test_it_starts_from_where_it_is_told_and_stays_where_there_is_nothing_to_gain() -> None:
    bowls = Bowls(2, 4, 10, seed=5)
    found = minimise(bowls, Place(bowls.bottom_PN, np.ones(2)), Scaled(np.eye(4)), tolerance=1e-12)
    assert (found.iterations, bowls.looks) == (0, 1)


@pytest.mark.parametrize("noise", [1e-8, 1e-6])
def test_it_ends_where_rounding_hides_the_way(noise: float) -> None:
    bowls = Bowls(2, 6, 100, seed=6)
    random = np.random.default_rng(0)

    def rounded(points_PN, which_P):
        value_P, slope = bowls(points_PN, which_P)
        return value_P * (1 + noise * random.normal(size=len(value_P))), slope

    found = minimise(rounded, origin(2, 6), Scaled(np.eye(6)), tolerance=0.0, most_iterations=500)
    np.testing.assert_allclose(found.place.points_PN, bowls.bottom_PN, atol=0.1)
    assert found.iterations < 500
