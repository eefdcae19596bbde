"""hf-resnet benchmark: ours against the plain way, side by side in one run."""

import dataclasses
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from hf_resnet.bench.task import Outcome, Task
from hf_resnet.config import BenchmarkConfig
from hf_resnet.errors import HfResnetError
from hf_resnet.screen import screen

SIDES = ("plain", "ours")


def run(config: BenchmarkConfig) -> None:
    """Run both sides in turn, several rounds; print medians, ratios and accuracies; write JSON."""
    console = screen()
    if config.subject == "device":
        _write(config, _device(config, console))
        return
    task = Task(
        model=config.model_name_or_path,
        dataset=config.dataset_name,
        pictures=config.max_train_samples,
        test_pictures=config.max_eval_samples,
        epochs=config.num_train_epochs,
        batch=config.per_device_train_batch_size,
        views=config.views,
        method=config.method,
        threads=os.cpu_count() or 1,
        image_size=config.image_size,
    )
    console.print(f"{config.subject} of {task.model}, {task.pictures} pictures of {task.dataset}")
    found: dict[str, list[Outcome]] = {side: [] for side in SIDES}
    for number in range(config.rounds):
        for side in SIDES:
            outcome = one_side(config.subject, side, task)
            found[side].append(outcome)
            console.print(
                f"  round {number + 1}, {side}: {outcome.seconds:.1f} s, "
                f"{outcome.pictures_a_second:.1f} pictures a second, "
                f"{outcome.peak_megabytes:,.0f} MB, accuracy {100 * outcome.accuracy:.1f} %"
            )
    summary = summarised(found)
    console.print(
        f"{config.subject}: done {summary['times_faster']:.1f} times sooner, "
        f"{summary['times_the_pace']:.1f} times the pictures a second, "
        f"{summary['share_of_memory']:.2f} of the memory (medians of {config.rounds} rounds); "
        f"accuracy {100 * summary['accuracy']['ours']:.1f} % against "
        f"{100 * summary['accuracy']['plain']:.1f} % on {task.test_pictures} other pictures"
    )
    _write(config, {"task": dataclasses.asdict(task), **summary})


def _device(config: BenchmarkConfig, console: Console) -> dict[str, Any]:
    """Training steps on this machine's device, against its own peak."""
    from hf_resnet.bench.device import speed

    task = Task(model=config.model_name_or_path, image_size=config.image_size)
    found = speed(task.classifier(), config.per_device_train_batch_size or 32)
    console.print(
        f"{config.model_name_or_path} on {found.device} in {found.precision}, batches of "
        f"{found.batch}: {found.pictures_a_second:,.1f} pictures a second, "
        f"{100 * found.share_of_peak:.0f} % of the {found.peak_tera_operations:,.2f} tera operations a "
        "second that it reaches in matrix products"
    )
    return {**dataclasses.asdict(found), "share_of_peak": found.share_of_peak}


def _write(config: BenchmarkConfig, found: dict[str, Any]) -> None:
    place = Path(config.output_dir)
    place.mkdir(parents=True, exist_ok=True)
    text = json.dumps({config.subject: found}, indent=2) + "\n"
    (place / "benchmark.json").write_text(text, encoding="utf-8")


def summarised(found: dict[str, list[Outcome]]) -> dict[str, Any]:
    """Medians, and the ratios of the rounds' pairs, which drift of the machine does not touch."""
    pairs = list(zip(found["plain"], found["ours"], strict=True))
    return {
        "times_faster": statistics.median(plain.seconds / ours.seconds for plain, ours in pairs),
        "times_the_pace": statistics.median(
            ours.pictures_a_second / plain.pictures_a_second for plain, ours in pairs
        ),
        "share_of_memory": statistics.median(
            ours.peak_megabytes / plain.peak_megabytes for plain, ours in pairs
        ),
        "seconds": {side: statistics.median(o.seconds for o in found[side]) for side in SIDES},
        "accuracy": {side: statistics.median(o.accuracy for o in found[side]) for side in SIDES},
        "rounds": {side: [dataclasses.asdict(o) for o in found[side]] for side in SIDES},
    }


def one_side(subject: str, side: str, task: Task) -> Outcome:
    """One side in a process of its own."""
    words = [sys.executable, "-m", "hf_resnet.bench", subject, side]
    environment = dict(os.environ)
    if side == "plain":  # what our command line sets, a person's own script does not
        environment.pop("OMP_WAIT_POLICY", None)
    done = subprocess.run(
        [*words, json.dumps(dataclasses.asdict(task))],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        env=environment,
    )
    if done.returncode:
        raise HfResnetError(f"the {side} side did not end well; its own message stands above")
    return Outcome(**json.loads(done.stdout.splitlines()[-1]))
