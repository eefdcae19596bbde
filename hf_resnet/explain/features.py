"""Feature maps: what every filter of a layer answers to a picture, as a grid.

The first layers keep the picture and answer to edges and colours; deeper ones are coarser and answer
to parts, until nothing is left that a person would recognise, and the classes lie apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from hf_resnet.classifier import Classifier
from hf_resnet.errors import ModelError
from hf_resnet.explain import seeing
from hf_resnet.explain.layers import Trace, spread, trace
from hf_resnet.explain.maps import tiled
from hf_resnet.explain.question import Answer, Need, Question
from hf_resnet.explain.sheet import Block, Panel
from hf_resnet.metrics.arrays import FloatArray

TITLE = "Feature maps: what the filters of a layer answer"
NEEDS: tuple[Need, ...] = ("picture",)
MOST_LAYERS = 5
MOST_MAPS = 36
SIDE = 400


@dataclass(frozen=True, eq=False)
class LayerMaps:
    """All maps of one layer."""

    layer: str
    kind: str
    maps_CHW: FloatArray


@dataclass(frozen=True, eq=False)
class FeatureMaps:
    """One picture on its way through the network."""

    seen: Image.Image
    layers: tuple[LayerMaps, ...]


def explain(
    classifier: Classifier, picture: Image.Image, *, layers: Sequence[str] = ()
) -> FeatureMaps:
    """The maps of the layers named; by default the first ones, and the last of every size."""
    network = classifier.network
    seen = seeing.window(classifier.preprocess, picture)
    levels_1CHW = seeing.levels_of([seen], network)
    with seeing.held_still(network), torch.no_grad():
        traced = trace(network, seeing.network_input(classifier.preprocess, levels_1CHW))
    names = list(dict.fromkeys(layers)) or _telling(traced)
    found = []
    for name in names:
        maps_1CHW = traced.named(name)
        maps_CHW = maps_1CHW[0].cpu().double().numpy()
        found.append(LayerMaps(name, traced.kind(name), maps_CHW))
    return FeatureMaps(seen, tuple(found))


def strongest(maps_CHW: FloatArray, most: int) -> FloatArray:
    """At most so many maps, those that vary most over the picture, in the order of their filters."""
    variation_C = maps_CHW.std(axis=(1, 2))
    chosen = np.sort(np.argsort(-variation_C, kind="stable")[:most])
    return maps_CHW[chosen]


def _telling(traced: Trace) -> list[str]:
    """The first layer with maps and the last block of every size; of a ViT, whose maps all have one
    size, some from first to last."""
    stacks = traced.stacks()
    if not stacks:
        raise ModelError(
            "this network gives no maps in any layer, so there are none to show; take --kind "
            "neighbours or adversarial"
        )
    sizes = {name: traced.named(name)[0, 0].numel() for name in stacks}
    first = stacks[0]
    if len(set(sizes.values())) == 1:
        return spread([first, *traced.blocks()], MOST_LAYERS)
    last_of: dict[int, str] = {}
    for name in sorted(stacks, key=traced.is_block):  # stable: blocks come after, and so win
        if sizes[name] != sizes[first] or traced.is_block(name):
            last_of[sizes[name]] = name
    chosen = {first, *last_of.values()}
    return spread([name for name in stacks if name in chosen], MOST_LAYERS)


def ask(classifier: Classifier, question: Question) -> Answer:
    """Of the layers that were named, or those that tell most."""
    assert question.picture is not None  # noqa: S101  held by NEEDS
    found = explain(classifier, question.picture, layers=question.layers)
    lines = [f"{question.name}: {each.layer}: {_size(each)}" for each in found.layers]
    return Answer(block(found, question.name, question.count or MOST_MAPS), tuple(lines))


def block(found: FeatureMaps, name: str, most: int = MOST_MAPS) -> Block:
    """What the network sees, and a grid for every layer."""
    panels = [Panel(_enlarged(found.seen), "what the network sees", "every map has its own scale")]
    for each in found.layers:
        maps_CHW = strongest(each.maps_CHW, most)
        note = _size(each)
        if len(maps_CHW) < len(each.maps_CHW):
            note += f"; here the {len(maps_CHW)} that vary most"
        panels.append(Panel(tiled(maps_CHW, SIDE), f"{each.layer} ({each.kind})", note))
    return Block(name, tuple(panels), side=SIDE, columns=3)


def _size(found: LayerMaps) -> str:
    count, height, width = found.maps_CHW.shape
    return f"{count:,} maps of {height}×{width}"


def _enlarged(picture: Image.Image) -> Image.Image:
    scale = SIDE / max(picture.size)
    size = (round(picture.width * scale), round(picture.height * scale))
    how = Image.Resampling.NEAREST if scale > 4 else Image.Resampling.BICUBIC
    return picture.resize(size, how)
