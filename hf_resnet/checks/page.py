"""findings.html: the findings with their pictures, in one file that opens from disk.

Nothing is fetched and nothing runs: the pictures are data addresses, and a policy in the page forbids
all else. The names in it come from strangers, so every text goes through `_text`.
"""

import base64
import html
import io
from collections.abc import Iterable, Iterator, Mapping

from PIL import Image

from hf_resnet.checks.all_checks import CHECKS
from hf_resnet.checks.finding import Finding
from hf_resnet.checks.report import Report, class_counts, headline, remarks
from hf_resnet.checks.survey import Survey, pictures_of
from hf_resnet.data import Data
from hf_resnet.progress import Pace
from hf_resnet.screen import one_line

MOST = 60
"""Findings of one check that are shown; findings.json has them all."""

MOST_CLASSES = 200
SIDE = 144

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --pale: #59636e; --ground: #f6f7f9;
  --card: #fff; --line: #d9dee3; --bad: #b42318; --mark: #fdecea; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --pale: #a2abb5; --ground: #14171a;
  --card: #1e2226; --line: #353b42; --bad: #ff9d92; --mark: #45211d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px 16px 64px; max-width: 1120px; background: var(--ground);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 8px; }
h2 { font-size: 1.2rem; margin: 0; }
p { margin: 4px 0; } .pale { color: var(--pale); }
nav ul { list-style: none; padding: 0; margin: 20px 0 0; display: grid; gap: 8px;
  grid-template-columns: repeat(auto-fill, minmax(250px, 1fr)); }
nav li { display: grid; }
nav a, nav span { display: flex; gap: 12px; align-items: baseline; min-height: 44px; padding: 10px 14px;
  border: 1px solid var(--line); border-radius: 8px; background: var(--card); color: inherit;
  text-decoration: none; }
nav span { color: var(--pale); } nav em { font-style: normal; flex: 1; }
nav b { min-width: 2ch; text-align: right; }
a:focus-visible, summary:focus-visible { outline: 3px solid #4c8bf5; outline-offset: 2px; }
section { margin-top: 40px; }
.serious { color: var(--bad); background: var(--mark); border-radius: 4px; padding: 1px 7px;
  font-size: .85rem; font-weight: 600; white-space: nowrap; }
.cards { display: grid; gap: 12px; margin: 14px 0 0; padding: 0; list-style: none;
  grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); }
.cards > li { display: flex; gap: 14px; padding: 12px; border: 1px solid var(--line);
  border-radius: 8px; background: var(--card); min-width: 0; }
.cards > li > div:last-child { min-width: 0; flex: 1; }
.pictures { display: flex; gap: 6px; flex: none; align-items: flex-start; }
.pictures img, .none { width: 88px; height: 88px; object-fit: contain; border-radius: 4px;
  background: var(--ground); }
.pair img, .pair .none { width: 72px; height: 72px; }
.none { display: grid; place-items: center; color: var(--pale); font-size: .8rem; text-align: center; }
.reason { font-weight: 600; line-height: 1.35; }
.where { font-size: .85rem; color: var(--pale); line-height: 1.4; }
table { border-collapse: collapse; margin-top: 10px; } th, td { padding: 4px 16px 4px 0;
  border-bottom: 1px solid var(--line); text-align: left; font-weight: 400; }
td { text-align: right; font-variant-numeric: tabular-nums; }
thead th + th { text-align: right; } thead th { color: var(--pale); }
summary { cursor: pointer; min-height: 44px; padding-top: 10px; font-weight: 600; }
@media (max-width: 420px) { .cards { grid-template-columns: minmax(0, 1fr); }
  .cards > li { padding: 10px; gap: 10px; } .pair { flex-direction: column; } }
