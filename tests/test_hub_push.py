"""A model folder pushed to a Hub on this machine, by the real client, over HTTP."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from hf_resnet.classifier import open_classifier
from hf_resnet.cli import main
from hf_resnet.hub.contents import is_pushed
from tests.conftest import photo
from tests.hub_server import environment
from tests.test_training_head import colourful

ROOT = Path(__file__).parent.parent
WRITER, READER, OTHER = "hf_writer", "hf_reader", "hf_other"
COMMIT = "POST /api/models/.*/commit/"
QUICKLY = "import sys, time; time.sleep = lambda _: None; from hf_resnet.cli import main; "


@pytest.fixture(scope="session")
def taught(tmp_path_factory, family_folders):
    """Model folders that finetune wrote, from pictures in a person's own folder."""
    home = tmp_path_factory.mktemp("jo")
    pictures = colourful(home / "private" / "pets", {"blue": 16, "green": 20, "red": 18})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_RESNET_CACHE", str(home / "cache"))
        for family in ("transformers-resnet", "timm-resnet", "scratch"):
            words = ["--model_name_or_path", str(family_folders(family))]
            words += ["--train_dir", str(pictures), "--output_dir", str(home / family)]
            words += ["--method", "head", "--image_size", "32", "--dataloader_num_workers", "0"]
            assert main(["finetune", *words]) == 0
    return home


@pytest.fixture
def model(taught, tmp_path):
    """A model folder that a test may change."""
    return copy_of(taught / "transformers-resnet", tmp_path / "flowers")


def copy_of(folder, place):
    return shutil.copytree(folder, place)


