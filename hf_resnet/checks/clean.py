"""A list of the training pictures that are left when what is wrong is taken away.

It is a table of paths and classes, as `finetune --train_file` takes it. Pictures stay where they
are. The surprise: of a leak it is the training picture that goes, and of a contradiction both do.
"""

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hf_resnet.checks.all_checks import CHECKS
from hf_resnet.checks.finding import Finding
from hf_resnet.checks.survey import Survey
from hf_resnet.data import Data
from hf_resnet.errors import ConfigError
from hf_resnet.writing import on_disk, write_all


@dataclass(frozen=True)
class Clean:
    """What is left, and how many training pictures each check took away."""

    rows: tuple[tuple[str, str], ...]
    """(file, class)"""

    left_out: dict[str, int]
    """By check; a picture counts for the first check that found it."""

    classes_gone: tuple[str, ...]


def check_possible(data: Data, path: Path) -> None:
    """ConfigError where there are no files to list, or the list would take the place of a file."""
    if path.exists():
        raise ConfigError(f"{path} is there already; name another file with --write_clean")
    if data.train is None:
        raise ConfigError("--write_clean lists training pictures, and none are named; leave it out")
    first = next(data.train.rows(), None)
    # a row of a folder or a table of paths is a file even where that cannot be read
    if first is not None and first.origin.startswith(f"{data.train.parts[0].place.title} row "):
        raise ConfigError(
            f"--write_clean lists files, and {data.source} keeps its pictures inside the data set; "
            "leave it out: findings.json names the rows"
        )


def clean(survey: Survey, found: Mapping[str, Sequence[Finding]]) -> Clean:
    """The training pictures that no check of those that count has found."""
    taken: dict[int, str] = {}
    train = survey.splits.index("train")
    for name, check in CHECKS.items():
        for finding in found.get(name, ()) if check.left_out else ():
            if finding.picture is not None and survey.split_N[finding.picture] == train:
                taken.setdefault(finding.picture, name)
    left = [at for at in survey.of_split("train").tolist() if at not in taken]
    if strays := [at for at in left if not Path(survey.origins[at]).is_file()]:
        raise ConfigError(
            f"--write_clean lists files, and {survey.origins[strays[0]]} is none (one of "
            f"{len(strays):,}); leave it out: findings.json names the rows"
        )
    rows = tuple((os.path.abspath(survey.origins[at]), str(survey.class_of(at))) for at in left)  # noqa: PTH100  links stay links
    there = {name for _, name in rows}
    counts = {name: list(taken.values()).count(name) for name in CHECKS if CHECKS[name].left_out}
    gone = tuple(name for name in survey.labels if name not in there)
    return Clean(rows, counts, gone)


def write(kept: Clean, path: Path) -> None:
    """Write the list."""
    as_lines = path.suffix.lower() == ".jsonl"
    content = _lines(kept) if as_lines else _table(kept, path)
    with on_disk(f"the list {path}", "name another file with --write_clean"):
        write_all(path.parent, {path.name: content})


def _lines(kept: Clean) -> bytes:
    lines = (json.dumps({"image": file, "label": label}) for file, label in kept.rows)
    return "".join(f"{line}\n" for line in lines).encode()


def _table(kept: Clean, path: Path) -> bytes:
    for row in kept.rows:
        if "\r" in "".join(row):
            raise ConfigError(
                f"{row[0]!r} has a line break in its name or class that CSV does not keep; give "
                f"--write_clean {path.with_suffix('.jsonl')}"
            )
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("image", "label"))
    writer.writerows(kept.rows)
    return out.getvalue().encode()
