"""A push that is killed at any moment leaves the old version or the new one, and the next finishes."""

import os
import subprocess
import sys
import time

import pytest

from tests.hub_server import environment
from tests.test_hub_push import QUICKLY, ROOT, changed, copy_of, taught  # noqa: F401

KILLS = 20
LAST_QUESTION = 17
"""Of a push; a kill is sent upon one of the questions before, each in its turn."""


def begin(hub, folder, home):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    return subprocess.Popen(
        [
            *(sys.executable, "-c", f"{QUICKLY}raise SystemExit(main(sys.argv[1:]))"),
            *("push", str(folder), "--hub_model_id", "me/flowers", "--tag", folder.name),
        ],
        env={**kept, **environment(hub, home, "hf_writer"), "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def killed(process, hub, after):
    """Kill it when it has asked for so many things; False where it was done before that."""
    most = time.monotonic() + 60
    while process.poll() is None and len(hub.asked) < after and time.monotonic() < most:
        time.sleep(0.001)
    process.kill()
    process.wait()
    process.stderr.close()
    return process.returncode < 0


def version(folder, number):
    """A model folder of which every version has other weights and another config."""
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] = number
    (folder / "model.safetensors").write_bytes(weights)
    for _ in range(number):
        changed(folder)
    return folder


def seen(hub):
    """What a reader finds: which version the weights are of, and which the config is of."""
    there = hub.files("me/flowers") if ("models", "me/flowers") in hub.repos else {}
    if "model.safetensors" not in there and "config.json" not in there:
        return None
    lines = there["config.json"].count(b"\n")
    return there["model.safetensors"][-1], lines - there["config.json"].rstrip().count(b"\n") - 1


@pytest.mark.slow
def test_twenty_kills_show_a_reader_nothing_but_whole_versions_and_lose_nothing(
    hub,
    taught,  # noqa: F811
    tmp_path,
):
    kills, before, number = 0, None, 0
    while kills < KILLS:
        number += 1
        folder = version(copy_of(taught / "transformers-resnet", tmp_path / f"v{number}"), number)
        hub.asked.clear()
        kills += killed(begin(hub, folder, tmp_path / "home"), hub, 1 + number % LAST_QUESTION)
        found = seen(hub)
        assert found in (before, (number, number)), "half a model, or none"
        done = begin(hub, folder, tmp_path / "home")
        assert done.wait(120) == 0, done.stderr.read()
        done.stderr.close()
        before = (number, number)
        assert seen(hub) == before
        assert len(hub.commits("me/flowers")) == number + 1
        assert hub.repo("me/flowers").refs[f"refs/tags/v{number}"] == hub.commits("me/flowers")[0]
        assert not folder.with_name(f"{folder.name}.push.json").exists()
