"""Teach a pretrained vision backbone your classes, and change them later without starting again.

    import hf_resnet as hr

    classifier = hr.open_classifier("packaged:efficientnet-lite0")
    print(classifier("cat.jpg"))

Importing this is light: torch and its kin are loaded with the first name that needs them.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hf_resnet.classifier import Classifier, open_classifier
    from hf_resnet.config import ComputeConfig, DataConfig, HeadConfig, ModelConfig
    from hf_resnet.data import load_data, pictures
    from hf_resnet.errors import HfResnetError
    from hf_resnet.evaluation.measure import measure
    from hf_resnet.labels import Labels, Surgery
    from hf_resnet.relabel import change_classes
    from hf_resnet.training.head import train_head

__all__ = [
    "Classifier",
    "ComputeConfig",
    "DataConfig",
    "HeadConfig",
    "HfResnetError",
    "Labels",
    "ModelConfig",
    "Surgery",
    "change_classes",
    "load_data",
    "measure",
    "open_classifier",
    "pictures",
    "train_head",
]

_HOMES = {
    "Classifier": "classifier",
    "ComputeConfig": "config",
    "DataConfig": "config",
    "HeadConfig": "config",
    "HfResnetError": "errors",
    "Labels": "labels",
    "ModelConfig": "config",
    "Surgery": "labels",
    "change_classes": "relabel",
    "load_data": "data",
    "measure": "evaluation.measure",
    "open_classifier": "classifier",
    "pictures": "data",
    "train_head": "training.head",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hf_resnet' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"hf_resnet.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
