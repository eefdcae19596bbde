"""Our own networks as a source of models: opened by name, taught, saved, measured, relabelled."""

import dataclasses
import json
import os
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from hf_resnet.backbones import open_backbone
from hf_resnet.classifier import open_classifier
from hf_resnet.cli import main
from hf_resnet.config import ModelConfig
from hf_resnet.errors import ModelError
from hf_resnet.resnet import named
from tests.conftest import NAMES, photo, png

SMALL = ("--max_train_samples", "80", "--max_eval_samples", "30", "--precision", "fp32")
DIGITS = ("--dataset_name", "sample:digits", *SMALL)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("HF_RESNET_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A model folder that `hf-resnet finetune` made of one of our own networks."""
    folder = tmp_path_factory.mktemp("taught") / "digits"
    os.environ["HF_RESNET_CACHE"] = str(tmp_path_factory.getbasetemp() / "cache")
    where = ("--model_name_or_path", "scratch:resnet8-cifar-v2", "--output_dir", str(folder))
    assert main(["finetune", *where, "--method", "head", *DIGITS]) == 0
    return folder


def opened(name, **options):
    return open_backbone(ModelConfig(model_name_or_path=str(name), **options))[0]


@pytest.fixture
def folder(family_folders, tmp_path):
    """A saved folder to do anything to."""
    return shutil.copytree(family_folders("scratch"), tmp_path / "scratch")


def edit(folder, change):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize(
    ("name", "classes", "mode", "side"),
    [
        ("resnet18-v2", 1000, "crop", 224),
        ("plain18", 1000, "crop", 224),
        ("resnet18-32px", 10, "squash", 32),
        ("resnet20-cifar", 10, "squash", 32),
    ],
)
def test_a_name_opens_that_architecture_untrained_and_ready_for_pictures(name, classes, mode, side):
    classifier = open_classifier(f"scratch:{name}")
    assert classifier.network.model.architecture == named(name)
    assert classifier.labels.names == tuple(f"class {index}" for index in range(classes))
    assert {fact.origin for fact in classifier.facts.classes} == {"untrained"}
    assert (classifier.preprocess.mode, classifier.preprocess.size) == (mode, (side, side))
    assert classifier.facts.base_model == f"scratch:{name}"
    assert len(classifier(photo(), top_k=2)) == 2


def test_the_random_weights_of_a_name_are_always_the_same_and_cost_no_random_numbers():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    one = open_classifier("scratch:resnet8-cifar")
    assert torch.equal(torch.rand(3), expected)
    torch.manual_seed(2)
    assert open_classifier("scratch:resnet8-cifar").fingerprint() == one.fingerprint()
    assert open_classifier("scratch:resnet8-cifar-v2").fingerprint() != one.fingerprint()


def test_a_saved_folder_opens_with_its_architecture_names_and_preprocess(folder):
    found = opened(folder)
    model = found.network.model
    assert (model.architecture.block, model.architecture.depths) == ("bottleneck", (1, 2))
    assert model.architecture.version == 2
    assert found.names == NAMES
    assert found.preprocess.resize == (36, 36)
    assert not found.untrained_head
    assert torch.equal(model.head.weight, load_file(folder / "model.safetensors")["head.weight"])


def test_all_of_an_architecture_is_kept_in_the_folder(tmp_path):
    classifier = open_classifier("scratch:plain8-cifar-v2")
    model = classifier.network.model
    model.architecture = dataclasses.replace(model.architecture, dropout=0.25)
    again = open_classifier(str(classifier.save(tmp_path / "saved"))).network.model
    assert again.architecture == model.architecture
    assert again.dropout.p == 0.25


def test_random_init_leaves_the_weights_unread(folder):
    trained = opened(folder).network.weight_KD
    (folder / "model.safetensors").unlink()
    found = opened(folder, random_init=True)
    assert found.untrained_head
    assert found.network.weight_KD.shape == trained.shape
    assert not torch.equal(found.network.weight_KD, trained)


def test_head_only_teaching_leaves_the_network_as_it_is(taught):
    before = open_classifier("scratch:resnet8-cifar-v2")
    after = open_classifier(str(taught))
    assert after.fingerprint() == before.fingerprint()
    assert after.labels.names == tuple(str(digit) for digit in range(10))
    assert {fact.origin for fact in after.facts.classes} == {"fitted"}


def test_even_random_filters_tell_digits_apart_better_than_chance(taught):
    results = json.loads((taught / "report" / "metrics.json").read_text())
    assert results["figures"]["accuracy"]["value"] > 0.3


def test_the_folder_holds_a_config_that_no_other_library_takes_for_its_own(taught):
    config = json.loads((taught / "config.json").read_text())
    assert set(config) == {"hf_resnet_architecture", "label_names", "preprocess"}
    assert (taught / "model.safetensors").is_file()


def test_it_is_measured_as_it_was_after_teaching(taught, tmp_path):
    model = ("--model_name_or_path", str(taught), "--output_dir", str(tmp_path / "report"))
    assert main(["measure", *model, *DIGITS]) == 0
    again = json.loads((tmp_path / "report" / "metrics.json").read_text())
    first = json.loads((taught / "report" / "metrics.json").read_text())
    assert again["figures"]["accuracy"]["value"] == first["figures"]["accuracy"]["value"]


def test_it_says_what_pictures_are(taught, tmp_path):
    (tmp_path / "a.png").write_bytes(png(photo(1)))
    out = tmp_path / "rows.jsonl"
    assert main(["predict", str(taught), str(tmp_path / "a.png"), "--output", str(out)]) == 0
    assert "a.png" in out.read_text()


def test_an_export_of_it_answers_as_it_does(taught, tmp_path, capsys):
    model, path = shutil.copytree(taught, tmp_path / "model"), tmp_path / "a.png"
    path.write_bytes(png(photo(1)))
    (before,) = open_classifier(str(model))(path, top_k=1)
    assert main(["export", str(model), "--format", "onnx", "--max_drop", "100"]) == 0
    out = tmp_path / "rows.jsonl"
    assert main(["predict", str(model), str(path), "--output", str(out), "--top_k", "1"]) == 0
    assert "answered by onnx" in capsys.readouterr().out
    after = json.loads(out.read_text())
    assert after["labels"] == [before.label]
    assert after["probabilities"] == [pytest.approx(before.probability, abs=1e-3)]


def test_its_classes_can_be_changed(taught, tmp_path):
    words = ["relabel", "--model_name_or_path", str(taught), "--output_dir", str(tmp_path / "new")]
    assert main([*words, "--keep", "0,1,2", "--rename", "2=two", "--add", "ten"]) == 0
    before, after = open_classifier(str(taught)), open_classifier(str(tmp_path / "new"))
    assert after.labels.names == ("0", "1", "two", "ten")
    assert torch.equal(after.network.weight_KD[:3], before.network.weight_KD[:3])


def test_an_unknown_name_is_one_clear_line_on_the_command_line(tmp_path, capsys):
    where = ("--model_name_or_path", "scratch:resnet5O", "--output_dir", str(tmp_path / "m"))
    assert main(["finetune", *where, *DIGITS]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: no ResNet here is called 'resnet5O'; did you mean resnet50")
    assert error.count("\n") == 1
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda config: config.pop("label_names"), "not as hf_resnet writes it .*label_names"),
        (
            lambda config: config.update(preprocess=None),
            r"config\.json: preprocess: it is an object",
        ),
        (lambda config: config.update(hf_resnet_architecture=None), "not as hf_resnet writes it"),
        (lambda config: config["hf_resnet_architecture"].update(depths=2), "not as hf_resnet"),
        (lambda config: config["hf_resnet_architecture"].update(block="x"), "block is 'basic' or"),
        (lambda config: config["hf_resnet_architecture"].pop("stem"), "missing or unknown: stem"),
        (lambda config: config["hf_resnet_architecture"].update(se=1), "missing or unknown: se"),
        (
            lambda config: config["label_names"].pop(),
            r"cannot be used: .*head\.bias and head\.weight",
        ),
    ],
)
def test_a_config_that_was_tampered_with_is_one_clear_line(folder, change, message):
    with pytest.raises(ModelError, match=message) as caught:
        opened(edit(folder, change))
    assert "\n" not in str(caught.value)


def test_weights_that_are_missing_damaged_or_of_another_network_are_refused(folder):
    weights = folder / "model.safetensors"
    tensors = load_file(weights)
    tensors.pop("tail.norm.weight")
    save_file(tensors, weights)
    with pytest.raises(ModelError, match=r"not of this ResNet.* tail\.norm\.weight"):
        opened(folder)
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=r"model\.safetensors is damaged") as caught:
        opened(folder)
    assert "\n" not in str(caught.value)
    weights.unlink()
    with pytest.raises(ModelError, match=r"has no model\.safetensors"):
        opened(folder)
