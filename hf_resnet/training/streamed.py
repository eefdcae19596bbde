"""Pictures of a stream made ready to learn from: they pass once an epoch, and none is kept.

Each process takes every n-th row, and shuffles through a buffer of a few hundred rows that are not
decoded yet. What passes is a function of the seed and the epoch, so that a run is gone on with by
letting the rows pass that it had seen. A stream knows no weights: balanced sampling is refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset

from hf_resnet.data import Row
from hf_resnet.errors import ConfigError, DataError
from hf_resnet.training.examples import (
    Example,
    Examples,
    Examples_B,
    delivered,
    in_worker,
    together,
)
from hf_resnet.training.order import Order

BUFFER = 512


@dataclass(frozen=True, eq=False)
class Passing(IterableDataset[Example]):
    """One process's pictures from step `done` on, (pixels_HWC, label), without end."""

    examples: Examples
    order: Order
    process: int
    processes: int
    done: int

    def __post_init__(self) -> None:
        if self.order.share_N is not None:
            raise ConfigError(
                "--balanced_sampling draws pictures again and again, and a stream passes once; leave "
                "out --streaming, or use --class_weight balanced"
            )
        if self.order.batch % self.processes:
            self.order.of_process(0, self.process, self.processes)  # says so
        served = len(np.unique(self.examples.row_N % self.processes))
        if served < self.processes:  # asked of all alike, or the others would wait for this one
            raise ConfigError(
                f"of {self.processes} processes {served} would have pictures, since each takes every "
                f"{self.processes}th row of the stream; start fewer, or leave out --streaming"
            )

    def __iter__(self) -> Iterator[Example]:
        epoch, before = divmod(self.done, self.order.steps_an_epoch)
        skipped = before * self.order.batch // self.processes
        while True:
            for number, (row, label) in enumerate(self._epoch(epoch)):
                if number >= skipped:
                    yield self._example(row, label, epoch)
            epoch, skipped = epoch + 1, 0

    def _example(self, row: Row, label: int, epoch: int) -> Example:
        try:
            return self.examples.changed(row, epoch), label
        except DataError as exc:
            return exc

    def _epoch(self, epoch: int) -> Iterator[tuple[Row, int]]:
        """As many as an epoch's steps need: all of this process's, then the first of them again."""
        needed = self.order.steps_an_epoch * self.order.batch // self.processes
        first: list[tuple[Row, int]] = []
        given = 0
        for row, label in self._shuffled(epoch):
            if given == needed:
                return
            if len(first) < self.order.batch:
                first.append((row, label))
            yield row, label
            given += 1
        for number in range(needed - given):
            yield first[number % len(first)]

    def _shuffled(self, epoch: int) -> Iterator[tuple[Row, int]]:
        chance = np.random.Generator(np.random.PCG64([self.order.seed, epoch, self.process]))
        buffer: list[tuple[Row, int]] = []
        for each in self._own():
            buffer.append(each)
            if len(buffer) == BUFFER:
                yield _taken(buffer, chance)
        while buffer:
            yield _taken(buffer, chance)

    def _own(self) -> Iterator[tuple[Row, int]]:
        """The usable rows of this process, with their classes."""
        label_of = dict(
            zip(self.examples.row_N.tolist(), self.examples.label_N.tolist(), strict=True)
        )
        for number, row in enumerate(self.examples.split.rows(self.process, self.processes)):
            label = label_of.get(self.process + number * self.processes)
            if label is not None:
                yield row, label


def _taken(buffer: list[tuple[Row, int]], chance: np.random.Generator) -> tuple[Row, int]:
    """One of the buffer at random, the last one filling its place."""
    at = int(chance.integers(len(buffer)))
    buffer[at], buffer[-1] = buffer[-1], buffer[at]
    return buffer.pop()


def streamed(passing: Passing, *, batch: int, workers: int) -> Iterator[Examples_B]:
    """Batches without end; one worker process reads the stream, since it is one stream."""
    ready = DataLoader(
        passing,
        collate_fn=together,
        batch_size=batch,
        num_workers=min(workers, 1),
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=in_worker,
        generator=torch.Generator(),
    )
    yield from delivered(ready)
