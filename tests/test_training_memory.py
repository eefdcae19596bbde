import copy
import io
from dataclasses import replace

import pytest
import torch
from rich.console import Console
from torch import nn

from hf_resnet.backbones import open_backbone
from hf_resnet.backbones.network import Network
from hf_resnet.bench.memory import measured
from hf_resnet.classifier import open_classifier
from hf_resnet.config import ModelConfig
from hf_resnet.errors import ConfigError, ModelError
from hf_resnet.precision import Precision
from hf_resnet.resnet import Architecture, ResNet
from hf_resnet.training.memory import Setup, alternatives, fit, in_words, need, step_down, table
from hf_resnet.training.rehearsal import Pass, bytes_to_answer, bytes_to_learn

MIB = 1 << 20
SETUP = Setup(batch=32, size=(128, 128), method="full", eval_batch=8)


def small() -> Network:
    architecture = Architecture(block="basic", depths=(2, 2), widths=(32, 64))
    return Network(ResNet(architecture, 5), source="scratch", head_name="head")


def on_cpu(batch: int, size: int = 224, *, precision: Precision = "fp32") -> Pass:
    return Pass(batch, (size, size), torch.device("cpu"), precision)


def learned(network: Network, batch: Pass, **how: bool):
    how = {"recompute": False, "accumulated": False} | how
    return bytes_to_learn(network, batch, trained=4, **how).most


def test_a_small_network_takes_what_one_counts_by_hand():
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(12, 1000, bias=False), nn.ReLU(), nn.Linear(1000, 5)
    )
    held = bytes_to_learn(
        Network(model, source="timm", head_name="3"),
        on_cpu(64, 2),
        trained=4,
        recompute=False,
        accumulated=False,
    )
    hidden_BD, pixels_BD, logits_BK = 4 * 64 * 1000, 4 * 64 * 12, 4 * 64 * 5
    weight_KD, target_B, loss = 4 * 5000, 8 * 64, 4
    assert held.gradients == 4 * (12 * 1000 + 1000 * 5 + 5)
    # fullest in the backward pass, where the ReLU's gradient is made: what goes into the head, its
    # gradient and the ReLU's own beside it
    parts = 3 * hidden_BD + pixels_BD + 5 * logits_BK + weight_KD + target_B + loss
    assert held.most == pytest.approx(parts, rel=0.01)


def test_a_resnet50_keeps_82_mib_of_a_picture_and_42_in_half_the_bits():
    network = open_backbone(ModelConfig(model_name_or_path="scratch:resnet50"))[0].network

    def of_a_picture(precision: Precision = "fp32", **how: bool) -> float:
        few, many = (learned(network, on_cpu(n, precision=precision), **how) for n in (4, 8))
        return (many - few) / 4 / MIB

    assert of_a_picture(frozen_norms=False) == pytest.approx(82, rel=0.05)
    assert of_a_picture("bf16", frozen_norms=False) == pytest.approx(42, rel=0.05)
    assert of_a_picture(frozen_norms=False, recompute=True) < 41
    assert of_a_picture() == pytest.approx(40, rel=0.05)  # frozen norms keep nothing
    assert of_a_picture("bf16") < 23


def test_every_family_is_rehearsed_in_every_way(family_folder):
    classifier = open_classifier(str(family_folder))
    network, size = classifier.network, classifier.preprocess.size
    plain, half = (Pass(4, size, torch.device("cpu"), precision) for precision in ("fp32", "bf16"))
    full = bytes_to_learn(network, plain, trained=4, recompute=False, accumulated=False)
    last = bytes_to_learn(network, plain, trained=1, recompute=False, accumulated=False)
    again = bytes_to_learn(network, half, trained=4, recompute=True, accumulated=True)
    parameters = sum(each.nbytes for each in network.parameters())
    assert last.gradients < full.gradients == again.gradients <= parameters
    assert last.most < full.most
    assert again.most < full.most + full.gradients
    assert 0 < bytes_to_answer(network, half).most < full.most


def test_the_network_and_the_random_numbers_are_as_they_were(family_folder):
    classifier = open_classifier(str(family_folder))
    network = classifier.network
    network.eval().requires_grad_(True)
    before = copy.deepcopy(network.state_dict())
    state = torch.get_rng_state()
    need(network, Setup(batch=4, size=classifier.preprocess.size, method="last_stage"))
    assert torch.equal(torch.get_rng_state(), state)
    torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=0)
    assert all(each.requires_grad and each.grad is None for each in network.parameters())
    assert not any(module.training for module in network.modules())


def test_more_of_anything_takes_more():
    network = small()
    plain = need(network, SETUP)
    assert need(network, replace(SETUP, batch=64)).activations > 1.8 * plain.activations
    assert need(network, replace(SETUP, size=(256, 256))).activations > 3 * plain.activations
    assert need(network, replace(SETUP, precision="bf16")).activations < 0.7 * plain.activations
    learning = replace(SETUP, frozen_norms=False)
    again = need(network, replace(learning, recompute=True)).activations
    assert again < 0.8 * need(network, learning).activations
    assert plain.activations < 0.8 * need(network, learning).activations
    assert need(network, replace(SETUP, optim="adamw")).optimiser == 2 * plain.optimiser
    once = sum(each.nbytes for each in [*network.parameters(), *network.buffers()])
    assert need(network, replace(SETUP, ema=True)).weights == plain.weights + once
    assert need(network, replace(SETUP, l2_sp=True)).weights == plain.weights + plain.gradients
    pictures = 2 * 3 * SETUP.batch * SETUP.size[0] * SETUP.size[1]
    workers = need(network, replace(SETUP, workers=2))
    assert workers.process > plain.process + 2 * pictures


