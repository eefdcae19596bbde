"""What befalls one process of several ends the run, soon, with its reason in one line."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hf_resnet.training.checkpoint import steps_in
from tests.test_training_head import colourful
from tests.test_training_processes import FLAGS, REPOSITORY, TWO

pytestmark = pytest.mark.slow

STRUCK = """
import os, signal, sys
import torch
from hf_resnet.cli import run_command
from hf_resnet.errors import DataError
from hf_resnet.training.step import Stepper

def meets(self, number, batches):
    if number == 5 and WHAT == "a lost picture":
        raise DataError("cat/12.jpg: it is gone")
    if number == 5 and WHAT == "a kill":
        os.kill(os.getpid(), signal.SIGKILL)
    self.struck = number == 5
    return call(self, number, batches)

def loss(self, *given):
    value = plain(self, *given)
    if self.struck and WHAT == "no memory":
        raise torch.OutOfMemoryError("no room")
    return value * float("inf") if self.struck and WHAT == "an overflow" else value

WHAT = sys.argv.pop(1)
call, plain = Stepper.__call__, Stepper._loss
if os.environ["RANK"] == "1":
    Stepper.__call__, Stepper._loss = meets, loss
raise SystemExit(run_command("finetune"))
"""


def struck(what: str, tmp_path: Path, *more: str) -> str:
    """What a run of two processes says, the second of which meets this in its sixth step."""
    pictures = colourful(tmp_path / "pictures", {"blue": 16, "green": 20, "red": 18})
    script = tmp_path / "struck.py"
    script.write_text(STRUCK)
    where = ("--train_dir", str(pictures), "--output_dir", str(tmp_path / "model"))
    process = subprocess.Popen(
        [sys.executable, *TWO, str(script), what, *FLAGS, *where, *more],
        cwd=REPOSITORY,
        env=os.environ
        | {"HF_RESNET_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
        | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=300)
    finally:
        if process.poll() is None:  # it hangs: the processes that it started go with it
            os.killpg(process.pid, signal.SIGTERM)
    assert process.returncode != 0
    assert [path.name for path in steps_in(tmp_path / "model.training")][-1] == "step-00000004"
    return said


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("a lost picture", "error: cat/12.jpg: it is gone"),
        ("a kill", "error: another process of this run has ended"),
        ("no memory", "error: process 1 is out of memory with 4 pictures at once"),
        ("an overflow", "error: learning has come apart at step 6"),
    ],
)
def test_what_befalls_one_process_is_said_in_one_line_and_the_checkpoints_stay(
    what, reason, tmp_path
):
    more = ("--precision", "fp16") if what == "an overflow" else ()
    said = struck(what, tmp_path, "--per_device_train_batch_size", "4", *more)
    lines = [line for line in said.splitlines() if line.startswith("error:")]
    assert any(line.startswith(reason) for line in lines), said[-3000:]
    assert "hf_resnet/training" not in said  # no traceback of ours
