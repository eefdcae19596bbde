"""What the page offers to programs beside plain calls: an MCP tool; and what all are told when full."""

import base64
import json
import subprocess
import sys
import urllib.error
from contextlib import contextmanager
from pathlib import Path

import pytest

from hf_resnet.app.words import say
from hf_resnet.classifier import open_classifier
from tests.conftest import photo, png
from tests.page_process import ROOT, call, fetched, free_port, page_of, started, upload

pytest.importorskip("gradio", reason="the page needs gradio: pip install 'hf-resnet[space]'")
CLIENT = """
import asyncio, json, sys
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

async def main(address, calls):
    async with streamablehttp_client(address + "/gradio_api/mcp/") as (reads, writes, _):
        async with ClientSession(reads, writes) as session:
            await session.initialize()
            tools = (await session.list_tools()).tools
            told = [{"name": each.name, "text": each.description, "schema": each.inputSchema}
                    for each in tools]
            answers = []
            for given in calls:
                answer = await session.call_tool(tools[0].name, given)
                answers.append({"error": bool(answer.isError),
                                "text": " ".join(each.text for each in answer.content)})
            print(json.dumps({"tools": told, "answers": answers}))

asyncio.run(main(sys.argv[1], json.loads(sys.stdin.read())))
"""


@pytest.fixture(scope="module")
def model(family_folders) -> Path:
    return family_folders("timm-resnet")


@pytest.fixture(scope="module")
def spoken_to(model):
    """What an MCP client is told of the tools, and answered for a picture given in several ways."""
    pytest.importorskip("mcp", reason="needs the package mcp: pip install 'mcp>=1.21,<2'")
    with page_of(model) as page:
        inside = "data:image/png;base64," + base64.b64encode(png(photo(3))).decode()
        uploaded = f"{page.address}/gradio_api/file={upload(page.address, png(photo(3)))}"
        outside = (f"{page.address}/gradio_api/file=/etc/passwd", f"{page.address}/a.png")
        calls = [{"picture": each, "top": 2} for each in (inside, uploaded, *outside)]
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", CLIENT, page.address],
            input=json.dumps(calls),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1]), page.began


def test_the_page_is_one_mcp_tool_that_says_what_it_takes(spoken_to):
    (tool,) = spoken_to[0]["tools"]
    assert "classify" in tool["name"]
    assert "likeliest classes" in tool["text"]
    assert set(tool["schema"]["properties"]) == {"picture", "top"}


@pytest.mark.parametrize("way", [0, 1], ids=["in the call", "uploaded"])
def test_an_mcp_client_gets_what_the_classifier_says(spoken_to, model, way):
    answer = spoken_to[0]["answers"][way]
    expected = open_classifier(str(model))(png(photo(3)), top_k=2)
    assert not answer["error"]
    assert expected[0].label in answer["text"] and expected[1].label in answer["text"]
    assert f"{expected[0].probability:.3f}" in answer["text"]


def test_an_mcp_client_makes_the_page_open_nothing_else(spoken_to):
    for answer in spoken_to[0]["answers"][2:]:
        assert answer["error"] and "root:" not in answer["text"]
        assert "addresses of the web are not opened" in answer["text"]


def test_where_mcp_is_missing_the_page_says_so_and_works(model, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\nfound = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'mcp' else found(name, *more)\n"
    )
    port = free_port()
    words = [sys.executable, "-m", "hf_resnet", "serve", str(model), "--port", str(port)]
    settings = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    with started(words, f"http://127.0.0.1:{port}", **settings) as page:
        assert page.began.count("the page is no MCP tool: the package mcp is not installed") == 1
        with pytest.raises(urllib.error.HTTPError) as missing:
            fetched(f"{page.address}/gradio_api/mcp/schema")
        missing.value.close()


FULL = """
import sys, threading
from hf_resnet.app import page
from hf_resnet.app.answer import Desk
page.MOST_WAITING, page.AT_ONCE = 1, 1
Desk.look = lambda self, path, top=5: threading.Event().wait()
from hf_resnet.cli import main
sys.exit(main())
"""


@contextmanager
def full_page(model: Path):
    """A page whose one place is taken, and whose queue is full; how to ask it, the last answer, and
    the picture that was asked about."""
    port = free_port()
    words = [sys.executable, "-c", FULL, "serve", str(model), "--port", str(port)]
    with started(words, f"http://127.0.0.1:{port}") as page:
        with fetched(f"{page.address}/config") as answer:
            dependencies = json.load(answer)["dependencies"]
        path = upload(page.address, png(photo()))
        given = {"path": path, "meta": {"_type": "gradio.FileData"}}
        look = next(each for each in dependencies if len(each["outputs"]) == 3)

        def ask(language: str, number: int) -> tuple[int, str]:
            body = {"data": [given, language], "fn_index": look["id"], "session_hash": f"s{number}"}
            kind = {"Content-Type": "application/json"}
            try:
                with fetched(
                    f"{page.address}/gradio_api/queue/join", json.dumps(body).encode(), kind
                ) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as refused:
                with refused:
                    return refused.code, json.load(refused)["detail"]

        answers = [ask("en", 0)]
        while answers[-1][0] == 200 and len(answers) < 9:
            answers.append(ask("en", len(answers)))
        yield page, ask, answers[-1], given
        page.process.kill()  # what waits for ever does not end by itself


def test_when_too_many_ask_the_page_says_so_in_its_language_and_a_program_is_told_503(model):
    with full_page(model) as (page, ask, last, given):
        assert last == (400, say("en", "busy"))
        assert ask("my", 99) == (400, say("my", "busy"))
        kind, said = call(page.address, given, 5)
    assert kind == "refused 503" and say("en", "busy") in said
