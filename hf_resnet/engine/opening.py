"""A model opened for answering, by the fastest way that is there.

auto takes the quickest export that is whole and of the model beside it (`choice` says which is),
else torch; a note says why an export was passed over. The surprise: where an export answers, neither
torch nor transformers is imported, and the class names and the preprocess are those of its record.
"""

import itertools
import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hf_resnet.config import Backend, ComputeConfig, ModelConfig
from hf_resnet.engine.choice import order
from hf_resnet.engine.exported import FORMATS, has_export, sound_record
from hf_resnet.engine.runtimes import Exported
from hf_resnet.errors import ConfigError, ModelError
from hf_resnet.labels import Labels
from hf_resnet.prediction import Prediction, likeliest
from hf_resnet.preprocess import Preprocess

if TYPE_CHECKING:
    from hf_resnet.classifier import Classifier

Compute = Callable[[np.ndarray], np.ndarray]
_NVIDIA = (Path("/proc/driver/nvidia/version"), Path("/dev/nvidiactl"))


@dataclass(frozen=True, eq=False)
class Answering:
    """What answers for a model: its classes, its preprocess, and the calls of its network."""

    labels: Labels
    preprocess: Preprocess
    logits: Compute
    probabilities: Compute
    batch_size: int
    workers: int
    backend: str
    """torch, or the format of the export."""

    notes: tuple[str, ...] = ()
    """Why an export that lies there was passed over."""

    source: str = ""
    """What an export was made from: a hash of the model beside it; '' where torch answers."""

    classifier: "Classifier | None" = None
    """What torch has opened; None where an export answers."""

    def likeliest(self, probabilities_K: np.ndarray, top_k: int) -> list[Prediction]:
        """The top_k classes of a row of probabilities, likeliest first."""
        return likeliest(self.labels.names, probabilities_K, top_k)


def open_fastest(
    model: ModelConfig,
    compute: ComputeConfig,
    backend: Backend = "auto",
    *,
    pictures: int | None = None,
) -> Answering:
    """Open the model for answering. What was asked for by name must be there and sound.

    pictures is how many there will be, where that is known: auto goes by it.
    """
    if backend == "torch":
        return _torch(model, compute, ())
    folder = Path(model.model_name_or_path)
    if backend != "auto":
        if not folder.is_dir():
            raise ModelError(
                f"{folder} is no model folder, and exports lie in those; leave --backend out, or fetch "
                "a model of the Hub with `hf download OWNER/NAME --local-dir FOLDER` and name that"
            )
        try:
            return _exported(folder, backend, compute, ())
        except ModelError as exc:
            raise ModelError(f"{exc}; {_again(folder, backend)}") from exc
    notes: list[str] = []
    for name in _worth_trying(model, compute, pictures):
        try:
            return _exported(folder, name, compute, tuple(notes))
        except ModelError as exc:
            notes.append(f"{exc}; passed over: {_again(folder, name)}")
        except ConfigError as exc:
            notes.append(f"the {name} export was passed over: {exc}")
    return _torch(model, compute, tuple(notes))


def _worth_trying(model: ModelConfig, compute: ComputeConfig, pictures: int | None) -> list[str]:
    """The exports that lie there and compute as was asked for, the quickest first."""
    folder = Path(model.model_name_or_path)
    if model.random_init or not folder.is_dir() or _has_graphics_card():
        return []
    return [
        name
        for name in itertools.takewhile(lambda name: name != "torch", order(pictures, compute))
        if has_export(folder, name) and _suits(name, compute)
    ]


def _suits(name: str, compute: ComputeConfig) -> bool:
    """Whether an export keeps to the precision that was asked for."""
    if compute.precision == "auto":
        return True
    return not FORMATS[name].int8 and (compute.precision == "fp32" or name == "openvino")


def _has_graphics_card() -> bool:
    """Whether torch would find one, which leaves every export behind; asked without torch."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return not hidden and any(path.exists() for path in _NVIDIA)


def _exported(folder: Path, name: str, compute: ComputeConfig, notes: tuple[str, ...]) -> Answering:
    record = sound_record(folder, name)
    engine = Exported(folder, record, compute)
    return Answering(
        labels=Labels(record.names),
        preprocess=record.preprocess,
        logits=engine.logits,
        probabilities=engine.probabilities,
        batch_size=engine.batch_size,
        workers=engine.workers,
        backend=name,
        notes=notes,
        source=record.source,
    )


def _torch(model: ModelConfig, compute: ComputeConfig, notes: tuple[str, ...]) -> Answering:
    from hf_resnet.classifier import open_classifier
    from hf_resnet.engine.network import Engine

    classifier = open_classifier(model)
    engine = Engine(classifier.network, compute)
    return Answering(
        labels=classifier.labels,
        preprocess=classifier.preprocess,
        logits=engine.logits,
        probabilities=engine.probabilities,
        batch_size=engine.batch_size,
        workers=engine.workers,
        backend="torch",
        notes=notes,
        classifier=classifier,
    )


def _again(folder: Path, name: str) -> str:
    return f"hf-resnet export {shlex.quote(str(folder))} --format {name} writes it"
