"""Pictures kept decoded on disk, scaled down to what training needs, so that later epochs decode
nothing.

One file a picture, named by the hash of the picture's bytes and mapped into memory when it is asked
for: several processes may fill the cache at once, a kill leaves no half picture, and a picture that
is changed is another. The surprise: the scaled-down picture is used from the first epoch on, also
where it was only just made, so that it makes no difference to a run what lay in the cache before.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from hf_resnet.augment import scaled
from hf_resnet.data.rows import Row
from hf_resnet.images import decode

SHORT_SIDE = 256


@dataclass(frozen=True)
class PictureCache:
    """Pictures whose short side is at most `short_side` pixels."""

    folder: Path
    short_side: int = SHORT_SIDE

    def picture(self, row: Row) -> Image.Image:
        """The picture of the row, scaled down; PictureError where it is none."""
        pixels_HWC = self.kept(row.key)
        if pixels_HWC is None:
            picture = decode(row.data, at_least=2 * self.short_side)
            pixels_HWC = _scaled(picture, self.short_side)
            _keep(self._path(row.key), pixels_HWC)
        return Image.fromarray(pixels_HWC)

    def kept(self, key: str) -> np.ndarray | None:
        """pixels_HWC of this key where it is here already, so that the file need not be read."""
        return _kept(self._path(key))

    def _path(self, key: str) -> Path:
        return self.folder / f"reduced-{self.short_side}" / key[:2] / f"{key}.npy"


def _scaled(picture: Image.Image, short_side: int) -> np.ndarray:
    factor = short_side / min(picture.size)
    if factor >= 1:
        return np.array(picture)
    width, height = (max(1, round(side * factor)) for side in picture.size)
    return scaled(np.array(picture), (width, height), Image.Resampling.BICUBIC)


def _kept(path: Path) -> np.ndarray | None:
    """What the file holds; None where there is none, or it is damaged."""
    try:
        pixels_HWC: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    whole = pixels_HWC.dtype == np.uint8 and pixels_HWC.ndim == 3 and pixels_HWC.shape[2] == 3
    return pixels_HWC if whole and pixels_HWC.size else None


def _keep(path: Path, pixels_HWC: np.ndarray) -> None:
    """Write the file under another name first; where there is no room the run does without."""
    growing = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with growing.open("wb") as file:
            np.save(file, pixels_HWC, allow_pickle=False)
        growing.replace(path)
    except OSError:
        growing.unlink(missing_ok=True)
