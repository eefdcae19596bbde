"""Metrics of scores and of probabilities: equal to scikit-learn's, on any input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from hf_resnet.metrics import (
    auroc,
    calibration_error,
    log_loss,
    mcnemar,
    reliability,
    softmax,
    two_sided_auroc,
)
from hf_resnet.metrics.auroc import auroc_interval


@st.composite
def scored(draw):
    """Few values, so that there are many ties; two classes at least have pictures."""
    size, classes = draw(st.integers(2, 20)), draw(st.integers(2, 6))
    labels = st.lists(st.integers(0, classes - 1), min_size=size, max_size=size)
    truth = draw(labels.filter(lambda found: len(set(found)) > 1))
    values = draw(st.lists(st.integers(0, 3), min_size=size * classes, max_size=size * classes))
    return np.array(truth), np.array(values, dtype=np.float64).reshape(size, classes)


@given(scored())
def test_auroc_is_the_mean_of_scikit_learns_over_the_classes_that_have_pictures(pair):
    truth_N, scores_NK = pair
    each = [sk.roc_auc_score(truth_N == k, scores_NK[:, k]) for k in np.unique(truth_N)]
    assert auroc(truth_N, scores_NK) == pytest.approx(np.mean(each))
    interval = auroc_interval(truth_N, scores_NK)
    assert 0 <= interval.low <= auroc(truth_N, scores_NK) <= interval.high <= 1


def test_auroc_is_scikit_learns_macro_one_against_the_rest():
    rng = np.random.default_rng(0)
    truth_N, logits_NK = rng.integers(0, 4, 200), rng.normal(size=(200, 4))
    expected = sk.roc_auc_score(truth_N, softmax(logits_NK), multi_class="ovr", average="macro")
    assert auroc(truth_N, softmax(logits_NK)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("truth", "scores", "expected"),
    [
        ([0, 1], [[1, 0], [0, 1]], 1.0),
        ([0, 1], [[0, 1], [1, 0]], 0.0),  # all wrong
        ([0, 1, 1], [[1, 1], [1, 1], [1, 1]], 0.5),  # nothing but ties
        ([0, 2, 2], [[1, 9, 0], [0, 9, 1], [0, 9, 1]], 1.0),  # class 1 is missing
    ],
)
def test_auroc_of_degenerate_inputs(truth, scores, expected):
    assert auroc(truth, scores) == expected


def test_auroc_of_one_class_alone_is_refused():
    with pytest.raises(ValueError, match="at least two classes"):
        auroc([1, 1], [[0.2, 0.8], [0.3, 0.7]])


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=15),
    st.lists(st.integers(0, 5), min_size=1, max_size=15),
)
def test_the_area_between_two_groups_is_scikit_learns(inside, outside):
    truth = [1] * len(inside) + [0] * len(outside)
    area, interval = two_sided_auroc(inside, outside)
    assert area == pytest.approx(sk.roc_auc_score(truth, inside + outside))
    assert 0 <= interval.low <= area <= interval.high <= 1


def test_two_groups_need_pictures_on_both_sides():
    with pytest.raises(ValueError, match="both sides"):
        two_sided_auroc([1.0, 2.0], [])


def draws(rng, pictures, area):
    """Scores of two groups whose true area is known: normal, a distance apart."""
    from statistics import NormalDist

    apart = NormalDist().inv_cdf(area) * 2**0.5
    return rng.normal(apart, 1, pictures), rng.normal(0, 1, pictures * 2)


@pytest.mark.parametrize("area", [0.6, 0.9, 0.98])
@pytest.mark.parametrize("pictures", [20, 100])
def test_the_interval_of_the_area_covers_at_the_stated_rate(area, pictures):
    rng = np.random.default_rng(0)
    found = [two_sided_auroc(*draws(rng, pictures, area))[1] for _ in range(600)]
    held = np.mean([each.low <= area <= each.high for each in found])
    assert 0.92 <= held <= 0.99


def ece_the_long_way(truth_N, shares_NK, bins):
    """As the definition reads."""
    whole = 0.0
    said_N, answer_N = shares_NK.max(axis=1), shares_NK.argmax(axis=1)
    for b in range(bins):
        chosen = (said_N > b / bins) & (said_N <= (b + 1) / bins)
        if chosen.any():
            right = (answer_N == truth_N)[chosen].mean()
            whole += chosen.sum() * abs(right - said_N[chosen].mean())
    return whole / len(truth_N)


@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(1, 50), st.integers(1, 20))
def test_the_calibration_error_is_as_its_definition_reads(seed, classes, pictures, bins):
    rng = np.random.default_rng(seed)
    truth_N = rng.integers(0, classes, pictures)
    shares_NK = softmax(rng.normal(0, 2, (pictures, classes)))
    expected = ece_the_long_way(truth_N, shares_NK, bins)
    assert calibration_error(truth_N, shares_NK, bins) == pytest.approx(expected)
    steps = reliability(truth_N, shares_NK, bins)
    assert sum(each.pictures for each in steps) == pictures
    assert all(each.low <= each.said <= each.high for each in steps if each.pictures)


def test_the_calibration_error_equals_scikit_learns_curve():
    from sklearn.calibration import calibration_curve

    rng = np.random.default_rng(0)
    truth_N, shares_NK = rng.integers(0, 3, 400), softmax(rng.normal(0, 2, (400, 3)))
    said_N, right_N = shares_NK.max(axis=1), shares_NK.argmax(axis=1) == truth_N
    right_B, said_B = calibration_curve(right_N, said_N, n_bins=15)
    steps = [each for each in reliability(truth_N, shares_NK) if each.pictures]
    np.testing.assert_allclose([each.said for each in steps], said_B)
    np.testing.assert_allclose([each.right for each in steps], right_B)


def test_what_is_no_probability_is_not_called_calibrated():
    with pytest.raises(ValueError, match="with the sum 1"):
        calibration_error([0, 1], [[2.0, 1.0], [0.0, 3.0]])


@pytest.mark.parametrize(("spread", "sureness"), [(1.0, 1.6), (3.0, 1.6), (2.0, 1.0), (2.0, 0.8)])
def test_the_interval_of_the_calibration_error_covers_at_the_stated_rate(spread, sureness):
    """The true error by a very large sample of the same kind; 1.0 is a perfectly calibrated model."""
    from hf_resnet.metrics.calibration import calibration_error_interval

    rng = np.random.default_rng(0)

    def draw(pictures):
        logits_NK = rng.normal(0, spread, (pictures, 4))
        shares_NK = softmax(logits_NK)
        truth_N = (shares_NK.cumsum(axis=1) > rng.random((pictures, 1))).argmax(axis=1)
        return truth_N, softmax(sureness * logits_NK)

    true = calibration_error(*draw(200_000))
    found = [calibration_error_interval(*draw(400), seed=at) for at in range(150)]
    assert np.mean([each.low <= true <= each.high for each in found]) >= 0.91


def test_a_few_perfect_answers_do_not_mean_perfect_calibration():
    from hf_resnet.metrics.calibration import calibration_error_interval

    found = calibration_error_interval(np.zeros(12, np.int64), np.eye(2)[np.zeros(12, np.int64)])
    assert found.low == 0 and found.high > 0.05


def test_the_interval_of_the_log_loss_covers_at_the_stated_rate():
    from hf_resnet.metrics import log_loss_interval

    rng = np.random.default_rng(0)

    def draw(pictures):
        logits_NK = rng.normal(0, 2, (pictures, 4))
        shares_NK = softmax(logits_NK)
        return (shares_NK.cumsum(axis=1) > rng.random((pictures, 1))).argmax(axis=1), logits_NK

    true = log_loss(*draw(200_000))
    found = [log_loss_interval(*draw(300), seed=at) for at in range(150)]
    held = np.mean([each.low <= true <= each.high for each in found])
    assert 0.89 <= held <= 0.99


@pytest.mark.parametrize("classes, pictures", [(100, 1), (100, 5), (4, 3)])
def test_the_log_loss_of_small_classes_is_covered_too(classes, pictures):
    """A class of a single picture, drawn anew by itself, is the same every time."""
    from hf_resnet.metrics import log_loss_interval

    rng = np.random.default_rng(0)

    def draw(pictures):
        truth_N = np.repeat(np.arange(classes), pictures)
        logits_NK = rng.normal(0, 1, (len(truth_N), classes)) + 4 * np.eye(classes)[truth_N]
        return truth_N, logits_NK

    true = log_loss(*draw(100_000 // classes))
    found = [log_loss_interval(*draw(pictures), seed=at) for at in range(100)]
    assert (
        np.mean([each.low <= true <= each.high for each in found]) >= 0.86
    )  # losses are skewed, and few


def test_one_picture_says_little_about_the_log_loss():
    from hf_resnet.metrics import log_loss_interval

    found = log_loss_interval(np.array([0]), np.array([[9.0, 0.0, 0.0]]))
    assert found.low < 0.001 and found.high >= np.log(3)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_test_on_the_pictures_that_differ(lost, won):
    from scipy.stats import binomtest

    expected = binomtest(lost, lost + won).pvalue if lost + won else 1.0
    assert mcnemar(lost, won) == pytest.approx(expected)


def test_mcnemar_takes_many_pictures():
    assert mcnemar(20_000, 20_000) == 1
    assert 0 < mcnemar(19_700, 20_300) < 0.01


@pytest.mark.parametrize(("lost", "won", "pictures"), [(0.02, 0.05, 100), (0.1, 0.1, 60)])
def test_the_interval_of_a_difference_covers_at_the_stated_rate(lost, won, pictures):
    from hf_resnet.metrics import difference_interval

    drawn = np.random.default_rng(0).multinomial(pictures, [lost, won, 1 - lost - won], 4000)
    found = [difference_interval(int(a), int(b), pictures) for a, b, _ in drawn]
    held = np.mean([each.low <= won - lost <= each.high for each in found])
    assert 0.93 <= held <= 0.99
