"""Splits as parquet files, the way the Hub keeps data sets of pictures: bytes, a name and a class.

Same pictures, same files, to the bit: so a push that is given again finds what is there. Knows nothing
of the Hub. The surprise: pictures go out without what a camera wrote beside the pixels (see bare).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
from pyarrow import parquet

from hf_resnet.config import OnBadImage
from hf_resnet.data import Data, Row, Split
from hf_resnet.errors import DataError, PictureError
from hf_resnet.hub.bare import bare
from hf_resnet.images import SUFFIXES, decode
from hf_resnet.progress import Pace

SHARD_BYTES = 400 * 10**6
_ROWS_AT_ONCE = 100
"""A group of rows is what a viewer reads for one page."""


@dataclass
class Written:
    """What was written of a split, and what was not."""

    split: Split
    files: list[Path] = field(default_factory=list)
    count_K: list[int] = field(default_factory=list)
    bad: list[tuple[str, str]] = field(default_factory=list)
    """Pictures that are left out: where they are, and why."""


@dataclass(frozen=True)
class Wish:
    """How pictures are to go out."""

    keep_metadata: bool = False
    on_bad_image: OnBadImage = "skip"


def write_shards(data: Data, folder: Path, wish: Wish) -> list[Written]:
    """Every split, as folder/SPLIT-00000-of-00002.parquet and so on."""
    return [_write(split, folder, wish) for split in data.splits()]


def features(split: Split) -> datasets.Features:
    """The columns, and the classes by their names."""
    return datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=list(split.labels.names))}
    )


def _write(split: Split, folder: Path, wish: Wish) -> Written:
    written = Written(split, count_K=[0] * len(split.labels))
    schema = features(split).arrow_schema
    with Pace(f"Writing {split.name}", split.size) as pace:
        rows = _usable(split, written, pace, wish)
        while (first := next(rows, None)) is not None:
            path = folder / f"{split.name}-{len(written.files):05}.part"
            _write_shard(first, rows, path, schema)
            written.files.append(path)
    written.files = [
        path.rename(folder / f"{split.name}-{at:05}-of-{len(written.files):05}.parquet")
        for at, path in enumerate(written.files)
    ]
    return written


def _write_shard(
    first: dict[str, Any], rows: Iterator[dict[str, Any]], path: Path, schema: pa.Schema
) -> None:
    """Rows until the file is full; the first is there already."""
    size, group = 0, [first]
    with parquet.ParquetWriter(path, schema, compression="none") as file:  # pictures are packed
        for row in rows:
            if len(group) == _ROWS_AT_ONCE:
                size += sum(len(each["image"]["bytes"]) for each in group)
                file.write_table(pa.Table.from_pylist(group, schema))
                group = []
            group.append(row)
            if size > SHARD_BYTES:
                break
        file.write_table(pa.Table.from_pylist(group, schema))


def _usable(split: Split, written: Written, pace: Pace, wish: Wish) -> Iterator[dict[str, Any]]:
    for row in split.rows():
        pace.advance(1)
        reason, content = row.problem, b""
        if reason is None:
            try:
                content = _content(row, wish)
            except PictureError as exc:
                reason = str(exc)
        if reason is not None or row.label is None:
            reason = reason or "it has no label"
            if wish.on_bad_image == "fail":
                raise DataError(
                    f"{row.origin}: {reason}; mend or remove the file, or use --on_bad_image skip"
                )
            written.bad.append((row.origin, reason))
            continue
        written.count_K[row.label] += 1
        yield {"image": {"bytes": content, "path": _name(row)}, "label": row.label}


def _content(row: Row, wish: Wish) -> bytes:
    if not wish.keep_metadata:
        return bare(row.data)
    decode(row.data)  # what is no picture does not go out
    return row.data


def _name(row: Row) -> str | None:
    """The file's own name, without the folders of this machine."""
    name = Path(row.origin).name
    return name if Path(name).suffix.lower() in SUFFIXES else None
