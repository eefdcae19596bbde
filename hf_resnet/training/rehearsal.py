"""A step of training gone through without computing anything, to see what memory it takes.

The network is copied with tensors that have shapes but no content, and a step is run on the copy:
forward, loss, backward. Every tensor is counted while anything holds on to it, so mixed precision,
frozen stages and gradient checkpointing need no rules of their own here. Knows nothing of optimisers,
of processes, or of the room that libraries take inside an operation. The surprise: the fullest moment
is seldom the end of the forward pass, since the backward pass makes gradients before it lets go.
"""

import copy
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
    UnsupportedFakeTensorException,
    UnsupportedOperatorException,
)
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from hf_resnet.backbones import Network
from hf_resnet.errors import ModelError
from hf_resnet.precision import Precision, autocast
from hf_resnet.training.frozen_norms import FrozenNorms
from hf_resnet.training.optimiser import freeze, ready_to_learn
from hf_resnet.training.recompute import recomputing

_CANNOT = (
    DataDependentOutputException,
    DynamicOutputShapeException,
    UnsupportedFakeTensorException,
    UnsupportedOperatorException,
)


@dataclass(frozen=True)
class Held:
    """Bytes beside the weights."""

    gradients: int
    most: int
    """Of everything at the fullest moment."""

    made_going_back: int
    """Of everything that a backward pass makes, however soon it is gone again."""


@dataclass(frozen=True)
class Pass:
    """What goes through the network, and how."""

    batch: int
    size: tuple[int, int]
    device: torch.device
    precision: Precision = "fp32"


def bytes_to_learn(
    network: Network,
    batch: Pass,
    *,
    trained: int,
    recompute: bool,
    accumulated: bool,
    frozen_norms: bool = True,
) -> Held:
    """What a step holds. `trained` is how many of the highest stages learn; where batches are
    accumulated, the gradients of earlier ones are there all the time.
    """

    def step(fake: Network, watch: "_Watch") -> None:
        freeze(fake, trained)
        norms = FrozenNorms(fake, batch.size)
        watch.most = watch.held  # so far only one picture was looked at
        # a norm in training takes no single picture, and a run with one has none
        ready_to_learn(fake, trained, frozen_norms=frozen_norms or batch.batch == 1)
        with recomputing(fake) if recompute else nullcontext(), norms.folded():
            for _ in range(2 if accumulated else 1):
                logits_BK = _logits(fake, batch)
                target_B = torch.zeros(batch.batch, dtype=torch.long, device=batch.device)
                loss = nn.functional.cross_entropy(logits_BK.float(), target_B)
                watch.made = 0
                loss.backward()  # type: ignore[no-untyped-call]

    return _held(network, batch.device, step)


def bytes_to_answer(network: Network, batch: Pass) -> Held:
    """What one pass holds that nothing is learned from."""

    def answer(fake: Network, watch: "_Watch") -> None:
        fake.eval()
        with torch.no_grad():
            _logits(fake, batch)
        watch.made = 0

    return _held(network, batch.device, answer)


def _logits(fake: Network, batch: Pass) -> Tensor:
    pixels_BHWC = torch.zeros(batch.batch, *batch.size, 3, device=batch.device)
    with autocast(batch.precision, batch.device.type):
        logits_BK: Tensor = fake(pixels_BHWC.permute(0, 3, 1, 2))
    return logits_BK


def _held(network: Network, device: torch.device, act: Callable[[Network, "_Watch"], None]) -> Held:
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    fake = _without_content(network, mode, device)
    watch = _Watch([*fake.parameters(), *fake.buffers()])
    try:
        with mode, watch:
            act(fake, watch)
    except _CANNOT as exc:
        raise ModelError(
            "how much memory this network needs cannot be told beforehand "
            f"({type(exc).__name__}: {exc}); leave out --memory_budget"
        ) from exc
    gradients = sum(each.grad.nbytes for each in fake.parameters() if each.grad is not None)
    return Held(gradients, watch.most, watch.made)


def _without_content(network: Network, mode: FakeTensorMode, device: torch.device) -> Network:
    """A copy with the shapes of all tensors, laid out as for training, that takes no memory."""

    def empty(tensor: Tensor) -> Tensor:
        fake: Tensor = mode.from_tensor(tensor.detach()).to(device)
        if fake.ndim == 4:
            fake = fake.contiguous(memory_format=torch.channels_last)
        return nn.Parameter(fake) if isinstance(tensor, nn.Parameter) else fake

    tensors = [*network.parameters(), *network.buffers()]
    with mode:
        known = {
            id(tensor): empty(tensor) for tensor in tensors
        }  # deepcopy takes these as they are
    return copy.deepcopy(network, known)


class _Watch(TorchDispatchMode):
    """Counts the bytes of all tensors that come out of operations, until nothing holds them."""

    def __init__(self, weights: list[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.held = self.most = self.made = 0
        self._known = {each.untyped_storage()._cdata for each in weights}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for each in tree_leaves(result):
            if isinstance(each, Tensor):
                self._see(each.untyped_storage())
        self.most = max(self.most, self.held)
        return result

    def _see(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key not in self._known:
            self._known.add(key)
            self.held += size
            self.made += size
            weakref.finalize(storage, self._gone, key, size).atexit = False

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.held -= size
