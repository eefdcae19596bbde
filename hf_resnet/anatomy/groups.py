"""The layers of an anatomy gathered into the modules of a given depth, with sums."""

from collections.abc import Sequence
from dataclasses import replace

from hf_resnet.anatomy.count import Anatomy, Layer


def grouped(anatomy: Anatomy, depth: int | None) -> tuple[Layer, ...]:
    """Rows of at most this many name parts: depth 1 has layer1, depth 2 layer1.0. None: all layers."""
    if depth is None:
        return anatomy.layers
    paths = [(layer, layer.name.split(".")) for layer in anatomy.layers]
    wholes = {".".join(parts[:depth]) for _, parts in paths if len(parts) > depth}
    together: dict[tuple[str, int], list[Layer]] = {}
    for index, (layer, parts) in enumerate(paths):
        name = ".".join(parts[:depth])
        # a layer that is called twice keeps its two rows, but a module with parts is one
        together.setdefault((name, -1 if name in wholes else index), []).append(layer)
    return tuple(_sum_of(anatomy, name, layers) for (name, _), layers in together.items())


def _sum_of(anatomy: Anatomy, name: str, layers: Sequence[Layer]) -> Layer:
    if len(layers) == 1:
        return replace(layers[0], name=name)
    ran = [layer for layer in layers if layer.output]
    output = anatomy.outputs.get(name) or (ran[-1].output if ran else None)
    blocks = {layer.block for layer in layers}
    return replace(
        layers[0],
        name=name,
        kind=anatomy.modules[name],
        input=ran[0].input if ran else None,
        output=output,
        layout=next((each.layout for each in reversed(ran) if each.output == output), None),
        window=None,
        groups=1,
        sums=(),
        parameters=sum(layer.parameters for layer in layers),
        trainable=sum(layer.trainable for layer in layers),
        multiply_adds=sum(layer.multiply_adds for layer in layers),
        memory=sum(layer.memory for layer in layers),
        block=blocks.pop() if len(blocks) == 1 else None,
        on_shortcut=all(layer.on_shortcut for layer in layers),
        mark=None,
        passes_on=False,
    )
