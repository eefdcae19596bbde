"""A small data set as two tensors: all pictures in bytes, and their classes.

Ten thousand pictures of 32 pixels are 30 MB, so the whole set lies in memory, on the device that
learns, and no step waits for a picture.
"""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from hf_resnet.config import DataConfig
from hf_resnet.data import Split, load_data
from hf_resnet.errors import DataError, PictureError
from hf_resnet.images import decode

MOST_NUMBERS = 2**31  # bytes of pictures held in memory


@dataclass(frozen=True, eq=False)
class Pictures:
    """Bytes of pixels, and the number of each picture's class."""

    pixels_NCHW: Tensor
    label_N: Tensor

    def __len__(self) -> int:
        return len(self.label_N)

    def to(self, device: torch.device) -> "Pictures":
        """The same on another device."""
        return Pictures(self.pixels_NCHW.to(device), self.label_N.to(device))


@dataclass(frozen=True, eq=False)
class Sets:
    """What is learned from and what is tested on."""

    source: str
    classes: int
    train: Pictures
    test: Pictures


def read(config: DataConfig, side: int) -> Sets:
    """The training pictures and the test pictures (or the validation pictures where there are none)."""
    data = load_data(config, make_validation=False)
    test = data.test or data.validation
    if data.train is None or test is None:
        raise DataError(f"{data.source} has no training or no test pictures; name another data set")
    return Sets(data.source, len(data.labels), _read(data.train, side), _read(test, side))


def _read(split: Split, side: int) -> Pictures:
    size = split.size or 0
    if size * side * side * 3 > MOST_NUMBERS:
        raise DataError(
            f"{size:,} pictures of {side} pixels are too many to hold in memory; take fewer"
        )
    pixels, labels = [], []
    for row in split.rows():
        if row.problem is None and row.label is not None:
            try:
                picture = decode(row.data)
            except PictureError as exc:
                raise DataError(f"{row.origin}: {exc}; mend or remove it") from exc
            pixels.append(np.asarray(picture.resize((side, side), Image.Resampling.BOX)))
            labels.append(row.label)
    if not labels:
        raise DataError(f"{split.name} has no usable picture; name another data set")
    pixels_NCHW = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous()
    return Pictures(pixels_NCHW, torch.tensor(labels))
