"""What measure can be asked for beyond the figures, through the command, on real networks."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hf_resnet.classifier import open_classifier
from hf_resnet.cli import main
from hf_resnet.evaluation.temperature import folded
from tests.conftest import files_of_at_most, photo, png

NAMES = ("cat", "dog", "emu")


def fill(folder, first, count, *, grain=70):
    """Photos of a class are alike but for their grain; every sixth lies in another class's folder."""
    for number, name in enumerate(NAMES):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for each in range(first, first + count):
            rng = np.random.default_rng(100 * each + number)
            shown = (number + 1) % 3 if each % 6 == 5 else number
            levels = np.asarray(photo(shown, size=(48, 40)), float)
            levels = levels + rng.normal(0, grain, levels.shape)
            picture = Image.fromarray(levels.clip(0, 255).astype(np.uint8))
            (folder / name / f"{each}.png").write_bytes(png(picture))


def command(*words):
    return main([*map(str, words), "--precision", "fp32"])


def measure(model, *words):
    return command("measure", "--model_name_or_path", model, *words)


def _in_one_line(capsys):
    return " ".join(capsys.readouterr().out.split())


def names_in(folder):
    return [path.name for path in folder.iterdir()]


def facts_of(folder):
    return json.loads((folder / "hf_resnet.json").read_text())


@pytest.fixture(scope="module")
def made(family_folders, tmp_path_factory):
    """A model that is far too sure, with train, validation and test pictures."""
    place = tmp_path_factory.mktemp("studies")
    for role, first, count in (("train", 0, 12), ("validation", 50, 18), ("test", 100, 6)):
        fill(place / "photos" / role, first, count)
    os.environ["HF_RESNET_CACHE"] = str(tmp_path_factory.getbasetemp() / "cache")
    words = ["--model_name_or_path", family_folders("transformers-resnet"), "--method", "head"]
    words += ["--train_dir", place / "photos", "--output_dir", place / "model"]
    assert command("finetune", *words) == 0
    classifier = open_classifier(str(place / "model"))
    folded(classifier, 0.1).write(place / "model")
    return place


@pytest.fixture
def model(made, tmp_path):
    """A copy that may be written to."""
    return shutil.copytree(made / "model", tmp_path / "model")


def test_calibrating_rewrites_the_folder_and_says_what_it_did(model, capsys):
    before = open_classifier(str(model))
    assert measure(model, "--calibrate", "--abstain_precision", "0.6", "--conformal", "0.8") == 0
    out = capsys.readouterr().out
    results = facts_of(model)["results"]
    record = results["calibration"]
    assert record["n"] == 54 and record["split"] == "validation"
    assert record["temperature"] > 2
    assert record["ece_after"] < record["ece_before"]
    assert f"temperature {record['temperature']:.3f}, fitted on 54 pictures (validation)" in out
    after = open_classifier(str(model))
    scale = before.network.weight_KD / after.network.weight_KD
    assert scale.mean().item() == pytest.approx(record["temperature"], rel=1e-4)
    assert results["split"] == "test" and results["n"] == 18
    assert results["conformal"]["measured_coverage"]["n"] == 18
    assert {"recipe.yaml", "splits.json", "feature_mean.safetensors"} <= set(names_in(model))
    page = (model / "report" / "index.html").read_text()
    assert f"temperature {record['temperature']:.3f}" in page
    assert names_in(model.parent) == ["model"]


def test_the_threshold_is_where_the_page_looks_for_it(model):
    from hf_resnet.app.answer import threshold

    assert measure(model, "--abstain_precision", "0.85") == 0
    found = facts_of(model)["results"]["abstain"]
    assert threshold(open_classifier(str(model)).facts) == found["below"]
    assert 0 < found["below"] < 1 and 0 < found["coverage"] < 1


def test_a_second_fit_keeps_the_first_and_a_temperature_does_away_with_old_thresholds(model):
    assert measure(model, "--conformal", "0.8") == 0
    assert measure(model, "--abstain_precision", "0.85") == 0
    assert {"conformal", "abstain"} <= set(facts_of(model)["results"])
    assert measure(model, "--calibrate") == 0
    results = facts_of(model)["results"]
    assert "calibration" in results
    assert not {"conformal", "abstain", "abstain_below"} & set(results)


