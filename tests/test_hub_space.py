"""The page put on a Hub on this machine as a Space, by the real client, over HTTP."""

import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from hf_resnet.classifier import open_classifier
from hf_resnet.cli import main
from hf_resnet.hub.contents import contents
from hf_resnet.hub.staging import APP_FILE, MARK, Space, readme, requirements, staged
from tests.conftest import photo, png
from tests.page_process import as_file, call, free_port, started, upload
from tests.test_hub_push import QUICKLY, error_of, session, succeeded  # noqa: F401  a fixture

ROOT = Path(__file__).parent.parent
LOGIN = "hf_of_the_space"
NOBODY, READER, OTHER = "hf_nobody", "hf_reader", "hf_other"
COMMIT = "POST /api/spaces/.*/commit/"


@pytest.fixture(scope="session")
def saved(tmp_path_factory, family_folders):
    folder = tmp_path_factory.mktemp("model") / "flowers"
    return open_classifier(str(family_folders("timm-resnet"))).save(folder)


@pytest.fixture
def model(saved, tmp_path):
    """A model folder that a test may change."""
    return shutil.copytree(saved, tmp_path / "flowers")


@pytest.fixture
def deploy(session):  # noqa: F811
    def run(model, *flags, to="me/demo", **how):
        code = f"{QUICKLY}raise SystemExit(main(sys.argv[1:]))"
        return session(code, "deploy-space", str(model), "--space_id", to, *flags, **how)

    return run


def space_of(hub, name="me/demo"):
    return hub.repo(name, "spaces").space


def files(hub, name="me/demo"):
    return hub.files(name, kind="spaces")


def deployments(hub, name="me/demo"):
    return len(hub.commits(name, kind="spaces")) - 1


def head(hub):
    return yaml.safe_load(files(hub)["README.md"].decode().split("---")[1])


# --- what is staged


def test_the_folder_is_the_app_its_needs_the_package_and_the_model(model):
    items = staged(Space("demo", str(model), "cpu-basic", None, "apache-2.0"))
    ours = {name for name in items if name.startswith("hf_resnet/")}
    package = ROOT / "hf_resnet"
    sources = {f"hf_resnet/{path.relative_to(package)}" for path in package.rglob("*.py")}
    assert ours == {*sources, "hf_resnet/py.typed"}
    rest = {
        "app.py",
        "requirements.txt",
        "README.md",
        *(f"model/{name}" for name in contents(model)),
    }
    assert set(items) - ours == rest
    assert not [name for name in items if "tests/" in name or "__pycache__" in name]


def test_the_app_in_the_repository_is_the_one_that_is_deployed(model):
    items = staged(Space("demo", str(model), "cpu-basic", None, "apache-2.0"))
    assert items[APP_FILE].source == (ROOT / "spaces" / "classifier" / "app.py").read_bytes()


def test_the_needs_are_the_installed_versions_of_all_that_the_package_and_the_page_import():
    from importlib.metadata import version

    lines = requirements("cpu-basic").splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    assert {"gradio", "torch", "timm", "transformers", "huggingface_hub"} <= set(pins)
    assert all(version(name).startswith(pin) for name, pin in pins.items())
    assert "pytest" not in pins and "playwright" not in pins
    assert any("whl/cpu" in line for line in lines), "no CUDA where there is no graphics card"


def exported(model, *formats):
    from hf_resnet.export import make, publish

    classifier = open_classifier(str(model))
    for name in formats:
        made = make(classifier, model, name, lambda: iter(()), model.parent)
        publish(made, model, {})
    return model


def in_the_space(model, hardware="cpu-basic"):
    """The exports that go along, and what the page needs to run them."""
    items = staged(Space("demo", str(model), hardware, None, "mit"))
    files = {name for name in items if name.startswith(("model/onnx/", "model/openvino/"))}
    lines = items["requirements.txt"].source.decode().splitlines()
    return files, {line.split("==")[0] for line in lines} & {"onnxruntime", "openvino"}


def test_the_quickest_export_goes_along_with_the_library_that_runs_it(model):
    pytest.importorskip("openvino")
    exported(model, "onnx")
    onnx = {"model/onnx/model.json", "model/onnx/model.onnx"}
    assert in_the_space(model) == (onnx, {"onnxruntime"})
    assert in_the_space(model, "t4-small") == (set(), set()), "a graphics card is for torch"
    exported(model, "openvino")
    files, needs = in_the_space(model)
    assert needs == {"openvino"} and {Path(name).parent.name for name in files} == {"openvino"}
    with (model / "config.json").open("a") as file:
        file.write("\n")
    assert in_the_space(model) == (set(), set()), "they are of another model"


