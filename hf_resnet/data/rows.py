"""What every other room sees of a data set: splits, and the rows they give.

A row is known by a hash of its bytes (its key), never by its name or its place: a picture that is
renamed or moved stays the same picture, and one that is changed becomes another. Bytes are read
when a row is asked for, one picture at a time, and nothing here looks inside them.

The surprise: a file that vanished, or changed since its key was taken, is still a row; its
`problem` says what is wrong.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from hf_resnet.data.place import Place
from hf_resnet.data.splits import Side
from hf_resnet.data.values import NO_LABEL, Naming
from hf_resnet.errors import DataError, listed
from hf_resnet.labels import Labels
from hf_resnet.screen import one_line

NO_KEY = ""
NO_CLASS = "it has no label"
"""The problem of a row that may be a good picture, of nobody knows what."""


@dataclass(frozen=True)
class Row:
    """One picture of a split, not decoded; where `problem` is set it has neither bytes nor key."""

    key: str
    label: int | None
    origin: str
    data: bytes
    problem: str | None = None


def key_of(data: bytes) -> str:
    """The name of these bytes: 32 hexadecimal digits."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


@dataclass(frozen=True, eq=False)
class Stored:
    """Rows of a data set on this machine, found by index."""

    dataset: Any
    """A datasets.Dataset with the one column `image`, an Image(decode=False)."""

    place: Place
    index_N: np.ndarray
    """Which rows of `dataset`, in order."""

    key_N: np.ndarray | None = None
    """Their keys (S32), NO_KEY where there were no bytes; None where they are taken on reading."""

    label_N: np.ndarray | None = None
    """Their labels, NO_LABEL where one is missing; None for pictures that are only looked at."""

    @property
    def size(self) -> int:
        return len(self.index_N)

    def rows(self, first: int, step: int) -> Iterator[Row]:
        """Every `step`-th row, from the position `first` on."""
        for position in range(first, self.size, step):
            index = int(self.index_N[position])
            cell = self.dataset[index]["image"]
            row = _row(self.place, cell, index, self._label(position))
            if self.key_N is not None and row.key != self.key_N[position].decode():
                row = _without(row, row.problem or "it changed while the run was reading it")
            yield row

    def _label(self, position: int) -> int | None:
        return None if self.label_N is None else int(self.label_N[position])

    def all_keys(self) -> list[str]:
        """The key of each row, NO_KEY where it is not known."""
        if self.key_N is None:
            return [NO_KEY] * self.size
        return [key.decode() for key in self.key_N.tolist()]

    def all_labels(self) -> list[int]:
        """The label of each row, NO_LABEL where it has none."""
        return [NO_LABEL] * self.size if self.label_N is None else self.label_N.tolist()

    def entries(self) -> Iterator[tuple[str, int]]:
        """(key, label) of the rows that have both."""
        for key, label in zip(self.all_keys(), self.all_labels(), strict=True):
            if key != NO_KEY and label != NO_LABEL:
                yield key, label

    def taking(self, positions_M: np.ndarray) -> "Stored":
        """Only the rows at these positions."""
        return replace(
            self,
            index_N=self.index_N[positions_M],
            key_N=None if self.key_N is None else self.key_N[positions_M],
            label_N=None if self.label_N is None else self.label_N[positions_M],
        )

    def keyed(self) -> "Stored":
        """The same with the keys taken, in one pass that holds one picture at a time."""
        key_N = np.full(self.size, NO_KEY, dtype="S32")
        for position in progress(self.size, self.place.title):
            data, problem = self.place.read(self.dataset[int(self.index_N[position])]["image"])
            if problem is None:
                key_N[position] = key_of(data)
        return replace(self, key_N=key_N)


def progress(count: int, title: str) -> Any:
    """range(count), with a bar once it takes long, shown by one process alone."""
    from datasets.utils import tqdm

    other = os.environ.get("LOCAL_RANK", "0") != "0"
    about = one_line(f"Reading {title}")
    return tqdm(
        range(count), desc=about, unit=" pictures", delay=2, leave=False, disable=other or None
    )


def _row(place: Place, cell: Any, index: int, label: int | None) -> Row:
    data, problem = place.read(cell)
    key = key_of(data) if problem is None else NO_KEY
    row = Row(key, None if label == NO_LABEL else label, place.origin(cell, index), data, problem)
    return _without(row, NO_CLASS) if problem is None and label == NO_LABEL else row


def _without(row: Row, problem: str) -> Row:
    return replace(row, key=NO_KEY, data=b"", problem=problem)


@dataclass(frozen=True)
class Files:
    """Pictures that are only looked at, by their paths: no labels, and no library to read them."""

    paths: tuple[str, ...]
    place: Place = field(default=Place("files"))

    @property
    def size(self) -> int:
        return len(self.paths)

    def rows(self, first: int, step: int) -> Iterator[Row]:
        """Every `step`-th row, from the position `first` on."""
        for position in range(first, self.size, step):
            cell = {"bytes": None, "path": self.paths[position]}
            yield _row(self.place, cell, position, None)

    def entries(self) -> Iterator[tuple[str, int]]:
        """(key, label) of the rows that have both: of none."""
        yield from ()


