"""A further column of a data set (site, camera, …): its value for each picture of a split.

The rows of a split carry their picture and their class alone, so the column is read beside them, by the
place of each row in its source. The surprise: a split that was cut from the training pictures is
looked up in those.
"""

from collections.abc import Sequence

import numpy as np

from hf_resnet.config import DataConfig
from hf_resnet.data.rows import Split, Stored
from hf_resnet.data.sources import open_source
from hf_resnet.data.values import Naming, declared_names, name_of
from hf_resnet.errors import ConfigError, DataError, did_you_mean, listed

MOST_VALUES = 200
MISSING = "(none)"


def column_of(config: DataConfig, split: Split, column: str) -> list[str]:
    """The column's value for each row of the split, in order, as text."""
    (part,) = split.parts
    if not isinstance(part, Stored):
        raise ConfigError("--by needs pictures that are stored; leave out --streaming")
    sources = open_source(config).splits
    raw = sources.get(split.name) or sources["train"]
    there = raw.dataset.column_names
    if column not in there:
        raise DataError(
            f"{raw.place.title} has no column {column!r} for --by{did_you_mean(column, there)}; it has "
            f"{listed(there)}"
        )
    feature = raw.dataset.features[column]
    declared = getattr(feature, "names", None)
    naming = Naming(declared_names(declared, raw.place.title)) if declared else None
    cells = raw.dataset.select_columns([column]).with_format("arrow")[:].column(column).to_pylist()
    values = [_text(cells[index], naming, column) for index in part.index_N.tolist()]
    if len(set(values)) > MOST_VALUES:
        raise DataError(
            f"--by {column} has {len(set(values)):,} different values, and at most {MOST_VALUES} are "
            "told apart; name a column of groups, such as a site or a camera"
        )
    return values


def grouped(values: Sequence[str]) -> dict[str, np.ndarray]:
    """Where each value stands, those with the most rows first."""
    array = np.array(values, dtype=object)
    found = {value: np.flatnonzero(array == value) for value in dict.fromkeys(values)}
    return dict(sorted(found.items(), key=lambda pair: (-len(pair[1]), pair[0])))


def _text(cell: object, naming: Naming | None, column: str) -> str:
    if isinstance(cell, dict | list | bytes):
        raise DataError(f"--by {column} holds no plain values; name a column of texts or numbers")
    if isinstance(cell, float) and not cell.is_integer():
        return f"{cell:g}"
    return (naming(cell) if naming else name_of(cell)) or MISSING
