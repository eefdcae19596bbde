"""The comparisons run from end to end, and what they print is what they measured."""

import json
import re
from dataclasses import replace

import pytest
from PIL import Image

from hf_resnet.bench import SUBJECTS, startup, subject
from hf_resnet.bench.shown import draw, number, table
from hf_resnet.bench.summary import Found, compared
from hf_resnet.bench.task import Outcome, Subject, Task, of_program
from hf_resnet.cli import main
from hf_resnet.errors import HfResnetError, ModelError

LEARNS = {"model": "scratch:resnet20-cifar", "dataset": "sample:digits", "image_size": 32}
LEARNS |= {"pictures": 40, "test_pictures": 20, "epochs": 1}
TINY = {"head": LEARNS, "network": LEARNS, "growth": {"pictures": 50}}
"""What makes a subject tiny; the others look at eight pictures with a tiny network."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where all subjects find what they prepared, so that exports are made once."""
    return str(tmp_path_factory.mktemp("prepared"))


@pytest.mark.slow
@pytest.mark.parametrize("name", SUBJECTS)
def test_every_side_of_a_subject_does_what_the_others_do(
    name, folder, family_folders, monkeypatch, tmp_path
):
    monkeypatch.setattr(startup, "TIMES", 1)
    monkeypatch.setenv("HF_RESNET_HEAP", "0")
    monkeypatch.setenv("HF_RESNET_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    known = subject(name)
    task = Task(model=str(family_folders("transformers-resnet")), image_size=32, pictures=8)
    task = replace(task, folder=folder)
    case, changes = next(iter(known.cases.items()))
    task = replace(task, **{**changes, **TINY.get(name, {})})
    problems = known.prepare(task) if known.prepare else {}
    assert problems == {}
    rounds = {}
    for side, work in known.sides.items():
        if (name, side) == ("predict", "eager timm"):
            problems[side] = "timm does not open it"
            with pytest.raises(ModelError, match="timm does not open"):
                work(task)
            continue
        rounds[side] = [work(task)]
        assert rounds[side][0].seconds > 0
    found = Found(known.title)
    found.add(case, known, rounds, problems)
    ours = [side for side in known.sides if side not in known.usual]
    assert {(row.side, row.against) for row in found.rows} == {
        (side, against) for side in ours for against in known.usual
    }
    for row in found.rows:
        assert (row.times_faster is None) == (row.against == "eager timm")
        assert row.same_answers in (None, 1.0)


def test_a_subject_is_run_measured_and_written(tmp_path, capsys):
    words = ["--rounds", "2", "--max_train_samples", "250", "--output_dir", str(tmp_path)]
    assert main(["benchmark", "--subject", "growth", *words]) == 0
    found = json.loads((tmp_path / "benchmark.json").read_text())["growth"]
    (row,) = found["rows"]
    mine, other = (found["rounds"][row["case"]][row[who]] for who in ("side", "against"))
    ratios = [b["seconds"] / a["seconds"] for a, b in zip(mine, other, strict=True)]
    assert row["times_faster"]["median"] == pytest.approx(sum(ratios) / 2)
    assert f"{number(row['times_faster']['median'])} (" in capsys.readouterr().out
    assert "| 250 pictures of 10 classes: ours |" in (tmp_path / "benchmark.md").read_text()
    with Image.open(tmp_path / "benchmark.png") as chart:
        assert chart.width > 500


def test_a_ratio_is_that_of_each_round_and_not_of_all():
    slow, fast = [Outcome(8.0, 1.0, 100), Outcome(80.0, 1.0, 100)], [Outcome(2.0, 3.0, 50)] * 2
    row = compared("", ("ours", "usual"), {"usual": slow, "ours": fast})
    assert (row.times_faster.median, row.times_faster.lowest, row.times_faster.highest) == (
        22,
        4,
        40,
    )
    assert (row.times_the_pace.median, row.share_of_memory.median) == (3.0, 0.5)


def test_answers_that_differ_are_counted():
    sides = {"usual": [Outcome(1, answers=("a", "b"))], "ours": [Outcome(1, answers=("a", "c"))]}
    assert compared("", ("ours", "usual"), sides).same_answers == 0.5


def two_cases(problem=None):
    """A subject whose second case takes ours twice as long, and the usual side ten times."""
    sides = {"usual": None, "ours": None}
    found = Found("Something")
    for case, usual, ours in (("small", 2.0, 1.0), ("large", 20.0, 2.0)):
        rounds = {"usual": [Outcome(usual)], "ours": [Outcome(ours)]}
        problems = {"ours": problem} if problem and case == "large" else {}
        found.add(case, Subject("Something", sides, usual=("usual",), grows=True), rounds, problems)
    return found


def test_growth_is_told_of_both_sides():
    assert [row.growth for row in two_cases().rows] == [(1, 1), (2, 10)]
    assert "takes 2.0 times as long as the smallest, the other 10.0 times" in table(
        {"x": two_cases()}
    )


def test_what_cannot_be_measured_says_why_in_its_row(tmp_path):
    found = {"x": two_cases("openvino is not installed")}
    assert "| large: ours | usual | not measured | | openvino is not installed |" in table(found)
    draw(found, tmp_path / "chart.png")
    assert (tmp_path / "chart.png").exists()


def test_a_missing_package_is_an_outcome_and_not_a_crash(tmp_path, capsys, monkeypatch):
    import sys

    from hf_resnet.bench import __main__ as side

    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    monkeypatch.setattr(
        sys, "argv", ["bench", "growth", "scikit-learn", '{"model": "", "pictures": 20}']
    )
    side.main()
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said == {"problem": "sklearn.linear_model is not installed"}


def test_a_program_that_fails_is_not_timed():
    with pytest.raises(HfResnetError, match=r"did not end well: .*no such thing"):
        of_program(["python3", "-c", "raise SystemExit('no such thing')"])


def test_photos_are_those_of_the_size_and_no_more_than_asked_for(tmp_path):
    from hf_resnet.bench.material import photos

    task = Task(model="", folder=str(tmp_path), pictures=9, photo=(64, 48))
    photos(task)
    assert len(task.photos()) == 9
    with Image.open(task.photos()[0]) as picture:
        assert picture.size == (64, 48)


@pytest.mark.parametrize(
    ("value", "wanted"), [(0.5, "0.50"), (1.234, "1.23"), (12.34, "12.3"), (1234.5, "1,234")]
)
def test_numbers_show_what_counts(value, wanted):
    assert number(value) == wanted


def test_the_device_is_held_against_its_own_peak(tmp_path, capsys):
    model = ("--model_name_or_path", LEARNS["model"])
    words = ["--per_device_train_batch_size", "8", "--output_dir", str(tmp_path)]
    assert main(["benchmark", "--subject", "device", *model, *words]) == 0
    found = json.loads((tmp_path / "benchmark.json").read_text())["device"]
    assert 0 < found["share_of_peak"] < 1
    # 8 pictures of 41 million multiply-adds, forwards and backwards
    per_picture = found["tera_operations"] / found["pictures_a_second"] * 1e12
    assert per_picture == pytest.approx(6 * 41e6, rel=0.05)
    assert re.search(r"[\d.]+ pictures a second, \d+ % of the", capsys.readouterr().out)
