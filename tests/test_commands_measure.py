"""hf-resnet measure: which pictures it takes where only part of the data is named, or none."""

import json
import os
import shutil
from pathlib import Path

import pytest

from hf_resnet.cli import main
from tests.conftest import photo, png
from tests.test_evaluation import numbers_of


def fill(folder, start=0, count=10):
    """A folder a class; the pictures of a class are alike."""
    for number, name in enumerate(("cat", "dog", "emu")):
        (folder / name).mkdir(parents=True)
        for each in range(start, start + count):
            picture = photo(number).rotate(each)
            (folder / name / f"{each}.png").write_bytes(png(picture))


@pytest.fixture(scope="module")
def taught(family_folders, tmp_path_factory):
    """A folder with photos and the model that was taught with them, named by relative paths."""
    place = tmp_path_factory.mktemp("measure")
    fill(place / "photos")
    os.environ["HF_RESNET_CACHE"] = str(tmp_path_factory.getbasetemp() / "cache")
    before = Path.cwd()
    os.chdir(place)
    try:
        model = str(family_folders("transformers-resnet"))
        call = ["--model_name_or_path", model, "--train_dir", "photos", "--output_dir", "model"]
        call += ["--train_val_split", "0.4", "--split_seed", "3", "--method", "head"]
        assert main(["finetune", *call, "--precision", "fp32"]) == 0
    finally:
        os.chdir(before)
    return place


def measure(model, *words):
    return main(["measure", "--model_name_or_path", str(model), *map(str, words)])


def measured(folder):
    return json.loads((folder / "metrics.json").read_text())


def told(capsys, model, *words):
    capsys.readouterr()
    assert measure(model, *words) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_its_own_pictures_are_found_from_any_folder(taught, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = measured(taught / "model" / "report")
    assert measure(taught / "model", "--precision", "fp32") == 0
    after = measured(taught / "model" / "report")
    # finetune took the features from its store, which changes the last digits of a probability
    for inexact in ("figures", "reliability"):
        assert numbers_of(after[inexact]) == pytest.approx(numbers_of(before[inexact]), abs=1e-4)
    exact = set(before) - {"figures", "reliability", "wrong_answers"}
    assert {name: after[name] for name in exact} == {name: before[name] for name in exact}
    assert before["split"] == "validation" and before["n"] == 12


def test_that_the_epoch_was_chosen_on_these_pictures_is_said_again(taught, tmp_path):
    model = shutil.copytree(taught / "model", tmp_path / "model")
    note = "the epoch was chosen on these pictures too"
    for method, said in (("head", False), ("full", True)):
        facts = json.loads((model / "hf_resnet.json").read_text())
        facts["training"]["method"] = method
        (model / "hf_resnet.json").write_text(json.dumps(facts))
        assert measure(model, "--precision", "fp32") == 0
        results = json.loads((model / "hf_resnet.json").read_text())["results"]
        assert any(each.startswith(note) for each in results["notes"]) is said
        assert results["notes"] == measured(model / "report")["notes"]
    words = ["--test_dir", taught / "photos", "--output_dir", tmp_path / "report"]
    assert measure(model, *words) == 0
    assert note not in " ".join(measured(tmp_path / "report")["notes"])


def test_a_limit_alone_is_a_limit_on_its_own_pictures(taught, tmp_path, capsys):
    own = (taught / "model" / "report" / "metrics.json").read_text()
    assert measure(taught / "model", "--max_eval_samples", "3", "--output_dir", tmp_path) == 0
    assert measured(tmp_path)["n"] == 3
    assert (taught / "model" / "report" / "metrics.json").read_text() == own
    assert "learned from" not in capsys.readouterr().out  # the split is that of the training


def test_pictures_that_are_named_take_the_place_of_its_own(taught, tmp_path):
    fill(tmp_path / "others", start=40, count=2)
    words = ["--test_dir", tmp_path / "others", "--output_dir", tmp_path / "report"]
    assert measure(taught / "model", *words) == 0
    assert measured(tmp_path / "report")["n"] == 6


def test_where_nothing_is_known_the_flags_to_give_are_named(family_folders, capsys):
    said = told(capsys, family_folders("transformers-resnet"), "--max_eval_samples", "3")
    assert "does not know its training data; give --dataset_name, --train_dir or" in said


def test_own_pictures_that_have_gone_are_told_as_such(taught, tmp_path, capsys):
    model = shutil.copytree(taught / "model", tmp_path / "model")
    recipe = (model / "recipe.yaml").read_text().replace(str(taught / "photos"), "/nowhere/photos")
    (model / "recipe.yaml").write_text(recipe)
    said = told(capsys, model)
    assert f"the pictures that {model} was taught with are not to be had: no folder" in said
    assert "name others with --dataset_name" in said


def relabel(taught, output, *words):
    call = ["relabel", "--model_name_or_path", str(taught / "model"), "--output_dir", str(output)]
    assert main([*call, *words]) == 0
    return output


def test_a_model_with_other_classes_says_which_flag_to_give(taught, tmp_path, capsys):
    model = relabel(taught, tmp_path / "few", "--drop", "cat")
    said = told(capsys, model)
    assert f"{model} was made from {taught / 'model'}, and has other classes" in said
    assert "the model has no class 'cat'" in said
    assert "with --train_dir or --train_file" in said


def test_a_model_with_more_classes_is_measured_on_the_pictures_of_the_one_before(
    taught, tmp_path, capsys
):
    model = relabel(taught, tmp_path / "more", "--add", "unicorn")
    assert measure(model, "--output_dir", tmp_path / "report") == 0
    assert measured(tmp_path / "report")["n"] == 12
    assert "learned from" not in capsys.readouterr().out


def test_what_was_passed_over_is_said(taught, tmp_path, capsys):
    fill(tmp_path / "others", start=40, count=2)
    (tmp_path / "others" / "cat" / "notes.txt").write_text("x")
    assert measure(taught / "model", "--test_dir", tmp_path / "others") == 0
    assert "1 file not named as pictures (.txt)" in capsys.readouterr().out


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """Puts a model where the Hub's client keeps it: links to files that are named by their hash."""
    from huggingface_hub import constants

    repo = tmp_path / "hub" / "models--me--model"
    snapshot = repo / "snapshots" / ("a" * 40)
    for folder in (snapshot, repo / "blobs", repo / "refs"):
        folder.mkdir(parents=True)
    (repo / "refs" / "main").write_text("a" * 40)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))

    def put(model):
        for path in model.iterdir():
            if path.is_file():
                shutil.copy(path, repo / "blobs" / path.name)
                (snapshot / path.name).symlink_to(Path("../../blobs") / path.name)
        return "me/model"

    return put


