"""The memory plan against what a run takes: predicted and measured peaks, each in a fresh process.

`python -m hf_resnet.bench.memory` goes through a list of networks and setups. A run here is what
finetune does (its copies of the weights, steps, a judgement, steps), on random pixels and without
worker processes. On CUDA the measured peak is that of PyTorch's allocator, which the driver's own part
is added to; elsewhere it is the resident memory of the process.
"""

import contextlib
import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from rich.console import Console

from hf_resnet.backbones import Network
from hf_resnet.backbones.stages import stages_of
from hf_resnet.classifier import Classifier, open_classifier
from hf_resnet.config import ComputeConfig, ModelConfig, TrainConfig
from hf_resnet.engine import Engine
from hf_resnet.errors import HfResnetError
from hf_resnet.heap import keep_freed_memory
from hf_resnet.training.average import Average
from hf_resnet.training.examples import Examples_B
from hf_resnet.training.frozen_norms import FrozenNorms
from hf_resnet.training.memory import Need, Setup, in_words, need
from hf_resnet.training.optimiser import freeze, optimiser, ready_to_learn
from hf_resnet.training.recompute import recomputing
from hf_resnet.training.step import Stepper

STEPS = 2  # before the judgement and again after it: holes in the heap take some steps to form


def measured(model: str, setup: Setup) -> tuple[Need, int]:
    """What was predicted and what was measured, in a process of its own."""
    words = [sys.executable, "-m", "hf_resnet.bench.memory", model, json.dumps(asdict(setup))]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise HfResnetError(f"measuring {model} did not end well; its own message stands above")
    found = json.loads(done.stdout.splitlines()[-1])
    return Need(**found["need"]), int(found["peak"])


def one(model: str, setup: Setup) -> tuple[Need, int]:
    """The same, in this process, which has done nothing else."""
    keep_freed_memory()
    random_init = model.startswith("timm:")  # its trained weights would have to be fetched
    classifier = open_classifier(ModelConfig(model_name_or_path=model, random_init=random_init))
    accelerator = Accelerator()
    setup = replace(setup, device=accelerator.device.type)
    predicted = need(classifier.network, setup)
    precision = ComputeConfig(
        precision=setup.precision, per_device_eval_batch_size=setup.eval_batch
    )
    if setup.method == "head":
        _judge(classifier.network, setup, precision, accelerator.device)
    else:
        _train(classifier, setup, precision, accelerator)
    return predicted, _peak(accelerator.device)


def _train(
    classifier: Classifier, setup: Setup, compute: ComputeConfig, accelerator: Accelerator
) -> None:
    network = copy.deepcopy(classifier.network).to(accelerator.device)
    network = network.to(memory_format=torch.channels_last)
    trained = 1 if setup.method == "last_stage" else len(stages_of(network))
    freeze(network, trained)
    config = TrainConfig(optim=setup.optim, learning_rate=1e-4, layer_decay=0.7)
    stepper = Stepper(
        wrapped=network,
        optimizer=optimiser(network, config),
        config=config,
        preprocess=classifier.preprocess,
        class_weight_K=np.ones(network.classes),
        accelerator=accelerator,
        seed=0,
        precision=setup.precision,
        tell=print,
        norms=FrozenNorms(network, setup.size),
    )
    average = Average(network, 0.9) if setup.ema else None
    best = {}
    with recomputing(network) if setup.recompute else contextlib.nullcontext():
        for number in range(2 * STEPS):
            if number in (0, STEPS):
                stepper.optimizer.zero_grad()
                _judge(network, setup, compute, accelerator.device)
                best = {name: each.cpu().clone() for name, each in network.state_dict().items()}
                ready_to_learn(network, trained, frozen_norms=setup.frozen_norms)
            stepper(number, list(_pictures(setup, network.classes)))
            if average is not None:
                average.update(network, number)
    del best


def _judge(network: Network, setup: Setup, compute: ComputeConfig, device: torch.device) -> None:
    pixels_BCHW = np.zeros((setup.eval_batch, 3, *setup.size), np.float32)
    Engine(network, compute, device).logits(pixels_BCHW)


def _pictures(setup: Setup, classes: int) -> Iterator[Examples_B]:
    for _ in range(setup.accumulation):
        pixels_BHWC = torch.randint(0, 256, (setup.batch, *setup.size, 3), dtype=torch.uint8)
        yield pixels_BHWC, torch.randint(0, classes, (setup.batch,))


def _peak(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    line = next(line for line in lines if line.startswith("VmHWM"))
    return int(line.split()[1]) << 10


def cases() -> Iterator[tuple[str, Setup]]:
    """The networks and setups that the plan is held against."""
    plain = Setup(batch=8, size=(224, 224), method="full", precision="bf16")
    for batch in (8, 16, 32):
        for precision in ("bf16", "fp32"):
            start = replace(plain, batch=batch, precision=precision)
            for recompute in (False, True):
                yield "timm:resnet50", replace(start, recompute=recompute)
                yield "timm:resnet50", replace(start, recompute=recompute, method="last_stage")
    for batch in (16, 32):
        yield "packaged:efficientnet-lite0", replace(plain, batch=batch)
        yield "packaged:efficientnet-lite0", replace(plain, batch=batch, recompute=True)
    for changes in ({}, {"recompute": True}, {"precision": "fp32"}, {"method": "last_stage"}):
        start = replace(plain, batch=16, optim="adamw", ema=True)
        yield "timm:vit_small_patch16_224", replace(start, **changes)
    yield "timm:convnext_tiny", replace(plain, optim="adamw")
    yield "scratch:resnet18", replace(plain, batch=32)
    yield "timm:resnet50", replace(plain, accumulation=4)
    yield "timm:resnet50", replace(plain, method="head")


def main() -> None:
    """Without arguments the whole list; with MODEL and SETUP_JSON that one, in this process."""
    if len(sys.argv) == 3:
        setup = json.loads(sys.argv[2])
        setup["size"] = tuple(setup["size"])
        predicted, peak = one(sys.argv[1], Setup(**setup))
        sys.stdout.write(json.dumps({"need": asdict(predicted), "peak": peak}) + "\n")
        return
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for model, setup in cases():
        predicted, peak = measured(model, setup)
        console.print(
            f"{model:28} {setup.method:10} {setup.precision} batch {setup.batch:2}"
            f" x {setup.accumulation} {'recomputed' if setup.recompute else '':10}"
            f" predicted {in_words(predicted.total):8} measured {in_words(peak):8}"
            f" ratio {predicted.total / peak:.2f}"
        )


if __name__ == "__main__":
    main()
