"""hf-resnet predict: what goes wrong with inputs and output is one line, and leaves nothing behind."""

import errno
import io
import json
import os
import shutil
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hf_resnet.classifier import Prediction
from hf_resnet.cli import main
from hf_resnet.commands.rows import FORMATS, PredictedRow, writer
from hf_resnet.errors import ConfigError
from tests.conftest import photo, png

ROW = PredictedRow("a.jpg", (Prediction("cat", 0.75), Prediction("dog", 0.25)))
SUFFIXES = pytest.mark.parametrize("suffix", FORMATS)


@pytest.fixture
def model(family_folders):
    return str(family_folders("transformers-resnet"))


@pytest.fixture
def picture(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(png(photo(1)))
    return str(tmp_path / "photos" / "a.png")


def predict(*words):
    return main(["predict", *map(str, words)])


def told(capsys, *words):
    """The one line that a call which cannot be ends with."""
    assert predict(*words) in (1, 2)
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    return said


class FullDisk(io.FileIO):
    """A file on a disk with room for so many bytes."""

    room = 0

    def write(self, data):
        if len(bytes(data)) > self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        FullDisk.room -= len(bytes(data))
        return super().write(data)


@SUFFIXES
def test_a_full_disk_is_one_line_wherever_it_fills_and_leaves_the_earlier_file(
    suffix, tmp_path, monkeypatch
):
    monkeypatch.setattr("hf_resnet.commands.rows._ROWS_A_GROUP", 5)
    plain = Path.open

    def opened(self, mode="r", *more, **options):
        if mode == "xb":
            return io.BufferedWriter(FullDisk(str(self), "x"), 100)
        return plain(self, mode, *more, **options)

    monkeypatch.setattr(Path, "open", opened)
    place = tmp_path / f"rows{suffix}"
    place.write_bytes(b"of an earlier run")
    outcomes = set()
    for room in range(0, 4000, 61):
        FullDisk.room = room
        try:
            with writer(str(place), 2) as write:
                for _ in range(12):
                    write(ROW)
        except ConfigError as exc:
            assert str(exc) == (
                f"--output {place} cannot be written: No space left on device; name another place"
            )
            assert place.read_bytes() == b"of an earlier run"
            outcomes.add("full")
        else:
            place.write_bytes(b"of an earlier run")
            outcomes.add("fits")
        assert list(tmp_path.iterdir()) == [place]
    assert outcomes == {"full", "fits"}


@SUFFIXES
def test_a_run_that_is_stopped_leaves_nothing_behind_and_its_own_error(suffix, tmp_path):
    for error in (KeyboardInterrupt, RuntimeError, OSError):
        with pytest.raises(error), writer(str(tmp_path / f"rows{suffix}"), 2) as write:
            write(ROW)
            raise error
        assert not list(tmp_path.iterdir())


@SUFFIXES
def test_two_runs_to_one_output_do_not_mix(suffix, tmp_path):
    place, both_open = str(tmp_path / f"rows{suffix}"), threading.Barrier(2, timeout=20)

    def run(name):
        with writer(place, 1) as write:
            both_open.wait()
            for _ in range(50):
                write(PredictedRow(name, (Prediction(name, 1.0),)))
            both_open.wait()

    threads = [threading.Thread(target=run, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.name for path in tmp_path.iterdir()] == [f"rows{suffix}"]
    if suffix == ".parquet":
        files = [row["file"] for row in pq.read_table(place).to_pylist()]
    else:
        lines = Path(place).read_text().splitlines()[suffix == ".csv" :]
        files = [line.removeprefix('{"file": "')[0] for line in lines]
    assert files in (["a"] * 50, ["b"] * 50)


def test_an_output_that_cannot_be_is_told_before_the_model_is_opened(tmp_path, picture, capsys):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").write_text("x")
    calls = {
        tmp_path / "folder.csv": "is a folder; name a file",
        tmp_path / "file" / "rows.csv": "cannot be written: ",
        tmp_path / ("x" * 300 + ".csv"): "cannot be written: File name too long",
        tmp_path / "rows.xls": "--output ends in .jsonl, .csv or .parquet",
    }
    for output, message in calls.items():
        assert message in told(capsys, "./no-model", picture, "--output", output)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.csv", "photos"]


def test_a_closed_folder_for_the_output_is_one_line(tmp_path, picture, capsys, monkeypatch):
    """Root may write everywhere, so that the refusal is made here."""

    def refused(self, *_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "touch", refused)
    said = told(capsys, "./no-model", picture, "--output", tmp_path / "rows.csv")
    assert "rows.csv cannot be written: Permission denied; name another place" in said


def test_an_output_in_a_new_folder_makes_it(tmp_path, model, picture):
    assert predict(model, picture, "--output", tmp_path / "new" / "er" / "rows.csv") == 0
    assert [path.name for path in (tmp_path / "new" / "er").iterdir()] == ["rows.csv"]


def test_no_more_classes_are_listed_than_there_are(tmp_path, model, picture):
    assert predict(model, picture, "--top_k", 10**9, "--output", tmp_path / "rows.csv") == 0
    assert (tmp_path / "rows.csv").read_text().splitlines()[0].count("label_") == 5


@pytest.mark.parametrize("name", ["", " "])
def test_an_empty_input_is_one_line_and_not_all_that_is_here(model, picture, capsys, name):
    assert "one of the inputs is empty" in told(capsys, model, picture, name)


def test_what_was_passed_over_is_said(model, picture, capsys):
    folder = Path(picture).parent
    (folder / ".hidden").write_bytes(b"x")
    (folder / "notes.txt").write_bytes(b"x")
    (folder / os.fsdecode(b"\xff.png")).write_bytes(b"x")
    assert predict(model, folder, os.fsdecode(b"caf\xe9.png")) == 0
    said = capsys.readouterr().out
    for part in (
        "1 hidden name",
        "1 file not named as pictures (.txt)",
        "1 file named in something",
    ):
        assert part in said
    assert r"passed over a file named in something else than UTF-8: caf\udce9.png" in said


def test_pipes_and_unreadable_links_are_rows_with_a_problem(tmp_path, model, picture):
    folder = Path(picture).parent
    os.mkfifo(folder / "b.jpg")
    (folder / "c.jpg").symlink_to("nowhere")
    assert predict(model, folder, "--output", tmp_path / "rows.jsonl") == 0
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [row["error"] for row in rows] == [None, "not a file", "no such file"]


def test_names_of_strangers_cannot_steer_the_terminal(tmp_path, family_folders, picture, capsys):
    """Neither of files nor of classes, nor in notes and errors."""
    model = shutil.copytree(family_folders("transformers-resnet"), tmp_path / "model")
    config = json.loads((model / "config.json").read_text())
    evil = {number: f"{name}\x1b[2J\x9b\n" for number, name in config["id2label"].items()}
    config |= {"id2label": evil, "label2id": {name: int(n) for n, name in evil.items()}}
    (model / "config.json").write_text(json.dumps(config))
    folder = Path(picture).parent
    shutil.copy(picture, folder / "b\x1b]0;x\x07\n.png")
    (folder / "c\x1b[2J.jpg").write_bytes(b"x")
    (folder / "d.\x1b[2J").write_bytes(b"x")
    predict(model, folder, "--top_k", 1)
    predict(model, folder / "e\x1b[2J.jpg")
    said = capsys.readouterr()
    assert not set("\x1b\x9b\x07") & set(said.out + said.err)
    assert len(said.out.splitlines()) == 5  # a row for each picture, a note, and the count
    assert r"b\x1b]0;x\x07\n.png: " in said.out
