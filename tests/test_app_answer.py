"""What is behind the page, without a page: answers, batches, the table, wrong answers kept."""

import csv
import io
import json
import os
import shutil
import struct
import subprocess
import sys
import threading
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from hf_resnet.app.answer import LIMITS, Desk, FileAnswer, as_csv
from hf_resnet.app.batching import Batcher
from hf_resnet.app.keeping import LONGEST_SIDE, check_folder, keep
from hf_resnet.classifier import open_classifier
from hf_resnet.config import DataConfig, ModelConfig
from hf_resnet.data import load_data
from hf_resnet.engine import opening
from hf_resnet.errors import ConfigError, LabelError, ModelError, PictureError
from hf_resnet.export import make, publish
from hf_resnet.labels import Labels
from tests.conftest import NAMES, photo, png
from tests.page_process import free_port


@pytest.fixture(scope="module")
def desk(family_folders) -> Desk:
    return Desk(ModelConfig(model_name_or_path=str(family_folders("timm-resnet"))))


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png(photo(1)))
    return path


def bomb() -> bytes:
    """A small PNG of 30,000 x 30,000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
    return start + chunk(b"IDAT", zlib.compress(bytes(10**6))) + chunk(b"IEND", b"")


def test_the_page_answers_as_the_classifier_does(desk, picture):
    ours, plain = desk.look(picture).answers, desk.classifier(picture)
    assert [each.label for each in ours] == [each.label for each in plain]
    assert [each.probability for each in ours] == pytest.approx(
        [each.probability for each in plain], abs=1e-4
    )


def test_those_who_ask_at_once_each_get_their_own_answer_and_share_computations():
    sizes = []
    first_is_in, go = threading.Event(), threading.Event()

    def compute(pixels_BCHW):
        sizes.append(len(pixels_BCHW))
        first_is_in.set()
        go.wait(30)
        return pixels_BCHW[:, 0, 0, :1] * 2

    ask, got = Batcher(compute, most=16), {}

    def caller(number):
        got[number] = float(ask(np.full((1, 1, 1), number))[0])

    callers = [threading.Thread(target=caller, args=(n,)) for n in range(21)]
    callers[0].start()
    assert first_is_in.wait(30)
    for each in callers[1:]:
        each.start()
    while len(ask._waiting) < 20:
        pass
    go.set()
    for each in callers:
        each.join()
    assert got == {n: 2.0 * n for n in range(21)}
    assert sizes == [1, 16, 4]


def test_a_computation_that_fails_fails_for_those_in_it_and_for_no_later_one():
    def compute(pixels_BCHW):
        if pixels_BCHW.max() > 1:
            raise RuntimeError("out of memory")
        return pixels_BCHW[:, 0, 0, :1]

    ask = Batcher(compute)
    with pytest.raises(RuntimeError, match="out of memory"):
        ask(np.full((1, 1, 1), 5.0))
    assert ask(np.full((1, 1, 1), 1.0))[0] == 1.0


def test_where_it_looked_is_a_picture_of_what_it_saw(desk, picture):
    where = desk.where(picture)
    assert where.over.size == where.seen.size == desk.classifier.preprocess.size[::-1]
    assert where.label == desk.look(picture).answers[0].label
    assert where.before == pytest.approx(desk.look(picture).answers[0].probability, abs=1e-4)


def test_looking_and_explaining_at_once_change_no_answer(desk, picture):
    alone, got = desk.look(picture), []

    def both():
        desk.where(picture)
        got.append(desk.look(picture))

    callers = [threading.Thread(target=both) for _ in range(6)]
    for each in callers:
        each.start()
    for each in callers:
        each.join()
    for look in got:
        assert look.answers[0].probability == pytest.approx(alone.answers[0].probability, abs=1e-4)


def test_a_file_that_is_no_picture_stops_none_of_the_others(desk, picture, tmp_path):
    (tmp_path / "b.jpg").write_text("<svg/>")
    rows = desk.look_at_all([("a", picture), ("b", tmp_path / "b.jpg"), ("c", picture)])
    assert [row.name for row in rows] == ["a", "b", "c"]
    assert "SVG" in rows[1].problem
    assert rows[0].look == rows[2].look


def test_a_picture_too_large_to_decode_is_refused_by_its_size(desk, tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb())
    assert path.stat().st_size < 10_000
    with pytest.raises(PictureError, match="too large: 30000 x 30000"):
        desk.look(path)
    path.write_bytes(bytes(LIMITS.max_bytes + 1))
    with pytest.raises(PictureError, match="too large: 20 MB"):
        desk.look(path)


def test_without_a_stored_threshold_it_never_abstains_and_with_one_below_it(
    desk, picture, tmp_path
):
    assert not desk.look(picture).unsure
    desk.classifier.save(tmp_path / "model")
    facts = json.loads((tmp_path / "model" / "hf_resnet.json").read_text())
    facts["results"] = {"abstain_below": 0.999}
    (tmp_path / "model" / "hf_resnet.json").write_text(json.dumps(facts))
    assert Desk(ModelConfig(model_name_or_path=str(tmp_path / "model"))).look(picture).unsure


@pytest.fixture(scope="module")
def exported(family_folders, tmp_path_factory):
    """A model folder with an export, and a threshold."""
    folder = tmp_path_factory.mktemp("exported") / "model"
    classifier = open_classifier(str(family_folders("scratch")))
    facts = classifier.facts.with_(results={"abstain_below": 0.999})
    replace(classifier, facts=facts).save(folder)
    made = make(classifier, folder, "onnx", lambda: iter(()), tmp_path_factory.mktemp("export"))
    publish(made, folder, {})
    return folder


@pytest.fixture
def without_graphics_card(monkeypatch):
    monkeypatch.setattr(opening, "_has_graphics_card", lambda: False)


def test_an_export_answers_and_torch_says_where_it_looked(exported, picture, without_graphics_card):
    desk = Desk(ModelConfig(model_name_or_path=str(exported)))
    assert desk.backend == "onnx"
    look, plain = desk.look(picture), open_classifier(str(exported))
    assert look.unsure
    assert [each.label for each in look.answers] == [each.label for each in plain(picture)]
    assert [each.probability for each in look.answers] == pytest.approx(
        [each.probability for each in plain(picture)], abs=1e-4
    )
    assert desk.facts == plain.facts
    where = desk.where(picture)
    assert where.label == look.answers[0].label
    assert where.before == pytest.approx(look.answers[0].probability, abs=1e-4)
    assert desk.look(picture) == look


def test_facts_that_cannot_be_are_one_line_where_an_export_answers(
    exported, tmp_path, without_graphics_card
):
    folder = shutil.copytree(exported, tmp_path / "model")
    facts = json.loads((folder / "hf_resnet.json").read_text())
    (folder / "hf_resnet.json").write_text(json.dumps(facts | {"classes": [{"name": 3}]}))
    with pytest.raises(ModelError, match="is not as hf_resnet writes it"):
        Desk(ModelConfig(model_name_or_path=str(folder)))


WITHOUT_TORCH = """
import sys
from hf_resnet.app.server import served
from hf_resnet.config import ServeConfig
from gradio_client import Client, handle_file
with served(ServeConfig(model_name_or_path=sys.argv[1], port=int(sys.argv[3]))) as address:
    client = Client(address, verbose=False)
    told = client.predict(handle_file(sys.argv[2]), 2, api_name="/classify")
    print("answered", told)
    print("loaded", *({"torch", "transformers", "timm"} & set(sys.modules)))
