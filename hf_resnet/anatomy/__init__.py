"""What a network is made of: every layer with its shape, size, cost and place in a block.

`anatomy_of` sends one random picture through the network and counts; `table` and `picture` show what
it found. None of them knows class names or pictures: the architecture alone is looked at.
"""

from hf_resnet.anatomy.blocks import Block
from hf_resnet.anatomy.count import Anatomy, Layer, anatomy_of
from hf_resnet.anatomy.groups import grouped
from hf_resnet.anatomy.picture import picture
from hf_resnet.anatomy.savings import Saving, saving
from hf_resnet.anatomy.table import table

__all__ = [
    "Anatomy",
    "Block",
    "Layer",
    "Saving",
    "anatomy_of",
    "grouped",
    "picture",
    "saving",
    "table",
]
