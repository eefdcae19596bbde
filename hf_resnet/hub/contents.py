"""What of a model folder is pushed, byte for byte.

Only files that a model folder of ours is made of: what else lies there may be private. For the same
reason the sheet of right and wrong answers stays at home, and the page of the measurement, since they
are made of a person's pictures; and an export that is not of the model beside it. The surprise: files
that name places on this machine are not pushed as they lie there; places become relative, so that no
name of a person or a customer goes out with a path. And a link that leads out of the folder is refused.
"""

import fnmatch
import functools
import hashlib
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

import yaml

from hf_resnet.engine.exported import FORMATS, sound_record
from hf_resnet.errors import ModelError
from hf_resnet.jsonfile import read_object

# named here as well: the rooms that write these files import torch, which a push does without
CARD_FILE = "README.md"
FACTS_FILE = "hf_resnet.json"
RECIPE_FILE = "recipe.yaml"
SPLITS_FILE = "splits.json"
PUSHED = (
    "config.json",
    "model.safetensors",
    "model-*.safetensors",
    "model.safetensors.index.json",
    "preprocessor_config.json",
    FACTS_FILE,
    "feature_mean.safetensors",
    RECIPE_FILE,
    SPLITS_FILE,
    *("*.onnx", "onnx/model*.onnx", "onnx/model*.json"),
    *("openvino/model*.xml", "openvino/model*.bin", "openvino/model*.json"),
    "report/*.json",
    "report/*.jsonl",
    "report/*.html",
    "report/*.png",
)
AT_HOME = ("report/contact_sheet.png", "report/index.html", "*/.*", ".*")
_NAMES = {"classes", "label", "predicted", "truth", "answer", "names", "label_names"}
_NAMES |= {"id2label", "label2id", "keep", "drop", "rename", "merge", "add"}
"""Keys behind which stand names of classes, which are no places whatever they look like."""
_START = r"""(?<![^\s'"`(\[{<>=,;:|])"""
_END = r"""(?![^\s'"`)\]}<>,;:|/\\])"""
_ROOT = r"""(?:\\\\|(?<!:)//|(?:file://|~[^\s'"`,;:<>|/\\]*|[A-Za-z]:)?[/\\])"""
_PART = r"""[^\s"<>|/\\][^\n"<>|/\\]*(?<!\s)(?<!\s['`(\[{])"""
_FOLDERS = rf"""(?:{_PART}(?!//)[/\\])+(?=\S)"""
"""Folders below one another. Their names may hold all that a sentence does, so of a sentence that goes
on with another path a little may be lost: better that than half of a name."""


@dataclass(frozen=True)
class Item:
    """One file as it is to be in the repository."""

    source: Path | bytes
    size: int
    sha256: str
    blob: str
    """The id that git gives it, by which the Hub lists small files."""

    def is_listed_as(self, listed: Any) -> bool:
        """Whether the Hub's listing (a RepoFile) is of these bytes."""
        if listed.lfs is not None:
            return bool(listed.lfs.sha256 == self.sha256 and listed.lfs.size == self.size)
        return bool(listed.blob_id == self.blob)


def contents(folder: Path) -> dict[str, Item]:
    """The files to push, by their path in the repository; all but the card."""
    places, stale = _places(folder), _files_of(stale_exports(folder))
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and is_pushed(name) and name not in stale:
            found[name] = item(_cleaned(inside(folder, path), places))
    for needed in ("config.json", FACTS_FILE):
        if needed not in found:
            raise ModelError(
                f"{folder} holds no {needed}, so it is no model folder of hf_resnet's; give the "
                "folder that finetune or relabel wrote"
            )
    return found


def inside(folder: Path, path: Path) -> Path:
    """The path; ModelError where it is a link that leads out of the folder, as what lies there may be
    private. The Hub's cache is made of links, and they lead to the files of the same repository."""
    place, target = folder.resolve(), path.resolve()
    allowed = [place]
    if place.parent.name == "snapshots":
        allowed.append(place.parent.parent / "blobs")
    if not any(target.is_relative_to(each) for each in allowed):
        raise ModelError(
            f"{path} is a link that leads out of the model folder, and what it leads to would be "
            "published; put the file itself there, or take the link away"
        )
    return path


def left_at_home(folder: Path) -> list[str]:
    """What lies in the folder and is not pushed."""
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    return sorted(name for name in names if not is_pushed(name) and name != CARD_FILE)


def stale_exports(folder: Path) -> dict[str, str]:
    """The exports with a record that does not belong to what lies beside it, each with the reason."""
    found = {}
    for name, kind in FORMATS.items():
        if (folder / kind.record).exists():
            try:
                sound_record(folder, name)
            except ModelError as exc:
                found[name] = str(exc)
    return found


def _files_of(exports: Iterable[str]) -> set[str]:
    return {file for name in exports for file in (FORMATS[name].record, *FORMATS[name].files)}


