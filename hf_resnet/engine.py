"""Fast prediction: pictures are decoded ahead in threads while the network computes.

Knows nothing of class names or of training. The one surprise: for features a short last batch is
filled up, so that what a picture gets does not depend on how many stood beside it.
"""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from hf_resnet.backbones import Network
from hf_resnet.backbones.folding import folded, has_norms
from hf_resnet.config import ComputeConfig
from hf_resnet.data import Row
from hf_resnet.errors import PictureError
from hf_resnet.images import decode

MOST_AT_ONCE = 256
"""Pictures that go through a network together, however large a batch is asked for: more is no faster,
and features are computed in whole batches, the last of them filled up."""

Prepare = Callable[[Image.Image, Row], np.ndarray]


@dataclass(frozen=True)
class BadPicture:
    """A file that could not be used, and why."""

    origin: str
    reason: str


@dataclass(frozen=True)
class Batch:
    """Pictures ready for the network; what prepare gave for each, stacked."""

    keys: list[str]
    labels: list[int | None]
    origins: list[str]
    pixels_BCHW: np.ndarray


def batches(
    rows: Iterable[Row],
    prepare: Prepare,
    *,
    batch_size: int,
    workers: int,
    on_bad: Callable[[BadPicture], None],
) -> Iterator[Batch]:
    """The rows as batches, in order, without those that are not usable pictures."""
    waiting: list[tuple[Row, np.ndarray]] = []
    for row, outcome in _decoded(rows, prepare, workers, ahead=2 * batch_size):
        if isinstance(outcome, str):
            on_bad(BadPicture(row.origin, outcome))
            continue
        waiting.append((row, outcome))
        if len(waiting) == batch_size:
            yield _batch(waiting)
            waiting = []
    if waiting:
        yield _batch(waiting)


def _decoded(
    rows: Iterable[Row], prepare: Prepare, workers: int, ahead: int
) -> Iterator[tuple[Row, np.ndarray | str]]:
    """Each row with its pixels, or with the reason why it has none; at most `ahead` wait."""

    def work(row: Row) -> np.ndarray | str:
        if row.problem is not None:
            return row.problem
        try:
            picture = decode(row.data)
        except PictureError as exc:
            return str(exc)
        return prepare(picture, row)

    coming = iter(rows)
    queue: deque[tuple[Row, Future[np.ndarray | str]]] = deque()
    with ThreadPoolExecutor(max(1, workers)) as pool:
        try:
            for row in itertools.islice(coming, ahead):
                queue.append((row, pool.submit(work, row)))
            while queue:
                row, future = queue.popleft()
                result = future.result()
                for later in itertools.islice(coming, 1):
                    queue.append((later, pool.submit(work, later)))
                yield row, result
        finally:
            pool.shutdown(cancel_futures=True)


def _batch(waiting: list[tuple[Row, np.ndarray]]) -> Batch:
    return Batch(
        keys=[row.key for row, _ in waiting],
        labels=[row.label for row, _ in waiting],
        origins=[row.origin for row, _ in waiting],
        pixels_BCHW=np.stack([pixels for _, pixels in waiting]),
    )


class Engine:
    """A network on its device, made ready for use alone: folded, and in the precision that pays."""

    def __init__(
        self, network: Network, compute: ComputeConfig, device: torch.device | None = None
    ) -> None:
        self.device = device or _best_device()
        self.batch_size = min(compute.per_device_eval_batch_size, MOST_AT_ONCE)
        self.workers = compute.dataloader_num_workers
        self.bf16 = wants_bf16(compute, self.device)
        self.network = network.eval()
        self._ready: Network | None = None
        self._dtype = torch.float32

    @property
    def precision(self) -> str:
        return "bf16" if self.bf16 else "fp32"

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
        logits_BK = self.logits(pixels_BCHW)
        odds_BK = np.exp(logits_BK - logits_BK.max(axis=1, keepdims=True))
        shares_BK: np.ndarray = odds_BK / odds_BK.sum(axis=1, keepdims=True)
        return shares_BK

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
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16),
        ):
            result: np.ndarray = ask(network, pixels.to(self._dtype)).float().cpu().numpy()
        return result

    def _made_ready(self, picture_1CHW: torch.Tensor) -> Network:
        """The folded network; its very weights in bf16 where no norm is left that wants more."""
        network = folded(self.network.to(self.device), picture_1CHW)
        if self.bf16 and network is not self.network and not has_norms(network):
            self._dtype = torch.bfloat16
        network = network.to(self._dtype).to(memory_format=torch.channels_last)
        self._ready = network
        return network


def wants_bf16(compute: ComputeConfig, device: torch.device) -> bool:
    """Whether to compute in half the bits: as asked for, else where it pays."""
    return compute.precision == "bf16" or (compute.precision == "auto" and _bf16_pays(device))


def _best_device() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _bf16_pays(device: torch.device) -> bool:
    """Whether the hardware multiplies bf16 itself; elsewhere it is slower than fp32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and _bf16_in_cpu()


def _bf16_in_cpu() -> bool:
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
