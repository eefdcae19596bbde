"""The head is the optimum of its objective, its strength is well chosen, and the same again."""

import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info, threadpool_limits

from hf_resnet.config import HeadConfig
from hf_resnet.errors import DataError
from hf_resnet.head import blocks
from hf_resnet.head.fit import DEFAULT_REGULARIZATION, Fit, fit_head
from hf_resnet.head.folds import folds_of
from hf_resnet.head.strength import NO_MATTER, PATH


def keys(count: int) -> np.ndarray:
    return np.array([f"{number:032x}" for number in range(count)], "S32")


def clusters(
    counts: tuple[int, ...], width: int = 12, *, views: int = 1, apart: float = 1.5, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """features_NVD of classes that overlap unless they are far apart, and label_N."""
    random = np.random.default_rng(seed)
    label_N = np.repeat(np.arange(len(counts)), counts)
    centre_KD = random.normal(size=(len(counts), width)) * apart
    spread_D = np.geomspace(3, 0.1, width)
    noise = random.normal(size=(len(label_N), views, width)) * spread_D
    return (centre_KD[label_N][:, None] * spread_D + noise + 5).astype(np.float32), label_N


class InMemory:
    """A source of features that are at hand."""

    def __init__(self, features_NVD: np.ndarray) -> None:
        self.features_NVD, self.shape = features_NVD, features_NVD.shape

    def read(self, start: int, stop: int) -> np.ndarray:
        return self.features_NVD[start:stop].astype(np.float32)


def fitted(features_NVD: np.ndarray, label_N: np.ndarray, **options) -> Fit:
    intercept = options.pop("intercept", True)
    key_N = options.pop("key_N", keys(len(label_N)))
    return fit_head(
        InMemory(features_NVD),
        key_N,
        label_N,
        classes=int(label_N.max()) + 1,
        config=HeadConfig(**options),
        intercept=intercept,
    )


def probabilities(fit: Fit, features_ND: np.ndarray) -> np.ndarray:
    bias_K = 0 if fit.bias_K is None else fit.bias_K
    logits = features_ND.astype(np.float64) @ fit.weight_KD.T + bias_K
    chance = np.exp(logits - logits.max(1, keepdims=True))
    return chance / chance.sum(1, keepdims=True)


def reference(
    features_NVD: np.ndarray,
    label_N: np.ndarray,
    strength: float,
    *,
    balanced: bool,
    intercept: bool,
) -> LogisticRegression:
    """scikit-learn's optimum of the objective that the documentation states."""
    count_K = np.bincount(label_N)
    weight_N = 1 / count_K[label_N] if balanced else np.ones(len(label_N))
    weight_N = weight_N / weight_N.sum()
    flat = features_NVD.astype(np.float64)
    views = flat.shape[1]
    mean_D = weight_N @ flat.mean(1)
    size = np.sqrt(weight_N @ ((flat - mean_D) ** 2).sum(2).mean(1))
    shift_D = mean_D if intercept else 0
    rows = ((flat - shift_D) / size).reshape(-1, flat.shape[2])
    # with two classes scikit-learn has one row of weights, twice as long as each of our two
    strength = strength / 2 if len(count_K) == 2 else strength
    model = LogisticRegression(C=1 / strength, fit_intercept=intercept, tol=1e-10, max_iter=100_000)
    model.fit(rows, np.repeat(label_N, views), np.repeat(weight_N / views, views))
    model.coef_ = model.coef_ / size
    model.intercept_ = model.intercept_ - model.coef_ @ (np.ones(flat.shape[2]) * shift_D)
    return model


CASES = {
    "even classes": {"counts": (40, 40, 40)},
    "uneven classes": {"counts": (70, 20, 10)},
    "uneven classes, all alike": {"counts": (70, 20, 10), "class_weight": "none"},
    "even classes, balanced": {"counts": (40, 41), "class_weight": "balanced"},
    "four views": {"counts": (20, 9, 20), "views": 4},
    "two classes": {"counts": (30, 30)},
    "fewer pictures than numbers": {"counts": (8, 8, 8), "width": 40},
    "a class with one picture": {"counts": (30, 1, 30)},
    "no bias": {"counts": (30, 20, 30), "intercept": False},
    "many classes": {"counts": (5,) * 20},
    "perfectly separable": {"counts": (30, 30, 30), "apart": 20.0},
}


@pytest.mark.parametrize("strength", [1e-1, 1e-3, 1e-5])
@pytest.mark.parametrize("case", CASES)
def test_the_head_is_the_optimum_that_scikit_learn_finds(case: str, strength: float) -> None:
    options = {"intercept": True, "class_weight": "auto", **CASES[case]}
    shape = {name: options.pop(name) for name in ("width", "apart") if name in options}
    views = options.get("views", 1)
    features_NVD, label_N = clusters(options.pop("counts"), views=views, **shape)
    fit = fitted(features_NVD, label_N, regularization=strength, **options)
    expected = reference(
        features_NVD,
        label_N,
        strength,
        balanced=fit.class_weight == "balanced",
        intercept=options["intercept"],
    )
    plain_ND = features_NVD[:, 0].astype(np.float64)
    np.testing.assert_allclose(
        probabilities(fit, plain_ND), expected.predict_proba(plain_ND), atol=3e-3
    )
    if len(np.bincount(label_N)) > 2:
        scale = np.abs(expected.coef_).max()
        np.testing.assert_allclose(fit.weight_KD, expected.coef_, atol=0.02 * scale)
    assert fit.converged


@pytest.mark.parametrize(
    ("counts", "asked", "weights"),
    [
        ((30, 20), "auto", "none"),
        ((31, 20), "auto", "balanced"),
        ((31, 20), "none", "none"),
        ((30, 30), "balanced", "balanced"),
    ],
)
def test_uneven_classes_are_balanced_from_one_and_a_half_to_one(counts, asked, weights):
    fit = fitted(*clusters(counts), class_weight=asked, regularization=0.01)
    assert fit.class_weight == weights


def test_balancing_helps_the_small_class() -> None:
    features_NVD, label_N = clusters((300, 10), apart=0.5)
    small_ND = features_NVD[label_N == 1, 0]
    found = {
        weight: (
            probabilities(fitted(features_NVD, label_N, class_weight=weight), small_ND)[:, 1] > 0.5
        )
        for weight in ("balanced", "none")
    }
    assert found["balanced"].sum() > found["none"].sum()


def test_features_that_say_nothing_leave_the_shares_of_the_classes() -> None:
    label_N = np.repeat([0, 1, 2], [20, 18, 16])
    fit = fitted(np.full((54, 1, 4), 7, np.float32), label_N)
    np.testing.assert_allclose(fit.weight_KD, 0, atol=1e-6)
    chance = probabilities(fit, np.full((1, 4), 7.0))[0]
    np.testing.assert_allclose(chance, np.bincount(label_N) / 54, atol=1e-3)


def test_some_features_may_be_constant() -> None:
    features_NVD, label_N = clusters((40, 40))
    features_NVD[:, :, 3] = 100
    fit = fitted(features_NVD, label_N)
    assert np.abs(fit.weight_KD[:, 3]).max() < 1e-3 * np.abs(fit.weight_KD).max()


def test_the_unit_and_the_origin_of_the_features_change_no_probability() -> None:
    features_NVD, label_N = clusters((40, 40, 40))
    moved_NVD = 64 * features_NVD + 1024
    plain, moved = (
        probabilities(fitted(each_NVD, label_N, regularization=1e-3), each_NVD[:, 0])
        for each_NVD in (features_NVD, moved_NVD)
    )
    np.testing.assert_allclose(moved, plain, atol=2e-3)


def test_a_head_without_bias_is_fitted_without() -> None:
    fit = fitted(*clusters((40, 40)), intercept=False)
    assert fit.bias_K is None


def test_the_mean_feature_is_kept() -> None:
    features_NVD, label_N = clusters((40, 40), views=2)
    for intercept in (True, False):
        fit = fitted(features_NVD, label_N, intercept=intercept, regularization=0.1)
        np.testing.assert_allclose(fit.feature_mean_D, features_NVD.mean((0, 1)), atol=1e-5)


def test_the_strength_with_the_lowest_log_loss_is_taken() -> None:
    fit = fitted(*clusters((60, 60, 60), apart=0.7))
    best = min(fit.cross_validation, key=lambda score: score.log_loss)
    assert fit.regularization == best.regularization
    assert fit.folds == 5
    strengths = [score.regularization for score in fit.cross_validation]
    assert strengths == sorted(strengths, reverse=True)
    assert strengths[-1] < fit.regularization < strengths[0]


def test_labels_at_random_call_for_a_strong_penalty_and_clear_ones_for_a_weak_one() -> None:
    features_NVD, label_N = clusters((60, 60), width=30)
    shuffled_N = np.random.default_rng(0).permutation(label_N)
    assert fitted(features_NVD, shuffled_N).regularization >= 0.03
    assert fitted(features_NVD, label_N).regularization <= 0.001


def test_the_search_ends_where_nothing_is_left_to_gain() -> None:
    fit = fitted(*clusters((60, 60), apart=50.0))
    assert min(score.log_loss for score in fit.cross_validation) < NO_MATTER
    assert fit.cross_validation[-1].regularization > PATH[-1]
    assert np.isfinite(fit.weight_KD).all()


def test_the_chosen_strength_does_well_on_new_pictures() -> None:
    features_NVD, label_N = clusters((400, 400, 400), apart=0.6)
    learn = np.arange(len(label_N)) % 8 == 0

    def loss_on_new(fit: Fit) -> float:
        chance = probabilities(fit, features_NVD[~learn, 0])
        return float(-np.log(chance[np.arange(len(chance)), label_N[~learn]]).mean())

    chosen = loss_on_new(fitted(features_NVD[learn], label_N[learn]))
    others = [
        loss_on_new(fitted(features_NVD[learn], label_N[learn], regularization=strength))
        for strength in (1e0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
    ]
    assert chosen < min(others) + 0.02


@pytest.mark.parametrize("views", [1, 3])
def test_cross_validation_tells_what_scikit_learn_would(views: int) -> None:
    """It learns from every view, and is tested on the plain pictures alone."""
    features_NVD, label_N = clusters((50, 50, 50), views=views)
    features_NVD[:, 1:] *= 0.5
    fit = fitted(features_NVD, label_N, folds=5)
    fold_N, _ = folds_of(keys(150), label_N, 5, seed=0)
    score = fit.cross_validation[2]
    flat_NVD = features_NVD.astype(np.float64)
    size = np.sqrt(((flat_NVD - flat_NVD.mean((0, 1))) ** 2).sum(2).mean())
    losses, right = [], []
    for fold in range(5):
        out = fold_N == fold
        strength = score.regularization * (~out).sum() * views
        model = LogisticRegression(C=1 / strength, max_iter=10_000)
        rows, labels = flat_NVD[~out].reshape(-1, 12), np.repeat(label_N[~out], views)
        chance = model.fit(rows / size, labels).predict_proba(flat_NVD[out, 0] / size)
        losses += (-np.log(chance[np.arange(len(chance)), label_N[out]])).tolist()
        right += (chance.argmax(1) == label_N[out]).tolist()
    assert score.log_loss == pytest.approx(np.mean(losses), abs=5e-3)
    assert score.accuracy == pytest.approx(np.mean(right), abs=0.02)


def test_too_few_pictures_to_choose_by_take_the_default() -> None:
    fit = fitted(*clusters((3, 3)))
    assert (fit.regularization, fit.folds, fit.cross_validation) == (DEFAULT_REGULARIZATION, 0, ())
    assert fitted(*clusters((1,) * 30)).regularization == DEFAULT_REGULARIZATION


def test_a_given_strength_is_not_searched_for() -> None:
    fit = fitted(*clusters((30, 30)), regularization=0.02)
    assert (fit.regularization, fit.folds, fit.cross_validation) == (0.02, 0, ())


def test_the_same_data_give_the_same_head_bit_for_bit_on_any_number_of_cores(monkeypatch) -> None:
    features_NVD, label_N = clusters((50, 30, 20), views=2)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 300)
    heads = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(blocks, "thread_count", lambda threads=threads: threads)
        heads.append(fitted(features_NVD, label_N))
    for other in heads[1:]:
        np.testing.assert_array_equal(heads[0].weight_KD, other.weight_KD)
        np.testing.assert_array_equal(heads[0].bias_K, other.bias_K)
        assert heads[0].cross_validation == other.cross_validation


def test_matrix_products_take_one_thread_each_while_blocks_are_worked_on() -> None:
    with threadpool_limits(2, user_api="blas"), blocks.threads():
        assert {
            each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"
        } == {1}


def test_rows_read_anew_on_every_pass_give_the_same_head_as_rows_held(monkeypatch) -> None:
    features_NVD, label_N = clusters((50, 30, 20))
    held = fitted(features_NVD, label_N)
    monkeypatch.setattr(blocks, "HELD_BYTES", 0)
    np.testing.assert_array_equal(fitted(features_NVD, label_N).weight_KD, held.weight_KD)


def test_blocks_of_any_size_and_rows_in_any_order_give_the_same_head(monkeypatch) -> None:
    features_NVD, label_N = clusters((50, 30, 20), views=3)
    whole = fitted(features_NVD, label_N)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1000)
    order = np.random.default_rng(1).permutation(len(label_N))
    mixed = fitted(features_NVD[order], label_N[order], key_N=keys(len(label_N))[order])
    assert mixed.regularization == whole.regularization
    np.testing.assert_allclose(
        mixed.weight_KD, whole.weight_KD, atol=2e-3 * np.abs(whole.weight_KD).max()
    )


