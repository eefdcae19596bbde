"""How many pictures each class has: too few to learn from, or far fewer than another."""

import numpy as np

from hf_resnet.checks.finding import Finding
from hf_resnet.checks.survey import NO_LABEL, Survey

FEWEST = 10
"""With fewer pictures of a class, neither a head nor a figure about it is worth much."""

UNEVEN = 10.0
"""The largest class of a split over the smallest."""


def find(survey: Survey) -> list[Finding]:
    """One finding a class and split, and one for a split that is uneven."""
    found = []
    for split in survey.splits:
        label_M = survey.label_N[survey.of_split(split)]
        count_K = np.bincount(label_M[label_M != NO_LABEL], minlength=len(survey.labels))
        counts = dict(zip(survey.labels.names, count_K.tolist(), strict=True))
        found += [*small(counts, split), *uneven(counts, split)]
    return sorted(found, key=lambda finding: -finding.score)


def small(counts: dict[str, int], split: str) -> list[Finding]:
    """The classes that are too small; the score is how many times too small."""
    return [
        Finding(
            f"{count} usable in {split}; have at least {FEWEST}",
            FEWEST / max(count, 0.5),
            label=name,
            split=split,
            serious=not count and split == "train",
        )
        for name, count in counts.items()
        if count < FEWEST
    ]


def uneven(counts: dict[str, int], split: str) -> list[Finding]:
    """Whether some classes are far larger than others; the score is the largest over the smallest."""
    there = {name: count for name, count in counts.items() if count}
    if not there:
        return []
    large, least = (
        max(there, key=lambda name: there[name]),
        min(there, key=lambda name: there[name]),
    )
    ratio = there[large] / there[least]
    if ratio < UNEVEN:
        return []
    reason = f"uneven in {split}: {there[large]:,} pictures of {large}, {there[least]:,} of {least}"
    return [Finding(reason, ratio, label=least, split=split)]
