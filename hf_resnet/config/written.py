"""A config as it is written into a recipe, and its paths as a shell would write them."""

import dataclasses
import os
from typing import Any


def as_dict(config: Any) -> dict[str, Any]:
    """The config as a recipe has it: flat, since no two groups share a field, and ready for YAML; a
    token is left out, wherever this is written."""
    flat: dict[str, Any] = {}
    for each in dataclasses.fields(config):
        value = getattr(config, each.name)
        if dataclasses.is_dataclass(value):
            flat.update(as_dict(value))
        else:
            flat[each.name] = list(value) if isinstance(value, tuple) else value
        if each.name == "hub_token":
            flat[each.name] = None
    return flat


_PATHS = (
    *("labels", "surgery", "output", "json", "picture", "resume_from_checkpoint"),
    *("model_name_or_path", "dataset_name", "keep_wrong", "write_clean"),
)


def with_homes(config: Any) -> Any:
    """The config with the home folder for a ~ at the start of every path, as a shell would write it
    (which it does not behind an equals sign, in quotes or in a recipe)."""
    changes: dict[str, Any] = {}
    for each in dataclasses.fields(config):
        value = getattr(config, each.name)
        if dataclasses.is_dataclass(value):
            changes[each.name] = with_homes(value)
        elif isinstance(value, str) and each.name.endswith(("_dir", "_file", *_PATHS)):
            changes[each.name] = os.path.expanduser(value)  # noqa: PTH111  else a name is left alone
    return dataclasses.replace(config, **changes)
