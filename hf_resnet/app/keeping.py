"""Pictures that were answered wrongly, kept under the right class: FOLDER/RIGHT CLASS/HASH.png.

`hf-resnet finetune --train_dir FOLDER` learns from such a folder as it is. Where they are to go to a
data set of the Hub, the folder is where they wait. A picture is written anew
from its pixels, so nothing that a camera noted in the file (place, owner) is kept. The surprise: one
picture lies in one class; given again with another class, it moves.
"""

import hashlib
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from hf_resnet.config import ServeConfig
from hf_resnet.data.folder import LITTER
from hf_resnet.errors import ConfigError, LabelError
from hf_resnet.hub.outbox import Outbox
from hf_resnet.labels import Labels
from hf_resnet.writing import on_disk, write_all

LONGEST_SIDE = 1024
MOST_KEPT = 20_000
"""Pictures in a folder; a page that anybody can open must not fill a disk."""

_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Keeper:
    """Where reported pictures go."""

    folder: Path
    labels: Labels
    outbox: Outbox | None = None
    """What takes them from the folder to the Hub, where they go there."""

    def __call__(self, picture: Image.Image, name: str) -> int:
        """Keep a picture under the class it is of; how many there are now."""
        keep(picture, name, labels=self.labels, folder=self.folder)
        if self.outbox is not None:
            self.outbox.nudge()
        sent = 0 if self.outbox is None else self.outbox.sent
        return sent + sum(1 for _ in self.folder.glob("*/*.png"))


@contextmanager
def keeper(config: ServeConfig, labels: Labels) -> Iterator[Keeper | None]:
    """Within it wrong answers are kept as asked for; None where they are not kept."""
    if config.wrong_answers is None:
        folder = config.keep_wrong
        yield Keeper(check_folder(folder, labels), labels) if folder else None
        return
    folder = config.keep_wrong or _waiting_room(config.wrong_answers)
    with Outbox(config.wrong_answers, check_folder(folder, labels)).open() as outbox:
        yield Keeper(outbox.folder, labels, outbox)


def _waiting_room(repo: str) -> str:
    """Where pictures wait for the Hub, under $HF_RESNET_CACHE or in the user's cache."""
    cache = os.environ.get("HF_RESNET_CACHE") or "~/.cache/hf_resnet"
    return str(Path(cache, "wrong_answers", repo.replace("/", "--")))


def check_folder(folder: str | Path, labels: Labels) -> Path:
    """The folder, made where it was not there, or an error before the page is up."""
    place = Path(folder).expanduser()
    if place.exists() and not place.is_dir():
        raise ConfigError(f"--keep_wrong {folder} is a file; name a folder")
    for name in labels:
        _class_folder(name)
    with on_disk(f"--keep_wrong {folder}", "name another place"):
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            pass
    return place


def keep(picture: Image.Image, name: str, *, labels: Labels, folder: Path) -> Path:
    """Write the picture under the class it is of; the file's path."""
    labels.index(name)  # a name from outside must be one of the classes, letter for letter
    small = picture.copy()
    from hf_resnet.explain.sheet import as_png  # brings torch, which a page may do without

    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    said = f"{small.size} ".encode() + small.tobytes()
    file = f"{hashlib.blake2b(said, digest_size=12).hexdigest()}.png"
    place = folder / _class_folder(name)
    with _ONE_AT_A_TIME, on_disk(f"the picture in {folder}", "make room"):
        others = [path for path in folder.glob(f"*/{file}") if path.parent != place]
        if not others and sum(1 for _ in folder.glob("*/*.png")) >= MOST_KEPT:
            raise ConfigError(
                f"{folder} holds {MOST_KEPT:,} pictures already; learn from them first"
            )
        write_all(place, {file: as_png(small)})
        for path in others:
            path.unlink()
    return place / file


def _class_folder(name: str) -> str:
    """A class's name where it can be that of a folder which is read as the same class again."""
    unfit = name.startswith(".") or name.lower() in LITTER or len(name.encode()) > 255
    if unfit or any(letter in "/\\\0" for letter in name):
        raise LabelError(
            f"the class {name!r} cannot be the name of a folder, so wrong answers cannot be kept; "
            "rename it with hf-resnet relabel, or leave out --keep_wrong"
        )
    return name
