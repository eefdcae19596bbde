"""A measurement as a page: report/index.html, which opens from disk and needs nothing beside itself.

Pictures are inside it, there is no script, and a rule of the page's own forbids the browser to fetch
anything. Names of classes and files come from strangers, so every text goes through `text`. The page
shows a person's pictures and is therefore not pushed with the model.
"""

import base64
import hashlib
import io
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from PIL import Image

from hf_resnet.errors import counted
from hf_resnet.evaluation.figure import Figure
from hf_resnet.evaluation.measured import ClassFigures, Measured, Outcome
from hf_resnet.evaluation.page_style import STYLE
from hf_resnet.evaluation.told import told
from hf_resnet.evaluation.worst import Seen
from hf_resnet.screen import one_line

MOST_CLASSES = 200
MOST_PAIRS = 10
SIDE = 224
RULE = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class About:
    """How a measurement came to be."""

    model: str
    network: str | None = None
    """The fingerprint of the weights and the preprocess."""

    command: tuple[str, ...] = ()
    made_with: tuple[str, ...] = ()


def page(measured: Measured, about: About, plots: dict[str, bytes], worst: Sequence[Seen]) -> bytes:
    """The page; `plots` are PNG files by the heading above them."""
    title = f"How good is {_name(about.model)}?"
    body = "\n".join(
        [
            f"<h1>{text(title)}</h1>",
            f"<p class=lead>Measured on {text(counted(measured.n, 'picture'))} "
            f"({text(measured.split)}) of {text(counted(len(measured.classes), 'class'))}.</p>",
            *_notes(measured),
            _figures(measured),
            *_studies(measured),
            *_plots(plots),
            *_pairs(measured),
            *_mistakes(measured, worst),
            _classes(measured),
            *_bad(measured),
            _made(measured, about),
        ]
    )
    whole = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{RULE}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{text(title)}</title>\n<style>{STYLE}</style></head>\n<body><main>\n{body}\n"
        "</main></body></html>\n"
    )
    return whole.encode(errors="replace")


def text(words: object) -> str:
    """Text that stays text: no markup, no control characters, no turned direction of writing."""
    return escape(one_line(str(words)))


def _name(model: str) -> str:
    return model.rstrip("/").rsplit("/", 1)[-1] or model


def _notes(measured: Measured) -> Iterator[str]:
    for note in measured.notes:
        yield f"<p class=note>{text(note)}</p>"


def _figures(measured: Measured) -> str:
    rows = "".join(
        f"<tr><th scope=row>{text(figure.title)}</th><td class=big>{_number(figure.value, figure)}</td>"
        f"<td>{_number(figure.low, figure)} to {_number(figure.high, figure)}</td>"
        f"<td class=wide>{_interval(figure)}</td><td>{figure.n:,}</td></tr>"
        for figure in measured.figures.values()
    )
    head = "<tr><th>figure</th><th>value</th><th>95 % interval</th><th></th><th>pictures</th></tr>"
    return f"<h2>Figures</h2>{_table(head, rows)}{_explained(measured)}"


def _explained(measured: Measured) -> str:
    if "ece" not in measured.figures:
        return ""
    return (
        "<p class=small>The interval holds the true figure in 95 % of such measurements, for pictures "
        "such as these. Of the calibration error and the log loss less is better; the log loss is no "
        "share.</p>"
    )


def _number(value: float, figure: Figure) -> str:
    return f"{100 * value:.1f} %" if figure.is_share else f"{value:.3f}"


def _interval(figure: Figure) -> str:
    """The figure as a point on a line from 0 to 100 %, with its interval."""
    if not figure.is_share:
        return ""
    low, high, value = (100 * each for each in (figure.low, figure.high, figure.value))
    return (
        f'<span class=line aria-hidden=true><i style="left:{low:.1f}%;width:{high - low:.1f}%"></i>'
        f'<b style="left:{value:.1f}%"></b></span>'
    )


def _studies(measured: Measured) -> Iterator[str]:
    for heading, lines in told(measured.studies):
        items = "".join(f"<li>{text(line)}</li>" for line in lines)
        yield f"<h2>{text(heading)}</h2><ul>{items}</ul>"


def _plots(plots: dict[str, bytes]) -> Iterator[str]:
    for heading, png in plots.items():
        source = _data("png", png)
        yield f'<h2>{text(heading)}</h2><img class=plot alt="{text(heading)}" src="{source}">'


def _pairs(measured: Measured) -> Iterator[str]:
    if not measured.confused:
        return
    rows = "".join(
        f"<tr><td>{text(each.truth)}</td><td>{text(each.answer)}</td><td>{each.count:,}</td>"
        f"<td class=wide>{_bar(each.share)}</td></tr>"
        for each in measured.confused[:MOST_PAIRS]
    )
    head = "<tr><th>it is</th><th>it said</th><th>times</th><th>share of the class</th></tr>"
    yield f"<h2>Most confused</h2>{_table(head, rows)}"


def _bar(share: float) -> str:
    return (
        f'<span class=bar><i style="width:{100 * share:.1f}%"></i></span> '
        f"<span class=small>{100 * share:.0f} %</span>"
    )


