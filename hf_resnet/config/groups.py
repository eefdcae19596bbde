"""The groups of settings that several commands share: model, data, preprocess, compute and head."""

import math
from dataclasses import dataclass
from typing import Literal

from hf_resnet.config.limits import (
    MOST_AT_ONCE,
    MOST_SIDE,
    MOST_VIEWS,
    MOST_WORKERS,
    at_least,
    within,
)
from hf_resnet.errors import ConfigError

OnBadImage = Literal["skip", "fail"]
AskedPrecision = Literal["auto", "fp32", "bf16", "fp16"]


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Which model to open."""

    model_name_or_path: str
    """A folder saved by hf_resnet, transformers or timm; a Hub id (microsoft/resnet-50,
    me/flowers@v2); timm:NAME for a timm architecture; packaged:efficientnet-lite0 (or lite1, lite2)
    for ImageNet weights that need no Hub; scratch:resnet50 (resnet18-v2, plain34, resnet20-cifar)
    for our own ResNet, untrained."""

    model_revision: str | None = None
    """Branch, tag or commit of a Hub model; the same as writing NAME@REVISION."""

    random_init: bool = False
    """Take the architecture with random weights, and fetch none."""

    trust_remote_code: bool = False
    """Run Python code that comes with a Hub model. Only for authors you trust."""


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which pictures to read. Name one of dataset_name, train_dir and train_file."""

    dataset_name: str | None = None
    """A Hub data set (beans, me/flowers@v2), or a sample: sample:beans, sample:cats-dogs,
    sample:pets, sample:flowers, sample:cifar10, sample:digits."""

    dataset_config_name: str | None = None
    """The configuration of the Hub data set, where it has several."""

    train_split_name: str | None = None
    """The data set's split to learn from (default: train)."""

    validation_split_name: str | None = None
    """The data set's split for choices along the way (default: validation, valid, val or dev)."""

    test_split_name: str | None = None
    """The data set's split for the final figures (default: test)."""

    train_dir: str | None = None
    """A folder with one folder of pictures a class, or with train, validation and test folders."""

    validation_dir: str | None = None
    """The same for the validation pictures."""

    test_dir: str | None = None
    """The same for the test pictures."""

    train_file: str | None = None
    """A CSV, JSON lines or parquet file with a column of paths (or pictures) and one of labels."""

    validation_file: str | None = None
    """The same for the validation pictures."""

    test_file: str | None = None
    """The same for the test pictures."""

    more_data: str | None = None
    """Further pictures of the same classes to learn from, all of them: a folder with one folder a
    class, such as the wrong answers that the page keeps, or a data set of the Hub."""

    image_column_name: str | None = None
    """The column with the pictures; found by its type where not named."""

    label_column_name: str | None = None
    """The column with the classes; found by its type where not named."""

    train_val_split: float = 0.15
    """The share of the training pictures set aside for validation where there is no such split."""

    max_train_samples: int | None = None
    """Learn from at most this many pictures, drawn evenly from the classes."""

    max_eval_samples: int | None = None
    """Use at most this many pictures of the validation split, and of the test split."""

    streaming: bool = False
    """Read a Hub data set as it comes, without storing it first."""

    on_bad_image: OnBadImage = "skip"
    """What to do with a file that is not a usable picture: skip and list it, or stop."""

    split_seed: int = 0
    """Decides which pictures a made split gets."""

    def __post_init__(self) -> None:
        if not 0 < self.train_val_split < 1:
            raise ConfigError(
                f"--train_val_split is a share of the pictures, got {self.train_val_split:g}; "
                "give a number above 0 and below 1, such as 0.15"
            )
        for name in ("max_train_samples", "max_eval_samples"):
            at_least(self, name, 1)


@dataclass(frozen=True, kw_only=True)
class PreprocessConfig:
    """How a picture becomes numbers; what is not given stays as the model has it."""

    image_size: int | None = None
    """Side in pixels of the square the network sees."""

    preprocess_mode: Literal["crop", "squash", "letterbox"] | None = None
    """crop the middle, squash to a square, or letterbox (all of it, with bars)."""

    def __post_init__(self) -> None:
        within(self, "image_size", 16, MOST_SIDE)


@dataclass(frozen=True, kw_only=True)
class ComputeConfig:
    """How the network is run."""

    per_device_eval_batch_size: int = 32
    """Pictures that go through the network at once, in each process."""

    precision: AskedPrecision = "auto"
    """bf16 and fp16 compute in half the bits; auto takes bf16 where the hardware is built for it, and
    fp16 on graphics cards that are too old for bf16."""

    dataloader_num_workers: int = 2
    """Threads (for training: processes) that decode pictures while the network computes; 0 trains
    in a single process."""

    def __post_init__(self) -> None:
        within(self, "per_device_eval_batch_size", 1, MOST_AT_ONCE)
        within(self, "dataloader_num_workers", 0, MOST_WORKERS)


@dataclass(frozen=True, kw_only=True)
class HeadConfig:
    """How a head is fitted on the features of a frozen backbone."""

    views: int = 1
    """Pictures the head learns from for each picture given: the picture itself, and views - 1
    random crops and flips of it."""

    class_weight: Literal["auto", "balanced", "none"] = "auto"
    """balanced counts each class alike; auto does so where the largest class has over 1.5 times the
    pictures of the smallest."""

    regularization: float | None = None
    """Strength of the L2 penalty, usually 1e-6 to 1e-2; chosen by cross-validation where not given."""

    folds: int = 5
    """Folds of that cross-validation."""

    feature_cache_dir: str | None = None
    """Where features are kept (default: ~/.cache/hf_resnet/features, or $HF_RESNET_CACHE)."""

    def __post_init__(self) -> None:
        within(self, "views", 1, MOST_VIEWS)
        within(self, "folds", 2, 1000)
        if self.regularization is not None and not 0 < self.regularization < math.inf:
            raise ConfigError(
                f"--regularization is a strength above 0, got {self.regularization:g}; "
                "leave it out to have it chosen by cross-validation"
            )
