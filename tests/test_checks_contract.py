"""Every check of the dictionary: what it must find, and what must not upset it."""

import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hf_resnet.checks.all_checks import CHECKS
from hf_resnet.checks.finding import told
from hf_resnet.checks.seen import Seen
from hf_resnet.checks.survey import Survey, survey
from hf_resnet.config import DataConfig
from hf_resnet.data import load_data
from tests.conftest import photo, png

CLASSES = ("cat", "dog", "emu")


class Rows:
    """Features that are held in memory."""

    def __init__(self, features_ND):
        self.features_ND = features_ND.astype(np.float32)
        self.shape = (len(features_ND), 1, features_ND.shape[1])

    def read(self, start, stop):
        return self.features_ND[start:stop, None].copy()


def jpeg(picture, quality=80):
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


def fill(folder: Path, train=12, test=0) -> Path:
    """Pictures that are all different, and nothing wrong with them."""
    seed = 0
    for split, count in (("train", train), ("test", test)):
        for name in CLASSES:
            for number in range(count):
                path = folder / split / name / f"{number:02}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(png(photo(seed)))
                seed += 1
    return folder


def looked(folder: Path, features=None) -> Survey:
    """The survey of a folder; features that set the classes apart, changed by `features`."""
    config = DataConfig(train_dir=str(folder))
    found = survey(load_data(config, make_validation=False, every_class=False), workers=1)
    random = np.random.default_rng(0)
    centre_KD = random.normal(size=(len(found.labels), 64)) * 2
    features_ND = centre_KD[found.label_N] + random.normal(size=(len(found), 64))
    if features:
        features(found, features_ND)
    good_M = found.good_M
    if not len(good_M):
        return found
    return replace(found, seen=Seen(good_M, Rows(features_ND[good_M])))


def at(found: Survey, end: str) -> int:
    (number,) = [i for i, origin in enumerate(found.origins) if origin.endswith(end)]
    return number


def with_file(name, data):
    def plant(folder):
        path = fill(folder) / "train" / name
        path.write_bytes(data)
        return looked(folder)

    return plant


def leak(folder):
    picture = fill(folder, test=12) / "test" / "cat" / "copy.jpg"
    picture.write_bytes(jpeg(photo(0)))
    return looked(folder)


def few(folder):
    fill(folder)
    for number in range(9):
        (folder / "train" / "emu" / f"{number:02}.png").unlink()
    return looked(folder)


def wrong_label(folder):
    fill(folder, train=20)

    def swap(found, features_ND):
        features_ND[at(found, "cat/05.png")] = features_ND[at(found, "dog/05.png")] + 0.5

    return looked(folder, swap)


def next_of_a_film(folder):
    def near(found, features_ND):
        features_ND[at(found, "cat/05.png")] = features_ND[at(found, "cat/06.png")] * 1.01

    return looked(fill(folder), near)


def stranger(folder):
    def far(found, features_ND):
        features_ND[at(found, "cat/05.png")] = np.random.default_rng(7).normal(size=64) * 30

    return looked(fill(folder, train=30), far)


def other_camera(folder):
    def shifted(found, features_ND):
        features_ND[found.split_N == 1] += np.random.default_rng(8).normal(size=64) * 3

    return looked(fill(folder, train=15, test=15), shifted)


def nameless(folder):
    lines = [f"{path},{path.parent.name}" for path in sorted(fill(folder).rglob("*.png"))]
    lines[3] = f"{folder}/train/cat/03.png,"
    table = folder / "list.csv"
    table.write_text("\n".join(["image,label", *lines]) + "\n")
    config = DataConfig(train_file=str(table))
    return survey(load_data(config, make_validation=False, every_class=False), workers=1)


def misspelt(folder):
    """Two pictures of dgo, where dog has a few dozen."""
    fill(folder, train=15)
    slip = folder / "train" / "dgo"
    slip.mkdir()
    for number in range(2):
        (slip / f"{number}.png").write_bytes(png(photo(900 + number)))
    return looked(folder)


