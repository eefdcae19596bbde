"""A page in a process of its own, as a person starts it, and calls to it as a program makes them."""

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PATIENCE = 120


@dataclass(frozen=True)
class Running:
    address: str
    process: subprocess.Popen[str]
    lines: "queue.Queue[str]"
    began: str
    """What it said until it was up."""

    def said(self) -> str:
        found = []
        while not self.lines.empty():
            found.append(self.lines.get_nowait())
        return "".join(found)


def free_port() -> int:
    with socket.socket() as spare:
        spare.bind(("127.0.0.1", 0))
        return spare.getsockname()[1]


@contextmanager
def page_of(model: Path, *flags: str) -> Iterator[Running]:
    """`hf-resnet serve` on a free port."""
    port = free_port()
    # a shell that runs things behind itself makes them deaf to Ctrl-C; a person's terminal does not
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from hf_resnet.cli import main; sys.exit(main())"
    )
    words = [sys.executable, "-c", code, "serve", str(model), "--port", str(port), *flags]
    with started(words, f"http://127.0.0.1:{port}") as running:
        yield running


@contextmanager
def started(
    words: list[str], address: str, cwd: Path | None = None, **environment: str
) -> Iterator[Running]:
    """Any program that says "the page is up" once it is."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment}
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env, cwd=cwd
    )
    lines: queue.Queue[str] = queue.Queue()
    reader = threading.Thread(target=lambda: [lines.put(line) for line in process.stdout])
    reader.start()
    try:
        began = _wait_until_up(process, lines)
        yield Running(address, process, lines, began)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        reader.join()
        process.stdout.close()


def _wait_until_up(process: subprocess.Popen[str], lines: "queue.Queue[str]") -> str:
    said, until = [], time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            said.append(lines.get(timeout=0.5))
        except queue.Empty:
            if process.poll() is not None:
                break
        if said and "the page is up" in said[-1]:
            return "".join(said)
    raise AssertionError(f"the page did not come up: {''.join(said)}")


def fetched(url: str, body: bytes | None = None, headers: dict[str, str] | None = None):
    """What our own server answers."""
    request = urllib.request.Request(url, body, headers or {})  # noqa: S310
    return urllib.request.urlopen(request, timeout=PATIENCE)  # noqa: S310


def upload(address: str, data: bytes, name: str = "a.png") -> str:
    """The path that the server gives an uploaded file."""
    edge = "an-edge-between-parts"
    head = f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    body = head.encode() + data + f"\r\n--{edge}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={edge}"}
    with fetched(f"{address}/gradio_api/upload", body, kind) as answer:
        return json.load(answer)[0]


def as_file(path: str, **more: object) -> dict[str, object]:
    return {"path": path, "meta": {"_type": "gradio.FileData"}, **more}


def call(address: str, *data: object, name: str = "classify") -> tuple[str, object]:
    """The kind of the last event of a call (complete or error) and what it carries."""
    body = json.dumps({"data": list(data)}).encode()
    kind = {"Content-Type": "application/json"}
    try:
        with fetched(f"{address}/gradio_api/call/{name}", body, kind) as answer:
            event = json.load(answer)["event_id"]
    except urllib.error.HTTPError as refused:
        with refused:
            return f"refused {refused.code}", refused.read().decode()
    with fetched(f"{address}/gradio_api/call/{name}/{event}") as stream:
        lines = [line for line in stream.read().decode().splitlines() if line]
    return lines[-2].removeprefix("event: "), json.loads(lines[-1].removeprefix("data: "))
