"""hf-resnet export: what is good enough is written, and what is not is one line and nothing else."""

import json
import shutil
import sys

import numpy as np
import pytest

from hf_resnet.classifier import open_classifier
from hf_resnet.cli import main
from hf_resnet.engine.exported import FORMATS, sound_record
from hf_resnet.errors import ModelError
from hf_resnet.export import WRITERS, onnx, onnx_int8
from hf_resnet.export.proof import check, prove
from tests.conftest import NAMES, photo, png

PICTURES_A_CLASS = 6


@pytest.fixture(scope="module")
def model(family_folders, tmp_path_factory):
    place = tmp_path_factory.mktemp("model") / "model"
    open_classifier(str(family_folders("scratch"))).save(place)
    return place


@pytest.fixture
def folder(model, tmp_path):
    return shutil.copytree(model, tmp_path / "model")


@pytest.fixture(scope="module")
def photos(model, tmp_path_factory):
    """Pictures of the model's classes, each in the folder of the class that the model holds it for."""
    classifier, place = open_classifier(str(model)), tmp_path_factory.mktemp("photos")
    wanted = dict.fromkeys(NAMES, 0)
    for seed in range(60):
        picture = photo(seed, (48, 48))
        name = classifier(picture, top_k=1)[0].label
        wanted[name] += 1
        (place / name).mkdir(exist_ok=True)
        (place / name / f"{seed}.png").write_bytes(png(picture))
    for number, name in enumerate(
        NAMES
    ):  # the others have pictures too, all held for something else
        (place / name).mkdir(exist_ok=True)
        for more in range(max(0, 3 - wanted[name])):
            picture = photo(1000 + 10 * number + more, (48, 48))
            (place / name / f"more{more}.png").write_bytes(png(picture))
    return place


def export(*words):
    return main(["export", *map(str, words)])


def told(capsys, *words):
    """The one line that a call which cannot be ends with."""
    assert export(*words) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    return lines[0]


def test_int8_is_measured_on_the_validation_pictures_and_written_with_its_figures(
    folder, photos, capsys
):
    words = ("--train_dir", photos, "--max_drop", 50, "--calibration_pictures", 8)
    assert export(folder, "--format", "onnx-int8", *words) == 0
    said = capsys.readouterr().out
    for part in ("of validation:", "same answer ", "points (95 %: ", "size ", "speed ", "times"):
        assert part in said
    assert sorted(path.name for path in (folder / "onnx").iterdir()) == [
        "model_quantized.json",
        "model_quantized.onnx",
    ]
    figures = sound_record(folder, "onnx-int8").figures
    assert figures["pictures"] > 3
    assert 0.5 < figures["agreement"] <= 1
    assert figures["difference_low"] <= figures["difference"] <= figures["difference_high"]
    assert figures["bytes"] == (folder / "onnx/model_quantized.onnx").stat().st_size


def test_int8_is_calibrated_on_training_pictures_and_no_others(folder, photos, monkeypatch):
    seen = []

    def write(material, path):
        seen.extend(material.calibration())
        onnx.write(material, path)

    monkeypatch.setitem(WRITERS, "onnx-int8", write)
    words = ("--train_dir", photos, "--validation_dir", photos, "--calibration_pictures", 10)
    assert export(folder, "--format", "onnx-int8", *words) == 0
    pixels_BCHW = np.concatenate(seen)
    assert pixels_BCHW.shape == (10, 3, 32, 32)
    of_training = {
        open_classifier(str(folder)).preprocess(photo(seed, (48, 48))).tobytes()
        for seed in (*range(60), *range(1000, 1050))
    }
    assert {each.tobytes() for each in pixels_BCHW} <= of_training


def wrong(material, path):
    """An export of another network: each row of its head is another class's."""
    head = material.network.head
    kept = head.weight.data.clone()
    head.weight.data.copy_(kept.roll(1, 0))
    try:
        onnx.write(material, path)
    finally:
        head.weight.data.copy_(kept)


def test_what_loses_accuracy_is_not_written_unless_forced(folder, photos, capsys, monkeypatch):
    monkeypatch.setitem(WRITERS, "onnx-int8", wrong)
    words = (folder, "--format", "onnx-int8", "--train_dir", photos)
    said = told(capsys, *words)
    assert "points of accuracy on" in said
    assert "--max_drop allows 0.5; nothing was written" in said
    assert not (folder / "onnx").exists()
    assert export(*words, "--force") == 0
    assert sound_record(folder, "onnx-int8").figures["difference"] < -0.1


def test_an_fp32_export_that_answers_otherwise_is_never_written(folder, capsys, monkeypatch):
    monkeypatch.setitem(WRITERS, "onnx", wrong)
    assert "does not answer as the model does" in told(
        capsys, folder, "--format", "onnx", "--force"
    )
    assert not (folder / "onnx").exists()


def test_an_export_that_is_refused_leaves_the_earlier_one(folder, capsys, monkeypatch):
    assert export(folder, "--format", "onnx") == 0
    before = (folder / "onnx/model.onnx").read_bytes()
    monkeypatch.setitem(WRITERS, "onnx", wrong)
    told(capsys, folder, "--format", "onnx")
    assert (folder / "onnx/model.onnx").read_bytes() == before
    assert sound_record(folder, "onnx")


