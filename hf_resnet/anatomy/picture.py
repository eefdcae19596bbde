"""The block structure of a network as a drawing: a line for each stage, shortcuts as arcs.

On the left of a line stands what the stage gives: a box whose front is the size of the maps and whose
depth is the number of channels. Lengths are inches. No pyplot: the figure belongs to one call alone.
"""

import io
from math import log2

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path as Curve

from hf_resnet.anatomy.count import Anatomy, Shape
from hf_resnet.anatomy.figures import amount
from hf_resnet.anatomy.pieces import Part, Piece, Stage, stages

COLOURS = {
    "convolution": "#d6e6f5",
    "pooling": "#e6e6e6",
    "product": "#fbe3cc",
    "other": "#f2f2f2",
}
INK, PALE = "#333333", "#8a8a8a"
LEFT, RIGHT = 2.8, 0.4
BOX, GAP, LINE = 1.45, 0.36, 0.2
MOST_IN_LINE = 8  # boxes


def picture(anatomy: Anatomy, title: str, suffix: str = ".png") -> bytes:
    """The drawing as a PNG or an SVG."""
    lines = [(stage, pieces) for stage in stages(anatomy) for pieces in _wrapped(stage)]
    heights = [_height(pieces) for _, pieces in lines]
    longest = max([sum(len(piece.parts) for piece in pieces) for _, pieces in lines], default=1)
    width = LEFT + max(longest, 4) * (BOX + GAP) + RIGHT
    height = sum(heights) + 1.0
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    _write(axes, (0.3, height - 0.35), title, size=13, weight="bold", ha="left")
    _write(axes, (0.3, height - 0.65), _figures(anatomy), size=9, color=PALE, ha="left")
    top = height - 0.9
    before = None
    for (stage, pieces), each in zip(lines, heights, strict=True):
        middle = top - each + 0.2 + _tallest(pieces) / 2
        if stage is not before:
            _draw_shape(axes, stage.shape, anatomy.size, middle)
        _draw_line(axes, pieces, middle)
        top -= each
        before = stage
    file = io.BytesIO()
    fixed = {"Date": None} if suffix == ".svg" else {}
    figure.savefig(file, format=suffix.lstrip("."), dpi=110, facecolor="white", metadata=fixed)
    return file.getvalue()


def _figures(anatomy: Anatomy) -> str:
    high, wide = anatomy.size
    return (
        f"a picture of {high}×{wide}; {amount(anatomy.parameters)} parameters, "
        f"{amount(anatomy.multiply_adds)} multiply-adds"
    )


def _wrapped(stage: Stage) -> list[list[Piece]]:
    """The pieces of a stage in lines of at most MOST_IN_LINE boxes."""
    lines: list[list[Piece]] = [[]]
    for piece in stage.pieces:
        if lines[-1] and sum(len(each.parts) for each in [*lines[-1], piece]) > MOST_IN_LINE:
            lines.append([])
        lines[-1].append(piece)
    return lines


def _box_height(part: Part) -> float:
    return LINE * len(part.lines) + 0.2


def _tallest(pieces: list[Piece]) -> float:
    return max(_box_height(part) for piece in pieces for part in piece.parts)


def _height(pieces: list[Piece]) -> float:
    arcs = any(part.shortcut is not None for piece in pieces for part in piece.parts)
    named = any(part.shortcut for piece in pieces for part in piece.parts)
    return max(_tallest(pieces) + 0.4 + 0.3 * arcs + 0.15 * named, 1.15)


def _draw_line(axes: Axes, pieces: list[Piece], middle: float) -> None:
    x = LEFT
    _draw_flow(axes, x - GAP, x, middle)
    for piece in pieces:
        start = x
        for part in piece.parts:
            if piece.times > 1:
                for step in (0.1, 0.05):
                    _draw_box(axes, part, (x + step, middle - step), empty=True)
            _draw_box(axes, part, (x, middle))
            if part.shortcut is not None:
                _draw_shortcut(axes, part, (x, middle))
            _draw_flow(axes, x + BOX, x + BOX + GAP, middle)
            x += BOX + GAP
        if piece.times > 1:
            bottom = middle - max(map(_box_height, piece.parts)) / 2 - 0.2
            where = ((start + x - GAP) / 2, bottom)
            _write(axes, where, f"× {piece.times}", size=10, weight="bold")


def _draw_flow(axes: Axes, start: float, end: float, y: float) -> None:
    axes.plot([start, end], [y, y], color=INK, linewidth=1.1, zorder=1)