def _mistakes(measured: Measured, worst: Sequence[Seen]) -> Iterator[str]:
    wrong = sum(not each.right for each in measured.outcomes)
    if not worst:
        return
    heat = any(each.heats for each in worst)
    yield f"<h2>Worst mistakes</h2><p>{text(_of(len(worst), wrong))}"
    if heat:
        yield (
            "Under some of them stands what in the picture spoke for an answer (Grad-CAM): the "
            "brighter, the more."
        )
    yield "</p><div class=cards>"
    for each in worst:
        yield _card(each)
    yield "</div>"


def _of(shown: int, wrong: int) -> str:
    if shown < wrong:
        return f"{shown} of {wrong:,} wrong answers, those it was surest of first."
    return f"All {counted(wrong, 'wrong answer')}." if wrong > 1 else "The one wrong answer."


def _card(seen: Seen) -> str:
    outcome = seen.outcome
    picture = (
        _image(seen.picture, f"a picture of {outcome.truth}")
        if seen.picture
        else "<p class=gone>cannot be read again</p>"
    )
    heats = "".join(
        f"<figure>{_image(heat, f'what spoke for {name}')}<figcaption>for {text(name)}</figcaption>"
        "</figure>"
        for name, heat in seen.heats
    )
    return (
        f"<article>{picture}<p>said <strong>{text(outcome.prediction)}</strong>, "
        f"{100 * outcome.probability:.0f} % sure<br>is <strong>{text(outcome.truth)}</strong></p>"
        f"<p class=file>{text(outcome.origin)}</p>"
        f"{f'<div class=heats>{heats}</div>' if heats else ''}</article>"
    )


def _image(picture: Image.Image, alt: str) -> str:
    scale = SIDE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    how = Image.Resampling.NEAREST if scale >= 2 else Image.Resampling.LANCZOS
    file = io.BytesIO()
    picture.resize(size, how).save(file, "JPEG", quality=88)
    return f'<img alt="{text(alt)}" src="{_data("jpeg", file.getvalue())}">'


def _data(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _classes(measured: Measured) -> str:
    order = sorted(measured.classes, key=lambda each: (each.pictures == 0, each.f1, each.recall))
    rows = "".join(_class_row(each) for each in order[:MOST_CLASSES])
    head = "<tr><th>class</th><th>F1</th><th></th><th>precision</th><th>recall</th>"
    head += "<th>pictures</th></tr>"
    left = len(order) - MOST_CLASSES
    more = f"<p class=small>{left:,} more are in metrics.json.</p>" if left > 0 else ""
    told = "<p class=small>Beside precision and recall: their 95 % intervals, in percent.</p>"
    return f"<h2>Class by class, the worst first</h2>{_table(head, rows)}{told}{more}"


def _class_row(each: ClassFigures) -> str:
    f1, recall = ((f"{100 * x:.1f} %" if each.pictures else "–") for x in (each.f1, each.recall))
    precision = f"{100 * each.precision:.1f} %" if each.answered else "–"
    near_precision = _near(each.precision_low, each.precision_high)
    near_recall = _near(each.recall_low, each.recall_high)
    bar = f'<span class=bar><i style="width:{100 * each.f1:.1f}%"></i></span>'
    return (
        f"<tr><th scope=row>{text(each.name)}</th><td>{f1}</td><td class=wide>{bar}</td>"
        f"<td>{precision}{near_precision}</td><td>{recall}{near_recall}</td>"
        f"<td>{each.pictures:,}</td></tr>"
    )


def _near(low: float | None, high: float | None) -> str:
    """The interval, small beside its figure."""
    if low is None or high is None:
        return ""
    return f" <span class=small>{100 * low:.0f}–{100 * high:.0f}</span>"


def _bad(measured: Measured) -> Iterator[str]:
    if not measured.bad:
        return
    rows = "".join(
        f"<tr><td class=file>{text(each.origin)}</td><td>{text(each.reason)}</td></tr>"
        for each in measured.bad[:MOST_CLASSES]
    )
    head = "<tr><th>file</th><th>why</th></tr>"
    count = text(counted(len(measured.bad), "file"))
    yield f"<h2>Left out of all figures: {count}</h2>{_table(head, rows)}"


def _made(measured: Measured, about: About) -> str:
    rows = [("model", about.model)]
    rows += [("fingerprint of the network", about.network)] if about.network else []
    rows += [("fingerprint of the pictures", _fingerprint(measured.outcomes))]
    rows += [("made with", ", ".join(about.made_with))] if about.made_with else []
    listed = "".join(
        f"<tr><th scope=row>{text(name)}</th><td class=file>{text(value)}</td></tr>"
        for name, value in rows
    )
    command = f"<pre><code>{text(shlex.join(about.command))}</code></pre>" if about.command else ""
    return f"<h2>How this was made</h2>{command}{_table('', listed)}"


def _fingerprint(outcomes: Sequence[Outcome]) -> str:
    """Changes when a picture or its class does, and with nothing else."""
    lines = sorted(f"{each.key} {each.truth}" for each in outcomes)
    known = "\n".join(lines).encode(errors="surrogatepass")
    return hashlib.blake2b(known, digest_size=16).hexdigest()


def _table(head: str, rows: str) -> str:
    top = f"<thead>{head}</thead>" if head else ""
    return f"<div class=scroll><table>{top}<tbody>{rows}</tbody></table></div>"
