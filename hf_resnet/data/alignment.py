"""Splits that meet by class name: which names each has, and the one list of labels for all.

The training pictures decide which classes there are; a name they lack stops the run here, before
anything is computed. Splits may declare their classes in different orders, and a split may lack
some. The surprise: a test split whose labels are all hidden (-1 on the Hub) is left out, since
nothing can be measured on it.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from hf_resnet.data.columns import Columns
from hf_resnet.data.refusals import translated
from hf_resnet.data.values import Coded, Naming, coded
from hf_resnet.errors import DataError, counted, did_you_mean, listed
from hf_resnet.labels import Labels, natural_order

Labelled = tuple[Columns, Coded]


def read_labels(splits: Mapping[str, Columns]) -> tuple[dict[str, Labelled], list[str]]:
    """The label column of each split; those without labels are left out, with a note."""
    labelled: dict[str, Labelled] = {}
    notes = []
    for role, columns in splits.items():
        title = columns.place.title
        codes = _codes(columns, columns.naming) if columns.naming else None
        if codes is not None and not codes.hidden:
            labelled[role] = columns, codes
            notes += _notes(columns, codes) if role == "train" else []
        elif role == "train":
            flag = "name the column with --label_column_name"
            raise DataError(f"the pictures of {title} have no classes to learn; {flag}")
        else:
            notes.append(f"{title}: left out, since its pictures have no labels")
    if not labelled:
        raise DataError(f"no labels in {listed(c.place.title for c in splits.values())}")
    return labelled, notes


def _notes(columns: Columns, codes: Coded) -> list[str]:
    title, declared = columns.place.title, columns.naming and columns.naming.declared
    if columns.streaming and not declared:
        return [
            f"{title}: read once for its {counted(len(codes.names), 'class name')}, which it does "
            "not list"
        ]
    if unused := [name for name in declared or () if name not in codes.names]:
        return [f"{title}: no class for {listed(unused)}, declared there but without a picture"]
    return []


def _codes(columns: Columns, naming: Naming) -> Coded:
    """The labels of all rows; of a stream, only the names: declared, or gathered by reading it."""
    column = columns.dataset.select_columns(["label"])
    if not columns.streaming:
        cells = column.with_format("arrow")[:].column("label").to_pylist() if len(column) else []
        return coded(cells, naming)
    with translated(columns.place.title):
        first = [example["label"] for example in column.take(1)]
        if naming.declared is not None:
            hidden = not any(naming(cell) for cell in first)
            return Coded(() if hidden else naming.declared, np.empty(0, np.int32))
        return coded(list({example["label"]: None for example in column}), naming)


def align(splits: Mapping[str, Labelled]) -> Labels:
    """The classes of the training pictures, or of all where there are none; errors where a split
    has another."""
    if "train" not in splits:
        return Labels(_merged([codes.names for _, codes in splits.values()]))
    train, codes = splits["train"]
    labels = Labels(codes.names)
    if len(labels) < 2:
        raise DataError(
            f"a classifier tells at least two classes apart, and {train.place.title} has only "
            f"{listed(repr(name) for name in labels)}; add pictures of another"
        )
    for columns, other in splits.values():
        if columns.streaming:
            continue  # what it declares it need not have; its rows are looked at as they come
        check_known(columns.place.title, other.names, train.place.title, labels)
    return labels


def check_known(title: str, names: Sequence[str], train: str, labels: Labels) -> None:
    """Stop where these pictures have a class that the training pictures lack."""
    if unknown := [name for name in names if name not in labels.names]:
        raise DataError(_unknown(title, unknown, train, labels))


def _unknown(title: str, unknown: list[str], train: str, labels: Labels) -> str:
    hint = did_you_mean(unknown[0], labels) if len(unknown) == 1 else ""
    return (
        f"{title} has {_classes(unknown)} that {train} lacks: {listed(unknown)}{hint}; {train} has "
        f"{listed(labels)}. Classes meet by name: rename them alike, or add or take away pictures"
    )


def _classes(names: list[str]) -> str:
    return "a class" if len(names) == 1 else f"{len(names)} classes"


def _merged(orders: list[tuple[str, ...]]) -> tuple[str, ...]:
    """One order for several lists: the longest where it has all names, else as a person sorts."""
    names = {name for order in orders for name in order}
    longest = max(orders, key=len)
    return longest if set(longest) == names else natural_order(names)
