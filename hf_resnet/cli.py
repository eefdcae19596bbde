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
from hf_resnet.config import with_homes
from hf_resnet.errors import ConfigError, HfResnetError, did_you_mean, listed

COMMANDS: dict[str, type[Any]] = {
    "benchmark": configs.BenchmarkConfig,
    "degrade": configs.DegradeConfig,
    "demo": configs.DemoConfig,
    "explain": configs.ExplainConfig,
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


SWITCHED = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
MEANS_ANOTHER = {
    "measure": (
        *("output_dir", "model_name_or_path", "model_revision", "random_init"),
        "trust_remote_code",
    )
}
"""Flags that mean something else in another command's recipe: there the output is the model that is
to be measured, and the model what it was made from."""
ALSO_WRITTEN = {"class": "classes"}  # a field of a dataclass cannot be called class
LISTS = (tuple[str, ...], tuple[int, ...])


def main(argv: Sequence[str] | None = None) -> int:
    """Run `hf-resnet COMMAND ...`; 0 where it went well, 1 where it did not, 2 for a wrong call."""
    words = list(sys.argv[1:] if argv is None else argv)
    name, rest = (words[0], words[1:]) if words else ("--help", [])
    if name not in ("-h", "--help", "--version") and name not in COMMANDS:
        hint = did_you_mean(name, COMMANDS) or f"; there are {listed(COMMANDS)}"
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
    words, path = _without_recipe(argv)
    words = _gathered(_checked(words, kinds, name), kinds)
    typed = {word[2:].partition("=")[0] for word in words if word.startswith("--")}
    given = [*_recipe_flags(path, kinds, name, typed), *words]
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            return with_homes(
                tyro.cli(
                    cls,
                    prog=f"hf-resnet {name}",
                    args=given,
                    use_underscores=True,
                    config=(tyro.conf.UseAppendAction,),
                )
            )
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
    """`--keep a b` written as `--keep=a --keep=b`: so no value can pass for a flag, and a list's flag
    that is given several times means all of its values."""
    gathered: list[str] = []
    flag = None
    for word in words:
        if word.startswith("--"):
            flag, equals, _ = word[2:].partition("=")
            if kinds.get(flag) not in LISTS:
                flag = None
            if flag is None or equals:
                gathered.append(word)
        else:
            gathered.append(word if flag is None else f"--{flag}={word}")
    return gathered


def _checked_flag(word: str, kinds: dict[str, Any], command: str) -> str:
    flag, equals, value = word[2:].partition("=")
    flag = flag.replace("-", "_")
    flag = flag if flag in kinds else ALSO_WRITTEN.get(flag, flag)
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


def _recipe_flags(
    path: str | None, kinds: dict[str, Any], command: str, typed: set[str]
) -> list[str]:
    """The recipe as the flags it stands for, so that both are read by the same rules; without those
    that were typed as well, and those that only another command has."""
    if path is None:
        return []
    from hf_resnet.commands.recipe import read_yaml

    recipe = {key.replace("-", "_"): value for key, value in read_yaml(path).items()}
    others = {flag for cls in COMMANDS.values() for flag in flags_of(cls)}
    if unknown := [name for name in recipe if name not in kinds and name not in others]:
        hint = did_you_mean(unknown[0], {*kinds, *others}, most=1)
        raise ConfigError(
            f"{path} has the key {unknown[0]!r}, which is no flag of {command}"
            f"{hint or f'; hf-resnet {command} --help lists them'}"
        )
    idle = [name for name in recipe if name not in kinds]
    if idle:
        idle += [name for name in MEANS_ANOTHER.get(command, ()) if name in recipe]
        use = f"{command} has no use for {listed(idle, most=50)}"
        _say("note", f"{path} is a recipe of another command; {use}")
    return [
        flag
        for name, value in recipe.items()
        if name not in idle and name not in typed and value is not None
        for flag in _as_flags(name, value, kinds[name], path)
    ]


def _say(kind: str, text: object) -> None:
    from hf_resnet.screen import one_line

    if os.environ.get("LOCAL_RANK", "0") == "0":  # of several processes, one speaks
        print(f"{kind}: {one_line(str(text))}", file=sys.stderr)


def _as_flags(name: str, value: Any, kind: Any, path: str) -> list[str]:
    several = kind in LISTS
    if isinstance(value, dict) and several:
        return [f"--{name}={key}={_joined(each, name, path)}" for key, each in value.items()]
    if isinstance(value, list) and several:
        return [f"--{name}={_joined([each], name, path)}" for each in value]
    if not isinstance(value, str):
        what = "a mapping" if isinstance(value, dict) else "a list"
        raise ConfigError(f"{path}: {name} takes one value, got {what}")
    if kind is not bool:
        return [f"--{name}={value}"]
    if value.lower() not in SWITCHED:
        raise ConfigError(f"{path}: {name} is true or false, got {value!r}")
    return [f"--{name}" if SWITCHED[value.lower()] else f"--no_{name}"]


def _joined(value: Any, name: str, path: str) -> str:
    """One value; a list within is written with commas, as a flag has it."""
    texts = value if isinstance(value, list) else [value]
    if not all(isinstance(text, str) and text for text in texts):
        raise ConfigError(f"{path}: {name} holds an item that is empty, or no text; write names")
    return ",".join(texts)


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