def _draw_box(axes: Axes, part: Part, where: tuple[float, float], *, empty: bool = False) -> None:
    x, middle = where
    height = _box_height(part)
    box = FancyBboxPatch(
        (x, middle - height / 2),
        BOX,
        height,
        boxstyle="round,pad=0,rounding_size=0.07",
        facecolor=COLOURS[part.sort],
        edgecolor=INK,
        linewidth=0.9,
        zorder=2,
    )
    axes.add_patch(box)
    if empty:
        return
    for index, line in enumerate(part.lines):
        y = middle + (len(part.lines) - 1) * LINE / 2 - index * LINE
        _write(axes, (x + BOX / 2, y), line, size=min(8.5, 8.5 * 19 / max(len(line), 1)))


def _draw_shortcut(axes: Axes, part: Part, where: tuple[float, float]) -> None:
    """An arc over the box, from before it to the sum behind it."""
    x, middle = where
    start, end = x - GAP * 0.55, x + BOX + GAP * 0.45
    top = middle + _box_height(part) / 2
    corners = [(start, middle), (start, top + 0.35), (end, top + 0.35), (end, middle)]
    codes = [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4]
    bend = [corners[0], (start, top + 0.1), (start, top + 0.2), (start + 0.35, top + 0.2)]
    back = [(end - 0.35, top + 0.2), (end, top + 0.2), (end, top + 0.1), corners[3]]
    path = Curve([*bend, *back], [*codes, Curve.LINETO, *codes[1:]])
    style = "--" if part.shortcut else "-"
    arc = PathPatch(path, fill=False, edgecolor="#b5482f", linewidth=1.4, linestyle=style, zorder=1)
    axes.add_patch(arc)
    axes.add_patch(Circle((end, middle), 0.085, facecolor="white", edgecolor=INK, zorder=3))
    _write(axes, (end, middle), "+", size=9, zorder=4)
    if part.shortcut:
        _write(axes, (x + BOX / 2, top + 0.29), part.shortcut, size=7.5, color="#b5482f")


def _draw_shape(axes: Axes, shape: Shape, size: tuple[int, int], middle: float) -> None:
    """What a stage gives: a box of maps, a sheet of tokens or a bar of numbers, and its name."""
    if len(shape) == 3:
        channels, high, wide = shape
        front = (0.75 * (wide / size[1]) ** 0.5 + 0.05, 0.75 * (high / size[0]) ** 0.5 + 0.05)
        told = (f"{high}×{wide}", f"{channels} channels")
        depth = 0.03 * log2(channels + 1)
    elif len(shape) == 2:
        front, depth = (0.5, 0.5), 0.0
        told = (f"{shape[0]} tokens", f"{shape[1]} wide")
    else:
        front, depth = (0.07, 0.6), 0.0
        told = ("×".join(map(str, shape)), "numbers")
    _draw_solid(axes, (0.75 - front[0] / 2, middle - front[1] / 2), front, depth)
    _write(axes, (1.35, middle + 0.1), told[0], size=9.5, weight="bold", ha="left")
    _write(axes, (1.35, middle - 0.1), told[1], size=8, color=PALE, ha="left")


def _draw_solid(
    axes: Axes, where: tuple[float, float], front: tuple[float, float], depth: float
) -> None:
    (x, y), (wide, high) = where, front
    far = (depth * 0.7, depth * 0.5)
    faces = {
        "#9cc3e6": [(x, y), (x + wide, y), (x + wide, y + high), (x, y + high)],
        "#c3dbf0": [
            (x, y + high),
            (x + wide, y + high),
            (x + wide + far[0], y + high + far[1]),
            (x + far[0], y + high + far[1]),
        ],
        "#7ba9d1": [
            (x + wide, y),
            (x + wide + far[0], y + far[1]),
            (x + wide + far[0], y + high + far[1]),
            (x + wide, y + high),
        ],
    }
    for colour, corners in faces.items():
        axes.add_patch(Polygon(corners, facecolor=colour, edgecolor=INK, linewidth=0.7))


def _write(axes: Axes, where: tuple[float, float], text: str, size: float, **style: object) -> None:
    options: dict[str, object] = {
        "ha": "center",
        "va": "center",
        "color": INK,
        "zorder": 4,
        **style,
    }
    axes.text(*where, text, fontsize=size, parse_math=False, **options)  # type: ignore[arg-type]
