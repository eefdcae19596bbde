"""Measuring: a real network on real pictures, by one process and by two."""

import dataclasses
import io
import json
import os
import subprocess
import sys

import datasets
import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from sklearn import metrics as sk
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from hf_resnet.classifier import open_classifier
from hf_resnet.config import ComputeConfig, DataConfig, HeadConfig, ModelConfig
from hf_resnet.data import load_data, pictures
from hf_resnet.engine import Engine
from hf_resnet.errors import DataError, LabelError, ModelError
from hf_resnet.evaluation import measure
from hf_resnet.evaluation.answers import made_ready
from hf_resnet.evaluation.label_space import model_numbers
from hf_resnet.evaluation.measured import mistakes
from hf_resnet.labels import Labels
from hf_resnet.progress import Pace

DIGITS = tuple("0123456789")
COMPUTE = ComputeConfig(precision="fp32", per_device_eval_batch_size=16)


def fill(folder, first, last, names=DIGITS):
    """Handwritten digits as PNG files, in a folder for each class."""
    digits = load_digits()
    for number in range(first, last):
        place = folder / names[digits.target[number]]
        place.mkdir(parents=True, exist_ok=True)
        grey = (digits.images[number] * 255 / 16).astype(np.uint8)
        Image.fromarray(grey).resize((32, 32)).save(place / f"{number}.png")


def split_of(folder):
    return load_data(DataConfig(test_dir=str(folder))).test


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
        yield


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """91 digits, and two files that are no pictures."""
    folder = tmp_path_factory.mktemp("photos")
    fill(folder, 300, 391)
    (folder / "3" / "0-broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing more")
    (folder / "7" / "note.jpg").write_text("not a picture")
    return folder


