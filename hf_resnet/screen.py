"""What a person sees: the console that every command prints on, and text made safe for it.

Names of classes and files come from strangers, and a terminal obeys what it is sent: an escape
sequence in a name could wipe the screen, or type for the person. So whatever is printed goes through
here, where control characters are written out. The surprise: they are caught on their way to the
terminal, behind the layout, so that no table, bar or line can forget them. rich, which lays out, is
imported with the first console, for help needs none.
"""

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import (
        Console,
        ConsoleOptions,
        ConsoleRenderable,
        RenderableType,
        RenderResult,
    )

# all controls but the tab and the line feed, which the layout needs; and the marks that turn the
# direction of writing round, by which exe.gpj can be shown as jpg.exe
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_BREAKS = re.compile("[\n\t\u2028\u2029]")


def safe(text: str) -> str:
    """The text with its control characters written out, as \\x1b."""
    return _CONTROLS.sub(_written_out, text)


def one_line(text: str) -> str:
    """The same on a single line: a name that holds a line break is not two messages."""
    return _BREAKS.sub(_written_out, safe(text))


def _written_out(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def screen(
    *, quiet: bool = False, stream: TextIO | None = None, soft_wrap: bool = True
) -> "Console":
    """The console of a command; `quiet` for the processes that are not the main one."""
    from rich.console import Console

    console = Console(
        file=stream, quiet=quiet, soft_wrap=soft_wrap, highlight=False, markup=False, emoji=False
    )
    console.push_render_hook(_Safely())  # type: ignore[arg-type]  # all that a hook needs
    console.on_broken_pipe = _reader_is_gone  # type: ignore[method-assign]
    return console


def _reader_is_gone() -> None:
    """Instead of rich's own way, which ends the process here and calls it a failure."""
    raise BrokenPipeError


class _Safely:
    """What rich calls with all that is to be printed."""

    def process_renderables(
        self, renderables: "list[ConsoleRenderable]"
    ) -> "list[ConsoleRenderable]":
        return [_Safe(each) for each in renderables]


@dataclass(frozen=True)
class _Safe:
    inside: "RenderableType"

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        from rich.segment import Segment

        for segment in console.render(self.inside, options):
            # rich's own movements of the cursor are marked as such
            yield segment if segment.control else Segment(safe(segment.text), segment.style)


def take_any_character() -> None:
    """Let output in a narrow encoding (ascii, latin-1) show a ? where it has no such letter."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
