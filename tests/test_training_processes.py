"""The whole network learns under `accelerate launch`: the same curve on two processes as on one, and
a run that is stopped or killed goes on to the bit."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from hf_resnet.training import log
from tests.test_training_head import colourful

REPOSITORY = Path(__file__).parents[1]
FLAGS = (
    *("--model_name_or_path", "scratch:resnet20-cifar", "--method", "full", "--image_size", "32"),
    *("--num_train_epochs", "2", "--checkpointing_steps", "2", "--precision", "fp32"),
    *("--dataloader_num_workers", "0", "--batch_norm", "frozen", "--learning_rate", "0.01"),
)
TWO = ("-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2")
TWO += ("--main_process_port", "0")

pytestmark = pytest.mark.slow


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return colourful(tmp_path / "pictures", {"blue": 16, "green": 20, "red": 18})


def begin(words: Sequence[str], tmp_path: Path) -> subprocess.Popen[str]:
    cache = {"HF_RESNET_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=REPOSITORY,
        env=os.environ | cache | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finetune(tmp_path: Path, pictures: Path, name: str, *more: str, launch=(), flags=FLAGS):
    where = ("--train_dir", str(pictures), "--output_dir", str(tmp_path / name))
    return begin([*launch, "scripts/finetune.py", *flags, *where, *more], tmp_path)


def ended(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said[-3000:]
    return said


def after_a_step(process: subprocess.Popen[str], folder: Path, step: int) -> None:
    """Wait until the run in the folder has taken so many steps."""
    end = time.monotonic() + 200
    while time.monotonic() < end and process.poll() is None:
        if len(log.read(folder / log.LOG_FILE)) >= step:
            return
        time.sleep(0.005)
    raise AssertionError(f"the run ended before step {step}: {process.communicate()[0][-3000:]}")


def losses(folder: Path) -> list[float]:
    return [line["loss"] for line in log.read(folder / "report" / log.LOG_FILE)]


def test_two_processes_have_the_losses_of_one_at_the_same_pictures_a_step(tmp_path, pictures):
    one = finetune(tmp_path, pictures, "one", "--per_device_train_batch_size", "8")
    two = finetune(
        tmp_path,
        pictures,
        "two",
        "--per_device_train_batch_size",
        "4",
        "--memory_budget",
        "8GB",
        launch=TWO,
    )
    ended(one), ended(two)
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-3)
    counted = [
        json.loads((tmp_path / name / "hf_resnet.json").read_text())["results"]["figures"]
        for name in ("one", "two")
    ]
    assert counted[0]["accuracy"]["n"] == counted[1]["accuracy"]["n"]


def test_two_processes_that_are_killed_go_on_to_the_bit(tmp_path, pictures):
    more = ("--per_device_train_batch_size", "4")
    ended(finetune(tmp_path, pictures, "whole", *more, launch=TWO))
    process = finetune(tmp_path, pictures, "killed", *more, launch=TWO)
    after_a_step(process, tmp_path / "killed.training", 5)
    family = psutil.Process(process.pid)
    for each in [*family.children(recursive=True), family]:  # the workers are no group of its
        each.kill()
    process.communicate()
    said = ended(finetune(tmp_path, pictures, "killed", *more, launch=TWO))
    assert "going on after step" in said
    logs = [
        (tmp_path / name / "report" / log.LOG_FILE).read_bytes() for name in ("whole", "killed")
    ]
    assert logs[0] == logs[1]


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_asked_to_stop_saves_and_names_the_command_that_goes_on(
    tmp_path, pictures, asked
):
    more = ("--per_device_train_batch_size", "4", "--num_train_epochs", "30")
    process = finetune(tmp_path, pictures, "model", *more)
    after_a_step(process, tmp_path / "model.training", 3)
    os.kill(process.pid, asked)
    said = ended(process)  # with 0
    assert not (tmp_path / "model").exists()
    (command,) = [
        line for line in said.splitlines() if line.strip().startswith("hf-resnet finetune")
    ]
    program, *words = shlex.split(command)
    assert program == "hf-resnet"
    process = begin(["-m", "hf_resnet", *words], tmp_path)
    after_a_step(process, tmp_path / "model.training", 12)
    os.kill(process.pid, signal.SIGTERM)
    assert "going on after step" in ended(process)
