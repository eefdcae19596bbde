"""argv in, one line out: finds the command, fills its config, calls it, and says what went wrong.

Knows nothing of what the commands do: each is a config class and a module of `commands` with
`run(config)`, imported only when it runs, so that help needs no heavy library.
"""

import contextlib
import importlib
import inspect
import io
import itertools
import os
import re
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hf_resnet import config as configs
from hf_resnet.commands.flags import checked, flags_of, gathered, of_recipe, without_recipe
from hf_resnet.config import with_homes
from hf_resnet.errors import ConfigError, HfResnetError, did_you_mean, listed

COMMANDS: dict[str, type[Any]] = {
    "benchmark": configs.BenchmarkConfig,
    "check_data": configs.CheckDataConfig,
    "degrade": configs.DegradeConfig,
    "demo": configs.DemoConfig,
    "deploy_space": configs.DeploySpaceConfig,
    "explain": configs.ExplainConfig,
    "export": configs.ExportConfig,
    "finetune": configs.FinetuneConfig,
    "lab": configs.LabConfig,
    "layers": configs.LayersConfig,
    "measure": configs.MeasureConfig,
    "predict": configs.PredictConfig,
    "push": configs.PushConfig,
    "push_data": configs.PushDataConfig,
    "relabel": configs.RelabelConfig,
    "serve": configs.ServeConfig,
}

_OF_A_MODEL = ("measure", "relabel")
"""Commands that take the model first as well, as those do that also take pictures."""

_WIDTH, _HELP_INDENT = 88, 8
_ALONE = 2.0
"""Seconds after which an error is held to be one of this process alone."""
_MORE = """  --config FILE.yaml
       A recipe: the same names as the flags; flags win over it.
  --traceback
       Show where an error came from."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `hf-resnet COMMAND ...`; 0 where it went well, 1 where it did not, 2 for a wrong call."""
    words = list(sys.argv[1:] if argv is None else argv)
    name, rest = (words[0], words[1:]) if words else ("--help", [])
    if not name.startswith("-"):
        name = name.replace("-", "_")
    if name not in ("-h", "--help", "--version") and name not in COMMANDS:
        name, there = _typed(name), [_typed(each) for each in COMMANDS]
        hint = did_you_mean(name, there) or f"; there are {listed(there, most=len(there))}"
        print(f"error: no command {name!r}{hint}", file=sys.stderr)
        return 2
    return run_command(name, rest)


