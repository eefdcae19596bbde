"""Intervals: they hold the true value as often as they say, in simulated measurements."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_resnet.metrics import bootstrap, confusion_matrix, macro_f1_interval, wilson
from hf_resnet.metrics.f1 import per_class_of
from hf_resnet.metrics.intervals import Counts


def f1_of(counts):
    whole = counts.answered_K + counts.support_K
    return (2 * counts.right_K / np.maximum(whole, 1)).mean(axis=-1)


def recall_of(counts):
    return (counts.right_K / counts.support_K).mean(axis=-1)


def simulated(classes, pictures, accuracy, tests, seed=0):
    """A true table of probabilities, and `tests` tables as so many measurements would give them."""
    rng = np.random.default_rng(seed)
    true_KK = rng.dirichlet(np.full(classes, 0.5), size=classes)
    np.fill_diagonal(true_KK, 0)
    true_KK *= (1 - accuracy) / true_KK.sum(axis=1, keepdims=True)
    np.fill_diagonal(true_KK, accuracy)
    tables_TKK = np.stack(
        [rng.multinomial(pictures, row_K, size=tests) for row_K in true_KK], axis=1
    )
    return true_KK * pictures, tables_TKK


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [  # Newcombe (1998), table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_intervals(successes, n, low, high):
    interval = wilson(successes, n)
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_is_a_mirror(pair):
    successes, n = pair
    interval, mirrored = wilson(successes, n), wilson(n - successes, n)
    assert 0 <= interval.low <= successes / n <= interval.high <= 1
    assert interval.low == pytest.approx(1 - mirrored.high, abs=1e-12)


@given(st.integers(0, 50))
def test_a_higher_level_gives_a_wider_interval(successes):
    narrow, wide = wilson(successes, 50, level=0.8), wilson(successes, 50, level=0.99)
    assert wide.low <= narrow.low <= narrow.high <= wide.high


@pytest.mark.parametrize("successes, n", [(-1, 5), (6, 5), (0, 0)])
def test_wilson_refuses_what_is_no_share(successes, n):
    with pytest.raises(ValueError, match="between 0 and n"):
        wilson(successes, n)


@pytest.mark.parametrize("n", [10, 30, 500])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_wilson_covers_at_the_stated_rate(n, share):
    intervals = [wilson(k, n) for k in range(n + 1)]
    drawn = np.random.default_rng(0).binomial(n, share, size=4000)
    held = np.mean([intervals[k].low <= share <= intervals[k].high for k in drawn])
    assert held >= 0.89  # it swings about 0.95, since the counts are whole numbers


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("classes, pictures, accuracy", [(3, 60, 0.7), (10, 40, 0.9)])
def test_the_bootstrap_of_macro_f1_covers_at_the_stated_rate(level, classes, pictures, accuracy):
    true_KK, tables_TKK = simulated(classes, pictures, accuracy, tests=600)
    true = float(f1_of(Counts.of(true_KK)))
    held = [
        found.low <= true <= found.high
        for found in (bootstrap(table, f1_of, resamples=400, level=level) for table in tables_TKK)
    ]
    standard_error = (level * (1 - level) / len(held)) ** 0.5
    assert np.mean(held) == pytest.approx(level, abs=3 * standard_error)


def test_small_tests_with_high_scores_are_covered_too():
    """Where resampling alone would hold the true value in fewer than half of the measurements."""
    true_KK, tables_TKK = simulated(classes=2, pictures=10, accuracy=0.98, tests=200)
    true = float(f1_of(Counts.of(true_KK)))
    held = [
        found.low <= true <= found.high
        for found in (bootstrap(table, f1_of, resamples=300) for table in tables_TKK)
    ]
    assert np.mean(held) >= 0.93


def test_all_answers_right_does_not_mean_no_doubt():
    found = bootstrap(np.diag([10, 10, 10]), f1_of)
    assert found.high == 1
    assert 0.8 < found.low < 0.95


def test_the_bootstrap_agrees_with_resampling_the_pictures_themselves():
    rng = np.random.default_rng(0)
    truth_N = np.repeat(np.arange(4), [400, 300, 200, 100])
    answers_N = np.where(rng.random(1000) < 0.8, truth_N, rng.integers(0, 4, 1000))
    values = []
    for _ in range(1000):
        drawn_N = np.concatenate(
            [rng.choice(np.flatnonzero(truth_N == k), (truth_N == k).sum()) for k in range(4)]
        )
        table = np.bincount(truth_N[drawn_N] * 4 + answers_N[drawn_N], minlength=16).reshape(4, 4)
        values.append(per_class_of(table).f1_K.mean())
    found = macro_f1_interval(truth_N, answers_N)
    low, high = np.quantile(values, [0.025, 0.975])
    assert found.low == pytest.approx(low, abs=0.005)
    assert found.high == pytest.approx(high, abs=0.005)


@given(
    st.integers(1, 6).flatmap(
        lambda k: st.lists(st.integers(0, 9), min_size=k * k, max_size=k * k).filter(any)
    ),
    st.integers(0, 5),
)
def test_the_bootstrap_takes_any_table_and_holds_its_own_figure(cells, seed):
    classes = int(len(cells) ** 0.5)
    table_KK = np.array(cells).reshape(classes, classes)
    found = bootstrap(table_KK, f1_of, resamples=50, seed=seed)
    assert 0 <= found.low <= f1_of(Counts.of(table_KK)) <= found.high <= 1


def test_each_class_keeps_its_number_of_pictures_in_every_resample():
    table_KK = np.array([[8, 1, 0], [0, 0, 0], [2, 0, 3]])

    def look(counts):
        if counts.right_K.ndim == 2:
            assert (counts.support_K == [9, 0, 5]).all()
            assert (counts.answered_K.sum(axis=1) == 14).all()
            assert (counts.right_K <= counts.support_K).all()
        return counts.right_K.sum(axis=-1) / 14

    bootstrap(table_KK, look, resamples=200)


def test_the_seed_decides_the_bootstrap():
    table_KK = np.array([[8, 2], [3, 7]])
    assert bootstrap(table_KK, f1_of, seed=1) == bootstrap(table_KK, f1_of, seed=1)
    assert bootstrap(table_KK, f1_of, seed=1) != bootstrap(table_KK, f1_of, seed=2)


def test_one_class_alone_is_doubted_too():
    """The next picture may be answered with a class that was not answered so far."""
    found = bootstrap(np.array([[7]]), f1_of)
    assert found.high == 1 and 0.5 < found.low < 1


@pytest.mark.parametrize(
    ("truth", "answers"),
    [([0, 1, 2], [1, 2, 0]), ([0], [1]), ([0, 0, 1], [0, 0, 0]), ([0, 1, 2], [0, 1, 0])],
)
def test_a_handful_of_pictures_leaves_room_above_the_figure(truth, answers):
    """Also for a class whose pictures were all answered wrongly."""
    figure = f1_of(Counts.of(np.asarray(confusion_matrix(truth, answers, 3))))
    assert macro_f1_interval(truth, answers).high > figure + 0.1


def test_a_small_test_with_nothing_right_is_covered_too():
    true_KK, tables_TKK = simulated(classes=3, pictures=5, accuracy=0.1, tests=200)
    true = float(f1_of(Counts.of(true_KK)))
    held = [
        found.low <= true <= found.high
        for found in (bootstrap(table, f1_of, resamples=300) for table in tables_TKK)
    ]
    assert np.mean(held) >= 0.93


@pytest.mark.parametrize("classes, pictures", [(60, 1), (20, 2)])
def test_many_classes_of_a_picture_or_two_are_covered_too(classes, pictures):
    """A class of a single picture, drawn anew by itself, is the same every time."""
    _, tables_TKK = simulated(classes, pictures, accuracy=0.8, tests=100)
    found = [bootstrap(table, recall_of, resamples=200) for table in tables_TKK]
    assert np.mean([each.low <= 0.8 <= each.high for each in found]) >= 0.89


def test_a_few_small_classes_among_large_ones_are_covered_too():
    rng, sizes = np.random.default_rng(0), [2, 2, 3, 100, 100]
    likely_KK = np.full((5, 5), 0.05) + 0.75 * np.eye(5)
    held = []
    for _ in range(200):
        table_KK = np.stack([rng.multinomial(*pair) for pair in zip(sizes, likely_KK, strict=True)])
        found = bootstrap(table_KK, recall_of, resamples=200)
        held.append(found.low <= 0.8 <= found.high)
    assert np.mean(held) >= 0.92
