"""A run and its memory: what it will need is shown, and made to fit where there is a budget.

The surprise: the process is measured as it is, and one that goes on is not what it was at first (its
features lie on disk). So a run that goes on keeps the plan that it began with.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from rich.table import Table

from hf_resnet.classifier import Classifier
from hf_resnet.config import ComputeConfig, bytes_of
from hf_resnet.errors import ModelError
from hf_resnet.jsonfile import read_object
from hf_resnet.precision import precision_for
from hf_resnet.training.choice import Choice, TrainedMethod
from hf_resnet.training.memory import Setup, alternatives, fit, room, table
from hf_resnet.training.optimiser import keeps_statistics

PLAN_FILE = "plan.json"
_DECIDED = {"batch": int, "accumulation": int, "eval_batch": int, "recompute": bool, "method": str}


@dataclass(frozen=True)
class Planned:
    """The choice and the way of computing that fit, and the table that shows why."""

    choice: Choice
    compute: ComputeConfig
    table: Table
    kept: dict[str, Any]
    """The plan as a run that goes on finds it again."""


def planned(
    choice: Choice,
    classifier: Classifier,
    compute: ComputeConfig,
    accelerator: Accelerator,
    begun: Path | None = None,
) -> Planned:
    """Ask before the network learns, since the process is measured as it is now; begun is the folder
    of a run to go on with, whose plan holds for as long as it is asked to fit the same."""
    asked = choice.config.memory_budget
    budget = None if asked is None else bytes_of(asked)
    setup = _setup(choice, classifier, compute, accelerator)
    share = {"budget": asked, "processes": accelerator.num_processes}
    if budget is not None:
        known = _known(begun, share) if begun else None
        # asked of all alike: one of them may see no folder
        setup = _agreed(
            replace(setup, **known) if known else fit(classifier.network, setup, budget)
        )
    config = replace(
        choice.config,
        per_device_train_batch_size=setup.batch,
        gradient_accumulation_steps=setup.accumulation,
        gradient_checkpointing=setup.recompute,
    )
    rows = alternatives(classifier.network, setup)
    return Planned(
        replace(choice, method=setup.method, config=config),
        replace(compute, per_device_eval_batch_size=setup.eval_batch),
        table(rows, setup, budget=budget, there=room(setup.device)),
        {**share, **{name: getattr(setup, name) for name in _DECIDED}},
    )


def keep(plan: Planned, folder: Path) -> None:
    """Write the plan beside the checkpoints."""
    (folder / PLAN_FILE).write_text(json.dumps(plan.kept) + "\n", encoding="utf-8")


def _known(folder: Path, share: dict[str, Any]) -> dict[str, Any] | None:
    """What the run in the folder decided on; None where it was asked for otherwise, or is damaged."""
    try:
        stored = read_object(folder / PLAN_FILE)
    except ModelError:
        return None
    found = {name: stored.get(name) for name in _DECIDED}
    is_whole = all(type(found[name]) is kind for name, kind in _DECIDED.items())
    same = {name: stored.get(name) for name in share} == share
    numbers = [value for value in found.values() if type(value) is int]
    is_sound = is_whole and min(numbers) > 0 and found["method"] in get_args(TrainedMethod)
    return found if same and is_sound else None


def _agreed(setup: Setup) -> Setup:
    """What the main process found: each is measured for itself, and all have to learn alike."""
    found = [setup]
    broadcast_object_list(found)
    return found[0]


def _setup(
    choice: Choice, classifier: Classifier, compute: ComputeConfig, accelerator: Accelerator
) -> Setup:
    config = choice.config
    return Setup(
        batch=config.per_device_train_batch_size,
        size=classifier.preprocess.size,
        method=choice.method,
        optim=config.optim,
        precision=precision_for(compute.precision, accelerator.device),
        recompute=config.gradient_checkpointing,
        frozen_norms=keeps_statistics(classifier.network, config),
        ema=config.ema_decay > 0,
        l2_sp=config.l2_sp > 0,
        accumulation=config.gradient_accumulation_steps,
        workers=compute.dataloader_num_workers,
        eval_batch=compute.per_device_eval_batch_size,
        device=str(accelerator.device),
    )