def test_calibrating_twice_is_refused_and_leaves_the_folder_as_it_is(model, capsys):
    assert measure(model, "--calibrate") == 0
    before = {path: path.read_bytes() for path in model.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert measure(model, "--calibrate") == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "--calibrate would not help: on 54 validation pictures" in said
    assert {path: path.read_bytes() for path in model.rglob("*") if path.is_file()} == before


def test_a_full_disk_leaves_the_model_as_it_was(model, capsys):
    before = {path: path.read_bytes() for path in model.rglob("*") if path.is_file()}
    with files_of_at_most(5_000):
        assert measure(model, "--calibrate") == 1
    assert "cannot be written" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in model.rglob("*") if path.is_file()} == before
    assert names_in(model.parent) == ["model"]


def test_what_a_person_put_into_the_folder_stops_it_before_any_work(model, capsys):
    (model / "notes.txt").write_text("mine")
    assert measure(model, "--calibrate") == 1
    assert "would be lost: notes.txt" in capsys.readouterr().err
    assert (model / "notes.txt").read_text() == "mine"


def test_fitting_needs_validation_pictures(model, made, capsys):
    assert measure(model, "--calibrate", "--test_dir", made / "photos" / "test") == 1
    assert "has no validation pictures to fit on; name some with" in capsys.readouterr().err


def test_fitting_on_what_was_learned_is_refused(model, made, capsys):
    words = ["--validation_dir", made / "photos" / "train", "--test_dir", made / "photos" / "test"]
    assert measure(model, "--calibrate", *words) == 1
    said = capsys.readouterr().err
    assert "the model learned from 36 of the 36 validation pictures" in said


def test_named_pictures_fit_it_and_leave_its_own_figures(model, made, tmp_path):
    before = facts_of(model)["results"]
    fill(tmp_path / "more", 300, 10)
    words = ["--validation_dir", tmp_path / "more", "--test_dir", made / "photos" / "validation"]
    assert measure(model, "--calibrate", *words) == 0
    after = facts_of(model)["results"]
    assert after["calibration"]["n"] == 30
    assert (after["n"], after["split"]) == (before["n"], before["split"])
    assert after["figures"]["accuracy"] == before["figures"]["accuracy"]
    assert "ece" not in after["figures"]  # it was that of the weights before
    assert before["wrong_answers"]
    assert [each | {"probability": 0} for each in after["wrong_answers"]] == [
        each | {"probability": 0} for each in before["wrong_answers"]
    ]
    assert not any("probability" in each for each in after["wrong_answers"])
    sure = {"calibration.png", "metrics.json", "index.html", "contact_sheet.png"}
    assert not sure & set(names_in(model / "report"))
    assert "confusion.png" in names_in(model / "report")


def test_measuring_again_keeps_the_fits_and_tells_of_them_in_the_report_and_the_facts(model):
    assert measure(model, "--abstain_precision", "0.85", "--conformal", "0.8") == 0
    weights = (model / "model.safetensors").read_bytes()
    fitted = facts_of(model)["results"]
    edited = facts_of(model)
    edited["results"] = {**fitted, "n": 1, "figures": {}, "conformal": {"least": []}}
    (model / "hf_resnet.json").write_text(json.dumps(edited))
    assert measure(model) == 0
    results = facts_of(model)["results"]
    report = json.loads((model / "report" / "metrics.json").read_text())
    assert {name: report[name] for name in report if name != "conformal"} == {
        name: results[name] for name in results if name != "conformal"
    }
    assert results["abstain"] == fitted["abstain"] and results["figures"] == fitted["figures"]
    assert "conformal" not in report, "what is not as we write it is not shown"
    page = (model / "report" / "index.html").read_text()
    assert "When not to answer" in page and "Sets of classes" not in page
    assert (model / "model.safetensors").read_bytes() == weights
    assert not [name for name in names_in(model) if name.endswith(".part")]


def test_where_the_report_cannot_be_written_the_facts_stay_as_they_were(model, capsys):
    changed = facts_of(model)
    changed["results"]["n"] = 1
    (model / "hf_resnet.json").write_text(json.dumps(changed))
    before = {path: path.read_bytes() for path in model.rglob("*") if path.is_file()}
    with files_of_at_most(20_000):
        assert measure(model) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in model.rglob("*") if path.is_file()} == before


def test_nothing_can_be_kept_in_a_model_that_is_no_folder(capsys, made):
    words = ["--validation_dir", made / "photos" / "validation", "--conformal", "0.8"]
    assert measure("timm:resnet10t", "--random_init", *words) == 1
    assert "what is fitted is kept in the model folder, and timm:resnet10t is none" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("flag", ["--abstain_precision", "--conformal"])
@pytest.mark.parametrize("value", ["95", "1", "0.2"])
def test_a_share_that_is_none_is_told(flag, value, capsys):
    assert measure("model", flag, value) == 2
    assert f"{flag} is a share of the pictures, at least 0.5 and below 1" in capsys.readouterr().err


