"""What a run tells while it goes: a line of JSON a step, and a picture of the curves.

The lines are those of the steps that count: where a run is taken up at an earlier checkpoint, the
lines after it are taken back, so that the log reads as if nothing had happened.
"""

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TextIO

from hf_resnet.writing import on_disk

LOG_FILE = "log.jsonl"
_ADVICE = "make room and run the same command again, the last checkpoint is whole"
CURVE_FILE = "curve.png"


def _take_back(path: Path, steps: int) -> None:
    """Keep only the lines of the first `steps` steps; one that was cut short goes as well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = [json.dumps(line) for line in read(path) if line["step"] <= steps]
    fresh = path.with_name(f".{path.name}.part")
    fresh.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    fresh.replace(path)


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of the log that are whole."""
    if not path.is_file():
        return []
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):  # a kill cut it short
            break
        if not (isinstance(told, dict) and _has_numbers(told)):
            break
        found.append(told)
    return found


def _has_numbers(line: Mapping[str, Any]) -> bool:
    return all(isinstance(line.get(name), int | float) for name in ("step", "loss"))


class Log:
    """`with Log(path, after=120) as log: log.write(line)`: goes on after the line of step 120.

    Each line is with the operating system before the next step begins. With shown=False nothing is
    written, for the processes that are not the main one.
    """

    def __init__(self, path: Path, *, after: int, shown: bool = True) -> None:
        self._file: TextIO | None = None
        self._what = f"the log {path}"
        if shown:
            with on_disk(self._what, _ADVICE):
                _take_back(path, after)
                self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # said already, when the line was written
                self._file.close()

    def write(self, line: Mapping[str, Any]) -> None:
        if self._file is not None:
            with on_disk(self._what, _ADVICE):
                self._file.write(json.dumps(line) + "\n")
                self._file.flush()


def draw(folder: Path, epochs: Sequence[Mapping[str, Any]]) -> None:
    """The loss of every step, and the figures on the validation pictures after every epoch."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    steps = read(folder / LOG_FILE)
    figure = Figure(figsize=(9, 3.6), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    left.plot([each["step"] for each in steps], [each["loss"] for each in steps], lw=0.6, alpha=0.4)
    smooth = _smooth([each["loss"] for each in steps])
    left.plot([each["step"] for each in steps], smooth, lw=2, color="C0")
    left.set(title="loss on what is learned from", xlabel="step", ylabel="loss")
    left.set_ylim(bottom=0)
    for name in sorted({name for each in epochs for name in each["figures"]} - {"log_loss"}):
        shown = [(each["epoch"], 100 * each["figures"][name]) for each in epochs]
        right.plot(*zip(*shown, strict=True), marker="o", ms=4, label=name.replace("_", " "))
    right.set(title="on the validation pictures", xlabel="epoch", ylabel="%")
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if epochs:
        right.legend(frameon=False)
        right.set_ylim(top=min(right.get_ylim()[1], 100.5))
    for axes in (left, right):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    fresh = folder / f".{CURVE_FILE}"
    figure.savefig(fresh, format="png")
    fresh.replace(folder / CURVE_FILE)


def _smooth(values: list[float], share: float = 0.9) -> list[float]:
    """A running average that is not drawn towards 0 at its beginning."""
    smoothed, total, weight = [], 0.0, 0.0
    for value in values:
        total, weight = share * total + (1 - share) * value, share * weight + (1 - share)
        smoothed.append(total / weight)
    return smoothed
