"""Plain and residual nets by depth: the same for a seed, and measured as it says."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hf_resnet.cli import main, parse
from hf_resnet.config import DataConfig
from hf_resnet.degrade import Net, Recipe, nets, plots, run
from hf_resnet.degrade.experiment import Experiment
from hf_resnet.degrade.learning import Learned, _moved_batch, learn
from hf_resnet.degrade.pictures import Pictures, read
from hf_resnet.errors import ConfigError
from hf_resnet.resnet import ARCHITECTURES, ResNet, named

QUICK = Recipe(epochs=3, batch=32, rate=0.1, seed=0)


@pytest.fixture(scope="module")
def digits():
    config = DataConfig(dataset_name="sample:digits", max_train_samples=192, max_eval_samples=96)
    return read(config, 8)


@pytest.fixture(scope="module")
def quick(digits):
    return run(digits, nets([8, 14]), QUICK)


def test_the_curves_are_the_same_for_the_same_seed_and_others_for_another(digits, quick):
    torch.manual_seed(5)
    again = run(digits, nets([8, 14]), QUICK)
    assert json.dumps(again.to_json()) == json.dumps(quick.to_json())
    other = run(digits, [Net(8, "plain")], dataclasses.replace(QUICK, seed=1))
    assert other.of("plain")[8] != quick.of("plain")[8]


def test_every_net_is_one_of_our_own_by_name_and_depth():
    found = nets((8, 20), (1, 2))
    assert len(found) == 6
    for net in found:
        assert named(net.name).layers == net.depth
        assert (named(net.name).shortcut == "none") == (net.kind == "plain")
    assert [named(net.name).version for net in found] == [1, 1, 1, 1, 2, 2]


def test_a_plain_net_of_v1_and_of_v2_is_the_same_net():
    models = []
    for name in ("plain14-cifar", "plain14-cifar-v2"):
        torch.manual_seed(0)
        models.append(ResNet(ARCHITECTURES[name], 10).eval())
    pixels_BCHW = torch.randn(2, 3, 16, 16)
    assert torch.allclose(models[0](pixels_BCHW), models[1](pixels_BCHW), atol=1e-5)


def test_there_is_a_figure_for_every_epoch_and_every_convolution(quick):
    for net, learned in quick.found.items():
        assert len(learned.error_by_epoch) == len(learned.loss_by_epoch) == QUICK.epochs
        assert len(learned.gradient_by_layer) == len(learned.shift_by_layer) == net.depth - 1
        assert min(learned.gradient_by_layer) > 0
        assert 0 <= learned.train_error <= 1


def test_the_training_error_is_that_of_the_trained_net(digits):
    model = ResNet(named("resnet8-cifar"), 10)
    learned = learn(model, digits.train, digits.test, QUICK, lambda count: None)
    pixels_NCHW = digits.train.pixels_NCHW.float() / 127.5 - 1
    with torch.no_grad():
        answers_N = model.eval()(pixels_NCHW).argmax(1)
    assert learned.train_error == float((answers_N != digits.train.label_N).double().mean())


def test_gradients_are_those_of_the_convolutions(digits):
    torch.manual_seed(0)
    model = ResNet(named("plain8-cifar"), 10)
    twin = ResNet(named("plain8-cifar"), 10)
    twin.load_state_dict(model.state_dict())
    first = Pictures(digits.train.pixels_NCHW[:32], digits.train.label_N[:32])
    once = Recipe(epochs=1, batch=32, rate=1e-9, seed=0)
    learned = learn(model, first, first, once, lambda count: None)
    random = torch.Generator().manual_seed(0)
    pixels_BCHW, label_B = _moved_batch(first, torch.randperm(32, generator=random), random)
    nn.functional.cross_entropy(twin.train()(pixels_BCHW), label_B).backward()
    norms = [float(m.weight.grad.norm()) for m in twin.modules() if isinstance(m, nn.Conv2d)]
    assert learned.gradient_by_layer == pytest.approx(norms, rel=1e-4)


def test_pictures_are_moved_by_an_eighth_at_most(digits):
    dots = torch.zeros(64, 3, 16, 16, dtype=torch.uint8)
    dots[:, :, 8, 8] = 255
    pictures = Pictures(dots, torch.zeros(64, dtype=torch.int64))
    moved, _ = _moved_batch(pictures, torch.arange(64), torch.Generator().manual_seed(0))
    places = np.argwhere(moved[:, 0].numpy() == 1)[:, 1:]
    assert len(places) == 64
    assert (places.min(), places.max()) == (6, 10)


def test_plots_are_drawn_for_any_kinds_and_depths(quick):
    few = Experiment("s", 1, 1, 8, QUICK, {Net(8, "plain"): quick.of("plain")[8]})
    for experiment in (quick, few):
        drawn = plots(experiment)
        assert set(drawn) == {"errors.png", "gradients.png", "shift.png"}
        assert all(content.startswith(b"\x89PNG") for content in drawn.values())


def test_the_command_writes_the_record_and_says_what_depth_did(tmp_path, capsys):
    words = ["--dataset_name", "sample:digits", "--image_size", "8", "--num_train_epochs", "2"]
    words += ["--max_train_samples", "128", "--max_eval_samples", "64"]
    words += ["--depths", "8", "14", "--versions", "2", "--output_dir", str(tmp_path / "out")]
    assert main(["degrade", *words]) == 0
    said = capsys.readouterr().out
    assert "plain: from 8 to 14 layers the training error goes from" in said
    assert "residual v2: from 8 to 14 layers" in said
    record = json.loads((tmp_path / "out" / "degrade.json").read_text(encoding="utf-8"))
    assert [net["name"] for net in record["nets"]] == [
        *("plain8-cifar", "plain14-cifar", "resnet8-cifar-v2", "resnet14-cifar-v2"),
    ]
    assert record["train_pictures"] == 128
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("degrade.json", "errors.png", "gradients.png", "shift.png"),
    }


def test_only_a_difference_beyond_chance_is_called_one():
    from hf_resnet.commands.degrade import findings

    def experiment(first, last):
        found = {
            Net(depth, "plain"): Learned(error, error, (error,), (1.0,), (1.0,), ())
            for depth, error in ((8, first), (20, last))
        }
        return findings(Experiment("s", 1000, 10, 8, QUICK, found))[0]

    assert experiment(0.10, 0.30).endswith("deeper is worse")
    assert experiment(0.30, 0.10).endswith("deeper is better")
    assert experiment(0.10, 0.12).endswith("no clear difference")


@pytest.mark.slow
def test_plain_nets_get_worse_with_depth_and_residual_ones_do_not():
    sets = read(DataConfig(dataset_name="sample:digits", max_train_samples=600), 8)
    recipe = Recipe(epochs=6, batch=64, rate=0.1, seed=0)
    found = run(sets, nets([8, 32], [2]), recipe)
    plain, residual = found.of("plain"), found.of("residual v2")
    assert plain[32].train_error > plain[8].train_error + 0.3
    assert residual[32].train_error < plain[8].train_error


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--depths", "9"], "--depths are 6n \\+ 2 layers, .* got \\[9\\]"),
        (["--versions", "3"], "--versions are 1, 2 or both, got \\[3\\]"),
        (["--image_size", "4"], "--image_size is within 8 and 64, got 4"),
        (["--learning_rate", "0"], "--learning_rate is a number above 0"),
        (["--num_train_epochs", "0"], "--num_train_epochs is at least 1"),
    ],
)
def test_what_cannot_be_is_one_clear_line(words, message):
    with pytest.raises(ConfigError, match=message):
        parse("degrade", words)


def test_the_recipe_for_a_gpu_is_one_the_command_takes():
    recipe = Path(__file__).parent.parent / "scripts" / "recipes" / "degrade_gpu.yaml"
    config = parse("degrade", ["--config", str(recipe)])
    assert config.image_size == 32
    assert max(config.depths) == 56
    assert config.max_train_samples == 0
