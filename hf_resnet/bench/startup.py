"""How soon the command line says something: its help, held against a Python that does nothing.

Nothing that is written in Python starts sooner than Python, so a ratio close to 1 is the best there
is. The help of accelerate's own command stands beside it.
"""

import sys
from dataclasses import replace

from hf_resnet.bench.task import Outcome, Subject, Task, of_program

TIMES = 5


def bare(task: Task) -> Outcome:
    """python -c pass."""
    return _timed("-c", "pass")


def accelerate_help(task: Task) -> Outcome:
    """accelerate --help."""
    return _timed("-m", "accelerate.commands.accelerate_cli", "--help")


def ours(task: Task) -> Outcome:
    """hf-resnet --help."""
    return _timed("-m", "hf_resnet", "--help")


def _timed(*words: str) -> Outcome:
    """Without the memory: what the system says of so small a program is that of its parent."""
    return replace(of_program([sys.executable, *words], TIMES), peak_megabytes=0.0)


SUBJECT = Subject(
    "Help on the command line",
    {"bare python": bare, "accelerate --help": accelerate_help, "ours": ours},
    usual=("bare python", "accelerate --help"),
)
