"""Two classes that may be one: named alike but for capitals or a plural, or a small one misspelt."""

import itertools
import unicodedata
from dataclasses import replace

import numpy as np

from hf_resnet.checks.class_counts import FEWEST
from hf_resnet.checks.finding import Finding
from hf_resnet.checks.survey import NO_LABEL, Survey

_SHORTEST = 3
"""Shorter names differ by a letter all the time: 7 and 1, up and us."""

_SMALLER = 5
"""How many times smaller a misspelt class is: most of its pictures went where they belong."""


def find(survey: Survey) -> list[Finding]:
    """One finding a pair of classes, in the split where it shows first."""
    found: list[Finding] = []
    for split in survey.splits:
        label_M = survey.label_N[survey.of_split(split)]
        count_K = np.bincount(label_M[label_M != NO_LABEL], minlength=len(survey.labels))
        named = zip(survey.labels.names, count_K.tolist(), strict=True)
        told = {each.reason for each in found}
        for each in alike({name: count for name, count in named if count}):
            if each.reason not in told:
                found.append(replace(each, split=split))
    return sorted(found, key=lambda finding: -finding.score)


def alike(counts: dict[str, int]) -> list[Finding]:
    """The pairs of names that may mean one class; the score is 1 where they surely look like it."""
    found = []
    plain = {name: _plain(name) for name in counts}
    for pair in itertools.combinations(counts, 2):
        small, large = sorted(pair, key=lambda name: counts[name])
        if plain[small] == plain[large] and plain[small]:
            reason = f"{large!r} and {small!r} are named alike: are they one class?"
            found.append(Finding(reason, 1.0, label=small))
        elif (
            counts[small] < min(FEWEST, counts[large] / _SMALLER)
            and min(len(small), len(large)) >= _SHORTEST
            and _is_one_slip(plain[small], plain[large])
        ):
            reason = f"{small!r} may be {large!r} misspelt"
            found.append(Finding(reason, 0.5, label=small))
    return sorted(found, key=lambda finding: -finding.score)


def _plain(name: str) -> str:
    """The name without what people write now so, now so: capitals, spaces, marks, a plural."""
    letters = [each for each in name.casefold() if unicodedata.category(each)[0] in "LMN"]
    plain = "".join(letters)
    return plain[:-1] if len(plain) > _SHORTEST and plain.endswith("s") else plain


def _is_one_slip(one: str, other: str) -> bool:
    """Whether a letter more, less or other, or two that changed places, make one of the other."""
    if one == other or abs(len(one) - len(other)) > 1:
        return False
    short = min(len(one), len(other))
    start = next((i for i in range(short) if one[i] != other[i]), short)
    end = next((i for i in range(short - start) if one[-1 - i] != other[-1 - i]), short - start)
    rests = one[start : len(one) - end], other[start : len(other) - end]
    if any(letter.isdigit() for rest in rests for letter in rest):
        return False  # site 1 and site 2 are meant
    return max(map(len, rests)) <= 1 or (len(rests[0]) == 2 and rests[0] == rests[1][::-1])
