"""Wrong answers on their way to a private data set of a Hub on this machine."""

import json
import sys
import time

import pytest

from tests.conftest import photo, png
from tests.hub_server import environment
from tests.page_process import as_file, fetched, free_port, started, upload
from tests.test_hub_push import error_of, session, succeeded  # noqa: F401  a fixture

COMMIT = "POST /api/datasets/.*/commit/"
KEEP = """
import sys, time
from pathlib import Path
pause, time.sleep = time.sleep, lambda _: None
from hf_resnet.app.keeping import Keeper
from hf_resnet.hub import outbox
from hf_resnet.labels import Labels
from tests.conftest import NAMES, photo

outbox.GATHER, outbox.WAITS = 0.05, (0.05,)
folder = Path(sys.argv[1])
box = outbox.Outbox("me/wrong", folder)
keep, counts = Keeper(folder, Labels(NAMES), box), []
with box.open():
    for word in sys.argv[2:]:
        number, _, name = word.partition(":")
        counts.append(keep(photo(int(number)), name))
    most = time.monotonic() + {patience}
    while box.waiting() and time.monotonic() < most:
        pause(0.05)
print(*counts)
"""


@pytest.fixture
def keep(session, tmp_path):  # noqa: F811
    """Keep pictures, each as NUMBER:CLASS, in a process that then ends."""

    def run(*words, patience=30, **how):
        return session(
            KEEP.replace("{patience}", str(patience)), str(tmp_path / "box"), *words, **how
        )

    return run


def sent(hub):
    """The classes and the pictures in the data set."""
    return [name for name in hub.files("me/wrong", kind="datasets") if name.endswith(".png")]


def waiting(tmp_path):
    return list((tmp_path / "box").glob("*/*.png"))


def test_kept_pictures_go_to_a_private_data_set_in_few_commits(hub, keep, tmp_path):
    said = succeeded(keep("0:zebra", "1:zebra", "2:tiger cat"))
    assert said.split() == ["1", "2", "3"]
    assert hub.repo("me/wrong", "datasets").private
    assert sorted(name.split("/")[:2] for name in sent(hub)) == [
        ["train", "tiger cat"],
        ["train", "zebra"],
        ["train", "zebra"],
    ]
    assert len(hub.commits("me/wrong", kind="datasets")) - 1 <= 3
    assert not waiting(tmp_path), "what the Hub has need not lie here"


def test_what_cannot_be_sent_stays_and_goes_with_the_next_process(hub, keep, tmp_path):
    hub.fail(COMMIT, "status", 503, times=999)
    done = keep("0:zebra", "1:tiger cat", patience=2)
    succeeded(done)
    assert "could not be sent" in done.stderr and "Traceback" not in done.stderr
    assert (len(waiting(tmp_path)), sent(hub)) == (2, [])
    hub.faults.clear()
    succeeded(keep("2:zebra"))
    assert (len(waiting(tmp_path)), len(sent(hub))) == (0, 3)


def test_what_fails_for_a_while_is_tried_again(hub, keep, tmp_path):
    hub.fail("POST /api/repos/create", "status", 401)
    hub.fail(COMMIT, "lost")
    hub.fail(COMMIT, "status", 412)
    succeeded(keep("0:zebra"))
    assert (len(waiting(tmp_path)), len(sent(hub))) == (0, 1)
    assert len(hub.commits("me/wrong", kind="datasets")) - 1 == 1


def test_what_cannot_be_read_is_told_and_keeps_no_other_back(hub, keep, tmp_path):
    (tmp_path / "box" / "a zebra" / "folder.png").mkdir(parents=True)
    done = keep("0:zebra", "1:tiger cat", patience=3)
    succeeded(done)
    assert len(sent(hub)) == 2
    assert done.stderr.count("folder.png cannot be read (Is a directory)") == 1
    assert "Traceback" not in done.stderr