def test_without_pictures_fp32_is_held_against_made_up_ones_and_int8_says_what_it_needs(
    folder, capsys
):
    assert export(folder, "--format", "onnx") == 0
    said = capsys.readouterr().out
    assert "note: held against the model on made-up pictures, since " in said
    assert "accuracy" not in said
    assert "--train_dir" in told(capsys, folder, "--format", "onnx-int8")
    assert not (folder / FORMATS["onnx-int8"].record).exists()


def test_files_that_are_no_pictures_are_counted_and_stop_nothing(folder, photos, tmp_path, capsys):
    place = shutil.copytree(photos, tmp_path / "photos")
    for path in sorted((place / "10").iterdir()):
        path.write_bytes(b"nonsense")
    assert export(folder, "--format", "onnx", "--test_dir", place) == 0
    assert "note: 3 files could not be used, such as " in capsys.readouterr().out


def test_pictures_of_other_classes_are_one_line(folder, tmp_path, capsys):
    for name in ("apple", "pear"):
        (tmp_path / "fruit" / name).mkdir(parents=True)
        for seed in range(4):
            (tmp_path / "fruit" / name / f"{seed}.png").write_bytes(png(photo(seed)))
    said = told(capsys, folder, "--format", "onnx", "--train_dir", tmp_path / "fruit")
    assert "the model has no class" in said


@pytest.mark.parametrize(
    ("library", "name"), [("onnxscript", "onnx"), ("onnxruntime", "onnx"), ("openvino", "openvino")]
)
def test_a_library_that_is_missing_is_one_line(folder, capsys, monkeypatch, library, name):
    for module in [each for each in sys.modules if each.split(".")[0] == library]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    said = told(capsys, folder, "--format", name)
    assert said == f"error: {library} is not installed; pip install 'hf-resnet[export]'"
    assert not (folder / FORMATS[name].record).exists()


def test_predict_says_which_backend_answered_and_what_was_passed_over(folder, tmp_path, capsys):
    (tmp_path / "a.png").write_bytes(png(photo()))
    assert export(folder, "--format", "onnx") == 0
    words = ["predict", str(folder), str(tmp_path / "a.png")]
    assert main([*words, "--backend", "onnx"]) == 0
    assert capsys.readouterr().out.endswith("1 picture, answered by onnx\n")
    facts = json.loads((folder / "hf_resnet.json").read_text())
    facts["preprocess"]["mode"] = "squash"
    (folder / "hf_resnet.json").write_text(json.dumps(facts))
    assert main([*words, "--backend", "onnx"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert main(words) == 0
    assert capsys.readouterr().out.endswith("1 picture, answered by torch\n")


def proof_of(source_N, export_N, truth_N):
    """A proof out of the class that each said, and the true one."""
    logits = {}
    for key, answers_N in (("source", source_N), ("export", export_N)):
        logits[key] = np.eye(3, dtype=np.float32)[answers_N]
    pixels = np.zeros((len(truth_N), 1), np.float32)
    return prove(lambda _: logits["source"], lambda _: logits["export"], [pixels], list(truth_N))


def test_a_proof_counts_what_only_one_of_the_two_has_right():
    proof = proof_of([0, 1, 2, 0, 1], [0, 2, 1, 0, 0], [0, 1, 1, 0, 2])
    assert proof.right() == (3, 1, 1)
    assert proof.drop == 0
    assert proof.agreement == pytest.approx(0.4)
    assert proof.figures()["difference_low"] < 0 < proof.figures()["difference_high"]


def test_the_gate_opens_at_exactly_what_is_allowed():
    proof = proof_of([0] * 200, [0] * 199 + [1], [0] * 200)
    assert proof.drop == pytest.approx(0.5)
    check(proof, "onnx-int8", int8=True, max_drop=0.5, force=False)
    with pytest.raises(ModelError, match=r"loses 0\.50 points of accuracy on 200 pictures"):
        check(proof, "onnx-int8", int8=True, max_drop=0.4, force=False)
    check(proof, "onnx-int8", int8=True, max_drop=0.4, force=True)


def test_numbers_that_are_not_finite_are_never_written():
    proof = proof_of([0], [0], [0])
    proof.export_NK[0, 0] = np.nan
    with pytest.raises(ModelError, match="not finite"):
        check(proof, "onnx-int8", int8=True, max_drop=100, force=True)


def test_int8_reads_no_more_pictures_than_it_was_told_to(folder, photos, monkeypatch):
    counted = []
    really = onnx_int8.write

    def write(material, path):
        counted.extend(len(each) for each in material.calibration())
        really(material, path)

    monkeypatch.setitem(WRITERS, "onnx-int8", write)
    words = ("--train_dir", photos, "--calibration_pictures", 7, "--force")
    assert export(folder, "--format", "onnx-int8", *words) == 0
    assert sum(counted) == 7


def test_a_model_that_lies_in_no_folder_is_put_into_one_with_its_export(tmp_path, capsys):
    name = "scratch:resnet20-cifar"
    assert "name a new folder for both with --output_dir" in told(capsys, name, "--format", "onnx")
    folder = tmp_path / "exported"
    assert export(name, "--format", "onnx", "--output_dir", folder) == 0
    assert (folder / "config.json").is_file()
    assert sound_record(folder, "onnx")
    assert "leave out --output_dir" in told(
        capsys, folder, "--format", "onnx", "--output_dir", tmp_path / "more"
    )
