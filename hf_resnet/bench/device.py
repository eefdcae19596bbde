"""How fast this machine's device trains a network, and what share of its own peak that is.

Pictures are made up and lie on the device as bytes, are mirrored and made numbers there, and go
through whole training steps (bf16 where the hardware is built for it, channels last, compiled on a
GPU). The peak is what the same device reaches in large matrix products of the same precision, so
that the share says how much of the hardware training uses. Nothing is read from disk: what decoding
costs is another question.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from accelerate import Accelerator

from hf_resnet.anatomy.count import anatomy_of
from hf_resnet.classifier import Classifier
from hf_resnet.config import ComputeConfig, TrainConfig
from hf_resnet.precision import DTYPES, Precision, precision_for
from hf_resnet.training.choice import choose
from hf_resnet.training.frozen_norms import FrozenNorms
from hf_resnet.training.optimiser import freeze, optimiser, ready_to_learn, set_rate
from hf_resnet.training.step import Stepper

BACKWARD_TOO = 3  # a training step multiplies about three times what answering does
_SIDES = {"cuda": 8192, "mps": 4096, "cpu": 1024}


@dataclass(frozen=True)
class Speed:
    """What was reached."""

    device: str
    precision: str
    batch: int
    pictures_a_second: float
    tera_operations: float
    """Multiplications and additions a second, in 10^12, that the training steps came to."""

    peak_tera_operations: float

    @property
    def share_of_peak(self) -> float:
        return self.tera_operations / self.peak_tera_operations


def speed(classifier: Classifier, batch: int, steps: int = 20) -> Speed:
    """Of training steps with made-up pictures."""
    on_cpu = not (torch.cuda.is_available() or torch.backends.mps.is_available())
    accelerator = Accelerator(cpu=on_cpu)
    device = accelerator.device
    precision = precision_for(ComputeConfig().precision, device)
    step = _step(classifier, batch, accelerator, precision)
    seconds = _seconds(step, device, warm=3 if device.type == "cpu" else 10, times=steps)
    pace = batch / seconds
    side = classifier.preprocess.size
    multiply_adds = anatomy_of(classifier.network, side).multiply_adds
    return Speed(
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        precision=precision,
        batch=batch,
        pictures_a_second=pace,
        tera_operations=pace * 2 * BACKWARD_TOO * multiply_adds / 1e12,
        peak_tera_operations=_peak(device, precision) / 1e12,
    )


def _step(
    classifier: Classifier, batch: int, accelerator: Accelerator, precision: Precision
) -> Callable[[], object]:
    device, network = accelerator.device, classifier.network
    network = network.to(device).to(memory_format=torch.channels_last)
    choice = choose("full", TrainConfig(), torch.ones(2).numpy(), untrained=True)
    norms = FrozenNorms(network, classifier.preprocess.size)
    freeze(network, choice.stages(4))
    ready_to_learn(network, choice.stages(4), frozen_norms=False)
    optimizer = optimiser(network, choice.config)
    set_rate(optimizer, 1e-4)
    take = Stepper(
        wrapped=torch.compile(network) if device.type == "cuda" else network,  # type: ignore[arg-type]
        optimizer=optimizer,
        config=choice.config,
        preprocess=classifier.preprocess,
        class_weight_K=torch.ones(len(classifier.labels)).numpy(),
        accelerator=accelerator,
        seed=0,
        precision=precision,
        tell=lambda text: None,
        norms=norms,
    )
    height, width = classifier.preprocess.size
    pixels_BHWC = torch.randint(0, 256, (batch, height, width, 3), dtype=torch.uint8, device=device)
    label_B = torch.randint(0, len(classifier.labels), (batch,), device=device)

    def once() -> object:
        mirrored_B = torch.rand(batch, 1, 1, 1, device=device) < 0.5
        changed_BHWC = torch.where(mirrored_B, pixels_BHWC.flip(2), pixels_BHWC)
        return take(0, [(changed_BHWC, label_B)])

    return once


def _peak(device: torch.device, precision: Precision) -> float:
    """Operations a second in the product of two large matrices."""
    side = _SIDES[device.type]
    one = torch.randn(side, side, device=device, dtype=DTYPES[precision])
    return 2 * side**3 / _seconds(lambda: one @ one, device, warm=5, times=20)


def _seconds(work: Callable[[], object], device: torch.device, *, warm: int, times: int) -> float:
    """How long one call takes, when it is in its stride."""
    for _ in range(warm):
        work()
    _wait(device)
    began = time.perf_counter()
    for _ in range(times):
        work()
    _wait(device)
    return (time.perf_counter() - began) / times


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
