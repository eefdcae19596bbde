"""The page as a process of its own: what programs and hostile clients get from it."""

import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import tomllib
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from hf_resnet.app import drawing
from hf_resnet.classifier import open_classifier
from tests.conftest import photo, png
from tests.page_process import (
    ROOT,
    Running,
    as_file,
    call,
    fetched,
    page_of,
    upload,
)
from tests.test_app_answer import bomb

pytest.importorskip("gradio", reason="the page needs gradio: pip install 'hf-resnet[space]'")


@pytest.fixture(scope="module")
def model(family_folders) -> Path:
    return family_folders("timm-resnet")


@pytest.fixture(scope="module")
def page(model):
    with page_of(model) as running:
        yield running


def test_a_program_gets_what_the_classifier_says(page: Running, model: Path):
    path = upload(page.address, png(photo(3)))
    kind, (answers,) = call(page.address, as_file(path), 2)
    expected = open_classifier(str(model))(png(photo(3)), top_k=2)
    assert kind == "complete"
    assert [each["label"] for each in answers] == [each.label for each in expected]
    assert answers[0]["probability"] == pytest.approx(expected[0].probability, abs=1e-4)


def test_the_python_that_the_page_shows_works(page: Running, tmp_path):
    shown = unescape(drawing.api("en", page.address))
    code = re.findall("<code>(.*?)</code>", shown, re.DOTALL)[0]
    (tmp_path / "cat.jpg").write_bytes(png(photo()))
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "'label': " in run.stdout, run.stderr


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_http_that_the_page_shows_works(page: Running, tmp_path):
    shown = unescape(drawing.api("en", page.address))
    code = re.findall("<code>(.*?)</code>", shown, re.DOTALL)[1]
    (tmp_path / "cat.jpg").write_bytes(png(photo()))
    run = subprocess.run(
        ["bash", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert "event: complete" in run.stdout, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        (bomb(), "a.png", "too large: 30000 x 30000"),
        (png(photo())[:600], "a.png", "truncated"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.svg", "SVG is a drawing"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.jpg", "SVG is a drawing"),
        (b"MZ\x90\0 a program", "a.jpg", "not a picture"),
        (b"", "a.jpg", "empty file"),
        (b"%PDF-1.7", "../../a.pdf", "PDF is not a picture"),
    ],
)
def test_a_file_that_is_no_picture_is_answered_with_the_reason(data, name, message, page: Running):
    kind, said = call(page.address, as_file(upload(page.address, data, name), orig_name=name), 5)
    assert kind == "error"
    assert message in said["error"]


def test_a_picture_named_as_something_else_is_still_one(page: Running):
    kind, _ = call(page.address, as_file(upload(page.address, png(photo()), "a.txt")), 5)
    assert kind == "complete"


@pytest.mark.parametrize(
    "given",
    [
        as_file("/etc/passwd"),
        as_file(str(ROOT / "docs" / "gradcam_cat.png")),
        as_file("../../../../etc/passwd"),
        as_file("file:///etc/passwd"),
        {"path": "/etc/passwd"},
        {"path": str(ROOT / "docs" / "gradcam_cat.png")},
        {"path": "\0"},
        {"path": "/" + "x" * 9999},
        {"path": None, "url": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
        "/etc/passwd",
        ["/etc/passwd"],
        7,
    ],
)
def test_what_was_not_uploaded_is_not_read(given, page: Running):
    kind, said = call(page.address, given, 5)
    assert kind != "complete"
    assert "root:" not in json.dumps(said)


def test_an_address_is_never_opened(page: Running):
    asked = []

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        do_HEAD = do_GET

    server = HTTPServer(("127.0.0.1", 0), Listener)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}/secret.png"
    try:
        said = [
            call(page.address, as_file(address), 5),
            call(page.address, as_file(address, url=address), 5),
        ]
        own = as_file(upload(page.address, png(photo())), url=address)
        kind, _ = call(page.address, own, 5)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    for each, told in said:
        assert each == "error"
        assert "Pictures are uploaded" in told["error"]
    assert kind == "complete"
    assert not asked