def test_another_model_is_compared_on_the_same_pictures(made, model, tmp_path, capsys):
    assert command(
        *("relabel", "--model_name_or_path", model, "--output_dir", tmp_path / "other"),
        *("--rename", "cat=dog!", "--rename", "dog=cat", "--rename", "dog!=dog"),
    ) in (0, 1)
    assert measure(made / "model", "--compare", model, "--output_dir", tmp_path / "report") == 0
    found = json.loads((tmp_path / "report" / "metrics.json").read_text())["comparison"]
    assert (found["won"], found["lost"], found["chance"], found["n"]) == (0, 0, 1.0, 18)
    assert found["low"] < 0 < found["high"]
    assert f"Against {model}" in capsys.readouterr().out


@pytest.fixture(scope="module")
def elsewhere(made, family_folders, tmp_path_factory):
    """Teaches the same network with as many of the test pictures of each class as wanted."""

    def taught(count):
        place = tmp_path_factory.mktemp("elsewhere")
        shutil.copytree(made / "photos" / "train", place / "photos")
        for kind in sorted((made / "photos" / "test").iterdir()):
            for path in sorted(kind.iterdir())[:count]:
                shutil.copy(path, place / "photos" / kind.name / f"again_{path.name}")
        words = ["--model_name_or_path", family_folders("transformers-resnet"), "--method", "head"]
        words += ["--train_dir", place / "photos", "--validation_dir", made / "photos/validation"]
        assert command("finetune", *words, "--output_dir", place / "model") == 0
        return place / "model"

    return taught


def test_pictures_that_one_of_two_models_has_learned_from_do_not_compare_them(
    made, elsewhere, tmp_path, capsys
):
    words = ["--compare", elsewhere(2), "--output_dir", tmp_path / "report"]
    assert measure(made / "model", *words) == 0
    found = json.loads((tmp_path / "report" / "metrics.json").read_text())["comparison"]
    assert (found["n"], found["learned"]) == (12, 6)
    said = " ".join(capsys.readouterr().out.split())
    assert "the same 12 pictures (6 others left out, from which one of them has learned)" in said


def test_where_one_model_has_learned_from_every_picture_there_is_no_comparison(
    made, elsewhere, tmp_path, capsys
):
    assert measure(made / "model", "--compare", elsewhere(6), "--output_dir", tmp_path / "r") == 1
    said = capsys.readouterr().err
    assert "has learned from each of these pictures" in said and "--test_dir" in said
    assert not (tmp_path / "r").exists()


def test_a_model_with_other_classes_is_not_compared(made, model, tmp_path, capsys):
    words = ["relabel", "--model_name_or_path", model, "--output_dir", tmp_path / "other"]
    assert main([*map(str, words), "--drop", "emu"]) == 0
    assert measure(made / "model", "--compare", tmp_path / "other") == 1
    said = capsys.readouterr().err
    assert (
        f"--compare {tmp_path / 'other'} is of other classes: the model has no class 'emu'" in said
    )
    assert "Measuring" not in said


@pytest.mark.parametrize("flag", ["--compare", "--outside"])
def test_what_is_not_there_is_told_before_the_long_work(made, tmp_path, flag, capsys):
    words = ["--calibrate", flag, tmp_path / "nothing"]
    assert measure(made / "model", *words) == 1
    said = capsys.readouterr().err
    assert "nothing" in said and "Measuring" not in said


def test_the_difference_counts_pictures_that_one_alone_has_right():
    from hf_resnet.evaluation.comparison import compared
    from hf_resnet.metrics import mcnemar
    from tests.test_evaluation_page import measured_of

    ours = measured_of([("a", "a")] * 6 + [("b", "a")] * 2 + [("b", "b")] * 2)
    theirs = measured_of([("a", "b")] * 5 + [("a", "a")] + [("b", "b")] * 2 + [("b", "a")] * 2)
    found = compared(ours, theirs, "other")
    assert (found.won, found.lost, found.n) == (7, 2, 10)
    assert (found.ours, found.theirs, found.chance) == (0.8, 0.3, mcnemar(2, 7))
    assert found.difference == pytest.approx(0.5)
    assert found.low < found.difference < found.high