"""


def test_a_page_of_an_export_answers_without_torch(exported, picture):
    words = [str(exported), str(picture), str(free_port())]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WITHOUT_TORCH, *words],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
    )
    answered, loaded = done.stdout.splitlines()[-2:]
    assert answered.startswith("answered [{"), done.stderr[-2000:]
    assert loaded == "loaded"


def test_the_table_has_a_line_a_file_and_no_cell_is_a_formula(desk, picture):
    rows = [FileAnswer("=cmd|' /C calc'!A0.png", desk.look(picture, top=3))]
    rows.append(FileAnswer("b,\n.png", problem="truncated after 10 bytes"))
    table = list(csv.reader(io.StringIO(as_csv(rows))))
    assert table[0][:3] == ["file", "label_1", "probability_1"]
    assert table[1][0] == "'=cmd|' /C calc'!A0.png"
    assert table[1][1] == rows[0].look.answers[0].label
    assert len(table[1]) == len(table[0]) == 9
    assert table[2] == ["b,\n.png", *[""] * 7, "truncated after 10 bytes"]


def test_the_table_says_of_which_answers_the_page_is_unsure(desk, picture):
    look = replace(desk.look(picture, top=3), unsure=True)
    rows = [FileAnswer("a.png", look), FileAnswer("b.png", desk.look(picture, top=3))]
    assert [row["unsure"] for row in csv.DictReader(io.StringIO(as_csv(rows)))] == ["yes", ""]


def test_a_kept_picture_lies_in_its_class_and_is_learned_from(tmp_path):
    labels, folder = Labels(NAMES), check_folder(tmp_path / "wrong", Labels(NAMES))
    for number, name in enumerate(NAMES * 2):
        path = keep(photo(number), name, labels=labels, folder=folder)
        assert path.parent == folder / name
    data = load_data(DataConfig(train_dir=str(folder), train_val_split=0.5))
    assert set(data.labels.names) == set(NAMES)


def test_a_picture_that_is_kept_again_moves_to_its_new_class(tmp_path):
    labels = Labels(NAMES)
    first = keep(photo(), "zebra", labels=labels, folder=tmp_path)
    second = keep(photo(), "tiger cat", labels=labels, folder=tmp_path)
    assert not first.exists()
    assert second.exists()
    assert len(list(tmp_path.glob("*/*"))) == 1


def test_a_kept_picture_is_small_and_tells_nothing_of_who_took_it(tmp_path):
    large = photo(size=(3000, 1500))
    large.info["comment"] = "at home"
    with Image.open(keep(large, "zebra", labels=Labels(NAMES), folder=tmp_path)) as kept:
        assert kept.size == (LONGEST_SIDE, LONGEST_SIDE // 2)
        assert not kept.info


@pytest.mark.parametrize("name", ["../zebra", "/etc", "zebr", ""])
def test_only_a_class_of_the_model_names_a_folder(name, tmp_path):
    with pytest.raises(LabelError):
        keep(photo(), name, labels=Labels(NAMES), folder=tmp_path / "in")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a/b", "..", ".hidden", "x" * 300, "Thumbs.db"])
def test_a_model_with_a_class_that_no_folder_can_be_called_is_told_at_the_start(name, tmp_path):
    with pytest.raises(LabelError, match="cannot be the name of a folder"):
        check_folder(tmp_path / "wrong", Labels((name, "zebra")))


def test_a_file_in_the_place_of_the_folder_is_told_at_the_start(picture):
    with pytest.raises(ConfigError, match="is a file; name a folder"):
        check_folder(picture, Labels(NAMES))
