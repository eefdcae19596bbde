"""Every picture of a data set looked at once: what the checks know, in a few bytes a picture.

Knows nothing of what is wrong. A picture is decoded in a thread, through the guards of `images`, and
what stays of it is its size, how its colours are stored, a hash of how it looks and a view of 16 x 16
pixels. The surprise: a file that is no picture is a row like any other, with its problem.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from hf_resnet.checks.looks import SIDE, hash_of, view_of
from hf_resnet.data import Data, Row, Split
from hf_resnet.errors import PictureError
from hf_resnet.images import decode, mode_of
from hf_resnet.labels import Labels
from hf_resnet.progress import Pace

if TYPE_CHECKING:
    from hf_resnet.checks.seen import Seen

NO_LABEL = -1
_AHEAD = 64


@dataclass(frozen=True, slots=True)
class Look:
    """What one picture looked like."""

    width: int
    height: int
    mode: str
    hash: int
    view: bytes


@dataclass(frozen=True, eq=False)
class Survey:
    """All pictures of all splits, numbered from 0 in the order of the splits."""

    labels: Labels
    splits: tuple[str, ...]
    """The names of the splits that there are."""

    split_N: np.ndarray
    """Which of the splits a picture is in, as an index into `splits`."""

    row_N: np.ndarray
    """Where it stands there."""

    label_N: np.ndarray
    """Its class, NO_LABEL where it has none."""

    key_N: np.ndarray
    """The hash of its bytes (S32), empty where there are none."""

    origins: tuple[str, ...]
    problems: dict[int, str]
    """Why a picture cannot be used, for those that cannot."""

    size_N2: np.ndarray
    """Width and height; 0 where it cannot be used."""

    modes: tuple[str, ...]
    hash_N: np.ndarray
    view_NV: np.ndarray
    seen: "Seen | None" = field(default=None)
    """What a network saw in them; None where none looked."""

    def __len__(self) -> int:
        return len(self.row_N)

    @property
    def good_M(self) -> np.ndarray:
        """The numbers of the pictures that can be used."""
        good_N = np.ones(len(self), bool)
        good_N[list(self.problems)] = False
        return np.flatnonzero(good_N)

    def split_of(self, number: int) -> str:
        return self.splits[int(self.split_N[number])]

    def class_of(self, number: int) -> str | None:
        label = int(self.label_N[number])
        return None if label == NO_LABEL else self.labels.names[label]

    def of_split(self, name: str) -> np.ndarray:
        """The numbers of the usable pictures of a split."""
        good_M = self.good_M
        if name not in self.splits:
            return good_M[:0]
        of_M: np.ndarray = good_M[self.split_N[good_M] == self.splits.index(name)]
        return of_M


def survey(data: Data, *, workers: int) -> Survey:
    """Look at every picture of every split."""
    found = _Growing()
    for number, split in enumerate(data.splits()):
        _take(split, number, found, workers)
    return Survey(
        labels=data.labels,
        splits=tuple(split.name for split in data.splits()),
        split_N=np.array(found.splits, np.int64),
        row_N=np.array(found.rows, np.int64),
        label_N=np.array(found.labels, np.int64),
        key_N=np.array(found.keys, "S32"),
        origins=tuple(found.origins),
        problems=found.problems,
        size_N2=np.array(found.sizes, np.int64).reshape(-1, 2),
        modes=tuple(found.modes),
        hash_N=np.array(found.hashes, np.uint64),
        view_NV=np.frombuffer(bytes(found.views), np.uint8).reshape(-1, SIDE * SIDE * 3),
    )


_NOTHING = Look(0, 0, "", 0, bytes(SIDE * SIDE * 3))


@dataclass
class _Growing:
    """A survey while it is made."""

    splits: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    problems: dict[int, str] = field(default_factory=dict)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    modes: list[str] = field(default_factory=list)
    hashes: list[int] = field(default_factory=list)
    views: bytearray = field(default_factory=bytearray)

    def add(self, split: int, position: int, row: Row, look: Look | str) -> None:
        if isinstance(look, str):
            self.problems[len(self.rows)] = look
        seen = _NOTHING if isinstance(look, str) else look
        self.splits.append(split)
        self.rows.append(position)
        self.labels.append(NO_LABEL if row.label is None else row.label)
        self.keys.append(row.key.encode())
        self.origins.append(row.origin)
        self.sizes.append((seen.width, seen.height))
        self.modes.append(seen.mode)
        self.hashes.append(seen.hash)
        self.views += seen.view


def _take(split: Split, number: int, found: _Growing, workers: int) -> None:
    with Pace(f"Looking at {split.name}", split.size) as pace:
        for position, (row, look) in enumerate(_looked(split.rows(), workers)):
            found.add(number, position, row, look)
            pace.advance(1)


def _looked(rows: Iterable[Row], workers: int) -> Iterator[tuple[Row, Look | str]]:
    """Each row with its look, or with the reason why it has none, in order."""
    coming = iter(rows)
    waiting: deque[tuple[Row, Future[Look | str]]] = deque()
    with ThreadPoolExecutor(max(1, workers)) as pool:
        try:
            for row in islice(coming, _AHEAD):
                waiting.append((row, pool.submit(_look, row)))
            while waiting:
                row, future = waiting.popleft()
                yield row, future.result()
                for later in islice(coming, 1):
                    waiting.append((later, pool.submit(_look, later)))
        finally:
            pool.shutdown(cancel_futures=True)


def _look(row: Row) -> Look | str:
    if row.problem is not None:
        return row.problem
    try:
        picture = decode(row.data)
        mode = mode_of(row.data)
    except PictureError as exc:
        return str(exc)
    return Look(*picture.size, mode, hash_of(picture), view_of(picture))


def pictures_of(
    data: Data, survey: Survey, wanted: Iterable[int]
) -> Iterator[tuple[int, Image.Image]]:
    """The pictures with these numbers, read again; those that cannot be any more are passed over."""
    numbers = sorted(set(wanted))
    for index, split in enumerate(data.splits()):
        rows = {int(survey.row_N[at]): at for at in numbers if survey.split_N[at] == index}
        for position, row in _rows(split, sorted(rows)):
            if row.problem is None:
                try:
                    yield rows[position], decode(row.data)
                except PictureError:
                    continue  # its finding says so already, or it changed since


def _rows(split: Split, positions: list[int]) -> Iterator[tuple[int, Row]]:
    if split.size is not None:
        for position in positions:
            yield position, split.row(position)
        return
    wanted = set(positions)
    for position, row in enumerate(islice(split.rows(), max(positions, default=-1) + 1)):
        if position in wanted:
            yield position, row
