"""Folders of pictures: one folder a class, at any depth, and nothing passed over in silence."""

import errno
import os
import socket
import subprocess
from pathlib import Path

import numpy as np
import pytest

from hf_resnet.config import DataConfig
from hf_resnet.data import key_of, load_data
from hf_resnet.data.cifar10 import as_png
from hf_resnet.data.folder import existing_folder, find_pictures
from hf_resnet.errors import ConfigError, DataError
from hf_resnet.images import decode


def png(number):
    return as_png(np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8))


def fill(folder, count=4, start=0, suffix=".png"):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(start, start + count):
        (folder / f"{number}{suffix}").write_bytes(png(number))


@pytest.fixture
def photos(tmp_path):
    fill(tmp_path / "photos" / "cat", start=0)
    fill(tmp_path / "photos" / "dog", start=100)
    return tmp_path / "photos"


def load(folder, **more):
    return load_data(DataConfig(train_dir=str(folder), **more), make_validation=False)


def origins(split):
    return [row.origin for row in split.rows()]


def test_each_folder_is_a_class_and_each_file_a_row(photos):
    data = load(photos)
    assert data.labels.names == ("cat", "dog")
    assert data.train.counts() == {"cat": 4, "dog": 4}
    row = next(data.train.rows())
    assert row.origin == str(photos / "cat" / "0.png")
    assert row.data == png(0) and row.key == key_of(png(0)) and row.problem is None
    assert decode(row.data).size == (8, 8)
    assert data.notes == ()


def test_pictures_lie_at_any_depth_below_their_class(photos):
    fill(photos / "cat" / "garden" / "summer", count=2, start=50)
    assert load(photos).train.counts()["cat"] == 6


def test_classes_and_files_are_in_the_order_a_person_gives_them(tmp_path):
    for name in ("10", "2", "1"):
        fill(tmp_path / name, count=11, start=100 * int(name))
    data = load(tmp_path)
    assert data.labels.names == ("1", "2", "10")
    first = origins(data.train)[:11]
    assert first == [str(tmp_path / "1" / f"{100 + number}.png") for number in range(11)]


def test_a_class_name_is_one_name_however_its_letters_are_composed(tmp_path):
    fill(tmp_path / "train" / "cafe\u0301")
    fill(tmp_path / "train" / "tea", start=20)
    fill(tmp_path / "valid" / "caf\u00e9", start=40)
    data = load(tmp_path)
    assert data.labels.names == ("caf\u00e9", "tea")
    assert data.validation.counts() == {"caf\u00e9": 4, "tea": 0}


@pytest.mark.parametrize("validation", ["validation", "valid", "val", "Val"])
def test_a_folder_of_splits_is_read_as_splits(tmp_path, validation):
    for split, start in (("train", 0), (validation, 100), ("test", 200)):
        fill(tmp_path / split / "cat", start=start)
        fill(tmp_path / split / "dog", start=start + 50)
    data = load(tmp_path)
    assert [(split.name, split.size) for split in data.splits()] == [
        ("train", 8),
        ("validation", 8),
        ("test", 8),
    ]


def test_a_class_may_be_called_train(tmp_path):
    fill(tmp_path / "train" / "steam")
    fill(tmp_path / "plane", start=100)
    assert load(tmp_path).labels.names == ("plane", "train")


def test_a_named_folder_takes_the_place_of_the_one_beside_the_training_folder(tmp_path):
    fill(tmp_path / "all" / "train" / "cat")
    fill(tmp_path / "all" / "train" / "dog", start=50)
    fill(tmp_path / "all" / "test" / "cat", start=100)
    fill(tmp_path / "mine" / "dog", start=150, count=1)
    data = load(tmp_path / "all", test_dir=str(tmp_path / "mine"))
    assert data.test.counts() == {"cat": 0, "dog": 1}


def test_a_test_folder_without_class_folders_is_left_out_with_a_note(tmp_path):
    fill(tmp_path / "train" / "cat")
    fill(tmp_path / "train" / "dog", start=50)
    fill(tmp_path / "test", start=100)
    data = load(tmp_path)
    assert data.test is None
    assert any("test" in note and "no class folders" in note for note in data.notes)


def test_what_is_passed_over_is_counted_in_the_notes(photos):
    for name in (".DS_Store", "Thumbs.db"):
        (photos / "cat" / name).write_bytes(b"x")
    fill(photos / ".hidden")
    fill(photos / "__MACOSX")
    for name in ("a.txt", "b.txt", "c.pdf", "README"):
        (photos / "dog" / name).write_bytes(b"x")
    fill(photos, count=2)
    data = load(photos)
    assert data.train.counts() == {"cat": 4, "dog": 4}
    notes = "\n".join(data.notes)
    assert "4 hidden names" in notes
    assert "4 files not named as pictures (.txt, .pdf and no suffix)" in notes
    assert "2 pictures beside the class folders" in notes


