"""YAML from outside: recipes and surgery files become words, and nothing that unfolds or runs."""

import os
from pathlib import Path

import pytest
import yaml

from hf_resnet.cli import COMMANDS, parse
from hf_resnet.commands.recipe import data_of, read_yaml, write_recipe
from hf_resnet.commands.relabel import surgery_of
from hf_resnet.config import DataConfig, RelabelConfig
from hf_resnet.errors import ConfigError, DataError, HfResnetError
from hf_resnet.labels import Labels, Surgery

RELABEL = ["--model_name_or_path", "m", "--output_dir", "o"]
FINETUNE = RELABEL
DIGITS = Labels(("0", "1", "2", "no", "-x"))

BOMB = "keep: &a [x, x, x]\nadd: &b [*a, *a, *a]\ndrop: [*b, *b, *b]\n"
REFUSED = {
    "aliases": (BOMB, r"r\.yaml line 1: anchors \(&\) and aliases \(\*\) are not read"),
    "a tag": ("keep: !!python/name:os.system {}", "tags .* are not read"),
    "a set": ("keep: !!set {a}", "tags .* are not read"),
    "nesting": ("keep: " + "[" * 100_000, "nested too deeply"),
    "nested mappings": ("merge: " + "{a: " * 50_000, "nested too deeply"),
    "a list for a name": ("? [a]\n: b", "a name is one word"),
    "a name twice": ("keep: a\nkeep: b", "'keep' stands there twice"),
    "two documents": ("keep: a\n---\nkeep: b", "is not YAML"),
    "a control character": ("keep: \x00", "is not YAML"),
    "too much": ("# " + "x" * 2**20, "larger than 1 MB"),
    "nothing": ("", "is not a list of"),
}


def written(tmp_path, content):
    path = tmp_path / "r.yaml"
    path.write_text(content, encoding="utf-8")
    return str(path)


def relabel(*words):
    return parse("relabel", [*RELABEL, *words])


def surgery(tmp_path, content):
    path = written(tmp_path, content)
    return surgery_of(relabel("--surgery", path), DIGITS)


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_what_no_recipe_needs_is_refused_in_one_line(tmp_path, content, message):
    path = written(tmp_path, content)
    for read in (lambda: parse("relabel", ["--config", path]), lambda: surgery(tmp_path, content)):
        with pytest.raises(ConfigError, match=message) as caught:
            read()
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 300


def test_a_value_is_the_text_that_stands_there(tmp_path):
    words = ["no", "01", "1_000", "0x1F", "2024-01-01", "1e3", "null", "~", "yes", "'quoted'"]
    path = written(tmp_path, f"keep: [{', '.join(words)}]\nadd:\ndrop: ~\nrename: {{on: off}}\n")
    found = read_yaml(path)
    assert found["keep"] == [*words[:-1], "quoted"]
    assert found["add"] is None and found["drop"] is None
    assert found["rename"] == {"on": "off"}
    assert relabel("--config", path).keep == (*words[:-1], "quoted")


def test_switches_of_a_recipe_are_true_or_false_in_the_words_of_yaml(tmp_path):
    for word, meant in (
        ("true", True),
        ("Yes", True),
        ("on", True),
        ("no", False),
        ("False", False),
    ):
        path = written(tmp_path, f"streaming: {word}\n")
        assert parse("finetune", [*FINETUNE, "--config", path]).data.streaming is meant
    with pytest.raises(ConfigError, match="streaming is true or false, got 'maybe'"):
        parse("finetune", [*FINETUNE, "--config", written(tmp_path, "streaming: maybe")])


def test_no_value_of_a_recipe_passes_for_a_flag(tmp_path):
    content = "keep: [cat, --overwrite_output_dir, -x, '--add=y']\nmerge: {--drop: [--keep, b]}\n"
    config = relabel("--config", written(tmp_path, content))
    assert config.keep == ("cat", "--overwrite_output_dir", "-x", "--add=y")
    assert config.merge == ("--drop=--keep,b",)
    assert not config.overwrite_output_dir and not config.add and not config.drop


