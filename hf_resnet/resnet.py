"""A ResNet to be read: the network that most transfer learning starts from, in one file.

A picture comes in as pixels_BCHW (batch, channels, height, width). Stage by stage it is made smaller
and given more channels, until the mean over all places leaves one row of numbers that says what is
in it, features_BD. The head, a single linear layer, turns that row into a score a class, logits_BK.
Learning your own classes is, at the least, to put another head here. A resnet50 at 224 pixels:

    stem      7x7 convolution with stride 2, 3x3 max pool with stride 2       64 x 56 x 56
    stage 0   3 blocks                                                       256 x 56 x 56
    stage 1   4 blocks, the first with stride 2                              512 x 28 x 28
    stage 2   6 blocks, the first with stride 2                             1024 x 14 x 14
    stage 3   3 blocks, the first with stride 2                             2048 x  7 x  7
    tail      the mean of the 7 x 7 places                                  2048
    head      linear                                                        1000

Stride. A filter of stride 2 stops at every second place only, so height and width are halved: 224
pixels under a 7x7 filter with 3 pixels of padding leave (224 + 2·3 - 7) // 2 + 1 = 112. There are
then four times fewer places to compute, which pays for twice the channels.

Bottleneck. Two 3x3 convolutions on 256 channels hold 2·9·256·256 = 1,179,648 weights. A bottleneck
squeezes 256 channels to 64 (1x1), works there (3x3), and expands to 4·64 = 256 again (1x1):
256·64 + 9·64·64 + 64·256 = 69,632 weights, 17 times fewer. The deep nets (50 layers and up) are
made of it, the others of the basic block, which is two 3x3 convolutions.

Shortcut. A block answers x + branch(x): the branch learns only what to add. A net without shortcuts,
`plain34`, must learn in every layer to hand on what is there already, and gets worse, on the very
pictures it learns from, as it gets deeper. With them a block that has nothing to add says 0, and the
gradient runs through the sums to the first layer undamped. Where x keeps its shape the shortcut is
the identity; where stride or channels change it is a projection (a 1x1 convolution), or padding
(every second place, and zeros for the new channels: no weights, as in the CIFAR nets of the paper).

v1 and v2. v1 goes convolution, norm, ReLU, and its last ReLU comes after the sum, so that what passes
along the shortcuts is cut off at 0 in every block. v2, "pre-activation", goes norm, ReLU, convolution
and leaves the sum alone: from the end of a stage back to its first block the shortcuts are one
straight line. What comes out at the last was never normalised, so the tail does that once.

The surprise: a branch starts as 0, so that an untrained residual net is a shallow one that grows deep
as it learns. In v1 the weight of its last norm is 0; in v2 a zero norm would be followed by a ReLU,
which passes no gradient at 0, so there it is the last convolution. Where no shortcut, or an empty
channel of a padded one, would be left to carry anything, the branch starts with random weights.

He et al. 2015 (arXiv 1512.03385) is v1, He et al. 2016 (1603.05027) v2, Goyal et al. 2017 (1706.02677)
the zero start. Stride sits on the 3x3 convolution, as in torchvision, timm and transformers; the
paper had it on the 1x1. Class names and how a picture becomes pixels are not known here.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal, get_args

from torch import Tensor, nn

from hf_resnet.errors import ModelError, did_you_mean, listed

Block = Literal["basic", "bottleneck"]
Version = Literal[1, 2]
Shortcut = Literal["projection", "padding", "none"]
Stem = Literal["224", "32"]


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """What a ResNet is made of: all but its weights and the number of its classes."""

    block: Block
    """Two 3x3 convolutions, or 1x1, 3x3, 1x1."""

    depths: tuple[int, ...]
    """Blocks of each stage."""

    widths: tuple[int, ...] = (64, 128, 256, 512)
    """Channels of the 3x3 convolutions of each stage; a bottleneck gives out four times as many."""

    version: Version = 1
    """1: convolution, norm, ReLU; 2: norm, ReLU, convolution."""

    shortcut: Shortcut = "projection"
    """How x is made to fit where a block changes its shape; none: a plain net, no shortcut at all."""

    stem: Stem = "224"
    """For pictures of about this side: the larger quarters height and width, the smaller keeps them."""

    dropout: float = 0.0
    """The share of the features that is dropped before the head, in training."""

    def __post_init__(self) -> None:
        choices = {"block": Block, "version": Version, "shortcut": Shortcut, "stem": Stem}
        for field, choice in choices.items():
            value = getattr(self, field)
            if value not in get_args(choice) or isinstance(value, bool):
                allowed = listed(map(repr, get_args(choice)), last="or")
                raise ModelError(f"ResNet: {field} is {allowed}, got {getattr(self, field)!r}")
        sizes = (*self.depths, *self.widths)
        whole = all(type(size) is int and size > 0 for size in sizes)
        if not (sizes and whole) or len(self.depths) != len(self.widths):
            raise ModelError(
                "ResNet: depths and widths are as many whole numbers above 0, one of each a stage, "
                f"got {self.depths} and {self.widths}"
            )
        if not 0 <= self.dropout < 1:
            raise ModelError(f"ResNet: dropout is a share from 0 to below 1, got {self.dropout}")

    @property
    def expansion(self) -> int:
        """How many times its width a block gives out."""
        return 4 if self.block == "bottleneck" else 1

    @property
    def layers(self) -> int:
        """The number in a ResNet's name: convolutions of stem and branches, and the head."""
        return 2 + sum(self.depths) * (3 if self.block == "bottleneck" else 2)


