"""A run whose checkpoints are kept on the Hub goes on from there on another machine."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants

from hf_resnet.errors import HubError
from hf_resnet.hub.backup import BRANCH, Backup
from tests.hub_server import File, environment
from tests.test_training_head import colourful

ROOT = Path(__file__).parent.parent
COMMIT = "POST /api/models/.*/commit/hf-resnet-training"
CODE = "import sys; from hf_resnet.cli import main; raise SystemExit(main(sys.argv[1:]))"
FLAGS = (
    *("--model_name_or_path", "scratch:resnet20-cifar", "--method", "full"),
    *("--image_size", "32", "--per_device_train_batch_size", "8", "--num_train_epochs", "3"),
    *("--mixup", "0.2", "--dataloader_num_workers", "0"),
)
PUSHING = ("--push_to_hub", "--hub_model_id", "me/flowers", "--push_every", "2")


@pytest.fixture
def start(hub, tmp_path):
    """finetune in a process of its own, on a machine (a home and a folder) of this name."""
    pictures = colourful(tmp_path / "pictures", {"blue": 16, "green": 20, "red": 18})

    def run(machine: str, *flags: str) -> "subprocess.Popen[bytes]":
        home = tmp_path / machine
        home.mkdir(exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        settings = environment(hub, home / "hub", "hf_writer") | {
            "HF_RESNET_CACHE": str(home / "cache"),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
        }
        words = [*FLAGS, "--train_dir", str(pictures), "--output_dir", "flowers", *flags]
        with (home / "said.txt").open("w") as out:
            return subprocess.Popen(
                [sys.executable, "-c", CODE, "finetune", *words],
                env={**kept, **settings},
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=home,
            )

    return run


@pytest.fixture
def finetune(start, tmp_path):
    """The same to its end: what it said."""

    def run(machine: str, *flags: str) -> str:
        code = start(machine, *flags).wait(timeout=300)
        out = (tmp_path / machine / "said.txt").read_text()
        assert code == 0, out
        return out

    return run


@pytest.fixture
def lost(hub, start):
    """A machine that is lost as soon as the Hub has a checkpoint; the checkpoint's name."""
    process = start("lost", *PUSHING)
    while not sent(hub) and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.wait()
    (there,) = sent(hub)
    return there


def sent(hub) -> set[str]:
    """The checkpoints on the branch."""
    if ("models", "me/flowers") not in hub.repos:
        return set()
    files = hub.files("me/flowers", BRANCH)
    return {name.partition("/")[0] for name in files if name.startswith("step-")}


@pytest.mark.slow
def test_a_run_whose_machine_is_lost_goes_on_elsewhere_to_the_very_same_end(
    hub, finetune, lost, tmp_path
):
    finetune("whole")
    assert lost < "step-00000018"
    out = finetune("other", *PUSHING, "--resume_from_checkpoint", "hub")
    assert f"fetching {lost} from me/flowers" in out
    assert f"going on after step {int(lost.removeprefix('step-'))} of 18" in out
    whole, other = (tmp_path / each / "flowers" for each in ("whole", "other"))
    for name in ("model.safetensors", "report/log.jsonl"):
        assert (whole / name).read_bytes() == (other / name).read_bytes()
    assert not sent(hub), "the branch is of no use any more"


def test_what_was_tampered_with_on_the_hub_is_passed_over(hub, finetune, lost):
    tip = hub.repo("me/flowers").commit_at(BRANCH)
    for name, file in list(tip.files.items()):
        assert b"/tmp/" not in file.content
        if name.endswith("weights.safetensors"):
            content = bytearray(file.content)
            content[-9] ^= 1
            tip.files[name] = type(file)(bytes(content), large=False)
    out = finetune("other", *PUSHING, "--resume_from_checkpoint", "hub")
    assert f"passed over: {lost}" in out and "is damaged" in out


def test_a_hub_that_has_no_run_and_takes_none_does_not_hold_training_up(hub, finetune, tmp_path):
    hub.fail(COMMIT, "status", 403, times=99)
    out = finetune("one", *PUSHING, "--resume_from_checkpoint", "hub")
    assert "me/flowers holds no unfinished run, so this one begins anew" in out
    assert "not pushed: step-" in out and "training goes on" in out
    assert (tmp_path / "one" / "flowers" / "config.json").is_file()
    assert "model.safetensors" in hub.files("me/flowers")


