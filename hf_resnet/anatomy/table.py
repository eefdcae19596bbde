"""An anatomy as a table for a screen of 80 or more columns, and what a learner should see in it.

Where there is room each row has its output size worked out; on a narrow screen the sums stand under
the table, each once. Layers that only hand their input on are left out. The lines are laid out here
and not by rich, since the name of a block runs over the columns below it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from rich.console import Group, RenderableType
from rich.text import Text

from hf_resnet.anatomy.blocks import Block
from hf_resnet.anatomy.count import Anatomy, Layer
from hf_resnet.anatomy.figures import amount, mib
from hf_resnet.anatomy.savings import in_words, saving

MARKS = {"squeeze": "▼", "unsqueeze": "▲"}
LEAST_NAME = 16
MOST_KIND = 15


def table(
    anatomy: Anatomy,
    layers: Sequence[Layer],
    *,
    title: str,
    channels_last: bool = False,
    width: int = 100,
) -> RenderableType:
    """The rows given (all layers, or groups of them) with totals, and the lines below."""
    shown = [layer for layer in layers if not _only_passes_on(layer)]
    columns = _columns(anatomy, shown, channels_last, width)
    worked_out = any(column.title == "output size" for column in columns)
    parts = [
        Text(f"{title}, one picture of {anatomy.size[0]}×{anatomy.size[1]} pixels", style="bold"),
        Text(""),
        *_lines(anatomy, shown, columns, width),
        Text(""),
        *map(Text, _legend(anatomy, shown, len(layers) - len(shown))),
    ]
    sums = [f"  {_window(layer)}: {each}" for layer in shown for each in layer.sums]
    if sums and not worked_out:
        parts += [Text("\nOutput sizes worked out", style="bold")]
        parts += map(Text, dict.fromkeys(sums))
    saved = saving(anatomy)
    if saved:
        heading, *lines = in_words(saved)
        parts += [Text(f"\n{heading}", style="bold"), *map(Text, lines)]
    if channels_last:
        parts += [Text(f"\n{line}") for line in _strides(anatomy)]
    return Group(*parts)


@dataclass(frozen=True)
class _Column:
    title: str
    cells: tuple[str, ...]
    total: str = ""
    right: bool = True
    most: int = 99

    @property
    def width(self) -> int:
        return min(self.most, max(map(len, (self.title, self.total, *self.cells))))

    def fit(self, text: str) -> str:
        text = text if len(text) <= self.width else text[: self.width - 1] + "…"
        return text.rjust(self.width) if self.right else text.ljust(self.width)


def _columns(
    anatomy: Anatomy, layers: Sequence[Layer], channels_last: bool, width: int
) -> list[_Column]:
    """All but the name, which takes what they leave; the sums only where that is enough."""

    def column(title: str, cells: Sequence[str], total: str = "") -> _Column:
        return _Column(title, tuple(cells), total)

    kinds = _Column("kind k/s/p", tuple(map(_kind, layers)), right=False, most=MOST_KIND)
    sums = _Column("output size", tuple(map(_sum, layers)), right=False)
    order = "H×W×C" if channels_last else "C×H×W"
    numbers = [
        column(order, [_shape(layer, channels_last) for layer in layers]),
        column(
            "params", [_plain(layer.parameters) for layer in layers], _plain(anatomy.parameters)
        ),
    ]
    if 0 < anatomy.trainable < anatomy.parameters:
        numbers.append(column("trains", list(map(_trains, layers))))
    multiply_adds = [amount(layer.multiply_adds) for layer in layers]
    memory = [mib(layer.memory) for layer in layers]
    numbers.append(column("mult-adds", multiply_adds, amount(anatomy.multiply_adds)))
    numbers.append(column("MiB", memory, mib(anatomy.memory)))
    wide = [kinds, sums, *numbers]
    fits = sum(each.width + 1 for each in wide) + LEAST_NAME <= width
    return wide if fits and any(sums.cells) else [kinds, *numbers]


def _lines(
    anatomy: Anatomy, layers: Sequence[Layer], columns: Sequence[_Column], width: int
) -> list[Text]:
    """The head, a line for each layer, one above each block, and the totals."""
    room = max(width - sum(column.width + 1 for column in columns), LEAST_NAME)
    headed = {
        block.name: block
        for block in anatomy.blocks
        if sum(layer.block == block.name for layer in layers) > 1
    }
    names = [_name(layer, layer.block in headed) for layer in layers]
    longest = max([len("layer"), *map(len, names)])
    room = min(room, longest)

    def line(name: str, cells: list[str], style: str = "") -> Text:
        fitted = [column.fit(cell) for column, cell in zip(columns, cells, strict=True)]
        short = _cut(name, room, tail=0 if name.startswith(" ") else (room - 1) * 2 // 3)
        told = " ".join([short.ljust(room), *fitted]).rstrip()
        return Text(told, style=style, no_wrap=True, overflow="crop")

    lines = [line("layer", [column.title for column in columns], "bold")]
    block = None
    for index, (layer, name) in enumerate(zip(layers, names, strict=True)):
        if layer.block in headed and layer.block != block:
            lines.append(_heading(headed[layer.block], width))
        block = layer.block
        lines.append(line(name, [column.cells[index] for column in columns]))
    return [*lines, line("all", [column.total for column in columns], "bold")]


def _heading(block: Block, width: int) -> Text:
    """The line above a block's layers: what it is, and what it does to the channels."""
    told = ""
    if block.bottleneck:
        told += f"  {' → '.join(map(str, block.bottleneck))} channels"
    if block.joins:
        told += ", " if told else "  "
        told += "shortcut" if len(block.joins) == 1 else f"{len(block.joins)} shortcuts"
    name = f"{block.name}  {block.kind}"
    if len(name + told) > width:
        name = _cut(block.name, width - len(told), tail=width // 2)
    return Text(name + told, style="bold", no_wrap=True)


def _name(layer: Layer, in_block: bool) -> str:
    if not in_block or layer.block is None:
        return layer.name or "(itself)"
    return f"  {layer.name.removeprefix(layer.block).lstrip('.') or '(itself)'}"


def _kind(layer: Layer) -> str:
    """The class, and kernel/stride/padding where there are such."""
    if not layer.window:
        return layer.kind
    depthwise = layer.groups > 1 and layer.input and layer.groups == layer.input[1]
    groups = " dw" if depthwise else f" g{layer.groups}" if layer.groups > 1 else ""
    return f"{layer.kind} {_window(layer)}{groups}"


def _window(layer: Layer) -> str:
    if layer.window is None:
        return ""
    parts = (layer.window.kernel, layer.window.stride, layer.window.padding)
    return "/".join(_side(pair) for pair in parts if pair)


def _side(pair: tuple[int, int]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}×{pair[1]}"


def _sum(layer: Layer) -> str:
    if not layer.sums:
        return ""
    told = layer.sums[0]
    for sign in "−+=→":
        told = told.replace(f" {sign} ", sign)
    return told


def _shape(layer: Layer, channels_last: bool) -> str:
    shape = layer.nhwc if channels_last else layer.nchw
    if shape is None:
        return "not run"
    told = "×".join(map(str, shape[1:] if len(shape) > 1 and shape[0] == 1 else shape))
    return f"{told} {MARKS[layer.mark]}" if layer.mark else told


def _plain(number: int) -> str:
    return f"{number:,}" if number else ""


def _trains(layer: Layer) -> str:
    if not layer.parameters:
        return ""
    if 0 < layer.trainable < layer.parameters:
        return "partly"
    return "yes" if layer.trainable else "frozen"


def _cut(text: str, width: int, tail: int) -> str:
    """The text in this width, with … for what goes and `tail` letters of its end."""
    if len(text) <= width:
        return text
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"


def _only_passes_on(layer: Layer) -> bool:
    return layer.passes_on and not (layer.parameters or layer.memory or layer.multiply_adds)


def _legend(anatomy: Anatomy, layers: Sequence[Layer], hidden: int) -> list[str]:
    """What the columns mean, a line each."""
    frozen = anatomy.parameters - anatomy.trainable
    state = (
        f"{anatomy.trainable:,} of them trainable, {frozen:,} frozen" if frozen else "all trainable"
    )
    lines = [
        f"{anatomy.parameters:,} parameters, {state}.",
        f"mult-adds: one multiplication and one addition; {amount(anatomy.multiply_adds)} in "
        "convolutions, linear layers and attention.",
        f"MiB: what a layer gives out, in 32-bit floats; {mib(anatomy.memory)} together. "
        "In place costs nothing.",
    ]
    if any(layer.window for layer in layers):
        lines += [
            "k/s/p: kernel, stride and padding. The output size, rounded down, is",
            "  (input − kernel + 2·padding)/stride + 1",
        ]
    if any(layer.mark for layer in layers):
        lines.append("▼ squeezes the channels into fewer, ▲ unsqueezes them into more.")
    if any(layer.block == layer.name or not layer.name for layer in layers):
        lines.append("(itself): what a module does beside its parts, such as adding the shortcut.")
    if hidden:
        lines.append(
            f"Not listed, since they only hand their input on: {hidden} layers such as Identity."
        )
    return lines


def _strides(anatomy: Anatomy) -> list[str]:
    """The idea of channels_last in one line, with the first stack of maps in this network."""
    first = next((each.nchw for each in anatomy.layers if each.layout and each.nchw), None)
    if first is None:
        return []
    _, channels, height, width = first
    size = prod(first)
    return [
        f"channels_last keeps the shape {'×'.join(map(str, first))} (NCHW) and changes the strides from "
        f"({size}, {height * width}, {width}, 1) to ({size}, 1, {width * channels}, {channels}): "
        "the channels of one pixel lie side by side in memory (NHWC), as fast convolutions read them."
    ]
