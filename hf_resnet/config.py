"""What a run is: one frozen dataclass a command, made of groups that several commands share.

The text under a field is its help. Values come from the defaults here, then a recipe (`--config
recipe.yaml`), then flags. Only `cli` fills these; everything below it is handed a group and knows
nothing of flags. Flag names are those of the Hugging Face example scripts wherever one exists there.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from tyro.conf import OmitArgPrefixes, Positional, arg

from hf_resnet.errors import ConfigError

OnBadImage = Literal["skip", "fail"]
Precision = Literal["auto", "fp32", "bf16"]


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
            _at_least(self, name, 1)


@dataclass(frozen=True, kw_only=True)
class PreprocessConfig:
    """How a picture becomes numbers; what is not given stays as the model has it."""

    image_size: int | None = None
    """Side in pixels of the square the network sees."""

    preprocess_mode: Literal["crop", "squash", "letterbox"] | None = None
    """crop the middle, squash to a square, or letterbox (all of it, with bars)."""

    def __post_init__(self) -> None:
        _at_least(self, "image_size", 16)


@dataclass(frozen=True, kw_only=True)
class ComputeConfig:
    """How the network is run."""

    per_device_eval_batch_size: int = 32
    """Pictures that go through the network at once, in each process."""

    precision: Precision = "auto"
    """bf16 computes in half the bits; auto does so where the hardware is built for it."""

    dataloader_num_workers: int = 2
    """Threads that decode pictures while the network computes."""

    def __post_init__(self) -> None:
        _at_least(self, "per_device_eval_batch_size", 1)
        _at_least(self, "dataloader_num_workers", 1)


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
        _at_least(self, "views", 1)
        _at_least(self, "folds", 2)
        if self.regularization is not None and not self.regularization > 0:
            raise ConfigError(
                f"--regularization is a strength above 0, got {self.regularization:g}; "
                "leave it out to have it chosen by cross-validation"
            )


@dataclass(frozen=True, kw_only=True)
class FinetuneConfig:
    """Teach a pretrained network your classes, measure it and save a model folder."""

    model: OmitArgPrefixes[ModelConfig]
    output_dir: str
    """The model folder to write."""

    data: OmitArgPrefixes[DataConfig] = field(default_factory=DataConfig)
    preprocess: OmitArgPrefixes[PreprocessConfig] = field(default_factory=PreprocessConfig)
    method: Literal["head"] = "head"
    """head: the network stays as it is, and a new classifying layer is fitted on its features."""

    head: OmitArgPrefixes[HeadConfig] = field(default_factory=HeadConfig)
    compute: OmitArgPrefixes[ComputeConfig] = field(default_factory=ComputeConfig)
    overwrite_output_dir: bool = False
    """Replace a model folder that is already there."""

    seed: int = 0
    """Decides every random choice of the run."""


@dataclass(frozen=True, kw_only=True)
class MeasureConfig:
    """Measure a classifier on labelled pictures, with intervals."""

    model: OmitArgPrefixes[ModelConfig]
    data: OmitArgPrefixes[DataConfig] = field(default_factory=DataConfig)
    split: Literal["train", "validation", "test"] | None = None
    """The split to measure on (default: test where there is one, else validation, else all there is)."""

    compute: OmitArgPrefixes[ComputeConfig] = field(default_factory=ComputeConfig)
    output_dir: str | None = None
    """Where to write metrics.json and the pictures (default: the report folder of the model folder
    where it is measured on its own held-out pictures, else nowhere)."""


@dataclass(frozen=True, kw_only=True)
class PredictConfig:
    """Say what pictures are."""

    model_name_or_path: Annotated[str, Positional, arg(metavar="MODEL")]
    """The model: a folder, a Hub id, timm:NAME, packaged:NAME or scratch:NAME."""

    inputs: Annotated[tuple[str, ...], Positional, arg(metavar="PICTURES...")]
    """Picture files, folders of them (any depth), a Hub data set or a sample:NAME."""

    output: str | None = None
    """Write the rows to this .jsonl, .csv or .parquet file."""

    top_k: int = 3
    """Classes listed for each picture."""

    split: str = "test"
    """The split to read where the input is a data set."""

    image_column_name: str | None = None
    """The data set's column with the pictures."""

    trust_remote_code: bool = False
    """Run Python code that comes with a Hub model. Only for authors you trust."""

    compute: OmitArgPrefixes[ComputeConfig] = field(default_factory=ComputeConfig)

    def __post_init__(self) -> None:
        _at_least(self, "top_k", 1)
        if not self.inputs:
            raise ConfigError("predict needs pictures: give files, a folder or a data set")


