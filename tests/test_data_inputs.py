"""Pictures to predict: whatever a person names, in order, under the name they gave it."""

import datasets
import numpy as np
import pytest

from hf_resnet.data import key_of, pictures
from hf_resnet.data.cifar10 import as_png
from hf_resnet.errors import DataError, HubError


def png(number):
    return as_png(np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8))


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Work in an empty folder, so that paths can be given as a person gives them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return tmp_path


def put(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(number))


def origins(split):
    return [row.origin for row in split.rows()]


def test_files_and_folders_come_in_order_under_the_names_they_were_given(here):
    put(here / "b.png", 1)
    put(here / "album" / "10.png", 10)
    put(here / "album" / "2.png", 2)
    put(here / "album" / "deep" / "er" / "3.png", 3)
    split = pictures(["./b.png", "album", str(here / "b.png")])
    assert origins(split) == [
        "./b.png",
        "album/2.png",
        "album/10.png",
        "album/deep/er/3.png",
        str(here / "b.png"),
    ]
    assert [row.data for row in split.rows()] == [png(n) for n in (1, 2, 10, 3, 1)]
    assert split.size == 5


def test_rows_have_keys_and_no_labels(here):
    put(here / "a.png", 1)
    (row,) = pictures(["a.png"]).rows()
    assert (row.key, row.label, row.problem) == (key_of(png(1)), None, None)
    assert len(pictures(["a.png"]).labels) == 0


def test_a_folder_tells_what_it_passed_over(here):
    put(here / "album" / "1.png", 1)
    (here / "album" / "notes.txt").write_text("x")
    notes = ("album: passed over 1 file not named as pictures (.txt)",)
    assert pictures(["album"]).notes == notes


def test_a_file_that_is_named_is_a_row_whatever_it_is_called(here):
    (here / "odd.xyz").write_bytes(png(1))
    assert origins(pictures(["odd.xyz"])) == ["odd.xyz"]


def test_the_same_rows_are_shared_out_over_several_sources(here):
    put(here / "a.png", 1)
    put(here / "b.png", 2)
    (here / "t.csv").write_text("path,label\na.png,x\nb.png,y\na.png,z\n")
    split = pictures(["a.png", "t.csv", "b.png"])
    rows = list(split.rows())
    assert [row.origin for row in rows] == ["a.png", "a.png", "b.png", "a.png", "b.png"]
    for shards in (2, 3, 7):
        shared = [list(split.rows(shard, shards)) for shard in range(shards)]
        assert shared == [rows[shard::shards] for shard in range(shards)]


def test_a_data_set_folder_file_and_a_sample_give_their_pictures(here):
    features = datasets.Features({"photo": datasets.Image(), "caption": datasets.Value("string")})
    columns = {"photo": [{"bytes": png(n), "path": None} for n in range(3)], "caption": ["x"] * 3}
    datasets.Dataset.from_dict(columns, features).to_parquet("t.parquet")
    assert [row.data for row in pictures(["t.parquet"]).rows()] == [png(n) for n in range(3)]
    assert pictures(["sample:digits"]).size == 359
    assert pictures(["sample:digits"], split="train").size == 1438
    with pytest.raises(DataError, match=r"no split 'val'; name one of train and test with --split"):
        pictures(["sample:digits"], split="val")


def test_a_file_that_vanishes_is_a_row_with_a_problem(here):
    put(here / "a.png", 1)
    split = pictures(["a.png"])
    (here / "a.png").unlink()
    (row,) = split.rows()
    assert (row.problem, row.data) == ("no such file", b"")


@pytest.mark.parametrize("name", ["cta.png", "./cta", "album/cta", "~/nowhere/cta", "a/b/c"])
def test_a_path_that_is_not_there_is_an_error_and_is_not_looked_for_on_the_hub(here, name):
    put(here / "cat.png", 1)
    put(here / "album" / "cat.png", 2)
    with pytest.raises(DataError, match="no file or folder") as caught:
        pictures([name])
    assert "data set" not in str(caught.value)


def test_the_nearest_names_are_offered(here):
    put(here / "cat.png", 1)
    with pytest.raises(DataError, match=r"no file or folder cta\.png; did you mean cat\.png"):
        pictures(["cta.png"])


def test_a_word_that_is_neither_here_nor_on_the_hub_is_an_error_about_both(here, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    put(here / "album" / "cat.png", 1)
    with pytest.raises(
        HubError, match=r"no file or folder albums; did you mean album\?; and cannot"
    ):
        pictures(["albums"])


def test_a_folder_without_pictures_is_an_error(here):
    (here / "album").mkdir()
    with pytest.raises(DataError, match="no pictures found in album"):
        pictures(["album"])
