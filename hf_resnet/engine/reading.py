"""Pictures are decoded ahead in threads, and handed over in batches, while the network computes.

Knows nothing of networks, and imports none.
"""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from hf_resnet.errors import PictureError
from hf_resnet.images import decode

if TYPE_CHECKING:
    from hf_resnet.data import Row

MOST_AT_ONCE = 256
"""Pictures that go through a network together, however large a batch is asked for: more is no faster,
and features are computed in whole batches, the last of them filled up."""

Prepare = Callable[[Image.Image, "Row"], np.ndarray]


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
    rows: "Iterable[Row]",
    prepare: Prepare,
    *,
    batch_size: int,
    workers: int,
    on_bad: Callable[[BadPicture], None],
    at_least: int | None = None,
) -> Iterator[Batch]:
    """The rows as batches, in order, without those that are not usable pictures.

    at_least is the short side that is enough, as for `images.decode`; None: every pixel.
    """
    waiting: list[tuple[Row, np.ndarray]] = []

    def work(row: "Row") -> np.ndarray | str:
        if row.problem is not None:
            return row.problem
        try:
            picture = decode(row.data, at_least=at_least)
        except PictureError as exc:
            return str(exc)
        return prepare(picture, row)

    for row, outcome in _worked_ahead(rows, work, workers, ahead=2 * batch_size):
        if isinstance(outcome, str):
            on_bad(BadPicture(row.origin, outcome))
            continue
        waiting.append((row, outcome))
        if len(waiting) == batch_size:
            yield _batch(waiting)
            waiting = []
    if waiting:
        yield _batch(waiting)


def _worked_ahead(
    rows: "Iterable[Row]", work: "Callable[[Row], np.ndarray | str]", workers: int, ahead: int
) -> "Iterator[tuple[Row, np.ndarray | str]]":
    """Each row with its pixels, or with the reason why it has none; at most `ahead` wait."""
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


def _batch(waiting: "list[tuple[Row, np.ndarray]]") -> Batch:
    return Batch(
        keys=[row.key for row, _ in waiting],
        labels=[row.label for row, _ in waiting],
        origins=[row.origin for row, _ in waiting],
        pixels_BCHW=np.stack([pixels for _, pixels in waiting]),
    )
