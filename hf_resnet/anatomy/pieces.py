"""The layers of a network as the pieces of a drawing: blocks and single layers, stage by stage.

A stage is what works on maps of one size. Norms and activations are no pieces; neither are the small
layers of a squeeze-and-excitation, which see one averaged pixel. What repeats becomes one piece.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, zip_longest

from hf_resnet.anatomy.blocks import Block
from hf_resnet.anatomy.count import Anatomy, Layer, Shape

FEWEST_EQUAL = 3  # that are drawn as one, with their number
LONGEST_PATTERN = 2  # pieces that repeat together


@dataclass(frozen=True)
class Part:
    """A box: one line for each layer, the colour they go by, and how a shortcut passes it, if any.

    shortcut is "" for one that hands on what came, else the layer it leads through.
    """

    lines: tuple[str, ...]
    sort: str
    shortcut: str | None = None


@dataclass(frozen=True)
class Piece:
    """Boxes that belong together: a block, or a layer alone; `times` of them in a row.

    taken is what goes in, where that is known to be a stack of maps.
    """

    parts: tuple[Part, ...]
    shape: Shape
    taken: Shape | None = field(default=None, compare=False)
    times: int = 1


@dataclass(frozen=True)
class Stage:
    """The pieces that give maps of one size. shape is (channels, height, width), (tokens, width) or
    (numbers,)."""

    pieces: tuple[Piece, ...]
    shape: Shape


def stages(anatomy: Anatomy) -> list[Stage]:
    """The network as stages, from the picture to the classes."""
    blocks = {block.name: block for block in anatomy.blocks}
    labelled = [layer for layer in anatomy.layers if layer.output and _label(layer)]
    maps = [index for index, layer in enumerate(labelled) if len(_shape(layer)) > 1]
    end = maps[-1] if maps else 0
    drawn = [each for i, each in enumerate(labelled) if i > end or len(_shape(each)) > 1]
    pieces: list[Piece] = []
    for name, layers in groupby(drawn, key=lambda layer: layer.block):
        own = list(layers)
        if name is None:
            pieces += [_alone(layer) for layer in own]
        else:
            pieces.append(_block(blocks[name], own, anatomy))
    together = [list(group) for _, group in groupby(pieces, key=lambda piece: _place(piece.shape))]
    following = [group[0].taken for group in together[1:]]
    return [
        Stage(tuple(_merged(group)), _given(group[-1].shape, taken))
        for group, taken in zip_longest(together, following)
    ]


def _given(shape: Shape, taken: Shape | None) -> Shape:
    """What a stage gives; where it joins several outputs, the next layer tells how many channels."""
    return taken if taken and _place(taken) == _place(shape) else shape


def _merged(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces with those that repeat, alone or as a pattern, drawn once."""
    merged: list[Piece] = []
    start = 0
    while start < len(pieces):
        times, length = max(
            (_repeats(pieces[start:], length), -length) for length in range(1, LONGEST_PATTERN + 1)
        )
        if times < FEWEST_EQUAL:
            times, length = 1, -1
        pattern = pieces[start : start - length]
        parts = tuple(part for piece in pattern for part in piece.parts)
        merged.append(replace(pattern[-1], parts=parts, times=times))
        start += -length * times
    return merged


def _repeats(pieces: Sequence[Piece], length: int) -> int:
    """How often the first `length` pieces come in a row."""
    times = 1
    while pieces[times * length : (times + 1) * length] == pieces[:length]:
        times += 1
    return times


def _place(shape: Shape) -> Shape:
    """What makes a stage: the size of a map, the number of tokens, or being a vector."""
    return shape[1:] if len(shape) == 3 else (shape[0], 0, 0) if len(shape) == 2 else ()


def _shape(layer: Layer) -> Shape:
    shape = layer.nchw or ()
    shape = shape[1:] if len(shape) > 1 else shape
    return shape[:1] if len(shape) == 3 and shape[1:] == (1, 1) else shape


def _alone(layer: Layer) -> Piece:
    return Piece((Part((_label(layer),), _sort(layer)),), _shape(layer), _taken(layer))


def _taken(layer: Layer) -> Shape | None:
    """The maps that go in; only of layers that are sure to have the channels first."""
    if (
        layer.input
        and len(layer.input) == 4
        and (layer.window or layer.kind.startswith("Adaptive"))
    ):
        return layer.input[1:]
    return None


def _block(block: Block, layers: Sequence[Layer], anatomy: Anatomy) -> Piece:
    """The block cut at its sums: each cut is a box with a shortcut over it."""
    inside = [layer for layer in anatomy.layers if block.holds(layer.name) and layer.output]
    shortcuts = [_label(layer) for layer in layers if layer.on_shortcut and layer.window]
    parts: list[Part] = []
    start = 0
    for end in (*block.joins, len(inside)):
        cut = {id(layer) for layer in inside[start:end]}
        way = [layer for layer in layers if id(layer) in cut and not layer.on_shortcut]
        start = end
        if way:
            joined = end != len(inside) or end in block.joins
            through = shortcuts[-1] if shortcuts else ""
            lines = tuple(_label(layer) for layer in way)
            parts.append(Part(lines, _sort(way[0]), through if joined else None))
    return Piece(
        tuple(parts) or (Part((block.kind,), "other"),), _shape(inside[-1]), _taken(layers[0])
    )


def _label(layer: Layer) -> str:
    """What the drawing calls the layer; nothing for one that is not drawn."""
    shape = _shape(layer)
    if layer.window:
        high, wide = layer.window.kernel
        step = f" /{layer.window.stride[0]}" if max(layer.window.stride) > 1 else ""
        if not layer.parameters:
            return f"{'max' if 'Max' in layer.kind else 'mean'} pool {high}×{wide}{step}"
        depthwise = layer.groups > 1 and layer.input and layer.groups == layer.input[1]
        sort = "depthwise" if depthwise else "conv" if layer.groups == 1 else "grouped"
        return f"{high}×{wide} {sort} {shape[0]}{step}"
    if "Linear" in layer.kind:
        return f"linear {layer.output[-1] if layer.output else ''}"
    if "Pool" in layer.kind and not layer.passes_on:
        return "mean pool" if "Avg" in layer.kind else "pool"
    if layer.multiply_adds:
        return "attention" if "Attention" in layer.kind else layer.kind
    return ""


def _sort(layer: Layer) -> str:
    if layer.window:
        return "convolution" if layer.parameters else "pooling"
    return "pooling" if "Pool" in layer.kind else "product"
