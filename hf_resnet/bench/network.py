"""Training a whole network: ours against the way of the transformers no-trainer example.

The plain side does what that script does with its defaults (batches of 8, AdamW at 5e-5 with a
linear decay, 3 epochs, a new random head, fp32, crops of 8 to 100 % and flips), but for what the
task sets for both sides: epochs and batch. It is given worker processes that decode, which the
script has not. Ours is `finetune` as it is, its fitted head included.
"""

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import nn

from hf_resnet.bench.head_fit import learned_from
from hf_resnet.bench.task import Outcome, Subject, Task, accuracy_of, peak_megabytes
from hf_resnet.classifier import Classifier
from hf_resnet.config import ComputeConfig, HeadConfig, TrainConfig
from hf_resnet.evaluation.judge import judge
from hf_resnet.heap import keep_freed_memory
from hf_resnet.labels import Labels
from hf_resnet.training.choice import choose
from hf_resnet.training.head import train_head
from hf_resnet.training.network import train_network
from hf_resnet.training.optimiser import knows_nothing
from hf_resnet.training.setting import Setting

RATE, EPOCHS, BATCH = 5e-5, 3, 8


def ours(task: Task) -> Outcome:
    """finetune with the task's method; nothing is cached beforehand."""
    import numpy as np

    keep_freed_memory()
    classifier, data = task.classifier(), task.data()
    assert data.train is not None and data.validation is not None  # noqa: S101  the samples have both
    validation = data.validation
    compute = ComputeConfig(dataloader_num_workers=task.threads)
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    config = TrainConfig(num_train_epochs=task.epochs)
    if task.batch is not None:
        config = replace(config, per_device_train_batch_size=task.batch)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        head = HeadConfig(feature_cache_dir=folder)
        fitted = train_head(classifier, data, head, compute, accelerator=accelerator)
        count_K = np.bincount(fitted.learned.label_N)
        untrained = knows_nothing(classifier.network)
        choice = choose(task.method, config, count_K, untrained=untrained)
        trained, pace = fitted, 0.0
        if choice.method != "head":
            setting = Setting(
                folder=Path(folder) / "training",
                accelerator=accelerator,
                compute=compute,
                seed=0,
                identity={},
                judge=lambda found: judge(found, validation, compute, accelerator),
                tell=lambda text: print(text, file=sys.stderr),  # noqa: T201
            )
            done = train_network(fitted, data.train, choice, setting)
            assert done is not None  # noqa: S101  nobody asks it to stop
            trained = done
            pace = done.facts["steps"] * done.facts["batch"] / done.facts["seconds_of_training"]
        seconds = time.perf_counter() - began
    peak = peak_megabytes()
    return Outcome(seconds, pace, peak, accuracy_of(trained.classifier, data))


def plain(task: Task) -> Outcome:
    """The example's loop."""
    classifier, data = task.classifier(), task.data()
    torch.manual_seed(0)
    network = classifier.network.with_head(
        *_random_head(classifier, len(data.labels))
    ).requires_grad_(True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.0)
    batch, epochs = task.batch or BATCH, int(task.epochs or EPOCHS)
    steps = epochs * -(-task.pictures // batch)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
    network.train()
    began = time.perf_counter()
    for _ in range(epochs):
        for pixels_BCHW, label_B in learned_from(data, classifier, batch, task.threads):
            loss = nn.functional.cross_entropy(network(pixels_BCHW), label_B)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    seconds = time.perf_counter() - began
    peak = peak_megabytes()
    trained = replace(
        classifier, network=network.eval(), labels=Labels(data.labels.names), feature_mean_D=None
    )
    pace = epochs * task.pictures / seconds
    return Outcome(seconds, pace, peak, accuracy_of(trained, data))


def _random_head(classifier: Classifier, classes: int) -> tuple[torch.Tensor, torch.Tensor | None]:
    """As a new layer of torch begins."""
    layer = nn.Linear(classifier.network.width, classes)
    bias = layer.bias.detach() if classifier.network.bias_K is not None else None
    return layer.weight.detach(), bias


SUBJECT = Subject(
    "Training a whole network", {"plain": plain, "ours": ours}, usual=("plain",), pictures=200
)
