"""The confusion matrix as a picture: right answers blue, mistakes orange, both darker for more.

Shades are shares of the class's own pictures, so that small classes are seen as well as large ones;
numbers are counts. The shades grow fast from white, because a mistake of 2 % is what one looks for.
A class without pictures has no row, but where it was answered it has a column.
No pyplot: the figure belongs to one call alone.
"""

import io

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from hf_resnet.errors import counted
from hf_resnet.evaluation.measured import Measured
from hf_resnet.fonts import Lettering, cut, family
from hf_resnet.metrics.arrays import FloatArray, IntArray

MOST_CLASSES = 100
MOST_WITH_NUMBERS = 25
LONGEST_NAME = 28


def confusion_plot(measured: Measured, letters: Lettering) -> bytes:
    """A PNG of the matrix; with over MOST_CLASSES classes, of those with the most mistakes."""
    columns = _most_mistaken(measured.matrix_KK)
    rows = columns[measured.matrix_KK[columns].any(axis=1)]
    cell = float(np.clip(7 / len(columns), 0.18, 1.2))  # inches
    figure = Figure(figsize=(cell * len(columns), cell * len(rows)))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    colours = _colours(measured.matrix_KK)[np.ix_(rows, columns)]
    axes.imshow(colours, interpolation="nearest", aspect="auto")
    if len(columns) <= MOST_WITH_NUMBERS:
        counts = measured.matrix_KK[np.ix_(rows, columns)]
        _write_numbers(axes, counts, colours, size=min(11.0, cell * 26))
    _write_names(axes, measured, letters, (rows, columns), size=min(11.0, cell * 55))
    _draw_grid(axes, len(rows), len(columns))
    axes.set_title(_title(measured, len(columns)), loc="left", fontsize=12, pad=14)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110, bbox_inches="tight", pad_inches=0.25)
    return file.getvalue()


def _most_mistaken(matrix_KK: IntArray) -> IntArray:
    """All classes; or the MOST_CLASSES that are most often mistaken, or answered by mistake."""
    wrong_K = matrix_KK.sum(axis=0) + matrix_KK.sum(axis=1) - 2 * np.diagonal(matrix_KK)
    chosen: IntArray = np.sort(np.argsort(-wrong_K, kind="stable")[:MOST_CLASSES])
    return chosen


def _colours(matrix_KK: IntArray) -> FloatArray:
    """Red, green, blue and alpha of each cell."""
    share_KK = matrix_KK / np.maximum(matrix_KK.sum(axis=1, keepdims=True), 1)
    strength_KK = np.sqrt(share_KK)
    colours: FloatArray = np.where(
        np.eye(len(matrix_KK), dtype=bool)[:, :, None],
        colormaps["Blues"](0.85 * strength_KK),
        colormaps["Oranges"](0.9 * strength_KK),
    )
    colours[matrix_KK == 0] = 1
    return colours


def _title(measured: Measured, shown: int) -> str:
    lines = [f"Who is taken for whom: {counted(measured.n, 'picture')} of {measured.split}"]
    if shown < len(measured.names):
        lines.append(f"the {shown} of {len(measured.names):,} classes with the most mistakes")
    lines.append("blue: right, orange: wrong; the darker, the more of the class's pictures")
    return "\n".join(lines)


def _write_numbers(axes: Axes, counts: IntArray, colours: FloatArray, size: float) -> None:
    longest = len(str(counts.max()))
    light = colours[..., :3] @ (0.299, 0.587, 0.114)
    for row, column in np.argwhere(counts).tolist():
        axes.text(
            column,
            row,
            str(counts[row, column]),
            color="black" if light[row, column] > 0.5 else "white",
            fontsize=size * min(1, 3.5 / longest),
            ha="center",
            va="center",
        )


def _write_names(
    axes: Axes,
    measured: Measured,
    letters: Lettering,
    rows_and_columns: tuple[IntArray, IntArray],
    size: float,
) -> None:
    for axis, chosen in zip((axes.yaxis, axes.xaxis), rows_and_columns, strict=True):
        names = [measured.names[k] for k in chosen]
        short = [cut(letters.text[name], LONGEST_NAME) for name in names]
        axis.set_ticks(range(len(short)), short)
        for label, name in zip(axis.get_ticklabels(), names, strict=True):
            families = [family(path) for path in letters.fonts[name]]
            label.set_fontproperties(FontProperties(family=families, size=size))
            label.set_parse_math(False)  # a class may be called "$5 note$"
    if max(map(len, short)) > 6 or len(short) > 12:
        axes.tick_params(axis="x", labelrotation=90)
    axes.set_xlabel("answer", fontsize=12, labelpad=8)
    axes.set_ylabel("truth", fontsize=12, labelpad=8)


def _draw_grid(axes: Axes, rows: int, columns: int) -> None:
    """Faint lines between the cells, and no tick marks."""
    axes.set_xticks(np.arange(0.5, columns - 1), minor=True)
    axes.set_yticks(np.arange(0.5, rows - 1), minor=True)
    axes.grid(which="minor", color="#e4e4e4", linewidth=0.6)
    axes.tick_params(which="both", length=0)