def test_pictures_that_one_model_alone_could_use_are_left_out_of_the_comparison():
    from dataclasses import replace

    from hf_resnet.evaluation.comparison import compared
    from hf_resnet.evaluation.studies import Studies
    from hf_resnet.evaluation.told import told
    from tests.test_evaluation_page import measured_of

    ours = measured_of([("a", "a"), ("b", "a"), ("a", "a"), ("b", "b")])
    theirs = measured_of([("a", "b"), ("b", "b"), ("a", "a"), ("b", "b")])
    whole = compared(ours, theirs, "other")
    assert (whole.won, whole.lost, whole.n, whole.left_out) == (1, 1, 4, 0)
    ours = replace(ours, outcomes=ours.outcomes[1:])
    theirs = replace(theirs, outcomes=theirs.outcomes[:3])
    found = compared(ours, theirs, "other")
    assert (found.won, found.lost, found.n, found.left_out) == (0, 1, 2, 2)
    ((_, lines),) = told(Studies(comparison=found))
    assert "on the same 2 pictures (2 others only one of them could use)" in lines[0]


def table_of(folder, path, columns):
    """A CSV of the pictures with further columns."""
    lines = [f"file,label,{','.join(columns)}"]
    for number, picture in enumerate(sorted(folder.rglob("*.png"))):
        cells = [str(make(number)) for make in columns.values()]
        lines.append(f"{picture},{picture.parent.name},{','.join(cells)}")
    path.write_text("\n".join(lines))
    return path


def test_figures_by_a_column_of_the_data(made, tmp_path, capsys):
    sites = {"site": lambda number: ("north", "", "south")[number % 3]}
    file = table_of(made / "photos" / "test", tmp_path / "test.csv", sites)
    words = ["--test_file", file, "--by", "site", "--output_dir", tmp_path / "report"]
    assert measure(made / "model", *words) == 0
    content = json.loads((tmp_path / "report" / "metrics.json").read_text())
    found = {each["value"]: each["accuracy"] for each in content["by"]["groups"]}
    assert {name: each["n"] for name, each in found.items()} == {
        "(none)": 6,
        "north": 6,
        "south": 6,
    }
    right = sum(each["value"] * each["n"] for each in found.values())
    assert right == pytest.approx(content["figures"]["accuracy"]["value"] * 18)
    assert "By site" in capsys.readouterr().out


