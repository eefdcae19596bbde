"""One process's share of a large job: the pictures it still has to answer, cut into parts.

Knows nothing of networks: it is handed what answers. Holds the rows of a single part, however many
pictures there are. The surprise: of a stream each process reads all rows, and looks at its own.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from hf_resnet.commands.parts import Finished, Parts
from hf_resnet.commands.rows import PredictedRow
from hf_resnet.data import Row, Split
from hf_resnet.errors import DataError
from hf_resnet.progress import Pace

Answer = Callable[[Iterable[Row]], Iterator[PredictedRow]]
"""Gives one answer a row, in order."""


@dataclass
class Done:
    """What came of it: how many were answered here, and the totals where every part is there now."""

    here: int = 0
    totals: Finished | None = None


@dataclass
class _Remaining:
    """The rows of this process's parts that are not there yet."""

    parts: Parts
    split: Split
    size: int | None
    """How many pictures there are in all; of a stream, once it was read to its end."""

    begun: deque[int] = field(default_factory=deque)
    """The parts whose rows were handed out, in order."""

    def numbers(self, size: int) -> Iterator[int]:
        for number in range(self.parts.count(size)):
            rows = len(self.parts.span(number, size))
            if self.parts.is_mine(number) and not self.parts.is_whole(number, rows):
                yield number

    def count(self) -> int | None:
        """How many rows there are; None for a stream."""
        if self.size is None:
            return None
        return sum(len(self.parts.span(number, self.size)) for number in self.numbers(self.size))

    def __iter__(self) -> Iterator[Row]:
        if self.size is None:
            yield from self._of_a_stream()
            return
        for number in self.numbers(self.size):
            self.begun.append(number)
            yield from map(self.split.row, self.parts.span(number, self.size))

    def _of_a_stream(self) -> Iterator[Row]:
        size, wanted, rows = 0, False, self.parts.rows_per_part
        for row in self.split.rows():
            number, inside = divmod(size, rows)
            if inside == 0:
                wanted = self.parts.is_mine(number) and not self.parts.is_whole(number, rows)
                if wanted:
                    self.begun.append(number)
            size += 1
            if wanted:
                yield row
        self.size = size


def fill(parts: Parts, split: Split, answer: Answer) -> Done:
    """Answer what is missing of this process's parts, and write each as soon as it is whole."""
    remaining, waiting, done = _Remaining(parts, split, split.size), list[PredictedRow](), Done()
    shown = parts.share.rank == 0
    title = f"Looking, {parts.share}" if parts.share.processes > 1 else "Looking"
    with Pace(title, remaining.count(), shown=shown) as pace:
        for row in answer(remaining):
            waiting.append(row)
            done.here += 1
            pace.advance(1)
            if len(waiting) == parts.rows_per_part:
                parts.write(remaining.begun.popleft(), waiting)
                waiting.clear()
    if waiting:
        parts.write(remaining.begun.popleft(), waiting)
    if not remaining.size:
        raise DataError("there are no pictures; name a split that has rows")
    done.totals = parts.finished(remaining.size)
    return done
