"""Pictures made ready to learn from, in worker processes, ahead of the network.

Every example is a pure function of the seed, the picture and the epoch, so that neither the number
of workers nor an interruption changes what is learned from. Workers give bytes (uint8), a quarter of
what floats would be; they become numbers on the device, with the very values that serving has.
"""

import signal
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from hf_resnet.augment import Changes, changed, enough
from hf_resnet.data import Row, Split
from hf_resnet.data.picture_cache import PictureCache
from hf_resnet.errors import DataError, PictureError
from hf_resnet.images import decode_to_learn
from hf_resnet.preprocess import Preprocess

At = tuple[int, int]
"""Which picture, and in which epoch."""

Example = tuple[Tensor, int] | DataError

Examples_B = tuple[Tensor, Tensor]
"""pixels_BHWC (uint8) and label_B."""


@dataclass(frozen=True, eq=False)
class Examples(Dataset[Example]):
    """The usable pictures of a split as they are learned from: (pixels_HWC, label), or why not."""

    split: Split
    row_N: np.ndarray
    label_N: np.ndarray
    preprocess_E: Sequence[Preprocess]
    """Of each epoch; the last one stands for all later ones."""

    changes: Changes
    seed: int
    cache: PictureCache | None = None

    def __len__(self) -> int:
        return len(self.row_N)

    def __getitem__(self, at: At) -> Example:
        position, epoch = at
        number, label = int(self.row_N[position]), int(self.label_N[position])
        key = self.split.key(number)
        kept = self.cache.kept(key) if self.cache and key else None
        if kept is not None:
            return self._changed(kept, key, epoch), label
        try:
            return self.changed(self.split.row(number), epoch), label
        except DataError as exc:
            return exc  # raised by a worker, it would arrive wrapped in a traceback

    def changed(self, row: Row, epoch: int) -> Tensor:
        """pixels_HWC of a row as it is learned from in an epoch."""
        return self._changed(self.picture(row), row.key, epoch)

    def _changed(self, whole_HWC: npt.NDArray[np.uint8], key: str, epoch: int) -> Tensor:
        pixels_HWC = changed(
            whole_HWC,
            self.preprocess_E[min(epoch, len(self.preprocess_E) - 1)],
            self.changes,
            seed=self.seed,
            key=key,
            number=epoch + 1,
        )
        return torch.from_numpy(pixels_HWC)

    def _decoded(self, row: Row) -> npt.NDArray[np.uint8]:
        if self.cache:
            return self.cache.picture(row)
        largest = max((preprocess.size for preprocess in self.preprocess_E), key=max)
        return decode_to_learn(row.data, at_least=enough(largest, self.changes.min_area))

    def picture(self, row: Row) -> npt.NDArray[np.uint8]:
        """pixels_HWC of a row, unchanged."""
        reason = row.problem
        if reason is None:
            try:
                return self._decoded(row)
            except PictureError as exc:
                reason = str(exc)
        raise DataError(
            f"{row.origin}: {reason}, while the run was learning from it; put it back as it was and "
            "run the same command again to go on from the last checkpoint"
        )


def loaded(
    examples: Examples, batches: Iterable[list[At]], *, workers: int
) -> Iterator[Examples_B]:
    """The batches in order, made ready by so many worker processes; by this one where it is 0."""
    ready = DataLoader(
        examples,
        batch_sampler=batches,
        collate_fn=together,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=in_worker,
        # its own generator: the order is given, and torch's global random numbers stay untouched
        generator=torch.Generator(),
    )
    yield from delivered(ready)


def delivered(ready: "DataLoader[Example]") -> Iterator[Examples_B]:
    """The batches; what went wrong with a picture is raised here, and not in the worker."""
    for batch in ready:
        if isinstance(batch, DataError):
            raise batch
        yield batch


def together(examples: list[Example]) -> Examples_B | DataError:
    """A batch of the examples, or the first reason why there is none."""
    for each in examples:
        if isinstance(each, DataError):
            return each
    pixels_BHWC, label_B = default_collate(examples)
    return pixels_BHWC, label_B


def in_worker(_: int) -> None:
    """Leave the end of the run to the process that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def as_numbers(pixels_BHWC: Tensor, preprocess: Preprocess) -> Tensor:
    """pixels_BCHW of bytes, with the values of Preprocess.normalised; the channels lie last."""
    width = pixels_BHWC.shape[2]
    # repeated along a line of pixels: three at a time would be too few for the processor's wide lanes
    mean_L = torch.tensor(preprocess.mean, device=pixels_BHWC.device).repeat(width)
    std_L = torch.tensor(preprocess.std, device=pixels_BHWC.device).repeat(width)
    numbers_BHL = pixels_BHWC.flatten(2).float().div_(255).sub_(mean_L).div_(std_L)
    numbers_BHWC = numbers_BHL.view(pixels_BHWC.shape)
    if preprocess.channel_order == "BGR":
        numbers_BHWC = numbers_BHWC.flip(-1)
    return numbers_BHWC.permute(0, 3, 1, 2)
