"""From a DataConfig to splits that speak of the same classes.

Opens the source, finds its columns, lines the splits up by class name, makes a validation split
where there is none, and draws fewer pictures where fewer are wanted, in that order. Every process
of a run calls it for itself and gets the same. The surprise: making a split takes one pass over the
bytes of all pictures, since a picture is known by its bytes alone.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hf_resnet.config import DataConfig
from hf_resnet.data.alignment import align, check_known, read_labels
from hf_resnet.data.columns import Columns, find_columns, has_column
from hf_resnet.data.dividing import check_every_class, divided, fewer, part_of
from hf_resnet.data.folder import existing_folder, read_folder
from hf_resnet.data.rows import Split, Stored
from hf_resnet.data.sources import Source, open_more, open_source
from hf_resnet.data.splits import ROLES, Plan, Record, read_record
from hf_resnet.errors import ConfigError, counted
from hf_resnet.labels import Labels


@dataclass(frozen=True, eq=False)
class Data:
    """Pictures with their classes, ready to learn from and to measure on."""

    source: str
    labels: Labels
    train: Split | None
    validation: Split | None
    test: Split | None
    notes: tuple[str, ...]
    """What a person should know: what was passed over, made or left out."""

    seed: int = 0
    share: float = 0.15

    def splits(self) -> tuple[Split, ...]:
        return tuple(each for each in (self.train, self.validation, self.test) if each)

    def fingerprint(self) -> str:
        """Changes when a picture, its class or its side does, and with nothing else."""
        digest = hashlib.blake2b(digest_size=16)
        for split in self.splits():
            names = split.labels.names
            lines = sorted(f"{key} {names[label]}" for key, label in split.entries())
            digest.update("\n".join((f"[{split.name}]", *lines, "")).encode())
        return digest.hexdigest()

    def split_record(self) -> dict[str, Any]:
        """What splits.json holds, so that a later run finds the same splits again."""
        record: dict[str, Any] = {
            "seed": self.seed,
            "share": self.share,
            "fingerprint": self.fingerprint(),
            **{role: [] for role in ROLES},
        }
        for split in self.splits():
            record[split.name] = sorted({key for key, _ in split.entries()})
        return record


def load_data(
    config: DataConfig,
    *,
    remembered: Path | None = None,
    make_validation: bool = True,
    every_class: bool = True,
) -> Data:
    """The splits that the config names; `remembered` is the folder of a run to split like.

    With `make_validation` off, training pictures are left whole where no validation split is given;
    with `every_class` off, a class may be without a picture that can be read.
    """
    source = open_source(config)
    labelled, unlabelled = read_labels(_columns(source, config))
    labels = align(labelled)
    notes = [*source.notes, *unlabelled]
    parts = {role: part_of(each, labels) for role, each in labelled.items()}
    if "train" in parts and every_class:
        check_every_class(parts["train"], labels, config.max_train_samples)
    if make_validation and "train" in parts and "validation" not in parts:
        record = read_record(remembered)
        plan = Plan(config.split_seed, config.train_val_split, record.sides())
        parts["train"], parts["validation"], made = divided(parts["train"], labels, plan)
        notes += [*made, *_overruled(record, plan)]
    for role, part in parts.items():
        flag = "max_train_samples" if role == "train" else "max_eval_samples"
        most = getattr(config, flag)
        if most is not None:
            parts[role], drew = fewer(part, labels, most, flag, config.split_seed)
            notes += drew
    splits = {role: Split(role, labels, (part,)) for role, part in parts.items()}
    if config.more_data and "train" in splits:
        splits["train"], told = _with_more(splits, config.more_data)
        notes += told
    return Data(
        source.name,
        labels,
        splits.get("train"),
        splits.get("validation"),
        splits.get("test"),
        tuple(notes),
        seed=config.split_seed,
        share=config.train_val_split,
    )


def _with_more(splits: dict[str, Split], name: str) -> tuple[Split, list[str]]:
    """The training pictures and those of --more_data, but for what is measured on."""
    train = splits["train"]
    if train.size is None:
        raise ConfigError("--more_data adds to pictures that are stored; leave --streaming out")
    raw, notes = open_more(name)
    labelled, _ = read_labels({"train": find_columns(raw, None, None)})
    columns, codes = labelled["train"]
    check_known(columns.place.title, codes.names, train.parts[0].place.title, train.labels)
    part = part_of(labelled["train"], train.labels)
    assert isinstance(part, Stored)  # noqa: S101  opened without streaming
    held = {key for role, split in splits.items() if role != "train" for key, _ in split.entries()}
    kept = [at for at, key in enumerate(part.all_keys()) if key not in held]
    more = part.taking(np.array(kept, dtype=np.int64))
    notes.append(f"{name}: {counted(more.size, 'more picture')} to learn from")
    if passed := part.size - more.size:
        notes.append(
            f"{name}: {counted(passed, 'picture')} left out, since figures are measured on them"
        )
    return replace(train, parts=(*train.parts, more)), notes


def _overruled(record: Record, plan: Plan) -> list[str]:
    if record.share is None or (record.share, record.seed) == (plan.share, plan.seed):
        return []
    return [
        f"validation: the pictures of the earlier run stay on their sides, split then with "
        f"--train_val_split {record.share:g} --split_seed {record.seed}; {plan.share:g} and "
        f"{plan.seed} decide only where new ones go (a new --output_dir splits all anew)"
    ]


def load_examples(folder: str, flag: str) -> tuple[Split, list[str]]:
    """The pictures of a folder with one folder a class, whole, and what to say about it. There may
    be a single class, which training pictures may not be."""
    raw, notes = read_folder(existing_folder(folder, flag))
    labelled, _ = read_labels({"test": find_columns(raw, None, None)})
    labels = align(labelled)
    return Split("examples", labels, (part_of(labelled["test"], labels),)), notes


def _columns(source: Source, config: DataConfig) -> dict[str, Columns]:
    """The columns of each split: as named, else as in the training split, else found."""
    found: dict[str, Columns] = {}
    for role in (role for role in ROLES if role in source.splits):
        raw, train = source.splits[role], found.get("train")
        image, label = config.image_column_name, config.label_column_name
        if train is not None and image is None and has_column(raw, train.image_name):
            image = train.image_name
        if train is not None and label is None and has_column(raw, train.label_name):
            label = train.label_name
        found[role] = find_columns(raw, image, label)
    return found
