"""Pictures in: data sets of the Hub, folders, tables and samples, as splits that give rows.

`load_data` is the door for pictures with classes, `pictures` for those to be looked at. To add a
source, write a file beside `folder.py` that gives RawSplits, and name it in `sources.py`.
"""

from hf_resnet.data.cifar10 import kept as cifar10_kept
from hf_resnet.data.cifar10 import npm_reachable
from hf_resnet.data.folder import existing_folder
from hf_resnet.data.hub import reachable
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
    "key_of",
    "load_data",
    "load_examples",
    "npm_reachable",
    "pictures",
    "reachable",
    "read_record",
]
