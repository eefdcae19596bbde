"""Maps of numbers as pictures: heat laid over a photo, and many small maps in a grid.

Colours are matplotlib's viridis and inferno, whose lightness grows with the number, so that they also
read in grey and with any colour vision.
"""

from math import ceil

import numpy as np
from matplotlib import colormaps
from PIL import Image

from hf_resnet.metrics.arrays import FloatArray

TILE_GAP = 3


def heat_over(picture: Image.Image, heat_HW: FloatArray) -> Image.Image:
    """The picture in grey where it is cold, and glowing where it is hot; heat is from 0 to 1."""
    grey_HW1 = np.asarray(picture.convert("L"), np.float64)[:, :, None] / 255
    colour_HW3 = colormaps["inferno"](0.15 + 0.8 * heat_HW)[:, :, :3]
    share_HW1 = (0.75 * np.sqrt(heat_HW))[:, :, None]
    mixed_HW3 = (1 - share_HW1) * (0.15 + 0.7 * grey_HW1) + share_HW1 * colour_HW3
    return Image.fromarray(np.rint(255 * mixed_HW3.clip(0, 1)).astype(np.uint8))


def tiled(maps_CHW: FloatArray, side: int) -> Image.Image:
    """Every map as a tile of a nearly square grid of about this side; each with its own scale."""
    columns = ceil(len(maps_CHW) ** 0.5)
    rows = ceil(len(maps_CHW) / columns)
    tile = max((side + TILE_GAP) // columns - TILE_GAP, 1)
    step = tile + TILE_GAP
    grid = Image.new("RGB", (columns * step - TILE_GAP, rows * step - TILE_GAP), "white")
    for number, map_HW in enumerate(maps_CHW):
        row, column = divmod(number, columns)
        grid.paste(_coloured(map_HW, tile), (column * step, row * step))
    return grid


def _coloured(map_HW: FloatArray, side: int) -> Image.Image:
    low, high = np.percentile(map_HW, (1, 99))
    level_HW = ((map_HW - low) / max(high - low, 1e-12)).clip(0, 1)
    coloured = (255 * colormaps["viridis"](level_HW)[:, :, :3]).astype(np.uint8)
    few = max(map_HW.shape) * 2 <= side
    how = Image.Resampling.NEAREST if few else Image.Resampling.LANCZOS
    return Image.fromarray(coloured).resize((side, side), how)
