"""Where the pictures of one table lie, and how a cell of its image column becomes bytes.

A cell holds the bytes of a file, or the path of one, or nothing. Knows nothing of labels or of what
the bytes show. The surprise: what is wrong with a single picture is returned, not raised; only a
connection that breaks is an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_resnet.errors import HubError, PictureError
from hf_resnet.images import read

Cell = Mapping[str, Any] | bytes


@dataclass(frozen=True)
class Place:
    """Where the cells of an image column lead, and what to call them in a message."""

    title: str
    """What a row without a file of its own is called: 'beans train' makes 'beans train row 7'."""

    root: str = ""
    """Where relative paths start."""

    remote: bool = False
    """Whether addresses are fetched: a Hub data set's own are, a person's table's never."""

    def origin(self, cell: Cell | None, index: int) -> str:
        """Where a person finds this picture again."""
        if cell and not isinstance(cell, bytes) and cell["bytes"] is None and cell["path"]:
            return self._path(cell["path"])
        return f"{self.title} row {index}"

    def read(self, cell: Cell | None) -> tuple[bytes, str | None]:
        """The bytes of a cell; or none, and the reason."""
        if isinstance(cell, bytes):
            return cell, None
        if cell is None or (cell["bytes"] is None and not cell["path"]):
            return b"", "no picture in this row"
        if cell["bytes"] is not None:
            return cell["bytes"], None
        path = self._path(cell["path"])
        if "://" in path:
            return _read_remote(path) if self.remote else (b"", "a web address is not fetched")
        try:
            return read(path), None
        except PictureError as exc:
            return b"", str(exc)

    def _path(self, path: str) -> str:
        return path if "://" in path or not self.root else str(Path(self.root, path))


def _read_remote(path: str) -> tuple[bytes, str | None]:
    from datasets.utils.file_utils import xopen

    try:
        with xopen(path, "rb") as file:
            return file.read(), None
    except FileNotFoundError:
        return b"", "no such file"
    except (OSError, ValueError) as exc:
        raise HubError(f"cannot read {path}: {exc}; check the network and run again") from exc
