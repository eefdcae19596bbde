"""The fooling picture fools as a saved PNG, by no more than the step it states."""

import numpy as np
import pytest
import skimage.data
from PIL import Image

from hf_resnet.backbones import Network
from hf_resnet.classifier import Classifier, open_classifier
from hf_resnet.cli import main
from hf_resnet.errors import ConfigError, LabelError
from hf_resnet.explain import adversarial, as_png
from hf_resnet.facts import Facts
from hf_resnet.labels import Labels
from hf_resnet.preprocess import Preprocess
from hf_resnet.resnet import ResNet, named
from tests.conftest import photo


@pytest.fixture(scope="module")
def lite0():
    return open_classifier("packaged:efficientnet-lite0")


@pytest.fixture(scope="module")
def fooled(lite0):
    """By options, found once."""
    found = {}

    def find(**options):
        key = tuple(sorted(options.items()))
        if key not in found:
            cat = Image.fromarray(skimage.data.chelsea())
            found[key] = adversarial.explain(lite0, cat, **options)
        return found[key]

    return find


WAYS = [{"target": "espresso"}, {}, {"attack": "fgsm"}]


@pytest.mark.parametrize("options", WAYS, ids=str)
def test_the_saved_png_fools_the_command_that_predicts(options, fooled, tmp_path, capsys):
    found = fooled(**options)
    path = tmp_path / "fooling.png"
    path.write_bytes(as_png(found.fooling))
    for precision in ("fp32", "bf16"):
        words = ["packaged:efficientnet-lite0", str(path), "--precision", precision, "--top_k", "1"]
        assert main(["predict", *words]) == 0
        said = capsys.readouterr().out
        if "target" in options:
            assert "espresso" in said
        else:
            assert "tiger cat" not in said
    assert found.fooled
    assert found.before.label == "tiger cat"


@pytest.mark.parametrize("options", WAYS, ids=str)
def test_no_pixel_of_the_png_is_changed_by_more_than_the_norm_says(options, fooled, tmp_path):
    found = fooled(**options)
    for name, picture in (("a", found.original), ("b", found.fooling)):
        (tmp_path / f"{name}.png").write_bytes(as_png(picture))
    before, after = (
        np.asarray(Image.open(tmp_path / f"{name}.png"), dtype=np.int64) for name in "ab"
    )
    assert np.abs(after - before).max() == found.levels <= 2
    assert np.linalg.norm((after - before) / 255) == pytest.approx(found.distance)
    assert 0 < found.distance < 3


def test_the_original_is_seen_as_the_picture_itself_is(fooled, lite0):
    cat = Image.fromarray(skimage.data.chelsea())
    assert np.array_equal(
        lite0.preprocess.resized(fooled().original), lite0.preprocess.resized(cat)
    )


def test_the_noise_is_the_change_ten_times_on_grey(fooled):
    found = fooled()
    noise = np.asarray(adversarial.noise(found), np.int64)
    change = np.asarray(found.fooling, np.int64) - np.asarray(found.original, np.int64)
    assert np.array_equal(noise, 128 + 10 * change)


def test_a_goal_out_of_reach_is_said_and_keeps_no_picture(lite0):
    cat = Image.fromarray(skimage.data.chelsea())
    found = adversarial.explain(lite0, cat, target="espresso", attack="fgsm", most_levels=2)
    assert not found.fooled
    heading = adversarial.block(found, lite0, "cat").heading
    assert (
        "not fooled by any step of up to 2 levels of 255; --attack pgd is the stronger" in heading
    )


def test_the_smallest_step_is_tried_first(lite0, monkeypatch):
    tried = []

    def noting(classifier, original, goal, levels):
        tried.append(levels)
        yield original

    monkeypatch.setitem(adversarial.ATTACKS, "pgd", noting)
    adversarial.explain(lite0, photo(1), most_levels=3)
    assert tried == [1, 2, 3]


def test_what_cannot_be_is_one_clear_line(lite0):
    cat = Image.fromarray(skimage.data.chelsea())
    with pytest.raises(ConfigError, match="the answer is 'tiger cat' already"):
        adversarial.explain(lite0, cat, target="tiger cat")
    with pytest.raises(LabelError, match="no class is called 'unicorn'"):
        adversarial.explain(lite0, cat, target="unicorn")


def test_a_network_with_one_class_cannot_be_fooled_and_says_so():
    network = Network(ResNet(named("resnet8-cifar"), 1), source="scratch", head_name="head")
    preprocess = Preprocess(mode="squash", size=(32, 32), resize=(32, 32))
    alone = Classifier(network, Labels(("zebra",)), preprocess, Facts("scratch"))
    with pytest.raises(ConfigError, match="one class has no other answer"):
        adversarial.explain(alone, photo(1))
