"""What both sides of a comparison are given, and what each has to show for it."""

import resource
import sys
from dataclasses import dataclass, replace

from hf_resnet.classifier import Classifier, open_classifier
from hf_resnet.config import ComputeConfig, DataConfig, Method
from hf_resnet.data import Data, load_data
from hf_resnet.evaluation.measure import measure


@dataclass(frozen=True)
class Task:
    """What both sides have to do."""

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

    def data(self) -> Data:
        config = DataConfig(
            dataset_name=self.dataset,
            max_train_samples=self.pictures,
            max_eval_samples=self.test_pictures,
        )
        return load_data(config)

    def classifier(self) -> Classifier:
        """Opened, and looking at pictures of the size wanted."""
        found = open_classifier(self.model)
        if self.image_size is None:
            return found
        return replace(found, preprocess=found.preprocess.with_changes(image_size=self.image_size))


@dataclass(frozen=True)
class Outcome:
    """How long one side took, how fast it learned, and how good what it learned is."""

    seconds: float
    accuracy: float
    pictures_a_second: float
    peak_megabytes: float


def accuracy_of(classifier: Classifier, data: Data) -> float:
    """On the test pictures, in full precision for both sides."""
    assert data.test is not None  # noqa: S101  the samples all have test pictures
    measured = measure(classifier, data.test, ComputeConfig(precision="fp32"))
    return measured.figures["accuracy"].value


def peak_megabytes() -> float:
    """The most memory that this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)
