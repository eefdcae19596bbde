"""What happens while a network runs: which module calls which, what it makes, and what it adds up.

Knows nothing of what a layer means. Hooks keep a stack of the calls under way; two tensors are the
same here where they lie in the same storage, so what a call took in and what its parts gave out is
held until the call ends (a freed storage would be given out again).
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

_ADDS = (torch.ops.aten.add.Tensor, torch.ops.aten.add_.Tensor)


@dataclass
class Call:
    """One call of one module. number is the moment at which it did its own work, for ordering."""

    name: str
    module: nn.Module
    parent: "Call | None"
    number: int
    input: tuple[int, ...] | None = None
    output: tuple[int, ...] | None = None
    own_flops: int = 0
    new_numbers: int = 0
    has_parts: bool = False
    adds: list[int] = field(default_factory=list)
    shortcuts: list[str] = field(default_factory=list)

    @property
    def is_row(self) -> bool:
        """Whether it did something itself, beyond calling its parts."""
        own = next(self.module.parameters(recurse=False), None) is not None
        return not self.has_parts or own or bool(self.own_flops or self.new_numbers)


@dataclass
class _Part:
    """A part of a call under way, which has ended: when its input was made, and its convolutions."""

    name: str
    input_made: int
    convolutions: int


@dataclass
class _Frame:
    """A call under way: what it holds on to, and what flowed in it so far."""

    call: Call
    inputs: list[Tensor]
    flops_at_start: int
    flops_of_parts: int = 0
    flops_noticed: int = 0
    convolutions: int = 0
    held: list[Tensor] = field(default_factory=list)
    """What its parts gave out, and its own sums."""

    made: dict[int, int] = field(default_factory=dict)
    """When each storage was made, by the storage; 0 for what came in."""

    created: set[int] = field(default_factory=set)
    """The storages that this call or its parts took new."""

    by: dict[int, _Part] = field(default_factory=dict)
    """The part that gave out each storage."""

    carried: set[int] = field(default_factory=set)
    """The storages that a shortcut may come from: what came in, and sums of it."""

    added: dict[int, int] = field(default_factory=dict)
    """The size of each sum that took new storage."""

    sums: list[tuple[int, int, str | None]] = field(default_factory=list)
    """Each sum with a shortcut: when, how many numbers, and the part on the shortcut."""


class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The calls of a model's modules, in the order in which they did their own work."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[Call] = []
        self._names = {module: name for name, module in model.named_modules()}
        self._weights = {storage(each) for each in model.parameters()}
        self._stack: list[_Frame] = []
        self._now = 0
        self._flops: Callable[[], int] = lambda: 0

    @contextmanager
    def watching(self, flops: Callable[[], int]) -> Iterator[None]:
        """Watch what runs inside; flops gives the number counted so far."""
        self._flops = flops
        with ExitStack() as stack:
            for module in self._names:
                before = module.register_forward_pre_hook(self._enter, with_kwargs=True)
                after = module.register_forward_hook(self._leave)
                stack.callback(before.remove)
                stack.callback(after.remove)
            stack.enter_context(self)
            yield
        self.calls.sort(key=lambda call: call.number)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if func in _ADDS and self._stack and isinstance(args[1], Tensor):
            self._notice_sum(self._stack[-1], args[0], args[1], out)
        return out

    def _enter(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        parent = self._stack[-1] if self._stack else None
        if parent:
            self._now += 1
            parent.call.has_parts = True
            self._notice_flops(parent)
        self._now += 1
        inputs = tensors_in((args, kwargs))
        call = Call(self._names[module], module, parent.call if parent else None, self._now)
        call.input = tuple(inputs[0].shape) if inputs else None
        frame = _Frame(call, inputs, flops_at_start=self._flops())
        frame.made = {storage(each): 0 for each in inputs}
        frame.carried = set(frame.made)
        self._stack.append(frame)

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        self._now += 1
        frame = self._stack.pop()
        call = frame.call
        self._notice_flops(frame)
        outputs = tensors_in(output)
        flops = self._flops() - frame.flops_at_start
        call.own_flops = flops - frame.flops_of_parts
        if outputs:
            call.output = tuple(outputs[0].shape)
            size = outputs[0].numel()
            kept = [each for each in frame.sums if each[1] == size]
            call.adds = [when for when, _, _ in kept]
            call.shortcuts = [name for _, _, name in kept if name]
        known = frame.created | {storage(each) for each in frame.inputs}
        new = {storage(each): each.numel() for each in outputs if storage(each) not in known}
        frame.created.update(new)
        call.new_numbers = sum((new | frame.added).values())
        if call.has_parts and call.new_numbers and not call.own_flops and _owns_nothing(module):
            call.number = self._now
        self.calls.append(call)
        if self._stack:
            self._tell(self._stack[-1], frame, outputs, flops)

    def _tell(self, parent: _Frame, frame: _Frame, outputs: list[Tensor], flops: int) -> None:
        """Let the caller know of a call that has ended."""
        parent.flops_of_parts += flops
        own = isinstance(frame.call.module, nn.modules.conv._ConvNd)
        frame.convolutions += own
        parent.convolutions += frame.convolutions
        taken = [parent.made.get(storage(each), self._now) for each in frame.inputs]
        part = _Part(frame.call.name, min(taken, default=self._now), frame.convolutions)
        parent.held += outputs
        parent.created |= {storage(each) for each in outputs} & frame.created
        for each in outputs:
            parent.made.setdefault(storage(each), self._now)
            parent.by[storage(each)] = part

    def _notice_flops(self, frame: _Frame) -> None:
        """Where the call itself first computed is its place among its parts."""
        own = self._flops() - frame.flops_at_start - frame.flops_of_parts
        if own > frame.flops_noticed and not frame.flops_noticed:
            frame.call.number = self._now
        frame.flops_noticed = own

    def _notice_sum(self, frame: _Frame, one: Tensor, other: Tensor, out: Tensor) -> None:
        """Remember a sum of two equal shapes where one of them came past the layers."""
        if one.shape != other.shape or one.dim() < 3 or not one.is_floating_point():
            return
        storages = (storage(one), storage(other))
        if self._weights & set(storages):
            return
        parts = [frame.by[each] for each in storages if each in frame.by]
        if frame.carried & set(storages):
            shortcut = None
        elif len(parts) == 2 and parts[0] is not parts[1]:
            shortcut = min(parts, key=lambda part: (part.input_made, part.convolutions)).name
        else:
            return
        self._now += 1
        frame.sums.append((self._now, out.numel(), shortcut))
        frame.held.append(out)
        if storage(out) not in frame.made:
            frame.made[storage(out)] = self._now
            frame.created.add(storage(out))
            frame.added[storage(out)] = out.numel()
        frame.carried.add(storage(out))


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors in whatever a module takes or gives, in order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        return [tensor for each in value for tensor in tensors_in(each)]
    return []


def storage(tensor: Tensor) -> int:
    """Where the tensor's numbers lie; views of it lie there too."""
    try:
        return tensor.untyped_storage().data_ptr()
    except (NotImplementedError, RuntimeError):  # sparse tensors and the like have none
        return id(tensor)


def _owns_nothing(module: nn.Module) -> bool:
    return next(module.parameters(recurse=False), None) is None
