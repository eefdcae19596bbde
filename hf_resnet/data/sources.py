"""Which source a DataConfig names, and its splits by the role they play.

The one place that knows all sources; each of them knows only itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hf_resnet.config import DataConfig
from hf_resnet.data import hub, samples
from hf_resnet.data.columns import RawSplit
from hf_resnet.data.folder import existing_folder, has_folders, read_folder, split_folders
from hf_resnet.data.splits import ROLES, USUAL_NAMES
from hf_resnet.data.table import read_table
from hf_resnet.errors import ConfigError, DataError, did_you_mean, listed


@dataclass(eq=False)
class Source:
    """What was opened."""

    name: str
    splits: dict[str, RawSplit] = field(default_factory=dict)
    """By role: train, validation, test."""

    notes: list[str] = field(default_factory=list)


def open_source(config: DataConfig) -> Source:
    """The splits that the config names."""
    files = {role: getattr(config, f"{role}_file") for role in ROLES}
    folders = {role: getattr(config, f"{role}_dir") for role in ROLES}
    local = [path for path in (*folders.values(), *files.values()) if path]
    if config.dataset_name and local:
        raise ConfigError(
            f"--dataset_name {config.dataset_name} and {listed(local)} are different data sets; "
            "name one of them"
        )
    for role in ROLES:
        if files[role] and folders[role]:
            raise ConfigError(
                f"--{role}_dir and --{role}_file both name the {role} pictures; name one"
            )
    if config.dataset_name:
        return _open_dataset(config.dataset_name, config)
    if not local:
        raise ConfigError(
            "no pictures named; give --train_dir FOLDER, --train_file TABLE or --dataset_name NAME "
            f"(there are samples, such as {samples.PREFIX}digits)"
        )
    source = Source(local[0])
    for role, path in files.items():
        if path:
            source.splits[role] = read_table(path, f"--{role}_file", streaming=config.streaming)
    _add_folders(source, {role: path for role, path in folders.items() if path})
    if config.streaming and any(not path.endswith(".parquet") for path in local):
        source.notes.append("--streaming changes nothing for folders, CSV and JSON lines")
    return source


def open_more(name: str) -> tuple[RawSplit, list[str]]:
    """Further pictures to learn from: a folder of class folders, a table, or a data set's training
    split."""
    path = Path(name).expanduser()
    if path.is_dir() and has_folders(path):
        return read_folder(path)
    if path.is_file():
        return read_table(name, "--more_data"), []
    if name.startswith((".", "/", "~")):
        existing_folder(name, "--more_data")  # tells what is wrong with it
    source = _open_dataset(name, DataConfig())
    if "train" not in source.splits:
        raise DataError(f"--more_data {name} has no training split; it has {listed(source.splits)}")
    return source.splits["train"], source.notes


def _add_folders(source: Source, given: Mapping[str, str]) -> None:
    """The folders that are named, and those that lie beside the training folder in its root."""
    named: dict[str, Path] = {}
    beside: dict[str, Path] = {}
    for role, path in given.items():
        folder = existing_folder(path, f"--{role}_dir")
        inside = split_folders(folder)
        if inside and role not in inside:
            raise DataError(f"{folder} holds {listed(inside)} folders, and none for {role}")
        named[role] = inside.pop(role, folder)
        if role == "train":
            beside = {other: path for other, path in inside.items() if other not in given}
    for role, folder in (named | beside).items():
        if role in source.splits:
            continue
        if role in beside and not has_folders(folder):
            source.notes.append(f"{folder}: left out, its pictures are in no class folders")
            continue
        source.splits[role], notes = read_folder(folder)
        source.notes += notes


def _open_dataset(name: str, config: DataConfig) -> Source:
    if samples.is_sample(name):
        found, notes = samples.open_sample(name, streaming=config.streaming)
    else:
        found = hub.open_dataset(name, config.dataset_config_name, streaming=config.streaming)
        notes = []
    source = Source(name, notes=notes)
    for role in ROLES:
        wanted = getattr(config, f"{role}_split_name")
        if wanted is not None and wanted not in found:
            raise DataError(
                f"{name} has no split {wanted!r} for --{role}_split_name"
                f"{did_you_mean(wanted, found)}; it has {listed(found)}"
            )
        split = wanted or next((usual for usual in USUAL_NAMES[role] if usual in found), None)
        if split is not None:
            source.splits[role] = found[split]
    if not source.splits and len(found) == 1:
        ((only, split_found),) = found.items()
        source.splits["train"] = split_found
        source.notes.append(f"{name}: its only split, {only!r}, is taken to learn from")
    if not source.splits:
        raise DataError(
            f"cannot tell which splits of {name} to use; it has {listed(found)}; name one with "
            "--train_split_name"
        )
    return source
