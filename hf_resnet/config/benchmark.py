"""benchmark: ours timed against what a person would otherwise run."""

from dataclasses import dataclass
from typing import Literal

from hf_resnet.config.finetune import Method
from hf_resnet.config.limits import MOST_SIDE, MOST_VIEWS, at_least, within

BenchmarkSubject = Literal[
    "all",
    "head",
    "network",
    "predict",
    "latency",
    "first",
    "startup",
    "data",
    "batch",
    "growth",
    "device",
]


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Time ours against what a person would otherwise run, side by side."""

    subject: BenchmarkSubject = "head"
    """head: a head fitted on a frozen network. network: the whole network trained. predict: many
    pictures answered. latency: one picture at a time. first: the first answer of a fresh process.
    startup: the command line's help. data: pictures made ready to learn from. batch: the network
    alone, as batches grow. growth: fitting a head, as pictures and classes grow. device: how much of
    its own peak this machine reaches in training the network. all: each of them in turn."""

    model_name_or_path: str | None = None
    """The network to begin with (default: packaged:efficientnet-lite0 where something is learned or
    for device, a ResNet-50 with random weights where pictures are answered)."""

    dataset_name: str = "sample:cifar10"
    """The pictures to learn from and to judge on."""

    max_train_samples: int | None = None
    """Pictures to learn from, or to answer (default: what suits the subject, such as 200)."""

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
    """Where benchmark.json, benchmark.md (a table) and benchmark.png (a chart) go."""

    def __post_init__(self) -> None:
        for name in ("max_train_samples", "max_eval_samples", "num_train_epochs", "rounds"):
            at_least(self, name, 1)
        at_least(self, "per_device_train_batch_size", 1)
        within(self, "image_size", 16, MOST_SIDE)
        within(self, "views", 1, MOST_VIEWS)
