"""What is tested on is never learned from, and every fold is a fair sample."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_resnet.head.folds import FEWEST, NEVER, folds_of

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=60)


def keys(numbers: list[int]) -> np.ndarray:
    return np.array([f"{number:032x}" for number in numbers], "S32")


@settings(deadline=None)
@given(LABELS, st.integers(2, 6), st.integers(0, 3), st.randoms())
def test_rows_of_one_picture_share_a_fold(labels, folds, seed, random) -> None:
    numbers = [random.randrange(len(labels)) for _ in labels]
    fold_N, _ = folds_of(keys(numbers), np.array(labels), folds, seed)
    for number in set(numbers):
        assert len(set(fold_N[np.array(numbers) == number])) == 1


@settings(deadline=None)
@given(LABELS, st.integers(2, 6), st.integers(0, 3))
def test_every_fold_leaves_every_class_something_to_learn_from(labels, folds, seed) -> None:
    label_N = np.array(labels)
    fold_N, made = folds_of(keys(list(range(len(labels)))), label_N, folds, seed)
    for fold in range(made):
        assert set(label_N[fold_N != fold]) == set(labels)
        assert (fold_N == fold).any()


@settings(deadline=None)
@given(LABELS, st.integers(2, 6), st.integers(0, 3))
def test_each_class_is_dealt_out_evenly(labels, folds, seed) -> None:
    label_N = np.array(labels)
    fold_N, made = folds_of(keys(list(range(len(labels)))), label_N, folds, seed)
    if made:
        count_F = np.bincount(fold_N[fold_N != NEVER], minlength=made)
        assert count_F.max() - count_F.min() <= 1
    for label in set(labels) if made else ():
        count_F = np.bincount(fold_N[(label_N == label) & (fold_N != NEVER)], minlength=made)
        assert count_F.max() - count_F.min() <= 1
        assert ((fold_N == NEVER) & (label_N == label)).any() == (labels.count(label) == 1)


@settings(deadline=None)
@given(LABELS, st.randoms())
def test_the_order_of_the_rows_does_not_matter(labels, random) -> None:
    label_N, key_N = np.array(labels), keys(list(range(len(labels))))
    order = np.array(random.sample(range(len(labels)), len(labels)))
    fold_N, made = folds_of(key_N, label_N, 3, seed=0)
    mixed_N, mixed_made = folds_of(key_N[order], label_N[order], 3, seed=0)
    assert made == mixed_made
    np.testing.assert_array_equal(fold_N[order], mixed_N)


def test_there_are_no_more_folds_than_the_largest_class_has_pictures() -> None:
    label_N = np.repeat(np.arange(4), 3)
    assert folds_of(keys(list(range(12))), label_N, 5, seed=0)[1] == 3


def test_with_few_pictures_there_are_no_folds() -> None:
    label_N = np.arange(FEWEST - 1) % 2
    fold_N, made = folds_of(keys(list(range(len(label_N)))), label_N, 5, seed=0)
    assert made == 0
    assert (fold_N == NEVER).all()


def test_another_seed_deals_otherwise() -> None:
    label_N, key_N = np.repeat([0, 1], 30), keys(list(range(60)))
    assert (folds_of(key_N, label_N, 5, 0)[0] != folds_of(key_N, label_N, 5, 1)[0]).any()
