"""Files that are no picture, or no longer: cut off, damaged, far too large, gone."""

from hf_resnet.checks.finding import Finding
from hf_resnet.checks.survey import Survey
from hf_resnet.data.rows import NO_CLASS


def find(survey: Survey) -> list[Finding]:
    """Every picture that cannot be used; the score is 1."""
    return [
        Finding(reason, 1.0, picture=number, serious=True)
        for number, reason in survey.problems.items()
        if reason != NO_CLASS
    ]
