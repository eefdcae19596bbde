"""What a measurement found: a frozen record, and its stable JSON form.

The classes here are those that the data has, in the model's order, then those that the data lacks
and the model answered all the same; a model may have thousands more, which are not listed.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from hf_resnet.engine import BadPicture
from hf_resnet.evaluation.figure import Figure
from hf_resnet.evaluation.studies import Studies
from hf_resnet.metrics import Bin
from hf_resnet.metrics.arrays import IntArray
from hf_resnet.metrics.intervals import LEVEL

SCHEMA = 4
MOST_WRONG = 200
MOST_COUNTED = 2000
CHOSEN_ON = (
    "the epoch was chosen on these pictures too, so the figures are a little too good; --test_dir "
    "names others to measure on"
)


@dataclass(frozen=True)
class ClassFigures:
    """One class of the data. A figure that would divide by zero is 0, and has no interval."""

    name: str
    pictures: int
    answered: int
    precision: float
    recall: float
    f1: float
    precision_low: float | None = None
    precision_high: float | None = None
    """The interval of the precision (95 %, Wilson's), and below that of the recall."""

    recall_low: float | None = None
    recall_high: float | None = None


@dataclass(frozen=True)
class Mistake:
    """One kind of mistake: `count` pictures of class `truth` were answered `answer`."""

    truth: str
    answer: str
    count: int
    share: float
    """Of the pictures of class `truth`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One picture: what it is, what the model said, and how likely it held that to be."""

    key: str
    origin: str
    truth: str
    prediction: str
    probability: float

    @property
    def right(self) -> bool:
        return self.truth == self.prediction


@dataclass(frozen=True)
class Measured:
    """A classifier measured on a split."""

    split: str
    names: tuple[str, ...]
    """The classes of `matrix_KK`, in its order."""

    figures: dict[str, Figure]
    """By their name in METRICS."""

    classes: tuple[ClassFigures, ...]
    """The classes of the data."""

    confused: tuple[Mistake, ...]
    """The mistakes made most often, most often first."""

    bad: tuple[BadPicture, ...]
    """Files that could not be used; they are in no figure."""

    outcomes: tuple[Outcome, ...]
    """Every picture that could, in the order of the split."""

    notes: tuple[str, ...]
    matrix_KK: IntArray = field(compare=False)
    """Counts; row: the truth, column: the answer. It says nothing that `outcomes` does not."""

    steps: tuple[Bin, ...] = ()
    """The answers by how sure they were, and how many of them were right."""

    studies: Studies = field(default_factory=Studies)
    """What was asked for beyond the figures."""

    @property
    def n(self) -> int:
        """How many pictures the figures are of."""
        return len(self.outcomes)

    def knowing(self, learned: Collection[str]) -> "Measured":
        """The same, saying of how many of the pictures (by key) the model has learned."""
        count = sum(outcome.key in learned for outcome in self.outcomes)
        note = (
            f"the model learned from {count:,} of these {self.n:,} pictures; "
            "on pictures it has not seen it will do worse"
        )
        return replace(self, notes=(*self.notes, note)) if count else self

    def to_json(self) -> dict[str, Any]:
        """All but the right answers, in plain numbers; files of another SCHEMA differ in keys.

        At most MOST_WRONG wrong answers are listed, those the model was surest of first. Above
        MOST_COUNTED classes the counts are left out (null): they would grow with their square.
        """
        counted = len(self.names) <= MOST_COUNTED
        return {
            "schema": SCHEMA,
            "split": self.split,
            "n": self.n,
            "interval_level": LEVEL,
            "figures": {name: asdict(figure) for name, figure in self.figures.items()},
            "classes": [asdict(each) for each in self.classes],
            "most_confused": [asdict(each) for each in self.confused],
            "confusion": {
                "names": list(self.names),
                "counts": self.matrix_KK.tolist() if counted else None,
            },
            "wrong_answers": [
                {
                    "key": each.key,
                    "file": each.origin,
                    "label": each.truth,
                    "predicted": each.prediction,
                    "probability": each.probability,
                }
                for each in mistakes(self.outcomes)[:MOST_WRONG]
            ],
            "reliability": [asdict(each) for each in self.steps],
            "bad_pictures": [asdict(each) for each in self.bad],
            "notes": list(self.notes),
            **self.studies.to_json(),
        }


def mistakes(outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
    """The wrong answers, those that the model was surest of first."""
    wrong = [outcome for outcome in outcomes if not outcome.right]
    order = np.argsort([-outcome.probability for outcome in wrong], kind="stable")
    return tuple(wrong[i] for i in order)