class ResNet(nn.Module):
    """pixels_BCHW in, logits_BK out. With zero_start the branches begin by adding nothing."""

    def __init__(
        self, architecture: Architecture, classes: int = 1000, *, zero_start: bool = True
    ) -> None:
        super().__init__()
        self.architecture = architecture
        channels = architecture.widths[0]
        self.stem = _stem(architecture, channels)
        self.stages = nn.Sequential()
        for depth, width in zip(architecture.depths, architecture.widths, strict=True):
            stage = nn.Sequential()
            for place in range(depth):
                stride = 2 if len(self.stages) > 0 and place == 0 else 1
                stage.append(_block(architecture, channels, width, stride))
                channels = width * architecture.expansion
            self.stages.append(stage)
        self.tail = _tail(architecture, channels)
        self.dropout = nn.Dropout(architecture.dropout)
        self.head = nn.Linear(channels, classes)
        _initialise(self, zero_start=zero_start)

    def forward(self, pixels_BCHW: Tensor) -> Tensor:
        maps_BCHW = self.stages(self.stem(pixels_BCHW))
        features_BD = self.tail(maps_BCHW)
        logits_BK: Tensor = self.head(self.dropout(features_BD))
        return logits_BK


class BlockV1(nn.Module):
    """ReLU(x + branch(x)), where every convolution of the branch is followed by its norm."""

    def __init__(self, convolutions: list[nn.Conv2d], shortcut: nn.Module | None) -> None:
        super().__init__()
        self.branch = nn.Sequential()
        for number, conv in enumerate(convolutions, start=1):
            self.branch.add_module(f"conv{number}", conv)
            self.branch.add_module(f"norm{number}", nn.BatchNorm2d(conv.out_channels))
            if number < len(convolutions):
                self.branch.add_module(f"relu{number}", nn.ReLU())
        self.shortcut = shortcut
        self.relu = nn.ReLU()

    def forward(self, x_BCHW: Tensor) -> Tensor:
        sum_BCHW = self.branch(x_BCHW)
        if self.shortcut is not None:
            sum_BCHW = sum_BCHW + self.shortcut(x_BCHW)
        out_BCHW: Tensor = self.relu(sum_BCHW)
        return out_BCHW


class BlockV2(nn.Module):
    """x + branch(x), where every convolution of the branch comes after its norm and ReLU."""

    def __init__(self, convolutions: list[nn.Conv2d], shortcut: nn.Module | None) -> None:
        super().__init__()
        first, *others = convolutions
        self.ready = nn.Sequential(
            OrderedDict(norm=nn.BatchNorm2d(first.in_channels), relu=nn.ReLU())
        )
        self.branch = nn.Sequential(OrderedDict(conv1=first))
        for number, conv in enumerate(others, start=2):
            self.branch.add_module(f"norm{number}", nn.BatchNorm2d(conv.in_channels))
            self.branch.add_module(f"relu{number}", nn.ReLU())
            self.branch.add_module(f"conv{number}", conv)
        self.shortcut = shortcut

    def forward(self, x_BCHW: Tensor) -> Tensor:
        ready_BCHW = self.ready(x_BCHW)
        sum_BCHW: Tensor = self.branch(ready_BCHW)
        if isinstance(self.shortcut, nn.Identity):
            sum_BCHW = sum_BCHW + x_BCHW
        elif self.shortcut is not None:  # what changes its shape is normalised before
            sum_BCHW = sum_BCHW + self.shortcut(ready_BCHW)
        return sum_BCHW


