"""Calibration and robustness as pictures. No pyplot: a figure belongs to one call alone."""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hf_resnet.errors import counted
from hf_resnet.evaluation.measured import Measured
from hf_resnet.evaluation.studies import Robustness
from hf_resnet.metrics import Bin, wilson

INK, BLUE, ORANGE, GREY = "#1a1a1a", "#0072b2", "#d55e00", "#8a8a8a"
SHADES = ("#9ecae1", "#4292c6", "#084594")
"""Of a change's three strengths: the darker, the stronger; in grey as well."""


def calibration_plot(measured: Measured) -> bytes:
    """A PNG: how often answers are right against how sure they were, and how many there are of each."""
    figure = Figure(figsize=(5.6, 6.2), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, height_ratios=(3.2, 1), sharex=True)
    steps = [each for each in measured.steps if each.pictures]
    above.plot((0, 1), (0, 1), "--", color=GREY, linewidth=1, label="perfectly calibrated")
    _draw_steps(above, steps)
    above.set(ylim=(-0.02, 1.03), ylabel="share of them that are right")
    above.legend(loc="lower right", frameon=False, fontsize=9)
    error = measured.figures["ece"]
    above.set_title(
        f"{counted(measured.n, 'picture')} of {measured.split}; below the line: surer than right\n"
        f"calibration error {100 * error.value:.1f} % (95 %: {100 * error.low:.1f}–"
        f"{100 * error.high:.1f})",
        loc="left",
        fontsize=10,
    )
    widths = [each.high - each.low for each in measured.steps]
    below.bar(
        [each.low for each in measured.steps],
        [each.pictures for each in measured.steps],
        width=widths,
        align="edge",
        color=BLUE,
        edgecolor="white",
    )
    below.set(xlim=(0, 1), xlabel="probability of the answer", ylabel="pictures")
    for axes in (above, below):
        _plain(axes)
    return _png(figure)


def _draw_steps(axes: Axes, steps: Sequence[Bin]) -> None:
    """A mark for each step, with the interval of its share; the larger the mark, the more pictures."""
    intervals = [wilson(round(each.right * each.pictures), each.pictures) for each in steps]
    said, right = [each.said for each in steps], [each.right for each in steps]
    reach = [
        [share - interval.low for share, interval in zip(right, intervals, strict=True)],
        [interval.high - share for share, interval in zip(right, intervals, strict=True)],
    ]
    axes.errorbar(said, right, reach, fmt="none", ecolor=BLUE, alpha=0.5, linewidth=1)
    most = max(each.pictures for each in steps)
    area = [20 + 100 * each.pictures / most for each in steps]
    axes.scatter(said, right, area, color=BLUE, zorder=3, label="the model, with 95 % intervals")


def robustness_plot(found: Robustness) -> bytes:
    """A PNG: the accuracy by kind and strength of change, against the unchanged pictures."""
    kinds = list(dict.fromkeys(each.kind for each in found.changed))
    kinds.sort(key=lambda kind: _mean_of(found, kind))
    figure = Figure(figsize=(7.2, 0.62 * len(kinds) + 1.7), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for place, kind in enumerate(kinds):
        there = [each for each in found.changed if each.kind == kind]
        for number, each in enumerate(there):
            height = 0.78 / len(there)
            y = place - 0.39 + (number + 0.5) * height
            accuracy = each.accuracy
            axes.barh(y, 100 * accuracy.value, height, color=SHADES[each.strength - 1])
            axes.plot((100 * accuracy.low, 100 * accuracy.high), (y, y), color=INK, linewidth=0.8)
    clean = found.clean
    axes.axvspan(100 * clean.low, 100 * clean.high, color=ORANGE, alpha=0.12, linewidth=0)
    axes.axvline(100 * clean.value, color=ORANGE, linewidth=1.5)
    axes.set_yticks(np.arange(len(kinds)), kinds)
    axes.set(xlim=(0, 100), xlabel="right answers, %; thin lines and the band: 95 % intervals")
    axes.invert_yaxis()
    axes.set_title(
        f"Changed pictures, the worst first: {clean.n:,} pictures at three strengths, the darker the "
        f"stronger\norange: unchanged, {100 * clean.value:.1f} %; all changes on average "
        f"{100 * found.mean:.1f} %",
        loc="left",
        fontsize=10,
    )
    _plain(axes)
    return _png(figure)


def _mean_of(found: Robustness, kind: str) -> float:
    return float(np.mean([each.accuracy.value for each in found.changed if each.kind == kind]))


def _plain(axes: Axes) -> None:
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110, facecolor="white")
    return file.getvalue()
