"""A JSON file from a stranger is an object with finite numbers, or one clear line."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_resnet.errors import DataError, ModelError
from hf_resnet.jsonfile import read_object


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])),
        st.none()
        | st.booleans()
        | st.integers(-(10**23), 10**23)
        | st.floats(allow_nan=False, allow_infinity=False),
    )
)
def test_what_json_writes_is_read_as_it_was(tmp_path_factory, written):
    path = tmp_path_factory.getbasetemp() / "a.json"
    path.write_text(json.dumps(written))
    assert read_object(path) == written


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"[1]", "a list where an object"),
        (b"3", "a number where an object"),
        (b"null", "null where an object"),
        (b'{"a": ', "Expecting value"),
        (b"", "Expecting value"),
        (b"\xff\xfe\0", "decode"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"a":' * 60 + b"1" + b"}" * 60, "nested too deeply"),
        (b'{"a": NaN}', "holds NaN"),
        (b'{"a": -Infinity}', "holds -Infinity"),
        (b'{"a": 1e400}', "1e400, which is too large"),
        (b'{"a": 1' + b"0" * 5000 + b"}", "whole number of 5001 digits"),
        (b'{"a": "\\ud800"}', "half a letter"),
    ],
)
def test_what_is_no_object_of_finite_numbers_is_one_clear_line(tmp_path, content, why):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=why) as caught:
        read_object(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize("what", ["folder", "pipe", "nothing"])
def test_what_is_no_file_is_one_clear_line(tmp_path, what):
    path = tmp_path / "a.json"
    {"folder": path.mkdir, "pipe": lambda: os.mkfifo(path), "nothing": lambda: None}[what]()
    with pytest.raises(DataError, match=r"a\.json"):
        read_object(path, error=DataError)


def test_a_file_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("hf_resnet.jsonfile.MOST_BYTES", 1 << 20)
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"a": "x" * (1 << 20)}))
    with pytest.raises(ModelError, match="larger than 1 MB"):
        read_object(path)
