"""An anatomy as JSON: plain numbers under names that stay."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from hf_resnet.anatomy.blocks import Block
from hf_resnet.anatomy.count import Anatomy, Layer
from hf_resnet.anatomy.savings import Saving, saving

FORMAT = 1
CONVENTION = (
    "multiply_adds: one multiplication and one addition count as one; convolutions, linear layers and "
    "the products of attention are counted, norms, activations, pooling and sums are not. "
    "memory_bytes: what the layers give out for one picture in 32-bit floats; in place costs nothing"
)


def as_json(
    anatomy: Anatomy, layers: Sequence[Layer], *, model: str, depth: int | None
) -> dict[str, Any]:
    """Everything that the table shows, for the rows given (all layers, or groups of them)."""
    saved = saving(anatomy)
    return {
        "format": FORMAT,
        "model": model,
        "size": list(anatomy.size),
        "depth": depth,
        "convention": CONVENTION,
        "totals": {
            "parameters": anatomy.parameters,
            "trainable": anatomy.trainable,
            "multiply_adds": anatomy.multiply_adds,
            "memory_bytes": anatomy.memory,
        },
        "layers": [_layer(layer) for layer in layers],
        "blocks": [_block(block) for block in anatomy.blocks],
        "bottleneck_saving": _saving(saved) if saved else None,
    }


def _layer(layer: Layer) -> dict[str, Any]:
    window = layer.window
    return {
        "name": layer.name,
        "kind": layer.kind,
        "kernel": list(window.kernel) if window else None,
        "stride": list(window.stride) if window else None,
        "padding": list(window.padding) if window and window.padding else None,
        "dilation": list(window.dilation) if window else None,
        "groups": layer.groups if window else None,
        "size_sums": list(layer.sums),
        "input": list(layer.input) if layer.input else None,
        "output": list(layer.output) if layer.output else None,
        "layout": layer.layout,
        "output_nchw": list(layer.nchw) if layer.layout and layer.nchw else None,
        "output_nhwc": list(layer.nhwc) if layer.layout and layer.nhwc else None,
        "parameters": layer.parameters,
        "trainable": layer.trainable,
        "multiply_adds": layer.multiply_adds,
        "memory_bytes": layer.memory,
        "block": layer.block,
        "on_shortcut": layer.on_shortcut,
        "mark": layer.mark,
    }


def _block(block: Block) -> dict[str, Any]:
    bottleneck = list(block.bottleneck) if block.bottleneck else None
    return {
        "name": block.name,
        "kind": block.kind,
        "shortcuts": len(block.joins),
        "projections": list(block.projections),
        "bottleneck": bottleneck,
    }


def _saving(saved: Saving) -> dict[str, Any]:
    return {
        "example": saved.block.name,
        "size": list(saved.size),
        "bottleneck": dataclasses.asdict(saved.ours),
        "two_plain_3x3": dataclasses.asdict(saved.plain),
        "bottlenecks": saved.count,
        "all_bottlenecks": dataclasses.asdict(saved.all_ours),
        "all_two_plain_3x3": dataclasses.asdict(saved.all_plain),
    }
