"""The rows that predict gives, and the three files it can write them to.

A file takes its name only when it is whole.
"""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_resnet.classifier import Prediction
from hf_resnet.errors import ConfigError

SUFFIXES = (".jsonl", ".csv", ".parquet")
_ROWS_A_GROUP = 10_000


@dataclass(frozen=True)
class PredictedRow:
    """One picture: its likeliest classes, or the reason why there are none."""

    file: str
    found: tuple[Prediction, ...] = ()
    error: str | None = None

    def __str__(self) -> str:
        if self.error:
            return f"{self.file}: not used: {self.error}"
        return f"{self.file}: " + " | ".join(
            f"{each.label} {100 * each.probability:.1f} %" for each in self.found
        )

    def as_dict(self) -> dict[str, Any]:
        """With one list a column, as JSON lines and parquet hold it."""
        return {
            "file": self.file,
            "labels": [each.label for each in self.found],
            "probabilities": [each.probability for each in self.found],
            "error": self.error,
        }


Write = Callable[[PredictedRow], None]


@contextmanager
def writer(path: str | None, top_k: int) -> Iterator[Write]:
    """A function that writes rows to the file, or nowhere."""
    if path is None:
        yield lambda row: None
        return
    place = Path(path)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(
            f"--output {path} cannot be written: {exc.strerror}; name another"
        ) from exc
    growing = place.with_name(f".{place.name}.part")
    opened = {".jsonl": _jsonl, ".csv": _csv, ".parquet": _parquet}[place.suffix]
    try:
        with opened(growing, top_k) as write:
            yield write
        growing.replace(place)
    finally:
        growing.unlink(missing_ok=True)


@contextmanager
def _jsonl(path: Path, top_k: int) -> Iterator[Write]:
    with path.open("w", encoding="utf-8") as file:
        yield lambda row: print(json.dumps(row.as_dict(), ensure_ascii=False), file=file)


@contextmanager
def _csv(path: Path, top_k: int) -> Iterator[Write]:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        ranks = [name for k in range(1, top_k + 1) for name in (f"label_{k}", f"probability_{k}")]
        table.writerow(["file", *ranks, "error"])

        def write(row: PredictedRow) -> None:
            cells = [cell for each in row.found for cell in (each.label, each.probability)]
            blank = [""] * (2 * top_k - len(cells))
            table.writerow([row.file, *cells, *blank, row.error or ""])

        yield write


@contextmanager
def _parquet(path: Path, top_k: int) -> Iterator[Write]:
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
    with pq.ParquetWriter(path, schema) as file:

        def flush() -> None:
            file.write_table(pa.Table.from_pylist(waiting, schema))
            waiting.clear()

        def write(row: PredictedRow) -> None:
            waiting.append(row.as_dict())
            if len(waiting) == _ROWS_A_GROUP:
                flush()

        yield write
        flush()
