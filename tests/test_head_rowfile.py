"""Rows come back from where they were put."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_resnet.errors import ConfigError
from hf_resnet.head.rowfile import RowFile
from tests.conftest import files_of_at_most


@settings(deadline=None, max_examples=50)
@given(st.permutations(range(12)), st.integers(1, 12))
def test_rows_written_in_any_order_are_read_in_order(tmp_path_factory, order, step) -> None:
    rows_ND = np.arange(36, dtype=np.float32).reshape(12, 3)
    file = RowFile(tmp_path_factory.getbasetemp(), 3)
    for start in range(0, 12, step):
        at = np.array(order[start : start + step])
        file.write(at, rows_ND[at])
    np.testing.assert_array_equal(file.read(0, 12), rows_ND)
    np.testing.assert_array_equal(file.read(4, 7), rows_ND[4:7])


def test_rows_that_were_never_written_are_an_error(tmp_path: Path) -> None:
    file = RowFile(tmp_path, 2)
    file.write(np.array([0, 1]), np.ones((2, 2), np.float32))
    with pytest.raises(ValueError, match="rows 1 to 3"):
        file.read(1, 3)


def test_the_file_has_no_name(tmp_path: Path) -> None:
    RowFile(tmp_path, 2).write(np.array([0]), np.ones((1, 2), np.float32))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_line_with_the_room_that_is_needed(tmp_path: Path) -> None:
    file = RowFile(tmp_path, 1000, expected=1000)
    with (
        files_of_at_most(100_000),
        pytest.raises(ConfigError, match=r"\(4 MB are needed\); .*--feature_cache_dir"),
    ):
        file.write(np.arange(100), np.ones((100, 1000), np.float32))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"cannot be written: a file lies in its way"):
        RowFile(tmp_path / "file", 2)
