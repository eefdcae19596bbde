"""Ordered class names, and surgery on them compiled to a row map: new row <- old rows.

Knows nothing of networks: `relabel` applies the row map to a trained head. A name is found exactly,
else without regard to case, else by one of its parts between commas, since ImageNet's classes are
called things like "tabby, tabby cat".
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from hf_resnet.errors import LabelError, did_you_mean, listed

Origin = Literal["kept", "merged", "added"]

_HALF_A_LETTER = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Labels:
    """The classes of a classifier or a data set, in the order of their indices, each named once."""

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        twice = [name for name, count in Counter(self.names).items() if count > 1]
        if twice:
            raise LabelError(f"each class is named once, got {listed(twice)} more than once")
        if any(not name.strip() for name in self.names):
            raise LabelError("a class needs a name, got an empty one")
        if broken := [name for name in self.names if _HALF_A_LETTER.search(name)]:
            raise LabelError(f"no file can hold the class name {broken[0]!r}; write it anew")

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def index(self, name: str) -> int:
        """The index of exactly this name."""
        try:
            return self.names.index(name)
        except ValueError:
            raise LabelError(self._unknown(name)) from None

    def find(self, text: str) -> int:
        """The index of the one class that `text` means; NAME#INDEX means the one of that index."""
        found = self._numbered(text) or [*self.matches(text), *self._twins(text)]
        if len(found) == 1:
            return found[0]
        if found:
            several = listed((f"{self.names[i]!r} ({text}#{i})" for i in found), last="or")
            raise LabelError(
                f"{text!r} could be {several}; write the whole name, or what stands in brackets"
            )
        raise LabelError(self._unknown(text))

    def _twins(self, text: str) -> list[int]:
        """Classes that came under this name too, and were told apart by `unique_names`."""
        if text not in self.names:
            return []
        return [i for i, name in enumerate(self.names) if name == f"{text} ({i})"]

    def _numbered(self, text: str) -> list[int]:
        """The class that NAME#INDEX means, where a class of that index may be meant by that name."""
        name, _, number = text.rpartition("#")
        if text in self.names or not (name and number.isascii() and number.isdigit()):
            return []
        likely = [*self.matches(name), *self._twins(name)]
        return [i for i in likely if str(i) == number]

    def matches(self, text: str) -> list[int]:
        """Every class that `text` may mean, by the first rule that finds any."""
        wanted = _folded(text)
        rules = (
            lambda name: name == text,
            lambda name: _folded(name) == wanted,
            lambda name: wanted in (_folded(part) for part in name.split(",")),
        )
        for rule in rules:
            if found := [i for i, name in enumerate(self.names) if rule(name)]:
                return found
        return []

    def _unknown(self, text: str) -> str:
        parts = [part.strip() for name in self.names for part in (name, *name.split(","))]
        holding = [
            n for n in self.names if re.search(rf"\b{re.escape(_folded(text))}\b", _folded(n))
        ]
        if holding and _folded(text):
            return f"no class is called just {text!r}; there are {listed(holding)}"
        hint = did_you_mean(text, parts) or f"; the classes are {listed(self.names)}"
        return f"no class is called {text!r}{hint}"


@dataclass(frozen=True)
class Surgery:
    """What to change. keep, drop, rename and merge speak of the classes as they are now.

    Classes that are renamed or merged stay. `labels`, an exact ordered list, stands alone: names the
    model has are kept, the others are added.
    """

    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    merge: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    add: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        changes = (self.keep, self.drop, self.rename, self.merge, self.add)
        if self.labels and any(changes):
            raise LabelError("an exact list of labels stands alone; leave out the other changes")
        if not self.labels and not any(changes):
            raise LabelError("nothing to change; give keep, drop, rename, merge, add or labels")


@dataclass(frozen=True)
class ClassRow:
    """One row of the new head and the old rows it comes from: one kept, several merged, none added."""

    name: str
    sources: tuple[int, ...]

    @property
    def origin(self) -> Origin:
        return {0: "added", 1: "kept"}.get(len(self.sources), "merged")  # type: ignore[return-value]


def compile_rows(old: Labels, surgery: Surgery) -> tuple[ClassRow, ...]:
    """The rows of the new head, in order."""
    rows = _rows_of_list(old, surgery.labels) if surgery.labels else _changed_rows(old, surgery)
    twice = [name for name, count in Counter(row.name for row in rows).items() if count > 1]
    if twice:
        raise LabelError(
            f"two classes would be called {listed(repr(name) for name in twice)}; "
            "give one of them another name, or merge them"
        )
    if len(rows) < 2:
        left = repr(rows[0].name) if rows else "none"
        raise LabelError(
            f"a classifier tells at least two classes apart, and {left} would be left; "
            "keep or add another"
        )
    Labels(tuple(row.name for row in rows))
    return rows