@dataclass(frozen=True, kw_only=True)
class RelabelConfig:
    """Change the classes of a trained classifier without losing what it knows of those that stay.

    keep, drop, rename and merge name classes of the model as it is; a part between commas is enough
    ("tabby" finds "tabby, tabby cat"). Merged and renamed classes stay.
    """

    model: OmitArgPrefixes[ModelConfig]
    output_dir: str
    """The model folder to write."""

    keep: tuple[str, ...] = ()
    """Classes that stay, all others go: a,b,c."""

    drop: tuple[str, ...] = ()
    """Classes that go: a,b,c."""

    rename: tuple[str, ...] = ()
    """New names: old=new."""

    merge: tuple[str, ...] = ()
    """One class out of several: cat=tabby,tiger cat."""

    add: tuple[str, ...] = ()
    """New classes at the end: a,b,c."""

    labels: str | None = None
    """A file with the exact class names wanted, one a line, in order; it stands alone."""

    surgery: str | None = None
    """A YAML file with the keys keep, drop, rename, merge and add; it stands alone."""

    add_dir: str | None = None
    """A folder with a folder of pictures for each added class; their features make its row."""

    sample_dir: str | None = None
    """A folder of any pictures such as the model will meet: merged rows are fitted on them, and the
    error that merging makes is measured on them."""

    compute: OmitArgPrefixes[ComputeConfig] = field(default_factory=ComputeConfig)
    overwrite_output_dir: bool = False
    """Replace a model folder that is already there."""


@dataclass(frozen=True, kw_only=True)
class DemoConfig:
    """Teach a small classifier with what this machine can reach, in minutes."""

    output_dir: str = "outputs/demo"
    """The model folder to write; one that is there is replaced."""

    plan: Literal["hub", "cifar10", "digits"] | None = None
    """What to learn (default: the first of these that can be reached)."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Time ours against the plain way, side by side in one run."""

    model_name_or_path: str = "packaged:efficientnet-lite0"
    """The network whose head is fitted."""

    dataset_name: str = "sample:cifar10"
    """The pictures to learn from and to judge on."""

    max_train_samples: int = 200
    """Pictures to learn from."""

    max_eval_samples: int = 500
    """Pictures to judge on."""

    num_train_epochs: int = 10
    """Epochs of the plain way."""

    views: int = 4
    """Cached views of ours."""

    rounds: int = 3
    """How often each side runs, in turn."""

    output_dir: str = "outputs/benchmark"
    """Where benchmark.json goes."""


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
        _at_least(self, "depth", 1)
        _at_least(self, "size", 1)


def as_dict(config: Any) -> dict[str, Any]:
    """The config as a recipe has it: flat, since no two groups share a field, and ready for YAML."""
    flat: dict[str, Any] = {}
    for each in dataclasses.fields(config):
        value = getattr(config, each.name)
        if dataclasses.is_dataclass(value):
            flat.update(as_dict(value))
        else:
            flat[each.name] = list(value) if isinstance(value, tuple) else value
    return flat


def _at_least(config: Any, name: str, least: int) -> None:
    value = getattr(config, name)
    if value is not None and value < least:
        raise ConfigError(f"--{name} is at least {least}, got {value}")
