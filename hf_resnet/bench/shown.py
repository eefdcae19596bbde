"""What was measured, for people: lines on the screen, a Markdown table, and a chart of the ratios."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hf_resnet.bench.summary import Compared, Found, Ratio

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_OURS, _WORSE, _INK = "#2a6f97", "#b5651d", "#333333"
_ROW_INCHES, _TITLE_ROWS = 0.26, 1.6


def number(value: float) -> str:
    """Two digits that count, and no more."""
    return f"{value:.2f}" if value < 2 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def line(row: Compared) -> str:
    """A row on the screen."""
    name = f"{row.case}, {row.side}" if row.case else row.side
    if row.times_faster is None:
        return f"  {name} against {row.against}: not measured: {row.problem}"
    return f"  {name} against {row.against}: {_range(row.times_faster)} times faster; {_notes(row)}"


def table(found: Mapping[str, Found]) -> str:
    """Markdown: one table a subject."""
    return "\n".join(part for each in found.values() for part in _table(each)) + "\n"


def _table(found: Found) -> Iterator[str]:
    yield f"### {found.title}"
    yield ""
    yield "| | against | times faster (lowest–highest) | memory, as a share | |"
    yield "|---|---|---|---|---|"
    for row in found.rows:
        name = f"{row.case}: {row.side}" if row.case else row.side
        if row.times_faster is None:
            yield f"| {name} | {row.against} | not measured | | {row.problem} |"
            continue
        memory = number(row.share_of_memory.median) if row.share_of_memory else ""
        times = _range(row.times_faster, bold="**")
        yield f"| {name} | {row.against} | {times} | {memory} | {_notes(row, with_memory=False)} |"
    yield ""


def _range(ratio: Ratio, bold: str = "") -> str:
    return f"{bold}{number(ratio.median)}{bold} ({number(ratio.lowest)}–{number(ratio.highest)})"


def _notes(row: Compared, *, with_memory: bool = True) -> str:
    notes = []
    pace, faster = row.times_the_pace, row.times_faster
    if pace and faster and abs(math.log(pace.median / faster.median)) > 0.02:
        notes.append(f"{number(pace.median)} times the pictures a second")
    if row.share_of_memory and with_memory:
        notes.append(f"{number(row.share_of_memory.median)} of the memory")
    if row.growth and row.growth != (1.0, 1.0):
        mine, other = map(number, row.growth)
        notes.append(f"takes {mine} times as long as the smallest, the other {other} times")
    if row.accuracy:
        notes.append(
            f"accuracy {100 * row.accuracy[0]:.1f} % against {100 * row.accuracy[1]:.1f} %"
        )
    if row.same_answers is not None:
        notes.append(f"same answer for {100 * row.same_answers:.1f} %")
    return ", ".join(notes)


def draw(found: Mapping[str, Found], path: Path) -> None:
    """A bar a row, from 1, each subject against the first of its usual ways."""
    from matplotlib.figure import Figure

    shown = {name: _first_usual(each) for name, each in found.items()}
    shown = {name: rows for name, rows in shown.items() if rows}
    if not shown:
        return
    heights = [len(rows) + _TITLE_ROWS for rows in shown.values()]
    figure = Figure(figsize=(9, max(2.0, _ROW_INCHES * sum(heights) + 0.5)), layout="constrained")
    plots = figure.subplots(len(shown), 1, squeeze=False, height_ratios=heights)
    for axes, (name, rows) in zip(plots[:, 0], shown.items(), strict=True):
        _bars(axes, found[name].title, rows)
    figure.savefig(path, dpi=120)


def _first_usual(found: Found) -> list[Compared]:
    measured = [row for row in found.rows if row.times_faster is not None]
    return [row for row in measured if row.against == measured[0].against]


def _bars(axes: "Axes", title: str, rows: list[Compared]) -> None:
    from matplotlib.ticker import LogLocator

    times = [row.times_faster.median for row in rows if row.times_faster]
    names = [f"{row.case}: {row.side}" if row.case else row.side for row in rows]
    colours = [_OURS if each >= 1 else _WORSE for each in times]
    axes.barh(range(len(rows)), [each - 1 for each in times], left=1, color=colours, height=0.7)
    for at, each in enumerate(times):
        axes.annotate(
            number(each),
            (max(each, 1), at),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=_INK,
        )
    axes.axvline(1, color=_INK, linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xlim(min(0.8, *times) * 0.9, max(2.0, *times) * 1.5)
    axes.set_yticks(range(len(rows)), names, fontsize=8)
    around = 0.6 if len(rows) > 1 else 1.1  # a single bar is no block
    axes.set_ylim(-around, len(rows) - 1 + around)
    axes.invert_yaxis()
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(lambda value, _: "")
    axes.tick_params(axis="x", labelsize=7)
    axes.set_title(f"{title}: times faster than {rows[0].against}", fontsize=9, loc="left")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