@pytest.fixture
def session(hub, tmp_path):
    """A process that takes the local Hub for the real one and is logged in; waits are not waited."""

    def run(*code, token=WRITER, home="hub home", **more):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        settings = environment(hub, tmp_path / home, token)
        return subprocess.run(
            [sys.executable, "-c", *code],
            env={**kept, **settings, "OMP_NUM_THREADS": "1", **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            cwd=ROOT,
        )

    return run


@pytest.fixture
def push(session):
    def run(folder, *flags, to="me/flowers", **how):
        to = ["--hub_model_id", to] if to else []
        code = f"{QUICKLY}raise SystemExit(main(sys.argv[1:]))"
        return session(code, "push", str(folder), *to, *flags, **how)

    return run


def changed(folder):
    """Another version of the model."""
    with (folder / "config.json").open("a") as file:
        file.write("\n")


def error_of(done):
    """The one line that a push which failed says."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == 1, done.stderr
    assert len(lines) == 1 and "Traceback" not in done.stderr, done.stderr
    return lines[0]


def succeeded(done):
    assert done.returncode == 0, done.stderr
    return done.stdout


def with_results(folder, wrong, n=200):
    """The model folder as if it had been measured on n pictures, and wrong on these."""
    facts = json.loads((folder / "hf_resnet.json").read_text())
    facts["results"]["wrong_answers"] = [{"key": str(each), "file": "1.png"} for each in wrong]
    facts["results"]["figures"]["accuracy"] |= {"value": 1 - len(wrong) / n, "n": n}
    (folder / "hf_resnet.json").write_text(json.dumps(facts))
    splits = json.loads((folder / "splits.json").read_text())
    there = splits[facts["results"]["split"]]
    there += [str(each) for each in range(n) if str(each) not in there]
    (folder / "splits.json").write_text(json.dumps(splits))
    return folder


def pushes(hub, repo="me/flowers", revision="main"):
    """How many commits there are beyond the first, which a new repository has."""
    return len(hub.commits(repo, revision)) - 1


def same_files(hub, folder, repo="me/flowers", revision="main"):
    there = hub.files(repo, revision)
    return there["model.safetensors"] == (folder / "model.safetensors").read_bytes()


# --- what a push brings about


def test_a_push_is_one_commit_of_the_whole_model_folder(hub, push, model):
    said = succeeded(push(model))
    assert pushes(hub) == 1
    wanted = {path.relative_to(model).as_posix() for path in model.rglob("*") if path.is_file()}
    wanted = {name for name in wanted if is_pushed(name)} | {"README.md", ".gitattributes"}
    assert set(hub.files("me/flowers")) == wanted
    assert f"pushed to {hub.endpoint}/me/flowers" in said
    assert {"config.json", "hf_resnet.json", "model.safetensors", "recipe.yaml"} <= wanted


def test_pushing_the_same_again_adds_nothing(hub, push, model):
    succeeded(push(model))
    succeeded(push(model))
    assert pushes(hub) == 1


def test_a_name_without_an_owner_is_that_of_who_is_logged_in(hub, push, model):
    succeeded(push(model, to=None))
    assert pushes(hub, "me/flowers") == 1


def test_a_private_repository_is_made_private(hub, push, model):
    succeeded(push(model, "--hub_private_repo"))
    assert hub.repo("me/flowers").private


def test_what_should_be_private_is_not_put_into_a_public_repository(hub, push, model):
    succeeded(push(model))
    changed(model)
    assert "is there already, and public" in error_of(push(model, "--hub_private_repo"))
    assert pushes(hub) == 1


def test_a_branch_is_made_where_there_is_none_and_main_stays(hub, push, model):
    said = succeeded(push(model, "--revision", "try/this"))
    assert pushes(hub, revision="try/this") == 1
    assert pushes(hub) == 0
    assert "/tree/try/this" in said


def test_a_model_that_is_not_on_main_is_told_to_be_opened_where_it_is(hub, push, session, model):
    said = succeeded(push(model, "--revision", "next/one"))
    assert "pushed to " + hub.endpoint + "/me/flowers/tree/next/one\n" in said
    assert "hf-resnet predict me/flowers@next/one picture.jpg" in said
    (code,) = re.findall(r"classify = pipeline\(.*\)", said)
    code = f"from transformers import pipeline\n{code}\nprint(classify.model.config.id2label)"
    assert "blue" in succeeded(session(code))
    changed(model)
    assert 'open_classifier("me/flowers@refs/pr/1")' in succeeded(push(model, "--create_pr"))


def test_a_tag_stands_for_the_pushed_version(hub, push, model):
    succeeded(push(model, "--tag", "v1"))
    assert hub.repo("me/flowers").refs["refs/tags/v1"] == hub.commits("me/flowers")[0]


def test_a_tag_of_another_version_is_not_moved_and_nothing_is_pushed(hub, push, model):
    succeeded(push(model, "--tag", "v1"))
    changed(model)
    assert "has the tag v1 already" in error_of(push(model, "--tag", "v1"))
    assert pushes(hub) == 1


def test_a_pull_request_changes_nothing_until_it_is_merged(hub, push, model):
    succeeded(push(model, "--tag", "v1"))
    before = hub.files("me/flowers")
    changed(model)
    said = succeeded(push(model, "--create_pr"))
    assert hub.files("me/flowers") == before
    assert (
        hub.files("me/flowers", "refs/pr/1")["config.json"] == (model / "config.json").read_bytes()
    )
    assert f"{hub.endpoint}/me/flowers/discussions/1" in said


def test_files_of_an_earlier_model_go_and_those_of_a_person_stay(hub, push, session, model):
    (model / "old.onnx").write_bytes(b"weights of before")
    succeeded(push(model))
    code = "from huggingface_hub import upload_file as u; u(path_or_fileobj=b'hi', "
    code += "path_in_repo='notes/mine.txt', repo_id='me/flowers')"
    succeeded(session(code))
    (model / "old.onnx").unlink()
    succeeded(push(model))
    assert "old.onnx" not in hub.files("me/flowers")
    assert hub.files("me/flowers")["notes/mine.txt"] == b"hi"


def test_what_is_no_part_of_a_model_stays_at_home_and_is_named(hub, push, model):
    (model / "patients.csv").write_text("name,diagnosis\n")
    said = succeeded(push(model))
    assert "not pushed: patients.csv, report/contact_sheet.png and report/index.html" in said
    assert not {"patients.csv", "report/contact_sheet.png"} & set(hub.files("me/flowers"))


def test_no_place_on_this_machine_is_pushed(hub, push, taught, model):
    succeeded(push(model))
    for name, content in hub.files("me/flowers").items():
        for place in (taught, Path.home(), ROOT, "private/"):
            assert str(place).encode() not in content, name
    recipe = hub.files("me/flowers")["recipe.yaml"].decode()
    assert "train_dir: pets\n" in recipe
    assert str(taught) in (model / "recipe.yaml").read_text()


def test_the_token_is_written_nowhere(hub, push, model, tmp_path):
    done = push(model, "--tag", "v1")
    hub.fail(COMMIT, "status", 503, times=99)
    changed(model)
    failed = push(model)
    assert failed.returncode == 1
    assert_nowhere(WRITER, hub, tmp_path, done, failed)


def assert_nowhere(token, hub, place, *done):
    """The token is in nothing that was said, no file, and nothing of the Hub."""
    said = [each for one in done for each in (one.stdout, one.stderr)]
    commits = [
        commit for repo in hub.repos.values() for tip in repo.refs.values() for commit in tip.line()
    ]
    titles = [f"{each.title} {each.message}" for each in commits]
    there = [file.content for each in commits for file in each.files.values()]
    on_disk = [path.read_bytes() for path in place.rglob("*") if path.is_file()]
    assert len(on_disk) > 10 and len(there) > 2
    for content in (*map(str.encode, [*said, *titles, *hub.asked]), *on_disk, *there):
        assert token.encode() not in content


# --- opened again


OPEN = """
import json, sys
import torch
from PIL import Image
from hf_resnet import open_classifier
ours = open_classifier("me/flowers")
torch.manual_seed(0)
pixels = torch.randn(2, 3, 32, 32)
logits = {"hf_resnet": ours.network(pixels)}
from transformers import AutoModelForImageClassification
theirs = AutoModelForImageClassification.from_pretrained("me/flowers").eval()
logits["transformers"] = theirs(pixels).logits
if "timm" in sys.argv:
    import timm
    logits["timm"] = timm.create_model("hf-hub:me/flowers", pretrained=True).eval()(pixels)
print(json.dumps({name: each.tolist() for name, each in logits.items()}))
"""


@pytest.mark.parametrize("family", ["transformers-resnet", "timm-resnet"])
def test_a_pushed_model_opens_in_the_other_libraries_with_equal_logits(
    hub, push, session, taught, tmp_path, family
):
    succeeded(push(copy_of(taught / family, tmp_path / "flowers")))
    done = session(OPEN, *(["timm"] if family.startswith("timm") else []))
    logits = json.loads(succeeded(done).splitlines()[-1])
    torch.manual_seed(0)
    with torch.no_grad():
        wanted = open_classifier(str(taught / family)).network(torch.randn(2, 3, 32, 32)).numpy()
    for name, each in logits.items():
        np.testing.assert_allclose(each, wanted, atol=1e-5, err_msg=name)


def test_a_pushed_model_predicts_by_its_id_and_then_without_a_network(
    hub, push, session, model, tmp_path
):
    succeeded(push(model, "--tag", "v1"))
    photo().save(tmp_path / "a.jpg")
    code = "import sys; from hf_resnet.cli import main; raise SystemExit(main(sys.argv[1:]))"
    words = ("predict", "me/flowers@v1", str(tmp_path / "a.jpg"))
    online = succeeded(session(code, *words))
    assert any(name in online for name in ("blue", "green", "red"))
    assert succeeded(session(code, *words, HF_HUB_OFFLINE="1")) == online


@pytest.mark.slow
def test_what_is_on_the_hub_is_learned_from_changed_measured_and_pushed_again(
    hub, push, session, model, taught, tmp_path
):
    succeeded(push(model))
    pictures = str(taught / "private" / "pets")
    code = "import sys; from hf_resnet.cli import main; raise SystemExit(main(sys.argv[1:]))"
    settings = {"HF_RESNET_CACHE": str(tmp_path / "cache"), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}

    def run(*words):
        return succeeded(session(code, *words, **settings))

    again = ["--train_dir", pictures, "--method", "head", "--dataloader_num_workers", "0"]
    by_id = ["--model_name_or_path", "me/flowers"]
    assert "Measured on" in run("measure", *by_id, "--test_dir", pictures)
    run("finetune", *by_id, *again, "--output_dir", str(tmp_path / "again"), "--push_to_hub")
    assert hub.files("me/again")["model.safetensors"]
    run("relabel", *by_id, "--drop", "red", "--output_dir", str(tmp_path / "fewer"))
    succeeded(push(tmp_path / "fewer", to="me/fewer"))
    there = json.loads(hub.files("me/fewer")["config.json"])
    assert sorted(there["label2id"]) == ["blue", "green"]
    assert "blue" in run("predict", "me/fewer", str(next(Path(pictures).glob("blue/*"))))


@pytest.mark.slow
def test_what_was_opened_by_its_id_once_is_worked_with_offline(
    push, session, model, taught, tmp_path
):
    succeeded(push(model))
    photo().save(tmp_path / "a.jpg")
    code = "import sys; from hf_resnet.cli import main\nfor words in sys.argv[1:]:\n"
    code += "    assert main(words.split('|')) == 0"
    pictures = str(taught / "private" / "pets")
    by_id = ["--model_name_or_path", "me/flowers"]
    again = ["--train_dir", pictures, "--method", "head", "--dataloader_num_workers", "0"]
    words = [
        ["relabel", *by_id, "--drop", "red", "--output_dir", str(tmp_path / "fewer")],
        ["measure", *by_id, "--test_dir", pictures],
        ["finetune", *by_id, *again, "--output_dir", str(tmp_path / "again")],
    ]
    settings = {"HF_RESNET_CACHE": str(tmp_path / "cache")}
    succeeded(
        session(code, "|".join(["predict", "me/flowers", str(tmp_path / "a.jpg")]), **settings)
    )
    said = session(code, *map("|".join, words), HF_HUB_OFFLINE="1", **settings)
    assert "Measured on" in succeeded(said)
    labels = [
        sorted(json.loads((tmp_path / name / "config.json").read_text())["label2id"])
        for name in ("fewer", "again")
    ]
    assert labels == [["blue", "green"], ["blue", "green", "red"]]


# --- what goes wrong on the way


def test_a_commit_whose_answer_is_lost_is_not_made_again(hub, push, model):
    hub.fail(COMMIT, "lost")
    succeeded(push(model))
    assert pushes(hub) == 1


def test_a_commit_that_arrives_after_it_was_given_up_is_no_second_one(hub, push, model):
    hub.fail(COMMIT, "late", 3)
    succeeded(push(model))
    most = time.monotonic() + 30
    while len(commit_answers(hub)) < 2 and time.monotonic() < most:
        time.sleep(0.05)
    assert sorted(each[-3:] for each in commit_answers(hub)) == ["200", "412"]
    assert pushes(hub) == 1


def commit_answers(hub):
    return [each for each in hub.answers if re.match(COMMIT, each)]


def test_large_files_go_with_the_one_commit_where_xet_is_installed_too(hub, push, model):
    succeeded(push(model, HF_HUB_DISABLE_XET="0"))
    assert pushes(hub) == 1


def test_a_pull_request_whose_answer_is_lost_is_not_made_again(hub, push, model):
    succeeded(push(model))
    changed(model)
    hub.fail(COMMIT, "lost")
    succeeded(push(model, "--create_pr"))
    assert [ref for ref in hub.repo("me/flowers").refs if "/pr/" in ref] == ["refs/pr/1"]


EVERY_CALL = [
    "GET /api/whoami-v2",
    "GET /api/models/me/flowers$",
    "POST /api/repos/create",
    "GET /api/models/me/flowers/revision/",
    "GET /api/models/me/flowers/tree/",
    "POST /api/validate-yaml",
    "POST /api/models/me/flowers/preupload/",
    "POST /me/flowers.git/info/lfs/objects/batch",
    "PUT /lfs/",
    "POST /lfs/verify",
    "POST /api/models/me/flowers/commit/",
    "GET /api/models/me/flowers/refs",
    "POST /api/models/me/flowers/tag/",
]


@pytest.mark.parametrize("kind", ["503", "429", "lost", "cut"])
def test_every_call_is_tried_again(hub, push, model, kind):
    for where in EVERY_CALL:
        amount = int(kind) if kind.isdigit() else 0
        hub.fail(where, "status" if amount else kind, amount)
    succeeded(push(model, "--tag", "v1"))
    assert not [fault.where for fault in hub.faults if fault.times], "each was met"
    assert (pushes(hub), same_files(hub, model)) == (1, True)
    assert "refs/tags/v1" in hub.repo("me/flowers").refs


def test_slow_answers_are_waited_for(hub, push, model):
    for where in EVERY_CALL:
        hub.fail(where, "slow", 0.2)
    succeeded(push(model, "--tag", "v1"))
    assert pushes(hub) == 1


def test_an_upload_that_breaks_off_is_begun_again(hub, push, model):
    hub.fail("PUT /lfs/", "cut", 1000, times=2)
    succeeded(push(model))
    assert (pushes(hub), same_files(hub, model)) == (1, True)


def test_wrong_bytes_are_found_and_sent_again(hub, push, model):
    hub.fail("PUT /lfs/", "wrong", times=2)
    said = succeeded(push(model))
    assert "the Hub keeps other bytes than were sent of" in said
    assert same_files(hub, model)


def test_bytes_that_stay_wrong_are_told(hub, push, model):
    hub.fail("PUT /lfs/", "wrong", times=99)
    said = error_of(push(model))
    assert "keeps other bytes than were sent" in said and "--pending" in said
    hub.faults.clear()
    succeeded(push(model, "--pending", to=None))
    assert same_files(hub, model)


def test_a_model_that_is_written_anew_while_it_is_pushed_is_not_pushed_in_part(hub, push, model):
    succeeded(push(model))
    weights = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(weights[:-1] + b"x")
    hub.fail("GET /api/whoami", "slow", 2)
    with ThreadPoolExecutor(1) as pool:
        pushing = pool.submit(push, model)
        asked = len(hub.asked)
        while len(hub.asked) == asked and not pushing.done():
            time.sleep(0.01)
        (model / "model.safetensors").write_bytes(weights + b" ")
        said = error_of(pushing.result())
    assert (
        "model.safetensors changed while the model was being pushed, and nothing was sent" in said
    )
    assert pushes(hub) == 1
    succeeded(push(model))


def test_a_push_that_cannot_finish_is_kept_and_finished_later(hub, push, model):
    hub.fail(COMMIT, "status", 503, times=99)
    said = error_of(push(model, "--tag", "v2", "--revision", "next", "--hub_private_repo"))
    assert "status 503" in said and f"hf-resnet push {model} --pending" in said
    hub.faults.clear()
    succeeded(push(model, "--pending", to=None))
    assert pushes(hub, revision="next") == 1
    assert hub.repo("me/flowers").private and "refs/tags/v2" in hub.repo("me/flowers").refs
    assert "no push from" in error_of(push(model, "--pending", to=None))


def test_a_pull_request_whose_push_could_not_finish_is_not_made_again(hub, push, model):
    succeeded(push(model))
    changed(model)
    hub.fail(COMMIT, "lost")
    hub.fail("GET .*/refs", "status", 503, times=99, after=2)  # from the lost answer on
    assert "status 503" in error_of(push(model, "--create_pr"))
    hub.faults.clear()
    said = succeeded(push(model, "--pending", to=None))
    assert "/discussions/1" in said
    assert [ref for ref in hub.repo("me/flowers").refs if "/pr/" in ref] == ["refs/pr/1"]


@pytest.mark.parametrize("why", ["full", "taken"])
def test_a_marker_that_cannot_be_written_is_told_and_the_push_goes_on(hub, session, model, why):
    marker = model.with_name("flowers.push.json")
    full = "from pathlib import Path; import os, errno; write = Path.open\n"
    full += "def refuse(path, *how, **more):\n    if 'push.json' in path.name:\n"
    full += "        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))\n"
    full += "    return write(path, *how, **more)\nPath.open = refuse\n"
    if why == "taken":
        marker.mkdir()
    code = f"{full if why == 'full' else ''}{QUICKLY}raise SystemExit(main(sys.argv[1:]))"
    said = succeeded(session(code, "push", str(model), "--hub_model_id", "me/flowers"))
    reason = {"full": "No space left on device", "taken": "Is a directory"}[why]
    assert f"{marker} cannot be written ({reason}), so --pending will not know" in said
    assert pushes(hub) == 1


def test_a_card_that_has_to_be_mended_leaves_nothing_pending(hub, push, model):
    (model / "README.md").write_text("---\na: [\n---\n")
    assert "is not YAML" in error_of(push(model))
    assert not model.with_name("flowers.push.json").exists()
    assert pushes(hub) == 0


def test_a_link_out_of_the_folder_is_no_card(hub, push, model, tmp_path):
    (tmp_path / "token").write_text("secret")
    (model / "README.md").symlink_to(tmp_path / "token")
    assert "README.md is a link that leads out" in error_of(push(model))
    assert not hub.repos


def test_somebody_elses_push_in_between_is_built_upon(hub, push, model):
    succeeded(push(model))
    changed(model)
    hub.fail(COMMIT, "status", 412)
    succeeded(push(model))
    assert pushes(hub) == 2


def test_four_pushes_at_once_all_land_whole(hub, push, taught, tmp_path):
    folders = []
    for number in range(4):
        folders.append(copy_of(taught / "transformers-resnet", tmp_path / f"m{number}"))
        weights = bytearray((folders[-1] / "model.safetensors").read_bytes())
        weights[-1] = number
        (folders[-1] / "model.safetensors").write_bytes(weights)
        with (folders[-1] / "config.json").open("a") as file:
            file.write(" " * number)
    with ThreadPoolExecutor(4) as pool:
        for done in pool.map(push, folders):
            succeeded(done)
    versions = [each.files for each in hub.commits("me/flowers")[:-1]]
    weights = [each["model.safetensors"].content[-1] for each in versions]
    configs = [each["config.json"].content.count(b" ") for each in versions]
    assert sorted(weights) == [0, 1, 2, 3]
    assert [each - min(configs) for each in configs] == weights


# --- compared with what is there


def test_a_worse_model_is_not_pushed_unless_asked_for(hub, push, model):
    succeeded(push(with_results(model, range(10))))
    with_results(model, range(40))
    said = error_of(push(model))
    assert "80.0 % right where the one on the Hub has 95.0 %" in said
    assert "on the same 200 test pictures (paired test" in said and "--force" in said
    assert pushes(hub) == 1
    assert "no push from" in error_of(push(model, "--pending", to=None))
    succeeded(push(model, "--force"))
    assert pushes(hub) == 2


def test_a_difference_that_chance_explains_is_no_hindrance(hub, push, model):
    succeeded(push(with_results(model, range(10))))
    said = succeeded(push(with_results(model, range(5, 17))))
    assert "94.0 % right where the one on the Hub has 95.0 %" in said


def test_models_measured_on_other_pictures_are_not_compared(hub, push, model):
    succeeded(push(with_results(model, range(10))))
    splits = json.loads((model / "splits.json").read_text())
    split = json.loads((model / "hf_resnet.json").read_text())["results"]["split"]
    (model / "splits.json").write_text(json.dumps({**splits, split: splits[split][1:]}))
    assert "compared" not in succeeded(push(with_results(model, range(90))))


def test_a_model_that_has_forgotten_a_class_is_pushed_only_where_that_is_asked_for(
    hub, push, model, tmp_path
):
    succeeded(push(model))
    call = ["relabel", "--model_name_or_path", str(model), "--output_dir", str(tmp_path / "fewer")]
    assert main([*call, "--drop", "blue", "--rename", "green=lime"]) == 0
    said = error_of(push(tmp_path / "fewer"))
    assert "the one at me/flowers knows blue, and this model does not" in said
    assert "--force" in said and pushes(hub) == 1
    succeeded(push(tmp_path / "fewer", "--force"))
    assert pushes(hub) == 2


@pytest.mark.parametrize("name", ["config.json", "pytorch_model.bin"])
def test_a_model_of_other_making_is_replaced_only_where_that_is_asked_for(
    hub, push, session, model, name
):
    code = "import sys; from huggingface_hub import HfApi; api = HfApi(); "
    code += "api.create_repo('me/flowers'); api.upload_file(path_or_fileobj=b'{}', "
    code += "path_in_repo=sys.argv[1], repo_id='me/flowers')"
    succeeded(session(code, name))
    said = error_of(push(model))
    assert f"holds a model that hf-resnet did not push ({name})" in said and "--force" in said
    assert hub.files("me/flowers")[name] == b"{}"
    assert not model.with_name("flowers.push.json").exists()
    succeeded(push(model, "--create_pr"))
    succeeded(push(model, "--force"))
    assert same_files(hub, model)


def test_a_change_of_what_is_not_there_cannot_be_asked_for(hub, push, model):
    said = error_of(push(model, "--create_pr"))
    assert said == "error: there is no me/flowers to ask for a change of; leave out --create_pr"
    assert not hub.repos and not model.with_name("flowers.push.json").exists()


# --- what the Hub refuses


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "does not know your token .*hf auth login"),
        (402, "wants a paid plan"),
        (403, "does not let you write to me/flowers .*write access"),
        (404, "has no me/flowers, or you may not see it"),
        (409, "the name me/flowers is taken, by what you may not see"),
        (418, "refused me/flowers with status 418"),
    ],
)
def test_a_refusal_says_what_to_do(hub, push, model, status, message):
    hub.fail("POST /api/repos/create", "status", status)
    assert re.search(message, error_of(push(model)))


def test_a_hub_that_takes_no_more_is_told(hub, push, model):
    hub.fail("POST /api/repos/create", "status", 429, times=99)
    assert "too many requests" in error_of(push(model))


def test_a_gated_model_of_somebody_else_is_told(hub, push, session, model, tmp_path):
    succeeded(push(model))
    hub.repo("me/flowers").gated = True
    photo().save(tmp_path / "a.jpg")
    code = "import sys; from hf_resnet.cli import main; raise SystemExit(main(sys.argv[1:]))"
    words = ("predict", "me/flowers", str(tmp_path / "a.jpg"))
    said = error_of(session(code, *words, token=OTHER, home="another home"))
    assert "me/flowers is gated; ask for access at" in said


def test_who_is_not_logged_in_is_told_how(push, model):
    said = error_of(push(model, token=None))
    assert "not logged in" in said and "hf auth login" in said


def test_a_token_that_may_only_read_is_told_before_anything_is_sent(hub, push, model):
    assert "a token that may only read" in error_of(push(model, token=READER))
    assert not [each for each in hub.asked if each.startswith(("POST", "PUT"))]


def test_a_token_that_is_none_is_told(push, model):
    assert "does not know your token" in error_of(push(model, token="nonsense"))  # noqa: S106


def test_a_name_of_somebody_else_is_told(push, model):
    said = error_of(push(model, to="you/flowers"))
    assert "does not let you write to you/flowers" in said


def test_a_name_that_cannot_be_is_told(push, model):
    named = model.rename(model.with_name("my flowers"))
    for said in (error_of(push(named, to="me/what is this?")), error_of(push(named, to=None))):
        assert "cannot be a name on the Hub" in said and "--pending" not in said
    assert "--hub_model_id is empty" in push(named, "--hub_model_id=", to=None).stderr


def test_offline_nothing_is_tried(push, model):
    assert "HF_HUB_OFFLINE is set" in error_of(push(model, HF_HUB_OFFLINE="1"))


def test_a_hub_that_does_not_answer_is_told(push, model):
    said = error_of(push(model, HF_ENDPOINT="http://127.0.0.1:9"))
    assert "http://127.0.0.1:9 does not answer" in said and "--pending" in said


def test_a_folder_that_is_no_model_is_told(push, tmp_path):
    assert "holds no config.json" in error_of(push(tmp_path))
    assert "no model folder at" in error_of(push(tmp_path / "nowhere"))


@pytest.mark.slow
def test_finetune_pushes_what_it_saved_and_its_own_token_is_in_no_file_log_or_commit(
    session, hub, tmp_path
):
    """Also while its checkpoints go to the branch, and where something fails on the way."""
    pictures = colourful(tmp_path / "pictures", {"blue": 8, "green": 10, "red": 9})
    hub.fail("POST /api/models/.*/commit/hf-resnet-training", "status", 403)
    hub.fail("DELETE /api/models/.*/branch/hf-resnet-training", "status", 403)
    done = session(
        f"{QUICKLY}raise SystemExit(main(sys.argv[1:]))",
        *("finetune", "--model_name_or_path", "scratch:resnet20-cifar", "--method", "full"),
        *("--image_size", "32", "--per_device_train_batch_size", "8", "--num_train_epochs", "2"),
        *("--train_dir", str(pictures), "--output_dir", str(tmp_path / "taught")),
        *("--push_to_hub", "--hub_model_id", "me/colours", "--push_every", "2"),
        *("--hub_token", WRITER, "--dataloader_num_workers", "0"),
        token=None,
        HF_RESNET_CACHE=str(tmp_path / "cache"),
    )
    said = succeeded(done)
    assert "not pushed: step-" in said and "is left as it is" in said
    assert pushes(hub, "me/colours") == 1
    assert pushes(hub, "me/colours", "hf-resnet-training") >= 1
    assert_nowhere(WRITER, hub, tmp_path, done)