# --- the branch itself, without a run


@pytest.fixture
def said():
    return []


@pytest.fixture
def backup(hub, tmp_path, said, monkeypatch):
    """A backup of a run in this process, whose client asks the local Hub."""
    monkeypatch.setattr(
        "hf_resnet.hub.backup.HfApi",
        lambda **how: HfApi(endpoint=hub.endpoint, **{**how, "token": "hf_writer"}),
    )
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return Backup("me/flowers", tmp_path, said.append)


def checkpoint(folder: Path, step: int) -> Path:
    place = folder / f"step-{step:08}"
    place.mkdir()
    (place / "state.json").write_text(f"{step}\n")
    (folder / "log.jsonl").write_text("{}\n")
    return place


def put(hub, *names: str, branch: str = BRANCH) -> None:
    """Somebody's own commit."""
    repo = hub.repo("me/flowers")
    tip = repo.commit_at(branch) or repo.commit_at("main")
    files = {**tip.files, **{name: File(name.encode(), large=False) for name in names}}
    repo.add(f"refs/heads/{branch}", tip, files, "by hand", "")


def branches(hub) -> set[str]:
    return {ref.removeprefix("refs/heads/") for ref in hub.repo("me/flowers").refs}


def test_the_branch_of_a_run_goes_when_it_is_done(hub, backup, said, tmp_path):
    backup.keep(checkpoint(tmp_path, 2))
    backup.close()
    assert branches(hub) == {"main", BRANCH}
    put(hub, "config.json", branch="main")  # the finished model
    backup.forget()
    assert branches(hub) == {"main"} and not said


def test_a_branch_that_this_run_did_not_use_stays(hub, backup, said, tmp_path):
    backup._api.create_repo("me/flowers")
    put(hub, "step-00000002/state.json")
    backup.forget()
    assert branches(hub) == {"main", BRANCH} and not said


def test_a_branch_on_which_somebody_put_something_stays_and_it_is_told(hub, backup, said, tmp_path):
    backup.keep(checkpoint(tmp_path, 2))
    backup.close()
    put(hub, "notes.txt")
    backup.forget()
    assert BRANCH in branches(hub)
    assert said == [
        f"the branch {BRANCH} of me/flowers is left as it is: it holds notes.txt, which no run put there"
    ]


def test_a_branch_that_cannot_be_taken_away_is_told_and_no_error(hub, backup, said, tmp_path):
    backup.keep(checkpoint(tmp_path, 2))
    backup.close()
    hub.fail("DELETE /api/models/me/flowers/branch", "status", 403)
    backup.forget()
    assert BRANCH in branches(hub)
    assert len(said) == 1 and "is left as it is: the Hub does not let you write" in said[0]


def test_only_checkpoints_are_fetched_whatever_else_the_branch_holds(hub, backup, said, tmp_path):
    backup._api.create_repo("me/flowers")
    put(hub, "step-x", "step-9/state.json", "step-99999999x/a", "step-00000009/deep/er")
    backup.fetch()
    assert not said and not list(tmp_path.glob("step-*"))
    put(hub, "step-99999999/state.json", "step-100000000/state.json", "log.jsonl")
    backup.fetch()
    assert said == ["fetching step-100000000 from me/flowers"]
    assert [path.name for path in tmp_path.glob("step-*/*")] == ["state.json"]


@pytest.mark.parametrize(
    "trouble", [ValueError("odd"), OSError("odd"), RuntimeError("odd"), HubError("odd")]
)
def test_whatever_the_client_raises_the_next_checkpoint_is_sent(
    hub, backup, said, tmp_path, monkeypatch, trouble
):
    real, first = backup._send, [trouble]

    def send(path: Path) -> None:
        if first:
            raise first.pop()
        real(path)

    monkeypatch.setattr(backup, "_send", send)
    for step in (2, 4):
        backup.keep(checkpoint(tmp_path, step))
        backup.close()
    assert said == ["not pushed: step-00000002: odd; training goes on"]
    assert sent(hub) == {"step-00000004"}
    assert not (tmp_path / ".pushing").exists()
