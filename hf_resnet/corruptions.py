"""Changes of a picture that a network meets in the world and not in its data: a fixed suite, three
strengths of each.

They work on what the network is to see (pixels_HWC, uint8), so that a strength means the same whatever
size the file has. Each is a pure function of the pixels, the strength and the picture's key: which way
a picture is turned, and where it is covered, is drawn from the key, so that two models and two
processes meet the very same pictures. The surprise: `grey` has one way to be grey, and its strengths
are how much of the colour is gone.
"""

import hashlib
import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

Pixels = NDArray[np.uint8]
Corruption = Callable[[Image.Image, int, np.random.Generator], Image.Image]
STRENGTHS = (1, 2, 3)
_RGB_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


def corrupted(pixels_HWC: Pixels, kind: str, strength: int, key: str) -> Pixels:
    """The pixels changed in one of the ways of CORRUPTIONS, at a strength of STRENGTHS."""
    if strength not in STRENGTHS:
        raise ValueError(f"a strength is one of {STRENGTHS}, got {strength}")
    # not of the strength: a stronger change is the same change, further on
    digest = hashlib.blake2b(f"{kind}/{key}".encode(), digest_size=16).digest()
    chance = np.random.Generator(np.random.PCG64(int.from_bytes(digest, "little")))
    changed = CORRUPTIONS[kind](Image.fromarray(pixels_HWC), strength, chance)
    return np.array(changed)


def _hue(picture: Image.Image, strength: int, chance: np.random.Generator) -> Image.Image:
    """All colours move round the circle of hues, yellow to green and so on; the lightness stays."""
    turn = np.radians((30, 75, 150)[strength - 1]) * _sign(chance)
    cos, sin = np.cos(turn), np.sin(turn)
    turned = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    matrix = np.linalg.inv(_RGB_TO_YIQ) @ turned @ _RGB_TO_YIQ
    return _clipped(np.asarray(picture, np.float64) @ matrix.T)


def _tint(picture: Image.Image, strength: int, chance: np.random.Generator) -> Image.Image:
    """As under coloured light: the channels are weakened and strengthened unequally."""
    lean_C = chance.permutation([-1.0, 0.0, 1.0])
    return _clipped(np.asarray(picture, np.float64) * (1 + (0.15, 0.3, 0.5)[strength - 1] * lean_C))


def _brightness(picture: Image.Image, strength: int, chance: np.random.Generator) -> Image.Image:
    """Over- or underexposed."""
    factor = (1.3, 1.7, 2.3)[strength - 1]
    return _clipped(np.asarray(picture, np.float64) * factor ** _sign(chance))


def _contrast(picture: Image.Image, strength: int, chance: np.random.Generator) -> Image.Image:
    """As in fog: everything nearer to the mean."""
    return ImageEnhance.Contrast(picture).enhance((0.6, 0.4, 0.2)[strength - 1])


def _blur(picture: Image.Image, strength: int, chance: np.random.Generator) -> Image.Image:
    radius = (0.006, 0.012, 0.024)[strength - 1] * min(picture.size)
    return picture.filter(ImageFilter.GaussianBlur(radius))


def _noise(picture: Image.Image, strength: int, chance: np.random.Generator) -> Image.Image:
    """As in the dark: every pixel a little off by itself."""
    levels_HWC = np.asarray(picture, np.float64)
    grain_HWC = chance.normal(0, 1, levels_HWC.shape)
    return _clipped(levels_HWC + (12, 25, 45)[strength - 1] * grain_HWC)


def _jpeg(picture: Image.Image, strength: int, chance: np.random.Generator) -> Image.Image:
    """Saved with too few bytes."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=(30, 15, 7)[strength - 1])
    return Image.open(file).convert("RGB")


def _rotation(picture: Image.Image, strength: int, chance: np.random.Generator) -> Image.Image:
    """Turned; the corners that come into view are a mirror of what is beside them."""
    angle = (10, 25, 45)[strength - 1] * _sign(chance)
    width, height = picture.size
    large = _mirrored(picture, width // 2, height // 2)
    turned = large.rotate(angle, Image.Resampling.BICUBIC)
    left, top = (large.width - width) // 2, (large.height - height) // 2
    return turned.crop((left, top, left + width, top + height))


def _scale(picture: Image.Image, strength: int, chance: np.random.Generator) -> Image.Image:
    """Nearer or further away; what comes into view is a mirror of what is beside it."""
    factor = (1.2, 1.5, 2.0)[strength - 1] ** _sign(chance)
    width, height = picture.size
    large = _mirrored(picture, width // 2, height // 2)
    wide, tall = width / factor, height / factor
    left, top = (large.width - wide) / 2, (large.height - tall) / 2
    box = (max(left, 0), max(top, 0), min(left + wide, large.width), min(top + tall, large.height))
    return large.resize((width, height), Image.Resampling.BICUBIC, box=box)


def _occlusion(picture: Image.Image, strength: int, chance: np.random.Generator) -> Image.Image:
    """Something grey stands before a part of it."""
    width, height = picture.size
    share = (0.1, 0.2, 0.35)[strength - 1] ** 0.5
    wide, tall = max(1, round(share * width)), max(1, round(share * height))
    # the corner as a share of the room there is, so that all strengths cover about the same place
    across, down = chance.random(2)
    left, top = round(across * (width - wide)), round(down * (height - tall))
    covered = picture.copy()
    covered.paste((128, 128, 128), (left, top, left + wide, top + tall))
    return covered


def _grey(picture: Image.Image, strength: int, chance: np.random.Generator) -> Image.Image:
    return ImageEnhance.Color(picture).enhance((0.5, 0.25, 0.0)[strength - 1])


CORRUPTIONS: dict[str, Corruption] = {
    "hue": _hue,
    "tint": _tint,
    "brightness": _brightness,
    "contrast": _contrast,
    "blur": _blur,
    "noise": _noise,
    "jpeg": _jpeg,
    "rotation": _rotation,
    "scale": _scale,
    "occlusion": _occlusion,
    "grey": _grey,
}


def _sign(chance: np.random.Generator) -> int:
    return 1 if chance.random() < 0.5 else -1


def _mirrored(picture: Image.Image, across: int, down: int) -> Image.Image:
    pad = ((down, down), (across, across), (0, 0))
    return Image.fromarray(np.pad(np.asarray(picture), pad, mode="symmetric"))


def _clipped(levels_HWC: NDArray[np.float64]) -> Image.Image:
    return Image.fromarray(np.rint(levels_HWC.clip(0, 255)).astype(np.uint8))
