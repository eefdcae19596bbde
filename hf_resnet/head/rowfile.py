"""Rows of numbers in a temporary file, written in any order and read straight on.

The file has no name (or loses it with the process), so that a killed run leaves nothing behind.
It is read and written by plain calls: pages of a mapped file would count as resident memory; and
without a buffer, so that a full disk is met where rows are written and not when the file is closed.
"""

import tempfile
import threading
import weakref
from functools import partial
from pathlib import Path

import numpy as np

from hf_resnet.writing import on_disk

_ADVICE = "make room there, or choose another folder with --feature_cache_dir"


class RowFile:
    """Rows of `width` single-precision numbers, on the disk that `folder` is on; `expected` of them,
    where that is known."""

    def __init__(self, folder: Path, width: int, expected: int | None = None) -> None:
        self.width = width
        needs = None if expected is None else 4 * width * expected
        self._told = partial(on_disk, f"features in {folder}", _ADVICE, needs=needs)
        with self._told():
            self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  lives on
        self._one_at_a_time = threading.Lock()
        weakref.finalize(self, self._file.close)

    def write(self, position_M: np.ndarray, rows_MD: np.ndarray) -> None:
        """Put each row at its position; neighbours go in one call."""
        order = np.argsort(position_M, kind="stable")
        position_M, rows_MD = position_M[order], rows_MD[order].astype(np.float32)
        starts = np.flatnonzero(np.diff(position_M, prepend=-2) != 1)
        with self._one_at_a_time, self._told():
            for start, stop in zip(starts, [*starts[1:], len(position_M)], strict=True):
                self._file.seek(int(position_M[start]) * 4 * self.width)
                left = rows_MD[start:stop].data.cast("B")
                while left:  # the system may take a part at a time
                    left = left[self._file.write(left) :]

    def read(self, start: int, stop: int) -> np.ndarray:
        """rows_BD from start to stop."""
        rows_BD = np.empty((stop - start, self.width), np.float32)
        with self._one_at_a_time:
            self._file.seek(start * 4 * self.width)
            left = rows_BD.data.cast("B")
            while left and (got := self._file.readinto(left)):
                left = left[got:]
        if left:
            raise ValueError(f"rows {start} to {stop} were not written")
        return rows_BD
