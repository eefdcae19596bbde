"""Batch-norms whose statistics stay, worked into the convolutions before them while a network learns.

With fixed statistics a norm is a factor and a shift for each channel. Where the convolution takes
them over they cost no pass over memory, and what it gave need not be kept for the backward pass: of
what a ResNet keeps that is nearly a half. Weights, norms and their gradients stay what and where they
are: only how the layers are called changes, and only within the context. Knows nothing of training
loops; which layers follow each other is seen as in `backbones.folding`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from hf_resnet.backbones import Network
from hf_resnet.backbones.folding import norms_after_convolutions, what_is_left


class FrozenNorms:
    """The norms of a network that can be folded while their statistics stay as they are."""

    def __init__(self, network: Network, size: tuple[int, int]) -> None:
        """Looks at one picture of this height and width; the network is in evaluation afterwards."""
        network.eval()
        pixels_BCHW = torch.zeros(1, 3, *size, device=network.head.weight.device)
        with torch.no_grad():
            names = norms_after_convolutions(network, pixels_BCHW)
        self._calls: list[tuple[nn.Conv2d, nn.BatchNorm2d, dict[nn.Module, Any]]] = []
        for conv_name, norm_name in names:
            conv, norm = network.get_submodule(conv_name), network.get_submodule(norm_name)
            if type(conv) is nn.Conv2d and isinstance(norm, nn.BatchNorm2d):
                # made once: torch.compile knows a function that it has seen before
                calls = {conv: partial(_both, conv, norm), norm: what_is_left(norm).forward}
                self._calls.append((conv, norm, calls))

    @contextmanager
    def folded(self) -> Iterator[None]:
        """Within it, a convolution that learns gives what the norm after it would, if the statistics of
        that stay. One that does not learn keeps nothing for a backward pass in any case."""
        changed = [
            calls
            for conv, norm, calls in self._calls
            if conv.weight.requires_grad and not norm.training
        ]
        try:
            for calls in changed:
                for module, forward in calls.items():
                    module.forward = forward
            yield
        finally:
            for calls in changed:
                for module in calls:
                    vars(module).pop("forward", None)  # what its class defines shows again


def _both(conv: nn.Conv2d, norm: nn.BatchNorm2d, pixels_BCHW: Tensor) -> Tensor:
    """What the norm makes of what the convolution gives. torch's own fuse_conv_bn_weights will not do:
    it makes new parameters, and no gradient would reach these."""
    assert norm.running_mean is not None  # noqa: S101  held by norms_after_convolutions
    assert norm.running_var is not None  # noqa: S101
    factor_C = torch.rsqrt(norm.running_var + norm.eps)
    if norm.weight is not None:
        factor_C = norm.weight * factor_C
    shift_C = -norm.running_mean * factor_C
    if conv.bias is not None:
        shift_C = shift_C + conv.bias * factor_C
    if norm.bias is not None:
        shift_C = shift_C + norm.bias
    weight_OIHW = conv.weight * factor_C[:, None, None, None]
    result: Tensor = conv._conv_forward(pixels_BCHW, weight_OIHW, shift_C)
    return result
