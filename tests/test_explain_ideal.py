"""The ideal picture scores, and still does when it is shifted."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from hf_resnet.classifier import Prediction, open_classifier
from hf_resnet.errors import ConfigError, LabelError
from hf_resnet.explain import Question, as_png, ideal

SHORT = ideal.Growth(octaves=3, steps=12, more_rounds=1)


@pytest.fixture(scope="module")
def lite0():
    return open_classifier("packaged:efficientnet-lite0")


@pytest.fixture(scope="module")
def zebra(lite0):
    return ideal.explain(lite0, "zebra", growth=SHORT)


def test_the_saved_picture_gets_the_class_at_over_90_percent(lite0, zebra, tmp_path):
    path = tmp_path / "zebra.png"
    path.write_bytes(as_png(zebra.picture))
    (first,) = lite0(path, top_k=1)
    assert first.label == "zebra"
    assert first.probability > 0.9
    assert zebra.probability > 0.9
    assert zebra.holds


def test_it_still_reads_as_the_class_when_shifted(lite0, zebra):
    pixels_HWC = np.asarray(zebra.picture)
    assert len(zebra.kept) == 8
    assert all(zebra.kept)
    for down, right in ((8, 0), (-8, 8), (0, -8)):
        moved = np.roll(pixels_HWC, (down, right), (0, 1))
        (first,) = lite0(Image.fromarray(moved), top_k=1)
        assert first.label == "zebra"


def test_it_is_as_large_as_the_frame_so_that_no_pixel_is_scaled(lite0, zebra):
    assert zebra.picture.size == lite0.preprocess.resize
    assert len(zebra.grown) == SHORT.octaves
    assert zebra.grown[-1] == zebra.picture


def test_the_same_seed_gives_the_same_picture_and_another_another(family_folders):
    classifier = open_classifier(str(family_folders("scratch")))
    quick = ideal.Growth(octaves=2, steps=3, more_rounds=0)
    torch.manual_seed(1)
    one = ideal.explain(classifier, "zebra", seed=3, growth=quick)
    torch.manual_seed(2)
    two = ideal.explain(classifier, "zebra", seed=3, growth=quick)
    other = ideal.explain(classifier, "zebra", seed=4, growth=quick)
    assert as_png(one.picture) == as_png(two.picture)
    assert as_png(one.picture) != as_png(other.picture)


def test_smoothness_is_what_keeps_neighbouring_pixels_alike(family_folders):
    classifier = open_classifier(str(family_folders("timm-mobilenet")))

    def roughness(smoothness):
        growth = ideal.Growth(octaves=1, steps=15, more_rounds=0, views=1, smoothness=smoothness)
        picture = ideal.explain(classifier, "zebra", growth=growth).picture
        return np.abs(np.diff(np.asarray(picture, np.int64), axis=1)).mean()

    assert roughness(1000.0) < 0.7 * roughness(0.0)


def test_a_picture_that_falls_short_says_so(zebra, lite0):
    short = dataclasses.replace(zebra, probability=0.4, answer=Prediction("horse", 0.5))
    shaky = dataclasses.replace(zebra, kept=(True,) * 7 + (False,))
    for each in (short, shaky):
        assert not each.holds
        assert "not the ideal picture that was wanted" in ideal.sentence(each, lite0)
        assert "Not reached" in ideal.block(each, lite0).heading
    assert "not" not in ideal.sentence(zebra, lite0)


def test_what_cannot_be_is_one_clear_line(family_folders):
    classifier = open_classifier(str(family_folders("scratch")))
    with pytest.raises(LabelError, match="no class is called 'unicorn'"):
        ideal.explain(classifier, "unicorn")
    with pytest.raises(ConfigError, match="takes one --class, got 2"):
        ideal.ask(classifier, Question(classes=("zebra", "2")))
