"""What the lab finds without a browser: networks of the list alone, and figures that agree."""

import json
import re
import string
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hf_resnet.app import lab_chart, lab_drawing, lab_measured
from hf_resnet.app.lab_measured import SHIPPED, measured
from hf_resnet.app.lab_words import TABS, WORDS, say
from hf_resnet.app.lab_work import MOST_LEVELS, Bench, networks
from hf_resnet.app.words import LANGUAGES
from hf_resnet.classifier import open_classifier
from hf_resnet.degrade import Experiment, Learned, Net, Recipe
from hf_resnet.errors import ConfigError, PictureError
from tests.conftest import photo, png

SMALL = "scratch:resnet20-cifar"
BURMESE = re.compile("[\u1000-\u109f]")
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def tiny(family_folders) -> str:
    """A network with weights that give clear answers; it is ours, and sees 32 pixels."""
    return str(family_folders("scratch"))


@pytest.fixture(scope="module")
def bench(tiny) -> Bench:
    return Bench([SMALL, tiny])


@pytest.fixture(scope="module")
def picture(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "a.png"
    path.write_bytes(png(photo(6)))  # one that a small change fools
    return path


def test_the_model_that_is_named_comes_first_and_the_others_need_no_hub():
    names = networks("me/flowers")
    assert names[0] == "me/flowers"
    assert all(name.startswith(("packaged:", "scratch:")) for name in names[1:])
    assert networks("scratch:resnet50").count("scratch:resnet50") == 1


@pytest.mark.parametrize("name", ["scratch:resnet18", "/etc", "microsoft/resnet-50", "", None, []])
def test_a_network_that_is_not_on_the_list_is_not_opened(name, bench):
    with pytest.raises(ConfigError, match="there is no network"):
        bench.open(name)


def test_a_network_is_opened_once_and_kept(bench):
    assert bench.open(SMALL) is bench.open(SMALL)


def test_code_from_the_hub_runs_only_for_the_model_that_was_named(monkeypatch, tiny):
    trusted = {}

    def opened(config):
        trusted[config.model_name_or_path] = config.trust_remote_code
        return open_classifier(config)

    monkeypatch.setattr("hf_resnet.app.lab_work.open_classifier", opened)
    bench = Bench([tiny, SMALL], trust_remote_code=True)
    bench.open(tiny), bench.open(SMALL)
    assert trusted == {tiny: True, SMALL: False}


def test_the_answers_are_those_of_the_classifier(bench, tiny, picture):
    expected = open_classifier(tiny)(picture, top_k=3)
    found = bench.answers(tiny, picture)
    assert [each.label for each in found] == [each.label for each in expected]
    assert found[0].probability == pytest.approx(expected[0].probability, abs=1e-4)


def test_a_file_that_is_no_picture_is_refused_by_its_reason(bench, tmp_path):
    (tmp_path / "a.png").write_text("<svg/>")
    for ask in (bench.answers, bench.where, bench.fooled):
        with pytest.raises(PictureError, match="SVG is a drawing"):
            ask(SMALL, tmp_path / "a.png")


def test_the_layers_are_the_first_and_every_block_in_order(bench):
    names = bench.layers(SMALL)
    blocks = [f"stages.{stage}.{block}" for stage in range(3) for block in range(3)]
    assert names[0] == "stem.conv"
    assert [name for name in names if name in blocks] == blocks


def test_every_layer_of_the_list_has_maps(bench, picture):
    sizes = []
    for number in range(1, len(bench.layers(SMALL)) + 1):
        found = bench.maps(SMALL, picture, number)
        assert found.layer == bench.layers(SMALL)[number - 1]
        assert found.grid.size[0] > 300
        sizes.append(found.shape[1])
    assert sizes == sorted(sizes, reverse=True)


def test_it_glows_for_each_of_the_likeliest_classes(bench, tiny, picture):
    seen, glows = bench.where(tiny, picture)
    assert [each.label for each in glows] == [each.label for each in bench.answers(tiny, picture)]
    assert all(each.over.size == seen.size for each in glows)


def test_the_ideal_picture_is_grown_step_by_step_and_gets_its_class(bench, tiny):
    heard = []
    found = bench.ideal(
        tiny, "zebra", steps=10, seed=1, told=lambda done, total: heard.append((done, total))
    )
    assert heard[0] == (1, 40) and heard[-1] == (40, 40)
    assert found.answer.label == "zebra"
    assert bench.ideal(tiny, "zebra", steps=10, seed=1) is found


@pytest.mark.parametrize("given", [{"steps": 9}, {"steps": 10**9}, {"seed": -1}, {"seed": 10**9}])
def test_work_without_end_cannot_be_asked_for(given, bench):
    with pytest.raises(ConfigError, match="steps are 10 to 60"):
        bench.ideal(SMALL, "class 1", **given)


def test_the_change_that_fools_is_made_stronger_and_weaker(bench, tiny, picture):
    found = bench.fooled(tiny, picture)
    assert found.fooled and 1 <= found.levels <= MOST_LEVELS
    none = bench.with_strength(tiny, found, 0)
    assert none.levels == 0 and not none.fooled
    assert none.after.label == found.before.label
    again = bench.with_strength(tiny, found, found.levels)
    assert np.array_equal(np.asarray(again.fooling), np.asarray(found.fooling))
    assert again.after.label == found.after.label and again.fooled
    assert bench.with_strength(tiny, found, found.levels + 1).distance > found.distance
    with pytest.raises(ConfigError, match="the strength is 0 to"):
        bench.with_strength(tiny, found, MOST_LEVELS + 1)


def test_every_language_has_every_text_with_the_same_places():
    def places(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    assert set(WORDS) == set(LANGUAGES)
    for key, text in WORDS["en"].items():
        other = WORDS["my"][key]
        assert places(text) == places(other), key
        bare = re.sub(r"\{\w+\}|[\W\d_]", "", other)
        assert BURMESE.search(other) or not bare or key == "column_window", key
    assert list(WORDS["en"]) == list(WORDS["my"])


@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_each_tab_says_three_sentences(language, tab):
    drawn = lab_drawing.sentences(language, tab)
    assert drawn.count("<li>") == 3
    assert f'lang="{language}"' in drawn


def test_names_from_outside_are_text_on_the_page_and_nothing_else(bench, tiny, picture):
    evil = '<script>alert(1)</script>" onload="x'
    maps = replace(bench.maps(tiny, picture, 1), layer=evil, kind=evil)
    seen, glows = bench.where(tiny, picture)
    anatomy, drawing = bench.anatomy(SMALL)
    layers = tuple(replace(each, name=evil, kind=evil) for each in anatomy.layers)
    found = bench.fooled(tiny, picture)
    source = replace(SHIPPED, source=evil)
    drawn = [
        lab_drawing.maps("en", evil, maps, 1, 2),
        lab_drawing.glows("en", seen, [replace(each, label=evil) for each in glows]),
        lab_drawing.layers("en", evil, replace(anatomy, layers=layers), "all", drawing),
        lab_drawing.fooled("en", evil, found, bench.open(tiny).preprocess),
        lab_drawing.told("en", evil),
        lab_chart.degrade("en", source),
    ]
    for each in drawn:
        assert "<script" not in each and '" onload="' not in each


def test_the_layer_table_has_the_figures_of_the_anatomy(bench):
    anatomy, drawing = bench.anatomy(SMALL)
    drawn = lab_drawing.layers("en", SMALL, anatomy, "all", drawing)
    assert f"{anatomy.parameters:,}" in drawn
    assert "(32 − 3 + 2·1)/1 + 1 = 32" in drawn
    assert drawn.count("<tr>") > lab_drawing.layers("en", SMALL, anatomy, "1", drawing).count(
        "<tr>"
    )


def test_the_shipped_figures_are_those_of_the_readme():
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    for kind in ("plain", "residual v1", "residual v2"):
        *first, last = [f"{100 * error:.1f}" for error in SHIPPED.errors[kind].values()]
        assert f"{', '.join(first)} and {last} %" in text


def record(**changes: object) -> dict[str, object]:
    """As hf-resnet degrade writes it, with some of it changed."""
    found = {
        Net(depth, "plain"): Learned(depth / 100, 0.5, (0.5,), (1.0,), (1.0,), (0.1,))
        for depth in (14, 8)
    }
    recipe = Recipe(epochs=2, batch=3, rate=0.1, seed=0)
    return {**Experiment("digits", 9, 9, 8, recipe, found).to_json(), **changes}


def test_a_folder_of_degrade_is_shown_with_its_plots(tmp_path):
    (tmp_path / lab_measured.RECORD).write_text(json.dumps(record()))
    (tmp_path / "shift.png").write_bytes(png(photo()))
    found = measured(str(tmp_path))
    assert found.errors == {"plain": {8: 0.08, 14: 0.14}}
    assert (found.source, found.pictures, found.side, found.epochs) == ("digits", 9, 8, 2)
    drawn = lab_chart.degrade("en", found)
    assert "without shortcuts, 14 layers: 14.0 % wrong" in drawn
    assert drawn.count("<img") == 1
    assert say("my", "degrade_plain") in lab_chart.degrade("my", found)


@pytest.mark.parametrize(
    "changes",
    [{"nets": []}, {"nets": 7}, {"recipe": 3}, {"nets": [{"kind": "x"}]}, {"image_size": "wide"}],
)
def test_a_record_that_is_none_is_refused_in_one_line(changes, tmp_path):
    (tmp_path / lab_measured.RECORD).write_text(json.dumps(record(**changes)))
    with pytest.raises(ConfigError, match="is not as hf-resnet degrade writes it") as caught:
        measured(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_record_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"has no degrade\.json"):
        measured(str(tmp_path))
