"""Whether a model is worse than the one that is on the Hub already: on the same test pictures, or by
classes that it no longer knows.

The paired test (McNemar's, exact) where both models list all of their wrong answers, each with the
picture's key (two pictures may have one file name), else a test of two shares. The surprise: nothing is
compared unless both were measured on exactly the same pictures, which their splits.json tell.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from hf_resnet.metrics.paired import at_least

LEVEL = 0.05


@dataclass(frozen=True)
class Model:
    """What a repository tells of how good its model is."""

    facts: Mapping[str, Any]
    splits: Mapping[str, Any]

    @classmethod
    def of(cls, facts: str, splits: str) -> "Model":
        """Of the texts of the two files; what is no JSON tells nothing."""
        return cls(_object(facts), _object(splits))


@dataclass(frozen=True)
class Comparison:
    """Accuracies, and how likely a difference this large is by chance alone."""

    ours: float
    theirs: float
    n: int
    chance: float
    test: str

    @property
    def is_worse(self) -> bool:
        return self.ours < self.theirs and self.chance < LEVEL

    def __str__(self) -> str:
        return (
            f"{100 * self.ours:.1f} % right where the one on the Hub has {100 * self.theirs:.1f} %, "
            f"on the same {self.n:,} test pictures ({self.test}, p = {self.chance:.2g})"
        )


def compared(ours: Model, theirs: Model) -> Comparison | None:
    """The two on the same pictures; None where they were not measured on the same."""
    mine, other = _measured(ours), _measured(theirs)
    if mine is None or other is None or mine[0] != other[0]:
        return None
    (_, n, right, wrong), (_, other_n, other_right, other_wrong) = mine, other
    if n != other_n:
        return None
    if wrong is not None and other_wrong is not None:
        lost, won = (wrong - other_wrong).total(), (other_wrong - wrong).total()
        return Comparison(right / n, other_right / n, n, at_least(lost, lost + won), "paired test")
    chance = _two_shares(right, other_right, n)
    return Comparison(right / n, other_right / n, n, chance, "test of two shares")


def lost_classes(ours: Model, theirs: Model) -> list[str]:
    """The classes that the other knows, and ours neither knows nor made its own out of (renamed,
    merged)."""
    known = {name for each in _classes(ours) for name in (each.get("name"), *_sources(each))}
    names = (each.get("name") for each in _classes(theirs))
    return [name for name in names if isinstance(name, str) and name not in known]


def _classes(model: Model) -> list[dict[str, Any]]:
    found = model.facts.get("classes")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _sources(told: dict[str, Any]) -> list[str]:
    found = told.get("sources")
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def _measured(model: Model) -> tuple[frozenset[str], int, int, Counter[str] | None] | None:
    """The pictures, how many, how many right, and the wrong ones where all are listed."""
    try:
        results = model.facts["results"]
        keys = model.splits[results["split"]]
        figure = results["figures"]["accuracy"]
        n, right = int(figure["n"]), round(float(figure["value"]) * int(figure["n"]))
        wrong = Counter(str(each.get("key")) for each in results["wrong_answers"])
        pictures = frozenset(map(str, keys))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None
    if n < 1 or not 0 <= right <= n:
        return None
    is_whole = wrong.total() == n - right and set(wrong) <= pictures
    return pictures, n, right, wrong if is_whole else None


def _two_shares(right: int, other: int, n: int) -> float:
    pooled = (right + other) / (2 * n)
    spread = (2 * pooled * (1 - pooled) / n) ** 0.5
    return NormalDist().cdf((right - other) / n / spread) if spread else 1.0


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
