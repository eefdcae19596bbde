"""How many bits a network is computed in: as asked for, else as few as the hardware is built for.

bf16 has the range of fp32 and fewer digits. fp16 has more digits and a small range, so that training
has to scale its loss; it is for graphics cards that are too old for bf16. The weights stay in fp32
either way.
"""

from typing import Literal

import torch

Precision = Literal["fp32", "bf16", "fp16"]

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_FAST_FP16 = (7, 0)
"""The oldest CUDA cards that are faster with it: Volta; a GTX 1650 has 7.5, a GTX 1060 6.1."""


def precision_for(asked: Literal["auto"] | Precision, device: torch.device) -> Precision:
    """What `auto` comes to on a device; what was asked for by name is taken as it is."""
    if asked != "auto":
        return asked
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return "bf16"
        return "fp16" if torch.cuda.get_device_capability(device) >= _FAST_FP16 else "fp32"
    return "bf16" if device.type == "cpu" and _bf16_in_cpu() else "fp32"


def autocast(precision: Precision, device_type: str) -> torch.autocast:
    """`with autocast("bf16", "cpu"):` what is multiplied has so many bits."""
    if precision == "fp32":
        return torch.autocast(device_type, enabled=False)
    return torch.autocast(device_type, DTYPES[precision])


def _bf16_in_cpu() -> bool:
    """Whether the processor multiplies bf16 itself; elsewhere it is slower than fp32."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