@pytest.fixture(scope="module")
def split(photos):
    return split_of(photos)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A network with random weights, and a head that learned from a few digits."""
    folder = tmp_path_factory.mktemp("learned")
    fill(folder, 0, 150)
    config = ModelConfig(model_name_or_path="timm:resnet10t", random_init=True)
    torch.manual_seed(0)
    fresh = open_classifier(config)
    preprocess = fresh.preprocess.with_changes(image_size=64)
    fresh = dataclasses.replace(fresh, preprocess=preprocess)
    paths = sorted(folder.rglob("*.png"))
    pixels_BCHW = np.stack([preprocess(Image.open(path).convert("RGB")) for path in paths])
    features_BD = Engine(fresh.network, COMPUTE).features(pixels_BCHW)
    mean_D, std_D = features_BD.mean(axis=0), features_BD.std(axis=0) + 1e-6
    fit = LogisticRegression(C=0.1, max_iter=2000)
    fit.fit((features_BD - mean_D) / std_D, [int(path.parent.name) for path in paths])
    weight_KD = fit.coef_ / std_D
    bias_K = fit.intercept_ - weight_KD @ mean_D
    head = torch.tensor(weight_KD).float(), torch.tensor(bias_K).float()
    return fresh.with_head(Labels(DIGITS), *head, fresh.facts)


@pytest.fixture(scope="module")
def measured(classifier, split):
    return measure(classifier, split, COMPUTE)


def assert_same_figures(one, other):
    """To the last digits, in which probabilities differ when other pictures stand beside one."""
    assert set(one.figures) == set(other.figures)
    for name, figure in one.figures.items():
        mine, theirs = dataclasses.astuple(figure), dataclasses.astuple(other.figures[name])
        assert mine[1:4] == pytest.approx(theirs[1:4], abs=1e-4)
        assert mine[4:] == theirs[4:]


def numbers_of(found):
    """All numbers of a JSON value, in order."""
    if isinstance(found, dict | list):
        inside = found.values() if isinstance(found, dict) else found
        return [number for each in inside for number in numbers_of(each)]
    return [found] if isinstance(found, int | float) else []


def with_classes(classifier, names, rows):
    """The classifier with these names, each with the row of the head given; None: never answered.

    A row that comes twice is a little likelier where it comes first.
    """
    network = classifier.network
    weight_KD = torch.stack([network.weight_KD[row or 0] for row in rows])
    bias_K = torch.stack(
        [torch.tensor(-1e3) if row is None else network.bias_K[row] for row in rows]
    )
    weight_KD[[row is None for row in rows]] = 0
    bias_K -= torch.arange(len(rows)) * 1e-4
    return classifier.with_head(Labels(names), weight_KD, bias_K, classifier.facts)


def test_every_usable_picture_is_answered_once_in_the_order_of_the_split(measured, split):
    usable = [row for row in split.rows() if row.origin.endswith("png")]
    usable = [row for row in usable if not row.origin.endswith("broken.png")]
    assert [outcome.key for outcome in measured.outcomes] == [row.key for row in usable]
    assert [outcome.origin for outcome in measured.outcomes] == [row.origin for row in usable]
    assert [outcome.truth for outcome in measured.outcomes] == [DIGITS[row.label] for row in usable]
    assert measured.n == 91


def test_files_that_are_no_pictures_are_listed_and_in_no_figure(measured):
    assert [bad.origin.split("/")[-1] for bad in measured.bad] == ["0-broken.png", "note.jpg"]
    assert all(bad.reason for bad in measured.bad)
    assert {figure.n for figure in measured.figures.values()} == {91}
    assert sum(each.pictures for each in measured.classes) == measured.matrix_KK.sum() == 91


def test_the_answers_are_those_of_the_classifier_itself(measured, classifier):
    for outcome in measured.outcomes[::10]:
        best = classifier(outcome.origin, top_k=1)[0]
        assert outcome.prediction == best.label
        assert outcome.probability == pytest.approx(best.probability, abs=1e-4)


def test_figures_equal_scikit_learn_on_the_outcomes(measured):
    truth = [outcome.truth for outcome in measured.outcomes]
    answers = [outcome.prediction for outcome in measured.outcomes]
    assert 0.3 < measured.figures["accuracy"].value < 1
    assert measured.figures["accuracy"].value == pytest.approx(sk.accuracy_score(truth, answers))
    macro = sk.f1_score(truth, answers, average="macro", zero_division=0)
    assert measured.figures["macro_f1"].value == pytest.approx(macro)
    expected = sk.confusion_matrix(truth, answers, labels=measured.names)
    np.testing.assert_array_equal(measured.matrix_KK, expected)
    table = sk.classification_report(truth, answers, output_dict=True, zero_division=0)
    for each in measured.classes:
        assert each.precision == pytest.approx(table[each.name]["precision"])
        assert each.recall == pytest.approx(table[each.name]["recall"])
        assert each.f1 == pytest.approx(table[each.name]["f1-score"])
        assert each.pictures == table[each.name]["support"]


def test_the_mistakes_are_counted_and_ordered(measured):
    wrong = [outcome for outcome in measured.outcomes if not outcome.right]
    first = measured.confused[0]
    pairs = [(outcome.truth, outcome.prediction) for outcome in wrong]
    assert first.count == pairs.count((first.truth, first.answer))
    assert first.count == max(pairs.count(pair) for pair in pairs)
    surest = [outcome.probability for outcome in mistakes(measured.outcomes)]
    assert surest == sorted((outcome.probability for outcome in wrong), reverse=True)


def test_top_5_is_there_only_with_more_than_five_classes(measured, classifier, tmp_path):
    assert measured.figures["top_5_accuracy"].value > measured.figures["accuracy"].value
    fill(tmp_path / "few", 300, 330)
    for digit in DIGITS[5:]:
        for path in (tmp_path / "few" / digit).iterdir():
            path.unlink()
        (tmp_path / "few" / digit).rmdir()
    few = with_classes(classifier, DIGITS[:5], range(5))
    found = measure(few, split_of(tmp_path / "few"), COMPUTE)
    assert {"accuracy", "macro_f1", "ece"} <= set(found.figures)
    assert "top_5_accuracy" not in found.figures


def test_classes_meet_by_name_and_not_by_index(measured, classifier, split):
    order = [7, 2, 9, 0, 1, 8, 3, 6, 5, 4]
    shuffled = with_classes(classifier, tuple(DIGITS[k] for k in order), order)
    again = measure(shuffled, split, COMPUTE)
    assert [(each.truth, each.prediction) for each in again.outcomes] == [
        (each.truth, each.prediction) for each in measured.outcomes
    ]
    values = {name: figure.value for name, figure in measured.figures.items()}
    found = {name: figure.value for name, figure in again.figures.items()}
    assert found == pytest.approx(values, abs=1e-4)
    assert again.names == tuple(DIGITS[k] for k in order)


def test_what_only_answers_is_measured_like_the_classifier_it_was_made_of(
    measured, classifier, split
):
    """As an export is, which has neither weights nor features."""
    ready = made_ready(classifier, COMPUTE)
    assert not hasattr(ready, "network")
    assert measure(ready, split, COMPUTE).to_json() == measured.to_json()


def test_a_model_may_have_more_classes_than_the_data_and_says_so(measured, classifier, split):
    names = ("zebra", *DIGITS, "9 lives")
    wider = with_classes(classifier, names, (None, *range(10), 9))
    found = measure(wider, split, COMPUTE)
    assert found.figures["macro_f1"] == measured.figures["macro_f1"]
    assert found.notes == (
        "the model has 2 classes that the data lacks; 0 pictures were answered with one of them",
    )
    assert found.names == DIGITS


def test_answers_outside_the_data_are_mistakes_but_no_classes_of_macro_f1(
    measured, classifier, split
):
    names = ("nine", *DIGITS)
    wider = with_classes(classifier, names, (9, *range(10)))
    found = measure(wider, split, COMPUTE)
    nines = next(each.answered for each in measured.classes if each.name == "9")
    assert nines > 0
    assert found.names == (*DIGITS, "nine")
    assert [each.name for each in found.classes] == list(DIGITS)
    assert found.matrix_KK[:, -1].sum() == nines
    assert f"{nines} pictures were answered" in found.notes[0]
    truth = [outcome.truth for outcome in found.outcomes]
    answers = [outcome.prediction for outcome in found.outcomes]
    among = sk.f1_score(truth, answers, labels=DIGITS, average="macro", zero_division=0)
    assert found.figures["macro_f1"].value == pytest.approx(among)


def test_a_class_without_pictures_is_noted_and_not_in_macro_f1(classifier, split, measured):
    names = (*DIGITS, "ghost")
    ghostly = dataclasses.replace(split, labels=Labels(names))
    found = measure(with_classes(classifier, names, (*range(10), None)), ghostly, COMPUTE)
    assert found.figures["macro_f1"] == measured.figures["macro_f1"]
    assert found.notes == ("without pictures here, and so not in macro F1: ghost",)
    assert found.classes[-1].pictures == 0


def test_a_class_that_the_model_lacks_is_an_error_that_says_what_to_type(classifier, split):
    names = ("zero", *DIGITS[1:])
    other = with_classes(classifier, names, range(10))
    with pytest.raises(LabelError) as caught:
        measure(other, split, COMPUTE)
    message = str(caught.value)
    assert "the model has no class '0'; the data has no 'zero'" in message
    assert "hf-resnet relabel --model_name_or_path MODEL --rename zero=0" in message
    assert "--add 0" in message
    assert "\n" not in message


def test_names_are_found_without_regard_to_case_and_by_their_parts():
    model = Labels(("tiger, Panthera tigris", "Dog", "cat"))
    found = model_numbers(Labels(("cat", "panthera tigris", "dog")), model)
    assert found.tolist() == [2, 0, 1]


def test_two_classes_of_the_data_that_are_one_of_the_model_are_refused():
    with pytest.raises(LabelError, match="'Cat' and 'cat' of the data are all 'CAT' of the model"):
        model_numbers(Labels(("Cat", "cat")), Labels(("CAT", "dog")))


def test_a_class_of_the_data_that_could_be_two_of_the_model_is_refused():
    with pytest.raises(LabelError, match="could be 'crane, bird' or 'crane, machine'"):
        model_numbers(Labels(("crane",)), Labels(("crane, bird", "crane, machine")))


def test_the_nearest_name_is_offered_for_a_class_that_is_missing():
    with pytest.raises(LabelError, match="did you mean zebra"):
        model_numbers(Labels(("zebre", "dog")), Labels(("zebra", "dog", "cat")))


def test_nothing_but_bad_pictures_is_an_error_with_the_first_reason(classifier, tmp_path):
    for name in "01":
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_text("no picture")
    with pytest.raises(DataError, match=r"none of the 2 pictures .* can be used; the first is .*x"):
        measure(classifier, split_of(tmp_path), COMPUTE)


def test_pictures_without_classes_are_an_error(classifier, photos):
    unlabelled = pictures([str(photos / "1")])
    with pytest.raises(DataError, match=r"has no class, .*--label_column_name"):
        measure(classifier, unlabelled, COMPUTE)


def test_a_network_with_broken_weights_is_an_error(classifier, split):
    head = torch.full_like(classifier.network.weight_KD, float("nan")), classifier.network.bias_K
    broken = classifier.with_head(classifier.labels, *head, classifier.facts)
    with pytest.raises(ModelError, match=r"not finite .*--precision fp32"):
        measure(broken, split, COMPUTE)


def test_the_batch_size_changes_nothing(measured, classifier, split):
    other = dataclasses.replace(COMPUTE, per_device_eval_batch_size=7, dataloader_num_workers=1)
    again = measure(classifier, split, other)
    assert_same_figures(again, measured)
    for one, two in zip(again.outcomes, measured.outcomes, strict=True):
        assert one.key == two.key
        assert one.probability == pytest.approx(two.probability, abs=1e-4)


def test_features_in_the_store_measure_the_same_and_no_picture_is_looked_at_again(
    measured, classifier, split, tmp_path, monkeypatch
):
    store = HeadConfig(views=3, feature_cache_dir=str(tmp_path))
    first = measure(classifier, split, COMPUTE, head=store)

    def looked(*_):
        raise AssertionError("a picture went through the network")

    monkeypatch.setattr(Engine, "features", looked)
    again = measure(classifier, split, COMPUTE, head=store)
    for found in (first, again):
        assert_same_figures(found, measured)
        assert found.bad == measured.bad
        for one, two in zip(found.outcomes, measured.outcomes, strict=True):
            assert (one.key, one.origin, one.truth) == (two.key, two.origin, two.truth)
            assert one.prediction == two.prediction
            assert one.probability == pytest.approx(two.probability, abs=1e-4)


def test_out_of_the_store_the_same_things_are_refused(classifier, photos, tmp_path):
    store = HeadConfig(feature_cache_dir=str(tmp_path / "store"))
    unlabelled = pictures([str(photos / "1")])
    with pytest.raises(DataError, match=r"has no class, .*--label_column_name"):
        measure(classifier, unlabelled, COMPUTE, head=store)
    for name in "01":
        (tmp_path / "none" / name).mkdir(parents=True)
        (tmp_path / "none" / name / "x.png").write_text("no picture")
    with pytest.raises(DataError, match=r"none of the 2 pictures .* can be used; the first is .*x"):
        measure(classifier, split_of(tmp_path / "none"), COMPUTE, head=store)


ON_SEVERAL = """
import json, os, sys
from accelerate import Accelerator
from hf_resnet.classifier import open_classifier
from hf_resnet.config import ComputeConfig, DataConfig
from hf_resnet.data import load_data
from hf_resnet.evaluation import measure
from hf_resnet.evaluation.answers import made_ready

