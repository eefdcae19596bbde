"""The resolved config of a run, kept beside the model as the recipe that makes it again."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from hf_resnet.config import DataConfig, as_dict
from hf_resnet.errors import DataError

RECIPE_FILE = "recipe.yaml"


def write_recipe(config: Any, folder: Path) -> None:
    """Write what --config reads again."""
    text = yaml.safe_dump(as_dict(config), sort_keys=False, allow_unicode=True)
    (folder / RECIPE_FILE).write_text(text, encoding="utf-8")


def data_of(folder: Path) -> DataConfig | None:
    """The data that the model in this folder was made with, where it is known."""
    path = folder / RECIPE_FILE
    if not path.is_file():
        return None
    known = {each.name for each in fields(DataConfig)}
    try:
        recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
        found = DataConfig(**{key: value for key, value in recipe.items() if key in known})
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, TypeError) as exc:
        place = " ".join(str(exc).split())
        raise DataError(f"{path} is no recipe of hf_resnet's ({place}); name the data") from exc
    return None if found == DataConfig() else found
