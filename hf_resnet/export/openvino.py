"""OpenVINO's own files, made from the ONNX ones: fp32, and int8 out of the quantised network."""

from pathlib import Path

from hf_resnet.engine.runtimes import missing
from hf_resnet.export import onnx, onnx_int8
from hf_resnet.export.material import Material


def write(material: Material, path: Path) -> None:
    between = path.with_suffix(".onnx")
    onnx.write(material, between)
    _converted(between, path)


def write_int8(material: Material, path: Path) -> None:
    between = path.with_suffix(".onnx")
    onnx_int8.write(material, between)
    _converted(between, path)


def _converted(between: Path, path: Path) -> None:
    try:
        import openvino
    except ImportError as exc:
        raise missing("openvino") from exc
    network = openvino.Core().read_model(str(between))
    openvino.save_model(network, str(path), compress_to_fp16=False)
    between.unlink()
