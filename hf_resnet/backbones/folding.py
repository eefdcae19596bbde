"""Batch-norms worked into the convolutions before them: the same answers with fewer passes over memory.

For use only, never for training. Which layers follow each other is seen by running one picture, so
that any library's network will do; a network that would answer otherwise is given back unfolded.
"""

import copy
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from hf_resnet.backbones.network import Network
from hf_resnet.backbones.watched import run_watched

NORMS = (
    nn.modules.batchnorm._BatchNorm,
    nn.modules.instancenorm._InstanceNorm,
    nn.LayerNorm,
    nn.GroupNorm,
)
_TOLERANCE = 1e-3


def folded(network: Network, pixels_BCHW: Tensor) -> Network:
    """A copy of the network with its batch-norms folded, or as it is where that cannot be."""
    with torch.no_grad():  # tensors made in inference mode could not be run under autocast
        pairs = norms_after_convolutions(network, pixels_BCHW)
        if not pairs:
            return network
        wanted_BK = network(pixels_BCHW)
        lighter = copy.deepcopy(network)
        for conv, norm in pairs:
            _fold(lighter, conv, norm)
        got_BK = lighter(pixels_BCHW)
    same = (got_BK - wanted_BK).norm() <= _TOLERANCE * wanted_BK.norm()
    return lighter if same else network


def has_norms(network: Network) -> bool:
    """Whether any normalisation is left, which wants more digits than bf16 has."""
    return any(isinstance(module, NORMS) for module in network.modules())


def norms_after_convolutions(network: Network, pixels_BCHW: Tensor) -> list[tuple[str, str]]:
    """(convolution, batch-norm) by name, where the one's output goes to the other alone."""
    watch = _Watch()

    def before(name: str, module: nn.Module, inputs: tuple[object, ...]) -> None:
        conv, tensor = watch.made_by.get(id(inputs[0]), ("", None)) if inputs else ("", None)
        works_itself = isinstance(module, nn.BatchNorm2d) or not list(module.children())
        if works_itself and tensor is not None and inputs[0] is tensor:
            watch.taken_by.setdefault(conv, []).append(name)

    def after(name: str, module: nn.Module, output: object) -> None:
        if isinstance(module, nn.Conv2d) and isinstance(output, Tensor):
            watch.made_by[id(output)] = (name, output)

    run_watched(network, pixels_BCHW, before, after)
    return [
        (conv, takers[0])
        for conv, takers in watch.taken_by.items()
        if len(takers) == 1 and _can_fold(network, conv, takers[0])
    ]


def what_is_left(norm: nn.BatchNorm2d) -> nn.Module:
    """timm's batch-norms carry the activation that follows them."""
    children = dict(norm.named_children())
    return nn.Sequential(*(children[name] for name in ("drop", "act") if name in children))


@dataclass
class _Watch:
    """The tensors that convolutions give, and the modules that take them."""

    made_by: dict[int, tuple[str, Tensor]] = field(default_factory=dict)
    taken_by: dict[str, list[str]] = field(default_factory=dict)


def _can_fold(network: Network, conv: str, norm: str) -> bool:
    """Whether both are of the kinds whose arithmetic is known here."""
    module = network.get_submodule(norm)
    kinds = type(network.get_submodule(conv)).__name__, type(module).__name__
    known = kinds[0] in ("Conv2d", "Conv2dSame") and kinds[1] in ("BatchNorm2d", "BatchNormAct2d")
    return known and module.running_mean is not None


def _fold(network: Network, conv_name: str, norm_name: str) -> None:
    conv, norm = network.get_submodule(conv_name), network.get_submodule(norm_name)
    assert isinstance(conv, nn.Conv2d)  # noqa: S101  held by _can_fold
    assert isinstance(norm, nn.BatchNorm2d)  # noqa: S101
    assert norm.running_mean is not None  # noqa: S101  it is in use, not in training
    assert norm.running_var is not None  # noqa: S101
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight,
        conv.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
    )
    network.set_submodule(norm_name, what_is_left(norm))