def run_command(name: str, argv: Sequence[str] | None = None) -> int:
    """Run one command; what `scripts/NAME.py` calls."""
    from hf_resnet.screen import take_any_character

    take_any_character()
    try:
        done = _run(name, list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except BrokenPipeError:
        if not _reader_is_gone():
            raise
        return 0
    return done


def _reader_is_gone() -> bool:
    """Whether the reader of our output, such as `head`, has seen enough; no other pipe is meant."""
    import select

    if hasattr(select, "poll"):
        watch = select.poll()
        watch.register(sys.stdout.fileno(), 0)
        if not watch.poll(0):
            return False
    # nothing more is said, not even by Python as it ends
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True


def _run(name: str, words: list[str]) -> int:
    said = _said_at_once(name, words)
    if said is not None:
        print(said)
        return 0
    with_traceback = "--traceback" in words
    words = [word for word in words if word != "--traceback"]
    words, notes = _familiar(name, words)
    try:
        config = parse(name, words)
    except ConfigError as exc:
        _say("error", exc)
        return 2
    for note in notes:
        _say("note", note)
    _quiet_libraries()
    try:
        importlib.import_module(f"hf_resnet.commands.{name}").run(config)
    except HfResnetError as exc:
        if with_traceback:
            raise
        _say("error", exc)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0


def _said_at_once(name: str, words: list[str]) -> str | None:
    """What is printed where no command is to run."""
    if name in ("-h", "--help"):
        return overview()
    if name == "--version":
        from importlib.metadata import version

        return f"hf-resnet {version('hf-resnet')}"
    return help_text(name) if "-h" in words or "--help" in words else None


def _familiar(name: str, words: list[str]) -> tuple[list[str], list[str]]:
    """finetune takes the flags of the transformers examples too, with a note where they differ."""
    if name != "finetune":
        return words, []
    from hf_resnet.commands.familiar import translated

    return translated(words)


def overview() -> str:
    """What `hf-resnet --help` prints."""
    lines = [f"  {_typed(name):<12} {_first_line(cls)}" for name, cls in COMMANDS.items()]
    return "\n".join(
        [
            "usage: hf-resnet COMMAND [OPTIONS]",
            "",
            "Teach a pretrained vision backbone your classes, and change them later.",
            "",
            *lines,
            "",
            "hf-resnet COMMAND --help lists a command's options.",
        ]
    )


def help_text(name: str) -> str:
    """What `hf-resnet NAME --help` prints; made from the config class alone."""
    import tyro

    out = io.StringIO()
    os.environ["COLUMNS"] = str(_WIDTH)  # the layout that was looked at, on screens of any width
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        tyro.cli(
            COMMANDS[name], prog=f"hf-resnet {_typed(name)}", args=["--help"], use_underscores=True
        )
    text = re.sub(r"\{None\}\|(\S+)", r"\1       ", out.getvalue())  # as wide as it was
    text = text.replace("{None,", "{")
    text = re.sub(r"\s*\(default:\s+(None)?\)", "", text)
    return "\n".join([*_filled(text.splitlines()), _MORE])


def _filled(lines: Iterable[str]) -> Iterator[str]:
    """The lines, those of a help text made equally long: the parser keeps the breaks of the source."""
    for indent, together in itertools.groupby(lines, lambda line: len(line) - len(line.lstrip())):
        if indent < _HELP_INDENT:
            yield from (line.rstrip() for line in together)
        else:
            words = " ".join(line.strip() for line in together)
            yield textwrap.fill(
                words,
                _WIDTH,
                initial_indent=" " * indent,
                subsequent_indent=" " * indent,
                break_long_words=False,
                break_on_hyphens=False,
            )


def parse(name: str, argv: Sequence[str]) -> Any:
    """The command's config: its defaults, then the recipe, then the flags."""
    import tyro

    cls = COMMANDS[name]
    kinds = flags_of(cls)
    words, path = without_recipe(argv)
    if name in _OF_A_MODEL and words and not words[0].startswith("-"):
        words.insert(0, "--model_name_or_path")
    words = gathered(checked(words, kinds, name), kinds)
    typed = {word[2:].partition("=")[0] for word in words if word.startswith("--")}
    recipe, notes = of_recipe(path, name, COMMANDS, typed)
    for note in notes:
        _say("note", note)
    given = [*recipe, *words]
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            return with_homes(
                tyro.cli(
                    cls,
                    prog=f"hf-resnet {_typed(name)}",
                    args=given,
                    use_underscores=True,
                    config=(tyro.conf.UseAppendAction,),
                )
            )
    except SystemExit as exc:
        raise ConfigError(
            f"{_plain(said.getvalue())}; see hf-resnet {_typed(name)} --help"
        ) from exc


def _say(kind: str, text: object) -> None:
    from hf_resnet.screen import one_line

    if os.environ.get("LOCAL_RANK", "0") != "0":  # of several processes, one speaks
        if kind != "error":
            return
        # had the first one met the same error, the launcher would end this process meanwhile
        time.sleep(_ALONE)
    print(f"{kind}: {one_line(str(text))}", file=sys.stderr)


def _plain(box: str) -> str:
    """The message alone, out of what the parser draws: a title, a rule, what is wrong, a rule."""
    lines = [line.strip(" │") for line in box.splitlines()]
    rules = [i for i, line in enumerate(lines) if line and not line.strip("╭╮╰╯─-")]
    start = rules[0] + 1 if rules else 0
    end = rules[1] if len(rules) > 1 else len(lines)
    first, *others = lines[start:end]
    if first.startswith("Missing from"):
        words = [line.split()[0] for line in others]
        names = [
            word for word in words if word.startswith("--") or (word.isupper() and word != "A")
        ]
        return f"{listed(names)} must be given"
    return " ".join([first, *others]).rstrip(".")


def _typed(name: str) -> str:
    """The command as a person types it."""
    return name.replace("_", "-")


def _first_line(cls: type[Any]) -> str:
    return (inspect.getdoc(cls) or "").splitlines()[0]


def _quiet_libraries() -> None:
    """Keep the libraries' own chatter down, and freed memory at hand, before any of them is loaded."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # threads that wait sleep: on a busy machine spinning ones make each pass many times slower
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from hf_resnet.heap import keep_freed_memory

    keep_freed_memory()
