"""The parts of the page that are drawn as HTML: bars, heat map, figures.

Every text that comes from outside (class names, file names, figures of a model) passes through
`html.escape` here.
"""

import base64
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from PIL import Image

from hf_resnet.app.answer import FileAnswer, Look, Where
from hf_resnet.app.words import percent, reason, say, some_of
from hf_resnet.facts import Facts

HARDLY = 0.05
"""A change of probability that is not called a fall."""


def intro(language: str, names: tuple[str, ...]) -> str:
    """The head of the page."""
    knows = say(language, "subtitle", count=len(names), names=some_of(language, names))
    return _within(language, "intro", f"<h1>{say(language, 'title')}</h1><p>{escape(knows)}</p>")


def nothing_yet(language: str) -> str:
    return _within(language, "result empty", escape(say(language, "waiting")))


def bars(language: str, look: Look) -> str:
    """The answer in words, and a bar for each of the likeliest classes."""
    first = look.answers[0]
    known = {"label": first.label, "percent": percent(first.probability)}
    title, text = ("unsure_title", "unsure") if look.unsure else ("answer", "sure")
    rows = "".join(
        f'<li><span class="name">{escape(each.label)}</span>'
        f'<span class="share">{percent(each.probability)}</span>'
        f'<span class="track" aria-hidden="true"><span style="width:{100 * each.probability:.1f}%">'
        "</span></span></li>"
        for each in look.answers
    )
    return _within(
        language,
        "result",
        f"<h2>{escape(say(language, title, **known))}</h2>"
        f"<p>{escape(say(language, text, **known))}</p>"
        f'<ol class="bars" aria-label="{escape(say(language, "bars"))}">{rows}</ol>',
        live=True,
    )


def refused(language: str, text: str) -> str:
    """In the place of an answer, why there is none."""
    return _within(language, "result empty", f"<div>{escape(text)}</div>", live=True)


def looked(language: str, where: Where) -> str:
    """What the network saw beside where it found its answer, and what covering that does."""
    known = {
        "label": where.label,
        "before": percent(where.before),
        "covered": percent(where.covered),
    }
    if not where.found:
        return _within(language, "note", escape(say(language, "where_none")), live=True)
    falls = "where_text" if where.covered < where.before - HARDLY else "where_text_stays"
    pair = "".join(
        f'<figure><img src="{_inline(picture)}" alt="{escape(say(language, f"{key}_alt", **known))}">'
        f"<figcaption>{escape(say(language, key, **known))}</figcaption></figure>"
        for picture, key in ((where.seen, "seen"), (where.over, "heat"))
    )
    text = escape(say(language, falls, **known))
    inner = f'<div class="looked">{pair}</div><p class="note">{text}</p>'
    return _within(language, "", inner, live=True)


def table(language: str, rows: Sequence[FileAnswer]) -> str:
    """A line for each file."""
    heads = "".join(
        f'<th scope="col">{escape(say(language, f"column_{name}"))}</th>'
        for name in ("file", "answer", "sure", "second")
    )
    lines = "".join(f"<tr>{_cells(language, row)}</tr>" for row in rows)
    inner = (
        f"<table><caption>{escape(say(language, 'table'))}</caption><thead><tr>{heads}</tr></thead>"
    )
    return _within(language, "answers", f"{inner}<tbody>{lines}</tbody></table>", live=True)


def _cells(language: str, row: FileAnswer) -> str:
    name = f'<th scope="row">{escape(row.name)}</th>'
    if row.look is None:
        why = say(language, "not_used", reason=reason(language, row.problem or ""))
        return f'{name}<td colspan="3" class="unused">{escape(why)}</td>'
    first, *others = row.look.answers
    said = say(language, "unsure_cell", label=first.label) if row.look.unsure else first.label
    second = ", ".join(f"{each.label} {percent(each.probability)}" for each in others)
    cells = (f"<b>{escape(said)}</b>", percent(first.probability), escape(second))
    return name + "".join(f"<td>{cell}</td>" for cell in cells)


def note(language: str, text: str) -> str:
    return _within(language, "note", escape(text), live=True)


def about(language: str, facts: Facts, *, threshold: float | None, keeps: bool) -> str:
    """How good the model is, what it knows, and what to keep in mind."""
    learned = [
        say(language, "learned_from", name=each.name, count=f"{each.pictures:,}")
        if each.pictures
        else each.name
        for each in facts.classes[:200]
    ]
    limits = ["limit_always" if threshold is None else "limit_unsure", "limit_sure", "limit_like"]
    limits.append("limit_kept" if keeps else "limit_none_kept")
    told = [say(language, key, percent=percent(threshold or 0)) for key in limits]
    parts = (
        ("measured", _measured(language, facts.results)),
        ("classes", _listed(learned, "chips")),
        ("limits", _listed(told)),
    )
    sections = "".join(
        f"<section><h2>{escape(say(language, key))}</h2>{inner}</section>" for key, inner in parts
    )
    made = escape(say(language, "made_from", model=facts.base_model))
    return _within(language, "about", f'{sections}<p class="note">{made}</p>')