PLANTED = {
    "unreadable": (with_file("cat/cut.png", png(photo(1))[:500]), "cat/cut.png"),
    "unlabelled": (nameless, "train/cat/03.png"),
    "leaks": (leak, "train/cat/00.png"),
    "contradictions": (with_file("dog/copy.jpg", jpeg(photo(1))), "train/cat/01.png"),
    "duplicates": (
        with_file("cat/small.png", png(photo(1).resize((64, 48)))),
        "train/cat/small.png",
    ),
    "suspicious_labels": (wrong_label, "cat/05.png"),
    "similar_names": (misspelt, "dgo"),
    "class_counts": (few, "emu"),
    "look_alikes": (next_of_a_film, "cat/05.png"),
    "outliers": (stranger, "cat/05.png"),
    "shift": (other_camera, "test"),
    "odd_shapes": (with_file("cat/strip.png", png(photo(99, (600, 40)))), "cat/strip.png"),
    "odd_modes": (with_file("cat/grey.png", png(photo(99).convert("L"))), "cat/grey.png"),
}
"""For each check a folder with one thing wrong in it, and the file, class or split that it names."""


def test_every_check_has_something_planted_for_it():
    assert set(PLANTED) == set(CHECKS)


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_finds_what_is_planted_and_puts_it_first(name, tmp_path):
    plant, where = PLANTED[name]
    found = plant(tmp_path)
    findings = [told(name, each, found) for each in CHECKS[name].find(found)]
    assert findings
    first = findings[0]
    assert (first["file"] or first["class"] or first["split"]).endswith(where)


@pytest.mark.parametrize("name", CHECKS)
def test_a_finding_says_where_why_and_how_sure(name, tmp_path):
    found = PLANTED[name][0](tmp_path)
    findings = CHECKS[name].find(found)
    for each in findings:
        line = told(name, each, found)
        assert line["reason"] and "\n" not in line["reason"] and line["check"] == name
        assert math.isfinite(line["score"])
        known = (None,) if name == "unlabelled" else CLASSES
        assert line["file"] is None or (line["class"] in known and line["row"] >= 0)
        assert line["split"] in found.splits
    scores = [each.score for each in findings]
    assert scores == sorted(scores, reverse=True)
    assert findings == CHECKS[name].find(found)


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_finds_nothing_where_nothing_is_wrong(name, tmp_path):
    assert not CHECKS[name].find(looked(fill(tmp_path, train=14, test=12)))


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_stands_pictures_that_are_none_few_or_all_the_same(name, tmp_path):
    for kind, data in (("none", b""), ("few", png(photo(0))), ("same", png(photo(0)))):
        folder = tmp_path / kind / "train"
        for name_of_class in CLASSES[:2]:
            for number in range(30 if kind == "same" else 1):
                path = folder / name_of_class / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
        found = looked(folder.parent)
        for each in CHECKS[name].find(found):
            assert math.isfinite(each.score), kind


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_says_what_to_do_and_what_its_score_means(name):
    check = CHECKS[name]
    assert check.title and check.advice and check.score
    assert not check.advice.endswith(".")


def test_what_is_wrong_for_sure_is_serious_and_what_is_a_guess_is_not(tmp_path):
    serious = {
        name
        for name, (plant, _) in PLANTED.items()
        if any(each.serious for each in CHECKS[name].find(plant(tmp_path / name)))
    }
    assert serious == {"unreadable", "leaks", "contradictions"}


def test_what_has_no_class_is_not_said_to_be_unreadable(tmp_path):
    found = nameless(tmp_path)
    assert not CHECKS["unreadable"].find(found)
    assert [each.reason for each in CHECKS["unlabelled"].find(found)] == ["it has no label"]


def test_how_far_splits_differ_is_computed_once_for_all_that_tell_of_it(tmp_path, monkeypatch):
    from hf_resnet.checks import shift
    from hf_resnet.checks.report import as_text, checked, table

    asked, score = [], shift.score
    monkeypatch.setattr(shift, "score", lambda *given: (asked.append(given), score(*given))[1])
    report = checked("pets", "m", looked(fill(tmp_path, train=14, test=12)), None)
    table(report)
    assert b'"auroc"' in as_text(report)
    assert len(asked) == 1


def test_where_all_pictures_of_a_class_are_near_each_other_none_is_a_look_alike(tmp_path):
    def nearer(found, features_ND):
        for label in range(3):
            mine = found.label_N == label
            features_ND[mine] = features_ND[mine].mean(0) + features_ND[mine] / 20

    found = looked(fill(tmp_path), nearer)
    assert np.median(found.seen.nearest[1][:, 0]) < 0.05
    assert not CHECKS["look_alikes"].find(found)


def test_an_even_picture_is_an_odd_shape(tmp_path):
    found = with_file("cat/lens cap.png", png(Image.new("RGB", (96, 72), (3, 3, 3))))(tmp_path)
    (finding,) = CHECKS["odd_shapes"].find(found)
    assert "single colour" in finding.reason
