"""One thing that is wrong: which picture, why, and how sure.

Knows pictures by their number in a survey; `told` gives a finding as the report holds it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hf_resnet.checks.survey import Survey


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    reason: str
    score: float
    """How bad or how sure, more is worse; what it measures stands with the check."""

    picture: int | None = None
    """Its number in the survey; None for what is wrong with a class or a split as a whole."""

    other: int | None = None
    """The second picture, of pairs."""

    label: str | None = None
    """The class, where there is no picture."""

    split: str | None = None
    serious: bool = False
    """Whether figures measured with it would be wrong: what --strict stops at."""


@dataclass(frozen=True)
class Check:
    """A check as the table and the page show it."""

    title: str
    advice: str
    """What to do about its findings."""

    score: str
    """What the score of a finding is."""

    find: Callable[[Survey], list[Finding]]
    """The findings, the worst first."""

    needs_network: bool = False
    left_out: bool = False
    """Whether --write_clean leaves the pictures out that it finds."""


def told(name: str, finding: Finding, survey: Survey) -> dict[str, Any]:
    """A finding as findings.json has it."""
    first = _picture(finding.picture, survey)
    if finding.picture is None:
        first = {"file": None, "class": finding.label, "split": finding.split, "row": None}
    return {
        "check": name,
        **first,
        "reason": finding.reason,
        "score": round(float(finding.score), 4),
        "serious": finding.serious,
        "other": None if finding.other is None else _picture(finding.other, survey),
    }


def _picture(number: int | None, survey: Survey) -> dict[str, Any]:
    if number is None:
        return {}
    return {
        "file": survey.origins[number],
        "class": survey.class_of(number),
        "split": survey.split_of(number),
        "row": int(survey.row_N[number]),
    }
