"""Features on disk, found again by address: what one picture is, in one view.

Knows nothing of pictures: an address is 16 bytes that the caller makes, a feature a row of numbers.
A store is a folder of chunks. Each is written under another name, synced and renamed, and never
changed afterwards, so any number of processes may add to a store at once, and one that is killed
loses no more than the chunk it was filling. Chunks are .npz files, which carry checksums: one that
does not agree with its own, or with what a chunk is, is dropped, and what it held is computed again.
Nothing is believed of a file before its own bytes bear it out: no more memory is taken than it is
long. What the disk refuses is no damage: nothing is dropped for that, and the run stops.
"""

import errno
import io
import os
import secrets
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from hf_resnet.errors import ConfigError
from hf_resnet.writing import write_all

ADDRESS = np.dtype("S16")
CHUNK_BYTES = 4 << 20
CHUNK_SECONDS = 30.0
_ABANDONED_SECONDS = 3600
# what reading has been seen to raise for files with bits turned or ends cut off
_DAMAGE = (ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


def cache_folder(chosen: str | None = None) -> Path:
    """Where features are kept: as chosen, else under $HF_RESNET_CACHE, else in the user's cache."""
    if chosen:
        return Path(chosen).expanduser()
    cache = os.environ.get("HF_RESNET_CACHE")
    return (Path(cache) if cache else Path.home() / ".cache" / "hf_resnet") / "features"


def addresses(names: Iterable[bytes]) -> np.ndarray:
    """Addresses of 16 bytes each, as the store takes them."""
    return np.frombuffer(b"".join(names), dtype=ADDRESS)


class FeatureStore:
    """The features that lie in a folder when it is opened, and a pen to add others.

    What is added is found by the next store that opens the folder. `on_damage` is told in a line
    of every chunk that had to be dropped.
    """

    def __init__(self, folder: Path, width: int, on_damage: Callable[[str], None]) -> None:
        self.folder, self.width, self._on_damage = folder, width, on_damage
        self._waiting: list[tuple[np.ndarray, np.ndarray]] = []
        self._rows_waiting, self._flushed = 0, time.monotonic()
        self._sound: set[int] = set()
        with _usable(folder):
            folder.mkdir(parents=True, exist_ok=True)
            _sweep(folder)
            self._paths = sorted(path for path in folder.glob("*.npz") if path.is_file())
        self._rows_of: dict[int, int] = {}
        self._index([self._read(at, "address") for at in range(len(self._paths))])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.flush()

    def __len__(self) -> int:
        return len(self._address_N)

    def holds(self, address_M: np.ndarray) -> np.ndarray:
        """Which of the addresses are there, each in a chunk whose checksum was seen to agree."""
        while True:
            chunk_M, _ = self._places(address_M)
            suspects = {int(at) for at in chunk_M if at >= 0} - self._sound
            if not suspects:
                held_M: np.ndarray = chunk_M >= 0
                return held_M
            for at in suspects:
                if self._read(at, "features") is None:
                    self._forget(at)
            self._sound |= suspects

    def add(self, address_M: np.ndarray, features_MD: np.ndarray) -> None:
        """Keep these features: they are safe once their chunk is full, half a minute old, or the
        last."""
        if features_MD.shape != (len(address_M), self.width):
            raise ValueError(f"{len(address_M)} addresses for features of {features_MD.shape}")
        self._waiting.append((address_M, features_MD.astype(np.float32)))
        self._rows_waiting += len(address_M)
        full = 4 * self.width * self._rows_waiting >= CHUNK_BYTES
        if full or time.monotonic() - self._flushed > CHUNK_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting as a chunk."""
        self._flushed = time.monotonic()
        if not self._waiting:
            return
        address_M = np.concatenate([address_M for address_M, _ in self._waiting])
        features_MD = np.concatenate([features_MD for _, features_MD in self._waiting])
        self._waiting, self._rows_waiting = [], 0
        content = io.BytesIO()
        np.savez(content, address=address_M, features=features_MD)
        with _usable(self.folder):
            write_all(self.folder, {f"{secrets.token_hex(12)}.npz": content.getvalue()})
            _sync(self.folder)

    def chunks(self, address_N: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(positions, features) of all the addresses, a chunk at a time; KeyError where one is not
        there."""
        chunk_N, row_N = self._places(address_N)
        if (chunk_N < 0).any():
            raise KeyError(f"{(chunk_N < 0).sum()} of {len(address_N)} features are not stored")
        order = np.argsort(chunk_N, kind="stable")
        ends = np.flatnonzero(np.diff(chunk_N[order], append=-1)) + 1
        for positions in np.split(order, ends)[:-1]:
            features_MD = self._read(int(chunk_N[positions[0]]), "features")
            if features_MD is None:
                raise KeyError("a chunk of features was damaged while it was in use")
            yield positions, features_MD[row_N[positions]]

    def _places(self, address_M: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The chunk and the row of each address; chunk -1 where there is none."""
        if not len(self):
            return np.full(len(address_M), -1), np.full(len(address_M), -1)
        at_M = np.searchsorted(self._address_N, address_M).clip(max=len(self) - 1)
        found_M = self._address_N[at_M] == address_M
        return np.where(found_M, self._chunk_N[at_M], -1), self._row_N[at_M]

    def _index(self, address_CM: list[np.ndarray | None]) -> None:
        """Put the addresses of all chunks in order, each with its chunk and its row there."""
        known = [
            (at, address_M) for at, address_M in enumerate(address_CM) if address_M is not None
        ]
        sizes = [len(address_M) for _, address_M in known]
        self._rows_of = {at: len(address_M) for at, address_M in known}
        address_N = np.concatenate([addresses(()), *(address_M for _, address_M in known)])
        chunk_N = np.repeat(np.array([at for at, _ in known], np.int32), sizes)
        row_N = np.concatenate(
            [np.zeros(0, np.int32), *(np.arange(n, dtype=np.int32) for n in sizes)]
        )
        order = np.argsort(address_N, kind="stable")
        self._address_N = address_N[order]
        self._chunk_N, self._row_N = chunk_N[order], row_N[order]

    def _forget(self, chunk: int) -> None:
        """What was in this chunk is not there any more."""
        stays_N = self._chunk_N != chunk
        self._address_N = self._address_N[stays_N]
        self._chunk_N, self._row_N = self._chunk_N[stays_N], self._row_N[stays_N]

    def _read(self, chunk: int, part: str) -> np.ndarray | None:
        """The addresses or the features of a chunk; None, and the chunk dropped, where it is damaged."""
        path = self._paths[chunk]
        try:
            if part == "address":
                return _array(path, part, ADDRESS, ())
            found = _array(path, part, np.dtype(np.float32), (self.width,))
            if len(found) != self._rows_of[chunk] or not np.isfinite(found).all():
                raise ValueError("other rows than it has addresses, or numbers that are none")
        except FileNotFoundError:  # another process has dropped it
            return None
        except OSError as exc:
            if exc.errno not in (
                None,
                errno.EINVAL,
            ):  # a place that no file has, as damage makes it
                raise _unusable(self.folder, exc) from exc
            self._drop(path, exc)
            return None
        except _DAMAGE as exc:
            self._drop(path, exc)
            return None
        return found

    def _drop(self, path: Path, exc: Exception) -> None:
        with _usable(self.folder):
            path.unlink(missing_ok=True)
        self._on_damage(f"dropped a damaged file of features, {path} ({exc})")


def _array(path: Path, part: str, kind: np.dtype, row: tuple[int, ...]) -> np.ndarray:
    """One array of a chunk, of this kind and with rows of this shape, its checksum seen to agree."""
    with zipfile.ZipFile(path) as content:
        if content.getinfo(f"{part}.npy").file_size > path.stat().st_size:
            raise ValueError(f"{part} is said to be longer than its file")
        whole = content.read(f"{part}.npy")  # to the end, which is what compares the checksum
    start = len(_header(kind, (0, *row)))
    count = (len(whole) - start) // (kind.itemsize * int(np.prod(row, dtype=np.int64)))
    # the header is not read, which would be believing it: there is one that so many bytes can have
    if count < 0 or whole[:start] != _header(kind, (count, *row)):
        raise ValueError(f"{part} of {len(whole):,} bytes is not as it was written")
    return np.frombuffer(whole, kind, offset=start).reshape(count, *row)


def _header(kind: np.dtype, shape: tuple[int, ...]) -> bytes:
    """How an array of this kind and shape begins in a chunk."""
    start = io.BytesIO()
    told = np.lib.format.header_data_from_array_1_0(np.broadcast_to(np.zeros((), kind), shape))
    np.lib.format.write_array_header_1_0(start, told | {"fortran_order": False})
    return start.getvalue()


def _sweep(folder: Path) -> None:
    """Take away what killed processes left half written, long ago."""
    for path in folder.glob(".*.part"):
        with _ignoring_vanished():
            if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                path.unlink()


@contextmanager
def _ignoring_vanished() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:  # another process swept it, or renamed it
        return


def _sync(folder: Path) -> None:
    """Make a rename in the folder last; where folders cannot be synced (Windows) it does without."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _usable(folder: Path) -> Iterator[None]:
    """A full disk or a folder that cannot be written, in one line."""
    try:
        yield
    except OSError as exc:
        raise _unusable(folder, exc) from exc


def _unusable(folder: Path, exc: OSError) -> ConfigError:
    return ConfigError(
        f"features cannot be kept in {folder} ({exc.strerror}); make room there, or choose another "
        "folder with --feature_cache_dir"
    )
