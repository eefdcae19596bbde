"""Training-time changes of a picture: a random part of it, scaled to what the network sees, and
perhaps mirrored.

A view is a pure function of (seed, key, number): it does not matter in which order, in which
process or how often it is asked for, so that a resumed run and a run on two processes see the same
views. View 0 is the plain one that serving uses. It knows nothing of training loops.

The part has 35 to 100 % of the picture's area and proportions of 3:4 to 4:3, whatever the mode of
the preprocess. That is milder than the 8 % from which whole networks are trained: it is what the
Imagenette runs of fastai use for a few epochs, and a frozen network is shown only a few views of a
picture, each of which should still show what its label says.
"""

import hashlib
import math
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

AREA = (0.35, 1.0)
PROPORTIONS = (3 / 4, 4 / 3)
_TRIES = 10


class Geometry(Protocol):
    """What a view needs of a preprocess.Preprocess."""

    @property
    def size(self) -> tuple[int, int]: ...

    @property
    def resample(self) -> Image.Resampling: ...

    def resized(self, picture: Image.Image) -> npt.NDArray[np.uint8]: ...


def view(
    picture: Image.Image, preprocess: Geometry, *, seed: int, key: str, number: int
) -> npt.NDArray[np.uint8]:
    """View `number` of a picture (mode RGB) known by `key`: pixels_HWC of preprocess.size."""
    if number == 0:
        return preprocess.resized(picture)
    height, width = preprocess.size
    chance = _generator(seed, key, number)
    box = random_box(picture.size, width / height, chance)
    # one pass: the part is cut out and scaled without being rounded to pixels in between
    pixels_HWC = np.array(picture.resize((width, height), preprocess.resample, box=box))
    return np.ascontiguousarray(pixels_HWC[:, ::-1]) if chance.random() < 0.5 else pixels_HWC


def random_box(
    picture: tuple[int, int], proportion: float, chance: np.random.Generator
) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a random part of a picture of this width and height, whose
    width : height is about `proportion`."""
    width, height = picture
    for _ in range(_TRIES):
        area = width * height * chance.uniform(*AREA)
        ratio = proportion * math.exp(chance.uniform(*np.log(PROPORTIONS)))
        wide, tall = math.sqrt(area * ratio), math.sqrt(area / ratio)
        if wide <= width and tall <= height:
            left, top = chance.uniform(0, width - wide), chance.uniform(0, height - tall)
            return left, top, left + wide, top + tall
    # a long strip has no such part: take as much of its middle as the proportions let
    ratio = min(max(width / height, proportion * PROPORTIONS[0]), proportion * PROPORTIONS[1])
    wide, tall = min(width, height * ratio), min(height, width / ratio)
    left, top = (width - wide) / 2, (height - tall) / 2
    return left, top, left + wide, top + tall


def _generator(seed: int, key: str, number: int) -> np.random.Generator:
    """Chance that depends on nothing but these three, and alike on every machine."""
    digest = hashlib.blake2b(f"{seed}/{number}/{key}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "little")))
