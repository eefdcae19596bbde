"""Pictures in: data sets of the Hub, folders, tables and samples, as splits that give rows.

`load_data` is the door for pictures with classes, `pictures` for those to be looked at. To add a
source, write a file beside `folder.py` that gives RawSplits, and name it in `sources.py`. Importing
this is light: `datasets` is loaded with the first name that needs it.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hf_resnet.data.cifar10 import kept as cifar10_kept
    from hf_resnet.data.cifar10 import npm_reachable
    from hf_resnet.data.folder import existing_folder
    from hf_resnet.data.hub import reachable
    from hf_resnet.data.identity import identity_of
    from hf_resnet.data.inputs import pictures
    from hf_resnet.data.load import Data, load_data, load_examples
    from hf_resnet.data.rows import Row, Split, key_of
    from hf_resnet.data.samples import SAMPLES
    from hf_resnet.data.splits import SPLITS_FILE, Record, read_record

__all__ = [
    "SAMPLES",
    "SPLITS_FILE",
    "Data",
    "Record",
    "Row",
    "Split",
    "cifar10_kept",
    "existing_folder",
    "identity_of",
    "key_of",
    "load_data",
    "load_examples",
    "npm_reachable",
    "pictures",
    "reachable",
    "read_record",
]

_HOMES = {
    "Data": "load",
    "Record": "splits",
    "Row": "rows",
    "SAMPLES": "samples",
    "SPLITS_FILE": "splits",
    "Split": "rows",
    "cifar10_kept": "cifar10",
    "existing_folder": "folder",
    "identity_of": "identity",
    "key_of": "rows",
    "load_data": "load",
    "load_examples": "load",
    "npm_reachable": "cifar10",
    "pictures": "inputs",
    "reachable": "hub",
    "read_record": "splits",
}
_RENAMED = {"cifar10_kept": "kept"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hf_resnet.data' has no attribute {name!r}")
    module = importlib.import_module(f"hf_resnet.data.{_HOMES[name]}")
    return getattr(module, _RENAMED.get(name, name))
