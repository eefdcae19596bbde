"""A network of any source as the rest of the house sees it: pixels in, logits or features out.

Knows nothing of class names. The one surprise: features are whatever goes into the last layer,
caught on its way in, so that every architecture with a single classifying layer works alike.
"""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hf_resnet.errors import ModelError
from hf_resnet.preprocess import Preprocess


@dataclass(frozen=True)
class Opened:
    """What a source found: the network, its class names, its preprocess, and what is not trained."""

    network: "Network"
    names: tuple[str, ...]
    preprocess: Preprocess
    untrained_head: bool = False


class Network(nn.Module):
    """A model whose last layer, called head_name, turns features into logits.

    source is the library that saves it, processor_type the class name of its native image processor
    where that library has such a thing.
    """

    def __init__(
        self, model: nn.Module, *, source: str, head_name: str, processor_type: str | None = None
    ) -> None:
        super().__init__()
        self.processor_type = processor_type
        self.model = model
        self.training = model.training
        self.source = source
        self.head_name = head_name

    def forward(self, pixels_BCHW: Tensor) -> Tensor:
        output: Any = self.model(pixels_BCHW)
        logits_BK: Tensor = output if isinstance(output, Tensor) else output.logits
        return logits_BK

    def features(self, pixels_BCHW: Tensor) -> Tensor:
        """What goes into the head, one row a picture."""
        caught: list[tuple[Tensor, Tensor]] = []

        def catch(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            caught.append((inputs[0].flatten(1), output.flatten(1)))

        hook = self.head.register_forward_hook(catch)
        try:
            logits_BK = self(pixels_BCHW)
        finally:
            hook.remove()
        if len(caught) != 1 or not _same(caught[0][1], logits_BK):
            raise ModelError(
                f"the layer {self.head_name!r} is not the whole of this network's classifier (it may "
                "have several, or change what the layer gives); choose a network with a single one"
            )
        return caught[0][0]

    @property
    def head(self) -> nn.Linear | nn.Conv2d:
        layer = self.model.get_submodule(self.head_name)
        assert isinstance(layer, nn.Linear | nn.Conv2d)  # noqa: S101  held by find_head
        return layer

    @property
    def weight_KD(self) -> Tensor:
        return self.head.weight.detach().flatten(1).float().clone()

    @property
    def bias_K(self) -> Tensor | None:
        bias = self.head.bias
        return None if bias is None else bias.detach().float().clone()

    @property
    def classes(self) -> int:
        return int(self.head.weight.shape[0])

    @property
    def width(self) -> int:
        return int(self.head.weight.shape[1])

    def with_head(self, weight_KD: Tensor, bias_K: Tensor | None) -> "Network":
        """A copy of the network with this head; a head without bias stays one without."""
        old = self.head
        if (bias_K is None) != (old.bias is None):
            had, got = ("no bias", "one") if old.bias is None else ("a bias", "none")
            raise ModelError(f"this network's head has {had}, got {got}; give rows to match")
        if weight_KD.shape[1] != self.width:
            raise ModelError(f"this network's head is {self.width} wide, got {weight_KD.shape[1]}")
        new = _layer_like(old, len(weight_KD))
        with torch.no_grad():
            new.weight.copy_(weight_KD.reshape(new.weight.shape))
            if bias_K is not None and new.bias is not None:
                new.bias.copy_(bias_K)
        copied = copy.deepcopy(self)
        copied.model.set_submodule(self.head_name, new)
        return copied


def _same(first: Tensor, second: Tensor) -> bool:
    """Equal, and broken in the same places where a network gives numbers that are none."""
    return torch.equal(first.nan_to_num(), second.nan_to_num())


def _layer_like(old: nn.Linear | nn.Conv2d, classes: int) -> nn.Linear | nn.Conv2d:
    bias = old.bias is not None
    new: nn.Linear | nn.Conv2d
    if isinstance(old, nn.Linear):
        new = nn.Linear(old.in_features, classes, bias=bias)
    else:
        new = nn.Conv2d(old.in_channels, classes, 1, bias=bias)
    return new.to(old.weight)


def find_head(model: nn.Module, classes: int, *, preferred: nn.Module | None = None) -> str:
    """The name of the classifying layer: the preferred one, else the last with `classes` outputs.

    That it is the whole classifier is checked where it matters, by `Network.features`.
    """
    found: list[str] = [
        name for name, module in model.named_modules() if _may_be_head(module, classes)
    ]
    for name in found:
        if model.get_submodule(name) is preferred:
            return name
    if not found:
        raise ModelError(
            f"this network has no last layer (linear or 1x1 convolution) with {classes} outputs; "
            "choose one that ends in a single classifying layer"
        )
    return found[-1]


def _may_be_head(layer: nn.Module, classes: int) -> bool:
    if isinstance(layer, nn.Conv2d):
        return layer.kernel_size == (1, 1) and layer.groups == 1 and layer.out_channels == classes
    return isinstance(layer, nn.Linear) and layer.out_features == classes