def test_zerogpu_gets_a_torch_of_its_own_choice_and_its_own_python(model):
    lines = requirements("zero-a10g").splitlines()
    assert "torch" in lines and not any("whl/cpu" in line for line in lines)
    told = yaml.safe_load(readme(Space("d", str(model), "zero-a10g", None, "mit")).split("---")[1])
    assert told["python_version"] == "3.12.12" and told["suggested_hardware"] == "zero-a10g"


def test_a_dry_run_writes_the_folder_and_shows_it_without_a_network(hub, deploy, model, tmp_path):
    out = tmp_path / "staged"
    said = succeeded(deploy(model, "--dry_run", "--output_dir", str(out), token=None))
    assert not hub.asked
    assert {"app.py", "README.md", "requirements.txt", "hf_resnet", "model"} == {
        path.name for path in out.iterdir()
    }
    for name in ("app.py", "model/model.safetensors", "hf_resnet/"):
        assert name in said
    (out / "hf_resnet" / "old.py").write_text("")
    succeeded(deploy(model, "--dry_run", "--output_dir", str(out)))
    assert not (out / "hf_resnet" / "old.py").exists()


def test_a_dry_run_replaces_no_folder_of_another_kind(model, tmp_path, monkeypatch, capsys):
    mine = tmp_path / "mine"
    (mine / "hf_resnet" / "app").mkdir(parents=True)
    (mine / MARK).write_text("")  # as a checkout of this package has it
    (mine / "letter.txt").write_text("dear")
    words = ["deploy-space", str(model), "--space_id", "d", "--dry_run", "--output_dir"]
    for place in (mine, mine / "letter.txt"):
        assert main([*words, str(place)]) == 1
        assert "holds files that are not of a Space of ours" in capsys.readouterr().err
    assert (mine / "letter.txt").read_text() == "dear"
    assert main([*words, str(tmp_path / ("a" * 300))]) == 1
    assert "File name too long; name with --output_dir another place" in capsys.readouterr().err
    (mine / "letter.txt").unlink()
    monkeypatch.chdir(mine)
    assert main([*words, "."]) == 1, "nor the folder one stands in"
    assert (mine / MARK).exists()


@pytest.mark.parametrize("name", ["", "me/", "..", "me/.."])
def test_a_space_without_a_name_is_one_line(name, model, capsys):
    assert main(["deploy-space", str(model), f"--space_id={name}", "--dry_run"]) == 2
    assert (
        f"--space_id is OWNER/NAME, or NAME for your own, got {name!r}" in capsys.readouterr().err
    )


STAND_IN = r'''
import pickle
from pathlib import Path
import sys
assert "torch" not in sys.modules, "spaces has to come before torch"

def GPU(function):
    """As ZeroGPU does it, what goes in and what comes out is pickled."""
    def borrowed(*given):
        with Path(__file__).with_name("borrowed.txt").open("a") as file:
            file.write(function.__name__ + "\n")
        return pickle.loads(pickle.dumps(function(*pickle.loads(pickle.dumps(given)))))
    return borrowed
'''


@pytest.mark.parametrize("zero", [False, True])
def test_the_staged_folder_is_all_that_the_page_needs(model, tmp_path, monkeypatch, zero):
    out = tmp_path / "staged"
    monkeypatch.chdir(tmp_path)
    assert (
        main(["deploy-space", str(model), "--space_id", "d", "--dry_run", "--output_dir", str(out)])
        == 0
    )
    if zero:
        (out / "spaces.py").write_text(STAND_IN)
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    code = "import sys, hf_resnet, runpy; print(hf_resnet.__file__, flush=True); "
    code += "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    words = [sys.executable, "-P", "-c", code, str(out / "app.py")]
    settings = {"PYTHONPATH": str(out), "GRADIO_SERVER_PORT": str(port)}
    settings |= {"GRADIO_SERVER_NAME": "127.0.0.1"}
    with started(words, address, **settings) as running:
        kind, (answers,) = call(address, as_file(upload(address, png(photo(3)))), 2)
        assert str(out / "hf_resnet" / "__init__.py") in running.began
    expected = open_classifier(str(model))(png(photo(3)), top_k=2)
    assert kind == "complete"
    assert [each["label"] for each in answers] == [each.label for each in expected]
    assert (out / "borrowed.txt").exists() == zero


# --- what a deployment brings about


