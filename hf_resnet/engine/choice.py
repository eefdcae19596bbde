"""Which way of answering is the quickest, for so many pictures: one small table, and its reasons.

Measured with a ResNet-50 at 224 on two cores. From a bare start the first answer comes after 0.24 s
by ONNX Runtime, 0.4 s by OpenVINO and about 5 s by torch with its model library. Once they run, a
picture takes 4.1 ms by OpenVINO in int8, 4.8 ms by ONNX Runtime in int8, 8 ms by OpenVINO in bf16
(which it takes by itself where the processor multiplies bf16), 16 ms by ONNX Runtime in fp32, and
10.5 ms by torch in bf16. So what starts later overtakes after a few hundred pictures.
"""

from pathlib import Path

from hf_resnet.config import ComputeConfig

SOON = 200
"""Up to so many pictures ONNX Runtime is done before OpenVINO: 0.16 s, and 0.7 ms a picture."""

LATE = 800
"""From so many on torch in bf16 is done before ONNX Runtime in fp32: 5 s, and 5.5 ms a picture."""

ENDLESS = 10**9
"""The number of pictures of a stream, which nobody knows."""

_FEW = ("onnx-int8", "openvino-int8", "onnx", "openvino", "torch")
_MANY = ("openvino-int8", "onnx-int8", "openvino", "onnx", "torch")
_MANY_IN_BF16 = ("openvino-int8", "onnx-int8", "openvino", "torch")

_CPU = Path("/proc/cpuinfo")


def order(pictures: int | None, compute: ComputeConfig) -> tuple[str, ...]:
    """What to try, the quickest first, down to torch, which is always there.

    pictures is None where they come one at a time, for as long as the process lives.
    """
    if pictures is None:
        return _MANY
    if pictures <= SOON:
        return _FEW
    if pictures >= LATE and compute.precision == "auto" and cpu_multiplies_bf16():
        return _MANY_IN_BF16
    return _MANY


def cpu_multiplies_bf16(told: Path = _CPU) -> bool:
    """Whether torch would compute in bf16 on this processor; asked without torch."""
    try:
        lines = told.read_text(errors="replace").splitlines()
    except OSError:  # no Linux
        return False
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    return bool({"avx512_bf16", "amx_tile"} & set(flags))
