"""What a run is: one frozen dataclass a command, made of groups that several commands share.

The text under a field is its help. Values come from the defaults here, then a recipe (`--config
recipe.yaml`), then flags. Only `cli` fills these; everything below it is handed a group and knows
nothing of flags. Flag names are those of the Hugging Face example scripts wherever one exists there.
"""

import dataclasses
import math
import os
import re
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args

from tyro.conf import OmitArgPrefixes, Positional, arg

from hf_resnet.errors import ConfigError

MOST_SIDE = 4096
MOST_AT_ONCE = 65_536
MOST_WORKERS = 256
MOST_VIEWS = 10_000
"""What no run means; more is a slip of the finger that would end with the machine's memory."""

OnBadImage = Literal["skip", "fail"]
Precision = Literal["auto", "fp32", "bf16"]
Method = Literal["auto", "head", "last_stage", "full"]
PageLanguage = Literal["auto", "en", "my"]


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
        _within(self, "image_size", 16, MOST_SIDE)


@dataclass(frozen=True, kw_only=True)
class ComputeConfig:
    """How the network is run."""

    per_device_eval_batch_size: int = 32
    """Pictures that go through the network at once, in each process."""

    precision: Precision = "auto"
    """bf16 computes in half the bits; auto does so where the hardware is built for it."""

    dataloader_num_workers: int = 2
    """Threads (for training: processes) that decode pictures while the network computes; 0 trains
    in a single process."""

    def __post_init__(self) -> None:
        _within(self, "per_device_eval_batch_size", 1, MOST_AT_ONCE)
        _within(self, "dataloader_num_workers", 0, MOST_WORKERS)


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
        _within(self, "views", 1, MOST_VIEWS)
        _within(self, "folds", 2, 1000)
        if self.regularization is not None and not 0 < self.regularization < math.inf:
            raise ConfigError(
                f"--regularization is a strength above 0, got {self.regularization:g}; "
                "leave it out to have it chosen by cross-validation"
            )


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How the network itself is trained, by last_stage, full and auto."""

    per_device_train_batch_size: int = 32
    """Pictures that a process learns from at once."""

    gradient_accumulation_steps: int = 1
    """Such batches that make one step of the optimiser."""

    num_train_epochs: float | None = None
    """Times that every picture is learned from (default: by the number of pictures; see README)."""

    max_train_steps: int | None = None
    """Stop after this many steps; the schedule of the rate ends there too."""

    learning_rate: float | None = None
    """Rate of the head and the highest stage (default: by the number of pictures; see README)."""

    layer_decay: float | None = None
    """Each lower stage of the network learns at this share of the rate above it (default: 0.7; 1 for
    a network that knows nothing yet)."""

    optim: Literal["sgd", "adamw"] = "sgd"
    """The optimiser; sgd with Nesterov momentum 0.9."""

    weight_decay: float = 1e-4
    """Pull of the weights towards 0 (norms and biases are left alone)."""

    l2_sp: float = 0.0
    """Pull of the network's weights towards what they were before training."""

    lr_scheduler_type: Literal["cosine", "linear", "constant", "constant_with_warmup"] = "cosine"
    """How the rate goes over the steps."""

    num_warmup_steps: int | None = None
    """Steps over which the rate rises from 0 (default: a tenth of all; none for constant)."""

    max_grad_norm: float = 1.0
    """Longer gradients are shortened to this."""

    label_smoothing_factor: float = 0.0
    """Share of the truth that is spread over all classes."""

    mixup: float = 0.0
    """Mix pairs of pictures, with shares from Beta(mixup, mixup); 0 for none."""

    cutmix: float = 0.0
    """Paste a part of another picture, of a size from Beta(cutmix, cutmix); 0 for none."""

    min_crop_area: float = 0.35
    """The random part of a picture that is learned from has at least this share of its area."""

    random_flip: bool = True
    """Mirror every other picture from left to right."""

    color_jitter: float = 0.0
    """Change brightness, contrast and saturation at random by up to this share."""

    auto_augment: Literal["none", "randaugment", "trivialaugment"] = "none"
    """Further random changes of colour and shape."""

    random_erasing: float = 0.0
    """Probability with which a box of the picture is blanked."""

    balanced_sampling: bool = False
    """Draw each class alike often, instead of each picture once an epoch."""

    batch_norm: Literal["auto", "frozen", "train"] = "auto"
    """Whether batch-norms keep the statistics they came with; auto does so where they came with any
    and a process learns from fewer than 128 pictures at once."""

    ema_decay: float = 0.0
    """Average the weights over the steps, keeping this share each step (0.99), and use the average."""

    metric_for_best_model: Literal["accuracy", "macro_f1", "log_loss"] = "accuracy"
    """What decides, on the validation pictures, which epoch's network is kept."""

    early_stopping_patience: int | None = None
    """Stop after so many epochs without a better one."""

    progressive_resizing: bool = False
    """Begin with pictures of two thirds of the side and grow them to the full one: faster."""

    gradient_checkpointing: bool = False
    """Compute what is inside a stage twice rather than keep it: less memory, a third slower."""

    torch_compile: bool = False
    """Compile the network first; pays on a GPU, not on a CPU."""

    cache_images: bool = False
    """Keep every picture decoded and scaled down (short side 256 pixels) on disk from the first
    epoch on, so that later ones decode nothing."""

    memory_budget: str | None = None
    """Memory the run may take, such as 4GB: batch, accumulation, gradient checkpointing and, last,
    the method are chosen to fit."""

    checkpointing_steps: str = "epoch"
    """Write a checkpoint every so many steps, or every epoch."""

    save_total_limit: int = 2
    """Checkpoints that are kept, the newest ones."""

    resume_from_checkpoint: str | None = None
    """A checkpoint folder to go on from. The same command again goes on by itself."""

    restart: bool = False
    """Begin anew where an unfinished run could be gone on with."""

    with_tracking: bool = False
    """Send figures to the trackers that are installed."""

    report_to: str = "all"
    """Which tracker: tensorboard, wandb, trackio or another that Accelerate knows."""

    def __post_init__(self) -> None:
        for name, low, high in _LIMITS:
            _within(self, name, low, high)
        steps = self.checkpointing_steps
        if steps != "epoch" and not (steps.isdecimal() and int(steps) > 0):
            raise ConfigError(
                f"--checkpointing_steps is a number of steps or the word epoch, got {steps!r}"
            )
        if self.memory_budget is not None:
            bytes_of(self.memory_budget)


