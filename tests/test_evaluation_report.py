"""What a person sees of a measurement: the table, metrics.json and the two pictures."""

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import datasets
import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console

from hf_resnet.config import DataConfig
from hf_resnet.data import load_data
from hf_resnet.engine import BadPicture
from hf_resnet.errors import ConfigError
from hf_resnet.evaluation import (
    ClassFigures,
    Figure,
    Measured,
    Mistake,
    Outcome,
    table,
    write_report,
)
from hf_resnet.evaluation.confusion_plot import confusion_plot
from hf_resnet.evaluation.contact_sheet import CELL, RIGHT, WRONG, contact_sheet
from hf_resnet.fonts import cut, default_font, lettering, runs
from hf_resnet.metrics import confusion_matrix, most_confused, per_class_of
from tests.conftest import files_of_at_most

BURMESE = "ခွေး"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def split_of(folder, names, pictures=3, size=(40, 30)):
    rng = np.random.default_rng(0)
    for name in names:
        (folder / name).mkdir(parents=True)
        for number in range(pictures):
            pixels = rng.integers(0, 256, (size[1], size[0], 3), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return load_data(DataConfig(test_dir=str(folder))).test


def record(split, answers, bad=(), notes=()):
    """The Measured of a model that gave these answers, as class numbers."""
    names = split.labels.names
    rows = list(split.rows())
    truth = [row.label for row in rows]
    matrix_KK = confusion_matrix(truth, answers, len(names))
    each = per_class_of(matrix_KK)
    right = float(np.mean(np.array(truth) == np.array(answers)))
    columns = (each.support_K, each.answered_K, each.precision_K, each.recall_K, each.f1_K)
    figures = zip(names, *columns, strict=True)
    return Measured(
        split=split.name,
        names=names,
        figures={"accuracy": Figure("Accuracy", right, right / 2, min(1.0, right * 2), len(rows))},
        classes=tuple(
            ClassFigures(name, int(n), int(said), float(p), float(r), float(f))
            for name, n, said, p, r, f in figures
        ),
        confused=tuple(
            Mistake(names[pair.truth], names[pair.answer], pair.count, pair.share)
            for pair in most_confused(matrix_KK)
        ),
        bad=tuple(bad),
        outcomes=tuple(
            Outcome(row.key, row.origin, names[row.label], names[answer], 0.6)
            for row, answer in zip(rows, answers, strict=True)
        ),
        notes=tuple(notes),
        matrix_KK=matrix_KK,
    )


def shown(measured, width=80):
    console = Console(file=io.StringIO(), width=width)
    console.print(table(measured))
    return console.file.getvalue()


def row_of(text, start):
    """The row of the table that starts so, with single spaces."""
    return next(" ".join(line.split()) for line in text.splitlines() if line[2:].startswith(start))


def opened(png):
    return Image.open(io.BytesIO(png)).convert("RGB")


def share_of_colour(png, colour):
    pixels = np.asarray(opened(png)).reshape(-1, 3)
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return float((pixels == wanted).all(axis=1).mean())


@pytest.fixture
def few(tmp_path):
    """cat, dog and emu, three pictures each; one emu is taken for a cat and one for a dog."""
    split = split_of(tmp_path / "few", ("cat", "dog", "emu"))
    bad = [BadPicture("photos/x.jpg", "the file is cut off")]
    return split, record(split, [0, 0, 0, 1, 1, 1, 2, 0, 1], bad, ["a note"])


# The table


def test_a_figure_reads_with_its_interval_and_its_number_of_pictures():
    figure = Figure("Accuracy", 0.8731, 0.8412, 0.8999, 1500)
    assert str(figure) == "87.3 % (95 %: 84.1–90.0, n = 1,500)"


def test_the_table_has_the_figures_the_classes_the_mistakes_the_bad_files_and_the_notes(few):
    text = shown(few[1])
    assert "Measured on 9 pictures (test)" in text
    assert "Accuracy  77.8 % (95 %: 38.9–100.0, n = 9)" in text
    assert "emu taken for cat: once, 33 % of its pictures" in text
    assert "photos/x.jpg: the file is cut off" in text
    assert "Note: a note" in text


def test_the_worst_classes_come_first(few):
    split, _ = few
    text = shown(record(split, [0, 0, 0, 1, 1, 2, 1, 0, 1]))
    assert text.index("\n  emu") < text.index("\n  dog") < text.index("\n  cat")
    assert row_of(text, "emu") == "emu 0.0 % 0.0 % 0.0 % 3"
    assert row_of(text, "cat") == "cat 85.7 % 75.0 % 100.0 % 3"


def test_a_figure_that_would_divide_by_zero_is_a_dash(few):
    split, _ = few
    text = shown(record(split, [0] * 9))
    assert row_of(text, "dog") == "dog 0.0 % – 0.0 % 3"


def test_many_classes_are_cut_with_a_line_that_says_how_many_more(tmp_path):
    names = [f"class {number}" for number in range(30)]
    split = split_of(tmp_path / "many", names, pictures=1)
    text = shown(record(split, list(range(30))))
    assert "… and 10 more classes, each with an F1 of 100.0 %\n" in text
    assert text.count("\n  class ") == 20


@pytest.mark.parametrize("width", [60, 80])
def test_long_names_push_no_figure_off_a_narrow_screen(tmp_path, width):
    names = ["a name that somebody typed " * 5, "dog"]
    split = split_of(tmp_path / "long", names)
    text = shown(record(split, [0, 0, 1, 1, 1, 0]), width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert row_of(text, "a name").endswith("66.7 % 66.7 % 66.7 % 3")


def test_class_names_are_text_and_not_markup(tmp_path):
    split = split_of(tmp_path / "odd", ["[bold]x", "[link=y]"])
    bad = [BadPicture("[red]a.jpg", "the [bold]end[ is missing")]
    text = shown(record(split, [0, 1, 0, 1, 1, 1], bad, ["[i]note"]))
    assert row_of(text, "[bold]x").startswith("[bold]x 80.0 %")
    assert "[bold]x taken for [link=y]: once" in text
    assert "[red]a.jpg: the [bold]end[ is missing" in text
    assert "Note: [i]note" in text


# metrics.json


def test_metrics_json_holds_what_to_json_gives(few, tmp_path):
    split, measured = few
    write_report(measured, split, tmp_path / "report")
    text = (tmp_path / "report" / "metrics.json").read_text(encoding="utf-8")
    assert json.loads(text) == measured.to_json()
    assert max(map(len, text.splitlines())) < 250


def test_a_full_disk_is_one_line_and_leaves_the_earlier_report_whole(few, tmp_path):
    split, measured = few
    report = tmp_path / "report"
    write_report(measured, split, report)
    before = {path.name: path.read_bytes() for path in report.iterdir()}
    other = record(split, [0] * 9)
    with files_of_at_most(5000), pytest.raises(ConfigError) as caught:
        write_report(other, split, report)
    assert {path.name: path.read_bytes() for path in report.iterdir()} == before
    assert "MB are needed" in str(caught.value) and "--output_dir" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_report_where_a_file_lies_is_one_line(few, tmp_path):
    split, measured = few
    (tmp_path / "file").write_text("mine")
    for place in ("file", "file/report"):
        with pytest.raises(
            ConfigError,
            match=r"the report in .* cannot be written: a file lies in its way; name another",
        ):
            write_report(measured, split, tmp_path / place)
    assert (tmp_path / "file").read_text() == "mine"


def test_the_keys_of_metrics_json_are_stable(few):
    content = few[1].to_json()
    assert {key: type(value).__name__ for key, value in content.items()} == {
        "schema": "int",
        "split": "str",
        "n": "int",
        "interval_level": "float",
        "figures": "dict",
        "classes": "list",
        "most_confused": "list",
        "confusion": "dict",
        "wrong_answers": "list",
        "reliability": "list",
        "bad_pictures": "list",
        "notes": "list",
    }
    assert content["schema"] == 4
    assert set(content["figures"]["accuracy"]) == {"title", "value", "low", "high", "n", "is_share"}
    assert set(content["classes"][0]) == {
        "name",
        "pictures",
        "answered",
        "precision",
        "recall",
        "f1",
        *(f"{name}_{end}" for name in ("precision", "recall") for end in ("low", "high")),
    }
    assert set(content["most_confused"][0]) == {"truth", "answer", "count", "share"}
    assert content["confusion"] == {
        "names": ["cat", "dog", "emu"],
        "counts": [[3, 0, 0], [0, 3, 0], [1, 1, 1]],
    }
    assert content["bad_pictures"] == [{"origin": "photos/x.jpg", "reason": "the file is cut off"}]


def test_every_class_has_its_intervals_in_the_file_and_on_the_page(tmp_path):
    from hf_resnet.evaluation.answers import Answers
    from hf_resnet.evaluation.measure import measured as measured_of
    from hf_resnet.evaluation.page import About, page
    from hf_resnet.labels import Labels
    from hf_resnet.metrics.intervals import wilson

    truth_N = np.array([0, 0, 0, 0, 1, 1])
    logits_NK = np.eye(3)[[0, 0, 0, 1, 1, 1]]
    names = tuple(f"k{number}" for number in range(6))
    found = Answers(names, names, truth_N, logits_NK, (), np.arange(6))
    measured = measured_of(found, np.arange(3), Labels(("cat", "dog", "emu")), "test")
    cat, dog, emu = measured.to_json()["classes"]
    assert (cat["recall_low"], cat["recall_high"]) == pytest.approx(
        (wilson(3, 4).low, wilson(3, 4).high)
    )
    assert (dog["precision_low"], dog["precision_high"]) == pytest.approx(
        (wilson(2, 3).low, wilson(2, 3).high)
    )
    assert emu["precision_low"] is emu["recall_high"] is None, "there is nothing to be sure of"
    shown = page(measured, About("m"), {}, []).decode()
    low, high = (f"{100 * each:.0f}" for each in (cat["recall_low"], cat["recall_high"]))
    assert f"75.0 % <span class=small>{low}–{high}</span>" in shown


def test_metrics_json_names_the_files_of_wrong_answers_the_surest_first(few, tmp_path):
    _, measured = few
    surer = Outcome("k", str(tmp_path / "few" / "emu" / "2.png"), "emu", "dog", 0.9)
    measured = replace(measured, outcomes=(*measured.outcomes[:-1], surer))
    few_keys = [each.key for each in measured.outcomes if not each.right]
    assert measured.to_json()["wrong_answers"] == [
        {
            "key": "k",
            "file": surer.origin,
            "label": "emu",
            "predicted": "dog",
            "probability": 0.9,
        },
        {
            "key": few_keys[0],
            "file": str(tmp_path / "few" / "emu" / "1.png"),
            "label": "emu",
            "predicted": "cat",
            "probability": 0.6,
        },
    ]


def test_metrics_json_stays_small_however_much_was_wrong(few):
    _, measured = few
    wrong = measured.outcomes[-1]
    many = tuple(f"class {number}" for number in range(3000))
    large = replace(
        measured, outcomes=(wrong,) * 5000, names=many, matrix_KK=np.zeros((3000, 3000))
    )
    assert len(large.to_json()["wrong_answers"]) == 200
    assert large.to_json()["confusion"] == {"names": list(many), "counts": None}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_the_layout_of_the_json_changes_nothing_in_it(value):
    from hf_resnet.evaluation.report import as_text

    assert json.loads(as_text({"a": value, "b": 1})) == {"a": value, "b": 1}


# The contact sheet


def test_the_sheet_shows_right_and_wrong_answers_with_different_frames(few):
    split, measured = few
    letters = lettering(measured.names)
    mixed = contact_sheet(measured, split, letters)
    assert share_of_colour(mixed, WRONG) > 0.005
    assert share_of_colour(mixed, RIGHT) > 0.005
    all_right = contact_sheet(record(split, [0, 0, 0, 1, 1, 1, 2, 2, 2]), split, letters)
    assert share_of_colour(all_right, WRONG) == 0
    all_wrong = contact_sheet(record(split, [1, 1, 1, 2, 2, 2, 0, 0, 0]), split, letters)
    assert share_of_colour(all_wrong, RIGHT) == 0


@pytest.mark.parametrize(
    "name", ["1.png", "sub/" + "long " * 40 + ".png", "\U00010600.png", "a\nb"]
)
def test_the_sheet_says_which_file_was_answered_wrongly(few, name):
    """Another file name is another picture, for wrong answers alone, and any name can be drawn."""
    split, measured = few
    letters = lettering(measured.names)

    def sheet(*changed):
        outcomes = [
            replace(each, origin=name) if number in changed else each
            for number, each in enumerate(measured.outcomes)
        ]
        return contact_sheet(replace(measured, outcomes=tuple(outcomes)), split, letters)

    assert sheet(0) == sheet()
    assert sheet(7) != sheet()
    assert opened(sheet(7)).size == opened(sheet()).size


def test_a_wrong_answer_is_seen_without_colour(few):
    """Its frame is heavier: more of the edge of its cell is dark."""
    split, measured = few
    sheet = np.asarray(opened(contact_sheet(measured, split, lettering(measured.names))))
    wrong = (sheet == [0xD5, 0x5E, 0]).all(axis=2).sum() / 2  # two pictures
    right = (sheet == [0, 0x9E, 0x73]).all(axis=2).sum() / 7
    assert wrong > 2 * right


def test_the_sheet_holds_no_more_than_it_is_told(tmp_path):
    split = split_of(tmp_path / "some", ["a", "b"], pictures=20)
    measured = record(split, [0] * 40)
    letters = lettering(measured.names)
    small, large = (contact_sheet(measured, split, letters, most=most) for most in (2, 12))
    assert opened(small).height < 3 * 1.5 * CELL  # a row of each, and the words
    assert opened(large).height < 5 * 1.5 * CELL
    assert opened(large).width < 6 * 1.2 * CELL


def test_thumbnails_come_through_the_same_door_as_all_pictures(tmp_path):
    """A photo that lies on its side in the file stands upright on the sheet, alpha is white."""
    (tmp_path / "p" / "a").mkdir(parents=True)
    (tmp_path / "p" / "b").mkdir()
    sideways = Image.new("RGB", (300, 200), "red")
    sideways.paste("blue", (0, 0, 150, 200))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to see it
    sideways.save(tmp_path / "p" / "a" / "0.jpg", exif=exif, quality=100, subsampling=0)
    Image.new("RGBA", (8, 8), (0, 255, 0, 0)).save(tmp_path / "p" / "b" / "0.png")
    split = load_data(DataConfig(test_dir=str(tmp_path / "p"))).test
    sheet = np.asarray(
        opened(contact_sheet(record(split, [1, 1]), split, lettering(split.labels.names)))
    ).astype(int)
    red = np.argwhere((sheet[..., 0] > 240) & (sheet[..., 1:].max(axis=2) < 20))
    blue = np.argwhere((sheet[..., 2] > 240) & (sheet[..., :2].max(axis=2) < 20))
    assert blue[:, 0].max() < red[:, 0].min() + 3  # above, and not beside
    assert not ((sheet[..., 1] > 240) & (sheet[..., 0] < 20)).any()


def test_small_pictures_are_enlarged_by_whole_pixels(tmp_path):
    (tmp_path / "p" / "a").mkdir(parents=True)
    (tmp_path / "p" / "b").mkdir()
    board = (np.indices((32, 32)).sum(axis=0) % 2 * 255).astype(np.uint8)
    Image.fromarray(board).save(tmp_path / "p" / "a" / "0.png")
    Image.fromarray(255 - board).save(tmp_path / "p" / "b" / "0.png")
    split = load_data(DataConfig(test_dir=str(tmp_path / "p"))).test
    png = contact_sheet(record(split, [0, 0]), split, lettering(split.labels.names))
    pixels = np.asarray(opened(png))
    black = (pixels == 0).all(axis=2).sum()
    assert black >= 2 * 0.5 * (6 * 32) ** 2 * 0.9  # half of each board, and no grey between


def test_a_file_that_has_gone_meanwhile_leaves_an_empty_cell(few, tmp_path):
    split, measured = few
    whole = contact_sheet(measured, split, lettering(measured.names))
    (tmp_path / "few" / "emu" / "1.png").unlink()
    holed = contact_sheet(measured, split, lettering(measured.names))
    assert opened(holed).size == opened(whole).size
    assert holed != whole


def test_equal_pictures_share_a_thumbnail(few, tmp_path):
    split, _ = few
    for name in ("cat", "dog"):
        Image.new("RGB", (9, 9), "red").save(tmp_path / "few" / name / "9.png")
    split = load_data(DataConfig(test_dir=str(tmp_path / "few"))).test
    measured = record(split, [0] * 11)
    png = contact_sheet(measured, split, lettering(measured.names))
    assert share_of_colour(png, "#ff0000") > 2 * 0.9 * (21 * 9) ** 2 / np.prod(opened(png).size)


# Confusion


@pytest.mark.parametrize("classes", [2, 10, 100, 130])
def test_the_confusion_picture_is_drawn_for_few_and_for_many_classes(tmp_path, classes):
    names = [f"a rather long class name, number {number}" for number in range(classes)]
    split = split_of(tmp_path / "p", names, pictures=1, size=(4, 4))
    measured = record(split, [(number + number % 2) % classes for number in range(classes)])
    picture = opened(confusion_plot(measured, lettering(names)))
    assert min(picture.size) > 300
    assert max(picture.size) < 2600
    pixels = np.asarray(picture).astype(int)
    assert (pixels[..., 2] - pixels[..., 0] > 100).any()  # blue: right
    assert (pixels[..., 0] - pixels[..., 2] > 100).any()  # orange: wrong


def test_classes_without_pictures_have_a_column_but_no_row(few):
    measured = few[1]
    widened_KK = np.pad(measured.matrix_KK, (0, 6))
    widened_KK[0, 3:] = 1
    names = (*measured.names, *"abcdef")
    wide = Measured(**{**vars(measured), "names": names, "matrix_KK": widened_KK})
    picture = opened(confusion_plot(wide, lettering(names)))
    assert picture.width > 1.5 * picture.height


def test_names_are_never_read_as_formulas(tmp_path):
    names = ["$5 note$", r"$\frac{$"]
    split = split_of(tmp_path / "p", ["a", "b"])
    measured = record(split, [0, 0, 1, 1, 1, 0])
    odd = Measured(**{**vars(measured), "names": tuple(names)})
    assert opened(confusion_plot(odd, lettering(names))).width > 300


# Letters


def test_latin_greek_and_cyrillic_names_need_no_font_of_the_system():
    letters = lettering(["cat", "Ελλάδα", "кот", "naïve café"])
    assert letters.problem is None
    assert set(letters.fonts.values()) == {(default_font(),)}


def test_a_script_that_no_font_has_is_written_as_a_number_and_said():
    linear_a = "\U00010600\U00010601"
    letters = lettering(["cat", linear_a])
    assert letters.text == {"cat": "cat", linear_a: "class 1"}
    assert linear_a in letters.problem
    assert "fonts-noto-core" in letters.problem


def test_a_report_of_such_names_is_drawn_all_the_same(tmp_path):
    split = split_of(tmp_path / "p", ["cat", "\U00010600"])
    measured = record(split, [0, 0, 1, 1, 1, 0])
    said = write_report(measured, split, tmp_path / "report")
    assert len(said) == 1
    assert "class" in said[0]
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == [
        "confusion.png",
        "contact_sheet.png",
        "index.html",
        "metrics.json",
    ]


def made_font(path, text):
    """A font that has a box for each letter of the text, and nothing else."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 700), (500, 700), (500, 0)):
        pen.lineTo(corner)
    pen.closePath()
    box = pen.glyph()
    letters = {ord(letter): f"u{ord(letter):x}" for letter in text}
    order = [".notdef", *letters.values()]
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder(order)
    font.setupCharacterMap(letters)
    font.setupGlyf(dict.fromkeys(order, box))
    font.setupHorizontalMetrics(dict.fromkeys(order, (600, 0)))
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": "Boxes", "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    path.parent.mkdir(parents=True)
    font.save(path)


WITH_A_FONT = """
import pathlib, sys
from tests.test_evaluation_report import BURMESE, record, split_of
from hf_resnet.evaluation import write_report
from hf_resnet.fonts import lettering, runs

names = ["cat", BURMESE, f"{BURMESE} (dog)"]
letters = lettering(names)
assert letters.problem is None, letters.problem
assert letters.text[names[2]] == names[2]
pieces = runs(names[2], letters.fonts[names[2]])
assert [text for text, font in pieces] == [f"{BURMESE} ", "(dog)"], pieces
assert [pathlib.Path(font).stem for text, font in pieces] == ["Boxes", "DejaVuSans"]
folder = pathlib.Path(sys.argv[1])
split = split_of(folder / "photos", names)
assert write_report(record(split, [0, 1, 2] * 3), split, folder / "report") == ()
assert "matplotlib.pyplot" not in sys.modules
"""


def test_other_scripts_take_a_font_of_the_system_even_mixed_with_latin(tmp_path):
    made_font(tmp_path / "share" / "fonts" / "Boxes.ttf", f"{BURMESE} ")
    places = {
        "XDG_DATA_HOME": str(tmp_path / "share"),
        "PYTHONPATH": str(Path(__file__).parent.parent),
        "HF_DATASETS_CACHE": str(tmp_path / "cache"),
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITH_A_FONT, str(tmp_path)],
        env=os.environ | places,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@given(st.text(max_size=40), st.integers(1, 40))
def test_a_cut_name_is_no_longer_than_asked_and_keeps_its_start(text, length):
    short = cut(text, length)
    assert len(short) <= max(length, 1)
    if len(text) <= length:
        assert short == text
    else:
        assert "…" in short
        assert text.startswith(short.split("…")[0])


def test_a_cut_name_keeps_what_tells_it_from_its_neighbours():
    assert cut("class number 12", 12) == "class nu…12"


@given(st.text(max_size=30))
def test_runs_are_the_text_in_pieces(text):
    pieces = runs(text, (default_font(),))
    assert "".join(piece for piece, _ in pieces) == text
