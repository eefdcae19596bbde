"""Data sets of the Hub, asked for from a small Hub on this machine, and what to say without one."""

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import unquote

import datasets
import numpy as np
import pytest
from huggingface_hub import constants

from hf_resnet.data import key_of, reachable
from hf_resnet.data.cifar10 import as_png

COMMIT = "c0ffee" * 6 + "c0ff"
ASK = """
import json, sys
from hf_resnet.config import DataConfig
from hf_resnet.data import load_data, pictures, reachable
from hf_resnet.errors import HfResnetError

def outcome(flags):
    try:
        if "inputs" in flags:
            split = pictures(flags["inputs"])
            return {"keys": [row.key for row in split.rows()]}
        data = load_data(DataConfig(**flags))
        keys = [key for split in data.splits() for key, _ in split.entries()]
        return {"names": data.labels.names, "keys": keys, "notes": data.notes}
    except HfResnetError as exc:
        return {"error": type(exc).__name__, "message": str(exc)}

wanted = json.loads(sys.argv[1])
print(json.dumps({"reachable": reachable(), **{name: outcome(flags) for name, flags in wanted.items()}}))
"""


def png(number):
    return as_png(np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8))


def ask(wanted, **environment):
    """What `load_data` makes of each config, in a process of its own: the endpoint is read on import."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    done = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(wanted)],
        env={**kept, "HF_HUB_DISABLE_XET": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


class SmallHub(BaseHTTPRequestHandler):
    """Serves two data sets, and refuses some others in the Hub's own words."""

    sets: ClassVar[dict[str, dict[str, bytes]]]
    refused: ClassVar = {
        "me/none": (401, "RepoNotFound"),
        "me/gated": (403, "GatedRepo"),
        "me/sick": (418, ""),
    }

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.answer()

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = unquote(self.path.partition("?")[0])
        for name, (status, code) in self.refused.items():
            if name in path:
                return self.reply(status, b"{}", {"X-Error-Code": code})
        if "@" in path or "/v9" in path:
            return self.reply(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        files = next((files for name, files in self.sets.items() if f"/{name}" in path), {})
        if "/resolve/" in path:
            name = path.split("/resolve/")[1].partition("/")[2]
            if name in files:
                return self.send_file(files[name])
            return self.reply(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
        if path == "/":
            return self.reply(200, b"")
        return self.reply(*self.api(path, body, files))

    def api(self, path, body, files):
        if "/tree/" in path:
            below = path.split("/tree/")[1].partition("/")[2]
            start = f"{below}/" if below else ""
            found = list(self.entries(files, start, whole="recursive=true" in self.path))
            if not found:
                return 404, b"{}", {"X-Error-Code": "EntryNotFound"}
            return 200, json.dumps(found).encode()
        if "/paths-info/" in path:
            wanted = set(json.loads(body)["paths"])
            found = [entry for name in wanted for entry in self.entries(files, name)]
            return 200, json.dumps(found).encode()
        if path.startswith("/api/datasets/me/"):
            info = {"id": "me/any", "sha": COMMIT, "siblings": [], "tags": [], "private": False}
            return 200, json.dumps(info).encode()
        return 404, b"{}"

    def entries(self, files, start, whole=True):
        """What lies below a folder, wholly or directly, as the Hub lists it."""
        names = [name for name in files if name.startswith(start)]
        direct = [start + name[len(start) :].partition("/")[0] for name in names]
        for name in dict.fromkeys(names if whole else direct):
            kind = "file" if name in files else "directory"
            oid = sha256(files.get(name, b"")).hexdigest()[:40]
            yield {"type": kind, "path": name, "size": len(files.get(name, b"")), "oid": oid}

    def send_file(self, data):
        headers = {"ETag": f'"{sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT}
        span = self.headers.get("Range", "")
        if span.startswith("bytes="):
            first, _, last = span[6:].partition("-")
            end = min(int(last) + 1 if last else len(data), len(data))
            headers["Content-Range"] = f"bytes {first}-{end - 1}/{len(data)}"
            return self.reply(206, data[int(first) : end], headers)
        return self.reply(200, data, headers)

    def reply(self, status, body, headers=None):
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def serving(handler):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def small_hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub")
    label = datasets.ClassLabel(names=["cat", "dog "])
    features = datasets.Features({"image": datasets.Image(), "label": label})
    files = {}
    for split, numbers in (("train", range(20)), ("test", range(20, 30))):
        cells = [{"bytes": png(number), "path": f"{number}.png"} for number in numbers]
        columns = {"image": cells, "label": [number % 2 for number in numbers]}
        datasets.Dataset.from_dict(columns, features).to_parquet(folder / f"{split}.parquet")
        files[f"data/{split}-00000-of-00001.parquet"] = (folder / f"{split}.parquet").read_bytes()
    SmallHub.sets = {
        "me/pets": files,
        "me/photos": {f"{name}/{n}.png": png(n) for n, name in enumerate(["cat", "dog"] * 5)},
        "me/scripted": {"scripted.py": b"print('never run')"},
    }
    with serving(SmallHub) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def answers(small_hub, tmp_path_factory):
    wanted = {
        "stored": {"dataset_name": "me/pets"},
        "streamed": {"dataset_name": "me/pets", "streaming": True},
        "stored photos": {"dataset_name": "me/photos"},
        "streamed photos": {"dataset_name": "me/photos", "streaming": True},
        "pictures": {"inputs": ["me/pets"]},
        "revision": {"dataset_name": "me/pets@v9"},
        "configuration": {"dataset_name": "me/pets", "dataset_config_name": "large"},
        "missing": {"dataset_name": "me/none"},
        "gated": {"dataset_name": "me/gated"},
        "scripted": {"dataset_name": "me/scripted"},
        "refused": {"dataset_name": "me/sick"},
        "no name": {"dataset_name": "what is this?"},
        "no file": {"inputs": ["me/none"]},
    }
    home = tmp_path_factory.mktemp("home")
    return ask(wanted, HF_ENDPOINT=small_hub, HF_HOME=str(home)) | {"home": home}


def test_a_hub_that_answers_is_reachable(answers):
    assert answers["reachable"] is True


def test_a_data_set_is_fetched_with_its_classes_and_its_bytes_as_they_are(answers):
    assert answers["stored"]["names"] == ["cat", "dog"]
    assert set(answers["stored"]["keys"]) == {key_of(png(number)) for number in range(30)}


def test_a_data_set_is_streamed_with_the_same_bytes(answers):
    assert answers["streamed"]["names"] == ["cat", "dog"]
    assert set(answers["streamed"]["keys"]) == set(answers["stored"]["keys"])


@pytest.mark.parametrize("case", ["stored photos", "streamed photos"])
def test_a_data_set_of_picture_files_gives_the_bytes_of_the_files(answers, case):
    assert answers[case]["names"] == ["cat", "dog"]
    assert set(answers[case]["keys"]) == {key_of(png(number)) for number in range(10)}


def test_a_data_set_gives_its_test_pictures_to_predict(answers):
    assert answers["pictures"]["keys"] == [key_of(png(number)) for number in range(20, 30)]


@pytest.mark.parametrize(
    ("case", "error", "words"),
    [
        ("revision", "DataError", "me/pets has no revision 'v9'"),
        ("configuration", "DataError", "name one with --dataset_config_name: 'default'"),
        ("missing", "DataError", "no data set called me/none on the Hub"),
        ("gated", "HubError", "me/gated is gated: accept its terms at http"),
        ("scripted", "DataError", "try me/scripted@refs/convert/parquet"),
        ("refused", "HubError", "the Hub refused the data set me/sick, with status 418"),
        ("no name", "DataError", "no data set called what is this? on the Hub"),
        (
            "no file",
            "DataError",
            "no file or folder me/none; there is no folder me either; and no data set called me/none",
        ),
    ],
)
def test_a_refusal_is_one_clear_line(answers, case, error, words):
    assert answers[case]["error"] == error, answers[case]
    assert words in answers[case]["message"]
    assert "\n" not in answers[case]["message"]


def test_a_data_set_that_was_fetched_before_opens_without_the_hub(answers):
    wanted = {"stored": {"dataset_name": "me/pets"}}
    for cut in ({"HF_ENDPOINT": "http://127.0.0.1:9"}, {"HF_HUB_OFFLINE": "1"}):
        again = ask(wanted, HF_HOME=str(answers["home"]), **cut)
        assert again["reachable"] is False
        assert again["stored"]["keys"] == answers["stored"]["keys"]


def test_a_dead_endpoint_is_a_clear_error_and_samples_that_need_no_hub_still_open(tmp_path):
    wanted = {
        "beans": {"dataset_name": "sample:beans"},
        "digits": {"dataset_name": "sample:digits"},
        "stream": {"dataset_name": "me/pets", "streaming": True},
    }
    said = ask(wanted, HF_ENDPOINT="http://127.0.0.1:9", HF_HOME=str(tmp_path))
    assert said["reachable"] is False
    for case in ("beans", "stream"):
        assert said[case]["error"] == "HubError"
        assert "http://127.0.0.1:9 does not answer" in said[case]["message"]
    assert len(said["digits"]["keys"]) == 1797


def test_offline_mode_is_named_as_the_reason(tmp_path):
    wanted = {"beans": {"dataset_name": "sample:beans"}}
    said = ask(wanted, HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path))
    assert "HF_HUB_OFFLINE is set" in said["beans"]["message"]


def one_answer(status, asked):
    """A server that has the same answer for everything, and notes what it was asked."""

    class OneAnswer(SmallHub):
        def answer(self):
            asked.append(self.path)
            self.reply(status, b"")

    return OneAnswer


@pytest.mark.parametrize(
    ("status", "expected"), [(200, True), (404, True), (403, False), (503, False)]
)
def test_what_answers_is_reachable_unless_it_is_broken_or_a_wall(monkeypatch, status, expected):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    with serving(one_answer(status, [])) as endpoint:
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        assert reachable(timeout_s=60) is expected


def test_a_hub_that_is_out_of_reach_is_not_asked_again_and_again(tmp_path):
    asked = []
    with serving(one_answer(503, asked)) as endpoint:
        wanted = {"beans": {"dataset_name": "sample:beans"}}
        said = ask(wanted, HF_ENDPOINT=endpoint, HF_HOME=str(tmp_path))
    assert said["beans"]["error"] == "HubError"
    assert asked == ["/", "/"]  # once by `reachable`, once before the data set is fetched
