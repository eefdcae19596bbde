"""The nearest training pictures: a duplicate first, and then what is most alike."""

import numpy as np
import pytest
from PIL import Image

from hf_resnet.classifier import open_classifier
from hf_resnet.config import ComputeConfig, DataConfig
from hf_resnet.data import load_data
from hf_resnet.errors import DataError
from hf_resnet.explain import neighbours
from tests.conftest import photo, png

SMALL = ComputeConfig(per_device_eval_batch_size=4)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for number in range(12):
        place = folder / ("zebra" if number % 2 else "2")
        place.mkdir(exist_ok=True)
        (place / f"{number}.png").write_bytes(png(photo(number)))
    return load_data(DataConfig(train_dir=str(folder)), make_validation=False)


@pytest.fixture(scope="module")
def nearest(data, family_folders, tmp_path_factory):
    classifier = open_classifier(str(family_folders("transformers-resnet")))
    cache = str(tmp_path_factory.mktemp("cache"))

    def find(picture, count=5):
        return neighbours.explain(
            classifier, picture, data.train, count=count, compute=SMALL, feature_cache_dir=cache
        )

    return find


@pytest.mark.parametrize("number", [0, 5, 11])
def test_the_nearest_to_a_training_picture_is_itself(number, nearest):
    first, second, *_ = nearest(photo(number)).nearest
    assert first.likeness == pytest.approx(1, abs=1e-5)
    assert first.likeness > second.likeness
    assert first.origin.endswith(f"{number}.png")
    assert first.label == ("zebra" if number % 2 else "2")
    assert np.array_equal(np.asarray(first.picture), np.asarray(photo(number)))


def test_a_picture_that_is_nearly_a_training_picture_is_nearest_to_that(nearest):
    changed = np.clip(np.asarray(photo(3), np.int64) + 2, 0, 255).astype(np.uint8)
    assert nearest(Image.fromarray(changed)).nearest[0].origin.endswith("3.png")


def test_neighbours_come_nearest_first_and_as_many_as_asked(nearest):
    found = nearest(photo(99), count=7)
    likeness = [each.likeness for each in found.nearest]
    assert likeness == sorted(likeness, reverse=True)
    assert len(likeness) == len({each.key for each in found.nearest}) == 7
    assert found.compared == 12
    assert len(nearest(photo(99), count=50).nearest) == 12


def test_likeness_is_the_cosine_of_the_features(nearest, data, family_folders):
    classifier = open_classifier(str(family_folders("transformers-resnet")))
    (found,) = nearest(photo(20), count=1).nearest
    features = [
        neighbours.Engine(classifier.network, SMALL).features(classifier.preprocess(picture)[None])[
            0
        ]
        for picture in (photo(20), found.picture)
    ]
    one, other = (each / np.linalg.norm(each) for each in features)
    assert found.likeness == pytest.approx(float(one @ other), abs=1e-4)


def test_features_that_are_stored_are_not_computed_again(nearest, monkeypatch):
    nearest(photo(0))
    seen = []
    plain = neighbours.Engine.features

    def counted(self, pixels_BCHW):
        seen.append(len(pixels_BCHW))
        return plain(self, pixels_BCHW)

    monkeypatch.setattr(neighbours.Engine, "features", counted)
    nearest(photo(1))
    assert seen == [1]


def test_no_picture_to_compare_with_is_one_clear_line(family_folders, tmp_path):
    for name in ("2", "zebra"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    split = load_data(DataConfig(train_dir=str(tmp_path)), make_validation=False).train
    classifier = open_classifier(str(family_folders("transformers-resnet")))
    with pytest.raises(DataError, match="no usable picture to compare with"):
        neighbours.explain(
            classifier, photo(1), split, compute=SMALL, feature_cache_dir=str(tmp_path / "cache")
        )
