"""Files appear whole or not at all, and a disk that refuses is one line."""

import os
import subprocess
import sys

import pytest
from safetensors import SafetensorError

from hf_resnet.errors import ConfigError
from hf_resnet.writing import is_running, on_disk, write_all
from tests.conftest import files_of_at_most


def test_all_files_are_written_over_what_was_there(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    write_all(tmp_path / "new" / "er", {"a": b"1"})
    write_all(tmp_path, {"a": b"2", "b": b"3"})
    assert (tmp_path / "new" / "er" / "a").read_bytes() == b"1"
    assert [(tmp_path / name).read_bytes() for name in "ab"] == [b"2", b"3"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "new"]


def test_where_one_file_cannot_be_written_none_is(tmp_path):
    write_all(tmp_path, {"a": b"old", "b": b"old"})
    with files_of_at_most(1000), pytest.raises(OSError, match="File too large"):
        write_all(tmp_path, {"a": b"new", "b": bytes(2000)})
    with files_of_at_most(1000), pytest.raises(OSError, match="File too large"):
        write_all(tmp_path / "other", {"b": bytes(2000)})
    assert [(tmp_path / name).read_bytes() for name in "ab"] == [b"old", b"old"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_full_disk_is_one_line_with_the_room_that_is_needed():
    with (
        pytest.raises(ConfigError) as caught,
        on_disk("the thing", "make room", needs=2_500_000),
    ):
        raise OSError(28, os.strerror(28))
    assert str(caught.value) == (
        "the thing cannot be written: No space left on device (3 MB are needed); make room"
    )


def test_a_full_disk_as_safetensors_tells_it_is_the_same():
    with (
        pytest.raises(
            ConfigError, match=r"written: No space left on device \(1 MB are needed\); x"
        ),
        on_disk("the thing", "x", needs=5),
    ):
        raise SafetensorError("I/O error: No space left on device (os error 28)")


@pytest.mark.parametrize(
    "error", [OSError("of something else"), SafetensorError("of the header"), ZeroDivisionError()]
)
def test_what_is_not_of_the_disk_passes_as_it_is(error):
    with pytest.raises(type(error)) as caught, on_disk("the thing", "x"):
        raise error
    assert caught.value is error


def test_a_process_runs_until_it_has_ended():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert is_running(process.pid)
        process.communicate(b"\n")
        assert not is_running(process.pid)
    assert is_running(os.getpid())


def test_a_place_where_no_folder_can_be_made_is_one_line(tmp_path):
    for place in (tmp_path / ("x" * 300), tmp_path / "gone" / "deeper"):
        with (
            pytest.raises(ConfigError, match="the thing cannot be written"),
            on_disk("the thing", "x"),
        ):
            place.mkdir()
