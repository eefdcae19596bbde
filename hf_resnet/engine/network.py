"""A network computed by torch: folded, in the memory layout and the precision that pay on this device.

Knows nothing of class names or of training. The one surprise: for features a short last batch is
filled up, so that what a picture gets does not depend on how many stood beside it.
"""

import os
from collections.abc import Callable

import numpy as np
import torch

from hf_resnet.backbones import Network
from hf_resnet.backbones.folding import folded, has_norms
from hf_resnet.backbones.packing import packed
from hf_resnet.config import ComputeConfig
from hf_resnet.engine.reading import MOST_AT_ONCE
from hf_resnet.heap import give_back_freed_memory
from hf_resnet.precision import autocast, precision_for
from hf_resnet.prediction import softmax


class Engine:
    """A network on its device, made ready for use alone: folded, and in the precision that pays."""

    def __init__(
        self, network: Network, compute: ComputeConfig, device: torch.device | None = None
    ) -> None:
        self.device = device or _best_device()
        self.batch_size = min(compute.per_device_eval_batch_size, MOST_AT_ONCE)
        self.workers = compute.dataloader_num_workers
        self.precision = precision_for(compute.precision, self.device)
        self.network = network.eval()
        self._ready: Network | None = None
        self._dtype = torch.float32

    def logits(self, pixels_BCHW: np.ndarray) -> np.ndarray:
        """One row of logits a picture."""
        parts = [
            self._run(lambda network, pixels: network(pixels), part)
            for part in np.split(
                pixels_BCHW, range(self.batch_size, len(pixels_BCHW), self.batch_size)
            )
        ]
        return np.concatenate(parts)

    def probabilities(self, pixels_BCHW: np.ndarray) -> np.ndarray:
        """One row of probabilities a picture."""
        return softmax(self.logits(pixels_BCHW))

    def features(self, pixels_BCHW: np.ndarray) -> np.ndarray:
        """One row of features a picture, the same whatever stands beside it."""
        count = len(pixels_BCHW)
        if not count:
            return np.zeros((0, self.network.width), np.float32)
        found = [
            self._run(
                lambda network, pixels: network.features(pixels),
                self._filled(pixels_BCHW[start : start + self.batch_size]),
            )
            for start in range(0, count, self.batch_size)
        ]
        return np.concatenate(found)[:count]

    def _filled(self, pixels_BCHW: np.ndarray) -> np.ndarray:
        missing = self.batch_size - len(pixels_BCHW)
        return np.pad(pixels_BCHW, ((0, missing), (0, 0), (0, 0), (0, 0)))

    def _run(
        self, ask: Callable[[Network, torch.Tensor], torch.Tensor], pixels_BCHW: np.ndarray
    ) -> np.ndarray:
        pixels = torch.from_numpy(pixels_BCHW).to(self.device, memory_format=torch.channels_last)
        network = self._ready or self._made_ready(pixels[:1])
        with torch.inference_mode(), autocast(self.precision, self.device.type):
            result: np.ndarray = ask(network, pixels.to(self._dtype)).float().cpu().numpy()
        return result

    def _made_ready(self, picture_1CHW: torch.Tensor) -> Network:
        """The folded network; its very weights in bf16 where no norm is left that wants more."""
        network = folded(self.network.to(self.device), picture_1CHW)
        is_light = network is not self.network and not has_norms(network)
        if self.precision == "bf16" and is_light:
            self._dtype = torch.bfloat16
        network = network.to(self._dtype).to(memory_format=torch.channels_last)
        if self.device.type == "cpu" and (
            is_light or self.precision == "fp32"
        ):  # no autocast at work
            network = packed(network, picture_1CHW.to(self._dtype))
        give_back_freed_memory()  # up to three copies of the weights were there at once
        self._ready = network
        return network


def _best_device() -> torch.device:
    if torch.cuda.is_available():
        mine = int(os.environ.get("LOCAL_RANK") or 0)  # one card a process under accelerate launch
        return torch.device("cuda", mine % torch.cuda.device_count())
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
