"""Pictures kept decoded on disk, scaled down to what training needs, so that later epochs decode
nothing.

One file a picture, named by the hash of the picture's bytes, in the plainest format that there is
(PPM: every viewer shows it, and it is read as it lies there): several processes may fill the cache at
once, a kill leaves no half picture, and a picture that is changed is another. The surprise: the
scaled-down picture is used from the first epoch on, also where it was only just made, so that it makes
no difference to a run what lay in the cache before.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from hf_resnet.augment import scaled
from hf_resnet.data.rows import Row
from hf_resnet.images import decode_to_learn

SHORT_SIDE = 256
_HEAD = re.compile(rb"P6\n([1-9]\d*) ([1-9]\d*)\n255\n")


@dataclass(frozen=True)
class PictureCache:
    """Pictures whose short side is at most `short_side` pixels."""

    folder: Path
    short_side: int = SHORT_SIDE

    def picture(self, row: Row) -> npt.NDArray[np.uint8]:
        """pixels_HWC of the row, scaled down; PictureError where it is no picture."""
        pixels_HWC = self.kept(row.key)
        if pixels_HWC is None:
            whole_HWC = decode_to_learn(row.data, at_least=2 * self.short_side)
            pixels_HWC = _scaled(whole_HWC, self.short_side)
            _keep(self._path(row.key), pixels_HWC)
        return pixels_HWC

    def kept(self, key: str) -> npt.NDArray[np.uint8] | None:
        """pixels_HWC of this key where it is here already, so that the file need not be read."""
        return _kept(self._path(key))

    def _path(self, key: str) -> Path:
        return self.folder / f"reduced-{self.short_side}" / key[:2] / f"{key}.ppm"


def _scaled(pixels_HWC: npt.NDArray[np.uint8], short_side: int) -> npt.NDArray[np.uint8]:
    height, width, _ = pixels_HWC.shape
    factor = short_side / min(height, width)
    if factor >= 1:
        return pixels_HWC
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return scaled(np.require(pixels_HWC, requirements="W"), size, Image.Resampling.BICUBIC)


def _kept(path: Path) -> npt.NDArray[np.uint8] | None:
    """What the file holds; None where there is none, or it is damaged."""
    try:
        with path.open("rb", buffering=0) as file:
            data = file.read()
    except OSError:
        return None
    head = _HEAD.match(data)
    if head is None:
        return None
    width, height = int(head[1]), int(head[2])
    if len(data) - head.end() != height * width * 3:
        return None
    return np.frombuffer(data, np.uint8, offset=head.end()).reshape(height, width, 3)


def _keep(path: Path, pixels_HWC: npt.NDArray[np.uint8]) -> None:
    """Write the file under another name first; where there is no room the run does without."""
    growing = path.with_name(f".{path.name}.{os.getpid()}")
    height, width, _ = pixels_HWC.shape
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with growing.open("wb") as file:
            file.write(b"P6\n%d %d\n255\n" % (width, height))
            file.write(np.ascontiguousarray(pixels_HWC).data)
        growing.replace(path)
    except OSError:
        growing.unlink(missing_ok=True)
