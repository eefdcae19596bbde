"""The suite of changed pictures: what is promised of each kind, now and later."""

import colorsys

import numpy as np
import pytest

from hf_resnet.corruptions import CORRUPTIONS, STRENGTHS, corrupted
from tests.conftest import photo

PICTURE = np.array(photo(1, size=(160, 120)))


@pytest.mark.parametrize("kind", CORRUPTIONS)
@pytest.mark.parametrize("size", [(64, 48), (7, 5), (1, 1)])
def test_every_kind_keeps_the_shape_and_leaves_its_input_alone(kind, size):
    pixels_HWC = np.array(photo(1, size=size))
    before = pixels_HWC.copy()
    for strength in STRENGTHS:
        found = corrupted(pixels_HWC, kind, strength, "key")
        assert found.shape == pixels_HWC.shape and found.dtype == np.uint8
    np.testing.assert_array_equal(pixels_HWC, before)


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_every_kind_changes_more_the_stronger_it_is(kind):
    """On average over pictures: which way and where is drawn."""
    moved = [
        np.mean(
            [
                np.abs(corrupted(PICTURE, kind, strength, str(key)).astype(float) - PICTURE).mean()
                for key in range(12)
            ]
        )
        for strength in STRENGTHS
    ]
    assert 0 < moved[0] < moved[1] < moved[2]


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_the_same_picture_is_always_changed_alike(kind):
    first, again = (corrupted(PICTURE, kind, 2, "key") for _ in range(2))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("kind", ["hue", "tint", "noise", "rotation", "occlusion", "scale"])
def test_what_is_drawn_differs_from_picture_to_picture(kind):
    found = {corrupted(PICTURE, kind, 2, str(key)).tobytes() for key in range(12)}
    assert len(found) > 1


def test_the_hue_moves_and_the_lightness_stays():
    yellow = np.full((4, 4, 3), (150, 120, 40), np.uint8)
    turned = corrupted(yellow, "hue", 2, "a")[0, 0].astype(float)
    light = np.array([0.299, 0.587, 0.114])
    assert turned @ light == pytest.approx(yellow[0, 0] @ light, abs=1.5)
    hues = [colorsys.rgb_to_hsv(*colour)[0] for colour in (yellow[0, 0] / 255, turned / 255)]
    assert 0.1 < abs(hues[1] - hues[0]) < 0.9


def test_grey_at_its_strongest_has_no_colour_left():
    found = corrupted(PICTURE, "grey", 3, "key")
    assert (found.max(axis=2) == found.min(axis=2)).all()


def test_a_strength_that_is_none_is_refused():
    with pytest.raises(ValueError, match="a strength is one of"):
        corrupted(PICTURE, "grey", 4, "key")
