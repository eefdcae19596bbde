"""Recipes: what `--config` and `--surgery` read, and what a run leaves beside its model.

The one place where YAML becomes words. The surprise: every value is the text that stands there, so
that a class called no, 01 or 2024-01-01 keeps its name; whoever wants a number makes one. Aliases,
tags and deep nesting are refused: a few lines of aliases can unfold to more than any memory holds.
"""

from dataclasses import fields, replace
from pathlib import Path
from types import NoneType
from typing import Any, get_args

import yaml

from hf_resnet.config import DataConfig, as_dict
from hf_resnet.errors import ConfigError, DataError
from hf_resnet.writing import write_all

RECIPE_FILE = "recipe.yaml"
MOST_BYTES = 1 << 20
DEEPEST = 3
"""A mapping of mappings of lists: `merge: {cat: [tabby, tiger cat]}`."""

PATHS = (
    *(
        "model_name_or_path",
        "dataset_name",
        "more_data",
        "feature_cache_dir",
        "add_dir",
        "sample_dir",
    ),
    *(f"{role}_{kind}" for role in ("train", "validation", "test") for kind in ("dir", "file")),
)
"""Flags that may name something on this machine which a later run looks for."""

MOST_MODELS_BACK = 20


def read_yaml(path: str | Path, what: str = "recipe") -> dict[str, Any]:
    """The `name: value` lines of a file: texts, lists and mappings of texts; None where nothing
    stands behind a name."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ConfigError(f"{path} is larger than {MOST_BYTES >> 20} MB; it is no {what}")
        text = content.decode("utf-8-sig")
        _refuse_what_unfolds(text, path)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except OSError as exc:
        raise ConfigError(f"cannot read the {what} {path}: {exc.strerror}; check the path") from exc
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        raise ConfigError(f"the {what} {path} is not YAML: {' '.join(str(exc).split())}") from exc
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"the {what} {path} is not a list of `name: value` lines; write it so")
    nothing = {key.value for key, value in root.value if value.tag.endswith(":null")}
    found: dict[str, Any] = _words(root, path)
    return {key: None if key in nothing else value for key, value in found.items()}


def _refuse_what_unfolds(text: str, path: str | Path) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        where = _where(path, event.start_mark)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise ConfigError(f"{where}: anchors (&) and aliases (*) are not read; write it out")
        if getattr(event, "tag", None) is not None:
            raise ConfigError(f"{where}: tags (!) are not read; quote the text, or leave it out")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise ConfigError(f"{where}: nested too deeply; lists in a mapping are the most")


def _where(path: str | Path, mark: Any) -> str:
    return f"{path} line {mark.line + 1}" if mark else f"{path}"


def _words(node: yaml.Node, path: str | Path) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return [_words(each, path) for each in node.value]
    if not isinstance(node, yaml.MappingNode):
        return node.value
    found: dict[str, Any] = {}
    for key, value in node.value:
        where = _where(path, key.start_mark)
        if not isinstance(key, yaml.ScalarNode):
            raise ConfigError(f"{where}: a name is one word or text, not a list or a mapping")
        if key.value in found:
            raise ConfigError(f"{where}: {key.value!r} stands there twice; write it once")
        found[key.value] = _words(value, path)
    return found


def write_recipe(config: Any, folder: Path) -> None:
    """Write what --config reads again, from any folder; whole, and never through a link."""
    recipe = {
        name: _absolute(value) if name in PATHS and value else value
        for name, value in as_dict(config).items()
    }
    text = yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True)
    write_all(folder, {RECIPE_FILE: text.encode()})


def _absolute(name: str) -> str:
    """The whole path of what lies on this machine; else the name as it is (of the Hub, a sample)."""
    path = Path(name).expanduser()
    return str(path.resolve()) if path.exists() else name


def data_of(folder: Path) -> tuple[DataConfig, Path] | None:
    """The data that the model in this folder was taught with, without --more_data (none of it is
    measured on), and the folder of the model that was: itself, or for one whose classes were changed
    the one it was made from."""
    for _ in range(MOST_MODELS_BACK):
        path = folder / RECIPE_FILE
        if not path.is_file():
            return None
        try:
            recipe = read_yaml(path)
            found = _data_config(recipe)
        except (ConfigError, KeyError, ValueError, TypeError) as exc:
            place = " ".join(str(exc).split())
            raise DataError(f"{path} is no recipe of hf_resnet's ({place}); name the data") from exc
        if found != DataConfig():
            return replace(found, more_data=None), folder
        folder = Path(str(recipe.get("model_name_or_path")))
    return None


def _data_config(recipe: dict[str, Any]) -> DataConfig:
    kinds = {each.name: each.type for each in fields(DataConfig)}
    return DataConfig(
        **{name: _typed(recipe[name], kind) for name, kind in kinds.items() if name in recipe}
    )


def _typed(value: Any, kind: Any) -> Any:
    """The text as what the field holds; ValueError, TypeError or KeyError where it cannot be."""
    options = get_args(kind) or (kind,)
    if value is None and NoneType in options:
        return None
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.60} where one word is needed")
    if bool in options:
        return {"true": True, "false": False}[value]
    if str in options or value in options:
        return value
    return int(value) if int in options else float(value)
