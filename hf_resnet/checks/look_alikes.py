"""Pictures that a network takes for nearly the same: crops of one photo, mirrored ones, the next
picture of a burst or a film.

They are not the same picture, so they are shown and left where they are. Where they stand in two
splits, the figures flatter. The surprise: how near is near depends on the pictures. A pair stands out
where it is far nearer than pictures here usually are to the one nearest to them.
"""

import numpy as np

from hf_resnet.checks.finding import Finding
from hf_resnet.checks.same import groups
from hf_resnet.checks.seen import Seen
from hf_resnet.checks.survey import Survey

OUTSTANDING = 1 / 4
"""Of the usual distance to the nearest."""

FARTHEST = 0.15
"""1 - cosine; nothing farther apart is alike, however far apart the others are."""


def find(survey: Survey) -> list[Finding]:
    """The nearest look-alike of each picture, each pair once; the score is the cosine."""
    seen = survey.seen
    if seen is None or len(seen.number_M) < 2:
        return []
    position_MC, apart_MC = seen.nearest
    limit = min(FARTHEST, OUTSTANDING * float(np.median(apart_MC[:, 0])))
    group_of = {number: at for at, group in enumerate(groups(survey)) for number in group}
    pairs: dict[tuple[int, int], float] = {}
    for row in np.flatnonzero(apart_MC[:, 0] <= limit).tolist():
        number = int(seen.number_M[row])
        for other, apart in _near(seen, position_MC[row], apart_MC[row], limit):
            if group_of.get(number, -1) != group_of.get(other, -2):
                pairs.setdefault((min(number, other), max(number, other)), 1 - apart)
                break
    found = [
        Finding(_reason(survey, one, other), likeness, picture=one, other=other)
        for (one, other), likeness in pairs.items()
    ]
    return sorted(found, key=lambda finding: -finding.score)


def _near(
    seen: Seen, position_C: np.ndarray, apart_C: np.ndarray, limit: float
) -> list[tuple[int, float]]:
    near = (position_C >= 0) & (apart_C <= limit)
    return list(zip(seen.number_M[position_C[near]].tolist(), apart_C[near].tolist(), strict=True))


def _reason(survey: Survey, one: int, other: int) -> str:
    where = "nearly the same to the network"
    if survey.split_N[one] != survey.split_N[other]:
        where += f", in {survey.split_of(other)}"
    if survey.label_N[one] != survey.label_N[other]:
        where += f", filed as {survey.class_of(other)}"
    return where