@pytest.fixture
def cached(stored, taught, tmp_path):
    """The model as it comes from the Hub, where its recipe names no place on this machine."""
    model = shutil.copytree(taught / "model", tmp_path / "as it was pushed")
    recipe = (model / "recipe.yaml").read_text()
    (model / "recipe.yaml").write_text(recipe.replace(f"{taught}/", ""))
    return stored(model)


def test_a_model_of_the_hub_knows_what_it_learned_from(cached, taught, capsys):
    assert measure(cached, "--train_dir", taught / "photos") == 0
    assert "learned from 18 of these 30 pictures" in capsys.readouterr().out


def test_a_model_of_the_hub_is_measured_on_the_data_set_it_was_taught_with(
    family_folders, stored, tmp_path
):
    call = ["--model_name_or_path", str(family_folders("scratch")), "--method", "head"]
    call += ["--dataset_name", "sample:digits", "--max_train_samples", "100", "--precision", "fp32"]
    assert main(["finetune", *call, "--output_dir", str(tmp_path / "digits")]) == 0
    words = ("--precision", "fp32", "--output_dir", tmp_path / "report")
    assert measure(stored(tmp_path / "digits"), *words) == 0
    before = measured(tmp_path / "digits" / "report")
    after = measured(tmp_path / "report")
    assert numbers_of(after) == pytest.approx(numbers_of(before), abs=1e-3)


def test_a_model_of_the_hub_takes_no_folder_here_for_the_one_it_was_taught_with(
    cached, taught, monkeypatch, capsys
):
    monkeypatch.chdir(taught)  # where there is a folder photos
    said = told(capsys, cached)
    assert "me/model was taught with pictures of the machine that it comes from; give" in said


