"""The rows that predict gives, and the three files it can write them to (for folders see `parts`).

A file takes its name only when it is whole; until then its rows are in a file beside it, which each
run has to itself, and which goes where the run does not end well.
"""

import contextlib
import csv
import io
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from hf_resnet.errors import ConfigError, listed
from hf_resnet.prediction import Prediction
from hf_resnet.screen import one_line

_ROWS_A_GROUP = 10_000


@dataclass(frozen=True)
class PredictedRow:
    """One picture: its likeliest classes, or the reason why there are none."""

    file: str
    found: tuple[Prediction, ...] = ()
    error: str | None = None

    def __str__(self) -> str:
        found = (f"{each.label} {100 * each.probability:.1f} %" for each in self.found)
        said = f"not used: {self.error}" if self.error else " | ".join(found)
        return one_line(f"{self.file}: {said}")

    def as_dict(self) -> dict[str, Any]:
        """With one list a column, as JSON lines and parquet hold it."""
        return {
            "file": self.file,
            "labels": [each.label for each in self.found],
            "probabilities": [each.probability for each in self.found],
            "error": self.error,
        }


Write = Callable[[PredictedRow], None]
Finish = Callable[[], None]
"""Writes what is still held back."""


def is_folder(path: str | None) -> bool:
    """Whether the rows go into a folder of parts: a name without an ending, or one that is there."""
    if path is None or Path(path).suffix in FORMATS:
        return False
    return path.endswith("/") or not Path(path).suffix or Path(path).is_dir()


def check_output(path: str | None) -> None:
    """Stop before any work where the file could not be written."""
    if path is None:
        return
    if Path(path).suffix not in FORMATS:
        raise ConfigError(
            f"--output ends in {listed(FORMATS, last='or')}; got {path} (a name without an ending is "
            "a folder of parts)"
        )
    with told_in_a_line(path):
        if Path(path).is_dir():
            raise ConfigError(f"--output {path} is a folder; name a file")
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        trial = _beside(Path(path))
        trial.touch()
        trial.unlink()


@contextmanager
def writer(path: str | None, top_k: int) -> Iterator[Write]:
    """A function that writes rows to the file, or nowhere."""
    if path is None:
        yield lambda row: None
        return
    place = Path(path)
    growing = _beside(place)
    with told_in_a_line(path):
        place.parent.mkdir(parents=True, exist_ok=True)
        file = growing.open("xb")
    finish: Finish = file.flush
    try:
        with told_in_a_line(path):
            write, finish = FORMATS[place.suffix](file, top_k)

        def told(row: PredictedRow) -> None:
            with told_in_a_line(path):
                write(row)

        yield told
        with told_in_a_line(path):
            finish()
            file.close()
            growing.replace(place)
    finally:
        for step in (finish, file.close):  # what is written so is thrown away
            with contextlib.suppress(OSError, ValueError):
                step()
        growing.unlink(missing_ok=True)


@contextmanager
def told_in_a_line(path: str) -> Iterator[None]:
    """Inside it, what goes wrong with the output is one line."""
    try:
        yield
    except OSError as exc:
        raise ConfigError(
            f"--output {path} cannot be written: {exc.strerror or exc}; name another place"
        ) from exc


def _beside(place: Path) -> Path:
    """A name that no other run takes."""
    return place.with_name(f".predict-{secrets.token_hex(8)}.part")


def _jsonl(file: BinaryIO, top_k: int) -> tuple[Write, Finish]:
    def write(row: PredictedRow) -> None:
        file.write(_bytes(json.dumps(row.as_dict(), ensure_ascii=False) + "\n"))

    return write, lambda: None


def _csv(file: BinaryIO, top_k: int) -> tuple[Write, Finish]:
    def put(cells: list[Any]) -> None:
        line = io.StringIO(newline="")
        csv.writer(line).writerow(cells)
        file.write(_bytes(line.getvalue()))

    def write(row: PredictedRow) -> None:
        cells = [cell for each in row.found for cell in (each.label, each.probability)]
        blank = [""] * (2 * top_k - len(cells))
        put([row.file, *cells, *blank, row.error or ""])

    ranks = [name for k in range(1, top_k + 1) for name in (f"label_{k}", f"probability_{k}")]
    put(["file", *ranks, "error"])
    return write, lambda: None


def _parquet(file: BinaryIO, top_k: int) -> tuple[Write, Finish]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [
            ("file", pa.string()),
            ("labels", pa.list_(pa.string())),
            ("probabilities", pa.list_(pa.float64())),
            ("error", pa.string()),
        ]
    )
    waiting: list[dict[str, Any]] = []
    table = pq.ParquetWriter(file, schema)

    def flush() -> None:
        table.write_table(pa.Table.from_pylist(waiting, schema))
        waiting.clear()

    def write(row: PredictedRow) -> None:
        waiting.append(row.as_dict())
        if len(waiting) == _ROWS_A_GROUP:
            flush()

    def finish() -> None:
        """May be called again: a table that is never closed complains as it is thrown away."""
        try:
            if table.is_open:
                flush()
        finally:
            table.close()

    return write, finish


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


FORMATS: dict[str, Callable[[BinaryIO, int], tuple[Write, Finish]]] = {
    ".jsonl": _jsonl,
    ".csv": _csv,
    ".parquet": _parquet,
}
