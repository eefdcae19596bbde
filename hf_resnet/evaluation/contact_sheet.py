"""A sheet of thumbnails: wrong answers, those the model was surest of first, and some right ones.

The pictures are read again from the split, through `images` like everywhere. Right and wrong are
told apart by colour, by the weight of the frame and by a mark in its corner, so that nobody needs
to see the colour. Pictures much smaller than a cell are enlarged by whole pixels, which shows what
there is; everything else is scaled smoothly.
"""

import functools
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hf_resnet.data import Split
from hf_resnet.evaluation.measured import Measured, Outcome, mistakes
from hf_resnet.evaluation.seen_again import seen_again
from hf_resnet.fonts import Lettering, cut, default_font, lettering, runs

COLUMNS = 6
CELL = 204
FRAME = 6
GAP = 16
LINE = 22
SIZE = 15
TITLE = GAP + 2 * LINE
HEADING = LINE + GAP // 2
INK, PALE, PAPER = "#1a1a1a", "#6b6b6b", "#ffffff"
GROUND = "#ececec"
WRONG, RIGHT = "#d55e00", "#009e73"  # of Okabe and Ito's palette


@dataclass(frozen=True)
class Section:
    """A heading and the pictures under it, with so many lines of text below each."""

    heading: str
    outcomes: Sequence[Outcome]
    lines: int

    def height(self, columns: int) -> int:
        return HEADING + self.rows(columns) * self.row_height + GAP

    def rows(self, columns: int) -> int:
        return -(-len(self.outcomes) // columns)

    @property
    def row_height(self) -> int:
        return CELL + self.lines * LINE + GAP


def contact_sheet(measured: Measured, split: Split, letters: Lettering, *, most: int = 12) -> bytes:
    """A PNG of at most `most` wrong and `most` right answers."""
    sections = _sections(measured, most)
    chosen = {outcome.key for section in sections for outcome in section.outcomes}
    thumbnails = seen_again(split, chosen, _small)
    columns = min(COLUMNS, max(len(section.outcomes) for section in sections))
    width = max(columns * (CELL + GAP) + GAP, 3 * (CELL + GAP) + GAP)
    height = TITLE + sum(section.height(columns) for section in sections)
    sheet = Image.new("RGB", (width, height), PAPER)
    pen = _Pen(ImageDraw.Draw(sheet), letters)
    pen.line((GAP, GAP), _title(measured, split), width - 2 * GAP, size=SIZE + 4)
    top = TITLE
    for section in sections:
        pen.line((GAP, top), section.heading, width - 2 * GAP, colour=PALE)
        for number, outcome in enumerate(section.outcomes):
            row, column = divmod(number, columns)
            place = (GAP + column * (CELL + GAP), top + HEADING + row * section.row_height)
            _draw_cell(sheet, pen, place, outcome, thumbnails.get(outcome.key))
        top += section.height(columns)
    file = io.BytesIO()
    sheet.save(file, format="PNG", optimize=True)
    return file.getvalue()


def _title(measured: Measured, split: Split) -> str:
    figure = measured.figures["accuracy"]
    return f"{figure.title} on {split.name}: {figure}"


def _sections(measured: Measured, most: int) -> list[Section]:
    wrong = mistakes(measured.outcomes)
    right = [outcome for outcome in measured.outcomes if outcome.right]
    drawn = np.random.default_rng(0).permutation(len(right))[:most]
    sections = [
        Section(_heading(wrong, most, "wrong", "those it was surest of first"), wrong[:most], 4),
        Section(
            _heading(right, most, "right", "drawn at random"), [right[i] for i in sorted(drawn)], 2
        ),
    ]
    return [section for section in sections if section.outcomes]


def _heading(outcomes: Sequence[Outcome], most: int, kind: str, how: str) -> str:
    if len(outcomes) > most:
        return f"{most} of {len(outcomes):,} {kind} answers, {how}"
    return f"All {len(outcomes)} {kind} answers" if len(outcomes) > 1 else f"The one {kind} answer"


def _small(picture: Image.Image) -> Image.Image:
    side = CELL - 2 * FRAME
    times = side // max(picture.size)
    if times >= 2:
        return picture.resize(
            (picture.width * times, picture.height * times), Image.Resampling.NEAREST
        )
    scale = side / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _draw_cell(
    sheet: Image.Image,
    pen: "_Pen",
    place: tuple[int, int],
    outcome: Outcome,
    thumbnail: Image.Image | None,
) -> None:
    left, top = place
    box = (left, top, left + CELL - 1, top + CELL - 1)
    pen.draw.rectangle(box, fill=GROUND)
    if thumbnail is None:
        pen.line((left + 8, top + CELL // 2), "cannot be read again", CELL - 16, colour=PALE)
    else:
        middle = (left + (CELL - thumbnail.width) // 2, top + (CELL - thumbnail.height) // 2)
        sheet.paste(thumbnail, middle)
    pen.frame(box, outcome.right)
    named = [("", outcome.truth)]
    if not outcome.right:
        named = [("said ", outcome.prediction), ("is ", outcome.truth)]
    below = top + CELL + 4
    for word, name in named:
        pen.line((left, below), word, CELL, name=name)
        below += LINE
    pen.line((left, below), f"{100 * outcome.probability:.0f} % sure", CELL, colour=PALE)
    if not outcome.right:
        pen.file((left, below + LINE), outcome.origin, CELL)


class _Pen:
    """Writes and frames on one sheet."""

    def __init__(self, draw: ImageDraw.ImageDraw, letters: Lettering) -> None:
        self.draw = draw
        self.letters = letters

    def frame(self, box: tuple[int, int, int, int], right: bool) -> None:
        """Thin with a tick, or thick with a cross."""
        colour = RIGHT if right else WRONG
        self.draw.rectangle(box, outline=colour, width=2 if right else FRAME)
        x, y = box[2] - 27, box[1]
        self.draw.rectangle((x, y, x + 27, y + 27), fill=colour)
        strokes = (
            [(x + 6, y + 14, x + 12, y + 20), (x + 12, y + 20, x + 22, y + 7)]
            if right
            else [(x + 7, y + 7, x + 20, y + 20), (x + 20, y + 7, x + 7, y + 20)]
        )
        for stroke in strokes:
            self.draw.line(stroke, fill=PAPER, width=4)

    def line(
        self,
        place: tuple[int, int],
        text: str,
        width: int,
        *,
        name: str | None = None,
        colour: str = INK,
        size: int = SIZE,
    ) -> None:
        """The text and, behind it, a class name, which is cut where they do not fit."""
        plain = (default_font(),)
        fonts = self.letters.fonts[name] if name else plain
        whole = self.letters.text[name] if name else ""
        pieces = [(text, plain), (whole, fonts)]
        length = len(whole)
        while self._width(pieces, size) > width and length > 1:
            length -= 1
            pieces[1] = (cut(whole, length), fonts)
        self._draw(place, pieces, colour, size)

    def _draw(
        self,
        place: tuple[int, int],
        pieces: list[tuple[str, tuple[str, ...]]],
        colour: str,
        size: int,
    ) -> None:
        x, baseline = float(place[0]), place[1] + size
        for piece, with_fonts in pieces:
            for run, path in runs(piece, with_fonts):
                font = _font(path, size)
                self.draw.text((x, baseline), run, fill=colour, font=font, anchor="ls")
                x += font.getlength(run)

    def file(self, place: tuple[int, int], origin: str, width: int) -> None:
        """The end of a file's path, as much of it as there is room for; paths begin alike."""
        written = lettering([origin])
        fonts, whole = written.fonts[origin], written.text[origin]
        if written.problem:  # letters that no font here has, and a number would name no file
            whole = origin.encode("ascii", "backslashreplace").decode()
        shown = whole
        while self._width([(shown, fonts)], SIZE) > width and len(shown) > 1:
            shown = f"…{shown.removeprefix('…')[1:]}"
        self._draw(place, [(shown, fonts)], PALE, SIZE)

    def _width(self, pieces: list[tuple[str, tuple[str, ...]]], size: int) -> float:
        return sum(
            _font(path, size).getlength(run)
            for piece, fonts in pieces
            for run, path in runs(piece, fonts)
        )


@functools.cache
def _font(path: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)