def test_what_is_to_be_fitted_to_a_model_of_the_hub_is_told_how(cached, tmp_path, capsys):
    said = told(capsys, cached, "--calibrate")
    assert "`hf download me/model --local-dir model` fetches one: measure that folder" in said
    assert "--revision v1" in told(capsys, f"{cached}@v1", "--calibrate")
    assert "no model folder at" in told(capsys, tmp_path / "nowhere", "--calibrate")


def test_a_model_of_the_hub_that_is_taught_again_is_judged_on_the_same_pictures(
    cached, taught, tmp_path
):
    call = [
        "--model_name_or_path",
        cached,
        "--train_dir",
        str(taught / "photos"),
        "--split_seed",
        "9",
    ]
    call += ["--train_val_split", "0.4", "--method", "head", "--output_dir", str(tmp_path / "new")]
    assert main(["finetune", *call]) == 0
    before, after = (
        json.loads((place / "splits.json").read_text())
        for place in (taught / "model", tmp_path / "new")
    )
    assert sorted(after["validation"]) == sorted(before["validation"])


def test_the_splits_of_a_model_of_the_hub_go_along_when_its_classes_are_changed(
    cached, taught, tmp_path
):
    call = ["relabel", "--model_name_or_path", cached, "--output_dir", str(tmp_path / "new")]
    assert main([*call, "--drop", "cat"]) == 0
    splits = tmp_path / "new" / "splits.json"
    assert not splits.is_symlink()
    assert splits.read_text() == (taught / "model" / "splits.json").read_text()


def test_a_link_out_of_the_model_folder_is_not_copied(taught, tmp_path, capsys):
    model = shutil.copytree(taught / "model", tmp_path / "model")
    (model / "splits.json").unlink()
    (model / "splits.json").symlink_to(taught / "model" / "splits.json")
    call = ["relabel", "--model_name_or_path", str(model), "--output_dir", str(tmp_path / "new")]
    assert main([*call, "--drop", "cat"]) == 1
    assert "is a link out of the model folder" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--add", "x", "--add_dir", "nope"], "no folder nope for --add_dir"),
        (["--drop", "cat", "--sample_dir", "nope"], "no folder nope for --sample_dir"),
        (
            ["--add", "x", "--add_dir", "file.csv"],
            "--add_dir takes a folder, got the file file.csv",
        ),
    ],
)
def test_a_folder_that_is_not_there_is_named_with_its_own_flag_and_no_hub_is_asked(
    taught, tmp_path, capsys, monkeypatch, words, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.csv").write_text("x")
    monkeypatch.setattr("hf_resnet.data.hub.open_dataset", None)
    call = ["relabel", "--model_name_or_path", str(taught / "model"), "--output_dir", "new"]
    assert main([*call, *words]) == 1
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1
    assert "--test" not in said


@pytest.mark.parametrize("where", [".", "", "./", "..", "LINK"])
def test_the_folder_one_stands_in_is_not_replaced(taught, tmp_path, capsys, monkeypatch, where):
    (tmp_path / "here").mkdir()
    (tmp_path / "LINK").symlink_to(tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    where = str(tmp_path / where) if where == "LINK" else where
    call = ["relabel", "--model_name_or_path", str(taught / "model"), "--output_dir", where]
    assert main([*call, "--drop", "cat"]) == 1
    said = capsys.readouterr().err
    assert "you stand in" in said or "holds files" in said
    assert not list((tmp_path / "here").iterdir())


def test_a_split_that_was_made_before_wins_over_the_flags_and_says_so(
    taught, family_folders, tmp_path, capsys
):
    model = shutil.copytree(taught / "model", tmp_path / "model")
    call = ["--model_name_or_path", str(family_folders("transformers-resnet")), "--method", "head"]
    call += ["--train_dir", str(taught / "photos"), "--output_dir", str(model)]
    call += ["--overwrite_output_dir", "--precision", "fp32"]
    same = ["--train_val_split", "0.4", "--split_seed", "3"]
    for words, said in ((same, False), (["--train_val_split", "0.2"], True)):
        assert main(["finetune", *call, *words]) == 0
        out = capsys.readouterr().out
        assert ("split then with --train_val_split 0.4 --split_seed 3; 0.2 and 0" in out) is said
        assert "12 of 30 training pictures set aside" in out
