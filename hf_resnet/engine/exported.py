"""What lies in a model folder beside an exported network: its record, and whether it still holds.

    onnx/model.onnx            + onnx/model.json             fp32; where transformers.js looks for it
    onnx/model_quantized.onnx  + onnx/model_quantized.json   int8; transformers.js calls it q8
    openvino/model.xml, .bin   + openvino/model.json         fp32
    openvino/model_int8.xml, … + openvino/model_int8.json    int8
    torch-export/model.pt2     + torch-export/model.json     for other programs; never read here

The record holds what the network does not: class names, preprocess, the source that it was made
from, a hash of each file, and what was measured. The surprise: an export is used only while the
weights and the configuration beside it are, byte for byte, those it was made from.
"""

import hashlib
import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hf_resnet.errors import LabelError, ModelError
from hf_resnet.jsonfile import read_object
from hf_resnet.labels import Labels
from hf_resnet.preprocess import Preprocess

RECORD_FORMAT = 1
_SOURCES = ("config.json", "preprocessor_config.json", "model*.safetensors", "model*.index.json")
_FACTS_FILE = "hf_resnet.json"


@dataclass(frozen=True)
class Format:
    """One kind of export: its files in the model folder, and the library that runs it."""

    record: str
    files: tuple[str, ...]
    runtime: str
    int8: bool = False


FORMATS: dict[str, Format] = {
    "openvino-int8": Format(
        "openvino/model_int8.json",
        ("openvino/model_int8.xml", "openvino/model_int8.bin"),
        "openvino",
        int8=True,
    ),
    "onnx-int8": Format(
        "onnx/model_quantized.json", ("onnx/model_quantized.onnx",), "onnxruntime", int8=True
    ),
    "openvino": Format(
        "openvino/model.json", ("openvino/model.xml", "openvino/model.bin"), "openvino"
    ),
    "onnx": Format("onnx/model.json", ("onnx/model.onnx",), "onnxruntime"),
    "torch-export": Format("torch-export/model.json", ("torch-export/model.pt2",), "torch"),
}
"""The quickest first."""


@dataclass(frozen=True)
class Record:
    """What an export carries along."""

    format: str
    names: tuple[str, ...]
    preprocess: Preprocess
    source: str
    """`source_of` the model folder that it was made from."""

    files: Mapping[str, str]
    """The sha256 of each of its files."""

    figures: Mapping[str, Any] = field(default_factory=dict)
    """What was measured against the source as it was made."""

    def as_json(self) -> bytes:
        content = {
            "record_format": RECORD_FORMAT,
            "format": self.format,
            "names": list(self.names),
            "preprocess": self.preprocess.to_json(),
            "source": self.source,
            "files": dict(self.files),
            "figures": dict(self.figures),
        }
        return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def has_export(folder: Path, name: str) -> bool:
    """Whether anything of this export lies there, be it sound or not."""
    kind = FORMATS[name]
    return any((folder / each).exists() for each in (kind.record, *kind.files))


def sound_record(folder: Path, name: str) -> Record:
    """The record of an export whose files are whole and of the model beside it; else ModelError."""
    record = read_record(folder, name)
    for file, wanted in record.files.items():
        if _sha256(folder / file) != wanted:
            raise ModelError(
                f"{folder / file} is damaged or not of {folder / FORMATS[name].record}"
            )
    if record.source != source_of(folder):
        raise ModelError(
            f"the {name} export in {folder} is of other weights or classes than the model there now"
        )
    return record


def read_record(folder: Path, name: str) -> Record:
    """The record as it stands there; ModelError where there is none, or it is not as we write it."""
    path = folder / FORMATS[name].record
    if not path.exists():
        raise ModelError(f"{folder} has no {name} export ({FORMATS[name].record} is not there)")
    stored = read_object(path)
    try:
        _hold(stored["record_format"] == RECORD_FORMAT, "record_format")
        _hold(stored["format"] == name, "format")
        names, files = stored["names"], stored["files"]
        _hold(isinstance(names, list) and all(isinstance(each, str) for each in names), "names")
        _hold(isinstance(files, dict) and set(files) == set(FORMATS[name].files), "files")
        _hold(isinstance(stored["source"], str), "source")
        _hold(isinstance(stored["figures"], dict), "figures")
        labels = Labels(tuple(names))
        preprocess = Preprocess.from_json(stored["preprocess"])
    except (KeyError, ValueError, TypeError, LabelError, ModelError) as exc:
        raise ModelError(f"{path} is not as hf_resnet writes it ({exc})") from exc
    return Record(name, labels.names, preprocess, stored["source"], files, stored["figures"])


def source_of(folder: Path) -> str:
    """A hash of what an export of this model is made from: weights, configuration and preprocess."""
    paths = {path for pattern in _SOURCES for path in folder.glob(pattern)}
    told = [f"{path.name} {_sha256(path)}" for path in sorted(paths)]
    facts = folder / _FACTS_FILE
    if facts.exists():  # its other keys change without the model: figures, the data
        told.append(json.dumps(read_object(facts).get("preprocess"), sort_keys=True))
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def _sha256(path: Path) -> str:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ModelError(f"{path} is a folder or a device where a file is needed")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise ModelError(f"{path} cannot be read: {exc.strerror}") from exc


def _hold(so: bool, what: str) -> None:
    if not so:
        raise ValueError(f"its {what} cannot be")
