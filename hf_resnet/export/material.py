"""What a format's file is handed: the network, the size of its pictures, and some to calibrate on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from hf_resnet.backbones import Network
from hf_resnet.preprocess import Size


@dataclass(frozen=True, eq=False)
class Material:
    """calibration gives batches, pixels_BCHW, of training pictures, anew on each call."""

    network: Network
    size: Size
    calibration: Callable[[], Iterator[np.ndarray]]
