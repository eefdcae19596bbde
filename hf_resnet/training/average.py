"""The running average of a network's weights, which is often better than where they happen to be."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class Average:
    """`share` of the average stays each step; over the first steps less, so that it starts at once."""

    def __init__(self, module: nn.Module, share: float) -> None:
        self.share = share
        self.tensors = {name: tensor.clone() for name, tensor in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        share = min(self.share, (1 + step) / (10 + step))
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                self.tensors[name].lerp_(tensor, 1 - share)
            else:
                self.tensors[name].copy_(tensor)

    @contextmanager
    def in_place_of(self, module: nn.Module) -> Iterator[None]:
        """Within it the module has the average's weights."""
        own = {name: tensor.clone() for name, tensor in module.state_dict().items()}
        module.load_state_dict(self.tensors)
        try:
            yield
        finally:
            module.load_state_dict(own)