def test_a_class_folder_without_pictures_is_no_class_and_is_noted(photos):
    (photos / "bird" / "empty").mkdir(parents=True)
    data = load(photos)
    assert data.labels.names == ("cat", "dog")
    assert any("bird" in note and "no pictures" in note for note in data.notes)


def test_links_that_lead_back_are_not_followed_and_other_links_are(photos, tmp_path):
    (photos / "cat" / "back").symlink_to(photos, target_is_directory=True)
    (photos / "cat" / "itself").symlink_to(photos / "cat" / "itself")
    fill(tmp_path / "elsewhere", count=3, start=70)
    (photos / "cat" / "more").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    data = load(photos)
    assert data.train.counts() == {"cat": 7, "dog": 4}
    assert any("lead back" in note for note in data.notes)


def test_a_file_that_cannot_be_opened_is_a_row_with_a_problem(photos):
    (photos / "cat" / "gone.jpg").symlink_to(photos / "nowhere.jpg")
    (photos / "cat" / "broken.png").write_bytes(b"no picture at all")
    bad = {row.origin: row for row in load(photos).train.rows() if row.problem}
    (row,) = bad.values()  # what the bytes show is looked at later
    assert row.origin == str(photos / "cat" / "gone.jpg")
    assert (row.problem, row.data, row.key) == ("no such file", b"", "")


def test_a_file_that_vanishes_or_changes_after_loading_is_a_row_with_a_problem(photos):
    data = load(photos)
    (photos / "cat" / "0.png").unlink()
    (photos / "cat" / "1.png").write_bytes(png(999))
    problems = [row.problem for row in data.train.rows()]
    assert problems[:2] == ["no such file", "it changed while the run was reading it"]
    assert problems[2:] == [None] * 6


def test_a_pipe_or_a_socket_named_as_a_picture_is_a_row_with_a_problem(photos, monkeypatch):
    os.mkfifo(photos / "cat" / "pipe.png")
    (photos / "cat" / "link.png").symlink_to(photos / "cat" / "pipe.png")
    monkeypatch.chdir(photos / "cat")  # the name of a socket is short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.jpg")
        problems = {Path(row.origin).name: row.problem for row in load(photos).train.rows()}
    assert {name for name, problem in problems.items() if problem == "not a file"} == {
        "pipe.png",
        "link.png",
        "socket.jpg",
    }
    assert sum(problem is None for problem in problems.values()) == 8


def test_folders_that_link_to_each_other_are_looked_into_once(photos, monkeypatch):
    """Every path through them would be n! of them."""
    folders = [photos / "cat" / str(number) for number in range(12)]
    for number, folder in enumerate(folders):
        fill(folder, count=1, start=50 + number)
    for folder in folders:
        for other in folders:
            if other != folder:
                (folder / f"to {other.name}").symlink_to(other, target_is_directory=True)
    looked, scan = [], os.scandir

    def counting(folder):
        looked.append(folder)
        return scan(folder)

    monkeypatch.setattr(os, "scandir", counting)
    data = load(photos)
    assert data.train.counts()["cat"] == 4 + 12
    assert len(looked) < 30
    assert str(folders[3] / "53.png") in origins(data.train)  # by its own path, not by a link's


def test_folders_nested_deeper_than_python_recurses_are_read(tmp_path, monkeypatch):
    fill(tmp_path / "photos" / "dog")
    monkeypatch.chdir(tmp_path / "photos")
    Path("cat").mkdir()
    os.chdir("cat")
    for _ in range(1500):
        Path("d").mkdir()
        os.chdir("d")
    Path("deep.png").write_bytes(png(1))
    os.chdir(tmp_path / "photos")
    try:
        assert sum("deep" in origin for origin in origins(load(Path()).train)) == 1
    finally:
        subprocess.run(["rm", "-r", "cat"], check=True)  # too deep for pytest's own clearing up


def closed(folder, monkeypatch):
    """Root may look into every folder, so that the refusal is made here."""
    scan = os.scandir

    def refusing(place):
        if os.fspath(place) == str(folder):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return scan(place)

    monkeypatch.setattr(os, "scandir", refusing)


