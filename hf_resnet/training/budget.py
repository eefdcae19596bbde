"""A run and its memory: what it will need is shown, and made to fit where there is a budget."""

from dataclasses import dataclass, replace

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from rich.table import Table

from hf_resnet.classifier import Classifier
from hf_resnet.config import ComputeConfig, bytes_of
from hf_resnet.precision import precision_for
from hf_resnet.training.choice import Choice
from hf_resnet.training.memory import Setup, alternatives, fit, table


@dataclass(frozen=True)
class Planned:
    """The choice and the way of computing that fit, and the table that shows why."""

    choice: Choice
    compute: ComputeConfig
    table: Table


def planned(
    choice: Choice, classifier: Classifier, compute: ComputeConfig, accelerator: Accelerator
) -> Planned:
    """Ask before the network learns, since the process is measured as it is now."""
    asked = choice.config.memory_budget
    budget = None if asked is None else bytes_of(asked)
    setup = _setup(choice, classifier, compute, accelerator)
    if budget is not None:
        setup = _agreed(fit(classifier.network, setup, budget))
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
        table(rows, setup, budget=budget),
    )


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
        ema=config.ema_decay > 0,
        l2_sp=config.l2_sp > 0,
        accumulation=config.gradient_accumulation_steps,
        workers=compute.dataloader_num_workers,
        eval_batch=compute.per_device_eval_batch_size,
        device=str(accelerator.device),
    )