model, folder, out = sys.argv[1:]
accelerator = Accelerator(cpu=True)
assert accelerator.num_processes == 2
split = load_data(DataConfig(test_dir=folder)).test
compute = ComputeConfig(precision="fp32", per_device_eval_batch_size=16)
measured = measure(open_classifier(model), split, compute, accelerator)
found = measured.to_json() | {
    "outcomes": [
        [each.key, each.origin, each.truth, each.prediction, each.probability]
        for each in measured.outcomes
    ]
}
with open(f"{out}-{accelerator.process_index}.json", "w") as file:
    json.dump(found, file)
accelerator.end_training()
os._exit(0)  # at once: what Python takes down on its way out may abort the threads of gloo
"""


def on_two_processes(script, tmp_path, *arguments):
    """Run the script in two processes that know of each other."""
    (tmp_path / "several.py").write_text(script)
    # on a machine without a GPU accelerate starts one process alone, whatever it is asked for,
    # unless it is told --multi_gpu; Accelerator(cpu=True) then makes them find each other
    launch = "accelerate.commands.accelerate_cli launch --multi_gpu --num_processes 2"
    command = [sys.executable, "-m", *launch.split(), "--main_process_port", "0"]
    return subprocess.run(
        [*command, str(tmp_path / "several.py"), *map(str, arguments)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "HF_DATASETS_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.slow
def test_two_processes_measure_the_same_as_one(classifier, measured, photos, tmp_path):
    classifier.save(tmp_path / "model")
    done = on_two_processes(ON_SEVERAL, tmp_path, tmp_path / "model", photos, tmp_path / "found")
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = (json.loads((tmp_path / f"found-{i}.json").read_text()) for i in range(2))
    assert first == second
    outcomes = first.pop("outcomes")
    one = json.loads(json.dumps(measured.to_json()))
    wrong, alone = (found.pop("wrong_answers") for found in (first, one))
    # two processes put other pictures together, which changes the last digits of a probability
    for inexact in ("figures", "reliability"):
        assert numbers_of(first.pop(inexact)) == pytest.approx(
            numbers_of(one.pop(inexact)), abs=1e-4
        )
    assert first == one
    assert {each["file"] for each in wrong} == {each["file"] for each in alone}
    assert len(outcomes) == measured.n
    for row, outcome in zip(outcomes, measured.outcomes, strict=True):
        assert row[:4] == [outcome.key, outcome.origin, outcome.truth, outcome.prediction]
        assert row[4] == pytest.approx(outcome.probability, abs=1e-4)
    assert done.stderr.count("Measuring on test:") == 1


ONE_FAILS = """
import os
import sys
from accelerate import Accelerator
from hf_resnet.classifier import open_classifier
from hf_resnet.config import ComputeConfig, DataConfig
from hf_resnet.data import load_data
from hf_resnet.engine import Engine
from hf_resnet.errors import ModelError
from hf_resnet.evaluation import measure
from hf_resnet.evaluation.answers import made_ready

