"""The parts of the lab that are drawn as HTML: sentences, figures, the layer table.

Every text that comes from outside (names of classes, layers and networks) passes through `html.escape`
here. Pictures stand in the page itself, so nothing is written that somebody else could fetch.
"""

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape

from PIL import Image

from hf_resnet.anatomy import Anatomy, Layer, grouped, saving
from hf_resnet.anatomy.figures import amount
from hf_resnet.app.lab_words import say
from hf_resnet.app.lab_work import Glow, Maps
from hf_resnet.app.words import percent
from hf_resnet.explain import seeing
from hf_resnet.explain.adversarial import NOISE_TIMES, Adversarial, noise
from hf_resnet.explain.ideal import Ideal
from hf_resnet.prediction import Prediction
from hf_resnet.preprocess import Preprocess

DEPTHS = {"1": 1, "2": 2, "3": 3, "all": None}
Figure = tuple[str, str, str]
"""An address, what is said to those who do not see it, and what stands below."""


def intro(language: str) -> str:
    title, text = escape(say(language, "title")), escape(say(language, "subtitle"))
    return within(language, "intro", f"<h1>{title}</h1><p>{text}</p>")


def sentences(language: str, tab: str) -> str:
    """What is seen in a tab, how to go about it, and what it is good for."""
    items = "".join(
        f"<li>{escape(say(language, f'{tab}_{number}', times=NOISE_TIMES))}</li>"
        for number in (1, 2, 3)
    )
    return within(language, "sentences", f"<ol>{items}</ol>")


def waiting(language: str) -> str:
    return within(language, "lab-empty", escape(say(language, "nothing_yet")))


def told(language: str, *lines: str, warn: bool = False) -> str:
    """Some sentences."""
    inner = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return within(language, "note warn" if warn else "note", inner, live=True)


def about_network(language: str, classes: int, *, untrained: bool) -> str:
    line = (
        say(language, "untrained") if untrained else say(language, "trained", count=f"{classes:,}")
    )
    return told(language, line, warn=untrained)


def answers(language: str, network: str, found: Sequence[Prediction]) -> str:
    said = ", ".join(f"{each.label} {percent(each.probability)}" for each in found)
    return told(language, say(language, "says", network=network, answers=said))


def maps(language: str, network: str, found: Maps, number: int, count: int) -> str:
    """What the network sees beside the grid of maps."""
    channels, height, width = found.shape
    title = say(
        language,
        "maps_title",
        number=number,
        count=count,
        network=network,
        layer=found.layer,
        kind=found.kind,
    )
    key = "maps_shape" if found.shown < channels else "maps_shape_all"
    shape = say(language, key, channels=channels, height=height, width=width, shown=found.shown)
    alt = say(language, "maps_alt", shown=found.shown, layer=found.layer)
    seen = (inline(found.seen), say(language, "seen_alt"), say(language, "seen"))
    pair = figures([seen, (inline(found.grid, "PNG"), alt, shape)], "two uneven")
    return within(language, "found", f"<h2>{escape(title)}</h2>{pair}", live=True)


def glows(language: str, seen: Image.Image, found: Sequence[Glow]) -> str:
    """What the network sees, and its likeliest classes with where it found each."""
    drawn: list[Figure] = [(inline(seen), say(language, "seen_alt"), say(language, "seen"))]
    for each in found:
        key = "glow" if each.heat.heat_HW.any() else "glow_none"
        known = {
            "label": each.label,
            "before": percent(each.heat.before),
            "covered": percent(each.heat.covered),
        }
        drawn.append(
            (inline(each.over), say(language, "glow_alt", **known), say(language, key, **known))
        )
    return within(language, "found", figures(drawn, "four"), live=True)


def ideal(language: str, network: str, found: Ideal, label: str) -> str:
    """The picture after every round, and what the network says of the last."""
    count = len(found.grown)
    drawn = []
    for number, picture in enumerate(found.grown, start=1):
        known = {"number": number, "count": count, "label": label}
        alt = say(language, "octave_alt", **known)
        drawn.append((inline(picture), alt, say(language, "octave", **known)))
    line = say(
        language,
        "ideal_holds" if found.holds else "ideal_fails",
        network=network,
        label=label,
        percent=percent(found.probability),
        kept=sum(found.kept),
        all=len(found.kept),
    )
    return within(language, "found", f"<p>{escape(line)}</p>{figures(drawn, 'four')}", live=True)


