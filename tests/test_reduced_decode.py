"""Large JPEGs decoded smaller: where it happens, how little it changes, and that the answers stay."""

import io

import numpy as np
import pytest
from PIL import Image

from hf_resnet import augment
from hf_resnet.classifier import open_classifier
from hf_resnet.data import pictures
from hf_resnet.data.picture_cache import PictureCache
from hf_resnet.data.rows import Row
from hf_resnet.engine import batches
from hf_resnet.errors import PictureError
from hf_resnet.images import decode
from hf_resnet.preprocess import Preprocess
from tests.conftest import photo, png


def jpeg(picture, **options):
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=90, **options)
    return out.getvalue()


@pytest.fixture(scope="module")
def large_photos():
    """Real photos as JPEGs of 2000 x 1500, with the grain that a camera leaves."""
    from skimage import data
    from sklearn.datasets import load_sample_images

    found = [*load_sample_images().images, data.cat(), data.coffee(), data.rocket()]
    chance = np.random.default_rng(0)
    made = []
    for pixels_HWC in found:
        large = Image.fromarray(pixels_HWC).resize((2000, 1500), Image.Resampling.BICUBIC)
        grain = chance.standard_normal((1500, 2000, 1), np.float32) * 4
        made.append(
            jpeg(Image.fromarray((np.asarray(large) + grain).clip(0, 255).astype(np.uint8)))
        )
    return made


@pytest.mark.parametrize(
    ("size", "at_least", "wanted"),
    [
        ((400, 320), 160, (200, 160)),
        ((400, 320), 161, (400, 320)),
        ((400, 320), 40, (50, 40)),
        ((400, 320), 1, (50, 40)),  # an eighth is the smallest there is
        ((404, 324), 40, (101, 81)),
        ((401, 320), 40, (401, 320)),  # proportions would change
        ((400, 320), None, (400, 320)),
    ],
)
def test_a_jpeg_is_decoded_as_small_as_is_enough_and_keeps_its_proportions(size, at_least, wanted):
    assert decode(jpeg(photo(size=size)), at_least=at_least).size == wanted


def test_a_reduced_picture_is_turned_as_the_camera_noted():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = jpeg(photo(size=(400, 320)), exif=exif)
    small, whole = decode(data, at_least=160), decode(data)
    assert (small.size, whole.size) == ((160, 200), (320, 400))
    off_HWC = np.asarray(small).astype(int) - np.asarray(whole.resize(small.size))
    assert np.abs(off_HWC).mean() < 2


def test_other_formats_are_decoded_whole():
    picture = photo(size=(400, 320))
    assert np.array_equal(np.asarray(decode(png(picture), at_least=10)), np.asarray(picture))


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_every_mode_of_jpeg_may_be_reduced(mode):
    reduced = decode(jpeg(photo(size=(400, 320)).convert(mode)), at_least=160)
    assert (reduced.mode, reduced.size) == ("RGB", (200, 160))


def test_a_jpeg_cut_short_is_refused_when_reduced_too():
    data = jpeg(photo(size=(400, 320)))
    with pytest.raises(PictureError, match="truncated"):
        decode(data[: len(data) // 2], at_least=40)


@pytest.mark.parametrize("mode", ["crop", "squash", "letterbox"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos"])
def test_pixels_of_large_photos_stay_within_the_stated_tolerance(mode, interpolation, large_photos):
    preprocess = Preprocess(
        mode=mode, size=(224, 224), resize=(256, 256), interpolation=interpolation
    )
    for data in large_photos:
        small = decode(data, at_least=preprocess.enough)
        assert small.size == (1000, 750)
        off_HWC = preprocess.resized(small).astype(int) - preprocess.resized(decode(data))
        assert np.abs(off_HWC).max() <= 8
        assert np.abs(off_HWC).mean() <= 0.5


def test_labels_of_large_photos_stay_and_probabilities_nearly_so(large_photos):
    classifier = open_classifier("packaged:efficientnet-lite0")
    for data in large_photos:
        whole = classifier(decode(data), top_k=1000)
        reduced = classifier(data, top_k=1000)
        assert reduced[0].label == whole[0].label
        known = {each.label: each.probability for each in whole}
        assert max(abs(each.probability - known[each.label]) for each in reduced) < 0.02


def test_batches_reduce_only_where_a_short_side_is_named(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg(photo(size=(400, 320))))
    for at_least, wanted in ((None, (320, 400)), (160, (160, 200))):
        (batch,) = batches(
            pictures([str(tmp_path)]).rows(),
            lambda picture, _: np.asarray(picture),
            batch_size=1,
            workers=1,
            on_bad=lambda bad: None,
            at_least=at_least,
        )
        assert batch.pixels_BCHW.shape[1:3] == wanted


@pytest.mark.parametrize("picture", [(400, 300), (300, 400), (3000, 310), (350, 350)])
@pytest.mark.parametrize("size", [(64, 64), (48, 96), (96, 48)])
@pytest.mark.parametrize("min_area", [0.08, 0.35])
def test_no_part_of_a_picture_that_is_large_enough_has_fewer_pixels_than_are_seen(
    picture, size, min_area
):
    short = augment.enough(size, min_area)
    scale = short / min(picture)
    sides = (picture[0] * scale, picture[1] * scale)
    chance = np.random.default_rng(0)
    for _ in range(300):
        left, top, right, bottom = augment.random_box(
            sides, size[1] / size[0], chance, (min_area, 1.0)
        )
        assert right - left >= size[1] - 1e-6
        assert bottom - top >= size[0] - 1e-6


def test_a_picture_that_is_kept_needs_its_file_no_more(tmp_path):
    cache = PictureCache(tmp_path)
    row = Row("a" * 32, 0, "x.jpg", jpeg(photo(size=(2000, 1500))))
    assert cache.kept(row.key) is None
    made = cache.picture(row)
    kept = cache.kept(row.key)
    assert made.shape == (256, 341, 3)
    assert np.array_equal(made, kept)


@pytest.mark.parametrize("resample", list(Image.Resampling))
def test_scaling_for_training_is_that_of_serving_but_for_a_few_levels(resample):
    picture = photo(size=(120, 90))
    for size in ((64, 48), (200, 150)):
        fast_HWC = augment.scaled(np.array(picture), size, resample)
        off_HWC = fast_HWC.astype(int) - np.asarray(picture.resize(size, resample))
        assert np.abs(off_HWC).max() <= 6
        assert np.abs(off_HWC).mean() < 0.1