_LIMITS = (
    ("per_device_train_batch_size", 1, 1 << 16),
    ("gradient_accumulation_steps", 1, 1 << 16),
    ("max_train_steps", 1, 1 << 40),
    ("save_total_limit", 1, 1 << 16),
    ("early_stopping_patience", 1, 1 << 16),
    ("num_warmup_steps", 0, 1 << 40),
    ("learning_rate", 0.0, 100.0),
    ("num_train_epochs", 0.01, 100_000.0),
    ("layer_decay", 0.0, 1.0),
    ("weight_decay", 0.0, 10.0),
    ("l2_sp", 0.0, 10.0),
    ("max_grad_norm", 0.0, 1e9),
    ("label_smoothing_factor", 0.0, 0.99),
    ("mixup", 0.0, 100.0),
    ("cutmix", 0.0, 100.0),
    ("min_crop_area", 0.01, 1.0),
    ("color_jitter", 0.0, 1.0),
    ("random_erasing", 0.0, 1.0),
    ("ema_decay", 0.0, 0.99999),
)


def bytes_of(text: str) -> int:
    """'4GB', '3.5 GiB' or '800MB' as a number of bytes; ConfigError where it is no such thing."""
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([KMGT])(i?)B?\s*", text, re.IGNORECASE)
    if match is None or not float(match[1]):
        raise ConfigError(f"--memory_budget is an amount such as 4GB or 800MB, got {text!r}")
    power = " KMGT".index(match[2].upper())
    return int(float(match[1]) * (1024 if match[3] else 1000) ** power)


