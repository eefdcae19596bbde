"""Runs of training killed at random moments and gone on with, compared with one that was left alone.

`python -m tests.kills 300` kills 300 times. Each run is a real process that is sent a real
SIGKILL, at any moment after its first step: while it learns, judges, writes a checkpoint or puts the
model folder in its place. After every kill the same command is given again. In the end the whole log
of losses and the weights have to equal those of the run that was left alone, to the last bit.
"""

import multiprocessing
import os
import random
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hf_resnet.cli import run_command

PRELOADED = ["torch", "torchvision.transforms.v2", "transformers", "hf_resnet.commands.finetune"]
LONGEST = 300.0
FLAGS = (
    *("--model_name_or_path", "scratch:resnet20-cifar", "--method", "full"),
    *("--image_size", "32", "--per_device_train_batch_size", "16", "--num_train_epochs", "2"),
    *("--checkpointing_steps", "1", "--mixup", "0.2", "--color_jitter", "0.2"),
    *("--ema_decay", "0.9", "--max_eval_samples", "40", "--overwrite_output_dir"),
)


@dataclass(frozen=True)
class Tally:
    """What a series of kills came to."""

    kills: int
    runs: int
    equal: int
    """Runs whose log and weights equal those of the run that was left alone."""


def series(kills: int, folder: Path, flags: Sequence[str], *, seed: int = 0) -> Tally:
    """Kill that many times, over as many runs as that takes."""
    chance, flags = random.Random(seed), (*FLAGS, *flags)  # noqa: S311  no secret hangs on it
    whole = folder / "whole"
    process = _begin(whole, flags)
    _wait_for_a_step(process, whole)
    began = time.monotonic()
    process.join(LONGEST)
    longest = time.monotonic() - began
    made = _made(whole)
    done = runs = equal = 0
    while done < kills:
        place = folder / f"killed-{runs}"
        while _killed(_begin(place, flags), place, chance.uniform(0, longest)):
            done += 1
        runs += 1
        equal += _made(place) == made
        shutil.rmtree(place)
    return Tally(done, runs, equal)


def _begin(place: Path, flags: Sequence[str]) -> "multiprocessing.process.BaseProcess":
    """A process of its own for the command; the libraries are loaded already, which takes longest."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    process = context.Process(target=_command, args=(place, list(flags)))
    process.start()
    return process


def _command(place: Path, flags: list[str]) -> None:
    import torch

    torch.set_num_threads(1)
    said = place.with_suffix(".txt").open("a", encoding="utf-8")
    sys.stdout = sys.stderr = said
    code = run_command("finetune", [*flags, "--output_dir", str(place)])
    said.flush()
    os._exit(code)


def _killed(process: "multiprocessing.process.BaseProcess", place: Path, after: float) -> bool:
    """Kill the process so long after it began to learn; False where it was done before that."""
    _wait_for_a_step(process, place)
    process.join(after)
    if process.is_alive():
        process.kill()
        process.join()
        return True
    if process.exitcode:
        raise RuntimeError(f"the run in {place} ended with {process.exitcode}, unkilled")
    return False


def _wait_for_a_step(process: "multiprocessing.process.BaseProcess", place: Path) -> None:
    log = place.with_name(f"{place.name}.training") / "log.jsonl"
    before = log.stat().st_mtime_ns if log.exists() else 0
    while process.is_alive() and not (log.exists() and log.stat().st_mtime_ns > before):
        process.join(0.01)


def _made(place: Path) -> tuple[bytes, bytes]:
    return (place / "report" / "log.jsonl").read_bytes(), (place / "model.safetensors").read_bytes()


def main() -> None:
    """`python -m tests.kills KILLS FOLDER [FINETUNE FLAGS]`."""
    kills, folder, *flags = sys.argv[1:]
    tally = series(int(kills), Path(folder), flags or ("--dataset_name", "sample:digits"))
    sys.stdout.write(f"{tally}\n")


if __name__ == "__main__":
    main()
