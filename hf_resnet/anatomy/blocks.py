"""Residual blocks: which modules add what came past their layers to what their layers made.

A block is found by what it did, not by its class name: somewhere inside it a sum was seen whose one
side was its own input, or the output of a part that reads the input (a projection). Within a block,
1×1 convolutions that change the number of channels are marked: a bottleneck squeezes, works on few
channels and unsqueezes; an inverted one does the reverse.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import nn

from hf_resnet.anatomy.watch import Call

Mark = Literal["squeeze", "unsqueeze"]
_DIMENSIONS = 4  # of a stack of maps: batch, channels, height, width


@dataclass(frozen=True)
class Block:
    """A module with shortcuts, or one of the same class that has none where the size changes.

    joins: after how many of its layers each sum comes; none where there is no shortcut.

    projections are the parts that the shortcuts lead through, convolutions those on the way past
    them; bottleneck: (channels in, squeezed, out)
    where the block squeezes, else None.
    """

    name: str
    kind: str
    joins: tuple[int, ...]
    projections: tuple[str, ...]
    convolutions: tuple[str, ...]
    bottleneck: tuple[int, int, int] | None

    def holds(self, name: str) -> bool:
        return within(name, self.name)

    def has_on_shortcut(self, name: str) -> bool:
        return any(within(name, each) for each in self.projections)


def within(name: str, whole: str) -> bool:
    """Whether the module of this name is `whole` or inside it; everything is inside the network."""
    return not whole or name == whole or name.startswith(f"{whole}.")


def blocks_of(rows: Sequence[Call], calls: Sequence[Call]) -> tuple[Block, ...]:
    """The outermost modules that add, and their like, in order; the network as a whole is none."""
    adding = [call for call in calls if call.name and call.adds]
    found: dict[str, Block] = {}
    for call in sorted(adding, key=lambda each: each.name.count(".")):
        if any(block.holds(call.name) for block in found.values()):
            continue
        inside = [each for each in adding if within(each.name, call.name)]
        own = [row for row in rows if within(row.name, call.name)]
        adds = sorted(when for each in inside for when in each.adds)
        projections = tuple(name for each in inside for name in each.shortcuts)
        ways = _convolutions([row for row in own if not _under(row, projections)])
        block = Block(
            name=call.name,
            kind=type(call.module).__name__,
            joins=tuple(sum(row.number < when for row in own) for when in adds),
            projections=projections,
            convolutions=tuple(row.name for row in ways),
            bottleneck=_bottleneck(ways),
        )
        found[call.name] = block
    kinds = {type(call.module) for call in adding if call.name in found}
    for call in calls:
        if type(call.module) in kinds and not any(
            within(call.name, name) or within(name, call.name) for name in found
        ):
            found[call.name] = Block(call.name, type(call.module).__name__, (), (), (), None)
    order = {row.name: index for index, row in enumerate(rows)}
    starts = {
        name: min(index for each, index in order.items() if within(each, name)) for name in found
    }
    return tuple(sorted(found.values(), key=lambda block: starts[block.name]))


def marks(rows: Sequence[Call], blocks: Sequence[Block]) -> dict[int, Mark]:
    """By the number of its call: what each 1×1 convolution on a block's way does to the channels."""
    found: dict[int, Mark] = {}
    for block in blocks:
        own = [row for row in rows if block.holds(row.name)]
        ways = _convolutions([row for row in own if not _under(row, block.projections)])
        if all(_is_point(row) for row in ways):
            continue
        for row in filter(_is_point, ways):
            taken, given = _channels(row)
            if given != taken:
                found[row.number] = "squeeze" if given < taken else "unsqueeze"
    return found


def _bottleneck(ways: Sequence[Call]) -> tuple[int, int, int] | None:
    if len(ways) < 3 or not (_is_point(ways[0]) and _is_point(ways[-1])):
        return None
    if all(map(_is_point, ways[1:-1])):
        return None
    taken, squeezed = _channels(ways[0])
    given = _channels(ways[-1])[1]
    return (taken, squeezed, given) if squeezed < given else None


def _convolutions(rows: Sequence[Call]) -> list[Call]:
    """Those that work on maps; the ones of a squeeze-and-excitation see a single averaged pixel."""
    found = [row for row in rows if isinstance(row.module, nn.Conv2d) and _has_maps(row)]
    pixels = [row.output[2] * row.output[3] for row in found if row.output]
    return [row for row, count in zip(found, pixels, strict=True) if count > 1 or max(pixels) == 1]


def _has_maps(row: Call) -> bool:
    return all(shape is not None and len(shape) == _DIMENSIONS for shape in (row.input, row.output))


def _is_point(row: Call) -> bool:
    return row.module.kernel_size == (1, 1)


def _channels(row: Call) -> tuple[int, int]:
    assert row.input and row.output  # noqa: S101  held by _has_maps
    return row.input[1], row.output[1]


def _under(row: Call, names: Sequence[str]) -> bool:
    return any(within(row.name, name) for name in names)
