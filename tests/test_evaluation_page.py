"""report/index.html: self-contained, safe with any name, readable in a real browser."""

import base64
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hf_resnet.engine import BadPicture
from hf_resnet.evaluation.figure import Figure
from hf_resnet.evaluation.measured import ClassFigures, Measured, Mistake, Outcome
from hf_resnet.evaluation.page import About, page
from hf_resnet.evaluation.studies import Comparison, Group, Groups, Studies
from hf_resnet.evaluation.worst import Seen
from tests.conftest import photo

HOSTILE = '<script>document.title="caught"</script>"><img src=x onerror=alert(1)>\u202e\x1b[2J'
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def measured_of(pairs, names=("a", "b")):
    """The Measured of answers given as (truth, answer)."""
    outcomes = tuple(
        Outcome(f"key{at}", f"{truth}/{at}.png", truth, answer, 0.9 - at / 1000)
        for at, (truth, answer) in enumerate(pairs)
    )
    right = sum(each.right for each in outcomes)
    return Measured(
        split="test",
        names=tuple(names),
        figures={
            "accuracy": Figure.of_share("Accuracy", right, len(outcomes)),
            "log_loss": Figure("Log loss", 1.234, 1.1, 1.4, len(outcomes), is_share=False),
        },
        classes=tuple(ClassFigures(name, 3, 0, 0.0, 0.5, 0.4) for name in names),
        confused=(Mistake(names[0], names[1], 2, 0.25),),
        bad=(),
        outcomes=outcomes,
        notes=(),
        matrix_KK=np.zeros((len(names), len(names)), np.int64),
    )


def hostile_page():
    measured = measured_of([(HOSTILE, "b"), ("b", HOSTILE)], names=(HOSTILE, "b"))
    studies = Studies(
        comparison=Comparison(HOSTILE, 0.5, 0.4, -0.1, 0.3, 2, 1, 0.9, 10),
        by=Groups(HOSTILE, (Group(HOSTILE, Figure.of_share("Accuracy", 1, 2)),)),
    )
    measured = replace(
        measured, studies=studies, notes=(HOSTILE,), bad=(BadPicture(HOSTILE, HOSTILE),)
    )
    about = About(HOSTILE, HOSTILE, ("hf-resnet", "measure", HOSTILE), (HOSTILE,))
    seen = [
        Seen(
            replace(measured.outcomes[0], origin="\udcff" + HOSTILE),
            photo(1),
            ((HOSTILE, photo(2)),),
        ),
        Seen(measured.outcomes[1], None),
    ]
    return page(measured, about, {HOSTILE: PNG}, seen)


def test_numbers_and_names_stand_on_the_page():
    found = page(measured_of([("a", "a"), ("a", "b")]), About("me/flowers"), {}, []).decode()
    assert "How good is flowers?" in found
    assert "50.0 %" in found and "1.234" in found and "123.4 %" not in found
    assert "Measured on 2 pictures" in found


def test_names_are_text_and_no_character_of_theirs_commands():
    found = hostile_page().decode()
    assert "<script" not in found
    assert "<img src=x" not in found
    inside_tags = re.findall(r"<[^>]*>", found)
    assert not [tag for tag in inside_tags if re.search(r"\son\w+=", re.sub('"[^"]*"', "", tag))]
    assert "\u202e" not in found and "\x1b" not in found


def test_the_page_needs_nothing_beside_itself():
    found = hostile_page().decode()
    assert "default-src 'none'" in found
    addresses = re.findall(r'(?:src|href)="([^"]*)"', found)
    assert addresses and all(each.startswith("data:image/") for each in addresses)


def test_the_fingerprint_of_the_pictures_is_of_pictures_and_classes_alone():
    def mark(measured):
        text = page(measured, About("m"), {}, []).decode()
        return re.search("fingerprint of the pictures</th><td class=file>([0-9a-f]{32})", text)[1]

    first = measured_of([("a", "a"), ("b", "b")])
    assert mark(first) == mark(measured_of([("a", "b"), ("b", "a")]))
    assert mark(first) != mark(measured_of([("a", "a"), ("a", "b")]))


def test_perfect_answers_have_no_section_of_mistakes():
    found = page(replace(measured_of([("a", "a")]), confused=()), About("m"), {}, []).decode()
    assert "Worst mistakes" not in found and "Most confused" not in found


CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize(("width", "scheme"), [(375, "light"), (1100, "dark")])
def test_a_browser_shows_it_on_a_phone_and_in_the_dark_and_asks_nobody(tmp_path, width, scheme):
    sync = pytest.importorskip("playwright.sync_api")
    path = Path(tmp_path, "index.html")
    path.write_bytes(hostile_page())
    with sync.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        asked, said = [], []
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("console", lambda message: said.append(message.text))
        tab.on("dialog", lambda dialog: said.append(dialog.message))
        tab.goto(path.as_uri())
        assert tab.title() != "caught"
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
        assert said == []
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        shown = tab.evaluate(
            "[...document.images].every(each => each.complete && each.naturalWidth > 0)"
        )
        assert shown
        ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(22, 22, 24)" if scheme == "dark" else "rgb(255, 255, 255)")
        browser.close()


def test_grad_cam_stands_under_the_worst_mistakes(family_folders, tmp_path):
    from hf_resnet.classifier import open_classifier
    from hf_resnet.config import ComputeConfig, DataConfig
    from hf_resnet.data import load_data
    from hf_resnet.evaluation import measure, write_report

    for number, name in enumerate(("zebra", "10", "2")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for each in range(3):
            photo(number + 5 * each).save(tmp_path / "photos" / name / f"{each}.png")
    os.environ["HF_RESNET_CACHE"] = str(tmp_path / "cache")
    split = load_data(DataConfig(test_dir=str(tmp_path / "photos"))).test
    for family, has_heat in (("transformers-resnet", True), ("timm-vit", True)):
        classifier = open_classifier(str(family_folders(family)))
        measured = measure(classifier, split, ComputeConfig(precision="fp32"))
        write_report(measured, split, tmp_path / family, About(family), classifier)
        found = (tmp_path / family / "index.html").read_text()
        assert ("what spoke for" in found) is has_heat
        plain = write_report(measured, split, tmp_path / "plain", About(family))
        assert plain == ()
        assert "what spoke for" not in (tmp_path / "plain" / "index.html").read_text()