@dataclass(frozen=True, kw_only=True)
class HubConfig:
    """Whether the finished model goes to the Hub."""

    push_to_hub: bool = False
    """Put the model on the Hub when it is saved; `hf-resnet push` does the same later."""

    hub_model_id: str | None = None
    """Where it goes: OWNER/NAME, or NAME for your own (default: the name of the output folder)."""

    hub_token: str | None = field(default=None, repr=False)
    """A login for this run alone; it is written nowhere. Others of this machine may see it while the
    run goes on: `hf auth login` or HF_TOKEN are better."""

    hub_private_repo: bool = False
    """Make the repository one that only you see. What is public there already is refused."""

    def __post_init__(self) -> None:
        if (self.hub_model_id or self.hub_private_repo) and not self.push_to_hub:
            name = "--hub_model_id" if self.hub_model_id else "--hub_private_repo"
            raise ConfigError(f"{name} says how to push, and nothing is pushed; add --push_to_hub")


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
    overwrite_output_dir: bool = False
    """Replace a model folder that is already there."""

    seed: int = 0
    """Decides every random choice of the run."""

    def __post_init__(self) -> None:
        _within(self, "seed", 0, 2**32 - 1)


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
    """Classes that stay, all others go: a,b,c. A name that begins with dashes is written --keep=-x."""

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

    subject: Literal["head", "network", "device"] = "head"
    """head: a head fitted on a frozen network. network: the whole network trained. device: how much
    of its own peak this machine reaches in training the network, without a plain way."""

    model_name_or_path: str = "packaged:efficientnet-lite0"
    """The network to begin with."""

    dataset_name: str = "sample:cifar10"
    """The pictures to learn from and to judge on."""

    max_train_samples: int = 200
    """Pictures to learn from."""

    max_eval_samples: int = 500
    """Pictures to judge on."""

    num_train_epochs: int | None = None
    """Epochs of the plain way, and with a whole network of ours (default: what each does by itself;
    for a head 10)."""

    per_device_train_batch_size: int | None = None
    """Pictures that both sides learn from at once (default: what each does by itself)."""

    method: Method = "full"
    """What ours trains, where the subject is the network."""

    image_size: int | None = None
    """Side in pixels of what the network sees (default: what it was made for)."""

    views: int = 4
    """Cached views of ours, where the subject is the head."""

    rounds: int = 3
    """How often each side runs, in turn."""

    output_dir: str = "outputs/benchmark"
    """Where benchmark.json goes."""

    def __post_init__(self) -> None:
        for name in ("max_train_samples", "max_eval_samples", "num_train_epochs", "rounds"):
            _at_least(self, name, 1)
        _at_least(self, "per_device_train_batch_size", 1)
        _within(self, "image_size", 16, MOST_SIDE)
        _within(self, "views", 1, MOST_VIEWS)


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
        _within(self, "size", 1, MOST_SIDE)


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
        _within(self, "wrong", 1, 12)
        _within(self, "count", 1, 1024)
        _within(self, "seed", 0, 2**63 - 1)


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
            _at_least(self, name, 0)
        for name in ("num_train_epochs", "per_device_train_batch_size"):
            _at_least(self, name, 1)
        _within(self, "image_size", 8, 64)
        _within(self, "seed", 0, 2**63 - 1)
        if not self.learning_rate > 0:
            raise ConfigError(f"--learning_rate is above 0, got {self.learning_rate:g}")
        wrong = [depth for depth in self.depths if depth % 6 != 2 or not 8 <= depth <= 110]
        if wrong:
            raise ConfigError(
                f"--depths are 6n + 2 layers, such as 8, 14, 20, 32, 44, 56 or 110, got {wrong}"
            )
        if not set(self.versions) <= {1, 2}:
            raise ConfigError(f"--versions are 1, 2 or both, got {list(self.versions)}")


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """Show a model on a page where people ask it about their pictures."""

    model_name_or_path: Annotated[str, Positional, arg(metavar="MODEL")]
    """The model: a folder, a Hub id, timm:NAME, packaged:NAME or scratch:NAME."""

    port: int = 7860
    """Where the page is on this machine."""

    host: str = "127.0.0.1"
    """Who can reach it: 127.0.0.1 this machine alone, 0.0.0.0 everybody on the network."""

    keep_wrong: str | None = None
    """Let people say what a picture really is, and keep it in this folder, from which finetune
    --train_dir learns."""

    lang: PageLanguage = "auto"
    """The page's language: auto takes that of the browser; a switch changes it."""

    trust_remote_code: bool = False
    """Run Python code that comes with a Hub model. Only for authors you trust."""

    def __post_init__(self) -> None:
        _within(self, "port", 1, 65_535)
        if self.lang not in get_args(PageLanguage):  # a Space has it from its settings
            raise ConfigError(f"--lang is auto, en or my, got {self.lang!r}")