def _block(architecture: Architecture, inside: int, width: int, stride: int) -> nn.Module:
    out = width * architecture.expansion
    if architecture.block == "basic":
        convolutions = [_conv(inside, width, 3, stride), _conv(width, out, 3)]
    else:
        squeeze, expand = _conv(inside, width, 1), _conv(width, out, 1)
        convolutions = [squeeze, _conv(width, width, 3, stride), expand]
    shortcut = _shortcut(architecture, inside, out, stride)
    kind = BlockV1 if architecture.version == 1 else BlockV2
    return kind(convolutions, shortcut)


def _shortcut(architecture: Architecture, inside: int, out: int, stride: int) -> nn.Module | None:
    if architecture.shortcut == "none":
        return None
    if (inside, stride) == (out, 1):
        return nn.Identity()
    if architecture.shortcut == "padding":
        every_other = nn.MaxPool2d(1, stride)
        zeros = nn.ConstantPad3d((0, 0, 0, 0, 0, out - inside), 0.0)  # behind the last channel
        return nn.Sequential(OrderedDict(skip=every_other, pad=zeros))
    projection = nn.Sequential(OrderedDict(conv=_conv(inside, out, 1, stride)))
    if architecture.version == 1:
        projection.add_module("norm", nn.BatchNorm2d(out))
    return projection


def _stem(architecture: Architecture, channels: int) -> nn.Sequential:
    large = architecture.stem == "224"
    stem = nn.Sequential()
    stem.add_module("conv", _conv(3, channels, 7, 2) if large else _conv(3, channels, 3))
    if architecture.version == 1:  # in v2 the first block begins with them
        stem.add_module("norm", nn.BatchNorm2d(channels))
        stem.add_module("relu", nn.ReLU())
    if large:
        stem.add_module("pool", nn.MaxPool2d(3, 2, padding=1))
    return stem


def _tail(architecture: Architecture, channels: int) -> nn.Sequential:
    tail = nn.Sequential()
    if architecture.version == 2:
        tail.add_module("norm", nn.BatchNorm2d(channels))
        tail.add_module("relu", nn.ReLU())
    tail.add_module("pool", nn.AdaptiveAvgPool2d(1))
    tail.add_module("flatten", nn.Flatten())
    return tail


