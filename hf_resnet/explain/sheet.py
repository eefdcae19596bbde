"""A sheet of pictures with titles, as PNGs and pages show it: blocks of panels, drawn with PIL.

Knows nothing of networks. Small pictures are enlarged by whole pixels, which shows what there is;
everything else is scaled smoothly. A title that is too long is cut in its middle, a line of text is
broken.
"""

import functools
import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from hf_resnet.fonts import cut, default_font, lettering, runs
from hf_resnet.labels import Labels

GAP = 18
INK, PALE, PAPER, EDGE = "#1a1a1a", "#6b6b6b", "#ffffff", "#d9d9d9"
TITLE, HEADING, NAME, NOTE = 22, 16, 15, 13  # sizes of letters
LONGEST_NAME = 26
NAMED = 28
"""Pixels from the top of a panel's name to its picture; Burmese letters go deep."""


@dataclass(frozen=True)
class Panel:
    """A picture with its name above and a note below."""

    picture: Image.Image
    name: str
    note: str = ""


@dataclass(frozen=True)
class Block:
    """Panels that belong together, with a sentence above them."""

    heading: str
    panels: tuple[Panel, ...]
    side: int = 256
    """Pixels of the square that a panel's picture is fitted into."""

    columns: int = 4


def sheet(title: str, blocks: Sequence[Block]) -> Image.Image:
    """All blocks below each other under one title."""
    width = max(map(_width, blocks)) + 2 * GAP
    headings = [_broken(block.heading, HEADING, width - 2 * GAP) for block in blocks]
    titled = _broken(title, TITLE, width - 2 * GAP)
    height = GAP + len(titled) * _line(TITLE) + sum(map(_height, blocks, map(len, headings)))
    page = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(page)
    top = _write_lines(draw, (GAP, GAP), titled, TITLE)
    for block, heading in zip(blocks, headings, strict=True):
        top = _write_lines(draw, (GAP, top + GAP // 2), heading, HEADING, PALE) + GAP // 2
        top = _draw_panels(page, draw, block, top)
    return page


def as_png(picture: Image.Image) -> bytes:
    """The bytes of a PNG file, the same for the same picture."""
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def shown(labels: Labels, index: int) -> str:
    """A class in few letters ("tabby" for "tabby, tabby cat"), as the fonts here can write it."""
    name = labels.names[index].split(",")[0].strip() or labels.names[index]
    return f"class {index}" if lettering([name]).problem else cut(name, LONGEST_NAME)


def percent(share: float) -> str:
    """12 %, 0.4 %, under 0.1 %, over 99.9 %: what is nearly 0 or 1 is not written as such."""
    if share < 0.001:
        return "under 0.1 %"
    if share > 0.999:
        return "over 99.9 %"
    digits = 1 if share < 0.0995 or share > 0.985 else 0
    return f"{100 * share:.{digits}f} %"


def _width(block: Block) -> int:
    columns = min(block.columns, len(block.panels))
    return columns * (block.side + GAP) - GAP


def _height(block: Block, heading_lines: int) -> int:
    rows = -(-len(block.panels) // block.columns)
    return GAP // 2 * 2 + heading_lines * _line(HEADING) + rows * _row_height(block)


def _row_height(block: Block) -> int:
    notes = max(len(_note(panel, block.side)) for panel in block.panels)
    tallest = max(_fitted(panel.picture, block.side)[1] for panel in block.panels)
    return NAMED + tallest + 6 + notes * _line(NOTE) + GAP


def _note(panel: Panel, side: int) -> list[str]:
    return _broken(panel.note, NOTE, side) if panel.note else []


def _draw_panels(page: Image.Image, draw: ImageDraw.ImageDraw, block: Block, top: int) -> int:
    """The panels row by row; where the next block begins."""
    for number, panel in enumerate(block.panels):
        row, column = divmod(number, block.columns)
        left, above = GAP + column * (block.side + GAP), top + row * _row_height(block)
        _write(draw, (left, above), _fit(panel.name, NAME, block.side), NAME)
        above += NAMED
        size = _fitted(panel.picture, block.side)
        enlarged = size[0] >= 2 * panel.picture.width
        how = Image.Resampling.NEAREST if enlarged else Image.Resampling.LANCZOS
        scaled = panel.picture if size == panel.picture.size else panel.picture.resize(size, how)
        page.paste(scaled, (left, above))
        draw.rectangle((left - 1, above - 1, left + size[0], above + size[1]), outline=EDGE)
        lines = _note(panel, block.side)
        _write_lines(draw, (left, above + size[1] + 6), lines, NOTE, PALE)
    return top + _row_height(block) * -(-len(block.panels) // block.columns)


def _fitted(picture: Image.Image, side: int) -> tuple[int, int]:
    """Width and height of the picture within the square; by whole pixels where that is 2 or more."""
    times = side // max(picture.size)
    if times >= 2:
        return picture.width * times, picture.height * times
    scale = side / max(picture.size)
    return max(1, round(picture.width * scale)), max(1, round(picture.height * scale))


def _broken(text: str, size: int, width: int) -> list[str]:
    """The text in lines of this width."""
    lines = [""]
    for word in text.replace(" %", "\u00a0%").split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and _length(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return [_fit(line, size, width) for line in lines]


def _fit(text: str, size: int, width: int) -> str:
    length = len(text)
    while length > 1 and _length(cut(text, length), size) > width:
        length -= 1
    return cut(text, length)


def _write_lines(
    draw: ImageDraw.ImageDraw,
    place: tuple[int, int],
    lines: Sequence[str],
    size: int,
    colour: str = INK,
) -> int:
    """Lines below each other; where the next would stand."""
    left, top = place
    for line in lines:
        _write(draw, (left, top), line, size, colour)
        top += _line(size)
    return top


def _write(
    draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, size: int, colour: str = INK
) -> None:
    x, baseline = float(place[0]), place[1] + size
    for run, path in runs(text, _fonts(text)):
        draw.text((x, baseline), run, fill=colour, font=_font(path, size), anchor="ls")
        x += _font(path, size).getlength(run)


def _length(text: str, size: int) -> float:
    return sum(_font(path, size).getlength(run) for run, path in runs(text, _fonts(text)))


def _line(size: int) -> int:
    return round(1.5 * size)


@functools.lru_cache(maxsize=1024)
def _fonts(text: str) -> tuple[str, ...]:
    return lettering([text]).fonts[text] if not text.isascii() else (default_font(),)


@functools.cache
def _font(path: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)
