"""hf-resnet predict into a folder: every row once and in order, by any number of processes, whatever
stops them."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import datasets
import psutil
import pyarrow.parquet as pq
import pytest
from filelock import FileLock

from hf_resnet.classifier import open_classifier
from hf_resnet.cli import main
from hf_resnet.commands.parts import MANIFEST
from hf_resnet.engine import opening
from hf_resnet.export import make, publish
from tests.conftest import files_of_at_most, photo, png
from tests.test_training_processes import TWO, begin, ended

COUNT, ROWS = 47, 10
BROKEN = range(3, COUNT, 11)
SOURCES = ("folder", "table", "stream", "both")


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """The same pictures, some of them broken, in a folder and in a table."""
    folder = tmp_path_factory.mktemp("sources")
    (folder / "photos").mkdir()
    cells = []
    for number in range(COUNT):
        data = b"nothing" if number in BROKEN else png(photo(number, (24, 20)))
        (folder / "photos" / f"{number}.png").write_bytes(data)
        cells.append({"bytes": data, "path": None})
    features = datasets.Features({"image": datasets.Image()})
    table = datasets.Dataset.from_dict({"image": cells}, features=features)
    table.to_parquet(folder / "table.parquet")
    return folder


@pytest.fixture
def model(family_folders):
    return str(family_folders("transformers-resnet"))


@pytest.fixture
def call(model, sources):
    return [model, str(sources / "photos"), "--rows_per_part", str(ROWS)]


def words_for(source, sources):
    photos, table = str(sources / "photos"), str(sources / "table.parquet")
    return {
        "folder": [photos],
        "table": [table],
        "stream": [table, "--streaming"],
        "both": [photos, table, "--streaming"],
    }[source]


def predict(output, *words):
    return main(["predict", *map(str, words), "--output", str(output)])


def refused(capsys, output, *words):
    """The one line of a call that cannot be, which changes nothing in the folder."""
    before = {path.name: path.stat().st_mtime_ns for path in output.iterdir()}
    capsys.readouterr()
    assert predict(output, *words) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    after = {path.name: path.stat().st_mtime_ns for path in output.iterdir()}
    assert {name: after[name] for name in before if name != ".0.lock"} == {
        name: before[name] for name in before if name != ".0.lock"
    }
    return said


def rows_of(folder):
    parts = sorted(folder.glob("part-*.parquet"))
    return [row for part in parts for row in pq.read_table(part).to_pylist()]


def same(rows, others):
    """Alike but for the last digits: a batch of another size may change those."""
    assert [row["file"] for row in rows] == [row["file"] for row in others]
    for row, other in zip(rows, others, strict=True):
        assert (row["error"], len(row["labels"])) == (other["error"], len(other["labels"]))
        assert row["probabilities"] == pytest.approx(other["probabilities"], abs=0.02)


@pytest.mark.parametrize("source", SOURCES)
def test_the_parts_hold_the_rows_of_a_single_file_in_the_order_of_the_input(
    source, model, sources, tmp_path, capsys
):
    words = [model, *words_for(source, sources)]
    assert predict(tmp_path / "rows.parquet", *words) == 0
    assert predict(tmp_path / "parts", *words, "--rows_per_part", ROWS) == 0
    wanted = pq.read_table(tmp_path / "rows.parquet").to_pylist()
    assert len(wanted) == COUNT * (1 + (source == "both"))
    rows = rows_of(tmp_path / "parts")
    same(rows, wanted)
    assert [at % COUNT for at, row in enumerate(rows) if row["error"]] == [
        *BROKEN,
        *(BROKEN if source == "both" else ()),
    ]
    said = capsys.readouterr().out.splitlines()[-1]
    assert said == (
        f"{len(rows) - len(BROKEN) * len(rows) // COUNT} pictures, "
        f"{len(BROKEN) * len(rows) // COUNT} files that could not be used, answered by torch; "
        f"written to {tmp_path / 'parts'}"
    )


def test_the_folder_is_one_data_set(call, tmp_path):
    assert predict(tmp_path / "parts", *call) == 0
    opened = datasets.load_dataset(str(tmp_path / "parts"), cache_dir=str(tmp_path / "cache"))
    assert opened["train"].to_list() == rows_of(tmp_path / "parts")
    kept = json.loads((tmp_path / "parts" / MANIFEST).read_text())
    assert kept["finished"] == {"rows": COUNT, "not_used": len(BROKEN), "parts": 5}


@pytest.mark.parametrize("source", ["folder", "stream"])
def test_processes_share_the_parts_and_the_last_one_tells_so(
    source, model, sources, tmp_path, monkeypatch, capsys
):
    """There may be other processes, and more of them, when a job goes on."""
    place, words = tmp_path / "parts", [model, *words_for(source, sources)]
    words += ["--rows_per_part", str(ROWS)]

    def as_process(rank, processes):
        monkeypatch.setenv("RANK", str(rank))
        monkeypatch.setenv("WORLD_SIZE", str(processes))
        assert predict(place, *words) == 0
        return capsys.readouterr().out.splitlines()[-1]

    assert (
        as_process(1, 3)
        == f"process 2 of 3 is done, with 17 pictures; {place} is whole once all are"
    )
    assert [path.name for path in sorted(place.glob("part-*"))] == [
        "part-000001.parquet",
        "part-000004.parquet",
    ]
    # the short last part of a stream is made again, since it might not have been the last
    there = 27 if source == "stream" else 20
    assert f"process 1 of 2 is done, with {there} pictures" in as_process(0, 2)
    assert as_process(1, 2).startswith("43 pictures, 4 files that could not be used, ")
    assert "finished" in json.loads((place / MANIFEST).read_text())
    assert predict(tmp_path / "rows.parquet", model, *words_for(source, sources)) == 0
    monkeypatch.setenv("RANK", "0")
    assert predict(tmp_path / "rows.parquet", model, *words_for(source, sources)) == 0
    assert "name a folder as --output" in capsys.readouterr().out
    same(rows_of(place), pq.read_table(tmp_path / "rows.parquet").to_pylist())


@pytest.mark.parametrize("rank, processes", [("2", "2"), ("x", "2"), ("0", "-1"), ("0", "0")])
def test_processes_that_cannot_be_are_one_line(
    call, tmp_path, monkeypatch, capsys, rank, processes
):
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", processes)
    assert predict(tmp_path / "parts", *call) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("source", ["folder", "stream"])
def test_a_finished_job_is_left_as_it_is(source, model, sources, tmp_path):
    words = [model, *words_for(source, sources), "--rows_per_part", ROWS]
    assert predict(tmp_path / "parts", *words) == 0
    parts = sorted((tmp_path / "parts").glob("part-*"))
    before = [path.stat().st_mtime_ns for path in parts]
    assert predict(tmp_path / "parts", *words) == 0
    after = [path.stat().st_mtime_ns for path in parts]
    # but for the short last part of a stream, which might not have been the last
    assert after[:-1] == before[:-1]
    assert (after[-1] == before[-1]) == (source == "folder")


def test_parts_that_are_missing_damaged_or_short_are_made_again_and_no_others(call, tmp_path):
    place = tmp_path / "parts"
    assert predict(place, *call) == 0
    wanted = rows_of(place)
    parts = sorted(place.glob("part-*"))
    parts[0].unlink()
    parts[2].write_bytes(parts[2].read_bytes()[:-50])
    pq.write_table(pq.read_table(parts[3]).slice(0, 4), parts[3])
    before = [path.stat().st_mtime_ns for path in (parts[1], parts[4])]
    assert predict(place, *call) == 0
    assert before == [path.stat().st_mtime_ns for path in (parts[1], parts[4])]
    same(rows_of(place), wanted)


def test_another_question_is_refused_in_one_line(
    call, model, sources, family_folders, tmp_path, capsys
):
    place = tmp_path / "parts"
    photos = shutil.copytree(sources / "photos", tmp_path / "photos")
    call[1] = str(photos)
    assert predict(place, *call) == 0
    other = shutil.copytree(model, tmp_path / "other")
    assert "top_k was 3 and is 2" in refused(capsys, place, *call, "--top_k", 2)
    assert "rows_per_part was 10 and is 5" in refused(capsys, place, *call, "--rows_per_part", 5)
    assert "precision was 'auto'" in refused(capsys, place, *call, "--precision", "fp32")
    assert "; model_fingerprint" not in refused(capsys, place, str(other), *call[1:])
    weights = family_folders("transformers-convnext")
    assert "model_fingerprint was" in refused(capsys, place, str(weights), *call[1:])
    assert "inputs was" in refused(capsys, place, model, sources / "table.parquet", *call[2:])
    (photos / "0.png").write_bytes(png(photo(99, (9, 9))))
    assert "pictures_fingerprint was" in refused(capsys, place, *call)
    (photos / "0.png").unlink()
    assert "pictures was 47 and is 46" in refused(capsys, place, *call)


def test_a_changed_table_is_another_question(model, sources, tmp_path, capsys):
    table = tmp_path / "table.parquet"
    shutil.copy(sources / "table.parquet", table)
    for words in ([model, table], [model, table, "--streaming"]):
        place = tmp_path / f"parts{len(words)}"
        assert predict(place, *words) == 0
        rows = pq.read_table(table)
        pq.write_table(rows.take([1, 0, *range(2, len(rows))]), table)
        assert "pictures_fingerprint was" in refused(capsys, place, *words)


def test_a_stream_that_became_shorter_is_refused(model, sources, tmp_path, capsys):
    table = tmp_path / "table.parquet"
    shutil.copy(sources / "table.parquet", table)
    call = [model, table, "--streaming", "--rows_per_part", ROWS]
    assert predict(tmp_path / "parts", *call) == 0
    rows = pq.read_table(table)
    pq.write_table(rows.slice(0, 20), table)
    capsys.readouterr()
    assert predict(tmp_path / "parts", *call) == 1
    assert "has rows of more pictures than the 20 there are now" in capsys.readouterr().err


def test_a_folder_of_other_things_is_left_alone(call, sources, tmp_path, capsys):
    shutil.copytree(sources / "photos", tmp_path / "mine")
    assert "holds other things (0.png, 1.png, 10.png" in refused(capsys, tmp_path / "mine", *call)
    (tmp_path / "mine" / MANIFEST).write_text("{")
    assert "is not JSON that can be used" in refused(capsys, tmp_path / "mine", *call)


def test_two_runs_into_one_folder_do_not_mix(call, tmp_path, capsys):
    place = tmp_path / "parts"
    place.mkdir()
    with FileLock(place / ".0.lock"):
        assert "another run is writing to" in refused(capsys, place, *call)


def test_a_full_disk_is_one_line_and_leaves_no_half_of_a_part(call, tmp_path, capsys):
    place = tmp_path / "parts"
    with files_of_at_most(1500):
        assert predict(place, *call) == 1
    assert f"--output {place} cannot be written: File too large" in capsys.readouterr().err
    assert not [path.name for path in place.iterdir() if "part" in path.name]
    assert predict(place, *call) == 0
    assert len(rows_of(place)) == COUNT


def test_a_place_that_cannot_be_written_is_one_line(call, tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    assert predict(tmp_path / "file" / "parts", *call) == 1
    assert "cannot be written: " in capsys.readouterr().err


@pytest.fixture(scope="module")
def exported(family_folders, tmp_path_factory):
    """A model folder with an ONNX export: it starts within a second, so that it can be killed often."""
    folder = tmp_path_factory.mktemp("exported") / "model"
    classifier = open_classifier(str(family_folders("scratch")))
    classifier.save(folder)
    made = make(classifier, folder, "onnx", lambda: iter(()), tmp_path_factory.mktemp("export"))
    publish(made, folder, {})
    return folder


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A folder of 600 pictures."""
    folder = tmp_path_factory.mktemp("many")
    for number in range(600):
        (folder / f"{number}.png").write_bytes(png(photo(number, (40, 32))))
    (folder / "100.png").write_bytes(b"broken")
    return folder


