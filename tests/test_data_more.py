"""--more_data: what was found wrong since is learned from beside the pictures that are there."""

import datasets
import pytest

from hf_resnet.data import key_of
from hf_resnet.errors import ConfigError, DataError
from tests.test_data_load import fill, load, load_set, png, stored


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def photos(tmp_path):
    for start, name in ((0, "cat"), (100, "dog"), (200, "emu")):
        fill(tmp_path / "photos" / name, range(start, start + 10))
    return tmp_path / "photos"


@pytest.fixture
def wrong(tmp_path):
    """Two pictures of a single class, as the page keeps them."""
    fill(tmp_path / "wrong" / "dog", (500, 501))
    return tmp_path / "wrong"


def test_all_of_it_is_learned_from_and_no_class_is_lost(photos, wrong):
    plain, more = load(photos), load(photos, more_data=str(wrong))
    assert more.labels == plain.labels
    assert more.train.size == plain.train.size + 2
    assert more.train.counts()["dog"] == plain.train.counts()["dog"] + 2
    rows = list(more.train.rows())
    assert [row.key for row in rows[-2:]] == [key_of(png(500)), key_of(png(501))]
    assert more.train.row(more.train.size - 1).label == more.labels.names.index("dog")
    assert any("2 more pictures to learn from" in note for note in more.notes)


def test_the_pictures_set_aside_stay_the_same(photos, wrong):
    plain, more = load(photos), load(photos, more_data=str(wrong))
    assert list(plain.validation.entries()) == list(more.validation.entries())


def test_a_picture_that_is_measured_on_is_not_learned_from(photos, wrong):
    held = [row.data for row in load(photos).validation.rows() if row.label == 1]
    (wrong / "dog" / "held.png").write_bytes(held[0])
    more = load(photos, more_data=str(wrong))
    assert key_of(held[0]) not in {key for key, _ in more.train.entries()}
    assert any(
        "1 picture left out, since figures are measured on them" in each for each in more.notes
    )


def test_it_may_be_a_data_set(photos, tmp_path):
    stored(tmp_path / "kept", "train", [600, 601, 602], labels=[0, 1, 1])
    for place in (tmp_path / "kept", tmp_path / "kept" / "train.parquet"):
        more = load(photos, more_data=str(place))
        assert more.train.size == load(photos).train.size + 3


def test_a_class_of_its_own_is_refused_with_those_that_there_are(photos, wrong):
    fill(wrong / "dgo", (700,))
    with pytest.raises(DataError, match=r"dgo.*dog"):
        load(photos, more_data=str(wrong))


def test_a_folder_that_is_not_there_is_told(photos):
    with pytest.raises(DataError, match="gone"):
        load(photos, more_data="./gone")


def test_streams_take_no_more(tmp_path, wrong):
    stored(tmp_path / "set", "train", range(12))
    with pytest.raises(ConfigError, match="--streaming"):
        load_set(tmp_path / "set", more_data=str(wrong), streaming=True)
