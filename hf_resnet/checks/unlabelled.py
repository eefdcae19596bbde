"""Pictures that nobody named: they may be good ones, and a run passes over them all the same."""

from hf_resnet.checks.finding import Finding
from hf_resnet.checks.survey import Survey
from hf_resnet.data.rows import NO_CLASS


def find(survey: Survey) -> list[Finding]:
    """Every row without a class; the score is 1."""
    return [
        Finding(reason, 1.0, picture=number)
        for number, reason in survey.problems.items()
        if reason == NO_CLASS
    ]