def is_pushed(name: str) -> bool:
    """Whether a file of this name belongs to a model that we push."""
    at_home = any(fnmatch.fnmatchcase(name, each) for each in AT_HOME)
    return not at_home and any(
        fnmatch.fnmatchcase(name, each) and name.count("/") == each.count("/") for each in PUSHED
    )


def item(source: Path | bytes) -> Item:
    """The file with its size and hashes."""
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    sha256 = hashlib.sha256()
    blob = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        while chunk := file.read(1 << 20):
            sha256.update(chunk)
            blob.update(chunk)
    return Item(source, size, sha256.hexdigest(), blob.hexdigest())


def text_of(items: Mapping[str, Item], name: str) -> str:
    """The text of one of the files; '' where it is not among them."""
    source = items[name].source if name in items else b""
    return (source if isinstance(source, bytes) else source.read_bytes()).decode()


def _places(folder: Path) -> list[Path]:
    """The folders that the recipe names, the longest first; a file in one is told from there."""
    path = folder / RECIPE_FILE
    recipe = _yaml(path) if path.is_file() else {}
    named = [value for key, value in recipe.items() if isinstance(value, str) and key not in _NAMES]
    found = {Path(each).expanduser() for each in named if _is_absolute(each)}
    found |= {place.parent for place in found if place.suffix in (".csv", ".jsonl", ".parquet")}
    return sorted(found, key=lambda each: -len(each.parts))


def _yaml(path: Path) -> dict[str, Any]:
    text = _text(path)
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise ModelError(f"{path} holds aliases (*), which are not read; write it out")
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as exc:  # a date that is none is the second
        raise ModelError(f"{path} is not YAML: {' '.join(str(exc).split())}; restore it") from exc
    if not isinstance(found, dict):
        raise ModelError(f"{path} is no list of `name: value` lines; restore it")
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as exc:
        raise ModelError(f"{path} is not text in UTF-8; restore it, or take it away") from exc


def _lines(path: Path) -> list[Any]:
    try:
        return [json.loads(line) for line in _text(path).splitlines()]
    except (ValueError, RecursionError) as exc:
        raise ModelError(
            f"{path} is not a list of JSON lines; restore it, or take it away"
        ) from exc


def _cleaned(path: Path, places: Sequence[Path]) -> Path | bytes:
    """The file; or where it names places, its content without them."""
    found: Any
    if path.suffix == ".json":
        found = read_object(path)
        clean = without_places(found, places)
        text = json.dumps(clean, indent=2, ensure_ascii=False) + "\n"
    elif path.suffix == ".jsonl":
        found = _lines(path)
        clean = without_places(found, places)
        text = "".join(json.dumps(each) + "\n" for each in clean)
    elif path.name == RECIPE_FILE:
        found = _yaml(path)
        clean = without_places(found, places)
        text = yaml.safe_dump(clean, sort_keys=False, allow_unicode=True)
    elif path.suffix == ".html":
        found = _text(path)
        text = clean = without_places(found, places)
    else:
        return path
    return path.read_bytes() if clean == found else text.encode()


def without_places(value: Any, places: Sequence[Path]) -> Any:
    """The value with every place on this machine in its texts made relative: to the places, which are
    told by their names, else to the folder that it lies in."""
    if isinstance(value, dict):
        return {
            key: each if key in _NAMES else without_places(each, places)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [without_places(each, places) for each in value]
    return _relative(value, places) if isinstance(value, str) else value


def _relative(text: str, places: Sequence[Path]) -> str:
    home = str(Path.home()) if len(Path.home().parts) > 1 else ""
    known = _known(tuple(map(str, places)), home)
    if _is_absolute(text) and "\n" not in text and not known.match(text):
        return PureWindowsPath(text).name
    return known.sub(lambda found: _short(found, home), text)


@functools.cache
def _known(places: tuple[str, ...], home: str) -> re.Pattern[str]:
    """What finds a place in a text: one of these, the home of a person, or any path from its root on."""
    named = "|".join(map(re.escape, places)) or "(?!)"
    homely = rf"{re.escape(home)}(?:[/\\]{_FOLDERS}|[/\\](?=\S)|{_END})" if home else "(?!)"
    return re.compile(
        rf"{_START}(?:(?P<place>{named}){_END}(?P<joint>[/\\]?)|{homely}|{_ROOT}{_FOLDERS})"
    )


def _short(found: re.Match[str], home: str) -> str:
    """What is told in its stead: a name, or nothing, where the name of a file follows."""
    if found["place"]:
        return PureWindowsPath(found["place"]).name + found["joint"]
    return "~" if found[0] == home else ""


def _is_absolute(text: str) -> bool:
    return text.startswith(("/", "~")) or PureWindowsPath(text).is_absolute()
