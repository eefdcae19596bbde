"""What finetune says of its pictures before it learns from them."""

import shutil

from hf_resnet.checks.cheap import warnings
from hf_resnet.cli import main
from hf_resnet.config import DataConfig
from hf_resnet.data import load_data
from tests.conftest import photo, png
from tests.test_checks_contract import fill


def told(folder, **config):
    return list(warnings(load_data(DataConfig(train_dir=str(folder), **config))))


def validated(folder):
    """Pictures with all three splits and nothing wrong."""
    fill(folder, train=12, test=6)
    for seed, name in enumerate(("cat", "dog", "emu")):
        path = folder / "validation" / name / "0.png"
        path.parent.mkdir(parents=True)
        path.write_bytes(png(photo(500 + seed)))
    return folder


def test_nothing_is_said_where_nothing_is_wrong(tmp_path):
    assert told(validated(tmp_path)) == []


def test_classes_with_few_pictures_to_learn_from_share_a_line(tmp_path):
    validated(tmp_path)
    for name in ("cat", "emu"):
        for number in range(5):
            (tmp_path / "train" / name / f"{number:02}.png").unlink()
    assert told(tmp_path) == [
        "fewer than 10 pictures to learn from: cat and emu; take more of them"
    ]


def test_an_uneven_data_set_is_told(tmp_path):
    validated(tmp_path)
    for number in range(120):
        (tmp_path / "train" / "dog" / f"more{number}.png").write_bytes(png(photo(1000 + number)))
    assert told(tmp_path) == ["uneven in train: 132 pictures of dog, 12 of cat"]


def test_files_in_two_splits_are_told_but_not_those_that_the_measurement_tells(tmp_path):
    validated(tmp_path)
    for number in range(2):
        shutil.copy(
            tmp_path / "train" / "cat" / f"{number:02}.png",
            tmp_path / "validation" / "cat" / f"leak{number}.png",
        )
    line = "2 files of train also in validation; hf-resnet check-data shows them"
    assert told(tmp_path) == [line]
    shutil.rmtree(tmp_path / "test")  # then the measurement is on the validation pictures
    assert told(tmp_path) == []


def test_a_file_under_two_classes_is_told(tmp_path):
    validated(tmp_path)
    shutil.copy(tmp_path / "train" / "cat" / "00.png", tmp_path / "train" / "dog" / "x.png")
    line = "1 file filed under more than one class; hf-resnet check-data shows them"
    assert told(tmp_path) == [line]


def test_finetune_says_it_before_it_learns(tmp_path, capsys, family_folders, monkeypatch):
    monkeypatch.setenv("HF_RESNET_CACHE", str(tmp_path / "cache"))
    validated(tmp_path / "photos")
    folder = tmp_path / "photos" / "train"
    shutil.copy(folder / "cat" / "00.png", folder / "dog" / "x.png")
    call = ["finetune", "--model_name_or_path", str(family_folders("scratch")), "--method", "head"]
    call += ["--train_dir", str(tmp_path / "photos"), "--output_dir", str(tmp_path / "model")]
    assert main(call) == 0
    assert capsys.readouterr().out.count("filed under more than one class") == 1
