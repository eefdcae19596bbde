"""Example pictures in a model folder, for the page: examples/CLASS-0.jpg and examples/examples.json.

They are a person's test pictures, so they are there only where `finetune --save_examples` was asked
for them; `push` leaves them at home, and `deploy-space` shows them, so it takes them along. The
surprise: names of files are made of names of classes, and told apart by the JSON alone.
"""

import io
import json
import re
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from hf_resnet.data import Row, Split
from hf_resnet.errors import ModelError, PictureError
from hf_resnet.images import decode
from hf_resnet.jsonfile import read_object
from hf_resnet.writing import write_all

FOLDER, LISTING = "examples", "examples.json"
LONGEST_SIDE = 320
MOST = 8


@dataclass(frozen=True)
class Example:
    """A picture to try, and what it is."""

    path: Path
    label: str


def write_examples(split: Split, names: tuple[str, ...], folder: Path, count: int) -> int:
    """Put so many pictures of a split into the model folder, of as many classes as there is room for;
    how many there are."""
    most = min(count, MOST)
    each = -(-most // len(names))
    chosen: dict[str, list[bytes]] = {name: [] for name in names}
    for row in split.rows():
        if sum(map(len, chosen.values())) >= most:
            break
        of_class = [] if row.label is None else chosen[names[row.label]]
        if row.label is not None and len(of_class) < each and (small := _small(row)):
            of_class.append(small)
    files, listing = {}, []
    for name, pictures in chosen.items():
        for number, picture in enumerate(pictures):
            file = f"{_as_file(name, names)}-{number}.jpg"
            files[file] = picture
            listing.append({"file": file, "label": name})
    if files:
        text = json.dumps({"examples": listing}, indent=2, ensure_ascii=False) + "\n"
        write_all(folder / FOLDER, {**files, LISTING: text.encode()})
    return len(files)


def _small(row: Row) -> bytes | None:
    """The picture as a small JPEG that tells nothing of who took it; None where it is none."""
    if row.problem is not None:
        return None
    try:
        picture = decode(row.data)
    except PictureError:
        return None  # the run tells of it elsewhere
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    out = io.BytesIO()
    Image.frombytes("RGB", picture.size, picture.tobytes()).save(out, "JPEG", quality=85)
    return out.getvalue()


def _as_file(name: str, names: tuple[str, ...]) -> str:
    """The class in letters that any disk takes; its number where those are not enough."""
    plain = _plain(name)
    alike = [each for each in names if _plain(each) == plain]
    return plain if plain and len(alike) == 1 else f"{plain or 'class'}-{names.index(name)}"


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:40]


def read_examples(folder: Path) -> list[Example]:
    """The examples of a model folder; none where it has none."""
    listing = folder / FOLDER / LISTING
    if not listing.is_file():
        return []
    told = read_object(listing).get("examples")
    found = []
    for each in (told if isinstance(told, list) else [])[:MOST]:
        file, label = (
            each.get(key) if isinstance(each, dict) else None for key in ("file", "label")
        )
        path = folder / FOLDER / str(file)
        if not isinstance(label, str) or Path(str(file)).name != file or not path.is_file():
            raise ModelError(
                f"{listing} names {str(file)[:60]!r}, which is not there; take the folder "
                f"{FOLDER} from where it came, or delete it"
            )
        found.append(Example(path, label))
    return found
