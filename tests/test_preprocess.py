"""hf_resnet.preprocess: geometry, numbers, changes and the record itself. That the pixels equal
those of transformers and timm is shown in test_native_preprocess.py."""

import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hf_resnet.errors import ConfigError, ModelError
from hf_resnet.preprocess import Preprocess, shortest_crop_pct

CROP = Preprocess(mode="crop", size=(32, 32), resize=(36, 36))
SQUASH = Preprocess(mode="squash", size=(32, 32), resize=(32, 32))
LETTERBOX = Preprocess(mode="letterbox", size=(32, 32), resize=(32, 32))


def halves(width: int, height: int) -> Image.Image:
    """Left red, right blue."""
    pixels_HWC = np.zeros((height, width, 3), np.uint8)
    pixels_HWC[:, : width // 2, 0] = 255
    pixels_HWC[:, width // 2 :, 2] = 255
    return Image.fromarray(pixels_HWC)


records = st.builds(
    Preprocess,
    mode=st.sampled_from(["crop", "squash", "letterbox"]),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    resize=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    interpolation=st.sampled_from(["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]),
    mean=st.tuples(*[st.floats(0, 1)] * 3),
    std=st.tuples(*[st.floats(0.01, 300)] * 3),
    rounding=st.sampled_from(["transformers", "timm"]),
    channel_order=st.sampled_from(["RGB", "BGR"]),
)


@settings(max_examples=150, deadline=None)
@given(records, st.integers(1, 90), st.integers(1, 90))
def test_any_record_gives_any_picture_the_networks_size(record, width, height):
    picture = halves(width, height)
    pixels_HWC = record.resized(picture)
    assert pixels_HWC.dtype == np.uint8
    assert pixels_HWC.shape == (*record.size, 3)
    assert pixels_HWC.flags["WRITEABLE"]
    pixels_CHW = record(picture)
    assert pixels_CHW.dtype == np.float32
    assert pixels_CHW.shape == (3, *record.size)
    assert pixels_CHW.flags["C_CONTIGUOUS"]
    assert np.array_equal(pixels_CHW, record.normalised(pixels_HWC))


def test_crop_keeps_proportions_and_loses_the_ends():
    pixels_HWC = CROP.resized(halves(360, 36))
    assert np.array_equal(pixels_HWC[:, :15, 0], np.full((32, 15), 255))
    assert np.array_equal(pixels_HWC[:, 17:, 2], np.full((32, 15), 255))
    assert not (pixels_HWC == 0).all(axis=2).any()


def test_squash_shows_everything():
    pixels_HWC = SQUASH.resized(halves(360, 36))
    assert pixels_HWC[0, 0].tolist() == [255, 0, 0]
    assert pixels_HWC[-1, -1].tolist() == [0, 0, 255]


def test_letterbox_shows_everything_between_bars_of_the_mean_colour():
    pixels_HWC = LETTERBOX.resized(halves(64, 32))
    assert pixels_HWC[8, 0].tolist() == [255, 0, 0]
    assert pixels_HWC[23, -1].tolist() == [0, 0, 255]
    bars = np.concatenate([pixels_HWC[:8], pixels_HWC[24:]]).reshape(-1, 3)
    assert np.array_equal(bars, np.tile([123, 116, 103], (len(bars), 1)))
    upright = LETTERBOX.resized(halves(32, 64))
    assert upright[0, 8].tolist() == [255, 0, 0]
    assert upright[0, 0].tolist() == [123, 116, 103]


def test_letterbox_bars_are_close_to_nothing_for_the_network():
    numbers = LETTERBOX(halves(64, 32))[:, 0]
    assert np.abs(numbers).max() < 0.02


def test_an_odd_bar_and_an_odd_margin_go_where_each_library_puts_them():
    timm = dataclasses.replace(CROP, rounding="timm", resize=(35, 35))
    native = dataclasses.replace(CROP, resize=(35, 35))
    tall = Image.fromarray(np.arange(35, dtype=np.uint8)[:, None, None].repeat(35, 1).repeat(3, 2))
    assert timm.resized(tall)[0, 0, 0] == 2
    assert native.resized(tall)[0, 0, 0] == 1


def test_a_strip_too_thin_to_letterbox_is_still_one_pixel_wide():
    for record in (LETTERBOX, dataclasses.replace(LETTERBOX, rounding="timm")):
        assert record.scaled_size((1, 500)) == (1, 32)


@settings(max_examples=100, deadline=None)
@given(records)
def test_numbers_are_the_levels_less_mean_over_std(record):
    levels_HWC = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    wanted = (levels_HWC / 255.0 - record.mean) / record.std
    if record.channel_order == "BGR":
        wanted = wanted[:, :, ::-1]
    found = record.normalised(levels_HWC)
    np.testing.assert_allclose(found, wanted.transpose(2, 0, 1), rtol=1e-6, atol=1e-5)


@settings(max_examples=200)
@given(records)
def test_the_record_survives_json(record):
    again = Preprocess.from_json(json.loads(json.dumps(record.to_json())))
    assert again == record
    assert again.fingerprint() == record.fingerprint()


def test_a_fingerprint_is_the_same_tomorrow_and_tells_every_field():
    assert CROP.fingerprint() == "7bf6963fac0e9d6e992fc2ec28cd4772"
    others = [
        dataclasses.replace(CROP, **change)
        for change in (
            {"mode": "squash"},
            {"size": (32, 33)},
            {"resize": (36, 37)},
            {"interpolation": "bilinear"},
            {"mean": (0.485, 0.456, 0.4061)},
            {"std": (0.229, 0.224, 0.2251)},
            {"rounding": "timm"},
            {"channel_order": "BGR"},
        )
    ]
    assert len(others) == len(dataclasses.fields(Preprocess))
    assert len({each.fingerprint() for each in (CROP, *others)}) == len(others) + 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mode": "center"}, "mode is crop, squash or letterbox, got 'center'"),
        ({"size": 224}, "size is a height and a width in whole pixels, at most 8,192, got 224"),
        ({"size": (224, 224.0)}, "whole pixels"),
        ({"resize": (0, 5)}, "resize"),
        ({"resize": (256,)}, "resize"),
        ({"interpolation": "cubic"}, "interpolation"),
        ({"mean": (0.5,)}, "mean is three numbers"),
        ({"std": (0.5, 0.5, math.nan)}, "std is three numbers"),
        ({"std": (0.5, 0.5, 0.0)}, "std is above 0"),
        ({"rounding": "half"}, "rounding"),
        ({"channel_order": "GRB"}, "channel_order"),
        ({"mode": "letterbox", "mean": (1.5, 0.5, 0.5)}, "letterbox"),
    ],
)
def test_what_cannot_be_is_refused_by_name(change, words):
    with pytest.raises(ModelError, match=words):
        dataclasses.replace(CROP, **change)


def test_a_record_with_an_unknown_or_a_missing_key_is_refused():
    with pytest.raises(ModelError, match="unknown key 'sizes'; did you mean size"):
        Preprocess.from_json({**CROP.to_json(), "sizes": [1, 1]})
    short = CROP.to_json()
    del short["rounding"]
    with pytest.raises(ModelError, match="rounding missing"):
        Preprocess.from_json(short)


@pytest.mark.parametrize(
    ("size", "resize", "asked", "wanted"),
    [
        (224, 256, 160, 182),  # 160 / 0.875
        (224, 235, 288, 303),  # 288 / 0.95, as timm has it
        (224, 224, 384, 384),
        (224, 232, 112, 116),
        (32, 36, 32, 36),
    ],
)
def test_another_size_keeps_the_share_that_is_cropped(size, resize, asked, wanted):
    record = Preprocess(mode="crop", size=(size, size), resize=(resize, resize))
    changed = record.with_changes(image_size=asked)
    assert changed.size == (asked, asked)
    assert changed.resize == (wanted, wanted)
    assert dataclasses.replace(changed, size=record.size, resize=record.resize) == record


def test_another_mode_takes_its_usual_frame_and_the_same_mode_changes_nothing():
    assert CROP.with_changes() == CROP
    assert CROP.with_changes(mode="crop") == CROP
    assert CROP.with_changes(mode="squash") == SQUASH
    assert CROP.with_changes(mode="letterbox", image_size=48).resize == (48, 48)
    assert LETTERBOX.with_changes(mode="crop") == CROP


def test_changes_that_cannot_be_are_config_errors():
    with pytest.raises(ConfigError, match="image_size is from 1 to 4,096 pixels, got 0"):
        CROP.with_changes(image_size=0)
    with pytest.raises(ConfigError, match="mode is crop, squash or letterbox"):
        CROP.with_changes(mode="stretch")


@settings(max_examples=300)
@given(st.integers(1, 1000), st.integers(1, 2000))
def test_every_size_and_resize_has_a_crop_pct(size, resize):
    assert math.floor(size / shortest_crop_pct((size, resize))) == resize


def test_a_crop_pct_is_the_one_that_people_write():
    assert shortest_crop_pct((224, 256)) == 0.875
    assert shortest_crop_pct((256, 292)) == 0.875
    assert shortest_crop_pct((224, 235)) == 0.95
    assert shortest_crop_pct((224, 224), (320, 320)) == 1.0
    assert shortest_crop_pct((100, 100), (100, 120)) is None


def test_preparing_a_picture_imports_neither_torch_nor_transformers_nor_timm():
    code = (
        "import sys, hf_resnet.images, hf_resnet.preprocess, hf_resnet.augment\n"
        "print(sorted({'torch', 'torchvision', 'transformers', 'timm'} & {*sys.modules}))"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
