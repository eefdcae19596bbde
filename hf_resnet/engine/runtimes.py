"""An exported network, run by ONNX Runtime or OpenVINO: the twin of `network.Engine` without torch.

Gives no features: a head fitted on those of an int8 network would not fit the network itself. One
caller at a time, as for Engine. OMP_NUM_THREADS bounds the threads of both libraries, as it does
torch's. The surprise: what a file says of itself is tried on one blank picture as it is opened, so
that a network that does not fit its record is refused before any picture is answered.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hf_resnet.config import ComputeConfig
from hf_resnet.engine.exported import FORMATS, Record
from hf_resnet.engine.reading import MOST_AT_ONCE
from hf_resnet.errors import ConfigError, ModelError
from hf_resnet.prediction import softmax

INPUT, OUTPUT = "pixel_values", "logits"
Ask = Callable[[np.ndarray], np.ndarray]


class Exported:
    """An exported network, made ready for use."""

    def __init__(self, folder: Path, record: Record, compute: ComputeConfig) -> None:
        self.batch_size = min(compute.per_device_eval_batch_size, MOST_AT_ONCE)
        self.workers = compute.dataloader_num_workers
        self._classes = len(record.names)
        self._path = folder / FORMATS[record.format].files[0]
        self._ask = _OPENERS[FORMATS[record.format].runtime](self._path, compute)
        self._asked(np.zeros((1, 3, *record.preprocess.size), np.float32))

    def logits(self, pixels_BCHW: np.ndarray) -> np.ndarray:
        """One row of logits a picture."""
        ends = range(self.batch_size, len(pixels_BCHW), self.batch_size)
        return np.concatenate([self._asked(part) for part in np.split(pixels_BCHW, ends)])

    def probabilities(self, pixels_BCHW: np.ndarray) -> np.ndarray:
        """One row of probabilities a picture."""
        return softmax(self.logits(pixels_BCHW))

    def _asked(self, pixels_BCHW: np.ndarray) -> np.ndarray:
        try:
            logits_BK = self._ask(pixels_BCHW)
        except _refusals() as exc:
            raise ModelError(f"{self._path} cannot be run ({_first_line(exc)})") from exc
        wanted = (len(pixels_BCHW), self._classes)
        if logits_BK.shape != wanted or logits_BK.dtype.kind != "f":
            raise ModelError(
                f"{self._path} answers with {logits_BK.dtype} of shape {logits_BK.shape} where its "
                f"record says {wanted}"
            )
        return logits_BK.astype(np.float32, copy=False)


def missing(runtime: str) -> ConfigError:
    """The library is not there."""
    return ConfigError(f"{runtime} is not installed; pip install 'hf-resnet[export]'")


def _threads() -> int:
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdecimal() else 0


def _onnx(path: Path, compute: ComputeConfig) -> Ask:
    try:
        import onnxruntime as ort
    except ImportError as exc:
        raise missing("onnxruntime") from exc
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = _threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:  # by its path: weights outside of its folder are then refused
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except _refusals() as exc:
        raise ModelError(f"{path} is no network that can be used ({_first_line(exc)})") from exc
    if [each.name for each in session.get_inputs()] != [INPUT]:
        raise ModelError(f"{path} does not take {INPUT} alone")

    def ask(pixels_BCHW: np.ndarray) -> np.ndarray:
        return np.asarray(session.run([OUTPUT], {INPUT: pixels_BCHW})[0])

    return ask


def _openvino(path: Path, compute: ComputeConfig) -> Ask:
    try:
        import openvino
    except ImportError as exc:
        raise missing("openvino") from exc
    settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
    if _threads():
        settings["INFERENCE_NUM_THREADS"] = _threads()
    if compute.precision != "auto":  # by itself it takes bf16 where the hardware is built for it
        settings["INFERENCE_PRECISION_HINT"] = "f32" if compute.precision == "fp32" else "bf16"
    core = openvino.Core()
    try:
        network = core.compile_model(
            core.read_model(str(path), str(path.with_suffix(".bin"))), "CPU", settings
        )
    except _refusals() as exc:
        raise ModelError(f"{path} is no network that can be used ({_first_line(exc)})") from exc
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise ModelError(f"{path} does not turn one thing into one other")

    def ask(pixels_BCHW: np.ndarray) -> np.ndarray:
        return np.array(network([pixels_BCHW])[0])

    return ask


_OPENERS: dict[str, Callable[[Path, ComputeConfig], Ask]] = {
    "onnxruntime": _onnx,
    "openvino": _openvino,
}


def _refusals() -> tuple[type[Exception], ...]:
    """What the library at hand raises at a broken file; ONNX Runtime's own have no common root."""
    state = sys.modules.get("onnxruntime.capi.onnxruntime_pybind11_state")
    found = vars(state).values() if state else ()
    own = [each for each in found if isinstance(each, type) and issubclass(each, Exception)]
    return (RuntimeError, *own)


def _first_line(exc: Exception) -> str:
    return (str(exc).strip().splitlines() or [type(exc).__name__])[0][:300]
