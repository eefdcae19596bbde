"""Folders of pictures: one folder a class, pictures at any depth below it.

    photos/cat/1.jpg, photos/cat/garden/2.jpg, photos/dog/1.png

A folder that holds train, validation and test folders is read as those splits. Nothing is opened
here: a picture is a path until its row is read. The surprise: what is passed over (hidden files,
files that are no pictures, pictures beside the class folders, folders that may not be looked into)
is counted and said, since a class that silently lost half its pictures is the commonest reason for a
poor model.
"""

import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hf_resnet.data.place import Place
from hf_resnet.data.splits import USUAL_NAMES
from hf_resnet.errors import DataError, counted, did_you_mean, listed
from hf_resnet.images import SUFFIXES
from hf_resnet.labels import natural_order

if TYPE_CHECKING:
    from hf_resnet.data.columns import RawSplit

SPLIT_FOLDERS = {name: role for role, names in USUAL_NAMES.items() for name in names}
LITTER = {"thumbs.db", "desktop.ini", "icon\r", "__macosx"}


@dataclass
class Skipped:
    """What was passed over below one folder."""

    hidden: int = 0
    again: int = 0
    unnamable: int = 0
    closed: list[str] = field(default_factory=list)
    """Folders that may not be looked into, with the reason."""

    others: Counter[str] = field(default_factory=Counter)
    """Files that are no pictures, by suffix."""

    def why(self) -> str:
        """What to add where nothing at all was found."""
        return f"; cannot look into {listed(self.closed)}" if self.closed else ""

    def notes(self, folder: Path) -> Iterator[str]:
        if self.others:
            kinds = listed(suffix or "no suffix" for suffix, _ in self.others.most_common())
            count = counted(self.others.total(), "file")
            yield f"{folder}: passed over {count} not named as pictures ({kinds})"
        if self.hidden:
            yield f"{folder}: passed over {counted(self.hidden, 'hidden name')}"
        if self.unnamable:
            count = counted(self.unnamable, "file")
            yield f"{folder}: passed over {count} named in something else than UTF-8"
        if self.again:
            links = counted(self.again, "link")
            yield f"{folder}: did not follow {links} that lead back to a folder already looked into"
        if self.closed:
            yield f"{folder}: what is in these is missing, since they cannot be looked into: " + (
                listed(self.closed)
            )


def existing_folder(path: str, flag: str) -> Path:
    """The folder of this name, or an error with the nearest names."""
    folder = Path(path).expanduser()
    if folder.is_dir():
        return folder
    if folder.suffix.lower() in (".zip", ".tar", ".gz", ".7z", ".rar") and folder.exists():
        raise DataError(f"{flag} takes a folder, got the archive {path}; unpack it first")
    if folder.exists():
        raise DataError(
            f"{flag} takes a folder, got the file {path}; did you mean {_file_flag(flag)}?"
        )
    raise DataError(f"no folder {path} for {flag}{nearest(folder)}")


def _file_flag(flag: str) -> str:
    return flag.replace("_dir", "_file")


def nearest(path: Path) -> str:
    """'; did you mean ...?' with what lies where the path should, or else what there is."""
    if not path.parent.is_dir():
        return f"; there is no folder {path.parent} either"
    names = natural_order(entry.name for entry in _entries(path.parent))
    return did_you_mean(path.name, names) or f"; {path.parent} has {listed(names) or 'nothing'}"


def split_folders(root: Path) -> dict[str, Path]:
    """The train, validation and test folders in `root`, or none where they are not just that.

    A class may be called `train`: only a folder whose folders are all named as splits is one of
    splits, and only where its training folder holds folders itself.
    """
    found = {entry.name: Path(entry.path) for entry in _entries(root) if _is_folder(entry)}
    splits: dict[str, Path] = {}
    for name, path in found.items():
        split = SPLIT_FOLDERS.get(name.lower())
        if split is None or split in splits:
            return {}
        splits[split] = path
    return splits if "train" in splits and has_folders(splits["train"]) else {}


def has_folders(folder: Path) -> bool:
    return any(_is_folder(entry) for entry in _entries(folder))


def read_folder(folder: Path) -> "tuple[RawSplit, list[str]]":
    """The pictures of a folder of class folders, and what to say about it."""
    skipped, notes, loose = Skipped(), [], 0
    paths: list[str] = []
    names: list[str] = []
    for entry in _entries(folder, skipped):
        if _is_folder(entry):
            inside = list(_pictures(entry.path, skipped, {_identity(folder)}))
            if not inside:
                notes.append(
                    f"{entry.path}: no pictures in it, so there is no class {entry.name!r}"
                )
            paths += inside
            names += [entry.name] * len(inside)
        elif _is_picture(entry, skipped):
            loose += 1
    if not paths:
        raise DataError(_no_classes(folder, loose, skipped))
    if len(set(names)) == 1 and _classes_are_inside(folder / names[0]):
        raise DataError(
            f"{folder} holds one folder, {names[0]!r}, and the class folders seem to be in that; "
            f"give {folder / names[0]}"
        )
    if loose:
        notes.append(
            f"{folder}: passed over {counted(loose, 'picture')} beside the class folders, "
            "which no folder gives a class"
        )
    return _labelled(folder, paths, names), [*notes, *skipped.notes(folder)]


