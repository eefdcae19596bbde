"""How a picture looks, in 64 bits and in 16 x 16 pixels; and when two look the same.

The hash tells which pictures are worth comparing: the signs of the 64 lowest frequencies of a grey
32 x 32 picture (the DCT hash known as pHash), of which saving anew or scaling turns a few at most.
The views decide: how far apart they are, against how much there is to see in them. The surprise: a
hash alone would take any two birds before an even sky for the same picture.
"""

import functools

import numpy as np
from PIL import Image

SIDE = 16
RADIUS = 7
"""Bits of the hash that may differ; of 500 pictures of CIFAR-10, saving as JPEG of quality 40 turned 6
at most."""

SAME = 0.2
"""Views no further apart are of one picture; JPEG of quality 60 comes to 0.16 at most on those 500."""

SAME_WHEN_SMALL = 0.1
"""Below SMALL pixels two drawings of a letter are as near as two savings of a photo."""

SMALL = 24

_GREY = 32
_LOW = 8
_SMALLEST_CONTRAST = 3.0
_GREY_OF_RGB = np.array([0.299, 0.587, 0.114], np.float32)


@functools.cache
def _waves() -> np.ndarray:
    """The first rows of the cosine transform."""
    across = (np.arange(_GREY) + 0.5) * np.pi / _GREY
    waves_LG: np.ndarray = np.cos(np.arange(_LOW)[:, None] * across)
    return waves_LG


def hash_of(picture: Image.Image) -> int:
    """64 bits that stay nearly the same however the picture is saved or scaled."""
    grey_GG = np.asarray(_scaled(picture.convert("L"), _GREY), np.float64)
    low_LL = _waves() @ grey_GG @ _waves().T
    bits = low_LL.ravel() > np.median(low_LL.ravel()[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def view_of(picture: Image.Image) -> bytes:
    """The picture at SIDE x SIDE in colour."""
    return _scaled(picture, SIDE).tobytes()


def _scaled(picture: Image.Image, side: int) -> Image.Image:
    # a filter that averages: one that picks pixels makes another picture of a scaled one
    return picture.resize((side, side), Image.Resampling.LANCZOS)


def apart(one_MV: np.ndarray, other_MV: np.ndarray) -> np.ndarray:
    """How far views are apart: 0 for the same, about 1.4 for two that have nothing in common.

    In grey; in colour a third of it counts, since JPEG keeps colours roughly.
    """
    one, other = one_MV.astype(np.float32), other_MV.astype(np.float32)
    grey_M = _gap(_grey(one), _grey(other), colours=1)
    apart_M: np.ndarray = np.maximum(grey_M, _gap(one, other, colours=3) / 3)
    return apart_M


def _grey(view_MV: np.ndarray) -> np.ndarray:
    grey_MP: np.ndarray = view_MV.reshape(len(view_MV), -1, 3) @ _GREY_OF_RGB
    return grey_MP


def _gap(one_MV: np.ndarray, other_MV: np.ndarray, *, colours: int) -> np.ndarray:
    """The difference against what there is to see, which is how pixels of a colour vary: a red wall
    has nothing to see in it."""
    differs_MV = one_MV - other_MV
    error_M = np.einsum("mv,mv->m", differs_MV, differs_MV) / differs_MV.shape[1]
    contrast_M = (_contrast(one_MV, colours) + _contrast(other_MV, colours)) / 2
    gap_M: np.ndarray = np.sqrt(error_M / (contrast_M + _SMALLEST_CONTRAST**2))
    return gap_M


def _contrast(view_MV: np.ndarray, colours: int) -> np.ndarray:
    """The variance over the pixels, for the mean of the colours; by products, which are fast."""
    size = view_MV.shape[1]
    of_colour_VC = np.tile(
        np.eye(colours, dtype=np.float32) * (colours / size), (size // colours, 1)
    )
    mean_MC = view_MV @ of_colour_VC
    variance_M: np.ndarray = np.einsum("mv,mv->m", view_MV, view_MV) / size - (mean_MC**2).mean(1)
    return variance_M.clip(0)


def limit_of(size_M2: np.ndarray) -> np.ndarray:
    """How far apart two views of one picture of this size may be."""
    limit_M: np.ndarray = np.where(size_M2.min(-1) < SMALL, SAME_WHEN_SMALL, SAME)
    return limit_M