def _rows_of_list(old: Labels, names: Sequence[str]) -> tuple[ClassRow, ...]:
    rows = []
    for name in names:
        found = old.matches(name)
        if len(found) > 1:
            old.find(name)
        rows.append(ClassRow(name, tuple(found)))
    _refuse_shared(old, [(row.name, index) for row in rows for index in row.sources])
    return tuple(rows)


def _changed_rows(old: Labels, surgery: Surgery) -> tuple[ClassRow, ...]:
    renamed = {old.find(name): new for name, new in surgery.rename.items()}
    merged = {new: tuple(old.find(name) for name in names) for new, names in surgery.merge.items()}
    for new, members in merged.items():
        if len(members) < 2:
            raise LabelError(f"merging into {new!r} takes two classes or more, got {len(members)}")
    uses = [("rename", old.find(name)) for name in surgery.rename]
    uses += [(f"merge into {new}", index) for new, members in merged.items() for index in members]
    _refuse_shared(old, uses)
    staying = {index for _, index in uses}
    kept = _found_once(old, surgery.keep, "keep")
    dropped = _found_once(old, surgery.drop, "drop")
    if both := dropped & (staying | kept):
        raise LabelError(
            f"{listed(old.names[i] for i in sorted(both))} cannot both stay and be dropped; "
            "name it once"
        )
    wanted = (kept | staying) if surgery.keep else set(range(len(old))) - dropped
    first_member = {min(members): (new, members) for new, members in merged.items()}
    absorbed = {index for members in merged.values() for index in members}
    rows = []
    for index in sorted(wanted):
        if index in first_member:
            rows.append(ClassRow(*first_member[index]))
        elif index not in absorbed:
            rows.append(ClassRow(renamed.get(index, old.names[index]), (index,)))
    return tuple(rows) + tuple(ClassRow(name, ()) for name in surgery.add)


def _found_once(old: Labels, names: Iterable[str], change: str) -> set[int]:
    found = [old.find(name) for name in names]
    _refuse_shared(old, [(change, index) for index in found])
    return set(found)


def _refuse_shared(old: Labels, uses: Sequence[tuple[str, int]]) -> None:
    """Each old class is used by one change, once."""
    for index, count in Counter(index for _, index in uses).items():
        if count > 1:
            places = listed(dict.fromkeys(place for place, used in uses if used == index))
            raise LabelError(
                f"{old.names[index]!r} is named {count} times, in {places}; name it once"
            )


def split_names(text: str, known: Iterable[str] = ()) -> tuple[str, ...]:
    """'a,b, c' -> a, b, c; a known name that has commas itself is taken whole."""
    whole = {_folded(name): name for name in known if "," in name}
    parts = [part.strip() for part in text.split(",")]
    names: list[str] = []
    at = 0
    while at < len(parts):
        longest = next(
            (
                end
                for end in range(len(parts), at + 1, -1)
                if _folded(", ".join(parts[at:end])) in whole
            ),
            at + 1,
        )
        names.append(", ".join(parts[at:longest]))
        at = longest
    return tuple(name for name in names if name)


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names with ' (index)' behind each that came before: ImageNet has two classes 'crane'."""
    seen: set[str] = set()
    unique = []
    for index, name in enumerate(names):
        unique.append(f"{name} ({index})" if name in seen else name)
        seen.add(unique[-1])
    return tuple(unique)


def natural_order(names: Iterable[str]) -> tuple[str, ...]:
    """Sorted as a person sorts: 2 before 10, without regard to case."""
    return tuple(sorted(names, key=_natural_key))


def _natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    return [_piece(piece) for piece in re.findall(r"[0-9]+|[^0-9]+", name.casefold())], name


def _piece(text: str) -> tuple[int, int, str]:
    """Numbers before words, and among them the one with more digits later: no int is made of them,
    which Python refuses where there are thousands."""
    if text[0] not in "0123456789":
        return 1, 0, text
    digits = text.lstrip("0")
    return 0, len(digits), digits


def _folded(text: str) -> str:
    return " ".join(re.sub(r"\s*,\s*", ", ", text).casefold().split())
