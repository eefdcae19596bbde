"""Example pictures: kept when asked for, small, shown on the page, and pushed nowhere unasked."""

import json
from pathlib import Path

import pytest
from PIL import Image

from hf_resnet.app.examples import LONGEST_SIDE, read_examples, write_examples
from hf_resnet.cli import main
from hf_resnet.config import DataConfig
from hf_resnet.data import load_data
from hf_resnet.errors import ModelError
from hf_resnet.hub.contents import contents
from hf_resnet.hub.staging import Space, staged
from tests.conftest import photo
from tests.test_training_head import colourful


@pytest.fixture(scope="module")
def taught(tmp_path_factory, family_folders) -> Path:
    """A model folder with examples, saved twice."""
    home = tmp_path_factory.mktemp("examples")
    pictures = colourful(home / "pets", {"blue": 12, "green": 12, "red": 12})
    words = ["finetune", "--model_name_or_path", str(family_folders("timm-resnet"))]
    words += ["--train_dir", str(pictures), "--output_dir", str(home / "model"), "--method", "head"]
    words += ["--save_examples", "4", "--overwrite_output_dir", "--image_size", "32"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_RESNET_CACHE", str(home / "cache"))
        assert main(words) == 0
        assert main(words) == 0, "a model folder with examples is replaced like any other"
    return home / "model"


def test_finetune_keeps_as_many_as_asked_for_of_every_class(taught):
    found = read_examples(taught)
    assert [each.label for each in found] == ["blue", "blue", "green", "green"] or (
        len(found) == 4 and {each.label for each in found} == {"blue", "green", "red"}
    )
    for each in found:
        assert each.path.name.startswith(each.label)


def test_examples_are_no_pictures_that_were_learned_from(taught):
    told = json.loads((taught / "hf_resnet.json").read_text())["results"]["split"]
    assert told != "train"


def test_push_leaves_them_at_home_and_a_space_shows_them(taught):
    assert not [name for name in contents(taught) if name.startswith("examples")]
    items = staged(Space("demo", str(taught), "cpu-basic", None, "mit"))
    there = {name for name in items if name.startswith("model/examples/")}
    assert len(there) == 5 and "model/examples/examples.json" in there


def test_an_example_is_small_and_tells_nothing_of_who_took_it(tmp_path):
    exif = Image.Exif()
    exif[0x9286] = "at home"
    for name in ("a", "b"):
        (tmp_path / "in" / name).mkdir(parents=True)
        for number in range(4):
            large = photo(number, size=(1200, 600))
            large.save(tmp_path / "in" / name / f"{number}.jpg", exif=exif)
    data = load_data(DataConfig(train_dir=str(tmp_path / "in"), train_val_split=0.5))
    assert write_examples(data.validation, ("a", "b"), tmp_path, 2) == 2
    for each in read_examples(tmp_path):
        with Image.open(each.path) as picture:
            assert picture.size == (LONGEST_SIDE, LONGEST_SIDE // 2)
            assert not picture.getexif() and "comment" not in picture.info


def test_classes_whose_names_look_alike_on_a_disk_keep_their_pictures_apart(tmp_path):
    names = ("cat!", "cat?", "ကြောင်", "../dog")
    for number in range(len(names)):
        (tmp_path / "in" / f"c{number}").mkdir(parents=True)
        for at in range(4):
            photo(10 * number + at).save(tmp_path / "in" / f"c{number}" / f"{at}.png")
    data = load_data(DataConfig(train_dir=str(tmp_path / "in"), train_val_split=0.5))
    assert write_examples(data.validation, names, tmp_path, 8) == 8
    found = read_examples(tmp_path)
    assert sorted({each.label for each in found}) == sorted(names)
    assert len({each.path for each in found}) == 8
    assert {each.path.parent for each in found} == {tmp_path / "examples"}


def test_a_model_without_examples_has_none(tmp_path):
    assert read_examples(tmp_path) == []


@pytest.mark.parametrize("file", ["../outside.jpg", "none.jpg", 7])
def test_a_listing_that_names_what_is_not_there_is_one_line(file, tmp_path):
    (tmp_path / "examples").mkdir()
    photo().save(tmp_path / "outside.jpg")
    listing = {"examples": [{"file": file, "label": "a"}]}
    (tmp_path / "examples" / "examples.json").write_text(json.dumps(listing))
    with pytest.raises(ModelError, match="which is not there"):
        read_examples(tmp_path)
