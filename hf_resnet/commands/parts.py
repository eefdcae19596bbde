"""The rows of a large job: a folder of parquet parts, filled by any number of processes, in any order.

    DIR/predict.json            what is asked of which pictures; once all is there, the totals
    DIR/part-000000.parquet     the rows of the first rows_per_part pictures, in the order of the input
    DIR/README.md               makes it one data set, for datasets.load_dataset(DIR) and the Hub

Which rows belong to a part follows from their number alone, so that processes need not speak with
each other, and there may be others or more of them when the job goes on. A part takes its name when
it is whole and on disk. The surprise: the folder is the only state; a part that is not there, or
cannot be read, is still to be done.
"""

import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from hf_resnet.commands.launched import Share
from hf_resnet.commands.rows import FORMATS, PredictedRow, told_in_a_line
from hf_resnet.errors import ConfigError, DataError, listed
from hf_resnet.jsonfile import read_object

MANIFEST = "predict.json"
CARD = """---
configs:
- config_name: default
  data_files: part-*.parquet
---
Answers of a classifier, one row a picture in the order of the input, by `hf-resnet predict`:
`file`, the likeliest `labels` with their `probabilities`, and `error` where it could not be used.
`predict.json` says which model and which pictures; it has `finished` once every row is there.
"""


@dataclass(frozen=True)
class Finished:
    """What a whole job came to."""

    rows: int
    not_used: int


@dataclass(frozen=True)
class Parts:
    """The folder of one job, as one of its processes sees it."""

    folder: Path
    rows_per_part: int
    top_k: int
    share: Share

    def name(self, number: int) -> str:
        return f"part-{number:06d}.parquet"

    def span(self, number: int, size: int) -> range:
        """The pictures of a part, where there are `size` in all."""
        first = number * self.rows_per_part
        return range(first, min(first + self.rows_per_part, size))

    def count(self, size: int) -> int:
        return -(-size // self.rows_per_part)

    def is_mine(self, number: int) -> bool:
        return number % self.share.processes == self.share.rank

    def is_whole(self, number: int, rows: int) -> bool:
        """Whether a part is there, with so many rows."""
        return self._counted(number)[0] == rows

    def write(self, number: int, rows: list[PredictedRow]) -> None:
        """Put a part in its place, whole."""
        content = io.BytesIO()
        put, finish = FORMATS[".parquet"](content, self.top_k)
        for row in rows:
            put(row)
        finish()
        self._place(self.name(number), content.getvalue())

    def finished(self, size: int) -> Finished | None:
        """The totals, which are then kept in the manifest; None while parts of it are missing."""
        rows = not_used = 0
        for number in range(self.count(size)):
            there, bad = self._counted(number)
            if there != len(self.span(number, size)):
                return None
            rows, not_used = rows + there, not_used + bad
        if (self.folder / self.name(self.count(size))).exists():
            raise DataError(
                f"{self.folder} has rows of more pictures than the {size:,} there are now, so they have "
                "changed since; name another folder"
            )
        totals = {"rows": rows, "not_used": not_used, "parts": self.count(size)}
        asked = _without_totals(read_object(self.folder / MANIFEST, error=ConfigError))
        self._place(MANIFEST, _as_json(asked | {"finished": totals}))
        return Finished(rows, not_used)

    @property
    def was_finished(self) -> bool:
        return "finished" in read_object(self.folder / MANIFEST, error=ConfigError)

    @contextmanager
    def claimed(self, asked: Mapping[str, Any]) -> Iterator[None]:
        """Within it the folder is this job's; ConfigError where it is another's or in use."""
        with told_in_a_line(str(self.folder)):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / f".{self.share.rank}.lock", timeout=0)
            try:
                lock.acquire()
            except Timeout as exc:
                raise ConfigError(
                    f"another run is writing to {self.folder}; wait for it, or name another folder"
                ) from exc
        try:
            self._begin(asked)
            yield
        finally:
            lock.release()

    def _begin(self, asked: Mapping[str, Any]) -> None:
        foreign = [path.name for path in self.folder.iterdir() if not path.name.startswith(".")]
        place = self.folder / MANIFEST  # asked for after the listing: it is the first to be written
        if place.exists():
            before = _without_totals(read_object(place, error=ConfigError))
            if any(before.get(name) != asked[name] for name in asked):
                raise ConfigError(_differs(self.folder, before, asked))
        elif foreign:
            raise ConfigError(
                f"{self.folder} holds other things ({listed(sorted(foreign), most=3)}); name a new "
                "folder for the answers"
            )
        else:
            self._place(MANIFEST, _as_json(asked))
        if not (self.folder / "README.md").exists():
            self._place("README.md", CARD.encode())

    def _place(self, name: str, content: bytes) -> None:
        """The file, whole or not at all; what a kill leaves is written over the next time."""
        growing = self.folder / f".{name}.{self.share.rank}.part"
        with told_in_a_line(str(self.folder)):
            try:
                with growing.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                growing.replace(self.folder / name)
            finally:
                growing.unlink(missing_ok=True)

    def _counted(self, number: int) -> tuple[int, int]:
        """(rows, rows without an answer) of a part; -1 rows where there is none that can be read."""
        try:
            told = pq.read_metadata(self.folder / self.name(number))
            column = told.schema.names.index("error")
            groups = [told.row_group(at) for at in range(told.num_row_groups)]
            answered = sum(group.column(column).statistics.null_count for group in groups)
        except (OSError, pa.ArrowException, ValueError, AttributeError):
            return -1, 0
        return told.num_rows, told.num_rows - answered


def _as_json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def _without_totals(stored: Mapping[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in stored.items() if name != "finished"}


def _differs(folder: Path, before: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    names = [name for name in asked if before.get(name) != asked[name]]
    how = [f"{name} was {before.get(name)!r} and is {asked[name]!r}" for name in names]
    return (
        f"{folder} holds the answers to something else ({'; '.join(how)}); ask as before to go on with "
        "it, or name another folder"
    )
