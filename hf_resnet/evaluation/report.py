"""A measurement shown: a table on the screen; a page, metrics.json and the pictures in a folder."""

import json
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hf_resnet.classifier import Classifier
from hf_resnet.data import Split
from hf_resnet.errors import counted
from hf_resnet.evaluation.contact_sheet import contact_sheet
from hf_resnet.evaluation.figure import Figure
from hf_resnet.evaluation.measured import ClassFigures, Measured
from hf_resnet.evaluation.page import About, page
from hf_resnet.evaluation.told import told
from hf_resnet.evaluation.worst import worst
from hf_resnet.fonts import Lettering, cut, lettering
from hf_resnet.metrics import METRICS
from hf_resnet.writing import on_disk, write_all

METRICS_FILE = "metrics.json"
SHEET_FILE = "contact_sheet.png"
CONFUSION_FILE = "confusion.png"
CALIBRATION_FILE = "calibration.png"
ROBUSTNESS_FILE = "robustness.png"
PAGE_FILE = "index.html"

MOST_CLASSES = 20
MOST_MISTAKES = 5
MOST_BAD = 10
LONGEST_NAME = 32


def table(measured: Measured) -> RenderableType:
    """The tidy table for the screen: rich.print(table(measured))."""
    parts: list[RenderableType] = [
        Text(f"Measured on {counted(measured.n, 'picture')} ({measured.split})", style="bold"),
        _headline(measured),
        _classes(measured),
    ]
    if measured.confused:
        parts.append(_mistakes(measured))
    for heading, lines in told(measured.studies):
        parts.append(Group(Text(heading, style="bold"), *(Text(f"  {line}") for line in lines)))
    if measured.bad:
        parts.append(_bad(measured))
    parts += [Text(f"Note: {note}") for note in measured.notes]
    return Group(*_spaced(parts))


def write_report(
    measured: Measured,
    split: Split,
    folder: str | Path,
    about: About | None = None,
    classifier: Classifier | None = None,
) -> tuple[str, ...]:
    """Write index.html, metrics.json and the pictures; what a person should know of them.

    All of them or none: an earlier report stays whole where the disk refuses. The split is read again
    for what it shows. The classifier is asked what it looked at in its worst mistakes; without one
    nothing says. Under several processes only the main one writes.
    """
    letters = lettering(measured.names)
    plots = _plots(measured, letters)
    seen = worst(measured, split, classifier)
    contents = {
        METRICS_FILE: as_text(measured.to_json()).encode(errors="backslashreplace"),
        SHEET_FILE: contact_sheet(measured, split, letters),
        **{name: png for name, (_, png) in plots.items()},
        PAGE_FILE: page(measured, about or About("this model"), dict(plots.values()), seen),
    }
    needs = sum(map(len, contents.values()))
    with on_disk(f"the report in {folder}", "name another folder with --output_dir", needs=needs):
        write_all(Path(folder), contents)
        for name in {CALIBRATION_FILE, ROBUSTNESS_FILE} - set(contents):
            Path(folder, name).unlink(missing_ok=True)  # of an earlier measurement
    return (letters.problem,) if letters.problem else ()


def _plots(measured: Measured, letters: Lettering) -> dict[str, tuple[str, bytes]]:
    """The heading and the PNG of each picture, by the name of its file."""
    from hf_resnet.evaluation.confusion_plot import confusion_plot  # matplotlib looks for fonts
    from hf_resnet.evaluation.figure_plots import calibration_plot, robustness_plot

    found = {}
    if measured.steps:
        found[CALIBRATION_FILE] = ("How sure, and how right", calibration_plot(measured))
    if measured.studies.robustness:
        robust = robustness_plot(measured.studies.robustness)
        found[ROBUSTNESS_FILE] = ("Changed pictures, by kind", robust)
    found[CONFUSION_FILE] = ("Who is taken for whom", confusion_plot(measured, letters))
    return found


def _headline(measured: Measured) -> Table:
    grid = Table.grid(padding=(0, 2))
    for figure in shown_figures(measured):
        grid.add_row(f"  {figure.title}", str(figure))
    return grid


