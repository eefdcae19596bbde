"""How far a long pass is: a bar on a terminal, a line now and then in a plain log."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from hf_resnet.screen import one_line, screen

SECONDS_BETWEEN_LINES = 10.0
Told = Callable[[int, int | None], None]
"""What hears how much is done, and of how much, where a page shows it too."""


class Pace:
    """Counts pictures: `with Pace("Measuring", 500) as pace: ... pace.advance(32)`.

    Or whatever `unit` says. `total` is None where nobody knows it. Shown on standard error, so that
    a table on standard output can be piped. Not shown at all: the same object with `shown=False`,
    for the processes that are not the main one.
    """

    def __init__(
        self,
        title: str,
        total: int | None,
        *,
        shown: bool = True,
        unit: str = "pictures",
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        told: Told | None = None,
    ) -> None:
        self.title = one_line(title)
        self.total = total
        self.unit = unit
        self.told = told
        self.done = 0
        self._clock = clock
        self._started = self._said = clock()
        self._console = screen(stream=stream or sys.stderr, quiet=not shown)
        self._bar: Progress | None = None
        if shown and self._console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn(unit),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._task = self._bar.add_task(self.title, total=total)

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.stop()
        if kind is None:
            self._say(last=True)

    def advance(self, count: int) -> None:
        self.done += count
        if self.total is not None:
            self.done = min(self.done, self.total)
        if self.told:
            self.told(self.done, self.total)
        if self._bar:
            self._bar.update(self._task, completed=self.done)
        elif self._clock() - self._said >= SECONDS_BETWEEN_LINES:
            self._said = self._clock()
            self._say(last=False)

    def _say(self, *, last: bool) -> None:
        seconds = max(self._clock() - self._started, 1e-9)
        if last:
            text = f"{self.done:,} {self.unit} in {seconds:,.1f} s"
        elif not self.total:
            text = f"{self.done:,} {self.unit}, {self.done / seconds:,.1f} a second"
        else:
            left = (self.total - self.done) * seconds / max(self.done, 1)
            text = (
                f"{self.done:,} of {self.total:,} {self.unit} ({self.done / self.total:.0%}), "
                f"{self.done / seconds:,.1f} a second, about {left:,.0f} s left"
            )
        self._console.print(f"{self.title}: {text}")