def started(*words):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(
        [sys.executable, "-m", "hf_resnet", "predict", *map(str, words)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def killed_after_a_part(process, place, chance):
    """Kill it a random while after it wrote another part; whether it was still at work."""
    before = len(list(place.glob("part-*")))
    while process.poll() is None and len(list(place.glob("part-*"))) == before:
        time.sleep(0.001)
    time.sleep(chance.uniform(0, 0.06))
    family = [psutil.Process(process.pid)] if process.poll() is None else []
    for each in [*(child for one in family for child in one.children(recursive=True)), *family]:
        each.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def every_row_once(place, many, count=600):
    names = [Path(row["file"]).name for row in rows_of(place)]
    assert names == [f"{number}.png" for number in range(count)]
    (bad,) = [row for row in rows_of(place) if row["error"]]
    assert Path(bad["file"]).name == "100.png"
    assert "finished" in json.loads((place / MANIFEST).read_text())
    assert not list(place.glob(".*.part"))


@pytest.mark.slow
def test_a_job_killed_at_random_moments_has_every_row_once(exported, many, tmp_path):
    chance, kills, place = random.Random(0), 0, tmp_path / "parts"  # noqa: S311
    words = (exported, many, "--output", place, "--rows_per_part", 7)
    while killed_after_a_part(started(*words), place, chance):
        kills += 1
        assert kills < 100
    assert kills >= 3
    process = started(*words)
    said, _ = process.communicate()
    assert process.returncode == 0, said
    assert said.splitlines()[-1].startswith(
        "599 pictures, 1 file that could not be used, answered by onnx"
    )
    every_row_once(place, many)


@pytest.mark.slow
def test_two_processes_that_are_killed_go_on_and_have_every_row_once(exported, many, tmp_path):
    place = tmp_path / "parts"
    words = (*TWO, "scripts/predict.py", str(exported), str(many), "--output", str(place))
    words += ("--rows_per_part", "4", "--per_device_eval_batch_size", "4", "--backend", "onnx")
    assert killed_after_a_part(begin(words, tmp_path), place, random.Random(1))  # noqa: S311
    there = len(list(place.glob("part-*")))
    assert 0 < there < 150
    said = ended(begin(words, tmp_path))
    assert "599 pictures, 1 file that could not be used, answered by onnx" in said
    every_row_once(place, many)


def test_a_large_job_from_an_export_imports_no_torch(exported, many, tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "_has_graphics_card", lambda: False)
    photos = [str(many / f"{number}.png") for number in range(5)]
    arguments = ["predict", str(exported), *photos, "--output", str(tmp_path / "parts")]
    code = (
        f"import sys; from hf_resnet.cli import main; assert main({arguments!r}) == 0; "
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "RANK": "0", "WORLD_SIZE": "1"}
    environment |= {"ACCELERATE_MIXED_PRECISION": "no"}
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    modules = set(out.stdout.splitlines()[-1].split())
    assert not {"torch", "transformers", "timm", "accelerate", "datasets"} & modules


GROWTH = """
import io, sys
from pathlib import Path
import datasets
import numpy as np
from PIL import Image
from hf_resnet.commands.large_job import fill
from hf_resnet.commands.launched import Share
from hf_resnet.commands.parts import Parts
from hf_resnet.commands.predict import predicted
from hf_resnet.config import ComputeConfig, ModelConfig
from hf_resnet.data import Split
from hf_resnet.data.place import Place
from hf_resnet.data.rows import Streamed
from hf_resnet.engine import open_fastest
from hf_resnet.labels import Labels

def pictures(count):
    for number in range(count):
        noise = np.random.default_rng(number).integers(0, 256, (52, 52, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(noise).save(file, "PNG")
        yield {"image": {"bytes": file.getvalue(), "path": None}}

answering = open_fastest(ModelConfig(model_name_or_path=sys.argv[1]), ComputeConfig(), "onnx")
for number, count in enumerate((400, 400, 4000)):
    stream = datasets.IterableDataset.from_generator(pictures, gen_kwargs={"count": count})
    split = Split("pictures", Labels(()), (Streamed(stream, Place("n" * 4000), None, {}),))
    parts = Parts(Path(sys.argv[2], str(number)), 100, 3, Share())
    with parts.claimed({}):
        assert fill(parts, split, lambda rows: predicted(answering, rows, 3)).totals.rows == count
    # not ru_maxrss, which begins with what the process that started this one has
    lines = Path("/proc/self/status").read_text().splitlines()
    print("resident", *[line.split()[1] for line in lines if line.startswith("VmHWM")])
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_pictures(exported, tmp_path):
    """Each row has a picture of 8 kB and a name of 4 kB, so that none can be kept unseen."""
    done = subprocess.run(
        [sys.executable, "-c", GROWTH, str(exported), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"HF_RESNET_HEAP": "0", "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("resident")]
    _, few, many = (int(line.split()[1]) << 10 for line in lines)
    assert many - few < 3600 * 4000 / 2