def test_views_of_one_picture_count_as_one_picture() -> None:
    features_NVD, label_N = clusters((30, 30))
    once = fitted(features_NVD, label_N, regularization=0.01)
    thrice = fitted(np.repeat(features_NVD, 3, axis=1), label_N, regularization=0.01, views=3)
    np.testing.assert_allclose(thrice.weight_KD, once.weight_KD, atol=1e-4)


def test_many_classes_are_fitted_fold_by_fold_to_the_same_end(monkeypatch) -> None:
    features_NVD, label_N = clusters((12,) * 6)
    together = fitted(features_NVD, label_N)
    monkeypatch.setattr("hf_resnet.head.strength.MOST_COLUMNS", 6)
    alone = fitted(features_NVD, label_N)
    assert alone.regularization == together.regularization
    for one, other in zip(alone.cross_validation, together.cross_validation, strict=True):
        assert one.log_loss == pytest.approx(other.log_loss, abs=2e-3)


def test_one_class_is_no_task() -> None:
    with pytest.raises(DataError, match="at least 2 classes"):
        fitted(np.zeros((5, 1, 3), np.float32), np.zeros(5, np.int64))


def test_labels_must_match_the_features_and_name_every_class() -> None:
    features_NVD, label_N = clusters((5, 5))
    with pytest.raises(ValueError, match="10 rows of features and 9 labels"):
        fitted(features_NVD, label_N[:9])
    with pytest.raises(ValueError, match="every label"):
        fitted(features_NVD, label_N * 2)


def test_the_facts_are_plain_json() -> None:
    facts = fitted(*clusters((30, 30))).facts()
    assert json.loads(json.dumps(facts)) == facts
