"""From a classifier to an export in a place of its own, and from there into the model folder."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hf_resnet.classifier import Classifier
from hf_resnet.config import ComputeConfig
from hf_resnet.engine.exported import FORMATS, Record, source_of
from hf_resnet.engine.runtimes import Exported, missing
from hf_resnet.export import onnx, onnx_int8, openvino, torch_export
from hf_resnet.export.material import Material
from hf_resnet.writing import on_disk, write_all

WRITERS: dict[str, Callable[[Material, Path], None]] = {
    "onnx": onnx.write,
    "onnx-int8": onnx_int8.write,
    "openvino": openvino.write,
    "openvino-int8": openvino.write_int8,
    "torch-export": torch_export.write,
}
LIBRARIES = ("onnx", "onnxscript", "onnx_ir", "onnxruntime", "openvino")
"""What the extra `export` installs."""

Logits = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Made:
    """An export that lies in a place of its own, not yet in the model folder."""

    place: Path
    record: Record
    logits: Logits
    """What it answers, computed by the library that will run it."""

    @property
    def size(self) -> int:
        """Its bytes on disk."""
        return sum((self.place / file).stat().st_size for file in self.record.files)


def make(
    classifier: Classifier,
    folder: Path,
    name: str,
    calibration: Callable[[], Iterator[np.ndarray]],
    place: Path,
) -> Made:
    """Write the export of the model in `folder` below `place`, and open it."""
    kind = FORMATS[name]
    path = place / kind.files[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    material = Material(classifier.network, classifier.preprocess.size, calibration)
    try:
        with on_disk(f"the {name} export", f"make room in {place.parent}"):
            WRITERS[name](material, path)
    except ModuleNotFoundError as exc:  # torch needs onnxscript, which needs others
        library = (exc.name or "").partition(".")[0]
        if library not in LIBRARIES:
            raise
        raise missing(library) from exc
    record = Record(
        format=name,
        names=classifier.labels.names,
        preprocess=classifier.preprocess,
        source=source_of(folder),
        files={file: _sha256(place / file) for file in kind.files},
    )
    return Made(place, record, _opened(place, record))


def publish(made: Made, folder: Path, figures: Mapping[str, Any]) -> list[Path]:
    """Put the export with its record into the model folder; the record, which makes it count, last."""
    kind = FORMATS[made.record.format]
    contents = {Path(file).name: (made.place / file).read_bytes() for file in kind.files}
    contents[Path(kind.record).name] = replace(made.record, figures=figures).as_json()
    home = (folder / kind.record).parent
    with on_disk(f"the export in {home}", "make room there", needs=made.size):
        write_all(home, contents)
    return [home / name for name in contents]


def _opened(place: Path, record: Record) -> Logits:
    if FORMATS[record.format].runtime != "torch":
        return Exported(place, record, ComputeConfig(precision="fp32")).logits
    network = torch.export.load(place / FORMATS[record.format].files[0]).module()

    def ask(pixels_BCHW: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            logits_BK: np.ndarray = network(torch.from_numpy(pixels_BCHW)).numpy()
        return logits_BK

    return ask


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