def _labelled(folder: Path, paths: list[str], names: list[str]) -> "RawSplit":
    import datasets  # pictures that are only looked at are listed without it

    from hf_resnet.data.columns import RawSplit

    features = datasets.Features(
        {"image": datasets.Image(decode=False), "label": datasets.Value("string")}
    )
    dataset = datasets.Dataset.from_dict({"image": paths, "label": names}, features=features)
    return RawSplit(dataset, Place(str(folder)))


def _classes_are_inside(only: Path) -> bool:
    entries = list(_entries(only))
    return len(entries) > 1 and all(_is_folder(entry) for entry in entries)


def _no_classes(folder: Path, loose: int, skipped: Skipped) -> str:
    example = f"{folder}/cat/1.jpg and {folder}/dog/1.jpg"
    if loose:
        return (
            f"{folder} has {counted(loose, 'picture')} but no class folders; put the pictures of "
            f"each class in a folder named after it, as in {example}"
        )
    return (
        f"no pictures found in {folder}; it should have a folder of pictures for each class, as in "
        f"{example} (pictures end in {listed(sorted(SUFFIXES), last='or', most=20)}){skipped.why()}"
    )


def find_pictures(folder: Path) -> tuple[list[str], list[str]]:
    """Every picture below a folder, whatever the folders in it mean, and what to say about it."""
    skipped = Skipped()
    found = list(_pictures(folder, skipped, set()))
    if not found:
        raise DataError(
            f"no pictures found in {folder} (they end in "
            f"{listed(sorted(SUFFIXES), last='or', most=20)}){skipped.why()}"
        )
    return found, list(skipped.notes(folder))


Identity = tuple[int, int]


def _pictures(top: str | Path, skipped: Skipped, seen: set[Identity]) -> Iterator[str]:
    """Every picture below `top`. Each real folder is looked into once, however many links lead to it
    (links come last, so that a picture goes by its own path), and one that is closed stops nothing.
    """
    waiting, links = [os.fspath(top)], deque[str]()
    while waiting or links:
        folder = waiting.pop() if waiting else links.popleft()
        inside: list[str] = []
        try:
            identity = _identity(folder)
            if identity in seen:
                skipped.again += 1
                continue
            seen.add(identity)
            entries = _scanned(folder)
        except OSError as exc:
            skipped.closed.append(f"{folder} ({exc.strerror})")
            continue
        for entry in _meant(entries, skipped):
            if _is_folder(entry):
                (links if entry.is_symlink() else inside).append(entry.path)
            elif _is_picture(entry, skipped):
                yield entry.path
        waiting += reversed(inside)


def _identity(folder: str | Path) -> Identity:
    """What a folder is known by, whatever path led there."""
    status = os.stat(folder)  # noqa: PTH116  a name from scandir is no Path
    return status.st_dev, status.st_ino


def _entries(folder: Path, skipped: Skipped | None = None) -> Iterable[os.DirEntry[str]]:
    """What is in a folder that a person named, or an error that says why that cannot be seen."""
    try:
        entries = _scanned(folder)
    except OSError as exc:
        raise DataError(f"cannot look into {folder}: {exc.strerror}; give yourself access") from exc
    return _meant(entries, skipped or Skipped())


def _scanned(folder: str | Path) -> dict[str, os.DirEntry[str]]:
    with os.scandir(folder) as scan:
        return {entry.name: entry for entry in scan}


def _meant(entries: Mapping[str, os.DirEntry[str]], skipped: Skipped) -> Iterator[os.DirEntry[str]]:
    """The entries, sorted as a person sorts, without what is hidden or litter."""
    for name in natural_order(entries):
        if name.startswith(".") or name.lower() in LITTER:
            skipped.hidden += 1
        elif not is_utf8(name):
            skipped.unnamable += 1
        else:
            yield entries[name]


def is_utf8(name: str) -> bool:
    """Whether a table can hold it; a name of this machine may be any bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_picture(entry: os.DirEntry[str], skipped: Skipped) -> bool:
    """Whether it is named as one. A pipe or a device so named is a row with a problem later."""
    suffix = Path(entry.name).suffix.lower()
    if suffix in SUFFIXES:
        return True
    skipped.others[suffix] += 1
    return False
