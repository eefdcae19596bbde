"""Which side of a split a picture falls on, and which pictures are drawn where not all are wanted.

Everything goes by a seeded hash of the picture's key, so that file names, file order and the number
of processes decide nothing, and identical pictures always fall on the same side. A picture that an
earlier run knew keeps the side it had there.

The surprise: splitting and drawing rank by the same hash. The first n that are drawn are therefore
among the first n + 1, and a run with --max_train_samples splits as one without it.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hf_resnet.errors import DataError
from hf_resnet.jsonfile import read_object

SPLITS_FILE = "splits.json"
ROLES = ("train", "validation", "test")
USUAL_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}
"""What splits are called on the Hub and in folders, by the role they play."""


def rank(seed: int, key: str) -> float:
    """A fixed random number in [0, 1) for a picture."""
    digest = hashlib.blake2b(f"{seed}|{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


@dataclass(frozen=True)
class Plan:
    """How a validation split is made."""

    seed: int
    share: float
    known: Mapping[str, str] = field(default_factory=dict)
    """The side, 'train' or 'validation', of pictures that an earlier run split."""


@dataclass(frozen=True)
class Side:
    """One side of a stream that is divided in two, where a key alone decides."""

    plan: Plan
    name: str

    def has(self, key: str) -> bool:
        """Whether the picture is on this side; what has no key is trained on, and listed there."""
        side = self.plan.known.get(key)
        if side is None:
            held_out = bool(key) and rank(self.plan.seed, key) < self.plan.share
            side = "validation" if held_out else "train"
        return side == self.name


def held_out(keys: Sequence[str], names: Sequence[str], plan: Plan) -> set[str]:
    """The keys that go to validation: the same share of the distinct pictures of each class.

    Every class with two distinct pictures gives at least one, and every class keeps at least one. A
    picture that stands under two classes is counted where it stands most often, and moves as one.
    """
    standing: defaultdict[str, set[str]] = defaultdict(set)
    for key, name in zip(keys, names, strict=True):
        standing[name].add(key)
    chosen: set[str] = set()
    for members in _at_home(keys, names).values():
        old = [key for key in members if plan.known.get(key) == "validation"]
        new = [key for key in _ranked(members, plan) if key not in plan.known]
        wanted = _share_of(len(members), plan.share)
        chosen.update(old, new[: max(0, wanted - len(old))])
    for _, there in sorted(standing.items()):
        if there <= chosen:  # nothing would be left to learn from, so it is split anew
            chosen.difference_update(_ranked(there, plan)[_share_of(len(there), plan.share) :])
    return chosen


def _ranked(keys: Iterable[str], plan: Plan) -> list[str]:
    return sorted(keys, key=lambda key: (rank(plan.seed, key), key))


def _share_of(count: int, share: float) -> int:
    return min(max(int(count * share + 0.5), 1), count - 1)


def _at_home(keys: Sequence[str], names: Sequence[str]) -> dict[str, list[str]]:
    """The distinct keys of each class, each under the one class where it stands most often."""
    times: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for key, name in zip(keys, names, strict=True):
        times[key][name] += 1
    members = defaultdict(list)
    for key, counted in times.items():
        members[min(counted, key=lambda name: (-counted[name], name))].append(key)
    return members


def quotas(counts: Sequence[int], most: int) -> list[int]:
    """`most` pictures shared out over the classes as evenly as their counts allow."""
    given = [0] * len(counts)
    left = min(most, sum(counts))
    while left:
        open_classes = [i for i, count in enumerate(counts) if given[i] < count]
        each = left // len(open_classes)
        for i in open_classes if each else open_classes[:left]:  # the last few to the first classes
            more = min(max(each, 1), counts[i] - given[i])
            given[i] += more
            left -= more
    return given


def drawn(keys: Sequence[str], labels: Sequence[int], most: int, seed: int) -> list[int]:
    """The positions of `most` pictures drawn evenly from the classes, in their old order."""
    members: defaultdict[int, list[int]] = defaultdict(list)
    for position, label in enumerate(labels):
        members[label].append(position)
    classes = sorted(members)
    shares = quotas([len(members[label]) for label in classes], most)
    positions = []
    for label, share in zip(classes, shares, strict=True):
        ranked = sorted(members[label], key=lambda at: (rank(seed, keys[at]), keys[at], at))
        positions += ranked[:share]
    return sorted(positions)


@dataclass(frozen=True)
class Record:
    """What splits.json holds of an earlier run; nothing where there was none."""

    keys: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The keys of the pictures, by role."""

    share: float | None = None
    seed: int | None = None

    def sides(self) -> dict[str, str]:
        """The side, 'train' or 'validation', of every picture that was split."""
        return {key: side for side in ("train", "validation") for key in self.keys.get(side, ())}

    @property
    def learned(self) -> frozenset[str]:
        """The keys of the pictures that the model was taught with."""
        return self.keys.get("train", frozenset())


def read_record(folder: Path | None) -> Record:
    """The record that the run in this folder left."""
    path = folder / SPLITS_FILE if folder else None
    if path is None or not path.exists():
        return Record()
    _refuse_link_out(path)
    record = read_object(path, error=DataError)
    try:
        keys = {role: frozenset(_keys(record[role])) for role in ("train", "validation")}
        share, seed = record.get("share"), record.get("seed")
        numbers = isinstance(share, int | float | None) and isinstance(seed, int | None)
        if not numbers:
            raise TypeError("share and seed are numbers")
    except (KeyError, TypeError) as exc:
        raise DataError(
            f"{path} is not the record of a split ({type(exc).__name__}: {exc}); restore it, or "
            "delete it to have the pictures split anew"
        ) from exc
    return Record(keys, share, seed)


def _refuse_link_out(path: Path) -> None:
    """A model folder may come from a stranger; what it links to elsewhere is not its own."""
    folder = path.parent
    home = folder.parent.parent if folder.parent.name == "snapshots" else folder  # the Hub's cache
    if not path.resolve().is_relative_to(home.resolve()):
        raise DataError(f"{path} is a link out of the model folder; put the file itself there")


def _keys(found: Any) -> Iterable[str]:
    if not isinstance(found, list) or not all(isinstance(key, str) for key in found):
        raise TypeError("keys are a list of texts")
    return found
