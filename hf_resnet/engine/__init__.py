"""Fast prediction: the quickest network that is there, behind one call.

`open_fastest` opens a model for answering: an export of it that is fresh, else torch. `Engine` is
the torch one, which alone gives features; `Exported` is its twin without torch. `batches` decodes
pictures ahead of either. The surprise: torch is imported with the first name that needs it, so that
a model that was exported answers before torch would have been loaded.
"""

import importlib
from typing import TYPE_CHECKING, Any

from hf_resnet.engine.reading import MOST_AT_ONCE, BadPicture, Batch, batches

if TYPE_CHECKING:
    from hf_resnet.engine.network import Engine
    from hf_resnet.engine.opening import Answering, open_fastest

__all__ = [
    "MOST_AT_ONCE",
    "Answering",
    "BadPicture",
    "Batch",
    "Engine",
    "batches",
    "open_fastest",
]

_HOMES = {
    "Answering": "opening",
    "Engine": "network",
    "open_fastest": "opening",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hf_resnet.engine' has no attribute {name!r}")
    return getattr(importlib.import_module(f"hf_resnet.engine.{_HOMES[name]}"), name)