def test_what_the_disk_refuses_is_tried_again(hub, keep, tmp_path, session):  # noqa: F811
    (tmp_path / "box").mkdir()
    stubborn = KEEP.replace("{patience}", "30").replace(
        "box = outbox.Outbox",
        """unlink, refused = Path.unlink, iter((True, True))
def stubborn(path, missing_ok=False):
    if path.suffix == ".png" and next(refused, False):
        raise PermissionError(13, "Permission denied", str(path))
    unlink(path, missing_ok=missing_ok)
Path.unlink = stubborn
box = outbox.Outbox""",
    )
    done = session(stubborn, str(tmp_path / "box"), "0:zebra")
    succeeded(done)
    assert done.stderr.count("could not be sent") == 2 and "Permission denied" in done.stderr
    assert "Traceback" not in done.stderr
    assert (len(waiting(tmp_path)), len(sent(hub))) == (0, 1)


def test_a_picture_that_is_named_otherwise_later_leaves_its_first_class(hub, keep):
    succeeded(keep("0:zebra"))
    succeeded(keep("0:tiger cat"))
    assert [name.split("/")[1] for name in sent(hub)] == ["tiger cat"]


def test_nothing_goes_to_a_data_set_that_others_see(hub, keep, session, tmp_path):  # noqa: F811
    code = "from huggingface_hub import create_repo; create_repo('me/wrong', repo_type='dataset')"
    succeeded(session(code))
    done = keep("0:zebra", patience=1)
    assert "is there already, and public" in done.stderr
    assert (len(waiting(tmp_path)), sent(hub)) == (1, [])


def test_finetune_learns_from_what_was_sent(hub, keep, session, family_folders, tmp_path):  # noqa: F811
    names = ("10", "test")  # a class may be called as a split is
    box = tmp_path / "box"
    for number in range(12):
        place = box / names[number % 2] / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(png(photo(number)))
    succeeded(keep())
    assert len(sent(hub)) == 12
    code = "import sys; from hf_resnet.cli import main; raise SystemExit(main(sys.argv[1:]))"
    words = ["--model_name_or_path", str(family_folders("timm-resnet")), "--method", "head"]
    words += ["--dataset_name", "me/wrong", "--output_dir", str(tmp_path / "new")]
    cache = {"HF_RESNET_CACHE": str(tmp_path / "cache")}
    said = succeeded(session(code, "finetune", *words, **cache))
    assert "2 classes" in said
    facts = json.loads((tmp_path / "new" / "hf_resnet.json").read_text())
    assert [each["name"] for each in facts["classes"]] == list(names)
    assert sum(each["pictures"] for each in facts["classes"]) > 6


def test_the_page_sends_what_people_report_and_tells_nobody_its_login(
    hub, family_folders, tmp_path
):
    port = free_port()
    code = "import sys; from hf_resnet.hub import outbox; outbox.GATHER = 0.05; "
    code += "from hf_resnet.cli import main; sys.exit(main())"
    model = str(family_folders("timm-resnet"))
    words = [sys.executable, "-c", code, "serve", model, "--port", str(port)]
    settings = environment(hub, tmp_path / "home", "hf_writer")
    settings |= {"HF_RESNET_CACHE": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "0"}
    words += ["--wrong_answers", "me/wrong"]
    with started(words, f"http://127.0.0.1:{port}", **settings) as page:
        with fetched(f"{page.address}/config") as answer:
            config = answer.read().decode()
        steps = json.loads(config)["dependencies"]
        keep = next(
            each for each in steps if len(each["inputs"]) == 3 and each["queue"] is not False
        )
        given = as_file(upload(page.address, png(photo(5))))
        body = {"data": [given, "zebra", "en"], "fn_index": keep["id"], "session_hash": "s"}
        kind = {"Content-Type": "application/json"}
        with fetched(f"{page.address}/gradio_api/queue/join", json.dumps(body).encode(), kind):
            pass
        most = time.monotonic() + 60
        while ("datasets", "me/wrong") not in hub.repos or not sent(hub):
            assert time.monotonic() < most, page.said()
            time.sleep(0.1)
    assert [name.split("/")[1] for name in sent(hub)] == ["zebra"]
    assert "hf_writer" not in config + page.began + page.said()
