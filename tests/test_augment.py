"""hf_resnet.augment: a view is a pure function of (seed, key, number)."""

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hf_resnet.augment import AREA, PROPORTIONS, random_box, view
from hf_resnet.preprocess import Preprocess

PLAIN = Preprocess(mode="crop", size=(32, 32), resize=(36, 36))


def gradient(width: int, height: int) -> Image.Image:
    """Red tells the column and green the row, so that a view tells which part it shows."""
    y, x = np.mgrid[:height, :width]
    red, green = x * 255 // max(1, width - 1), y * 255 // max(1, height - 1)
    return Image.fromarray(np.stack([red, green, red * 0], axis=2).astype(np.uint8))


def test_view_zero_is_what_serving_sees():
    picture = gradient(60, 50)
    plain = view(picture, PLAIN, seed=3, key="a", number=0)
    assert np.array_equal(plain, PLAIN.resized(picture))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 300),
    st.integers(2, 300),
    st.integers(0, 2**40),
    st.text(max_size=20),
    st.integers(1, 1000),
)
def test_a_view_has_the_networks_size_and_is_the_same_each_time(width, height, seed, key, number):
    picture = gradient(width, height)
    first = view(picture, PLAIN, seed=seed, key=key, number=number)
    random.seed(1)
    np.random.seed(1)
    again = view(picture, PLAIN, seed=seed, key=key, number=number)
    assert first.dtype == np.uint8
    assert first.shape == (32, 32, 3)
    assert first.flags["C_CONTIGUOUS"]
    assert np.array_equal(first, again)


def test_views_differ_by_seed_by_key_and_by_number():
    picture = gradient(200, 150)
    asked = [(0, "a", 1), (1, "a", 1), (0, "b", 1), (0, "a", 2), (0, "a", 3), (11, "a", 1)]
    views = {view(picture, PLAIN, seed=s, key=k, number=n).tobytes() for s, k, n in asked}
    assert len(views) == len(asked)


def test_the_order_of_asking_and_the_process_make_no_difference():
    picture = gradient(90, 70)
    forwards = [view(picture, PLAIN, seed=0, key="k", number=n).sum() for n in (1, 2, 3)]
    backwards = [view(picture, PLAIN, seed=0, key="k", number=n).sum() for n in (3, 2, 1)]
    assert forwards == backwards[::-1]
    code = (
        "from tests.test_augment import *\n"
        "print([int(view(gradient(90, 70), PLAIN, seed=0, key='k', number=n).sum())"
        " for n in (1, 2, 3)])"
    )
    root = Path(__file__).parent.parent
    other = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == str([int(each) for each in forwards])


def test_views_stay_what_they_were_when_features_were_cached():
    """A change of the recipe must be noticed: cached features of earlier runs would be wrong."""
    shown = view(gradient(100, 80), PLAIN, seed=7, key="k", number=1)
    corners = [*shown[0, 0, :2], *shown[-1, -1, :2]]
    assert [int(level) for level in corners] == pytest.approx([86, 44, 209, 222], abs=1)


def test_half_of_the_views_are_mirrored():
    picture = gradient(64, 64)
    views = [view(picture, PLAIN, seed=0, key="k", number=n) for n in range(1, 401)]
    mirrored = sum(int(v[0, 0, 0]) > int(v[0, -1, 0]) for v in views)
    assert 150 < mirrored < 250


@settings(max_examples=200, deadline=None)
@given(
    st.integers(2, 500), st.integers(2, 500), st.sampled_from([1.0, 2.0, 0.6]), st.integers(0, 99)
)
def test_the_part_lies_inside_and_has_the_area_and_proportions_promised(
    width, height, proportion, seed
):
    chance = np.random.default_rng(seed)
    left, top, right, bottom = random_box((width, height), proportion, chance)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    ratio = (right - left) / (bottom - top) / proportion
    assert PROPORTIONS[0] * 0.999 <= ratio <= PROPORTIONS[1] * 1.001
    share = (right - left) * (bottom - top) / (width * height)
    if PROPORTIONS[0] <= width / height / proportion <= PROPORTIONS[1]:
        assert AREA[0] * 0.999 <= share <= AREA[1]


def test_parts_reach_every_corner_and_differ_in_size():
    boxes = [random_box((100, 100), 1.0, np.random.default_rng(seed)) for seed in range(500)]
    lefts, tops, rights, bottoms = np.array(boxes).T
    assert lefts.min() < 2
    assert tops.min() < 2
    assert rights.max() > 98
    assert bottoms.max() > 98
    areas = (rights - lefts) * (bottoms - tops) / 1e4
    assert areas.min() < 0.37
    assert areas.max() > 0.95
    assert abs(areas.mean() - sum(AREA) / 2) < 0.05
