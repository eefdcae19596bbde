"""hf-resnet explain: what it writes, says and refuses."""

import shutil

import pytest
from PIL import Image

from hf_resnet.cli import main, parse
from hf_resnet.images import decode
from tests.conftest import photo, png


@pytest.fixture
def cat(tmp_path):
    path = tmp_path / "cat.png"
    path.write_bytes(png(photo(1)))
    return str(path)


@pytest.fixture
def photos(tmp_path):
    for number in range(8):
        place = tmp_path / "photos" / ("zebra" if number % 2 else "2")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.png").write_bytes(png(photo(number)))
    return str(tmp_path / "photos")


@pytest.fixture
def model(family_folders):
    return str(family_folders("transformers-resnet"))


def test_the_picture_is_written_where_it_is_asked_for_or_after_its_kind(
    model, cat, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    deep = tmp_path / "new" / "drawn.png"
    assert main(["explain", model, cat, "--kind", "gradcam", "--output", str(deep)]) == 0
    assert f"written to {deep}" in capsys.readouterr().out.replace("\n", "")
    assert main(["explain", model, cat, "--kind", "features"]) == 0
    for path in (deep, tmp_path / "features.png"):
        assert path.read_bytes().startswith(b"\x89PNG")


def test_several_pictures_stand_below_each_other(model, cat, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["explain", model, cat, "--kind", "gradcam", "--output", "one.png"]) == 0
    assert main(["explain", model, cat, cat, "--kind", "gradcam", "--output", "two.png"]) == 0
    one, two = (decode((tmp_path / f"{name}.png").read_bytes()) for name in ("one", "two"))
    assert two.width == one.width
    assert two.height > 1.5 * one.height


def test_layers_and_classes_may_be_named_several_times(model, cat, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    layers = [f"resnet.encoder.stages.{number}" for number in (1, 2)]
    words = ["--class", "zebra", "--class", "tabby", "--layer", *layers]
    assert main(["explain", model, cat, "--kind", "gradcam", *words]) == 0
    said = capsys.readouterr().out
    for label in ("'zebra'", "'tabby, tabby cat'"):
        for layer in layers:
            assert f"{label} in {layer}" in said


def test_class_is_understood_as_classes_and_a_recipe_may_hold_it(tmp_path):
    recipe = tmp_path / "r.yaml"
    recipe.write_text("kind: ideal\nclasses: [zebra]\n")
    short = parse("explain", ["m", "--kind", "ideal", "--class", "zebra"])
    assert short == parse("explain", ["m", "--kind", "ideal", "--classes", "zebra"])
    assert short == parse("explain", ["m", "--config", str(recipe)])


def test_the_fooling_picture_is_kept_beside_the_sheet(tmp_path, monkeypatch, capsys):
    import skimage.data

    monkeypatch.chdir(tmp_path)
    Image.fromarray(skimage.data.chelsea()).save("cat.png")
    lite0 = "packaged:efficientnet-lite0"
    assert main(["explain", lite0, "cat.png", "--kind", "adversarial", "--attack", "fgsm"]) == 0
    assert "'tiger cat' 40 % became" in capsys.readouterr().out
    assert main(["predict", lite0, "adversarial-fooling.png", "--top_k", "1"]) == 0
    assert "tiger cat" not in capsys.readouterr().out


def test_neighbours_are_sought_in_the_data_that_is_named(
    model, cat, photos, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    words = ["--train_dir", photos, "--feature_cache_dir", "cache", "--count", "3"]
    assert main(["explain", model, cat, "--kind", "neighbours", *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "the 3 nearest of 8 training pictures: " in lines[0]
    assert lines[1].split()[:2] == ["1.000", "'zebra':"]
    assert lines[1].endswith("1.png")


def test_neighbours_are_else_sought_in_the_data_the_model_was_made_with(
    model, cat, photos, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(model, "taught")
    (tmp_path / "taught" / "recipe.yaml").write_text(f"train_dir: {photos}\n")
    words = ["--kind", "neighbours", "--feature_cache_dir", "cache"]
    assert main(["explain", "taught", cat, *words]) == 0
    said = capsys.readouterr().out
    assert "nearest of 6 training pictures" in said  # the others were set aside for validation


def test_wrong_answers_are_explained_for_the_answer_and_the_truth(
    model, photos, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    words = ["--kind", "gradcam", "--wrong", "2", "--train_dir", photos]
    assert main(["explain", model, *words]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if " in resnet." in line]
    assert len(lines) == 4
    for first, second in (lines[:2], lines[2:]):
        name = first.partition(":")[0]
        assert second.startswith(name)
        truth = "zebra" if int(name.removesuffix(".png")) % 2 else "2"
        assert f"'{truth}' in " in second
        assert f"'{truth}' in " not in first


@pytest.mark.parametrize("name", ["gradcam.png", "gradcam-fooling.png", "gradcam-fooling-2.png"])
def test_a_picture_that_is_asked_about_is_not_written_over(
    name, model, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    before = png(photo(1))
    (tmp_path / name).write_bytes(before)
    assert main(["explain", model, name, "--kind", "gradcam"]) == 1
    assert f"{name} would be written over" in capsys.readouterr().err
    assert (tmp_path / name).read_bytes() == before
    assert main(["explain", model, name, "--kind", "gradcam", "--output", "deep/gradcam.png"]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--kind", "gradcam"], "--kind gradcam needs a picture"),
        (["--kind", "ideal"], "--kind ideal needs a class: --class zebra"),
        (["CAT", "--kind", "ideal", "--class", "zebra"], "ideal looks at no picture"),
        (["CAT", "--kind", "features", "--class", "zebra"], "has no use for --class"),
        (["CAT", "--kind", "gradcam", "--target", "zebra"], "has no use for --target"),
        (["CAT", "--kind", "adversarial", "--layer", "x"], "has no use for --layer"),
        (["CAT", "--kind", "gradcam", "--wrong", "1"], "not both"),
        (["CAT", "--kind", "gradcam", "--wrong", "0"], "--wrong is within 1 and 12, got 0"),
        (["CAT", "--kind", "gradcam", "--output", "a.jpg"], "--output ends in .png; got a.jpg"),
        (["CAT", "--kind", "gradcam", "--output", "/dev/null/a.png"], "cannot be written"),
        (["CAT", "--kind", "gradcam", "--class", "unicorn"], "no class is called 'unicorn'"),
        (["CAT", "--kind", "adversarial", "--target", "cat"], "no class is called just 'cat'"),
        (["CAT", "--kind", "features", "--layer", "x"], "this network runs no layer 'x'"),
        (["CAT", "--kind", "neighbours"], "does not know its training data"),
        (["nowhere.png", "--kind", "gradcam"], "no file or folder nowhere.png"),
        (["BROKEN", "--kind", "gradcam"], "broken.png: "),
    ],
)
def test_what_cannot_be_is_one_clear_line(
    words, message, model, cat, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    given = {"CAT": cat, "BROKEN": str(tmp_path / "broken.png")}
    assert main(["explain", model, *(given.get(word, word) for word in words)]) != 0
    said = capsys.readouterr().err.strip().splitlines()
    assert message in said[-1]
    assert said[-1].startswith("error: ")
    assert not list(tmp_path.glob("*adcam.png"))
