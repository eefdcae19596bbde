"""argv in, one line out: finds the command, fills its config, calls it, and says what went wrong.

Knows nothing of what the commands do: each is a config class and a module of `commands` with
`run(config)`, imported only when it runs, so that help needs no heavy library.
"""

import contextlib
import dataclasses
import importlib
import inspect
import io
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

from hf_resnet import config as configs
from hf_resnet.errors import ConfigError, HfResnetError, did_you_mean, listed

COMMANDS: dict[str, type[Any]] = {
    "benchmark": configs.BenchmarkConfig,
    "demo": configs.DemoConfig,
    "finetune": configs.FinetuneConfig,
    "layers": configs.LayersConfig,
    "measure": configs.MeasureConfig,
    "predict": configs.PredictConfig,
    "relabel": configs.RelabelConfig,
}

_MORE = """  --config FILE.yaml
       A recipe: the same names as the flags; flags win over it.
  --traceback
       Show where an error came from."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `hf-resnet COMMAND ...`; 0 where it went well, 1 where it did not, 2 for a wrong call."""
    try:
        return _main(list(sys.argv[1:] if argv is None else argv))
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _main(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(overview())
        return 0
    name, *rest = words
    if name == "--version":
        from importlib.metadata import version

        print(f"hf-resnet {version('hf-resnet')}")
        return 0
    if name not in COMMANDS:
        hint = did_you_mean(name, COMMANDS) or f"; there are {listed(COMMANDS)}"
        print(f"error: no command {name!r}{hint}", file=sys.stderr)
        return 2
    return run_command(name, rest)


def run_command(name: str, argv: Sequence[str] | None = None) -> int:
    """Run one command; what `scripts/NAME.py` calls."""
    words = list(sys.argv[1:] if argv is None else argv)
    with_traceback = "--traceback" in words
    words = [word for word in words if word != "--traceback"]
    if "-h" in words or "--help" in words:
        print(help_text(name))
        return 0
    try:
        config = parse(name, words)
    except ConfigError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 2
    _quiet_libraries()
    try:
        importlib.import_module(f"hf_resnet.commands.{name}").run(config)
    except HfResnetError as exc:
        if with_traceback:
            raise
        if os.environ.get("LOCAL_RANK", "0") == "0":  # of several processes, one speaks
            print(f"error: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0


def overview() -> str:
    """What `hf-resnet --help` prints."""
    lines = [f"  {name:<10} {_first_line(cls)}" for name, cls in COMMANDS.items()]
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
    os.environ["COLUMNS"] = "88"  # the layout that was looked at, on screens of any width
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        tyro.cli(COMMANDS[name], prog=f"hf-resnet {name}", args=["--help"], use_underscores=True)
    text = out.getvalue().replace("{None}|", "").replace("{None,", "{")
    text = re.sub(r"\s*\(default:\s+(None)?\)", "", text)
    lines = [line.rstrip() for line in text.splitlines()]
    return "\n".join([*lines, _MORE])


def parse(name: str, argv: Sequence[str]) -> Any:
    """The command's config: its defaults, then the recipe, then the flags."""
    import tyro

    cls = COMMANDS[name]
    kinds = flags_of(cls)
    words, recipe = _without_recipe(argv)
    words = _gathered(_checked(words, kinds, name), kinds)
    given = [*_checked(_recipe_flags(recipe, kinds, name), kinds, name), *words]
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            return tyro.cli(cls, prog=f"hf-resnet {name}", args=given, use_underscores=True)
    except SystemExit as exc:
        raise ConfigError(f"{_plain(said.getvalue())}; see hf-resnet {name} --help") from exc


def flags_of(cls: type[Any]) -> dict[str, Any]:
    """Every flag of a config class with its type, the groups' flags included."""
    found: dict[str, Any] = {}
    hints = inspect.get_annotations(cls)
    for each in dataclasses.fields(cls):
        kind = getattr(hints[each.name], "__origin__", hints[each.name])
        if dataclasses.is_dataclass(kind):
            found.update(flags_of(kind))  # type: ignore[arg-type]
        elif not getattr(hints[each.name], "__metadata__", ()):
            found[each.name] = hints[each.name]
    return found


def _checked(words: list[str], kinds: dict[str, Any], command: str) -> list[str]:
    """The words with every flag known, written with underscores, and `--flag true` made plain."""
    checked: list[str] = []
    for word in words:
        if checked and word.lower() in ("true", "false") and _is_switch(checked[-1], kinds):
            if word.lower() == "false":
                checked[-1] = checked[-1].replace("--", "--no_", 1)
            continue
        if word.startswith("--") and len(word) > 2:
            checked.append(_checked_flag(word, kinds, command))
        else:
            checked.append(word)
    return checked


def _gathered(words: list[str], kinds: dict[str, Any]) -> list[str]:
    """A list's flag that is given several times means all of its values: --merge a=b --merge c=d."""
    lists: dict[str, list[str]] = {}
    others: list[str] = []
    current = others
    for word in words:
        flag, equals, value = word.removeprefix("--").partition("=")
        if word.startswith("--") and kinds.get(flag) == tuple[str, ...]:
            current = lists.setdefault(flag, [])
            current += [value] if equals else []
        else:
            current = others if word.startswith("--") else current
            current.append(word)
    return [*others, *(each for flag, values in lists.items() for each in (f"--{flag}", *values))]


def _checked_flag(word: str, kinds: dict[str, Any], command: str) -> str:
    flag, equals, value = word[2:].partition("=")
    flag = flag.replace("-", "_")
    _refuse_unknown(flag, kinds, command)
    if equals and value.lower() in ("true", "false") and kinds.get(flag) is bool:
        return f"--{flag}" if value.lower() == "true" else f"--no_{flag}"
    return f"--{flag}{equals}{value}"


def _is_switch(word: str, kinds: dict[str, Any]) -> bool:
    return word.startswith("--") and kinds.get(word[2:]) is bool


def _refuse_unknown(flag: str, kinds: dict[str, Any], command: str) -> None:
    positive = flag.removeprefix("no_")
    if flag in kinds or kinds.get(positive) is bool:
        return
    hint = did_you_mean(flag, kinds, most=1).replace("mean ", "mean --")
    raise ConfigError(
        f"{command} has no flag --{flag}{hint or f'; hf-resnet {command} --help lists them'}"
    )


def _without_recipe(argv: Sequence[str]) -> tuple[list[str], str | None]:
    words: list[str] = []
    recipe = None
    coming = iter(argv)
    for word in coming:
        if word == "--config":
            recipe = next(coming, None)
            if recipe is None:
                raise ConfigError("--config needs the path of a YAML recipe")
        elif word.startswith("--config="):
            recipe = word.removeprefix("--config=")
        else:
            words.append(word)
    return words, recipe


def _recipe_flags(path: str | None, kinds: dict[str, Any], command: str) -> list[str]:
    """The recipe as the flags it stands for, so that both are read by the same rules."""
    if path is None:
        return []
    flags: list[str] = []
    for key, value in _recipe(path).items():
        name = str(key).replace("-", "_")
        if name not in kinds:
            hint = did_you_mean(name, kinds, most=1)
            raise ConfigError(
                f"{path} has the key {key!r}, which is no flag of {command}"
                f"{hint or f'; hf-resnet {command} --help lists them'}"
            )
        flags += _as_flag(name, value)
    return flags


def _as_flag(name: str, value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no_{name}"]
    if isinstance(value, dict):
        return [f"--{name}", *(f"{key}={_joined(each)}" for key, each in value.items())]
    if isinstance(value, list):
        return [f"--{name}", *map(str, value)] if value else []
    return [f"--{name}={value}"]


def _joined(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _recipe(path: str) -> dict[str, Any]:
    import yaml

    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123  pathlib costs start-up time
            content = yaml.safe_load(file)
    except OSError as exc:
        raise ConfigError(f"cannot read the recipe {path}: {exc.strerror}; check the path") from exc
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        place = " ".join(str(exc).split())
        raise ConfigError(f"the recipe {path} is not YAML: {place}") from exc
    if not isinstance(content, dict):
        raise ConfigError(f"the recipe {path} is not a list of `name: value` lines; write it so")
    return content


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