def api(language: str, address: str, *, mcp: bool = False) -> str:
    """How a program asks, with commands that can be copied, and a language model where mcp is."""
    address = escape(address.rstrip("/"))
    python = (
        "from gradio_client import Client, handle_file\n\n"
        f'client = Client("{address}")\n'
        'print(client.predict(handle_file("cat.jpg"), 5, api_name="/classify"))'
    )
    http = (
        f"FILE=$(curl -s -F files=@cat.jpg {address}/gradio_api/upload | cut -d'\"' -f2)\n"
        f'ASK=\'{{"data":[{{"path":"\'$FILE\'","meta":{{"_type":"gradio.FileData"}}}},5]}}\'\n'
        f'ID=$(curl -s --json "$ASK" {address}/gradio_api/call/classify | cut -d\'"\' -f4)\n'
        f"curl -sN {address}/gradio_api/call/classify/$ID"
    )
    settings = {"mcpServers": {"pictures": {"url": f"{address}/gradio_api/mcp/"}}}
    tool = [("api_mcp", json.dumps(settings, indent=2))] if mcp else []
    inner = "".join(
        f"<p>{escape(say(language, key))}</p>"
        f'<pre tabindex="0"><code>{escape(code, quote=False)}</code></pre>'
        for key, code in (("api_python", python), ("api_http", http), *tool)
    )
    title = escape(say(language, "api"))
    return _within(language, "about", f"<section><h2>{title}</h2>{inner}</section>")


def _measured(language: str, results: Mapping[str, Any]) -> str:
    shown = _figures(results)
    if not shown:
        return f"<p>{escape(say(language, 'not_measured'))}</p>"
    boxes = []
    for key, each in shown:
        low, high = f"{100 * each['low']:.1f}", f"{100 * each['high']:.1f} %"
        figure = say(language, "figure", value="", low=low, high=high).strip()
        boxes.append(
            f"<div><b>{100 * each['value']:.1f} %</b><span>{escape(say(language, key))}</span>"
            f"<span>{escape(figure)}</span></div>"
        )
    n, split = f"{shown[0][1]['n']:,}", results.get("split", "")
    text = escape(say(language, "measured_text", n=n, split=split))
    return f'<p>{text}</p><div class="figures">{"".join(boxes)}</div>{_confused(language, results)}'


def _figures(results: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Those to show; the facts come from strangers too, and what is not as we write it is none."""
    needed = {"value": float, "low": float, "high": float, "n": int}
    figures = results.get("figures")
    known = figures if isinstance(figures, dict) else {}
    names = ("accuracy", "top_5_accuracy", "macro_f1")
    return [(name, known[name]) for name in names if _has(known.get(name), needed)]


def _confused(language: str, results: Mapping[str, Any]) -> str:
    classes, pairs = (
        found if isinstance(found := results.get(key), list) else []
        for key in ("classes", "most_confused")
    )
    known = {"name": str, "pictures": int}
    of = {each["name"]: each["pictures"] for each in classes if _has(each, known)}
    needed = {"truth": str, "answer": str, "count": int}
    lines = [
        say(language, "confused_line", **{k: each[k] for k in needed}, of=of[each["truth"]])
        for each in pairs[:3]
        if _has(each, needed) and each["truth"] in of
    ]
    return f"<p>{escape(say(language, 'confused'))}</p>{_listed(lines)}" if lines else ""


def _has(record: Any, needed: Mapping[str, type]) -> bool:
    """Whether this is a record with values of these kinds."""
    return isinstance(record, dict) and all(
        isinstance(record.get(key), kind) and not isinstance(record[key], bool)
        for key, kind in needed.items()
    )


def _listed(lines: Iterable[str], kind: str = "") -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<ul class="{kind}">{items}</ul>'


def _within(language: str, kind: str, inner: str, *, live: bool = False) -> str:
    told = ' role="status" aria-live="polite"' if live else ""
    return f'<div class="{kind} {language}" lang="{language}"{told}>{inner}</div>'


def _inline(picture: Image.Image) -> str:
    """The picture in the address itself: nothing is written that somebody else could fetch."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"
