"""The layers of a network by name, and what each gives as a stack of maps.

Names are those that `hf-resnet layers` prints, and the names of the modules above them (layer1,
layer1.0). A map may lie as NCHW, as NHWC (timm's Swin), or as a row of tokens with the class token in
front (a ViT); here all of them become maps_BCHW. The surprise: of a module that runs several times in
one pass, such as a shared ReLU, the last run counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

from torch import Tensor, nn

from hf_resnet.anatomy.watch import tensors_in
from hf_resnet.backbones import Network
from hf_resnet.errors import ConfigError, did_you_mean
from hf_resnet.explain.seeing import must_be_finite

Size = tuple[int, int]
MOST_EXTRA_TOKENS = 8  # class token, distillation token, registers


@dataclass(frozen=True)
class Trace:
    """One pass through a network: the logits, and what every module gave, in the order they ended."""

    network: Network
    size: Size
    logits_BK: Tensor
    outputs: dict[str, Tensor]
    plain: frozenset[str]
    """The modules that gave a tensor and nothing beside it."""

    def maps(self, name: str) -> Tensor | None:
        """What a module gave as maps_BCHW; None where it gave none larger than 1x1."""
        return as_maps(self.outputs[name], self.size)

    def maps_of(self, slope: Tensor | None) -> Tensor | None:
        """A gradient by the output of a module, in the same shape as the module's maps."""
        return None if slope is None else as_maps(slope, self.size)

    def named(self, name: str) -> Tensor:
        """The maps of a layer that a person named; ConfigError where it has none."""
        if name not in self.outputs:
            known = [
                each for each in self.outputs if as_maps(self.outputs[each], self.size) is not None
            ]
            hint = did_you_mean(name, known) or f"; such as {known[-1]}" if known else ""
            raise ConfigError(
                f"this network runs no layer {name!r}{hint}; hf-resnet layers MODEL lists them all"
            )
        maps_BCHW = self.maps(name)
        if maps_BCHW is None:
            shape = "×".join(map(str, self.outputs[name].shape[1:]))
            raise ConfigError(
                f"the layer {name!r} gives {shape} numbers and no maps; name a convolution or "
                "another layer before the pooling (hf-resnet layers MODEL lists them)"
            )
        return maps_BCHW

    def stacks(self) -> list[str]:
        """The modules that gave one tensor that is a stack of maps, in the order they ended."""
        return [name for name in self.outputs if name in self.plain and self.maps(name) is not None]

    def is_block(self, name: str) -> bool:
        """Whether the module is made of several layers that have weights; a convolution that is
        wrapped with its norm is one layer."""
        parts = list(self.network.model.get_submodule(name).modules())[1:]
        return sum(isinstance(part, nn.Conv2d | nn.Linear) for part in parts) > 1

    def blocks(self) -> list[str]:
        """The blocks in order; no parts of blocks, and no stages, which give what their last block
        gave."""
        found: dict[int, str] = {}
        for name in filter(self.is_block, self.stacks()):
            found.setdefault(self.outputs[name].data_ptr(), name)
        names = list(found.values())
        return [name for name in names if not any(name.startswith(f"{each}.") for each in names)]

    def kind(self, name: str) -> str:
        """The class of a module that ran."""
        return type(self.network.model.get_submodule(name)).__name__


def trace(network: Network, pixels_BCHW: Tensor) -> Trace:
    """Run the network once and keep what each module gives."""
    outputs: dict[str, Tensor] = {}
    plain: set[str] = set()
    names = {module: name for name, module in network.model.named_modules() if name}

    def keep(module: nn.Module, _: object, output: object) -> None:
        tensors = tensors_in(output)
        if tensors:
            outputs.pop(names[module], None)
            outputs[names[module]] = tensors[0]
        if isinstance(output, Tensor):
            plain.add(names[module])

    hooks = [module.register_forward_hook(keep) for module in names]
    try:
        logits_BK = network(pixels_BCHW)
    finally:
        for hook in hooks:
            hook.remove()
    must_be_finite(logits_BK)
    height, width = pixels_BCHW.shape[-2:]
    return Trace(network, (height, width), logits_BK, outputs, frozenset(plain))


def as_maps(output: Tensor, size: Size) -> Tensor | None:
    """maps_BCHW of what a layer gave for a picture of this size; None where it is no such thing."""
    if output.dim() == 4:
        maps = [each for each in (output, output.permute(0, 3, 1, 2)) if _has_shape_of(each, size)]
        return maps[0] if maps else None
    if output.dim() == 3:
        return _maps_of_tokens(output, size)
    return None


def _has_shape_of(maps_BCHW: Tensor, size: Size) -> bool:
    """Whether height and width are in the proportion of the picture, and not a single place."""
    height, width = maps_BCHW.shape[2:]
    slack = 0 if size[0] == size[1] else max(size)
    return height * width > 1 and abs(height * size[1] - width * size[0]) <= slack


def _maps_of_tokens(tokens_BTD: Tensor, size: Size) -> Tensor | None:
    count = tokens_BTD.shape[1]
    high = isqrt(count * size[0] // size[1])
    wide = isqrt(count * size[1] // size[0])
    extra = count - high * wide
    if high * wide < 2 or extra > MOST_EXTRA_TOKENS:
        return None
    return tokens_BTD[:, extra:].transpose(1, 2).reshape(len(tokens_BTD), -1, high, wide)


def spread(names: Sequence[str], count: int) -> list[str]:
    """So many of the names, evenly from the first to the last."""
    if len(names) <= count:
        return list(names)
    return [names[round(at * (len(names) - 1) / (count - 1))] for at in range(count)]
