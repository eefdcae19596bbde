"""Pictures of a split read a second time, for a sheet or a page: only those that are to be shown."""

from collections.abc import Callable
from typing import TypeVar

from PIL import Image

from hf_resnet.data import Split
from hf_resnet.errors import PictureError
from hf_resnet.images import decode

Shown = TypeVar("Shown")


def seen_again(
    split: Split, keys: set[str], how: Callable[[Image.Image], Shown]
) -> dict[str, Shown]:
    """What `how` makes of each picture with these keys; the split is read no further than the last."""
    found: dict[str, Shown] = {}
    for row in split.rows() if keys else ():
        if row.key in keys and row.key not in found and row.problem is None:
            try:
                found[row.key] = how(decode(row.data))
            except PictureError:
                continue  # it was readable a moment ago; what shows it says that it is no longer
        if len(found) == len(keys):
            break
    return found
