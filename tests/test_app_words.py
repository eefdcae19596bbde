"""Every text of the page is there in every language, with the same places to fill in."""

import re
import string

import pytest

from hf_resnet.app import drawing
from hf_resnet.app.answer import FileAnswer, Look
from hf_resnet.app.words import (
    LANGUAGES,
    WORDS,
    best_language,
    percent,
    reason,
    say,
    some_of,
)
from hf_resnet.classifier import Prediction
from hf_resnet.facts import Facts

BURMESE = re.compile("[\u1000-\u109f]")


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_language_has_every_text():
    assert set(WORDS) == set(LANGUAGES)
    for words in WORDS.values():
        assert list(words) == list(WORDS["en"])


@pytest.mark.parametrize("key", WORDS["en"])
def test_a_text_has_the_same_places_in_every_language(key):
    assert len({frozenset(places(words[key])) for words in WORDS.values()}) == 1


@pytest.mark.parametrize("key", WORDS["my"])
def test_the_burmese_texts_are_burmese(key):
    text = WORDS["my"][key]
    bare = re.sub(r"\{\w+\}|[\W\d_]", "", text)
    assert BURMESE.search(text) or not bare


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("my-MM,my;q=0.9,en;q=0.8", "my"),
        ("de-DE,de;q=0.9,en-US;q=0.8,my;q=0.5", "en"),
        ("fr", "en"),
        ("", "en"),
        (";;,,", "en"),
    ],
)
def test_the_page_speaks_the_first_language_of_the_browser_that_it_knows(header, language):
    assert best_language(header) == language


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("too large: 30 MB, at most 20 MB are read", "reason_too_large"),
        ("truncated after 100 bytes", "reason_broken"),
        ("SVG is a drawing, not a photo; export it as PNG", "reason_kind"),
        ("no such file", "reason_gone"),
    ],
)
def test_a_reason_is_told_in_burmese_by_its_kind_and_in_english_as_it_is(text, key):
    assert reason("my", text) == say("my", key)
    assert reason("en", text) == text


def test_shares_are_never_rounded_to_certainty():
    assert [percent(share).replace("\u00a0", " ") for share in (1.0, 0.998, 0.5, 0.002, 0.0)] == [
        *("100 %", "99.8 %", "50 %", "0.2 %", "0 %")
    ]


def test_of_many_classes_some_are_named():
    names = tuple(f"class {n}" for n in range(1000))
    assert some_of("en", names).endswith("class 11 and 988 more")


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_from_outside_are_text_on_the_page_and_nothing_else(language):
    evil = "<script>alert(1)</script>"
    look = Look((Prediction(evil, 0.9), Prediction('" onload="x', 0.1)))
    drawn = drawing.bars(language, look) + drawing.intro(language, (evil, "b"))
    drawn += drawing.table(language, [FileAnswer(evil, look), FileAnswer("b", problem=evil)])
    drawn += drawing.note(language, evil) + drawing.api(language, f"http://{evil}", mcp=True)
    assert "<script" not in drawn
    assert '" onload="' not in drawn


FIGURE = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 20}
MISTAKE = {"truth": "cat", "answer": "dog", "count": 2}


@pytest.mark.parametrize(
    "results",
    [
        {"figures": {"accuracy": {"value": 1}}},
        {"figures": [FIGURE]},
        {"figures": {"accuracy": [0.5, 0.4, 0.6]}},
        {"figures": {"accuracy": {**FIGURE, "n": "many"}}},
        {"figures": {"accuracy": {**FIGURE, "low": None}}},
        {"figures": 7, "classes": 7, "most_confused": {}},
    ],
)
def test_figures_that_are_not_as_we_write_them_count_as_none(results):
    facts = Facts("m", results={"classes": [], **results})
    shown = drawing.about("en", facts, threshold=None, keeps=False)
    assert say("en", "not_measured") in shown


@pytest.mark.parametrize(
    "odd",
    [
        {"classes": {"cat": 3}},
        {"classes": ["cat", {"name": "cat"}, {"name": [], "pictures": 3}]},
        {"most_confused": {"truth": "cat"}},
        {"most_confused": ["cat", {"truth": []}, {**MISTAKE, "count": "<b>"}]},
    ],
)
def test_mistakes_that_are_not_as_we_write_them_are_left_out(odd):
    sound = {"classes": [{"name": "cat", "pictures": 9}], "most_confused": [MISTAKE]}
    figures = {"accuracy": FIGURE, "macro_f1": {"value": True}}
    told = [
        drawing.about("en", Facts("m", results=results), threshold=None, keeps=False)
        for results in ({"figures": figures, **sound}, {"figures": figures, **sound, **odd})
    ]
    line = say("en", "confused_line", truth="cat", answer="dog", count=2, of=9)
    assert [line in shown for shown in told] == [True, False]
    assert all("50.0 %" in shown for shown in told)