def test_accumulated_gradients_are_there_from_the_second_batch_on():
    network = small()
    once, more = (learned(network, on_cpu(8, 64), accumulated=each) for each in (False, True))
    gradients = sum(each.nbytes for each in network.parameters())
    assert once < more <= once + gradients


def test_where_judging_takes_more_than_learning_it_is_what_counts():
    network = small()
    judged = need(network, replace(SETUP, batch=2, eval_batch=256))
    assert judged.activations + judged.gradients > bytes_to_answer(network, on_cpu(256, 128)).most


def test_a_network_that_looks_at_its_numbers_is_refused_in_one_line():
    class Peeking(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, pixels_BCHW):
            means_BC = pixels_BCHW.mean((2, 3))
            return self.layer(means_BC) if means_BC.sum().item() > 0 else self.layer(-means_BC)

    network = Network(Peeking(), source="timm", head_name="layer")
    with pytest.raises(ModelError, match=r"cannot be told beforehand .*leave out --memory_budget"):
        need(network, SETUP)


def test_what_fits_is_left_as_it_is():
    assert fit(small(), SETUP, 1 << 50) == SETUP


def test_smaller_batches_come_first_then_recomputing_then_less_of_the_network():
    network = small()
    setup = replace(SETUP, batch=64, size=(224, 224), eval_batch=2, device="cuda")

    def least_with(**changes) -> int:
        return need(network, replace(setup, **changes)).total

    halved = fit(network, setup, least_with(batch=32, accumulation=2))
    assert (halved.batch, halved.accumulation, halved.recompute) == (32, 2, False)
    again = fit(network, setup, least_with(batch=8, accumulation=8, recompute=True))
    assert (again.effective, again.recompute, again.method) == (64, True, "full")
    last = fit(network, setup, least_with(batch=2, accumulation=32, recompute=True) - 1)
    assert (last.effective, last.method) == (64, "last_stage")


@pytest.mark.parametrize(("batch", "accumulation"), [(30, 1), (7, 3), (32, 4), (31, 1), (2, 1)])
def test_every_step_down_learns_from_as_many_pictures_and_there_is_an_end(batch, accumulation):
    setup = replace(SETUP, batch=batch, accumulation=accumulation)
    steps = [setup]
    while (down := step_down(steps[-1])) is not None:
        steps.append(down)
    assert all(each.effective == setup.effective for each in steps)
    assert all(each.batch >= 2 for each in steps)
    assert len(set(steps)) == len(steps)
    assert steps[-1].recompute
    batches = [each.batch for each in steps]
    assert batches == sorted(batches, reverse=True)


def test_the_steps_down_from_32_pictures():
    steps, setup = [], SETUP
    while setup is not None:
        steps.append((setup.batch, setup.accumulation, setup.recompute))
        setup = step_down(setup)
    assert steps == [
        (32, 1, False),
        (16, 2, False),
        (8, 4, False),
        (8, 4, True),
        (4, 8, True),
        (2, 16, True),
    ]


def test_a_head_has_nothing_to_recompute():
    assert step_down(replace(SETUP, method="head", batch=2)) is None


def test_a_budget_too_small_for_the_head_names_the_least_there_is():
    with pytest.raises(
        ConfigError, match=r"^--memory_budget 10 MB is too little.* head, batch 2\)"
    ):
        fit(small(), SETUP, 10_000_000)


def test_the_table_marks_the_setup_and_what_is_too_much():
    network = small()
    rows = alternatives(network, SETUP)
    assert {setup.method for setup, _ in rows} == {"full", "last_stage", "head"}
    chosen = next(needed for setup, needed in rows if setup == SETUP)
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(table(rows, SETUP, budget=chosen.total - 1))
    shown = console.export_text()
    marked = [line for line in shown.splitlines() if line.startswith("→")]
    assert len(marked) == 1
    assert in_words(chosen.total) in marked[0]
    assert f"{in_words(chosen.total - 1)} allowed" in shown


def test_amounts_are_written_as_a_person_does():
    assert [in_words(count) for count in (812_400_000, 2_410_000_000)] == ["812 MB", "2.41 GB"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "setup"),
    [
        (
            "packaged:efficientnet-lite0",
            Setup(batch=16, size=(224, 224), method="full", precision="bf16"),
        ),
        ("timm:resnet50", Setup(batch=8, size=(224, 224), method="full", precision="bf16")),
        ("scratch:resnet18", Setup(batch=32, size=(160, 160), method="last_stage", recompute=True)),
    ],
)
def test_the_prediction_is_within_a_fifth_of_the_measured_peak(model, setup):
    predicted, peak = measured(model, setup)
    assert 0.8 < predicted.total / peak < 1.2