def shown_figures(measured: Measured) -> list[Figure]:
    """Those of the short table; balanced accuracy only where uneven classes make it another number."""
    shown = [
        figure
        for name, figure in measured.figures.items()
        if name not in METRICS or METRICS[name].is_shown
    ]
    accuracy, balanced = (measured.figures.get(each) for each in ("accuracy", "balanced_accuracy"))
    if accuracy and balanced and abs(accuracy.value - balanced.value) < 0.0005:
        shown.remove(balanced)
    return shown


def _classes(measured: Measured) -> RenderableType:
    """The classes, the worst first, since those are what one can do something about."""
    order = sorted(measured.classes, key=lambda each: (each.pictures == 0, each.f1, each.recall))
    names = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    names.add_column("  Class")  # the one column that gives way on a narrow screen
    for title in ("F1", "precision", "recall", "pictures"):
        names.add_column(title, justify="right", no_wrap=True, min_width=max(len(title), 7))
    for each in order[:MOST_CLASSES]:
        name = Text(f"  {_short(each.name)}", no_wrap=True, overflow="ellipsis")
        names.add_row(name, *_cells(each))
    left = order[MOST_CLASSES:]
    if not left:
        return names
    more = " or more" if left[0].f1 < 1 else ""
    least = f", each with an F1 of {_percent(left[0].f1)}{more}" if left[0].pictures else ""
    return Group(names, Text(f"  … and {len(left):,} more classes{least}"))


def _cells(each: ClassFigures) -> tuple[str, str, str, str]:
    """A figure that would divide by zero is a dash here, and 0 in the file and in the mean."""
    return (
        _percent(each.f1) if each.pictures else "–",
        _percent(each.precision) if each.answered else "–",
        _percent(each.recall) if each.pictures else "–",
        f"{each.pictures:,}",
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _mistakes(measured: Measured) -> RenderableType:
    lines = [Text("The most frequent mistakes", style="bold")]
    lines += [
        Text(
            f"  {_short(each.truth)} taken for {_short(each.answer)}: {_times(each.count)}, "
            f"{100 * each.share:.0f} % of its pictures"
        )
        for each in measured.confused[:MOST_MISTAKES]
    ]
    return Group(*lines)


def _bad(measured: Measured) -> RenderableType:
    count = len(measured.bad)
    files = "1 file" if count == 1 else f"{count:,} files"
    lines = [Text(f"Left out of all figures: {files} that could not be used", style="bold")]
    lines += [Text(f"  {each.origin}: {each.reason}") for each in measured.bad[:MOST_BAD]]
    if count > MOST_BAD:
        lines.append(Text(f"  … and {count - MOST_BAD:,} more"))
    return Group(*lines)


def _short(name: str) -> str:
    """The name on one line, cut where it would push the figures off the screen."""
    return cut(" ".join(name.split()), LONGEST_NAME)


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def _spaced(parts: list[RenderableType]) -> list[RenderableType]:
    """An empty line between the parts, but none below the title."""
    spaced = parts[:1]
    for part in parts[1:]:
        spaced += [part] if len(spaced) == 1 else [Text(""), part]
    return spaced


def as_text(content: dict[str, Any]) -> str:
    """JSON with one line for each key, and one for each element of a list: readable, and small."""
    return (
        "{\n" + ",\n".join(f"  {json.dumps(k)}: {_value(v)}" for k, v in content.items()) + "\n}\n"
    )


def _value(value: Any, indent: str = "  ") -> str:
    deeper = indent + "  "
    if (
        isinstance(value, dict)
        and value
        and any(isinstance(v, dict | list) for v in value.values())
    ):
        items = [f"{json.dumps(k)}: {_value(v, deeper)}" for k, v in value.items()]
        return "{\n" + ",\n".join(deeper + item for item in items) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(each, dict | list) for each in value):
        items = [json.dumps(each, ensure_ascii=False) for each in value]
        return "[\n" + ",\n".join(deeper + item for item in items) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False)