def test_a_folder_that_may_not_be_looked_into_is_said_and_stops_nothing(photos, monkeypatch):
    fill(photos / "cat" / "private", count=2, start=60)
    closed(photos / "cat" / "private", monkeypatch)
    data = load(photos)
    assert data.train.counts() == {"cat": 4, "dog": 4}
    (note,) = data.notes
    assert f"cannot be looked into: {photos}/cat/private (Permission denied)" in note


def test_a_closed_folder_is_named_where_nothing_else_was_found(tmp_path, monkeypatch):
    fill(tmp_path / "photos" / "cat")
    closed(tmp_path / "photos" / "cat", monkeypatch)
    for look in (load, find_pictures):
        with pytest.raises(DataError, match=r"cannot look into .*/cat \(Permission denied\)"):
            look(tmp_path / "photos")


def test_a_name_that_is_not_utf8_is_passed_over_with_a_note(photos):
    (photos / "cat" / os.fsdecode(b"\xff.png")).write_bytes(png(1))
    data = load(photos)
    assert data.train.counts()["cat"] == 4
    assert any("1 file named in something else than UTF-8" in note for note in data.notes)


def test_suffixes_count_in_any_case(photos):
    fill(photos / "cat", count=2, start=60, suffix=".PNG")
    assert load(photos).train.counts()["cat"] == 6


def test_loose_pictures_alone_are_an_error_that_shows_the_layout(tmp_path):
    fill(tmp_path, count=3)
    with pytest.raises(DataError, match=r"3 pictures but no class folders.*cat/1\.jpg"):
        load(tmp_path)


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no pictures found"):
        load(tmp_path)


def test_a_single_class_is_an_error(tmp_path):
    fill(tmp_path / "cat")
    with pytest.raises(DataError, match=r"at least two classes.*only 'cat'"):
        load(tmp_path)


def test_class_folders_one_level_down_are_pointed_at(photos):
    with pytest.raises(DataError, match=f"give {photos}"):
        load(photos.parent)


def test_a_missing_folder_is_an_error_with_the_nearest_names(photos):
    with pytest.raises(DataError, match=r"no folder .*photo for --train_dir; did you mean photos"):
        load(photos.parent / "photo")
    with pytest.raises(DataError, match=r"there is no folder .*nowhere either"):
        load(photos.parent / "nowhere" / "photos")


def test_a_file_where_a_folder_should_be_is_an_error_that_names_the_right_flag(tmp_path):
    (tmp_path / "photos.csv").write_text("path,label\n")
    with pytest.raises(DataError, match="did you mean --train_file"):
        load(tmp_path / "photos.csv")


def test_a_folder_without_the_wanted_split_is_an_error(tmp_path):
    fill(tmp_path / "train" / "cat")
    fill(tmp_path / "test" / "cat")
    with pytest.raises(DataError, match="none for validation"):
        load_data(DataConfig(validation_dir=str(tmp_path)))


def test_splits_meet_by_class_name(tmp_path):
    for name, start in (("cat", 0), ("dog", 10), ("emu", 20)):
        fill(tmp_path / "train" / name, start=start)
    fill(tmp_path / "mine" / "emu", start=30, count=1)
    fill(tmp_path / "mine" / "dog", start=40, count=2)
    data = load(tmp_path / "train", validation_dir=str(tmp_path / "mine"))
    assert data.validation.counts() == {"cat": 0, "dog": 2, "emu": 1}
    names = [data.labels.names[row.label] for row in data.validation.rows()]
    assert names == ["dog", "dog", "emu"]


def test_a_class_that_the_training_pictures_lack_stops_the_run_with_both_sides(tmp_path):
    fill(tmp_path / "train" / "cat")
    fill(tmp_path / "train" / "dog", start=10)
    fill(tmp_path / "mine" / "dgo", start=20)
    with pytest.raises(DataError, match=r"has a class that .*train lacks: dgo; did you mean dog"):
        load(tmp_path / "train", validation_dir=str(tmp_path / "mine"))


def test_nothing_named_and_too_much_named_are_config_errors(photos):
    with pytest.raises(ConfigError, match="no pictures named"):
        load_data(DataConfig())
    with pytest.raises(ConfigError, match="different data sets"):
        load(photos, dataset_name="sample:digits")
    with pytest.raises(ConfigError, match="both name the train pictures"):
        load(photos, train_file="photos.csv")


def test_an_archive_is_to_be_unpacked_first(tmp_path):
    (tmp_path / "photos.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(DataError, match=r"got the archive .*photos\.zip; unpack it first"):
        existing_folder(str(tmp_path / "photos.zip"), "--train_dir")