model, folder, out = sys.argv[1:]
accelerator = Accelerator(cpu=True)
if accelerator.process_index == 1:
    whole = Engine.logits
    Engine.logits = lambda engine, pixels: whole(engine, pixels) * float("nan")
split = load_data(DataConfig(test_dir=folder)).test
try:
    measure(open_classifier(model), split, ComputeConfig(precision="fp32"), accelerator)
except ModelError as exc:
    with open(f"{out}-{accelerator.process_index}", "w") as file:
        file.write(str(exc))
accelerator.end_training()
os._exit(0)  # at once: what Python takes down on its way out may abort the threads of gloo
"""


@pytest.mark.slow
def test_what_fails_in_one_process_is_the_same_error_in_all(classifier, photos, tmp_path):
    classifier.save(tmp_path / "model")
    done = on_two_processes(ONE_FAILS, tmp_path, tmp_path / "model", photos, tmp_path / "error")
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = ((tmp_path / f"error-{i}").read_text() for i in range(2))
    assert first == second
    assert "not finite" in first and "\n" not in first


def test_a_plain_log_gets_a_line_now_and_then_and_one_at_the_end():
    times = iter([0, 4, 12, 12, 12, 30, 30, 30, 40])
    log = io.StringIO()
    with Pace("Measuring", 200, stream=log, clock=lambda: next(times)) as pace:
        for _ in range(3):
            pace.advance(50)
    assert log.getvalue().splitlines() == [
        "Measuring: 100 of 200 pictures (50%), 8.3 a second, about 12 s left",
        "Measuring: 150 of 200 pictures (75%), 5.0 a second, about 10 s left",
        "Measuring: 150 pictures in 40.0 s",
    ]


def test_a_stream_of_unknown_length_is_counted():
    times = iter([0, 20, 20, 20, 20])
    log = io.StringIO()
    with Pace("Measuring", None, stream=log, clock=lambda: next(times)) as pace:
        pace.advance(50)
    assert log.getvalue().startswith("Measuring: 50 pictures, 2.5 a second\n")


def test_a_terminal_gets_a_bar(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    log = io.StringIO()
    assert Console(file=log).is_terminal
    with Pace("Measuring", 200, stream=log) as pace:
        pace.advance(200)
    assert "200/200" in log.getvalue()


def test_processes_that_are_not_the_main_one_say_nothing(capfd):
    with Pace("Measuring", 10, shown=False) as pace:
        pace.advance(10)
    assert capfd.readouterr() == ("", "")


def test_an_error_on_the_way_ends_without_a_line_of_success():
    log = io.StringIO()
    with pytest.raises(DataError), Pace("Measuring", 10, stream=log):
        raise DataError("the disk is gone")
    assert log.getvalue() == ""
