"""The studies of a measurement in sentences, the same on the screen and on the page."""

from collections.abc import Iterator

from hf_resnet.errors import counted
from hf_resnet.evaluation.figure import Figure
from hf_resnet.evaluation.studies import (
    Abstain,
    Calibration,
    Comparison,
    Conformal,
    Groups,
    Outside,
    Robustness,
    Studies,
)

MOST_GROUPS = 12


def told(studies: Studies) -> Iterator[tuple[str, list[str]]]:
    """A heading and its lines for each study that is there."""
    if studies.calibration:
        yield "Calibrated", [_calibration(studies.calibration)]
    if studies.abstain:
        yield "When not to answer", _abstain(studies.abstain)
    if studies.conformal:
        yield "Sets of classes", _conformal(studies.conformal)
    if studies.comparison:
        yield f"Against {studies.comparison.other}", _comparison(studies.comparison)
    if studies.by:
        yield f"By {studies.by.column}", _groups(studies.by)
    if studies.outside:
        yield "Pictures of none of the classes", _outside(studies.outside)
    if studies.robustness:
        yield "Changed pictures", _robustness(studies.robustness)


def short(figure: Figure) -> str:
    """95.2 % (91.3–97.4)"""
    return f"{_percent(figure.value)} ({100 * figure.low:.1f}–{100 * figure.high:.1f})"


def _calibration(found: Calibration) -> str:
    grown = "" if found.ece_after < found.ece_before else " (no smaller)"
    return (
        f"temperature {found.temperature:.3f}, fitted on {counted(found.n, 'picture')} "
        f"({found.split}): calibration error there {_percent(found.ece_before)} before, "
        f"{_percent(found.ece_after)} after{grown}; log loss "
        f"{found.log_loss_before:.3f} and {found.log_loss_after:.3f} (each on pictures "
        "it was not fitted on)"
    )


def _abstain(found: Abstain) -> list[str]:
    on = f"found on {counted(found.n, 'picture')} ({found.split})"
    if found.below is None:
        lines = [f"every answer may stand: {_percent(found.precision)} are right as it is; {on}"]
    else:
        lines = [
            f"below {_percent(found.below)}, so that {_percent(found.precision)} of what is answered "
            f"is right; {on}, where {_percent(found.coverage)} is answered"
        ]
    if found.measured_coverage:
        right = found.measured_precision
        told_right = f"{short(right)} of that right, n = {right.n:,}" if right else "nothing right"
        lines.append(f"here {short(found.measured_coverage)} is answered, and {told_right}")
    return lines


def _conformal(found: Conformal) -> list[str]:
    lines = [
        f"every class from {_percent(found.least)} on, so that the right one is among them for "
        f"{_percent(found.level)} of the pictures; found on {counted(found.n, 'picture')} "
        f"({found.split})"
    ]
    if found.measured_coverage and found.mean_size is not None and found.empty is not None:
        lines.append(
            f"here it is for {short(found.measured_coverage)}; {found.mean_size:.2f} classes on "
            f"average, none for {_percent(found.empty)} of the pictures"
        )
    return lines


def _comparison(found: Comparison) -> list[str]:
    difference, low, high = (100 * each for each in (found.difference, found.low, found.high))
    chance = "p < 0.001" if found.chance < 0.001 else f"p = {found.chance:.2g}"
    left = (
        f" ({counted(found.left_out, 'other')} only one of them could use)"
        if found.left_out
        else ""
    )
    if found.learned:
        left += f" ({counted(found.learned, 'other')} left out, from which one of them has learned)"
    verdict = "more than chance explains" if found.chance < 0.05 else "chance explains it"
    return [
        f"{_percent(found.ours)} right where that has {_percent(found.theirs)}: "
        f"{difference:+.1f} points (95 %: {low:+.1f} to {high:+.1f}), on the same {found.n:,} pictures"
        f"{left}",
        f"{found.won:,} are right here alone, {found.lost:,} there alone: {verdict} "
        f"(McNemar's exact test, {chance})",
    ]


def _groups(found: Groups) -> list[str]:
    lines = [
        f"{group.value}: {short(group.accuracy)}, n = {group.accuracy.n:,}"
        for group in found.groups[:MOST_GROUPS]
    ]
    left = len(found.groups) - MOST_GROUPS
    return lines if left <= 0 else [*lines, f"… and {left:,} more in metrics.json"]


def _outside(found: Outside) -> list[str]:
    left = f" ({counted(found.left_out, 'file')} could not be used)" if found.left_out else ""
    return [
        f"{counted(found.outside, 'picture')} of {found.source}{left} against the {found.inside:,} "
        "measured on; 50 % is a guess",
        f"told apart by the largest probability: AUROC {short(found.max_softmax)}",
        f"told apart by the energy: AUROC {short(found.energy)}",
    ]


def _robustness(found: Robustness) -> list[str]:
    worst = sorted(found.changed, key=lambda each: each.accuracy.value)[:3]
    names = ", ".join(
        f"{each.kind} at strength {each.strength} ({_percent(each.accuracy.value)})"
        for each in worst
    )
    return [
        f"{_percent(found.mean)} right on average, where {short(found.clean)} of the same "
        f"{counted(found.clean.n, 'picture')} are, unchanged",
        f"worst: {names}",
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
