"""finetune and demo: from pictures to a model folder."""

from dataclasses import dataclass, field
from typing import Literal

from tyro.conf import OmitArgPrefixes

from hf_resnet.config.groups import (
    ComputeConfig,
    DataConfig,
    HeadConfig,
    ModelConfig,
    PreprocessConfig,
)
from hf_resnet.config.hub import HubConfig
from hf_resnet.config.limits import within
from hf_resnet.config.training import TrainConfig

Method = Literal["auto", "head", "last_stage", "full"]


@dataclass(frozen=True, kw_only=True)
class FinetuneConfig:
    """Teach a pretrained network your classes, measure it and save a model folder."""

    model: OmitArgPrefixes[ModelConfig]
    output_dir: str
    """The model folder to write."""

    data: OmitArgPrefixes[DataConfig] = field(default_factory=DataConfig)
    preprocess: OmitArgPrefixes[PreprocessConfig] = field(default_factory=PreprocessConfig)
    method: Method = "auto"
    """head: the network stays as it is, and a new classifying layer is fitted on its features.
    last_stage and full: then that stage, or all of the network, is trained as well (the first
    takes less memory and time). auto: the one of
    them that suits the number of pictures (the table in the README)."""

    head: OmitArgPrefixes[HeadConfig] = field(default_factory=HeadConfig)
    train: OmitArgPrefixes[TrainConfig] = field(default_factory=TrainConfig)
    compute: OmitArgPrefixes[ComputeConfig] = field(default_factory=ComputeConfig)
    hub: OmitArgPrefixes[HubConfig] = field(default_factory=HubConfig)
    save_examples: int = 0
    """Keep so many test pictures (where there are none, validation pictures; never those learned from),
    up to 8 and small, in the model folder, for people to try on the page. They are your pictures:
    deploy-space shows them to everybody; push leaves them at home."""

    overwrite_output_dir: bool = False
    """Replace a model folder that is already there."""

    seed: int = 0
    """Decides every random choice of the run."""

    def __post_init__(self) -> None:
        within(self, "seed", 0, 2**32 - 1)
        within(self, "save_examples", 0, 8)


@dataclass(frozen=True, kw_only=True)
class DemoConfig:
    """Teach a small classifier with what this machine can reach, in minutes."""

    output_dir: str = "outputs/demo"
    """The model folder to write; one that is there is replaced."""

    plan: Literal["hub", "cifar10", "digits"] | None = None
    """What to learn (default: the first of these that can be reached)."""
