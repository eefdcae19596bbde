"""Letters for class names in any script, out of the fonts that this machine has.

DejaVu Sans comes with matplotlib, so Latin, Greek, Cyrillic and Arabic are always there. Other
scripts (Burmese, Chinese, …) take a font of the system, and since a font of one script often lacks
Latin, a name may need two: "ခွေး (dog)". Where no font has the letters, a name is written as
"class 3" and the caller is told, since a row of empty boxes says less.
"""

import functools
import itertools
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hf_resnet.errors import listed


@dataclass(frozen=True)
class Lettering:
    """How to write each name: the text, and the font files that have its letters between them."""

    text: dict[str, str]
    fonts: dict[str, tuple[str, ...]]
    problem: str | None = None
    """What a person should know: names that are not written as they are."""


def lettering(names: Iterable[str]) -> Lettering:
    """How to write these names; one that cannot be written goes by its number among them."""
    text: dict[str, str] = {}
    fonts: dict[str, tuple[str, ...]] = {}
    missing = []
    for number, name in enumerate(names):
        shown = " ".join(name.split())
        strange = frozenset(map(ord, filter(_is_drawn, shown))) - _letters_of(default_font())
        other = _font_with(strange) if strange else default_font()
        if other is None:
            missing.append(name)
            shown, other = f"class {number}", default_font()
        text[name] = shown
        fonts[name] = tuple(dict.fromkeys((default_font(), other)))
    return Lettering(text, fonts, _problem(missing) if missing else None)


def cut(text: str, length: int) -> str:
    """The text in at most so many letters, with … for its middle: "class numb…12" says which."""
    if len(text) <= length:
        return text
    tail = max((length - 1) // 3, 0)
    end = text[len(text) - tail :] if tail else ""
    while end and unicodedata.category(end[0]).startswith("M"):
        end = end[1:]  # a vowel sign without its letter
    return f"{text[: max(length - 1 - tail, 0)].rstrip()}…{end.lstrip()}"


def runs(text: str, fonts: tuple[str, ...]) -> list[tuple[str, str]]:
    """The text in pieces, each with the first font that has its letters.

    Spaces and marks that belong to the letter before them stay with it, so that the shaping of a
    syllable is not torn apart.
    """
    chosen: list[str] = []
    for letter in text:
        joins = not _is_drawn(letter) or letter == " " or unicodedata.combining(letter)
        if joins and chosen:
            chosen.append(chosen[-1])
        else:
            has = (font for font in fonts if ord(letter) in _letters_of(font))
            chosen.append(next(has, fonts[0]))
    pairs = itertools.groupby(zip(text, chosen, strict=True), key=lambda pair: pair[1])
    return [("".join(letter for letter, _ in group), font) for font, group in pairs]


@functools.cache
def default_font() -> str:
    """DejaVu Sans, as matplotlib brings it."""
    import matplotlib

    return str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"))


def family(path: str) -> str:
    """The name under which matplotlib knows this font file, which it is shown if it is new."""
    from matplotlib import font_manager

    known = font_manager.fontManager
    if all(entry.fname != path for entry in known.ttflist):
        known.addfont(path)
    return next(entry.name for entry in known.ttflist if entry.fname == path)


def _is_drawn(letter: str) -> bool:
    """Not a joiner or a variation mark, which fonts need not have."""
    return unicodedata.category(letter) != "Cf" and not "\ufe00" <= letter <= "\ufe0f"


def _problem(missing: list[str]) -> str:
    return (
        f"no font here has the letters of {listed(map(repr, missing), most=3)}; the pictures say "
        "'class' and its number instead. Install a font that has them (Debian and Ubuntu: "
        "fonts-noto-core, fonts-noto-cjk) and write the report again"
    )


@functools.cache
def _font_with(letters: frozenset[int]) -> str | None:
    """The first font of the system with all these letters; None where there is none."""
    return next((path for path in _system_fonts() if letters <= _letters_of(path)), None)


@functools.cache
def _system_fonts() -> tuple[str, ...]:
    """The system's font files, upright sans-serif ones first."""
    from matplotlib import font_manager

    def rank(path: str) -> tuple[bool, bool, str]:
        name = Path(path).stem.lower()
        plain = name.endswith("regular") or "-" not in name
        return (not plain, "serif" in name or "mono" in name, path)

    return tuple(sorted(map(str, font_manager.findSystemFonts()), key=rank))


@functools.cache
def _letters_of(path: str) -> frozenset[int]:
    """The code points that a font file draws; none where it cannot be read."""
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(path).get_charmap())
    except RuntimeError:  # what FreeType says of bitmap fonts and broken files
        return frozenset()
