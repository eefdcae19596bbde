"""The same picture in two splits: what a model is measured on, it has learned by heart."""

import operator

from hf_resnet.checks.finding import Finding
from hf_resnet.checks.same import best_of, facing, groups, how
from hf_resnet.checks.survey import Survey


def find(survey: Survey) -> list[Finding]:
    """Every picture of an earlier split (train, validation) that is in a later one too, so that
    taking away what is found leaves the later one as it was; the score is how much alike the two
    are."""
    found = []
    for group in groups(survey):
        for number, later in facing(group, survey.split_N, operator.lt):
            there = best_of(survey, number, later)
            if there is not None:
                other, likeness = there
                reason = f"{how(likeness)} is in {survey.split_of(other)}"
                found.append(Finding(reason, likeness, picture=number, other=other, serious=True))
    return sorted(found, key=lambda finding: -finding.score)
