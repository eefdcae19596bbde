"""A folded network laid out for this processor: what oneDNN would otherwise do again at every call.

Each convolution of PyTorch brings its weights into the order that the processor wants whenever it is
called, and an activation after it is one more pass over memory. Here the order is made once, and the
activation is worked out with the convolution. For use only, on a CPU. The surprise: these are the
operations that torch.compile itself emits for a CPU. They have no public name, so where they are
missing, or the network answers otherwise with them, it is left as it was.
"""

import copy
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from hf_resnet.backbones.network import Network
from hf_resnet.backbones.watched import run_watched

_TOLERANCE = 2e-2  # two roundings of bf16; a pair that does not belong together is off by tenths
_ACTIVATIONS: dict[type[nn.Module], tuple[str, list[float]]] = {
    nn.ReLU: ("relu", []),
    nn.ReLU6: ("hardtanh", [0.0, 6.0]),
}


def packed(network: Network, pixels_BCHW: Tensor) -> Network:
    """A copy of the network with its convolutions packed, or as it is where that cannot be."""
    with torch.no_grad():
        try:
            wanted_BK = network(pixels_BCHW)
            lighter = _packed(network, pixels_BCHW)
            got_BK = lighter(pixels_BCHW)
        except (AttributeError, RuntimeError):  # another PyTorch, or another processor
            return network
    same = (got_BK - wanted_BK).norm() <= _TOLERANCE * wanted_BK.norm()
    return lighter if same else network


class PackedConv(nn.Module):
    """A convolution with its weights in the order of the processor, and what is done with its result."""

    def __init__(
        self, conv: nn.Conv2d, input_BCHW: tuple[int, ...], activation: nn.Module | None
    ) -> None:
        super().__init__()
        self.geometry = (conv.padding, conv.stride, conv.dilation, conv.groups)
        self.then = ("none", []) if activation is None else _ACTIVATIONS[type(activation)]
        self.weight = torch.ops.mkldnn._reorder_convolution_weight(
            conv.weight.detach(), *self.geometry, input_BCHW
        )
        self.bias = None if conv.bias is None else conv.bias.detach()

    def forward(self, pixels_BCHW: Tensor) -> Tensor:
        result: Tensor = torch.ops.mkldnn._convolution_pointwise(
            pixels_BCHW, self.weight, self.bias, *self.geometry, *self.then, ""
        )
        return result


@dataclass
class _Seen:
    """What each convolution took, what it gave, and who took that as it was."""

    input_BCHW: dict[str, tuple[int, ...]] = field(default_factory=dict)
    given: dict[int, tuple[str, Tensor, int]] = field(default_factory=dict)
    takers: dict[str, list[str]] = field(default_factory=dict)


def _packed(network: Network, pixels_BCHW: Tensor) -> Network:
    seen = _watched(network, pixels_BCHW)
    lighter = copy.deepcopy(network)
    for name, input_BCHW in seen.input_BCHW.items():
        conv = lighter.get_submodule(name)
        assert isinstance(conv, nn.Conv2d)  # noqa: S101  held by _watched
        takers = seen.takers.get(name, [])
        after = lighter.get_submodule(takers[0]) if len(takers) == 1 else None
        activation = after if type(after) in _ACTIVATIONS else None
        lighter.set_submodule(name, PackedConv(conv, input_BCHW, activation))
        if activation is not None:
            lighter.set_submodule(takers[0], nn.Identity())
    return lighter


def _watched(network: Network, pixels_BCHW: Tensor) -> _Seen:
    """One run, with an eye on each convolution. A result that was changed in place since (a shortcut
    added to it) is no longer what the convolution gave: its version tells."""
    seen = _Seen()

    def before(name: str, module: nn.Module, inputs: tuple[object, ...]) -> None:
        tensor = inputs[0] if inputs else None
        if not isinstance(tensor, Tensor):
            return
        is_plain = type(module) is nn.Conv2d and module.padding_mode == "zeros"
        if is_plain and module is not network.head:  # what goes into that is caught elsewhere
            seen.input_BCHW[name] = tuple(tensor.shape)
        conv, given, version = seen.given.get(id(tensor), ("", None, 0))
        passes_on = isinstance(module, nn.Identity | nn.Sequential) or any(module.children())
        if given is tensor and version == tensor._version and not passes_on:
            seen.takers.setdefault(conv, []).append(name)

    def after(name: str, module: nn.Module, output: object) -> None:
        if type(module) is nn.Conv2d and isinstance(output, Tensor):
            seen.given[id(output)] = (name, output, output._version)

    run_watched(network, pixels_BCHW, before, after)
    return seen
