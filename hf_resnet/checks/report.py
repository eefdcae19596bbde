"""What was found: all of it in findings.json, a short table for the screen."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hf_resnet.checks import shift
from hf_resnet.checks.all_checks import CHECKS
from hf_resnet.checks.finding import Finding, told
from hf_resnet.checks.survey import NO_LABEL, Survey
from hf_resnet.errors import counted, listed
from hf_resnet.screen import one_line

SCHEMA = 1
JSON_FILE = "findings.json"
PAGE_FILE = "findings.html"
EXAMPLES = 3
_LONGEST = 60


@dataclass(frozen=True)
class Report:
    """Everything that was found in the pictures of a source."""

    source: str
    model: str | None
    survey: Survey
    found: Mapping[str, Sequence[Finding]]
    """By check; a check that was skipped is not there."""

    skipped: str | None
    """Why the checks that need a network were skipped."""

    @property
    def serious(self) -> Counter[str]:
        """How many serious findings each check has."""
        return Counter(
            name for name, findings in self.found.items() for each in findings if each.serious
        )

    def shifts(self) -> Mapping[str, tuple[float, float]]:
        """The area under the curve of telling each split from train, and how far it may be off."""
        return shift.scores(self.survey)


def checked(source: str, model: str | None, survey: Survey, skipped: str | None) -> Report:
    """Every check run on the survey; those that need a network only where one looked."""
    found = {
        name: tuple(check.find(survey))
        for name, check in CHECKS.items()
        if survey.seen is not None or not check.needs_network
    }
    return Report(source, model, survey, found, skipped)


def to_json(report: Report) -> dict[str, Any]:
    """The report in plain numbers."""
    survey = report.survey
    return {
        "schema": SCHEMA,
        "source": report.source,
        "model": report.model,
        "skipped": report.skipped,
        "pictures": class_counts(survey),
        "shift": {
            split: {"auroc": area, "doubt": doubt}
            for split, (area, doubt) in report.shifts().items()
        },
        "checks": {
            name: {
                "title": CHECKS[name].title,
                "advice": CHECKS[name].advice,
                "score": CHECKS[name].score,
                "found": len(findings),
            }
            for name, findings in report.found.items()
        },
        "findings": [
            told(name, finding, survey)
            for name, findings in report.found.items()
            for finding in findings
        ],
    }


def class_counts(survey: Survey) -> dict[str, dict[str, int]]:
    """How many usable pictures each class has in each split."""
    counts = {}
    for split in survey.splits:
        label_M = survey.label_N[survey.of_split(split)]
        count_K = np.bincount(label_M[label_M != NO_LABEL], minlength=len(survey.labels))
        counts[split] = dict(zip(survey.labels.names, count_K.tolist(), strict=True))
    return counts


def as_text(report: Report) -> bytes:
    return (json.dumps(to_json(report), indent=1, ensure_ascii=False) + "\n").encode(
        errors="backslashreplace"
    )


def table(report: Report) -> RenderableType:
    """The table for the screen: a line a check, its worst examples, and what to do."""
    parts: list[RenderableType] = [Text(headline(report), style="bold")]
    parts += [Text(f"  {line}") for line in remarks(report)]
    grid = Table.grid(padding=(0, 2))
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    clear = []
    for name, findings in report.found.items():
        if not findings:
            clear.append(CHECKS[name].title[:1].lower() + CHECKS[name].title[1:])
            continue
        grid.add_row("", "")
        grid.add_row(f"{len(findings):,}", Text(CHECKS[name].title, style="bold"))
        for finding in findings[:EXAMPLES]:
            grid.add_row("", Text(example(finding, report.survey)))
        grid.add_row("", Text(f"→ {CHECKS[name].advice}"))
    parts.append(grid)
    if clear:
        parts.append(Text(f"\nNothing found: {listed(clear, most=20)}"))
    return Group(*parts)


def headline(report: Report) -> str:
    survey = report.survey
    sizes = [
        f"{split} {int((survey.split_N == at).sum()):,}" for at, split in enumerate(survey.splits)
    ]
    classes = counted(len(survey.labels), "class")
    return f"{one_line(report.source)}: {counted(len(survey), 'picture')}, {classes}; {', '.join(sizes)}"


def remarks(report: Report) -> Iterator[str]:
    """What holds for the pictures as a whole."""
    if report.skipped:
        yield f"skipped what needs a network: {one_line(report.skipped)}"
    for split, (area, doubt) in report.shifts().items():
        if doubt:
            yield (
                f"{split} against train: AUROC {area:.2f} ± {doubt:.2f} "
                "(0.5: the same kind of pictures, 1: quite other ones)"
            )


def example(finding: Finding, survey: Survey) -> str:
    """A finding in one line."""
    if finding.picture is None:
        return ": ".join(one_line(part) for part in (finding.label, finding.reason) if part)
    where = f"{survey.class_of(finding.picture) or 'no class'}, {survey.split_of(finding.picture)}"
    line = f"{_end(survey.origins[finding.picture])} ({where}): {finding.reason}"
    if finding.other is not None:
        line += f": {_end(survey.origins[finding.other])}"
    return one_line(line)


def _end(path: str) -> str:
    """The end of a path, where paths differ."""
    return path if len(path) <= _LONGEST else f"…{path[1 - _LONGEST :]}"


def paths(folder: Path) -> str:
    return f"{folder / PAGE_FILE} (open it in a browser), {folder / JSON_FILE}"
