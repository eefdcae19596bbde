"""Exports: what writes them, and which of them answers."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from tyro.conf import OmitArgPrefixes, Positional, arg

from hf_resnet.config.groups import DataConfig
from hf_resnet.config.limits import at_least, within

ExportFormat = Literal["onnx", "onnx-int8", "openvino", "openvino-int8", "torch-export"]
Backend = Literal["auto", "torch", "onnx", "onnx-int8", "openvino", "openvino-int8"]


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """Write a model for ONNX Runtime, OpenVINO, the browser or phones, once it answers as well."""

    model_name_or_path: Annotated[str, Positional, arg(metavar="MODEL")]
    """The model folder; the export is written into it. Or a Hub id, timm:NAME or packaged:NAME, with
    --output_dir."""

    output_dir: str | None = None
    """The folder that a model which is none is written to first."""

    format: ExportFormat
    """What to write. int8 computes in whole numbers: the fastest on a CPU, a quarter of the size."""

    max_drop: float = 0.5
    """Points of accuracy on the validation pictures that an export may lose; else it is not written."""

    force: bool = False
    """Write it however much accuracy is lost."""

    calibration_pictures: int = 256
    """Training pictures on which int8 learns the ranges of its numbers."""

    data: OmitArgPrefixes[DataConfig] = field(default_factory=DataConfig)
    trust_remote_code: bool = False
    """Run Python code that comes with a model. Only for authors you trust."""

    def __post_init__(self) -> None:
        within(self, "max_drop", 0.0, 100.0)
        at_least(self, "calibration_pictures", 1)
