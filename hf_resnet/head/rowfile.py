"""Rows of numbers in a temporary file, written in any order and read straight on.

The file has no name (or loses it with the process), so that a killed run leaves nothing behind.
It is read and written by plain calls: pages of a mapped file would count as resident memory.
"""

import tempfile
import threading
import weakref
from pathlib import Path

import numpy as np


class RowFile:
    """Rows of `width` single-precision numbers, on the disk that `folder` is on."""

    def __init__(self, folder: Path, width: int) -> None:
        self.width = width
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  lives as long as this
        self._one_at_a_time = threading.Lock()
        weakref.finalize(self, self._file.close)

    def write(self, position_M: np.ndarray, rows_MD: np.ndarray) -> None:
        """Put each row at its position; neighbours go in one call."""
        order = np.argsort(position_M, kind="stable")
        position_M, rows_MD = position_M[order], rows_MD[order].astype(np.float32)
        starts = np.flatnonzero(np.diff(position_M, prepend=-2) != 1)
        with self._one_at_a_time:
            for start, stop in zip(starts, [*starts[1:], len(position_M)], strict=True):
                self._file.seek(int(position_M[start]) * 4 * self.width)
                self._file.write(rows_MD[start:stop].data)

    def read(self, start: int, stop: int) -> np.ndarray:
        """rows_BD from start to stop."""
        rows_BD = np.empty((stop - start, self.width), np.float32)
        with self._one_at_a_time:
            self._file.seek(start * 4 * self.width)
            got = self._file.readinto(rows_BD.data.cast("B"))
        if got != rows_BD.nbytes:
            raise ValueError(f"rows {start} to {stop} were not written")
        return rows_BD