"""


def page(report: Report, data: Data) -> bytes:
    """The whole page; the pictures that are shown are read again."""
    shown = {name: tuple(findings[:MOST]) for name, findings in report.found.items()}
    thumbnails = _thumbnails(report.survey, data, shown)
    parts = [
        *_top(report),
        *(
            line
            for name, findings in shown.items()
            if findings
            for line in _section(name, findings, report, thumbnails)
        ),
        *_counts(report.survey),
    ]
    body = "\n".join(parts)
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    text = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Findings: {_text(report.source)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )
    return text.encode(errors="backslashreplace")


def _text(text: object) -> str:
    """A text of a stranger, as it may stand in the page."""
    return html.escape(one_line(str(text)))


def _top(report: Report) -> Iterator[str]:
    yield "<header><h1>What was found in the pictures</h1>"
    yield f"<p>{_text(headline(report))}</p>"
    for line in remarks(report):
        yield f'<p class="pale">{_text(line)}</p>'
    yield '</header><nav aria-label="Checks"><ul>'
    for name, findings in report.found.items():
        title, count = _text(CHECKS[name].title), f"<b>{len(findings):,}</b>"
        mark = _mark(report.serious[name] > 0)
        if findings:
            yield f'<li><a href="#{name}">{count}<em>{title}</em>{mark}</a></li>'
        else:
            yield f"<li><span>{count}<em>{title}</em></span></li>"
    yield "</ul></nav><main>"


def _mark(serious: bool) -> str:
    return ' <strong class="serious">serious</strong>' if serious else ""


def _section(
    name: str, findings: tuple[Finding, ...], report: Report, thumbnails: Mapping[int, str]
) -> Iterator[str]:
    check, count = CHECKS[name], len(report.found[name])
    yield f'<section id="{name}"><h2>{_text(check.title)}</h2>'
    yield f"<p>What to do: {_text(check.advice)}.</p>"
    first = f"The first {MOST} of {count:,}, the worst first; " if count > MOST else ""
    yield f'<p class="pale">{first}{"score" if first else "Score"}: {_text(check.score)}.</p>'
    yield '<ul class="cards">'
    for finding in findings:
        yield _card(finding, report.survey, thumbnails)
    yield "</ul></section>"


def _card(finding: Finding, survey: Survey, thumbnails: Mapping[int, str]) -> str:
    pictures, lines = "", []
    if finding.picture is None:
        lines.append(_text(f"{finding.label or 'all classes'}, {finding.split}"))
    else:
        numbers = [each for each in (finding.picture, finding.other) if each is not None]
        images = "".join(_image(number, survey, thumbnails) for number in numbers)
        kind = "pictures pair" if len(numbers) > 1 else "pictures"
        pictures = f'<div class="{kind}">{images}</div>'
        lines += [_where(number, survey) for number in numbers]
    below = "".join(f'<p class="where">{line}</p>' for line in lines)
    return (
        f'<li>{pictures}<div><p class="reason">{_text(finding.reason)}{_mark(finding.serious)}</p>'
        f'{below}<p class="where">score {finding.score:.3g}</p></div></li>'
    )


def _where(number: int, survey: Survey) -> str:
    name = survey.class_of(number)
    filed = "no class" if name is None else f"<bdi>{_text(name)}</bdi>"
    return f"{filed} · {survey.split_of(number)}<br><bdi>{_text(survey.origins[number])}</bdi>"


def _image(number: int, survey: Survey, thumbnails: Mapping[int, str]) -> str:
    address = thumbnails.get(number)
    if address is None:
        return '<span class="none">no picture</span>'
    return f'<img alt="{_text(survey.class_of(number) or "")}" src="{address}">'


def _counts(survey: Survey) -> Iterator[str]:
    counts = class_counts(survey)
    yield "</main><section><details><summary>Usable pictures of each class</summary><table><thead>"
    yield f"<tr><th>Class</th>{''.join(f'<th>{split}</th>' for split in counts)}</tr></thead><tbody>"
    for name in survey.labels.names[:MOST_CLASSES]:
        cells = "".join(f"<td>{each[name]:,}</td>" for each in counts.values())
        yield f"<tr><th><bdi>{_text(name)}</bdi></th>{cells}</tr>"
    yield "</tbody></table>"
    if len(survey.labels) > MOST_CLASSES:
        yield f"<p>… and {len(survey.labels) - MOST_CLASSES:,} more, in findings.json</p>"
    yield "</details></section>"


def _thumbnails(
    survey: Survey, data: Data, shown: Mapping[str, Iterable[Finding]]
) -> dict[int, str]:
    """The pictures of these findings as data addresses."""
    wanted = {
        number
        for findings in shown.values()
        for finding in findings
        for number in (finding.picture, finding.other)
        if number is not None and number not in survey.problems
    }
    found = {}
    with Pace("Thumbnails", len(wanted)) as pace:
        for number, picture in pictures_of(data, survey, wanted):
            found[number] = _address(picture)
            pace.advance(1)
    return found


def _address(picture: Image.Image) -> str:
    out = io.BytesIO()
    small = picture.copy()
    small.thumbnail((SIDE, SIDE))
    if max(small.size) <= SIDE // 2:  # a few pixels are shown as such
        times = SIDE // max(small.size)
        small = small.resize((small.width * times, small.height * times), Image.Resampling.NEAREST)
    small.save(out, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"