def test_a_class_whose_name_begins_with_a_dash_can_be_typed():
    assert relabel("--keep", "a", "-x").keep == ("a", "-x")
    assert relabel("--keep=-x", "--keep=--y", "b").keep == ("-x", "--y", "b")
    assert surgery_of(relabel("--keep=-x", "1"), DIGITS).keep == ("-x", "1")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("seed: [1, 2]", "seed takes one value, got a list"),
        ("seed: {a: b}", "seed takes one value, got a mapping"),
        ("seed: -1", "--seed is within 0 and"),
        ("views: 1e999", "--views"),
    ],
)
def test_a_recipe_that_does_not_fit_a_flag_is_one_line(tmp_path, content, message):
    with pytest.raises(ConfigError, match=message) as caught:
        parse("finetune", [*FINETUNE, "--config", written(tmp_path, content)])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", ["keep: [[a, b]]", "keep: [a: b]", "keep: [a, '']", "merge: {a: {b: c}}"]
)
def test_lists_within_lists_are_refused(tmp_path, content):
    with pytest.raises(ConfigError, match="an item that is empty, or no text"):
        relabel("--config", written(tmp_path, content))


def test_flags_of_another_command_are_left_out_with_one_note_and_slips_are_not(tmp_path, capsys):
    content = "image_size: 96\nviews: 3\noutput_dir: model\nmax_eval_samples: 5\n"
    config = parse("measure", ["--model_name_or_path", "m", "--config", written(tmp_path, content)])
    assert config.data.max_eval_samples == 5
    assert config.output_dir is None  # in that recipe it is the model's own folder
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "measure has no use for image_size, views and output_dir" in said
    with pytest.raises(ConfigError, match=r"'image_siez', .* of measure; did you mean image_size"):
        parse("measure", ["--config", written(tmp_path, "image_siez: 96\nviews: 3\n")])


def test_a_whole_finetune_recipe_is_read_by_measure(tmp_path, capsys):
    """Its model is what the one to be measured was made from, and random_init said so of that."""
    write_recipe(
        parse("finetune", [*FINETUNE, "--train_dir", "nowhere", "--random_init"]), tmp_path
    )
    recipe = str(tmp_path / "recipe.yaml")
    config = parse("measure", ["--config", recipe, "--model_name_or_path", "mine"])
    assert config.model.model_name_or_path == "mine"
    assert not config.model.random_init
    assert config.data.train_dir == "nowhere"
    with pytest.raises(ConfigError, match="--model_name_or_path must be given"):
        parse("measure", ["--config", recipe])
    assert capsys.readouterr().err.count("note: ") == 2


SURGERIES = [
    ("add:\ndrop: [1]", Surgery(drop=("1",))),
    ("add: [yes, no, 3]", Surgery(add=("yes", "no", "3"))),
    ("keep: no, 1", Surgery(keep=("no", "1"))),
    ("rename: {no: yes}", Surgery(rename={"no": "yes"})),
    ("merge: {on: [0, 1], off: '2,no'}", Surgery(merge={"on": ("0", "1"), "off": ("2", "no")})),
    ("merge: ['a=0,1', 'b=2,no']", Surgery(merge={"a": ("0", "1"), "b": ("2", "no")})),
]


@pytest.mark.parametrize(("content", "expected"), SURGERIES)
def test_a_surgery_file_means_what_stands_in_it(tmp_path, content, expected):
    assert surgery(tmp_path, content) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("merge: 5", r"merge takes names, such as \{cat: \[tabby, tiger cat\]\}"),
        ("merge: [5]", "merge takes names"),
        ("merge: {a: {b: c}}", "merge takes names"),
        ("merge: {a: [[b]]}", "nested too deeply|merge takes names"),
        ("rename: 5", r"rename takes names, such as \{old: new\}"),
        ("rename: {a: [b]}", "rename takes names"),
        ("rename: {a: }", "rename takes names"),
        ("keep: {a: b}", r"keep takes a list of class names, such as \[a, b\]"),
        ("keep: [[a]]", "keep takes a list"),
        ("add: [a, '']", "add takes a list"),
        ("kep: [a]", "may have the keys keep, .* got kep"),
        ("add:", "nothing to change"),
    ],
)
def test_a_surgery_file_that_cannot_be_is_one_line(tmp_path, content, message):
    with pytest.raises(HfResnetError, match=message) as caught:
        surgery(tmp_path, content)
    assert "\n" not in str(caught.value)


