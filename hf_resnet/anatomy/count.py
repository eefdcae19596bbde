"""One random picture through the network, and what each layer did with it.

Multiply-adds are counted by torch's own FlopCounterMode: those of all matrix products, which is
convolutions, linear layers and attention; norms, activations, pooling and sums are not in it.
Memory is what the layers give out for one picture in 32-bit floats; a layer that works in place, or
hands its input on, makes none. The surprise: a module with parts may also do something itself (a class
token, attention, the sum with the shortcut), so it gets a row of its own for just that.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from hf_resnet.anatomy.blocks import Block, Mark, blocks_of, marks
from hf_resnet.anatomy.kernel import Window
from hf_resnet.anatomy.watch import Call, Watch
from hf_resnet.backbones import Network
from hf_resnet.errors import ModelError

Layout = Literal["NCHW", "NHWC"]
Shape = tuple[int, ...]
BYTES = 4  # of a 32-bit float


@dataclass(frozen=True)
class Layer:
    """A row: one call of a layer, or what a module with parts does itself.

    layout is None for what is no picture-like stack of maps. A layer that holds parameters but was
    not run has no output. block names the block it is part of; on_shortcut says which of its two ways.
    """

    name: str
    kind: str
    input: Shape | None
    output: Shape | None
    layout: Layout | None = None
    window: Window | None = None
    groups: int = 1
    sums: tuple[str, ...] = ()
    parameters: int = 0
    trainable: int = 0
    multiply_adds: int = 0
    memory: int = 0
    block: str | None = None
    on_shortcut: bool = False
    mark: Mark | None = None
    passes_on: bool = False

    @property
    def nchw(self) -> Shape | None:
        """The output with its channels first, whatever way the layer itself has it."""
        if self.layout == "NHWC" and self.output:
            batch, height, width, channels = self.output
            return (batch, channels, height, width)
        return self.output

    @property
    def nhwc(self) -> Shape | None:
        """The output with its channels last; what is no stack of maps stays as it is."""
        if self.layout == "NCHW" and self.output:
            batch, channels, height, width = self.output
            return (batch, height, width, channels)
        return self.output


@dataclass(frozen=True)
class Anatomy:
    """A network taken apart: its layers in the order they ran, and its residual blocks."""

    size: tuple[int, int]
    layers: tuple[Layer, ...]
    blocks: tuple[Block, ...]
    modules: dict[str, str]
    """The class of every module, by its name."""

    outputs: dict[str, Shape]
    """What every module with a tensor to give gave, by its name."""

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    @property
    def trainable(self) -> int:
        return sum(layer.trainable for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        return sum(layer.multiply_adds for layer in self.layers)

    @property
    def memory(self) -> int:
        return sum(layer.memory for layer in self.layers)


def anatomy_of(network: Network, size: tuple[int, int]) -> Anatomy:
    """Run the network once on a random picture of (height, width), and take it apart."""
    model = network.model
    with _one_run(model):
        watch = Watch(model)
        _run(network, watch, size)
    modules = {name: type(module).__name__ for name, module in model.named_modules()}
    rows = [call for call in watch.calls if call.is_row]
    blocks = blocks_of(rows, watch.calls)
    found = _layers(model, rows, blocks)
    outputs = {call.name: call.output for call in watch.calls if call.output}
    return Anatomy(size, tuple(found), blocks, modules, outputs)


@contextmanager
def _one_run(model: nn.Module) -> Iterator[None]:
    """The network as it predicts, and put back as it was; attention in products that are counted."""
    was_training = {module for module in model.modules() if module.training}
    fast_path = torch.backends.mha.get_fastpath_enabled()
    model.eval()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
        for module in was_training:
            module.training = True


def _run(network: Network, watch: Watch, size: tuple[int, int]) -> None:
    weight = next(network.model.parameters(), torch.empty(0))
    pixels_BCHW = torch.rand((1, 3, *size), generator=torch.Generator().manual_seed(0))
    with FlopCounterMode(display=False) as counter, watch.watching(counter.get_total_flops):
        try:
            network(pixels_BCHW.to(weight))
        except (RuntimeError, ValueError, AssertionError, TypeError, IndexError) as exc:
            said = (str(exc).strip().splitlines() or [type(exc).__name__])[0].rstrip(".")
            raise ModelError(
                f"the network cannot take a picture of {size[0]}×{size[1]} pixels: {said}; "
                "leave out --size for the one it was made for, or give another"
            ) from exc


def _layers(model: nn.Module, rows: list[Call], blocks: tuple[Block, ...]) -> list[Layer]:
    """A layer for each row, and one for each module that has parameters and was not run."""
    modules = dict(model.named_modules())
    seen: set[int] = set()
    marked = marks(rows, blocks)
    layouts: dict[Shape, Layout] = {}
    found: list[Layer] = []
    for row in rows:
        module = modules[row.name]
        block = next((each for each in blocks if each.holds(row.name)), None)
        layer = Layer(
            name=row.name,
            kind=type(module).__name__,
            input=row.input,
            output=row.output,
            layout=_layout(module, row.output, layouts),
            **_windowed(module, row),
            **_parameters(module, seen),
            multiply_adds=row.own_flops // 2,
            memory=row.new_numbers * BYTES,
            block=block.name if block else None,
            on_shortcut=bool(block and block.has_on_shortcut(row.name)),
            mark=marked.get(row.number),
            passes_on=isinstance(module, nn.Identity) or type(module).__name__.startswith("Drop"),
        )
        found.append(layer)
    for name, module in modules.items():
        own = _parameters(module, seen)
        if own["parameters"]:
            found.append(Layer(name, type(module).__name__, None, None, **own))
    return found


def _parameters(module: nn.Module, seen: set[int]) -> dict[str, Any]:
    """How many numbers the module itself holds; one that two modules share counts for the first."""
    new = [each for each in module.parameters(recurse=False) if id(each) not in seen]
    seen.update(map(id, new))
    return {
        "parameters": sum(each.numel() for each in new),
        "trainable": sum(each.numel() for each in new if each.requires_grad),
    }


def _layout(module: nn.Module, output: Shape | None, seen: dict[Shape, Layout]) -> Layout | None:
    """Where the channels of a 4-dimensional output are; where the kind does not say, as seen last."""
    if output is None or len(output) != 4:
        return None
    if isinstance(module, nn.Linear | nn.LayerNorm):
        seen[output] = "NHWC"
    elif isinstance(module, nn.Conv2d):
        seen[output] = "NCHW"
    return seen.setdefault(output, "NCHW")


def _windowed(module: nn.Module, row: Call) -> dict[str, Any]:
    """The window of a layer that slides one over a stack of maps, and the sums it makes."""
    window = window_of(module)
    shapes = (row.input, row.output)
    if window is None or any(shape is None or len(shape) != 4 for shape in shapes):
        return {}
    assert row.input and row.output  # noqa: S101  the line above
    pairs = zip(row.input[2:], row.output[2:], strict=True)
    sums = [window.size_sum(side, *sizes) for side, sizes in enumerate(pairs)]
    groups = getattr(module, "groups", 1)
    return {
        "window": window,
        "groups": groups if isinstance(groups, int) else 1,
        "sums": tuple(dict.fromkeys(each for each in sums if each)),
    }


def window_of(module: nn.Module) -> Window | None:
    """Kernel, stride and padding of a convolution or pooling in two dimensions, else None."""
    kind = type(module).__name__
    if not isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
        return None
    kernel = _pair(module.kernel_size)
    if kernel is None:
        return None
    padding = None if "Same" in kind else _pair(module.padding)
    return Window(
        kernel=kernel,
        stride=_pair(module.stride) or kernel,
        padding=padding,
        dilation=_pair(getattr(module, "dilation", 1)) or (1, 1),
        rounds_up=bool(getattr(module, "ceil_mode", False)),
    )


def _pair(value: Any) -> tuple[int, int] | None:
    if isinstance(value, int):
        return (value, value)
    if isinstance(value, tuple | list) and len(value) == 2 and all(map(_is_int, value)):
        return (value[0], value[1])
    return None


def _is_int(value: Any) -> bool:
    return isinstance(value, int)