def _conv(inside: int, out: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """Padded so that stride 1 keeps the size; no bias, since the norm has one."""
    return nn.Conv2d(inside, out, kernel, stride, padding=kernel // 2, bias=False)


def _initialise(model: ResNet, *, zero_start: bool) -> None:
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    for module in model.modules():
        if zero_start and isinstance(module, BlockV1 | BlockV2) and _is_carried(module.shortcut):
            nn.init.zeros_(module.branch[-1].get_parameter("weight"))


def _is_carried(shortcut: nn.Module | None) -> bool:
    """Whether every channel gets something from the shortcut. One that is 0 there and in the branch
    too is held at 0 for good: the ReLU behind it lets no gradient through."""
    return shortcut is not None and not hasattr(shortcut, "pad")


_BLOCKS: dict[int, tuple[Block, tuple[int, ...]]] = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}


def _architectures() -> dict[str, Architecture]:
    found = {}
    for kind, version in product(("resnet", "plain"), get_args(Version)):
        mark = "-v2" if version == 2 else ""
        projection: Shortcut = "none" if kind == "plain" else "projection"
        padding: Shortcut = "none" if kind == "plain" else "padding"
        for layers, (block, depths) in _BLOCKS.items():
            large = Architecture(block=block, depths=depths, version=version, shortcut=projection)
            found[f"{kind}{layers}{mark}"] = large
            found[f"{kind}{layers}-32px{mark}"] = replace(large, stem="32")
        for n in range(1, 19):
            found[f"{kind}{6 * n + 2}-cifar{mark}"] = Architecture(
                block="basic",
                depths=(n, n, n),
                widths=(16, 32, 64),
                version=version,
                shortcut=padding,
                stem="32",
            )
    return found


ARCHITECTURES = _architectures()
"""Every name with what it stands for: resnet or plain, layers, -32px or -cifar, -v2."""


def named(name: str) -> Architecture:
    """The architecture of a name: resnet50, resnet18-v2, plain34, resnet18-32px, plain20-cifar."""
    if name not in ARCHITECTURES:
        raise ModelError(
            f"no ResNet here is called {name!r}{did_you_mean(name, ARCHITECTURES)}; a name is resnet "
            f"or plain with {listed(map(str, _BLOCKS), last='or')} layers, then -32px and -v2 where "
            "wanted, or with 6n + 2 layers (8, 14, 20 up to 110) and -cifar"
        )
    return ARCHITECTURES[name]


_RENAMES = (
    # transformers
    (r"^resnet\.embedder\.embedder\.", "stem."),
    (r"^resnet\.encoder\.stages\.(\d+)\.layers\.", r"stages.\1."),
    *((rf"\.layer\.{n}\.(conv|norm)[a-z]+\.", rf".\g<1>{n + 1}.") for n in range(3)),
    (r"\.convolution\.", ".conv."),
    (r"\.normalization\.", ".norm."),
    (r"^classifier\.1\.", "head."),
    # torchvision, and timm's resnet
    (r"^conv1\.", "stem.conv."),
    (r"^bn1\.", "stem.norm."),
    *((rf"^layer{n + 1}\.", f"stages.{n}.") for n in range(4)),
    (r"\.bn(\d)\.", r".norm\1."),
    (r"\.downsample\.0\.", ".shortcut.conv."),
    (r"\.downsample\.1\.", ".shortcut.norm."),
    (r"^fc\.", "head."),
    # timm's resnetv2
    (r"^(stages\.\d+)\.blocks\.(\d+)\.norm1\.", r"\1.\2.ready.norm."),
    (r"^(stages\.\d+)\.blocks\.", r"\1."),
    (r"\.downsample\.conv\.", ".shortcut.conv."),
    (r"^norm\.", "tail.norm."),
    (r"^head\.fc\.", "head."),
    # all of them: what is left of a block stands in its branch
    (r"(?<!branch)\.((?:conv|norm)\d\.)", r".branch.\1"),
)


def our_name(theirs: str) -> str:
    """What a tensor of transformers, timm or torchvision is called here; our own names stay."""
    for pattern, ours in _RENAMES:
        theirs = re.sub(pattern, ours, theirs)
    return theirs


def load_weights(model: ResNet, tensors: Mapping[str, Tensor]) -> None:
    """Fill the network from a state_dict of ours, or of a ResNet of transformers, timm (resnet, and
    resnetv2 with batch norm) or torchvision: every tensor of it, and no other.

    Only names and shapes can be compared. A relative that computes otherwise with the same tensors
    (stride on the 1x1 as in transformers' downsample_in_bottleneck, blurred pooling as in timm's
    resnetblur50) is not told apart, so compare its logits once.
    """
    ours = {our_name(name): tensor for name, tensor in tensors.items()}
    if "head.weight" in ours:  # resnetv2 has its head as a 1x1 convolution
        ours["head.weight"] = ours["head.weight"].flatten(1)
    expected, given = _shapes(model.state_dict()), _shapes(ours)
    if wrong := sorted({name for name, _ in expected ^ given}):
        raise ModelError(
            "these weights are not of this ResNet: missing, left over or of another shape are "
            f"{listed(wrong, most=3)}"
        )
    model.load_state_dict(ours, strict=True)


def _shapes(tensors: Mapping[str, Tensor]) -> set[tuple[str, tuple[int, ...]]]:
    """Without the norms' counters of batches, which old files lack and nothing depends on."""
    return {
        (name, tuple(tensor.shape))
        for name, tensor in tensors.items()
        if not name.endswith("num_batches_tracked")
    }
