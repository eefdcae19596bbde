"""Pictures to be looked at, as `predict` is given them: files, folders, tables, data sets, samples.

No labels, and no keys beforehand: the first picture is ready before the last is found. The
surprise: what a word means is decided by what is there. A file or folder of that name comes first,
then a sample, then the Hub; a word that looks like a path is never asked for on the Hub. Files are
listed without the `datasets` library, which takes longer to load than a picture to answer.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hf_resnet.data.folder import find_pictures, is_utf8, nearest
from hf_resnet.data.rows import Files, Split, Stored, Streamed
from hf_resnet.errors import DataError, HubError, listed
from hf_resnet.images import SUFFIXES
from hf_resnet.labels import Labels

if TYPE_CHECKING:
    from hf_resnet.data.columns import RawSplit


def pictures(
    inputs: Sequence[str],
    *,
    split: str = "test",
    image_column_name: str | None = None,
    streaming: bool = False,
) -> Split:
    """The pictures of all inputs, in order; of those that are data sets, the ones of `split`.

    With streaming, data sets and tables are read as they come, without being stored first.
    """
    parts: list[Stored | Streamed | Files] = []
    files: list[str] = []
    notes: list[str] = []
    for name in inputs:
        if not name.strip():
            raise DataError("one of the inputs is empty; name a file, a folder or a data set")
        if not is_utf8(name):
            notes.append(f"passed over a file named in something else than UTF-8: {_shown(name)}")
            continue
        path = Path(name).expanduser()
        if path.is_dir():
            found, said = find_pictures(path)
            files += found
            notes += said
        elif path.exists() and not _is_table(path):
            files.append(os.path.expanduser(name))  # noqa: PTH111  # as the person wrote it
        else:
            parts += _of_files(files)
            files = []
            raw = _table_or_dataset(name, path, split, streaming=streaming)
            parts.append(_looked_at(raw, image_column_name))
    return Split("pictures", Labels(()), (*parts, *_of_files(files)), tuple(notes))


def _shown(name: str) -> str:
    return name.encode(errors="backslashreplace").decode()


def _of_files(paths: list[str]) -> list[Files]:
    return [Files(tuple(paths))] if paths else []


def _looked_at(raw: "RawSplit", image_column_name: str | None) -> Stored | Streamed:
    from hf_resnet.data.columns import find_pictures_column

    columns = find_pictures_column(raw, image_column_name)
    if columns.streaming:
        return Streamed(columns.dataset, columns.place, None, {})
    return Stored(columns.dataset, columns.place, np.arange(len(columns.dataset)))


def _is_table(path: Path) -> bool:
    if path.suffix.lower() in SUFFIXES:
        return False  # asked first, since tables bring their libraries along
    from hf_resnet.data.table import is_table

    return is_table(path)


def _table_or_dataset(name: str, path: Path, split: str, *, streaming: bool) -> "RawSplit":
    from hf_resnet.data import hub, samples
    from hf_resnet.data.table import read_table

    if path.exists():
        return read_table(name, "predict", streaming=streaming)
    if samples.is_sample(name):
        found, _ = samples.open_sample(name, streaming=streaming)
    elif _looks_like_path(name, path):
        raise DataError(f"no file or folder {name}{nearest(path)}")
    else:
        try:
            found = hub.open_dataset(name, streaming=streaming)
        except (DataError, HubError) as exc:
            raise type(exc)(f"no file or folder {name}{nearest(path)}; and {exc}") from exc
    if split in found:
        return found[split]
    if len(found) == 1:
        return next(iter(found.values()))
    raise DataError(f"{name} has no split {split!r}; name one of {listed(found)} with --split")


def _looks_like_path(name: str, path: Path) -> bool:
    """Whether a person who writes this means a file, though there is none."""
    return (
        path.suffix.lower() in SUFFIXES
        or _is_table(path)
        or name.startswith(("/", "./", "../", "~"))
        or name.count("/") > 1
        or ("/" in name and path.parent.is_dir())
    )
