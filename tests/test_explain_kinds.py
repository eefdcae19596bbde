"""Every kind of explanation, on every family of networks."""

import dataclasses
import io

import numpy as np
import pytest
import torch
from PIL import Image

from hf_resnet.classifier import open_classifier
from hf_resnet.config import ComputeConfig
from hf_resnet.data import pictures
from hf_resnet.errors import ModelError
from hf_resnet.explain import (
    KINDS,
    Question,
    adversarial,
    as_png,
    features,
    gradcam,
    ideal,
    neighbours,
    seeing,
    sheet,
)
from hf_resnet.explain.sheet import Block, Panel, percent, shown
from hf_resnet.fonts import lettering
from hf_resnet.labels import Labels
from hf_resnet.preprocess import Preprocess
from tests.conftest import FAMILIES, photo, png

QUICK_GROWTH = ideal.Growth(octaves=2, steps=1, more_rounds=0)


def answer(kind, classifier, tmp_path):
    """The block of a kind, with as little work as shows that it works."""
    picture = photo(1)
    (tmp_path / "one.png").write_bytes(png(picture))
    quick = {
        "gradcam": lambda: gradcam.block(
            gradcam.explain(classifier, picture), classifier, Question(picture=picture)
        ),
        "features": lambda: features.block(features.explain(classifier, picture), "one"),
        "ideal": lambda: ideal.block(
            ideal.explain(classifier, "zebra", growth=QUICK_GROWTH), classifier
        ),
        "adversarial": lambda: adversarial.block(
            adversarial.explain(classifier, picture, most_levels=1, attack="fgsm"),
            classifier,
            "one",
        ),
        "neighbours": lambda: neighbours.block(
            neighbours.explain(
                classifier,
                picture,
                pictures([str(tmp_path)]),
                compute=ComputeConfig(per_device_eval_batch_size=1),
                feature_cache_dir=str(tmp_path / "cache"),
            ),
            classifier,
            "one",
        ),
    }
    return quick[kind]()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "timm-vgg"])
def test_every_kind_draws_something_for_every_family(family, kind, family_folders, tmp_path):
    classifier = open_classifier(str(family_folders(family)))
    before = {name: tensor.clone() for name, tensor in classifier.network.state_dict().items()}
    block = answer(kind, classifier, tmp_path)
    assert len(block.panels) > 1
    drawn = Image.open(io.BytesIO(as_png(sheet(KINDS[kind].TITLE, [block]))))
    assert min(drawn.size) > 200
    assert all(
        torch.equal(before[name], now) for name, now in classifier.network.state_dict().items()
    )
    assert all(weight.requires_grad for weight in classifier.network.parameters())


MODES = [
    Preprocess(mode="crop", size=(24, 24), resize=(29, 29)),
    Preprocess(mode="crop", size=(24, 24), resize=(29, 29), rounding="timm", channel_order="BGR"),
    Preprocess(mode="squash", size=(20, 28), resize=(20, 28)),
    Preprocess(mode="letterbox", size=(31, 31), resize=(31, 31), mean=(0.4, 0.5, 0.6)),
    Preprocess(mode="letterbox", size=(31, 31), resize=(25, 25), rounding="timm"),
]


@pytest.mark.parametrize("preprocess", MODES)
@pytest.mark.parametrize("size", [(40, 61), (61, 40), (33, 33)])
def test_what_gradients_run_through_is_what_the_preprocess_makes(preprocess, size):
    picture = photo(2, size)
    scaled = seeing.scaled(preprocess, picture)
    assert np.array_equal(preprocess.resized(scaled), preprocess.resized(picture))
    levels_CHW = torch.from_numpy(np.array(scaled)).permute(2, 0, 1).float()
    window_CHW = seeing.cut_out(preprocess, levels_CHW)
    assert seeing.as_picture(window_CHW) == seeing.window(preprocess, picture)
    ours = seeing.network_input(preprocess, window_CHW[None])[0].numpy()
    assert np.allclose(ours, preprocess(picture), atol=1e-5)


def test_a_sheet_is_as_wide_as_its_panels_and_breaks_long_lines():
    panels = tuple(Panel(photo(seed), "a long name " * 9, "a note " * 30) for seed in range(5))
    block = Block("heading " * 40, panels, side=100, columns=3)
    one, two = sheet("title", [block]), sheet("title", [block, block])
    assert one.width == two.width == 3 * 100 + 4 * 18
    assert two.height > 1.7 * one.height
    assert as_png(one) == as_png(sheet("title", [block]))


def test_small_pictures_are_enlarged_by_whole_pixels():
    dots = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8))
    drawn = np.array(sheet("t", [Block("", (Panel(dots, "dots"),), side=100)]))
    wide = np.array(dots.resize((96, 96), Image.Resampling.NEAREST))
    found = [
        (y, x)
        for y in range(drawn.shape[0] - 95)
        for x in (18,)
        if np.array_equal(drawn[y : y + 96, x : x + 96], wide)
    ]
    assert len(found) == 1


def test_no_letter_of_a_name_reaches_into_the_picture_below_it():
    name = "ကြောင် ဣန္ဒြေ ကြူ"
    if lettering([name]).problem:
        pytest.skip("no Burmese font here: apt-get install fonts-sil-padauk")
    white = Image.new("RGB", (200, 200), "white")
    drawn = np.array(sheet("", [Block("", (Panel(white, name),), side=200)]).convert("L"))
    (edge, *_) = np.flatnonzero((drawn[:, 18:218] == 217).all(axis=1))  # the frame's colour
    letters = drawn[edge - 27 : edge]
    assert letters[:-3].min() < 100
    assert (letters[-3:] == 255).all()


def test_shares_and_names_are_written_short_and_true():
    shares = (0, 0.0004, 0.002, 0.0994, 0.42, 0.994, 0.9996, 1)
    told = ["under 0.1 %", "under 0.1 %", "0.2 %", "9.9 %", "42 %", "99.4 %", *["over 99.9 %"] * 2]
    assert [percent(share) for share in shares] == told
    labels = Labels(("tabby, tabby cat", "\U00012345", "x" * 60))
    assert shown(labels, 0) == "tabby"
    assert shown(labels, 1) == "class 1"
    assert len(shown(labels, 2)) == 26


def test_a_kinds_answer_is_a_sheet_some_lines_and_perhaps_pictures(family_folders, tmp_path):
    classifier = open_classifier(str(family_folders("transformers-resnet")))
    question = Question(picture=photo(1), name="one.png", truth="zebra")
    for kind in ("gradcam", "features"):
        found = KINDS[kind].ask(classifier, question)
        assert all(line.startswith("one.png: ") for line in found.lines)
        assert dataclasses.is_dataclass(found.block)


def test_a_network_with_broken_weights_is_one_clear_line(family_folders, tmp_path):
    classifier = open_classifier(str(family_folders("timm-resnet")))
    next(classifier.network.parameters()).data[:] = float("nan")
    for kind in KINDS:
        with pytest.raises(ModelError, match="not finite") as caught:
            answer(kind, classifier, tmp_path)
        assert "\n" not in str(caught.value)