@pytest.mark.parametrize(
    "path",
    [
        "file=/etc/passwd",
        "file=../../etc/passwd",
        f"file={ROOT}/README.md",
        "proxy=http://127.0.0.1",
    ],
)
def test_no_file_of_the_machine_is_given_out(path, page: Running):
    with pytest.raises(urllib.error.HTTPError) as refused:
        fetched(f"{page.address}/gradio_api/{path}")
    with refused.value:
        assert refused.value.code in (400, 403, 404)


def test_a_file_larger_than_is_read_is_refused_as_it_comes(page: Running):
    with pytest.raises(urllib.error.URLError) as refused:  # it may hang up before all is sent
        upload(page.address, bytes(40 * 2**20))
    if isinstance(refused.value, urllib.error.HTTPError):
        with refused.value:
            assert refused.value.code == 413


def test_nothing_but_classify_is_offered_to_programs(page: Running):
    with fetched(f"{page.address}/gradio_api/info") as answer:
        info = json.load(answer)
    assert list(info["named_endpoints"]) == ["/classify"]
    assert not info["unnamed_endpoints"]


def test_a_number_of_classes_that_cannot_be_is_taken_for_the_nearest_that_can(page: Running):
    path = upload(page.address, png(photo()))
    for top, count in ((0, 1), (-3, 1), (10**9, 5), ("x", 5), (None, 5)):
        kind, (answers,) = call(page.address, as_file(path), top)
        assert (kind, len(answers)) == ("complete", count)


def test_a_hundred_people_at_once_are_all_answered(page: Running):
    files = [png(photo(seed)) for seed in range(4)]

    def ask(number: int) -> str:
        return call(page.address, as_file(upload(page.address, files[number % 4])), 5)[0]

    with ThreadPoolExecutor(100) as people:
        assert set(people.map(ask, range(100))) == {"complete"}


def test_no_traceback_was_written_for_what_people_got_wrong(page: Running):
    call(page.address, as_file(upload(page.address, b"no picture")), 5)
    page.said()
    call(page.address, as_file(upload(page.address, b"no picture")), 5)
    assert "Traceback" not in page.said()


def test_ctrl_c_ends_it_and_takes_the_uploads_away(model: Path):
    with page_of(model) as running:
        uploaded = Path(upload(running.address, png(photo())))
        assert uploaded.exists()
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(60) == 0
    assert "the page is down" in running.said()
    assert not uploaded.parents[1].exists()


def test_a_port_that_is_taken_is_one_line(page: Running, model: Path):
    port = page.address.rsplit(":", 1)[1]
    run = subprocess.run(
        [sys.executable, "-m", "hf_resnet", "serve", str(model), "--port", port],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=ROOT,
    )
    assert run.returncode == 1
    assert run.stderr.startswith(f"error: --port {port} on 127.0.0.1 cannot be used")
    assert run.stderr.count("\n") == 1


def test_the_space_says_what_the_hub_needs_to_know():
    import yaml

    text = (ROOT / "spaces" / "classifier" / "README.md").read_text(encoding="utf-8")
    front = yaml.safe_load(text.split("---")[1])
    assert front["sdk"] == "gradio"
    assert {"title", "python_version", "app_file", "tags"} <= set(front)
    needs = (ROOT / "spaces" / "classifier" / "requirements.txt").read_text(encoding="utf-8")
    assert f"gradio=={front['sdk_version']}\n" in needs


def test_the_space_installs_all_that_the_package_needs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "spaces" / "classifier" / "requirements.txt").read_text(encoding="utf-8")
    names = {re.split("[=<>]", line)[0] for line in lines.splitlines() if line[:1] != "#"}
    assert {re.split("[=<>]", need)[0] for need in project["dependencies"]} <= names
