"""Metrics: equal to scikit-learn's, on any input; and one contract for every headline figure."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from hf_resnet.metrics import (
    METRICS,
    accuracy,
    balanced_accuracy,
    confusion_matrix,
    macro_f1,
    most_confused,
    per_class,
    softmax,
    top_k_accuracy,
    weighted_f1,
)

CLASSES = 5

# truth, answers: pictures of at most CLASSES classes
DEGENERATE = {
    "one sample, right": ([2], [2]),
    "one sample, wrong": ([2], [0]),
    "all wrong": ([0, 1, 2, 3, 4], [1, 2, 3, 4, 0]),
    "all right": ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4]),
    "one class missing from the truth": ([0, 0, 1, 1, 3], [0, 2, 1, 3, 3]),
    "one class never answered": ([0, 1, 2, 2], [0, 1, 1, 0]),
    "a class missing from both": ([0, 0, 4], [0, 4, 4]),
    "one class only": ([3, 3, 3], [3, 3, 3]),
    "one answer for everything": ([0, 1, 2, 3], [1, 1, 1, 1]),
}


@st.composite
def answered(draw):
    size = draw(st.integers(1, 40))
    numbers = st.lists(st.integers(0, CLASSES - 1), min_size=size, max_size=size)
    return draw(numbers), draw(numbers)


@st.composite
def scored(draw):
    """Scores with many ties, since they are drawn from few values."""
    size, classes = draw(st.integers(1, 20)), draw(st.integers(2, 7))
    truth = draw(st.lists(st.integers(0, classes - 1), min_size=size, max_size=size))
    values = draw(st.lists(st.integers(0, 3), min_size=size * classes, max_size=size * classes))
    return np.array(truth), np.array(values, dtype=np.float64).reshape(size, classes)


def assert_equals_scikit_learn(truth, answers):
    assert accuracy(truth, answers) == pytest.approx(sk.accuracy_score(truth, answers))
    assert macro_f1(truth, answers) == pytest.approx(
        sk.f1_score(truth, answers, average="macro", zero_division=0)
    )
    assert weighted_f1(truth, answers) == pytest.approx(
        sk.f1_score(truth, answers, average="weighted", zero_division=0)
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "y_pred contains classes")
        assert balanced_accuracy(truth, answers) == pytest.approx(
            sk.balanced_accuracy_score(truth, answers)
        )
    labels = range(CLASSES)
    expected = sk.precision_recall_fscore_support(truth, answers, labels=labels, zero_division=0)
    ours = per_class(truth, answers, CLASSES)
    for figures, theirs in zip(
        (ours.precision_K, ours.recall_K, ours.f1_K, ours.support_K), expected, strict=True
    ):
        np.testing.assert_allclose(figures, theirs)
    matrix_KK = confusion_matrix(truth, answers, CLASSES)
    np.testing.assert_array_equal(matrix_KK, sk.confusion_matrix(truth, answers, labels=labels))
    np.testing.assert_array_equal(ours.answered_K, matrix_KK.sum(axis=0))


@pytest.mark.parametrize("case", DEGENERATE)
@pytest.mark.filterwarnings("ignore:A single label was found")
def test_figures_equal_scikit_learn_on_degenerate_inputs(case):
    assert_equals_scikit_learn(*DEGENERATE[case])


@given(answered())
@pytest.mark.filterwarnings("ignore:A single label was found")
def test_figures_equal_scikit_learn_on_any_input(pair):
    assert_equals_scikit_learn(*pair)


@given(answered(), st.sets(st.integers(0, CLASSES - 1), min_size=1))
def test_macro_f1_among_named_classes_is_scikit_learns_with_labels(pair, among):
    truth, answers = pair
    expected = sk.f1_score(truth, answers, labels=sorted(among), average="macro", zero_division=0)
    assert macro_f1(truth, answers, sorted(among)) == pytest.approx(expected)


def test_a_class_that_occurs_nowhere_is_not_in_the_mean_unless_it_is_named():
    truth, answers = [0, 0, 4], [0, 0, 4]
    assert macro_f1(truth, answers) == 1
    assert macro_f1(truth, answers, [0, 1, 4]) == pytest.approx(2 / 3)


def test_a_class_that_is_only_answered_counts_as_zero_unless_the_mean_is_among_others():
    truth, answers = [0, 0, 1], [0, 0, 2]
    assert macro_f1(truth, answers) == pytest.approx(1 / 3)
    assert macro_f1(truth, answers, [0, 1]) == pytest.approx(1 / 2)


@given(scored(), st.integers(1, 7))
def test_top_k_equals_scikit_learn_with_ties_ranked_as_argmax_ranks_them(pair, k):
    truth_N, scores_NK = pair
    classes = scores_NK.shape[1]
    k = min(k, classes)
    # scikit-learn ranks the larger of two class numbers first, so it is given them backwards
    backwards = {"y_true": classes - 1 - truth_N, "y_score": scores_NK[:, ::-1]}
    if classes == 2:
        backwards["y_score"] = scores_NK[:, 0] - scores_NK[:, 1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sk._ranking.UndefinedMetricWarning)
        if classes > 2:
            expected = sk.top_k_accuracy_score(**backwards, k=k, labels=range(classes))
        else:
            expected = 1.0 if k == 2 else np.mean(scores_NK.argmax(axis=1) == truth_N)
    assert top_k_accuracy(truth_N, scores_NK, k) == pytest.approx(expected)


@given(scored())
def test_top_1_is_the_accuracy_of_argmax_and_more_k_is_never_worse(pair):
    truth_N, scores_NK = pair
    shares = [top_k_accuracy(truth_N, scores_NK, k) for k in range(1, scores_NK.shape[1] + 1)]
    assert shares[0] == accuracy(truth_N, scores_NK.argmax(axis=1))
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_a_k_above_the_number_of_classes_is_clipped_and_said():
    with pytest.warns(UserWarning, match="k = 5 is taken as 3"):
        assert top_k_accuracy([0, 1], [[0.1, 0.2, 0.7], [0.5, 0.2, 0.3]]) == 1


def test_most_confused_pairs_come_by_count_then_by_what_they_cost_their_class():
    matrix_KK = np.array([[90, 7, 3], [0, 10, 3], [7, 0, 13]])
    pairs = [(each.truth, each.answer, each.count) for each in most_confused(matrix_KK)]
    assert pairs == [(2, 0, 7), (0, 1, 7), (1, 2, 3), (0, 2, 3)]
    assert most_confused(matrix_KK)[0].share == pytest.approx(7 / 20)
    assert len(most_confused(matrix_KK, most=1)) == 1
    assert most_confused(np.diag([5, 5])) == []


@given(answered())
def test_the_confused_pairs_are_all_the_mistakes(pair):
    truth, answers = np.array(pair[0]), np.array(pair[1])
    found = most_confused(confusion_matrix(truth, answers, CLASSES), most=100)
    assert sum(each.count for each in found) == (truth != answers).sum()


@pytest.mark.parametrize(
    ("truth", "answers", "complaint"),
    [
        ([], [], "one class number a picture"),
        ([0, 1], [0], "truth has 2 pictures, answers 1"),
        ([0, -1], [0, 1], "class numbers from 0 up, got -1"),
        ([0.5, 1.0], [0, 1], "whole numbers"),
        ([[0, 1]], [[0, 1]], "one class number a picture"),
    ],
)
def test_arrays_that_cannot_be_are_refused(truth, answers, complaint):
    with pytest.raises(ValueError, match=complaint):
        accuracy(truth, answers)


def test_numbers_beyond_the_classes_are_refused():
    with pytest.raises(ValueError, match="from 0 to 2, got 0 to 3"):
        confusion_matrix([0, 3], [0, 1], 3)
    with pytest.raises(ValueError, match="from 0 to 1, got 0 to 2"):
        top_k_accuracy([0, 2], [[1, 2], [2, 1]], 1)


def test_scores_that_are_not_numbers_are_refused():
    with pytest.raises(ValueError, match="finite"):
        top_k_accuracy([0, 1], [[0.0, np.nan], [0.0, 1.0]], 1)


# The contract of METRICS: what is promised of every headline figure, now and later.


def example(name, pictures=60, seed=0, sharpness=1.5):
    """Truth, and what the metric takes, for ten classes."""
    rng = np.random.default_rng(seed)
    truth_N = np.append(np.arange(10), rng.integers(0, 10, pictures - 10))
    scores_NK = rng.random((pictures, 10))
    scores_NK[np.arange(pictures), truth_N] *= sharpness
    kinds = {"answers": scores_NK.argmax(axis=1), "logits": scores_NK}
    return truth_N, {**kinds, "probabilities": softmax(scores_NK)}[METRICS[name].takes]


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_held_by_its_interval(name):
    metric, arrays = METRICS[name], example(name)
    interval = metric.interval(*arrays)
    assert 0 <= interval.low <= metric.value(*arrays) <= interval.high
    assert interval.low < interval.high
    assert interval.high <= 1 or not metric.is_share


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_at_its_best_for_perfect_answers(name):
    metric, arrays = METRICS[name], example(name, sharpness=100_000)
    interval = metric.interval(*arrays)
    assert metric.value(*arrays) == pytest.approx(metric.best)
    if metric.best == 1:  # and does not claim to be sure of it
        assert 0.8 < interval.low < 0.98 and interval.high == 1


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_surer_with_more_pictures(name):
    metric = METRICS[name]
    few, many = (metric.interval(*example(name, pictures)) for pictures in (60, 2000))
    assert many.high - many.low < (few.high - few.low) / 3


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_gives_the_same_twice_and_leaves_its_arrays_alone(name):
    metric, arrays = METRICS[name], example(name)
    before = [array.copy() for array in arrays]
    first = metric.value(*arrays), metric.interval(*arrays)
    assert first == (metric.value(*arrays), metric.interval(*arrays))
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("name", METRICS)
@given(seed=st.integers(0, 1000))
@settings(max_examples=20)
def test_every_metric_is_blind_to_the_order_of_the_pictures_and_of_the_classes(name, seed):
    metric, (truth_N, given_N) = METRICS[name], example(name)
    rng = np.random.default_rng(seed)
    order_N, new_K = rng.permutation(len(truth_N)), rng.permutation(10)
    if metric.takes == "answers":
        other_N = new_K[given_N][order_N]
    else:
        other_N = given_N[order_N][:, np.argsort(new_K)]
    value = metric.value(new_K[truth_N][order_N], other_N)
    assert value == pytest.approx(metric.value(truth_N, given_N))


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_refuses_no_pictures_and_unpaired_ones(name):
    metric, (truth_N, given_N) = METRICS[name], example(name)
    for function in (metric.value, metric.interval):
        with pytest.raises(ValueError):
            function(truth_N[:0], given_N[:0])
        with pytest.raises(ValueError):
            function(truth_N[:-1], given_N)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("pictures", [11, 12, 25])
def test_every_metric_takes_a_handful_of_pictures(name, pictures):
    metric, arrays = METRICS[name], example(name, pictures)
    interval = metric.interval(*arrays)
    assert np.isfinite([interval.low, metric.value(*arrays), interval.high]).all()


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_a_number_with_a_title(name):
    metric = METRICS[name]
    assert type(metric.value(*example(name))) is float
    assert type(metric.interval(*example(name)).low) is float
    assert metric.title.strip()


def test_the_plain_metrics_import_no_heavy_library():
    code = (
        "import sys, hf_resnet.metrics; "
        "print([m for m in ('torch', 'sklearn', 'evaluate', 'datasets', 'scipy') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
