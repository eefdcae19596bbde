"""Table files: CSV, JSON lines or parquet with a column of pictures, or of paths to them.

Relative paths start at the folder of the table. Parquet has types, and is read by `datasets`, which
maps it from disk. Knows nothing of splits. The surprise: CSV and JSON lines are read as text
throughout, because a reader that guesses types makes 1 of the class 01, and nothing of NA or None.
"""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import datasets

from hf_resnet.data.columns import RawSplit
from hf_resnet.data.folder import nearest
from hf_resnet.data.hub import no_bars
from hf_resnet.data.place import Place
from hf_resnet.data.refusals import translated
from hf_resnet.data.values import name_of
from hf_resnet.errors import DataError, listed

Records = tuple[list[str], list[Mapping[str, Any]]]

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")


def is_table(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def read_table(name: str, flag: str, *, streaming: bool = False) -> RawSplit:
    """The rows of a table file."""
    path = Path(name).expanduser()
    if path.is_dir():
        raise DataError(
            f"{flag} takes a file, got the folder {name}; did you mean {_dir_flag(flag)}?"
        )
    if not path.exists():
        raise DataError(f"no file {name} for {flag}{nearest(path)}")
    if not path.is_file():
        raise DataError(f"{name} is a pipe or a device; {flag} takes a file")
    if not is_table(path):
        raise DataError(
            f"{flag} takes a table that ends in {listed(SUFFIXES, last='or')}, got {name}"
        )
    dataset = _read(path, streaming=streaming)
    return RawSplit(dataset, Place(name, str(path.parent)), paths=True)


def _dir_flag(flag: str) -> str:
    return flag.replace("_file", "_dir")


def _read(path: Path, *, streaming: bool) -> Any:
    if path.suffix.lower() == ".parquet":
        with translated(str(path)), no_bars():
            return datasets.load_dataset(
                "parquet", data_files=str(path), split="train", streaming=streaming
            )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise DataError(f"cannot read {path}: {exc}; save it as UTF-8 text") from exc
    is_csv = path.suffix.lower() in (".csv", ".tsv")
    columns, records = _csv_records(text, path) if is_csv else _json_records(text, path)
    if not records:
        raise DataError(f"{path} has no rows; it takes one for each picture")
    cells = {_whole(name): [_text(record.get(name)) for record in records] for name in columns}
    return datasets.Dataset.from_dict(
        cells, features=datasets.Features({name: datasets.Value("string") for name in cells})
    )


def _csv_records(text: str, path: Path) -> Records:
    sample = text[:10_000]
    try:
        delimiter = csv.Sniffer().sniff(sample.split("\n", 1)[0], delimiters=",;\t|").delimiter
    except csv.Error:
        delimiter = ","  # one column, or a header the sniffer cannot make out
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        records: list[Mapping[str, Any]] = list(reader)
    except csv.Error as exc:
        raise DataError(f"{path} line {reader.line_num} is not CSV: {exc}; mend it") from exc
    for number, record in enumerate(records, 2):
        if None in record:
            raise DataError(
                f"{path} line {number} has more cells than the first line has names; quote cells "
                "that hold the separator"
            )
    return [name for name in reader.fieldnames or () if name], records


def _json_records(text: str, path: Path) -> Records:
    if text.lstrip().startswith("["):
        records = _parsed(text, f"{path}")
    else:
        lines = enumerate(text.split("\n"), 1)
        records = [_parsed(line, f"{path} line {at}") for at, line in lines if line.strip()]
    for record in records:
        if not isinstance(record, dict):
            raise DataError(
                f"{path} takes one object a line, with a path and a label, got {record!r:.60}"
            )
    return list(dict.fromkeys(_keys(records))), records


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as exc:
        raise DataError(
            f"{where} is not JSON: {exc.msg} (column {exc.colno}); JSON lines have one whole "
            "object a line"
        ) from exc
    except RecursionError as exc:
        raise DataError(f"{where} is nested too deeply; it takes a path and a label") from exc
    except ValueError as exc:  # all that is left of them
        raise DataError(f"{where} holds a number of too many digits; write it as text") from exc


def _keys(records: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    """The columns whose cells are plain; lists and objects are neither a path nor a class."""
    nested = {k for record in records for k, v in record.items() if isinstance(v, (list, dict))}
    return (key for record in records for key in record if key not in nested)


def _text(cell: Any) -> str | None:
    """The cell as it is written: a whole number without a point, and nothing for what is no number."""
    if isinstance(cell, str):
        return _whole(cell).strip() or None  # not composed anew: it may be the name of a file
    if isinstance(cell, float) and not cell.is_integer():
        return repr(cell) if math.isfinite(cell) else None
    return name_of(cell)


def _whole(text: str) -> str:
    """JSON has halves of letters, which nothing can store: each is written out, as \\ud83d."""
    return text.encode("utf-8", "backslashreplace").decode()
