"""What a person typed, and what stands in a recipe, as the words that fill a config.

Both become flags and are read by the same rules. Knows config classes by their fields alone. The
surprise: a value from a recipe can never act as a flag, whatever it begins with, since it is always
written as --flag=value.
"""

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from hf_resnet.errors import ConfigError, did_you_mean, listed

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
MEANT = {
    "epochs": "num_train_epochs",
    "lr": "learning_rate",
    "batch_size": "per_device_train_batch_size",
    "data_dir": "train_dir",
    "model": "model_name_or_path",
}
"""What people write who come from elsewhere, where the names are too far apart to be guessed."""
LISTS = (tuple[str, ...], tuple[int, ...])


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


def checked(words: list[str], kinds: dict[str, Any], command: str) -> list[str]:
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


def gathered(words: list[str], kinds: dict[str, Any]) -> list[str]:
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
    if MEANT.get(flag) in kinds:
        hint = f"; did you mean --{MEANT[flag]}?"
    typed = command.replace("_", "-")
    raise ConfigError(
        f"{typed} has no flag --{flag}{hint or f'; hf-resnet {typed} --help lists them'}"
    )


def without_recipe(argv: Sequence[str]) -> tuple[list[str], str | None]:
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


def of_recipe(
    path: str | None, command: str, commands: Mapping[str, type[Any]], typed: set[str]
) -> tuple[list[str], list[str]]:
    """The recipe as the flags it stands for, so that both are read by the same rules; without those
    that were typed as well, and those that only another command has. And what a person should know."""
    if path is None:
        return [], []
    from hf_resnet.commands.recipe import read_yaml

    kinds = flags_of(commands[command])
    recipe = {key.replace("-", "_"): value for key, value in read_yaml(path).items()}
    others = {flag for cls in commands.values() for flag in flags_of(cls)}
    if unknown := [name for name in recipe if name not in kinds and name not in others]:
        hint = did_you_mean(unknown[0], {*kinds, *others}, most=1)
        raise ConfigError(
            f"{path} has the key {unknown[0]!r}, which is no flag of {command}"
            f"{hint or f'; hf-resnet {command} --help lists them'}"
        )
    idle = [name for name in recipe if name not in kinds]
    notes = []
    if idle:
        idle += [name for name in MEANS_ANOTHER.get(command, ()) if name in recipe]
        use = f"{command} has no use for {listed(idle, most=50)}"
        notes.append(f"{path} is a recipe of another command; {use}")
    flags = [
        flag
        for name, value in recipe.items()
        if name not in idle and name not in typed and value is not None
        for flag in _as_flags(name, value, kinds[name], path)
    ]
    return flags, notes


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
