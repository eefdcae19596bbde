"""What is known about a classifier and belongs in no native file: `hf_resnet.json`, without torch.

The surprise: what the file holds is checked to the last key, since it comes from strangers too.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from hf_resnet.errors import ConfigError, ModelError, listed
from hf_resnet.jsonfile import read_object

FACTS_FILE = "hf_resnet.json"
FORMAT = 1

Kind = TypeVar("Kind")
Origin = Literal["pretrained", "kept", "fitted", "imprinted", "merged", "untrained"]


@dataclass(frozen=True)
class ClassFact:
    """Where one row of the head came from: how, out of which classes, from how many pictures."""

    name: str
    origin: Origin
    sources: tuple[str, ...] = ()
    pictures: int | None = None


@dataclass(frozen=True)
class Facts:
    """What is known about a classifier and belongs in no native file."""

    base_model: str
    classes: tuple[ClassFact, ...] = ()
    training: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    results: Mapping[str, Any] = field(default_factory=dict)

    def with_(self, **changes: Any) -> "Facts":
        return dataclasses.replace(self, **changes)


def stored_facts(folder: Path) -> dict[str, Any]:
    """What the file holds, {} where there is none."""
    path = folder / FACTS_FILE
    if not path.exists():
        return {}
    stored = read_object(path)
    made_with = stored.get("format")
    if made_with != FORMAT:
        raise ModelError(
            f"{path} has format {str(made_with)[:60]}, and this version reads format {FORMAT}; "
            "install the version of hf-resnet that wrote it, or a newer one"
        )
    return stored


def facts_in(
    stored: Mapping[str, Any], names: Iterable[str], *, base_model: str, origin: Origin
) -> Facts:
    """The facts about classes of these names; base_model and origin where they are not told."""
    known = {fact.name: fact for fact in map(_class_fact, stored.get("classes", ()))}
    return Facts(
        base_model=_of_kind(stored.get("base_model", base_model), str),
        classes=tuple(known.get(name, ClassFact(name, origin)) for name in names),
        **{key: _of_kind(stored.get(key, {}), dict) for key in ("training", "data", "results")},
    )


@contextmanager
def as_written(folder: Path | None) -> Iterator[None]:
    """Inside it, what the file should not hold is one line."""
    try:
        yield
    except (KeyError, TypeError, ConfigError, ModelError) as exc:
        raise ModelError(
            f"{folder}/{FACTS_FILE} is not as hf_resnet writes it ({type(exc).__name__}: {exc}); "
            "take the file from where it came"
        ) from exc


def _class_fact(record: Any) -> ClassFact:
    known = _of_kind(record, dict)
    pictures = known.get("pictures")
    if known["origin"] not in get_args(Origin):
        raise TypeError(f"origin is {str(known['origin'])[:60]!r}")
    if set(known) - {"name", "origin", "sources", "pictures"}:
        raise TypeError(f"a class with {listed(map(str, known))}")
    return ClassFact(
        name=_of_kind(known["name"], str),
        origin=known["origin"],
        sources=tuple(_of_kind(each, str) for each in _of_kind(known["sources"], list)),
        pictures=None if pictures is None else _of_kind(pictures, int),
    )


def _of_kind(value: Any, kind: type[Kind]) -> Kind:
    if type(value) is not kind:
        raise TypeError(f"{str(value)[:60]!r} where {kind.__name__} is needed")
    return value