def test_a_list_of_labels_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "names.txt").write_bytes(b"\xef\xbb\xbf1\r\n0\r\n")
    found = surgery_of(relabel("--labels", str(tmp_path / "names.txt")), DIGITS)
    assert found == Surgery(labels=("1", "0"))


@pytest.mark.parametrize(
    "name", ["train_dir", "validation_file", "feature_cache_dir", "output_dir"]
)
def test_every_path_takes_a_tilde_however_it_is_given(name, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    recipe = written(tmp_path, f"{name}: ~/x\n")
    needed = [
        word for word in FINETUNE if name != "output_dir" or word not in ("--output_dir", "o")
    ]
    for words in ([f"--{name}=~/x"], [f"--{name}", "~/x"], ["--config", recipe]):
        config = parse("finetune", [*needed, *words])
        groups = (config, config.data, config.head)
        assert [getattr(g, name) for g in groups if hasattr(g, name)] == ["/home/me/x"]
    assert relabel("--keep=~/x").keep == ("~/x",)  # a class may be called so
    assert relabel("--labels=~/l").labels == "/home/me/l"
    assert parse("predict", ["~/m", "a.jpg", "--output=~/o.csv"]).output == "/home/me/o.csv"
    assert parse("predict", ["~/m", "a.jpg"]).model_name_or_path == "/home/me/m"


def test_what_lies_on_this_machine_is_recorded_by_its_whole_path(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    (tmp_path / "t.csv").write_text("path,label\n")
    monkeypatch.chdir(tmp_path)
    given = ["--train_dir", "photos", "--test_file", "./t.csv", "--dataset_name", "me/flowers"]
    write_recipe(parse("finetune", [*FINETUNE, *given]), tmp_path)
    monkeypatch.chdir("/")
    found = data_of(tmp_path)
    assert found == (
        DataConfig(
            train_dir=f"{tmp_path}/photos", test_file=f"{tmp_path}/t.csv", dataset_name="me/flowers"
        ),
        tmp_path,
    )


def test_a_model_made_from_another_knows_what_that_one_learned_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("first", "second", "third"):
        Path(name).mkdir()
    write_recipe(parse("finetune", [*FINETUNE, "--dataset_name", "sample:digits"]), Path("first"))
    for old, new in (("first", "second"), ("second", "third")):
        write_recipe(RelabelConfig(model=_model(old), output_dir=new), Path(new))
    os.chdir("/")
    expected = DataConfig(dataset_name="sample:digits"), tmp_path / "first"
    assert data_of(tmp_path / "third") == expected


def test_models_that_are_made_from_each_other_know_nothing(tmp_path):
    for old, new in (("a", "b"), ("b", "a")):
        (tmp_path / new).mkdir()
        recipe = {"model_name_or_path": str(tmp_path / old)}
        (tmp_path / new / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    assert data_of(tmp_path / "a") is None


@pytest.mark.parametrize(
    "content",
    ["max_eval_samples: many", "train_dir: [a]", "streaming: maybe", "train_val_split: 5", BOMB],
)
def test_a_recipe_in_a_model_folder_that_is_none_of_ours_is_one_line(tmp_path, content):
    (tmp_path / "recipe.yaml").write_text(content)
    with pytest.raises(DataError, match="is no recipe of hf_resnet's") as caught:
        data_of(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["finetune", "measure", "relabel"])
def test_what_is_recorded_is_read_again(name, tmp_path):
    words = {"relabel": ["--keep=-x", "no", "--merge", "a=b,c"]}.get(name, ["--streaming"])
    config = parse(name, [*RELABEL, *words])
    write_recipe(config, tmp_path)
    assert parse(name, ["--config", str(tmp_path / "recipe.yaml")]) == config
    assert name in COMMANDS


def _model(name):
    return parse("relabel", ["--model_name_or_path", name, "--output_dir", "o"]).model
