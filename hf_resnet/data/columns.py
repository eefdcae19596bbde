"""Which column of a table holds the pictures, and which the classes.

By type where the type is telling (a picture; an index into class names), by name where several or
none are, and never by guessing: what stays open is an error that lists the columns and names the
flag. Knows nothing of where tables come from. The surprise: a column of paths counts as pictures
only in a table file, since only there do relative paths lead anywhere.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

import datasets

from hf_resnet.data.place import Place
from hf_resnet.data.values import Naming, declared_names
from hf_resnet.errors import DataError, did_you_mean, listed
from hf_resnet.images import SUFFIXES

Kind = Literal["picture", "bytes", "class", "text", "integer", "boolean", "decimal", "other"]

PICTURE_NAMES = ("image", "img", "picture", "photo", "pixels", "jpg", "png")
PATH_NAMES = (
    *PICTURE_NAMES,
    *("image_path", "img_path", "path", "filepath", "file_path"),
    *("file_name", "filename", "file"),
)
LABEL_NAMES = (
    *("label", "labels", "fine_label", "class", "class_name", "classname"),
    *("category", "target", "y", "cls", "label_name"),
)
NEVER_LABELS = {*PATH_NAMES, "id", "image_id", "index", "idx", "__index_level_0__", "url"}
"""Columns that are no classes even where no other column is left; naming one makes it one."""


@dataclass(frozen=True, eq=False)
class RawSplit:
    """One split as its source has it: any columns, and where its pictures lie."""

    dataset: Any
    """A datasets.Dataset or IterableDataset."""

    place: Place
    paths: bool = False
    """Whether a column of text may hold paths."""


@dataclass(frozen=True, eq=False)
class Columns:
    """A split with its columns found, and cells that are not decoded."""

    dataset: Any
    """Its columns are called `image` and `label`."""

    place: Place
    image_name: str
    label_name: str | None
    naming: Naming | None

    @property
    def streaming(self) -> bool:
        return isinstance(self.dataset, datasets.IterableDataset)


def find_columns(raw: RawSplit, image: str | None, label: str | None) -> Columns:
    """The split reduced to the columns `image` and `label`, found by type and name or as named."""
    features = _features(raw)
    kinds = {name: _kind(feature) for name, feature in features.items()}
    image = _image_column(image, kinds, raw)
    rest = {name: kind for name, kind in kinds.items() if name != image}
    label = _named(label, rest, raw, "label") or _label_column(rest, raw)
    naming = _naming(features[label], kinds[label], label, raw) if label else None
    dataset = _reduced(raw.dataset, image, label, cast=kinds[image] != "bytes")
    return Columns(dataset, raw.place, image, label, naming)


def find_pictures_column(raw: RawSplit, image: str | None) -> Columns:
    """The split reduced to the column `image`, for pictures that are only looked at."""
    kinds = {name: _kind(feature) for name, feature in _features(raw).items()}
    image = _image_column(image, kinds, raw)
    dataset = _reduced(raw.dataset, image, None, cast=kinds[image] != "bytes")
    return Columns(dataset, raw.place, image, None, None)


def has_column(raw: RawSplit, name: str | None) -> bool:
    return name is not None and name in _features(raw)


def _reduced(dataset: Any, image: str, label: str | None, *, cast: bool) -> Any:
    """Only these columns, not decoded. Plain bytes are not cast, which would copy them all."""
    if isinstance(dataset, datasets.IterableDataset) and dataset.features is not None:
        # First of all: a stream that is renamed before decodes and encodes again, to other bytes.
        dataset = dataset.decode(False)
    dataset = dataset.select_columns([name for name in (image, label) if name])
    # By way of names that neither column has: the one with the pictures may be called `label`.
    first = {old: f"{old} is {new}" for old, new in ((image, "image"), (label, "label")) if old}
    dataset = dataset.rename_columns(first)
    dataset = dataset.rename_columns({now: now.rpartition(" ")[2] for now in first.values()})
    return dataset.cast_column("image", datasets.Image(decode=False)) if cast else dataset


def _features(raw: RawSplit) -> Mapping[str, Any]:
    if raw.dataset.features is not None:
        return raw.dataset.features  # type: ignore[no-any-return]
    first = list(raw.dataset.take(1))  # a stream of CSV or JSON has no types until it is read
    if not first:
        raise DataError(f"{raw.place.title} is empty; give a split that has rows")
    return datasets.Dataset.from_list(first).features  # type: ignore[no-any-return]


def _kind(feature: Any) -> Kind:
    if isinstance(feature, datasets.Image):
        return "picture"
    if isinstance(feature, datasets.ClassLabel):
        return "class"
    if isinstance(feature, dict):
        return "picture" if {"bytes", "path"} & set(feature) else "other"
    if not isinstance(feature, datasets.Value):
        return "other"
    kinds: tuple[tuple[Kind, tuple[str, ...]], ...] = (
        ("bytes", ("binary", "large_binary")),
        ("text", ("string", "large_string")),
        ("integer", ("int", "uint")),
        ("boolean", ("bool",)),
        ("decimal", ("float", "double")),
    )
    return next((kind for kind, starts in kinds if feature.dtype.startswith(starts)), "other")


def _named(name: str | None, kinds: Mapping[str, Kind], raw: RawSplit, role: str) -> str | None:
    if name is not None and name not in kinds:
        raise DataError(
            f"{raw.place.title} has no column {name!r} for --{role}_column_name"
            f"{did_you_mean(name, kinds)}; it has {_columns(kinds)}"
        )
    return name


def _image_column(name: str | None, kinds: Mapping[str, Kind], raw: RawSplit) -> str:
    found = _named(name, kinds, raw, "image") or _likely_image_column(kinds, raw)
    if kinds[found] not in ("picture", "bytes", "text"):
        raise DataError(
            f"column {found!r} of {raw.place.title} holds no pictures: it is {kinds[found]}; "
            f"{_flag('image', kinds)}"
        )
    return found


def _likely_image_column(kinds: Mapping[str, Kind], raw: RawSplit) -> str:
    for kind in ("picture", "bytes"):
        if found := [name for name, other in kinds.items() if other == kind]:
            return _one_of(found, PICTURE_NAMES) or _unclear("image", kinds, raw)
    if raw.paths:
        texts = [name for name, kind in kinds.items() if kind == "text"]
        if usual := _one_of(texts, PATH_NAMES, alone=False):
            return usual
        sample: Mapping[str, Any] = next(iter(raw.dataset.take(1)), {})
        looks = [name for name in texts if Path(str(sample.get(name))).suffix.lower() in SUFFIXES]
        if len(looks) == 1:
            return looks[0]
    _unclear("image", kinds, raw)


def _label_column(kinds: Mapping[str, Kind], raw: RawSplit) -> str | None:
    """None where no column could be one."""
    if classes := [name for name, kind in kinds.items() if kind == "class"]:
        return _one_of(classes, LABEL_NAMES) or _unclear("label", kinds, raw)
    plain = [name for name, kind in kinds.items() if kind in ("text", "integer", "boolean")]
    # Whole numbers with gaps are stored as decimals, but a lone column of decimals is a measurement.
    decimals = [name for name, kind in kinds.items() if kind == "decimal"]
    if usual := _one_of(plain + decimals, LABEL_NAMES, alone=False):
        return usual
    possible = [name for name in plain if name.lower() not in NEVER_LABELS]
    if len(possible) > 1:
        _unclear("label", kinds, raw)
    return possible[0] if possible else None


def _one_of(found: list[str], usual: Iterable[str], *, alone: bool = True) -> str | None:
    """The only one, or the one with the most usual name."""
    if alone and len(found) == 1:
        return found[0]
    by_lower = {name.lower(): name for name in reversed(found)}
    return next((by_lower[name] for name in usual if name in by_lower), None)


def _naming(feature: Any, kind: Kind, label: str, raw: RawSplit) -> Naming:
    if kind in ("picture", "bytes"):
        raise DataError(
            f"column {label!r} of {raw.place.title} holds pictures, not classes; name another with "
            "--label_column_name"
        )
    if kind == "class":
        return Naming(declared_names(feature.names, raw.place.title))
    return Naming()


def _unclear(role: str, kinds: Mapping[str, Kind], raw: RawSplit) -> NoReturn:
    what = {"image": "the pictures", "label": "the classes"}[role]
    raise DataError(
        f"cannot tell which column of {raw.place.title} holds {what}; {_flag(role, kinds)}"
    )


def _flag(role: str, kinds: Mapping[str, Kind]) -> str:
    return f"name one of {_columns(kinds)} with --{role}_column_name"


def _columns(kinds: Mapping[str, Kind]) -> str:
    return listed((f"{name} ({kind})" for name, kind in kinds.items()), most=20) or "no columns"