def fooled(language: str, line: str, found: Adversarial, preprocess: Preprocess) -> str:
    """Original, noise and result side by side, each cut to what the network sees."""
    known = {"times": NOISE_TIMES, "distance": f"{found.distance:.2f}"}
    drawn = []
    for key, picture, answer in (
        ("fool_original", found.original, found.before),
        ("fool_noise", noise(found), found.before),
        ("fool_result", found.fooling, found.after),
    ):
        said = say(language, key, label=answer.label, percent=percent(answer.probability), **known)
        seen = seeing.window(preprocess, picture)
        drawn.append((inline(seen, "PNG"), say(language, f"{key}_alt"), said))
    inner = f"<p>{escape(line)}</p>{figures(drawn, 'three')}"
    return within(language, "found", inner, live=True)


def layers(language: str, network: str, anatomy: Anatomy, depth: str, drawing: bytes) -> str:
    """The layer table, what a bottleneck saves, and the drawing of the blocks."""
    rows = [row for row in grouped(anatomy, DEPTHS[depth]) if row.parameters or row.memory]
    known = {"network": network, "height": anatomy.size[0], "width": anatomy.size[1]}
    names = ("layer", "kind", "window", "sum", "shape", "parameters", "work")
    heads = "".join(
        f'<th scope="col">{escape(say(language, f"column_{name}"))}</th>' for name in names
    )
    body = "".join(f"<tr>{_cells(row)}</tr>" for row in rows)
    total = (
        f'<tr class="total"><th scope="row">{escape(say(language, "table_total"))}</th>'
        f'<td colspan="4"></td><td class="n">{anatomy.parameters:,}</td>'
        f'<td class="n">{amount(anatomy.multiply_adds)}</td></tr>'
    )
    caption = escape(say(language, "table_caption", **known))
    # a region that scrolls is reached by keyboard
    table = (
        f'<div class="scrolled" tabindex="0" role="region" aria-label="{caption}"><table>'
        f"<caption>{caption}</caption><thead><tr>{heads}</tr></thead>"
        f"<tbody>{body}{total}</tbody></table></div>"
    )
    place = f"data:image/png;base64,{base64.b64encode(drawing).decode()}"
    alt, below = say(language, "blocks_alt", **known), say(language, "blocks", **known)
    picture = f'<div class="wide" tabindex="0">{figures([(place, alt, below)], "one")}</div>'
    return within(language, "found", f"{table}{_saving(language, anatomy)}{picture}", live=True)


def _cells(row: Layer) -> str:
    window = ""
    if row.window:
        sides = (row.window.kernel, row.window.stride, row.window.padding)
        window = " / ".join("×".join(map(str, dict.fromkeys(pair))) for pair in sides if pair)
    shape = "×".join(map(str, (row.nchw or ())[1:]))
    texts = (row.kind, window, row.sums[0] if row.sums else "", shape)
    cells = "".join(f"<td>{escape(text)}</td>" for text in texts)
    numbers = (f"{row.parameters:,}" if row.parameters else "", amount(row.multiply_adds))
    return f'<th scope="row">{escape(row.name or "·")}</th>{cells}' + "".join(
        f'<td class="n">{each}</td>' for each in numbers
    )


def _saving(language: str, anatomy: Anatomy) -> str:
    found = saving(anatomy)
    if found is None or found.block.bottleneck is None:
        return ""
    text = say(
        language,
        "saving",
        block=found.block.name,
        channels=" → ".join(map(str, found.block.bottleneck)),
        ours=f"{found.ours.parameters:,}",
        plain=f"{found.plain.parameters:,}",
        times=f"{found.plain.parameters / found.ours.parameters:.1f}",
    )
    return f"<p>{escape(text)}</p>"


def figures(drawn: Iterable[Figure], kind: str) -> str:
    """Pictures side by side, each with a line below."""
    inner = "".join(
        f'<figure><img src="{place}" alt="{escape(alt)}">'
        f"<figcaption>{escape(below)}</figcaption></figure>"
        for place, alt, below in drawn
    )
    return f'<div class="side-by-side {kind}">{inner}</div>'


def inline(picture: Image.Image, kind: str = "JPEG") -> str:
    """The picture as an address of its own; PNG where a pixel must not change."""
    out = io.BytesIO()
    picture.save(out, kind, **({"quality": 88} if kind == "JPEG" else {}))
    return f"data:image/{kind.lower()};base64,{base64.b64encode(out.getvalue()).decode()}"


def made_of(key: str, drawn: str) -> str:
    """With the key of what it was made of, so that the page knows when it is out of date."""
    return f'<div data-of="{key}">{drawn}</div>'


def within(language: str, kind: str, inner: str, *, live: bool = False) -> str:
    told = ' role="status" aria-live="polite"' if live else ""
    return f'<div class="{kind} {language}" lang="{language}"{told}>{inner}</div>'
