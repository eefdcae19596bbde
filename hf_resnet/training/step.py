"""One step of training: pictures in, weights changed, a loss and the length of the gradient out.

Knows nothing of epochs, checkpoints or judging. Random numbers (dropout, mixing) are set from the
seed, the step and the process before each step, so that a step does the same whatever came before.
Every picture counts by the whole step's number of pictures, so that accumulation, a smaller batch
after a lack of memory, and several processes give the same gradient. The surprise: where memory runs
out, the step is done again in smaller pieces, and all later ones as well (of several processes none
can do so alone: that ends the run); and where numbers of 16 bits overflow, again with a smaller scale
of the loss.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from hf_resnet.config import TrainConfig
from hf_resnet.errors import ConfigError, counted
from hf_resnet.precision import Precision, autocast
from hf_resnet.preprocess import Preprocess
from hf_resnet.training.examples import Examples_B, as_numbers
from hf_resnet.training.frozen_norms import FrozenNorms
from hf_resnet.training.optimiser import learns_statistics

FIRST_LOSS_SCALE = 2.0**16


@dataclass
class Stepper:
    """What stays the same from step to step; `pieces` alone may grow."""

    wrapped: nn.Module
    """The network as the processes share it."""

    optimizer: torch.optim.Optimizer
    config: TrainConfig
    preprocess: Preprocess
    class_weight_K: np.ndarray
    accelerator: Accelerator
    seed: int
    precision: Precision
    tell: Callable[[str], None]
    norms: FrozenNorms
    """Worked into the convolutions before them where their statistics stay."""

    anchor: Sequence[tuple[nn.Parameter, Tensor]] = ()
    """Weights with what they were at the beginning, for L2-SP."""

    pieces: int = 1
    loss_scale: float = 1.0
    """The loss is so much larger while gradients are computed, or the smallest of them would be lost
    in fp16; it may only shrink."""

    def __post_init__(self) -> None:
        if self.precision == "fp16":
            self.loss_scale = FIRST_LOSS_SCALE
        self._device = self.accelerator.device
        self._weight_K = torch.tensor(self.class_weight_K, dtype=torch.float32).to(self._device)
        self._learning = [p for g in self.optimizer.param_groups for p in g["params"]]
        self._mix = _mixing(self.config, len(self._weight_K))

    def __call__(self, number: int, batches: Sequence[Examples_B]) -> tuple[float, float]:
        """Take step `number`: (loss over the pictures of all processes, length of the gradient)."""
        while True:
            self.optimizer.zero_grad(set_to_none=True)
            torch.manual_seed(_mixed_seed(self.seed, number, self.accelerator.process_index))
            try:
                with self.norms.folded():
                    loss = self._gradients(batches)
            except torch.OutOfMemoryError as exc:
                self._take_less(max(len(label_B) for _, label_B in batches), exc)
                continue
            self._scale_back()
            self._pull_back()
            length = torch.nn.utils.clip_grad_norm_(
                self._learning, self.config.max_grad_norm or float("inf")
            )
            if self.accelerator.num_processes > 1:  # before they decide: all have to do the same
                loss = self.accelerator.reduce(loss, "mean")
            if self.loss_scale == 1 or not loss.isfinite() or length.isfinite():
                break
            self.loss_scale /= 2
        self.optimizer.step()
        return float(loss), float(length)

    def _gradients(self, batches: Sequence[Examples_B]) -> Tensor:
        count = sum(len(label_B) for _, label_B in batches)
        total = torch.zeros((), device=self._device)
        for last_batch, (pixels_BHWC, label_B) in _marked(batches):
            pixels_BCHW = as_numbers(
                pixels_BHWC.to(self._device, non_blocking=True), self.preprocess
            )
            target = label_B.to(self._device, non_blocking=True)
            if self._mix is not None:
                pixels_BCHW, target = self._mix(pixels_BCHW, target)
            pieces = zip(
                *(each.tensor_split(self.pieces) for each in (pixels_BCHW, target)), strict=True
            )
            for last_piece, (some_BCHW, some_target) in _marked(list(pieces)):
                with self._shared_at(last_batch and last_piece):
                    with autocast(self.precision, self._device.type):
                        logits_BK = self.wrapped(some_BCHW)
                    loss = self._loss(logits_BK.float(), some_target) / count
                    (loss * self.loss_scale).backward()  # type: ignore[no-untyped-call]
                total += loss.detach()
        return total

    def _loss(self, logits_BK: Tensor, target: Tensor) -> Tensor:
        """The sum over the pictures; a target is a class, or after mixing a share of each class."""
        each_B = nn.functional.cross_entropy(
            logits_BK,
            target,
            reduction="none",
            label_smoothing=self.config.label_smoothing_factor,
        )
        weight_B = self._weight_K[target] if target.ndim == 1 else target @ self._weight_K
        return (each_B * weight_B).sum()

    def _shared_at(self, last: bool) -> Any:
        """Processes exchange their gradients once a step."""
        if last or self.accelerator.num_processes == 1:
            return contextlib.nullcontext()
        return self.accelerator.no_sync(self.wrapped)

    def _scale_back(self) -> None:
        if self.loss_scale != 1:
            gradients = [each.grad for each in self._learning if each.grad is not None]
            torch._foreach_div_(gradients, self.loss_scale)

    def _pull_back(self) -> None:
        """L2-SP: towards where the weights came from."""
        for parameter, origin in self.anchor:
            if parameter.grad is not None:
                parameter.grad.add_(parameter.detach() - origin, alpha=self.config.l2_sp)

    def _take_less(self, batch: int, exc: torch.OutOfMemoryError) -> None:
        """From now on a batch of so many pictures goes through in smaller pieces."""
        if self.accelerator.num_processes > 1:  # the others wait for the gradients of this very try
            raise ConfigError(
                f"process {self.accelerator.process_index} is out of memory with {batch} pictures at "
                "once; take a smaller --per_device_train_batch_size and more "
                "--gradient_accumulation_steps (the product decides what is learned), or plan with "
                "--memory_budget"
            ) from exc
        most = max(1, batch // 2) if learns_statistics(self.wrapped) else batch
        if self.pieces >= most:
            raise ConfigError(
                f"out of memory with {counted(-(-batch // self.pieces), 'picture')} at once; take a "
                "smaller --image_size or network, --gradient_checkpointing, or --method last_stage"
            ) from exc
        self.pieces = min(2 * self.pieces, most)
        self.optimizer.zero_grad(set_to_none=True)
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        self.tell(
            f"out of memory: from here on a batch goes through the network in {self.pieces} pieces; "
            "--memory_budget plans for it beforehand"
        )


def _marked(items: Sequence[Any]) -> Iterable[tuple[bool, Any]]:
    """Each item, and whether it is the last."""
    return ((at == len(items) - 1, item) for at, item in enumerate(items))


def _mixed_seed(*numbers: int) -> int:
    digest = hashlib.blake2b(repr(numbers).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def _mixing(config: TrainConfig, classes: int) -> Callable[..., Any] | None:
    """torchvision's mixup and cutmix, one of the two at random where both are wanted."""
    if not (config.mixup or config.cutmix):
        return None
    from torchvision.transforms import v2

    kinds: list[Any] = []
    if config.mixup:
        kinds.append(v2.MixUp(alpha=config.mixup, num_classes=classes))
    if config.cutmix:
        kinds.append(v2.CutMix(alpha=config.cutmix, num_classes=classes))
    mixing: Callable[..., Any] = v2.RandomChoice(kinds) if len(kinds) > 1 else kinds[0]
    return mixing
