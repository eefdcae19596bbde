"""What stands in a label column, and the class names it means.

Hub data sets store an index beside a list of names; other columns hold text, whole numbers or
booleans. All become names here, and names are what data sets meet by. The surprise: names are
stripped and composed (NFC), since a folder made on one system and a table made on another spell
the same Burmese or accented name with different code points.
"""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hf_resnet.errors import DataError
from hf_resnet.labels import Labels, natural_order

NO_LABEL = -1


def name_of(value: Any) -> str | None:
    """The class that a cell names, a number in decimals; None where the cell is empty."""
    if isinstance(value, float):  # a column of whole numbers with gaps, where a gap is NaN
        value = None if math.isnan(value) else int(value) if value.is_integer() else value
    if value is None:
        return None
    if not isinstance(value, (str, bool, int)):
        raise DataError(
            f"a label is text, a whole number or a boolean, got {value!r} "
            f"({type(value).__name__}); name another column with --label_column_name"
        )
    return unicodedata.normalize("NFC", str(value)).strip() or None


@dataclass(frozen=True)
class Naming:
    """How the cells of one label column become names."""

    declared: tuple[str, ...] | None = None
    """The names of a ClassLabel column, whose cells are indices into them."""

    def __call__(self, value: Any) -> str | None:
        if self.declared is None:
            return name_of(value)
        known = value is not None and 0 <= value < len(self.declared)
        return self.declared[value] if known else None

    def order(self, names: Sequence[str]) -> tuple[str, ...]:
        """These names as they were declared, or sorted as a person sorts them."""
        if self.declared is None:
            return natural_order(names)
        wanted = set(names)
        return tuple(name for name in self.declared if name in wanted)


def declared_names(names: Sequence[str], title: str) -> tuple[str, ...]:
    """The names of a ClassLabel, cleaned; two that become one are an error."""
    clean = tuple(name_of(name) or "" for name in names)
    if len(set(clean)) < len(clean) or "" in clean:
        raise DataError(
            f"the classes of {title} need names that differ by more than blanks, got {list(names)}"
        )
    return clean


@dataclass(frozen=True, eq=False)
class Coded:
    """The label column of a stored split: which names there are, and which of them each row has."""

    names: tuple[str, ...]
    code_N: np.ndarray

    @property
    def hidden(self) -> bool:
        """Whether no row has a label: test splits are often published with -1 throughout."""
        return self.names in ((), ("-1",))

    def under(self, labels: Labels) -> np.ndarray:
        """The same labels as indices into `labels`, which has every name that is used."""
        table = [labels.index(name) for name in self.names] + [NO_LABEL]
        return np.array(table, dtype=np.int32).take(self.code_N)


def coded(values: Sequence[Any], naming: Naming) -> Coded:
    """The column as indices into the names that are used, NO_LABEL where a row has none."""
    names_N = [naming(value) for value in values]
    names = naming.order([name for name in set(names_N) if name is not None])
    index = {name: code for code, name in enumerate(names)} | {None: NO_LABEL}
    return Coded(names, np.array([index[name] for name in names_N], dtype=np.int32))
