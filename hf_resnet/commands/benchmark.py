"""hf-resnet benchmark: ours against what a person would otherwise run, side by side in one run."""

import dataclasses
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console

from hf_resnet.bench import SUBJECTS, subject
from hf_resnet.bench.shown import draw, line, table
from hf_resnet.bench.summary import Found
from hf_resnet.bench.task import Outcome, Subject, Task
from hf_resnet.config import BenchmarkConfig
from hf_resnet.errors import HfResnetError
from hf_resnet.screen import one_line, screen
from hf_resnet.writing import on_disk

MANY = 10**9


def run(config: BenchmarkConfig) -> None:
    """Run all sides in turn, several rounds; print ratios, and write JSON, a table and a chart."""
    console = screen()
    names = [*SUBJECTS, "device"] if config.subject == "all" else [config.subject]
    found: dict[str, Found] = {}
    device: dict[str, Any] | None = None
    for name in names:
        if name == "device":
            device = _device(config, console)
        else:
            found[name] = _measured(config, name, console)
        _write(config, found, device)
    console.print(one_line(f"written to {config.output_dir}"))


def _measured(config: BenchmarkConfig, name: str, console: Console) -> Found:
    """One subject, in all its cases."""
    wanted = subject(name)
    found = Found(wanted.title)
    console.print(one_line(f"{name}: {wanted.title}"))
    with tempfile.TemporaryDirectory() as folder:
        for case, task in _cases(config, wanted, folder):
            problems = _in_process(name, "prepare", task, wanted) if wanted.prepare else {}
            rounds: dict[str, list[Outcome]] = {side: [] for side in wanted.sides}
            for _ in range(config.rounds):
                for side in wanted.sides:
                    if side in problems:
                        continue
                    outcome = _in_process(name, side, task, wanted)
                    if "problem" in outcome:
                        problems[side] = outcome["problem"]
                    else:
                        rounds[side].append(_outcome(outcome))
            before = len(found.rows)
            found.add(case, wanted, rounds, problems)
            for row in found.rows[before:]:
                console.print(one_line(line(row)))
    return found


def _cases(config: BenchmarkConfig, wanted: Subject, folder: str) -> Iterator[tuple[str, Task]]:
    """Each case with its task; without those of more pictures than were asked for."""
    task = Task(
        model=config.model_name_or_path or wanted.model,
        dataset=config.dataset_name,
        pictures=config.max_train_samples or wanted.pictures or Task.pictures,
        test_pictures=config.max_eval_samples,
        epochs=config.num_train_epochs,
        batch=config.per_device_train_batch_size,
        views=config.views,
        method=config.method,
        threads=os.cpu_count() or 1,
        image_size=config.image_size,
        folder=folder,
    )
    most = config.max_train_samples or MANY
    for case, changes in wanted.cases.items():
        if changes.get("pictures", 0) <= most:
            yield case, replace(task, **changes)


def _in_process(name: str, side: str, task: Task, wanted: Subject) -> dict[str, Any]:
    """What one side says, in a process of its own."""
    environment = dict(
        os.environ, OMP_NUM_THREADS=str(task.threads), HF_HUB_DISABLE_PROGRESS_BARS="1"
    )
    if side in wanted.usual:  # what our command line sets, a person's own script does not
        environment.pop("OMP_WAIT_POLICY", None)
    done = subprocess.run(
        [sys.executable, "-m", "hf_resnet.bench", name, side, json.dumps(dataclasses.asdict(task))],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        env=environment,
    )
    if done.returncode:
        raise HfResnetError(f"the side {side!r} did not end well; its own message stands above")
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def _outcome(said: dict[str, Any]) -> Outcome:
    return Outcome(**{**said, "answers": tuple(said["answers"])})


def _device(config: BenchmarkConfig, console: Console) -> dict[str, Any]:
    """Training steps on this machine's device, against its own peak."""
    from hf_resnet.bench.device import speed

    model = config.model_name_or_path or Subject.model
    task = Task(model=model, image_size=config.image_size)
    found = speed(task.classifier(), config.per_device_train_batch_size or 32)
    console.print(
        f"{model} on {found.device} in {found.precision}, batches of {found.batch}: "
        f"{found.pictures_a_second:,.1f} pictures a second, {100 * found.share_of_peak:.0f} % of the "
        f"{found.peak_tera_operations:,.2f} tera operations a second that it reaches in matrix products"
    )
    return {**dataclasses.asdict(found), "share_of_peak": found.share_of_peak}


def _write(config: BenchmarkConfig, found: dict[str, Found], device: dict[str, Any] | None) -> None:
    place = Path(config.output_dir)
    content: dict[str, Any] = {"machine": _machine()}
    content |= {name: dataclasses.asdict(each) for name, each in found.items()}
    content |= {} if device is None else {"device": device}
    with on_disk(f"the outcome in {place}", "name another --output_dir"):
        place.mkdir(parents=True, exist_ok=True)
        text = json.dumps(content, indent=2) + "\n"
        (place / "benchmark.json").write_text(text, encoding="utf-8")
        if found:
            (place / "benchmark.md").write_text(table(found), encoding="utf-8")
            draw(found, place / "benchmark.png")


def _machine() -> dict[str, Any]:
    """What the figures hang on."""
    packages = ("hf-resnet", "torch", "transformers", "timm", "datasets", "pillow", "numpy")
    return {
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "versions": {name: version(name) for name in packages},
    }
