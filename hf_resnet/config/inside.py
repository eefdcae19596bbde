"""What shows a network from inside: layers, explain and degrade."""

from dataclasses import dataclass, field
from math import inf
from typing import Annotated, Literal

from tyro.conf import OmitArgPrefixes, Positional, arg

from hf_resnet.config.groups import ComputeConfig, DataConfig
from hf_resnet.config.limits import MOST_SIDE, at_least, within
from hf_resnet.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class LayersConfig:
    """Show what a network is made of: shapes, sizes and costs, layer by layer."""

    model_name_or_path: Annotated[str, Positional, arg(metavar="MODEL")]
    """The network: a folder, a Hub id, timm:NAME or packaged:NAME. Its weights are not fetched."""

    depth: int | None = None
    """Gather layers into modules of this depth: 1 has layer1, 2 has layer1.0 (default: every layer)."""

    size: int | None = None
    """Side in pixels of the picture that goes in (default: what the network was made for)."""

    channels_last: bool = False
    """Write shapes with the channels last (NHWC), and say what that means in memory."""

    method: Literal["full", "head"] = "full"
    """full: all that may be trained; head: what finetune --method head trains, the rest frozen."""

    json: str | None = None
    """Write the table to this file as JSON."""

    picture: str | None = None
    """Write a drawing of the blocks to this .png or .svg file."""

    trust_remote_code: bool = False
    """Run Python code that comes with a Hub model. Only for authors you trust."""

    def __post_init__(self) -> None:
        at_least(self, "depth", 1)
        within(self, "size", 1, MOST_SIDE)


@dataclass(frozen=True, kw_only=True)
class ExplainConfig:
    """Draw what goes on inside a network: what it looks at, sees, expects, and how it is fooled."""

    model_name_or_path: Annotated[str, Positional, arg(metavar="MODEL")]
    """The network: a folder, a Hub id, timm:NAME, packaged:NAME or scratch:NAME."""

    inputs: Annotated[tuple[str, ...], Positional, arg(metavar="PICTURES...")] = ()
    """Picture files or folders of them; every kind but ideal needs one."""

    kind: Literal["gradcam", "features", "ideal", "adversarial", "neighbours"]
    """gradcam: where in the picture it found the class. features: what the filters of a layer answer.
    ideal: the picture it holds for a class most. adversarial: the smallest change that fools it.
    neighbours: the training pictures that look the same to it."""

    classes: tuple[str, ...] = ()
    """The class to explain (default: the answer); gradcam takes several. Also written --class."""

    layer: tuple[str, ...] = ()
    """Layers for gradcam and features, named as hf-resnet layers prints them (default: the last with
    maps for gradcam, the first and the end of every stage for features)."""

    target: str | None = None
    """What adversarial makes the answer (default: any but what it is)."""

    attack: Literal["pgd", "fgsm"] = "pgd"
    """How adversarial goes about it: pgd in many small steps, fgsm in one."""

    wrong: int | None = None
    """Explain this many wrong answers (at most 12), the surest first, on the data that is named (or
    that the model was made with); gradcam then shows the answer and the truth."""

    split: Literal["train", "validation", "test"] | None = None
    """The split that wrong answers are sought in (default: test where there is one, else validation,
    else all there is)."""

    count: int | None = None
    """How many neighbours (default: 5), or how many maps of a layer for features (default: 36)."""

    output: str | None = None
    """The PNG to write (default: KIND.png)."""

    data: OmitArgPrefixes[DataConfig] = field(default_factory=DataConfig)
    compute: OmitArgPrefixes[ComputeConfig] = field(default_factory=ComputeConfig)
    feature_cache_dir: str | None = None
    """Where features are kept (default: ~/.cache/hf_resnet/features, or $HF_RESNET_CACHE)."""

    seed: int = 0
    """Decides the noise that ideal starts from."""

    trust_remote_code: bool = False
    """Run Python code that comes with a Hub model. Only for authors you trust."""

    def __post_init__(self) -> None:
        within(self, "wrong", 1, 12)
        within(self, "count", 1, 1024)
        within(self, "seed", 0, 2**63 - 1)


@dataclass(frozen=True, kw_only=True)
class DegradeConfig:
    """See why residual nets were made: train plain and residual nets of several depths alike."""

    output_dir: str = "outputs/degrade"
    """Where degrade.json and the plots go."""

    dataset_name: str = "sample:cifar10"
    """The pictures: sample:cifar10, sample:digits (which needs no network), or a Hub data set."""

    depths: tuple[int, ...] = ()
    """Layers of the nets, 6n + 2 from 8 to 110 (default: 8 14 20 32)."""

    versions: tuple[int, ...] = ()
    """Residual nets of these versions, 1: convolution, norm, ReLU; 2: norm, ReLU, convolution (default:
    1 2)."""

    image_size: int = 16
    """Side in pixels that the pictures are scaled to; 32 is what CIFAR-10 has, and four times the
    work of 16."""

    max_train_samples: int = 3000
    """Pictures to learn from; all there are under --max_train_samples 0."""

    max_eval_samples: int = 1000
    """Pictures to test on; all there are under --max_eval_samples 0."""

    num_train_epochs: int = 20
    """Epochs of each net."""

    per_device_train_batch_size: int = 64
    """Pictures in a step."""

    learning_rate: float = 0.1
    """At its height; it rises over the first epoch and falls to 0 along half a cosine."""

    seed: int = 0
    """Decides the first weights, the order of the pictures and how they are moved about."""

    def __post_init__(self) -> None:
        for name in ("max_train_samples", "max_eval_samples"):
            at_least(self, name, 0)
        for name in ("num_train_epochs", "per_device_train_batch_size"):
            at_least(self, name, 1)
        within(self, "image_size", 8, 64)
        within(self, "seed", 0, 2**63 - 1)
        if not 0 < self.learning_rate < inf:
            raise ConfigError(f"--learning_rate is a number above 0, got {self.learning_rate:g}")
        wrong = [depth for depth in self.depths if depth % 6 != 2 or not 8 <= depth <= 110]
        if wrong:
            raise ConfigError(
                f"--depths are 6n + 2 layers, such as 8, 14, 20, 32, 44, 56 or 110, got {wrong}"
            )
        if not set(self.versions) <= {1, 2}:
            raise ConfigError(f"--versions are 1, 2 or both, got {list(self.versions)}")
