"""The same picture twice within a split and a class: it counts double and teaches nothing."""

from hf_resnet.checks.finding import Finding
from hf_resnet.checks.same import best_of, groups, how
from hf_resnet.checks.survey import Survey


def find(survey: Survey) -> list[Finding]:
    """Every copy beyond the first; the score is how much alike the two are (1: the same bytes)."""
    found = []
    for group in groups(survey):
        kept: dict[tuple[int, int], list[int]] = {}
        for number in group:
            place = int(survey.split_N[number]), int(survey.label_N[number])
            first = best_of(survey, number, kept[place]) if place in kept else None
            if first is None:
                kept.setdefault(place, []).append(number)
                continue
            other, likeness = first
            reason = f"{how(likeness)} is there already"
            found.append(Finding(reason, likeness, picture=number, other=other))
    return sorted(found, key=lambda finding: -finding.score)
