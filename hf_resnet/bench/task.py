"""What all sides of a comparison are given, and what each has to show for it.

Knows nothing of the subjects. Imports nothing heavy, for a side may be one that needs neither torch
nor any model library.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_resnet.config.finetune import Method

if TYPE_CHECKING:
    from hf_resnet.classifier import Classifier
    from hf_resnet.data import Data


@dataclass(frozen=True)
class Task:
    """What all sides have to do."""

    model: str
    image_size: int | None = None
    dataset: str = "sample:cifar10"
    pictures: int = 200
    test_pictures: int = 500
    epochs: float | None = None
    """None: what each side does by itself."""

    batch: int | None = None
    views: int = 1
    method: Method = "auto"
    threads: int = 1
    folder: str = ""
    """Where that lies which was prepared for all sides."""

    photo: tuple[int, int] = (500, 375)
    """Width and height of the photos that are looked at."""

    classes: int = 10
    cached: bool = True
    """Ours keeps pictures scaled down."""

    later: bool = False
    """The second time over the same pictures is what counts, not the first."""

    def data(self) -> "Data":
        from hf_resnet.config import DataConfig
        from hf_resnet.data import load_data

        config = DataConfig(
            dataset_name=self.dataset,
            max_train_samples=self.pictures,
            max_eval_samples=self.test_pictures,
        )
        return load_data(config)

    def classifier(self) -> "Classifier":
        """Opened, and looking at pictures of the size wanted."""
        from hf_resnet.classifier import open_classifier

        found = open_classifier(self.model)
        if self.image_size is None:
            return found
        preprocess = found.preprocess.with_changes(image_size=self.image_size)
        return replace(found, preprocess=preprocess)

    @property
    def model_folder(self) -> Path:
        """The prepared model, as its own library and ours open it."""
        return Path(self.folder, "model")

    def photos(self) -> list[str]:
        """The prepared photos."""
        width, height = self.photo
        paths = sorted(Path(self.folder, f"{width}x{height}").rglob("*.jpg"))
        return [str(path) for path in paths[: self.pictures]]


@dataclass(frozen=True)
class Outcome:
    """How long one side took, and what it had to show for it."""

    seconds: float
    pictures_a_second: float = 0.0
    peak_megabytes: float = 0.0
    accuracy: float | None = None
    answers: tuple[str, ...] = ()
    """The label of each picture, where there is one to compare."""


Side = Callable[[Task], Outcome]


@dataclass(frozen=True)
class Subject:
    """One comparison."""

    title: str
    sides: Mapping[str, Side]
    usual: tuple[str, ...]
    """The sides that a person would otherwise run; ours are held against each."""

    model: str = "packaged:efficientnet-lite0"
    """What is looked at where no model is named."""

    cases: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"": {}})
    """What changes about the task, by the name that the case has in the table."""

    prepare: Callable[[Task], dict[str, str]] | None = None
    """Makes what all sides need in task.folder; gives the sides that cannot be, and why."""

    pictures: int | None = None
    """How many, where the person does not say."""

    grows: bool = False
    """Whether the cases are one thing in sizes, from the smallest on."""


def accuracy_of(classifier: "Classifier", data: "Data") -> float:
    """On the test pictures, in full precision for both sides."""
    from hf_resnet.config import ComputeConfig
    from hf_resnet.evaluation.measure import measure

    assert data.test is not None  # noqa: S101  the samples all have test pictures
    measured = measure(classifier, data.test, ComputeConfig(precision="fp32"))
    return measured.figures["accuracy"].value


def peak_megabytes(*, of_children: bool = False) -> float:
    """The most memory that this process (or one that it started) has held so far."""
    import resource

    who = resource.RUSAGE_CHILDREN if of_children else resource.RUSAGE_SELF
    return resource.getrusage(who).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def median_seconds(work: Callable[[], object], times: int) -> float:
    """Of one call, after one that is not counted."""
    work()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def of_program(words: list[str], times: int = 1) -> Outcome:
    """How long a program takes from its start to its end, and the memory that it needs."""
    from hf_resnet.errors import HfResnetError

    taken = []
    for _ in range(times):
        began = time.perf_counter()
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=os.environ)
        taken.append(time.perf_counter() - began)
        if done.returncode:
            raise HfResnetError(f"{words[0]} did not end well: {done.stderr.strip()[-300:]}")
    return Outcome(statistics.median(taken), peak_megabytes=peak_megabytes(of_children=True))
