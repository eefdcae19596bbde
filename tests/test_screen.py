"""What is printed: no control character reaches a terminal, and no encoding stops a line."""

import io
import os
import re
import subprocess
import sys

import pytest
from rich.table import Table
from rich.text import Text

from hf_resnet.cli import main
from hf_resnet.progress import Pace
from hf_resnet.screen import one_line, safe, screen

HOSTILE = "cat\x1b]0;title\x07\x1b[2J\x9b1m\r\x08\x00\u202egpj.exe"
RAW = set("\x1b\x07\x9b\r\x08\x00\u202e")


def test_control_characters_are_written_out_and_letters_are_not():
    assert safe("a\x1b[1m\x9b\x7f\u202e") == r"a\x1b[1m\x9b\x7f\u202e"
    letters = "မြန်မာ\u200b\u200d\u200c é 日本 \t\n🐈"
    assert safe(letters) == letters
    assert one_line("a\nb\u2028c\td") == r"a\nb\u2028c\td"


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("kind", ["text", "table", "styled", "pace"])
def test_nothing_that_is_printed_can_steer_the_terminal(terminal, kind, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR" if terminal else "NO_COLOR", "1")
    stream = io.StringIO()
    console = screen(stream=stream)
    if kind == "text":
        console.print(f"{HOSTILE}: not used")
    elif kind == "styled":
        console.print(Text(HOSTILE), style="bold")
    elif kind == "table":
        table = Table(title=HOSTILE)
        table.add_column(HOSTILE)
        table.add_row(HOSTILE)
        console.print(table)
    else:
        with Pace(HOSTILE, 3, stream=stream) as pace:
            pace.advance(3)
    shown = stream.getvalue()
    assert "cat" in shown
    # what is left has no escape but rich's own: colours, and where it takes the cursor for a bar
    for own in re.findall(r"\x1b\[(?:[0-9;]*m|\?25[lh]|[0-9]*[AKG])", shown):
        shown = shown.replace(own, "")
    assert "2J" not in shown.replace(r"\x1b[2J", "")
    assert not (RAW - {"\r"} if kind == "pace" and terminal else RAW) & set(shown)


def test_words_in_brackets_and_between_colons_stay_as_they_are():
    stream = io.StringIO()
    screen(stream=stream).print("[bold]x[/bold] :cat:")
    assert stream.getvalue() == "[bold]x[/bold] :cat:\n"


def test_an_error_is_one_line_whatever_was_typed(capsys):
    assert main(["predict", "./no\nsuch\x1b[2Jmodel", __file__]) == 1
    said = capsys.readouterr().err
    assert r"./no\nsuch\x1b[2Jmodel" in said
    assert said.count("\n") == 1


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=False,
        env=os.environ | environment,
    )


def test_a_narrow_encoding_shows_a_replacement_and_stops_nothing():
    code = (
        "import sys; from hf_resnet.screen import *; take_any_character();"
        "screen().print('မ é cat'); print('é', file=sys.stderr)"
    )
    done = run(code, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"? ? cat\n", b"?\n")


@pytest.mark.parametrize("words", [["--help"], ["finetune", "--help"]])
def test_a_reader_that_goes_away_is_no_failure(words):
    code = f"import sys; from hf_resnet.cli import main; sys.exit(main({words!r}))"
    done = subprocess.run(
        [
            "/bin/sh",
            "-c",
            '{ sleep 0.2; "$0" -c "$1"; echo $? >&2; } | true',
            sys.executable,
            code,
        ],
        capture_output=True,
        check=False,
    )
    assert done.stderr == b"0\n"