def test_a_deployment_is_one_commit_and_prints_where_the_page_is(hub, deploy, model):
    said = succeeded(deploy(model))
    assert deployments(hub) == 1
    assert f"the page: {hub.endpoint}/spaces/me/demo" in said
    assert MARK in files(hub) and "model/model.safetensors" in files(hub)
    assert (space_of(hub)["sdk"], space_of(hub)["hardware"]) == ("gradio", "cpu-basic")
    assert "HF_RESNET_MODEL" not in space_of(hub)["variables"]
    assert not hub.repo("me/demo", "spaces").private


def test_the_same_again_changes_nothing_and_another_model_updates(hub, deploy, model):
    (model / "old.onnx").write_bytes(b"of before")
    succeeded(deploy(model))
    succeeded(deploy(model))
    assert deployments(hub) == 1
    (model / "old.onnx").unlink()
    with (model / "config.json").open("a") as file:
        file.write("\n")
    succeeded(deploy(model))
    assert deployments(hub) == 2
    assert "model/old.onnx" not in files(hub)
    assert files(hub)["model/config.json"] == (model / "config.json").read_bytes()


def test_what_a_person_wrote_there_stays(hub, deploy, session, model):  # noqa: F811
    succeeded(deploy(model))
    text = files(hub)["README.md"].decode().replace("title: Demo", "title: My flowers")
    code = "import sys; from huggingface_hub import upload_file as u\n"
    code += "for name, text in (('README.md', sys.argv[1]), ('notes.txt', 'hi')):\n"
    code += "    u(path_or_fileobj=text.encode(), path_in_repo=name, "
    code += "repo_id='me/demo', repo_type='space')"
    succeeded(session(code, text))
    succeeded(deploy(model, "--license", "mit"))
    assert (head(hub)["title"], head(hub)["license"]) == ("My flowers", "mit")
    assert files(hub)["notes.txt"] == b"hi"


def test_a_model_of_the_hub_is_named_and_fetched_by_the_space(hub, deploy, session, saved):  # noqa: F811
    code = f"{QUICKLY}raise SystemExit(main(sys.argv[1:]))"
    succeeded(session(code, "push", str(saved), "--hub_model_id", "me/flowers"))
    succeeded(deploy("me/flowers"))
    assert head(hub)["models"] == head(hub)["preload_from_hub"] == ["me/flowers"]
    assert space_of(hub)["variables"] == {"HF_RESNET_MODEL": "me/flowers"}
    assert not [name for name in files(hub) if name.startswith("model/")]
    succeeded(deploy(saved))
    assert space_of(hub)["variables"] == {}, "the model is now in the Space"


def test_a_private_space_is_made_private_and_what_is_public_is_refused(hub, deploy, model):
    succeeded(deploy(model, "--hub_private_repo"))
    assert hub.repo("me/demo", "spaces").private
    succeeded(deploy(model, to="me/open"))
    assert "is there already, and public" in error_of(
        deploy(model, "--hub_private_repo", to="me/open")
    )


def test_the_login_for_wrong_answers_is_a_secret_and_told_nowhere(hub, deploy, model):
    done = deploy(model, "--wrong_answers", "me/wrong", "--space_token", LOGIN)
    said = succeeded(done) + done.stderr
    assert space_of(hub)["secrets"] == {"HF_TOKEN": LOGIN}
    assert space_of(hub)["variables"] == {"HF_RESNET_WRONG_ANSWERS": "me/wrong"}
    assert LOGIN not in said
    assert not [name for name, content in files(hub).items() if LOGIN.encode() in content]


def test_the_login_may_come_from_the_environment_and_has_to_come(hub, deploy, model):
    assert "--wrong_answers needs a login" in error_of(deploy(model, "--wrong_answers", "me/wrong"))
    assert not hub.repos
    succeeded(deploy(model, "--wrong_answers", "me/wrong", HF_RESNET_SPACE_TOKEN=LOGIN))
    assert space_of(hub)["secrets"] == {"HF_TOKEN": LOGIN}


def test_another_machine_is_asked_for(hub, deploy, model):
    succeeded(deploy(model))
    succeeded(deploy(model, "--hardware", "zero-a10g"))
    assert space_of(hub)["hardware"] == "zero-a10g"
    assert head(hub)["suggested_hardware"] == "zero-a10g"


# --- waiting


def test_waiting_shows_the_stages_and_ends_when_the_page_is_up(hub, deploy, model):
    succeeded(deploy(model))
    space_of(hub)["stages"] = ["BUILDING", "BUILDING", "APP_STARTING", "RUNNING"]
    (model / "extra.onnx").write_bytes(b"new")
    said = succeeded(deploy(model, "--wait"))
    found = re.findall("the Space is (.*)", said)
    assert found[-2:] == ["app starting", "running"] and len(set(found)) == len(found)