def test_a_split_cut_from_the_training_pictures_finds_its_column(made, tmp_path):
    kinds = {"class_again": lambda number: NAMES[number // 12]}
    fill(tmp_path / "new", 400, 12)
    file = table_of(tmp_path / "new", tmp_path / "train.csv", kinds)
    words = ["--train_file", file, "--label_column_name", "label", "--split", "validation"]
    words += ["--train_val_split", "0.4", "--by", "class_again", "--output_dir", tmp_path / "r"]
    assert measure(made / "model", *words) == 0
    content = json.loads((tmp_path / "r" / "metrics.json").read_text())
    recall = {each["name"]: each["recall"] for each in content["classes"]}
    groups = {each["value"]: each["accuracy"]["value"] for each in content["by"]["groups"]}
    assert groups == pytest.approx(recall)


def test_a_column_that_is_not_there_or_of_no_groups_is_told(made, tmp_path, capsys):
    many = {"site": lambda number: number % 2, "shot": lambda number: number}
    file = table_of(made / "photos" / "test", tmp_path / "test.csv", many)
    assert measure(made / "model", "--test_file", file, "--by", "sit") == 1
    assert "has no column 'sit' for --by; did you mean site?" in capsys.readouterr().err


def test_pictures_of_none_of_the_classes_are_told_apart(made, tmp_path, capsys):
    rng = np.random.default_rng(0)
    (tmp_path / "noise").mkdir()
    for number in range(15):
        pixels = rng.integers(0, 256, (40, 40, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "noise" / f"{number}.png")
    (tmp_path / "noise" / "broken.png").write_bytes(b"no picture")
    words = ["--outside", tmp_path / "noise", "--output_dir", tmp_path / "report"]
    assert measure(made / "model", *words) == 0
    found = json.loads((tmp_path / "report" / "metrics.json").read_text())["outside"]
    assert (found["outside"], found["inside"], found["left_out"]) == (15, 18, 1)
    for score in ("max_softmax", "energy"):
        assert 0 <= found[score]["low"] <= found[score]["value"] <= found[score]["high"] <= 1
    assert f"15 pictures of {tmp_path / 'noise'} (1 file could not be used)" in _in_one_line(capsys)


def test_the_same_pictures_inside_and_outside_are_a_guess(made, tmp_path):
    words = ["--outside", made / "photos" / "test", "--output_dir", tmp_path / "report"]
    assert measure(made / "model", *words) == 0
    found = json.loads((tmp_path / "report" / "metrics.json").read_text())["outside"]
    assert found["max_softmax"]["value"] == pytest.approx(0.5)
    assert found["energy"]["value"] == pytest.approx(0.5)


def test_robustness_is_measured_on_every_kind_and_strength(made, tmp_path, capsys):
    from hf_resnet.corruptions import CORRUPTIONS

    words = ["--robustness", "--robustness_samples", "3", "--output_dir", tmp_path / "report"]
    assert measure(made / "model", *words) == 0
    found = json.loads((tmp_path / "report" / "metrics.json").read_text())["robustness"]
    assert len(found["changed"]) == 3 * len(CORRUPTIONS)
    assert {each["accuracy"]["n"] for each in found["changed"]} == {found["clean"]["n"]} == {3}
    with Image.open(tmp_path / "report" / "robustness.png") as plot:
        assert min(plot.size) > 400
    out = capsys.readouterr().out
    assert "of the same 3 pictures are, unchanged" in out
    # a later report without it does not keep the old plot beside new figures
    assert measure(made / "model", "--output_dir", tmp_path / "report") == 0
    assert not (tmp_path / "report" / "robustness.png").exists()


def test_robustness_reads_no_other_pictures_again(made, tmp_path, monkeypatch):
    from hf_resnet.corruptions import CORRUPTIONS
    from hf_resnet.data.place import Place

    reads, read = [], Place.read
    monkeypatch.setattr(
        Place, "read", lambda place, cell: (reads.append(cell), read(place, cell))[1]
    )
    assert measure(made / "model", "--output_dir", tmp_path / "plain") == 0
    plain = len(reads)
    reads.clear()
    words = ["--robustness", "--robustness_samples", "3", "--output_dir", tmp_path / "report"]
    assert measure(made / "model", *words) == 0
    assert len(reads) - plain == 3 * 3 * len(CORRUPTIONS)


def test_the_report_of_finetune_tells_its_command_and_the_fingerprints(made):
    import re
    from html import unescape

    page = (made / "model" / "report" / "index.html").read_text()
    told = unescape(re.search("<code>(.*?)</code>", page)[1])
    assert told.startswith("hf-resnet finetune --model_name_or_path ")
    assert f"--output_dir {made / 'model'} " in told and f"--train_dir {made / 'photos'}" in told
    assert "--method head" in told and "--seed" not in told
    for name in ("fingerprint of the network", "fingerprint of the pictures", "made with"):
        assert name in page
    assert "precision fp32" in page


def test_the_command_on_the_page_makes_the_same_page_again(made, tmp_path, monkeypatch, capsys):
    import re
    import shlex
    from html import unescape

    words = ["--conformal", "0.8", "--max_eval_samples", "15", "--output_dir", tmp_path / "r"]
    shutil.copytree(made / "model", tmp_path / "m")
    assert measure(tmp_path / "m", *words) == 0
    page = (tmp_path / "r" / "index.html").read_text()
    told = shlex.split(unescape(re.search("<code>(.*?)</code>", page)[1]))
    assert told[:2] == ["hf-resnet", "measure"]
    assert main(told[1:]) == 0
    assert (tmp_path / "r" / "index.html").read_text() == page


@pytest.mark.slow
def test_two_processes_fit_and_find_the_same_as_one(model, made, tmp_path):
    from tests.test_evaluation import on_two_processes

    script = "import sys\nfrom hf_resnet.cli import main\nraise SystemExit(main(sys.argv[1:]))\n"
    words = ["--calibrate", "--abstain_precision", "0.6", "--conformal", "0.8", "--robustness"]
    words += ["--robustness_samples", "3", "--outside", made / "photos" / "train"]
    words += ["--compare", made / "model", "--precision", "fp32"]
    alone = shutil.copytree(model, tmp_path / "alone")
    assert measure(alone, *words[:-2]) == 0
    call = ["measure", "--model_name_or_path", model, *words]
    done = on_two_processes(script, tmp_path, *call)
    assert done.returncode == 0, done.stderr[-3000:]
    one, two = facts_of(alone)["results"], facts_of(Path(model))["results"]
    for name in ("calibration", "abstain", "conformal"):
        numbers = [
            {key: value for key, value in found[name].items() if isinstance(value, float)}
            for found in (one, two)
        ]
        assert numbers[0] == pytest.approx(numbers[1], abs=1e-3)
    assert one["robustness"] == two["robustness"]
    assert (one["comparison"]["won"], one["outside"]["outside"]) == (
        two["comparison"]["won"],
        two["outside"]["outside"],
    )
