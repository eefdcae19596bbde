"""The commands from end to end, on digits and a small network, as a person runs them."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from hf_resnet.classifier import open_classifier
from hf_resnet.cli import main
from tests.conftest import photo, png

ROOT = Path(__file__).parent.parent
SMALL = ("--max_train_samples", "200", "--max_eval_samples", "60", "--precision", "fp32")
SMALL += ("--method", "head")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("HF_RESNET_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="module")
def taught(family_folders, tmp_path_factory):
    """A model folder made by `hf-resnet finetune` on digits."""
    folder = tmp_path_factory.mktemp("taught") / "digits"
    os.environ["HF_RESNET_CACHE"] = str(tmp_path_factory.getbasetemp() / "cache")
    model = family_folders("transformers-resnet")
    assert finetune(model, folder) == 0
    return folder


def finetune(model, folder, *more):
    where = ["--model_name_or_path", str(model), "--output_dir", str(folder)]
    return main(["finetune", *where, "--dataset_name", "sample:digits", *SMALL, *more])


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "a.png").write_bytes(png(photo(1)))
    (folder / "b.jpg").write_bytes(b"nonsense")
    (folder / "deep" / "er" / "c.png").write_bytes(png(photo(2)))
    return folder


def test_a_model_folder_holds_all_that_is_promised(taught):
    files = {str(path.relative_to(taught)) for path in taught.rglob("*") if path.is_file()}
    assert files == {
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
        "hf_resnet.json",
        "feature_mean.safetensors",
        "recipe.yaml",
        "splits.json",
        "report/metrics.json",
        "report/contact_sheet.png",
        "report/confusion.png",
        "report/calibration.png",
        "report/index.html",
    }
    facts = json.loads((taught / "hf_resnet.json").read_text())
    assert facts["results"]["figures"]["accuracy"]["n"] == 60
    assert [each["origin"] for each in facts["classes"]] == ["fitted"] * 10
    assert facts["results"] == json.loads((taught / "report" / "metrics.json").read_text())


def test_plain_transformers_opens_it_and_knows_the_classes(taught):
    from transformers import pipeline

    answer = pipeline("image-classification", model=str(taught))(photo())
    assert {each["label"] for each in answer} <= {str(digit) for digit in range(10)}


def test_the_recipe_in_the_folder_makes_the_same_model_again(taught, tmp_path):
    recipe = taught / "recipe.yaml"
    assert main(["finetune", "--config", str(recipe), "--output_dir", str(tmp_path / "again")]) == 0
    ours, theirs = open_classifier(str(taught)), open_classifier(str(tmp_path / "again"))
    assert ours.network.weight_KD.equal(theirs.network.weight_KD)
    assert (taught / "splits.json").read_text() == (tmp_path / "again/splits.json").read_text()


def test_measuring_again_without_naming_data_gives_the_same_figures(taught, capsys):
    figures = json.loads((taught / "hf_resnet.json").read_text())["results"]["figures"]
    assert main(["measure", "--model_name_or_path", str(taught), "--precision", "fp32"]) == 0
    again = json.loads((taught / "report" / "metrics.json").read_text())["figures"]
    assert again.keys() == figures.keys()
    for name, each in figures.items():  # features kept on disk differ in the last digits
        same = {key: again[name][key] for key in ("value", "low", "high", "n")}
        assert same == pytest.approx({key: each[key] for key in same}, rel=1e-4), name
    assert "Accuracy" in capsys.readouterr().out


def test_measuring_on_pictures_it_learned_from_is_said(taught, tmp_path, capsys):
    call = ["measure", "--model_name_or_path", str(taught), "--split", "train"]
    assert main([*call, "--output_dir", str(tmp_path / "r")]) == 0
    assert "the model learned from 200 of these 200 pictures" in capsys.readouterr().out


def test_a_model_folder_is_not_replaced_unless_asked_for(taught, capsys):
    assert finetune("nothing-is-opened", taught) == 1
    assert "already holds a model" in capsys.readouterr().err


def test_predict_prints_a_line_for_every_file_in_order(taught, photos, capsys):
    assert main(["predict", str(taught), str(photos)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0].rsplit("/", 1)[1] for line in lines[:3]] == [
        "a.png",
        "b.jpg",
        "c.png",
    ]
    assert "not used: not a picture" in lines[1]
    assert lines[3] == "2 pictures, 1 file that could not be used, answered by torch"


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_predict_writes_a_row_for_every_file(taught, photos, tmp_path, suffix):
    output = tmp_path / f"rows{suffix}"
    assert main(["predict", str(taught), str(photos), "--output", str(output), "--top_k", "2"]) == 0
    if suffix == ".csv":
        with output.open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0]) == [
            "file",
            "label_1",
            "probability_1",
            "label_2",
            "probability_2",
            "error",
        ]
        first, error = (rows[0]["label_1"], float(rows[0]["probability_1"])), rows[1]["error"]
    else:
        if suffix == ".jsonl":
            rows = [json.loads(line) for line in output.read_text().splitlines()]
        else:
            rows = pq.read_table(output).to_pylist()
        first, error = (rows[0]["labels"][0], rows[0]["probabilities"][0]), rows[1]["error"]
    assert [Path(row["file"]).name for row in rows] == ["a.png", "b.jpg", "c.png"]
    wanted = open_classifier(str(taught))(photos / "a.png")[0]
    assert first == (wanted.label, pytest.approx(wanted.probability, abs=0.02))
    assert "not a picture" in error


def test_predict_refuses_an_output_it_cannot_write_before_any_work(photos, capsys):
    assert main(["predict", "nothing-is-opened", str(photos), "--output", "rows.xls"]) == 1
    assert "--output ends in .jsonl, .csv or .parquet; got rows.xls" in capsys.readouterr().err


def test_relabel_changes_the_classes_and_says_where_each_came_from(taught, tmp_path, capsys):
    call = ["relabel", "--model_name_or_path", str(taught), "--output_dir", str(tmp_path / "few")]
    assert (
        main([*call, "--keep", "1,7", "--rename", "0=zero", "--merge", "big=8,9", "--add", "ten"])
        == 0
    )
    assert open_classifier(str(tmp_path / "few")).labels.names == ("zero", "1", "7", "big", "ten")
    said = capsys.readouterr().out
    assert "10 classes before, 5 now" in said
    assert "not trained yet: ten" in said


def test_relabel_takes_a_yaml_file_and_a_list_of_names_as_well(taught, tmp_path):
    surgery = tmp_path / "surgery.yaml"
    surgery.write_text(yaml.safe_dump({"drop": [3], "merge": {"round": ["0", 8]}, "add": ["x"]}))
    texts = tmp_path / "texts.yaml"
    texts.write_text(yaml.safe_dump({"keep": "2,3", "merge": "round=0,8", "rename": "4=d,5=e"}))
    names = tmp_path / "names.txt"
    names.write_text("7\n1\n\nx\n")
    call = ["relabel", "--model_name_or_path", str(taught), "--output_dir"]
    assert main([*call, str(tmp_path / "a"), "--surgery", str(surgery)]) == 0
    assert main([*call, str(tmp_path / "b"), "--labels", str(names)]) == 0
    assert main([*call, str(tmp_path / "c"), "--surgery", str(texts)]) == 0
    found = [open_classifier(str(tmp_path / name)).labels.names for name in "abc"]
    assert found[0] == ("round", "1", "2", "4", "5", "6", "7", "9", "x")
    assert found[1:] == [("7", "1", "x"), ("round", "2", "3", "d", "e")]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--keep", "1,1"], "'1' is named 2 times"),
        (["--keep", "1", "--drop", "1"], "cannot both stay and be dropped"),
        (["--keep", "seven"], "no class is called 'seven'"),
        (["--drop", "0,1,2,3,4,5,6,7,8,9"], "at least two classes"),
        (["--rename", "1"], "--rename takes old=new, got '1'"),
        (["--merge", "x=1"], "two classes or more"),
        ([], "nothing to change"),
        (["--labels", "nowhere.txt"], "cannot read nowhere.txt"),
        (["--labels", "a.txt", "--keep", "1"], "--labels and --keep were given together"),
        (["--add", "x", "--add_dir", "nowhere"], "nowhere"),
    ],
)
def test_relabel_that_cannot_be_is_one_line_and_writes_nothing(
    taught, tmp_path, capsys, flags, message
):
    call = ["relabel", "--model_name_or_path", str(taught), "--output_dir", str(tmp_path / "new")]
    assert main([*call, *flags]) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_an_untrained_class_takes_nothing_from_the_others(taught, tmp_path):
    call = ["relabel", "--model_name_or_path", str(taught), "--output_dir", str(tmp_path / "more")]
    assert main([*call, "--add", "x"]) == 0
    answers = open_classifier(str(tmp_path / "more"))(photo(3), top_k=11)
    assert answers[-1].label == "x" or answers[-1].probability < 1e-3
    assert next(each for each in answers if each.label == "x").probability < 1e-3


def test_measuring_on_other_pictures_leaves_the_models_own_report(taught):
    before = (taught / "report" / "metrics.json").read_text()
    assert main(["measure", "--model_name_or_path", str(taught), "--split", "train"]) == 0
    assert (taught / "report" / "metrics.json").read_text() == before


@pytest.mark.parametrize("command", ["finetune", "relabel"])
def test_an_output_that_cannot_be_made_is_told_before_any_work(command, tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    output = ["--output_dir", str(tmp_path / "file" / "model")]
    assert main([command, "--model_name_or_path", "nothing-is-opened", *output]) == 1
    assert "cannot be written: " in capsys.readouterr().err


@pytest.mark.parametrize("content", ["- a", "a: [", "!!python/name:os.system {}", "seed: {"])
def test_a_recipe_beside_a_model_is_data_and_never_code(taught, tmp_path, capsys, content):
    folder = shutil.copytree(taught, tmp_path / "copy")
    (folder / "recipe.yaml").write_text(content)
    assert main(["measure", "--model_name_or_path", str(folder)]) == 1
    said = capsys.readouterr().err
    assert "is no recipe of hf_resnet's" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("family", ["timm-vit", "transformers-vit"])
def test_a_picture_size_that_the_network_cannot_take_is_told(
    family, family_folders, tmp_path, capsys
):
    assert finetune(family_folders(family), tmp_path / "m", "--image_size", "100") == 1
    assert "does not take pictures of 100x100 pixels" in capsys.readouterr().err


def test_a_mistyped_model_folder_gets_the_nearest_offered(taught, capsys):
    assert main(["predict", f"{taught.parent}/digts", str(taught)]) == 1
    assert "; did you mean digits?" in capsys.readouterr().err


def test_a_class_added_with_photos_is_answered(taught, tmp_path, capsys):
    for number in range(6):
        place = tmp_path / "new" / "photo"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.png").write_bytes(png(photo(number)))
    call = ["relabel", "--model_name_or_path", str(taught), "--output_dir", str(tmp_path / "more")]
    assert main([*call, "--add", "photo", "--add_dir", str(tmp_path / "new")]) == 0
    assert open_classifier(str(tmp_path / "more"))(photo(99))[0].label == "photo"
    assert "of its own pictures are recognised" in capsys.readouterr().out


@pytest.mark.slow
def test_two_processes_make_the_same_model_as_one(taught, family_folders, tmp_path):
    """The real script under the real launcher, with a cold cache."""
    # without a GPU, accelerate starts a single process unless it is told --multi_gpu
    command = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", "2"]
    command += ["--multi_gpu", "--main_process_port", "0"]
    command += [str(ROOT / "scripts" / "finetune.py")]
    command += ["--model_name_or_path", str(family_folders("transformers-resnet"))]
    command += ["--dataset_name", "sample:digits", "--output_dir", str(tmp_path / "two"), *SMALL]
    environment = os.environ | {"HF_RESNET_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Measured on") == 1
    one, two = open_classifier(str(taught)), open_classifier(str(tmp_path / "two"))
    assert (one.network.weight_KD - two.network.weight_KD).abs().max() < 1e-3
    results = [
        json.loads((f / "report/metrics.json").read_text()) for f in (taught, tmp_path / "two")
    ]
    assert results[0]["n"] == results[1]["n"] == 60
    assert results[0]["confusion"] == results[1]["confusion"]
