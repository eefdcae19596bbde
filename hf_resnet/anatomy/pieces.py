"""The layers of a network as the pieces of a drawing: blocks and single layers, stage by stage.

A stage is what works on maps of one size. Norms and activations are no pieces; neither are the small
layers of a squeeze-and-excitation, which see one averaged pixel. Equal pieces in a row become one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from hf_resnet.anatomy.blocks import Block
from hf_resnet.anatomy.count import Anatomy, Layer, Shape

FEWEST_EQUAL = 3  # that are drawn as one, with their number


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
    """Boxes that belong together: a block, or a layer alone; `times` of them in a row."""

    parts: tuple[Part, ...]
    shape: Shape
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
    drawn = [layer for layer in anatomy.layers if layer.output and _label(layer)]
    pieces: list[Piece] = []
    for name, layers in groupby(drawn, key=lambda layer: layer.block):
        own = list(layers)
        if name is None:
            pieces += [_alone(layer) for layer in own]
        else:
            pieces.append(_block(blocks[name], own, anatomy))
    together = groupby(pieces, key=lambda piece: _place(piece.shape))
    found = [_stage(list(group)) for _, group in together]
    return [stage for stage in found if stage.pieces]


def _stage(pieces: Sequence[Piece]) -> Stage:
    merged: list[Piece] = []
    for piece, equal in groupby(pieces):
        count = len(list(equal))
        merged += [replace(piece, times=count)] if count >= FEWEST_EQUAL else [piece] * count
    return Stage(tuple(merged), pieces[-1].shape)


def _place(shape: Shape) -> Shape:
    """What makes a stage: the size of a map, the number of tokens, or being a vector."""
    return shape[1:] if len(shape) == 3 else (shape[0], 0, 0) if len(shape) == 2 else ()


def _shape(layer: Layer) -> Shape:
    shape = layer.nchw or ()
    shape = shape[1:] if len(shape) > 1 else shape
    return shape[:1] if len(shape) == 3 and shape[1:] == (1, 1) else shape


def _alone(layer: Layer) -> Piece:
    return Piece((Part((_label(layer),), _sort(layer)),), _shape(layer))


def _block(block: Block, layers: Sequence[Layer], anatomy: Anatomy) -> Piece:
    """The block cut at its sums: each cut is a box with a shortcut over it."""
    inside = [layer for layer in anatomy.layers if block.holds(layer.name) and layer.output]
    shape = _last_shape(inside)
    own = [layer for layer in layers if len(shape) < 2 or len(_shape(layer)) > 1]
    shortcuts = [_label(layer) for layer in own if layer.on_shortcut and layer.window]
    parts: list[Part] = []
    start = 0
    for end in (*block.joins, len(inside)):
        cut = {id(layer) for layer in inside[start:end]}
        way = [layer for layer in own if id(layer) in cut and not layer.on_shortcut]
        start = end
        if way:
            joined = end != len(inside) or end in block.joins
            through = shortcuts[-1] if shortcuts else ""
            lines = tuple(_label(layer) for layer in way)
            parts.append(Part(lines, _sort(way[0]), through if joined else None))
    return Piece(tuple(parts) or (Part((block.kind,), "other"),), shape)


def _last_shape(layers: Sequence[Layer]) -> Shape:
    return _shape(layers[-1])


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
        return f"linear {shape[-1]}"
    if "Pool" in layer.kind and not layer.passes_on:
        return "mean pool" if "Avg" in layer.kind else "pool"
    if layer.multiply_adds:
        return "attention" if "Attention" in layer.kind else layer.kind
    return ""


def _sort(layer: Layer) -> str:
    if layer.window:
        return "convolution" if layer.parameters else "pooling"
    return "pooling" if "Pool" in layer.kind else "product"