@dataclass
class Seen:
    """What a stream turned out to hold, filled in once it has been read to its end."""

    entries: list[tuple[str, int]] | None = None


@dataclass(frozen=True, eq=False)
class Streamed:
    """Rows as they come. Each process reads the whole stream, and keeps what is its own."""

    dataset: Any
    """A datasets.IterableDataset with the columns `image` and, where there are classes, `label`."""

    place: Place
    naming: Naming | None
    """None for pictures that are only looked at."""

    index_of: Mapping[str, int]
    """The label of each class name."""

    side: Side | None = None
    """Which part of the stream this is, where one stream is divided in two."""

    quota: tuple[int, ...] | None = None
    """At most so many pictures of each class: the first that come."""

    seen: Seen = field(default_factory=Seen)

    size = None

    def rows(self, first: int, step: int) -> Iterator[Row]:
        """Every `step`-th row, from the position `first` on."""
        entries: list[tuple[str, int]] = []
        for position, row in enumerate(self._own()):
            if row.problem is None and row.label is not None:
                entries.append((row.key, row.label))
            if position % step == first:
                yield row
        self.seen.entries = entries

    def entries(self) -> Iterator[tuple[str, int]]:
        """(key, label) of the rows that have both; reads the stream if it has not been read."""
        if self.seen.entries is None:
            for _ in self.rows(0, 1):
                pass
        yield from self.seen.entries or ()

    def _own(self) -> Iterator[Row]:
        """The rows of this side, within the quota."""
        left = None if self.quota is None else list(self.quota)
        for row in self._all():
            if self.side is not None and not self.side.has(row.key):
                continue
            if left is not None and row.label is not None and row.problem is None:
                if not left[row.label]:
                    continue
                left[row.label] -= 1
            yield row
            if left is not None and not any(left):
                return

    def _all(self) -> Iterator[Row]:
        from hf_resnet.data.refusals import translated

        coming = enumerate(self.dataset)
        while True:
            with translated(self.place.title):
                index, example = next(coming, (0, None))
            if example is None:
                return
            yield _row(self.place, example["image"], index, self._label(example, index))

    def _label(self, example: Mapping[str, Any], index: int) -> int | None:
        if self.naming is None:
            return None
        name = self.naming(example["label"])
        if name is not None and name not in self.index_of:
            raise DataError(
                f"{self.place.title} row {index} is of the class {name!r}, which the training "
                f"pictures do not have; they have {listed(self.index_of)}"
            )
        return NO_LABEL if name is None else self.index_of[name]


@dataclass(frozen=True, eq=False)
class Split:
    """A named part of a data set; `labels` say what the numbers in its rows mean."""

    name: str
    labels: Labels
    parts: tuple[Stored | Streamed | Files, ...]
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> int | None:
        """How many rows there are; None for a stream."""
        sizes = [part.size for part in self.parts]
        return None if None in sizes else sum(size or 0 for size in sizes)

    def rows(self, shard: int = 0, shards: int = 1) -> Iterator[Row]:
        """The rows in order, or a share of them: row i belongs to shard i % shards."""
        if not 0 <= shard < shards:
            raise ValueError(f"there is no shard {shard} of {shards}")
        before = 0
        for part in self.parts:
            yield from part.rows((shard - before) % shards, shards)
            before += part.size or 0

    def row(self, position: int) -> Row:
        """The row at this position; only where the split has a size."""
        for part in self.parts:
            if part.size is None:
                break
            if position < part.size:
                return next(part.rows(position, part.size))
            position -= part.size
        raise IndexError(f"{self.name} has no row {position}")

    def taking(self, positions: Iterable[int]) -> "Split | None":
        """Only the rows at these positions, in order; None for what cannot be read but as a whole."""
        wanted = np.array(sorted(positions), dtype=np.int64)
        parts, before = [], 0
        for part in self.parts:
            if not isinstance(part, Stored):
                return None
            here = wanted[(wanted >= before) & (wanted < before + part.size)] - before
            parts.append(part.taking(here))
            before += part.size
        return replace(self, parts=tuple(parts))

    def key(self, position: int) -> str:
        """The key of the row at this position, without reading it; NO_KEY where it is not known."""
        for part in self.parts:
            if part.size is None:
                break
            if position < part.size:
                known = part.key_N if isinstance(part, Stored) else None
                return NO_KEY if known is None else str(known[position].decode())
            position -= part.size
        return NO_KEY

    def entries(self) -> Iterator[tuple[str, int]]:
        """(key, label) of every row that has both; a stream is read through for it, once."""
        for part in self.parts:
            yield from part.entries()

    def counts(self) -> dict[str, int]:
        """How many readable pictures each class has, in the order of the labels."""
        number = Counter(label for _, label in self.entries())
        return {name: number[index] for index, name in enumerate(self.labels)}
