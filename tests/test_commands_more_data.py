"""Learning from what was found wrong, from the command line: no class is lost, or it is said."""

import json

import pytest

from hf_resnet.classifier import open_classifier
from hf_resnet.cli import main
from tests.test_training_head import colourful


@pytest.fixture
def pets(tmp_path, family_folders, monkeypatch):
    """A model that knows blue, green and red, and the folder of its pictures."""
    monkeypatch.setenv("HF_RESNET_CACHE", str(tmp_path / "cache"))
    colourful(tmp_path / "photos", {"blue": 12, "green": 12, "red": 12})
    network = str(family_folders("transformers-resnet"))
    assert finetune(network, "photos", "pets", tmp_path) == 0
    return tmp_path


def finetune(model, photos, output, home, *words):
    call = ["finetune", "--model_name_or_path", str(model), "--train_dir", str(home / photos)]
    call += ["--method", "head", "--image_size", "32", "--dataloader_num_workers", "0"]
    return main([*call, "--output_dir", str(home / output), *words])


def test_wrong_answers_are_learned_from_and_every_class_stays(pets):
    colourful(pets / "wrong", {"green": 2})
    more = str(pets / "wrong")
    assert finetune(pets / "pets", "photos", "better", pets, "--more_data", more) == 0
    better = open_classifier(str(pets / "better"))
    assert better.labels.names == ("blue", "green", "red")
    learned = {each.name: each.pictures for each in better.facts.classes}
    before = {
        each.name: each.pictures for each in open_classifier(str(pets / "pets")).facts.classes
    }
    assert learned == before | {"green": before["green"] + 2}


def test_the_model_is_measured_again_when_the_wrong_answers_are_gone(pets, capsys):
    colourful(pets / "wrong", {"green": 2})
    more = str(pets / "wrong")
    assert finetune(pets / "pets", "photos", "better", pets, "--more_data", more) == 0
    for path in (pets / "wrong" / "green").iterdir():
        path.unlink()
    (pets / "wrong" / "green").rmdir()
    (pets / "wrong").rmdir()
    assert main(["measure", "--model_name_or_path", str(pets / "better")]) == 0
    capsys.readouterr()
    assert json.loads((pets / "better" / "report" / "metrics.json").read_text())["n"] == 6


def test_classes_that_the_new_model_will_not_know_are_named_beforehand(pets, capsys):
    colourful(pets / "wrong", {"green": 8, "red": 8})
    assert finetune(pets / "pets", "wrong", "fewer", pets) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"{pets / 'pets'} knows blue as well, and the new model will not" in said
    assert "--more_data" in said


def test_nothing_is_said_of_the_classes_of_a_network_that_others_taught(
    tmp_path, family_folders, capsys
):
    colourful(tmp_path / "photos", {"blue": 8, "red": 8})
    (tmp_path / "photos" / "blue").rename(tmp_path / "photos" / "zebra")
    assert finetune(family_folders("transformers-resnet"), "photos", "new", tmp_path) == 0
    assert "will not" not in capsys.readouterr().out


def test_a_model_among_the_pictures_of_more_data_is_refused(pets, capsys):
    colourful(pets / "wrong", {"green": 2})
    more = ["--more_data", str(pets / "wrong")]
    assert finetune(pets / "pets", "photos", "wrong/better", pets, *more) == 1
    assert "would be taken for a class" in capsys.readouterr().err
