"""The same picture under two classes: one of the two is wrong, and nobody can learn from both."""

import operator

from hf_resnet.checks.finding import Finding
from hf_resnet.checks.same import best_of, facing, groups, how
from hf_resnet.checks.survey import NO_LABEL, Survey


def find(survey: Survey) -> list[Finding]:
    """Every picture that stands under another class too; the score is how much alike the two are."""
    found = []
    for group in groups(survey):
        labelled = [at for at in group if survey.label_N[at] != NO_LABEL]
        for number, others in facing(labelled, survey.label_N, operator.ne):
            there = best_of(survey, number, others)
            if there is not None:
                other, likeness = there
                reason = f"{how(likeness)} is {survey.class_of(other)} elsewhere"
                found.append(Finding(reason, likeness, picture=number, other=other, serious=True))
    return sorted(found, key=lambda finding: -finding.score)
