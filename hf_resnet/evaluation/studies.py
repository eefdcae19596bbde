"""What a measurement may hold beyond the figures: plain records, each there only where it was asked for.

How they are found stands in a file each; here they are only what is kept, shown and written.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any

from hf_resnet.evaluation.figure import Figure


@dataclass(frozen=True)
class Calibration:
    """A temperature folded into the last layer, and what it did to the pictures it was fitted on."""

    temperature: float
    n: int
    split: str
    ece_before: float
    ece_after: float
    """On pictures that the temperature was not fitted on, each fifth in its turn."""

    log_loss_before: float
    log_loss_after: float
    """Likewise."""


@dataclass(frozen=True)
class Abstain:
    """The probability below which the model had better not answer."""

    precision: float
    """What was asked for."""

    below: float | None
    """None where every answer may stand."""

    n: int
    """Pictures it was found on,"""

    split: str
    """of this split,"""

    coverage: float
    """of which so large a share is answered."""

    measured_precision: Figure | None = None
    """Of what is answered, on the pictures of the measurement; None where nothing is."""

    measured_coverage: Figure | None = None


@dataclass(frozen=True)
class Conformal:
    """The probability from which on a class is named, so that the right one is seldom missing."""

    level: float
    least: float
    n: int
    split: str
    measured_coverage: Figure | None = None
    """How often the right class is among those named."""

    mean_size: float | None = None
    """Classes named for a picture, on average,"""

    empty: float | None = None
    """and the share of pictures for which none is."""


@dataclass(frozen=True)
class Comparison:
    """Another model on the same pictures."""

    other: str
    ours: float
    theirs: float
    low: float
    """The interval of ours - theirs."""

    high: float
    won: int
    """Pictures that this model alone has right,"""

    lost: int
    """and the other alone."""

    chance: float
    """McNemar's exact test: how likely so uneven a pair is for models that are equally good."""

    n: int
    """Pictures that both could use,"""

    left_out: int = 0
    """and those that one of them alone could."""

    learned: int = 0
    """Pictures left out, since one of the models has learned from them."""

    @property
    def difference(self) -> float:
        return self.ours - self.theirs


@dataclass(frozen=True)
class Group:
    """The pictures with one value of a column."""

    value: str
    accuracy: Figure


@dataclass(frozen=True)
class Groups:
    """The accuracy by a column of the data."""

    column: str
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Outside:
    """How well the model's doubt tells pictures of none of its classes: 50 % is a guess."""

    source: str
    outside: int
    """Pictures of none of the classes,"""

    inside: int
    """and those that were measured on."""

    max_softmax: Figure
    energy: Figure
    left_out: int = 0
    """Files of none of the classes that could not be used."""


@dataclass(frozen=True)
class Changed:
    """The accuracy on pictures that were changed in one way."""

    kind: str
    strength: int
    accuracy: Figure


@dataclass(frozen=True)
class Robustness:
    """The accuracy on the same pictures, plain and changed."""

    clean: Figure
    changed: tuple[Changed, ...]

    @property
    def mean(self) -> float:
        """Of all kinds and strengths alike."""
        return sum(each.accuracy.value for each in self.changed) / len(self.changed)


@dataclass(frozen=True)
class Studies:
    """Each None where it was not asked for."""

    calibration: Calibration | None = None
    abstain: Abstain | None = None
    conformal: Conformal | None = None
    comparison: Comparison | None = None
    by: Groups | None = None
    outside: Outside | None = None
    robustness: Robustness | None = None

    def to_json(self) -> dict[str, Any]:
        """Those that are there; `abstain_below` by itself too, where the page looks for it."""
        there = {each.name: getattr(self, each.name) for each in fields(self)}
        found: dict[str, Any] = {
            name: asdict(each) for name, each in there.items() if each is not None
        }
        if self.abstain and self.abstain.below is not None:
            found["abstain_below"] = self.abstain.below
        return found
