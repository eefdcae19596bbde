"""What a run will need is shown before it learns, and a budget changes how it learns, not what."""

import json
from dataclasses import replace

import numpy as np
import pytest
from accelerate import Accelerator
from rich.console import Console

from hf_resnet.classifier import open_classifier
from hf_resnet.config import ComputeConfig, TrainConfig, bytes_of
from hf_resnet.errors import ConfigError
from hf_resnet.training.budget import PLAN_FILE, keep, planned
from hf_resnet.training.choice import choose
from hf_resnet.training.memory import Setup, need
from tests.test_training_network import changed_weights, started, train  # noqa: F401
from tests.test_training_network import data as data  # noqa: PLC0414

COMPUTE = ComputeConfig(precision="fp32", dataloader_num_workers=0)


@pytest.fixture(scope="module")
def classifier():
    found = open_classifier("scratch:resnet18")
    return replace(found, preprocess=found.preprocess.with_changes(image_size=160))


def plan(classifier, **options):
    config = TrainConfig(per_device_train_batch_size=32, **options)
    choice = choose("full", config, np.full(3, 100), untrained=False)
    return planned(choice, classifier, COMPUTE, Accelerator(cpu=True))


def printed(table) -> str:
    console = Console(width=80)
    with console.capture() as said:
        console.print(table)
    return said.get()


def test_without_a_budget_nothing_is_changed_and_every_method_is_shown(classifier):
    found = plan(classifier)
    assert found.choice.config == replace(found.choice.config, per_device_train_batch_size=32)
    assert found.compute == COMPUTE
    shown = printed(found.table)
    assert all(name in shown for name in ("full", "last_stage", "head", "total"))
    assert "…" not in shown  # nothing is cut off on a screen of 80 columns
    (line,) = [line for line in shown.splitlines() if line.startswith("→")]
    assert line.split()[1:4] == ["full", "32", "no"]


def test_a_budget_keeps_the_pictures_of_a_step_and_is_kept_itself(classifier):
    less = Setup(batch=8, accumulation=4, size=(160, 160), method="full")
    budget = need(classifier.network, less).total + 30_000_000
    found = plan(classifier, memory_budget=f"{budget / 1e6:.0f}MB")
    config = found.choice.config
    assert config.per_device_train_batch_size < 32
    assert config.per_device_train_batch_size * config.gradient_accumulation_steps == 32
    assert found.choice.method == "full"


def test_a_budget_that_nothing_fits_says_the_least_that_does(classifier):
    with pytest.raises(ConfigError, match=r"100 MB is too little .* the least it takes is .*GB"):
        plan(classifier, memory_budget="100MB")


@pytest.mark.parametrize(
    ("text", "count"), [("4GB", 4 * 10**9), ("3.5 GiB", 3758096384), ("800mb", 800 * 10**6)]
)
def test_amounts_are_read_as_people_write_them(text, count):
    assert bytes_of(text) == count


def test_computing_the_blocks_again_changes_nothing_but_the_memory(train):  # noqa: F811
    plain, sparing = train(folder="a"), train(folder="b", gradient_checkpointing=True)
    for name in changed_weights(plain, sparing):
        pair = [each.classifier.network.state_dict()[name] for each in (plain, sparing)]
        np.testing.assert_allclose(*pair, atol=1e-5)


@pytest.fixture
def begun(classifier, tmp_path):
    """A run that began with a small batch to fit its budget."""
    less = Setup(batch=8, accumulation=4, size=(160, 160), method="full")
    budget = f"{(need(classifier.network, less).total + 30_000_000) / 1e6:.0f}MB"
    first = plan(classifier, memory_budget=budget)
    keep(first, tmp_path)
    return budget, first, tmp_path


def gone_on(classifier, folder, budget, **options):
    config = TrainConfig(per_device_train_batch_size=32, memory_budget=budget, **options)
    choice = choose("full", config, np.full(3, 100), untrained=False)
    return planned(choice, classifier, COMPUTE, Accelerator(cpu=True), folder)


def test_a_run_that_goes_on_keeps_its_plan_whatever_the_process_needs_now(
    classifier, begun, monkeypatch
):
    budget, first, folder = begun
    monkeypatch.setattr("hf_resnet.training.budget.fit", lambda *_: 1 / 0)
    assert gone_on(classifier, folder, budget).choice == first.choice


def test_another_budget_is_planned_for_anew(classifier, begun):
    _, first, folder = begun
    assert gone_on(classifier, folder, "64GB").choice.config != first.choice.config


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_plan_that_cannot_be_read_is_made_anew(classifier, begun, text):
    budget, first, folder = begun
    (folder / PLAN_FILE).write_text(text)
    assert gone_on(classifier, folder, budget).choice == first.choice


@pytest.mark.parametrize(
    "change", [{"batch": -4}, {"batch": True}, {"method": "rm"}, {"batch": None}]
)
def test_a_plan_that_cannot_be_is_made_anew(classifier, begun, change):
    budget, first, folder = begun
    whole = json.loads((folder / PLAN_FILE).read_text())
    (folder / PLAN_FILE).write_text(json.dumps({**whole, **change}))
    assert gone_on(classifier, folder, budget).choice == first.choice


def test_a_plan_beyond_the_machine_says_so_and_what_to_do(classifier, monkeypatch):
    assert "more than" not in printed(plan(classifier).table)
    monkeypatch.setattr("hf_resnet.training.budget.room", lambda device: 2 * 10**8)
    said = " ".join(printed(plan(classifier).table).split())
    assert "This is more than the 200 MB that this machine has: --memory_budget 0.2GB" in said