def test_a_page_that_does_not_come_up_is_told_with_the_end_of_its_log(hub, deploy, model):
    succeeded(deploy(model))
    space_of(hub).update(stages=["BUILDING", "BUILDING", "BUILD_ERROR"], error="Job failed")
    space_of(hub)["log"] = ["Collecting torch\n", "ERROR: No matching distribution\n"]
    (model / "extra.onnx").write_bytes(b"new")
    said = error_of(deploy(model, "--wait"))
    assert "build error" in said and "Job failed" in said
    assert "ERROR: No matching distribution" in said and "logs=build" in said


def test_a_page_that_fell_asleep_is_started_by_deploying_it_again(hub, deploy, model):
    succeeded(deploy(model))
    space_of(hub)["stages"] = ["PAUSED"]
    succeeded(deploy(model, "--wait"))
    assert space_of(hub)["restarts"] == 1 and deployments(hub) == 1


# --- what goes wrong on the way

CALLS = [
    "GET /api/whoami-v2",
    "GET /api/spaces/me/demo$",
    "POST /api/repos/create",
    "GET /api/spaces/me/demo/variables",
    "POST /api/spaces/me/demo/variables",
    "POST /api/spaces/me/demo/secrets",
    "GET /api/spaces/me/demo/tree/",
    "PUT /lfs/",
    COMMIT,
    "GET /api/spaces/me/demo/runtime",
]


@pytest.mark.parametrize("kind", ["503", "lost"])
def test_every_call_is_tried_again_and_there_is_one_commit(hub, deploy, model, kind):
    for where in CALLS:
        amount = int(kind) if kind.isdigit() else 0
        hub.fail(where, "status" if amount else kind, amount)
    flags = ("--wrong_answers", "me/wrong", "--space_token", LOGIN, "--wait")
    succeeded(deploy(model, *flags))
    assert not [fault.where for fault in hub.faults if fault.times], "each was met"
    assert deployments(hub) == 1
    assert files(hub)["model/model.safetensors"] == (model / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "a paid plan for a Space on cpu-basic .* --hardware zero-a10g, .* may have two"),
        (("--hardware", "zero-a10g"), "one of your other ZeroGPU Spaces deleted first"),
    ],
)
def test_what_has_to_be_paid_for_is_told_with_what_is_free(hub, deploy, model, flags, message):
    hub.fail("POST /api/repos/create", "status", 402)
    assert re.search(message, error_of(deploy(model, *flags)))


def test_each_refusal_is_one_line_that_says_what_to_do(hub, deploy, session, model):  # noqa: F811
    assert "does not know your token" in error_of(deploy(model, token=NOBODY))
    assert "may only read" in error_of(deploy(model, token=READER))
    assert "not logged in" in error_of(deploy(model, token=None))
    assert "does not let you write to you/demo" in error_of(deploy(model, to="you/demo"))
    assert "cannot be a name on the Hub" in error_of(deploy(model, to="me/a b"))
    assert "does not answer" in error_of(deploy(model, HF_ENDPOINT="http://127.0.0.1:9"))
    assert "the Hub has no model me/none" in error_of(deploy("me/none"))
    assert "no model folder at ./nowhere" in error_of(deploy("./nowhere"))
    assert "holds no config.json" in error_of(deploy(ROOT / "docs"))
    code = "from huggingface_hub import HfApi; api = HfApi(); api.create_repo('you/demo', "
    code += "private=True, repo_type='space', space_sdk='static'); "
    succeeded(session(code, token=OTHER))
    hub.fail("POST /api/repos/create", "status", 409)
    said = error_of(deploy(model, to="you/demo"))
    assert "the name you/demo is taken" in said and "--space_id" in said


@pytest.mark.parametrize("name", ["app.py", "streamlit_app.py", "index.html", "model/weights.bin"])
def test_a_space_that_is_somebodys_own_work_is_left_alone(hub, deploy, session, model, name):  # noqa: F811
    code = "import sys; from huggingface_hub import HfApi; api = HfApi(); "
    code += "api.create_repo('me/demo', repo_type='space', space_sdk='gradio', exist_ok=True); "
    code += "[api.upload_file(path_or_fileobj=b'mine', path_in_repo=each, repo_id='me/demo', "
    code += "repo_type='space') for each in sys.argv[1:]]"
    if name == "app.py":  # a Space that is made on the Hub's page has a README.md and no more
        succeeded(session(code.replace("me/demo", "me/new"), "README.md"))
        succeeded(deploy(model, to="me/new"))
    succeeded(session(code, "README.md", name))
    said = error_of(deploy(model))
    assert "did not write" in said and f"({name})" in said
    assert files(hub)[name] == b"mine"
