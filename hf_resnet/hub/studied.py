"""What was studied of a model beyond its figures, a line each for its card.

Read from the facts as they lie in the file, which may be of any shape: what is not as it should be is
not told. Knows nothing of how it was found.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hf_resnet.errors import counted
from hf_resnet.hub.marked import cell

Study = Mapping[str, Any]


def studied(results: Mapping[str, Any]) -> Iterator[str]:
    """A line for each study that the results hold."""
    for name, tell in _STUDIES.items():
        try:
            if name in results:
                yield tell(results[name])
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, ZeroDivisionError):
            continue  # of another shape than we write


def _calibration(found: Study) -> str:
    return (
        f"How sure it is was set right with a temperature of {float(found['temperature']):.3f}, "
        f"fitted on {_pictures(found)}: the calibration error there is {_percent(found['ece_after'])}, "
        f"and was {_percent(found['ece_before'])}."
    )


def _abstain(found: Study) -> str:
    wanted = _percent(found["precision"])
    if found["below"] is None:
        return f"Every answer may stand: {wanted} were right as it is, on {_pictures(found)}."
    line = (
        f"Below {_percent(found['below'])} its answers had better not be used, so that {wanted} of the "
        f"others are right; found on {_pictures(found)}, of which {_percent(found['coverage'])} were "
        "answered"
    )
    if found.get("measured_precision") and found.get("measured_coverage"):
        right, answered = found["measured_precision"], found["measured_coverage"]
        line += (
            f". When measured, {_percent(answered['value'])} were answered, and of these "
            f"{_figure(right)} right"
        )
    return f"{line}."


def _robustness(found: Study) -> str:
    changed = [(float(each["accuracy"]["value"]), each) for each in found["changed"]]
    mean = sum(share for share, _ in changed) / len(changed)
    share, worst = min(changed, key=lambda each: each[0])
    kinds = counted(len({str(each["kind"]) for _, each in changed}), "kind")
    return (
        f"On pictures that are blurred, noisy or otherwise changed ({kinds} of change) {_percent(mean)} "
        f"are right on average, where {_figure(found['clean'])} are, unchanged; worst is "
        f"{cell(worst['kind'])} at strength {int(worst['strength'])}, with {_percent(share)}."
    )


_STUDIES: dict[str, Callable[[Study], str]] = {
    "calibration": _calibration,
    "abstain": _abstain,
    "robustness": _robustness,
}


def _pictures(found: Study) -> str:
    return f"{int(found['n']):,} {cell(found['split'])} pictures"


def _figure(found: Study) -> str:
    low, high = (100 * float(found[key]) for key in ("low", "high"))
    return f"{_percent(found['value'])} ({low:.1f} to {high:.1f})"


def _percent(share: Any) -> str:
    return f"{100 * float(share):.1f} %"