@dataclass(frozen=True, kw_only=True)
class PushConfig:
    """Put a model folder on the Hub, with its card, as one commit."""

    model: Annotated[str, Positional, arg(metavar="MODEL")]
    """The model folder that finetune or relabel wrote."""

    hub_model_id: str | None = None
    """Where it goes: OWNER/NAME, or NAME for your own (default: the name of the folder)."""

    hub_private_repo: bool = False
    """Make the repository one that only you see. What is public there already is refused."""

    create_pr: bool = False
    """Ask for the change with a pull request, and change nothing yourself."""

    revision: str = "main"
    """The branch; made where there is none."""

    tag: str | None = None
    """A name for this version, such as v1, under which it can be had for ever."""

    license: str | None = None
    """The licence to name in the card, such as apache-2.0 (default: what the card there says)."""

    force: bool = False
    """Push a model that measures worse than the one that is there."""

    pending: bool = False
    """Finish the push that was begun from this folder, as it was asked for then."""

    def __post_init__(self) -> None:
        if self.create_pr and self.tag:
            raise ConfigError("a pull request cannot have a tag; leave out --tag, or --create_pr")
        asked = (self.hub_model_id, self.hub_private_repo, self.create_pr, self.tag, self.force)
        if self.pending and (any(asked) or self.license or self.revision != "main"):
            raise ConfigError("--pending stands alone: it goes on with what was asked for before")


def as_dict(config: Any) -> dict[str, Any]:
    """The config as a recipe has it: flat, since no two groups share a field, and ready for YAML; a
    token is left out, wherever this is written."""
    flat: dict[str, Any] = {}
    for each in dataclasses.fields(config):
        value = getattr(config, each.name)
        if dataclasses.is_dataclass(value):
            flat.update(as_dict(value))
        else:
            flat[each.name] = list(value) if isinstance(value, tuple) else value
        if each.name == "hub_token":
            flat[each.name] = None
    return flat


_PATHS = (
    *("labels", "surgery", "output", "json", "picture", "resume_from_checkpoint"),
    *("model_name_or_path", "dataset_name", "keep_wrong"),
)


def with_homes(config: Any) -> Any:
    """The config with the home folder for a ~ at the start of every path, as a shell would write it
    (which it does not behind an equals sign, in quotes or in a recipe)."""
    changes: dict[str, Any] = {}
    for each in dataclasses.fields(config):
        value = getattr(config, each.name)
        if dataclasses.is_dataclass(value):
            changes[each.name] = with_homes(value)
        elif isinstance(value, str) and each.name.endswith(("_dir", "_file", *_PATHS)):
            changes[each.name] = os.path.expanduser(value)  # noqa: PTH111  else a name is left alone
    return dataclasses.replace(config, **changes)


def _at_least(config: Any, name: str, least: int) -> None:
    value = getattr(config, name)
    if value is not None and value < least:
        raise ConfigError(f"--{name} is at least {least}, got {value}")


def _within(config: Any, name: str, low: float, high: float) -> None:
    value = getattr(config, name)
    if value is not None and not low <= value <= high:
        least, most, got = (
            f"{each:g}" if isinstance(each, float) else str(each) for each in (low, high, value)
        )
        raise ConfigError(f"--{name} is within {least} and {most}, got {got}")
