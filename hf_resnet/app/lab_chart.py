"""The degrade experiment as a chart in the page: an SVG whose words are in the page's language.

Kinds differ by their marks and dashes as well as in colour. Colours follow the page, light or dark.
"""

import base64
from collections.abc import Mapping, Sequence
from html import escape

from hf_resnet.app.lab_drawing import figures, within
from hf_resnet.app.lab_measured import Measured
from hf_resnet.app.lab_words import say

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 72, 20, 16, 56
GRID = 0.2


def degrade(language: str, measured: Measured) -> str:
    """The chart, what it shows in words, and the plots that come with it."""
    known = {
        "source": measured.source,
        "pictures": f"{measured.pictures:,}",
        "side": measured.side,
        "epochs": measured.epochs,
    }
    title = escape(say(language, "degrade_title"))
    legend = "".join(
        f'<li class="kind-{number}">{escape(_name(language, kind))}</li>'
        for number, kind in enumerate(measured.errors)
    )
    drawn = [
        (
            f"data:image/png;base64,{base64.b64encode(png).decode()}",
            say(language, f"degrade_plot_{name}"),
            say(language, f"degrade_plot_{name}"),
        )
        for name, png in measured.plots.items()
    ]
    inner = (
        f"<h2>{title}</h2>{_svg(language, measured.errors, title)}"
        f'<ul class="legend">{legend}</ul>'
        f"<p>{escape(say(language, 'degrade_from', **known))}</p>"
        f"{figures(drawn, 'one') if drawn else ''}"
    )
    return within(language, "found", inner)


def _name(language: str, kind: str) -> str:
    return say(language, f"degrade_{kind.replace(' ', '_')}")


def _svg(language: str, errors: Mapping[str, Mapping[int, float]], title: str) -> str:
    depths = sorted({depth for line in errors.values() for depth in line})
    most = max(error for line in errors.values() for error in line.values())
    top = max(GRID * -(-most // GRID), GRID)

    def across(depth: int) -> float:
        span = max(depths[-1] - depths[0], 1)
        return LEFT + (WIDTH - LEFT - RIGHT) * (depth - depths[0]) / span

    def up(error: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * error / top

    parts = []
    for step in range(round(top / GRID) + 1):
        y = up(step * GRID)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(
            f'<text x="{LEFT - 8}" y="{y + 5:.1f}" text-anchor="end">{100 * step * GRID:.0f} %</text>'
        )
    parts += [
        f'<text x="{across(depth):.1f}" y="{HEIGHT - 30}" text-anchor="middle">{depth}</text>'
        for depth in depths
    ]
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(
        f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">'
        f"{escape(say(language, 'degrade_layers'))}</text>"
    )
    for number, (kind, line) in enumerate(errors.items()):
        points = [(across(depth), up(error)) for depth, error in line.items()]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        marks = "".join(
            _mark(number, point, _said(language, kind, depth, error))
            for point, (depth, error) in zip(points, line.items(), strict=True)
        )
        parts.append(f'<g class="kind-{number}"><polyline points="{path}"/>{marks}</g>')
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="'
        f'{title}: {_all_said(language, errors)}">{"".join(parts)}</svg>'
    )


def _mark(number: int, point: Sequence[float], said: str) -> str:
    x, y = point
    title = f"<title>{said}</title>"
    if number == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6">{title}</circle>'
    turned = f' transform="rotate(45 {x:.1f} {y:.1f})"' if number == 2 else ""
    return f'<rect x="{x - 5:.1f}" y="{y - 5:.1f}" width="10" height="10"{turned}>{title}</rect>'


def _said(language: str, kind: str, depth: int, error: float) -> str:
    known = {"kind": _name(language, kind), "layers": depth, "error": f"{100 * error:.1f} %"}
    return escape(say(language, "degrade_point", **known))


def _all_said(language: str, errors: Mapping[str, Mapping[int, float]]) -> str:
    return "; ".join(
        _said(language, kind, depth, error)
        for kind, line in errors.items()
        for depth, error in line.items()
    )
