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
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

AREA = (0.35, 1.0)
PROPORTIONS = (3 / 4, 4 / 3)
_LOG_PROPORTIONS = (math.log(PROPORTIONS[0]), math.log(PROPORTIONS[1]))
_TRIES = 10
_OF_TORCH = {Image.Resampling.BILINEAR: "bilinear", Image.Resampling.BICUBIC: "bicubic"}


@dataclass(frozen=True)
class Changes:
    """What may happen to a picture that a whole network learns from, beside being cut and scaled."""

    min_area: float = AREA[0]
    flip: bool = True
    color_jitter: float = 0.0
    auto_augment: Literal["none", "randaugment", "trivialaugment"] = "none"
    erasing: float = 0.0


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
    return _mirrored(pixels_HWC) if chance.random() < 0.5 else pixels_HWC


def changed(
    whole_HWC: npt.NDArray[np.uint8],
    preprocess: Geometry,
    changes: Changes,
    *,
    seed: int,
    key: str,
    number: int,
) -> npt.NDArray[np.uint8]:
    """View `number` (from 1) of a picture to train a whole network on: pixels_HWC, changed at will.

    Like `view` a pure function of (seed, key, number). The changes of colour and shape are those of
    torchvision, which draw from torch's own random numbers: these are set for the purpose and put
    back as they were.
    """
    height, width = preprocess.size
    chance = _generator(seed, key, number)
    size = (whole_HWC.shape[1], whole_HWC.shape[0])
    box = random_box(size, width / height, chance, (changes.min_area, 1.0))
    pixels_HWC = scaled(_cut(whole_HWC, box), (width, height), preprocess.resample)
    if changes.flip and chance.random() < 0.5:
        pixels_HWC = _mirrored(pixels_HWC)
    steps = _steps(changes)
    if steps:
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(chance.integers(2**63)))
            pixels_CHW: Any = torch.from_numpy(pixels_HWC.transpose(2, 0, 1).copy())
            for step in steps:
                pixels_CHW = step(pixels_CHW)
        pixels_HWC = pixels_CHW.permute(1, 2, 0).numpy()
    return np.ascontiguousarray(pixels_HWC)


def _mirrored(pixels_HWC: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Left and right exchanged; by torch, which takes a thirtieth of numpy's time for it."""
    import torch

    turned_HWC: npt.NDArray[np.uint8] = torch.from_numpy(pixels_HWC).flip(1).numpy()
    return turned_HWC


def _steps(changes: Changes) -> list[Any]:
    """torchvision's transforms that the changes ask for, in the usual order."""
    if not (changes.color_jitter or changes.erasing or changes.auto_augment != "none"):
        return []
    from torchvision.transforms import v2

    steps: list[Any] = []
    if changes.auto_augment != "none":
        kinds = {"randaugment": v2.RandAugment, "trivialaugment": v2.TrivialAugmentWide}
        steps.append(kinds[changes.auto_augment](interpolation=v2.InterpolationMode.BILINEAR))
    if changes.color_jitter:
        steps.append(v2.ColorJitter(*[changes.color_jitter] * 3))
    if changes.erasing:
        steps.append(v2.RandomErasing(changes.erasing, value=128))  # in the middle of grey
    return steps


def scaled(
    pixels_HWC: npt.NDArray[np.uint8], size: tuple[int, int], resample: Image.Resampling
) -> npt.NDArray[np.uint8]:
    """The picture scaled to this width and height for training, where no last bit counts: torch does it
    in a quarter of the time that PIL takes, and is a few of 255 off at most."""
    mode = _OF_TORCH.get(resample)
    if mode is None:
        return np.array(Image.fromarray(pixels_HWC).resize(size, resample))
    import torch

    # in this order torch sees that the channels lie last, and leaves them there
    whole_1CHW = torch.from_numpy(pixels_HWC).unsqueeze(0).permute(0, 3, 1, 2)
    found_1CHW = torch.nn.functional.interpolate(
        whole_1CHW, (size[1], size[0]), mode=mode, antialias=True
    )
    found_HWC: npt.NDArray[np.uint8] = found_1CHW[0].permute(1, 2, 0).numpy()
    return found_HWC


def _cut(
    whole_HWC: npt.NDArray[np.uint8], box: tuple[float, float, float, float]
) -> npt.NDArray[np.uint8]:
    """A copy of this part, to the nearest pixel; no side of it is empty."""
    left, top, right, bottom = map(round, box)
    return whole_HWC[
        min(top, len(whole_HWC) - 1) : max(bottom, top + 1),
        min(left, whole_HWC.shape[1] - 1) : max(right, left + 1),
    ].copy()


def enough(size: tuple[int, int], min_area: float) -> int:
    """The short side of a picture whose smallest part has as many pixels as the network sees: what
    more there is would only be scaled away."""
    return math.ceil(math.sqrt(size[0] * size[1] / (PROPORTIONS[0] * min_area)))


def random_box(
    picture: tuple[int, int],
    proportion: float,
    chance: np.random.Generator,
    areas: tuple[float, float] = AREA,
) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a random part of a picture of this width and height, whose
    width : height is about `proportion`."""
    width, height = picture
    for _ in range(_TRIES):
        area = width * height * chance.uniform(*areas)
        ratio = proportion * math.exp(chance.uniform(*_LOG_PROPORTIONS))
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
