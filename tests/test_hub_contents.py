"""What of a model folder is pushed, and when it is held to be worse than another."""

import json
import shutil
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_resnet.classifier import open_classifier
from hf_resnet.cli import main, parse
from hf_resnet.config import FinetuneConfig, as_dict
from hf_resnet.errors import ConfigError, ModelError
from hf_resnet.export import make, publish
from hf_resnet.hub.compare import Model, compared
from hf_resnet.hub.contents import contents, is_pushed, item, without_places
from hf_resnet.hub.pending import Wanted, keep, marker_of, pending
from tests.test_cli import NEEDED


@pytest.mark.parametrize(
    ("name", "pushed"),
    [
        ("model.safetensors", True),
        ("model-00001-of-00002.safetensors", True),
        ("report/confusion.png", True),
        ("model.onnx", True),
        ("training_args.bin", False),
        ("weights.pkl", False),
        ("notes.txt", False),
        ("deeper/config.json", False),
        (".cache/config.json", False),
        ("report/.metrics.json.part", False),
        ("report/contact_sheet.png", False),
    ],
)
def test_only_what_a_model_is_made_of_is_pushed(name, pushed):
    assert is_pushed(name) is pushed


def test_an_export_of_other_weights_stays_at_home_and_is_named(family_folders, tmp_path, capsys):
    classifier = open_classifier(str(family_folders("scratch")))
    folder = tmp_path / "model"
    classifier.save(folder)
    exports = {"onnx/model.onnx", "onnx/model.json"}
    publish(make(classifier, folder, "onnx", lambda: iter(()), tmp_path), folder, {})
    assert exports <= set(contents(folder))
    other = classifier.with_head(
        classifier.labels,
        classifier.network.weight_KD + 1,
        classifier.network.bias_K,
        classifier.facts,
    )
    other.save(tmp_path / "other")
    shutil.copy(tmp_path / "other" / "model.safetensors", folder)
    assert not exports & set(contents(folder))
    main(["push", str(folder), "--hub_model_id", "me/flowers"])
    (said,) = [line for line in capsys.readouterr().out.splitlines() if "not pushed" in line]
    assert said == (
        f"not pushed: the onnx export in {folder} is of other weights or classes than the model there "
        f"now; hf-resnet export {folder} --format onnx writes it anew"
    )
    (folder / "onnx/model.json").unlink()
    assert "onnx/model.onnx" in contents(folder)  # a person's own: nothing says of what it is


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("/data/jo/pets", "pets"),
        ("/data/jo/pets/cat/1.jpg", "pets/cat/1.jpg"),
        ("/elsewhere/jo/2.jpg", "2.jpg"),
        ("~/pictures/3.jpg", "3.jpg"),
        ("C:\\Users\\Jo\\4.jpg", "4.jpg"),
        ("cannot read /home/jo/5.jpg: no such file", "cannot read 5.jpg: no such file"),
        ("see '/home/jo/my pets/6.jpg' and /data/jo/pets", "see '6.jpg' and pets"),
        ("cannot read /home/jo/7.jpg or /home/jo/8.jpg", "cannot read 7.jpg or 8.jpg"),
        ("file:///home/jo/9.jpg is none", "9.jpg is none"),
        ("//server/jo/my, pets/10.jpg: none", "10.jpg: none"),
        ("cannot read //server/jo's/10.jpg", "cannot read 10.jpg"),
        ("in ~jo/pets: all/11.jpg", "in 11.jpg"),
        ("in /mnt/'jo'/12.jpg, see https://a.b/c/d", "in 12.jpg, see https://a.b/c/d"),
        ("<a></p></div></a>", "<a></p></div></a>"),
        ("3 of 4 and/or 5", "3 of 4 and/or 5"),
        ("me/flowers@v2", "me/flowers@v2"),
        ("https://huggingface.co/me/flowers", "https://huggingface.co/me/flowers"),
        ("sample:digits test row 3", "sample:digits test row 3"),
    ],
)
def test_places_become_relative_and_all_else_stays(text, clean):
    places = [Path("/data/jo/pets")]
    assert without_places({"a": [text]}, places) == {"a": [clean]}


LETTERS = st.text("ab éကခဂိီုံ-_.", min_size=1, max_size=6)
SIGNS = st.text("ab ',;:()[]`é!?&", max_size=6)
FOLDERS = st.tuples(LETTERS | SIGNS, SIGNS).map(lambda part: f"{part[1]}SECRET{part[0]}x".strip())


@given(
    folders=st.lists(FOLDERS, min_size=1, max_size=4),
    root=st.sampled_from(["/", "~/", "C:\\", "/home/Aung Kyaw/", "/data/ကလေး ပုံ/"]),
    frame=st.sampled_from(["{}", "cannot read {}: none", "'{}'", "(see {}, and/or {})", "{} {}"]),
    home=st.sampled_from(["/home/Aung Kyaw", "/home/jo"]),
)
def test_no_folder_goes_out_with_spaces_signs_or_letters_of_any_script(folders, root, frame, home):
    """Nor the home of whoever pushes, by whatever name it goes."""
    joint = "\\" if "\\" in root else "/"
    text = frame.replace("{}", root + joint.join([*folders, "picture.jpg"]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", home)
        clean = without_places(text, [])
    assert "SECRET" not in clean and "Kyaw" not in clean
    assert "picture.jpg" in clean


@given(parts=st.lists(LETTERS.filter(str.strip), min_size=2, max_size=4))
def test_what_is_relative_already_stays_in_any_script(parts):
    text = "/".join(part.strip(" .") or "x" for part in parts)
    assert without_places(text, [Path("/data/jo/pets")]) == text


@pytest.fixture
def folder(tmp_path):
    """The least that is a model folder."""
    (tmp_path / "model" / "onnx").mkdir(parents=True)
    for name in ("config.json", "hf_resnet.json"):
        (tmp_path / "model" / name).write_text("{}\n")
    (tmp_path / "token").write_text("hf_secret")
    return tmp_path / "model"


@pytest.mark.parametrize("name", ["x.onnx", "config.json", "onnx/model.onnx"])
def test_a_link_out_of_the_folder_is_refused_and_one_within_it_is_not(folder, name):
    link = folder / name
    link.unlink(missing_ok=True)
    link.symlink_to(folder.parent / "token")
    with pytest.raises(ModelError, match=rf"{name} is a link that leads out of the model folder"):
        contents(folder)
    link.unlink()
    link.symlink_to(folder / "hf_resnet.json")
    assert name in contents(folder)


def test_a_snapshot_in_the_cache_of_the_hub_is_a_model_folder_though_it_is_all_links(tmp_path):
    repo, other = (tmp_path / f"models--me--{name}" for name in ("flowers", "other"))
    for each in (repo, other):
        (each / "blobs").mkdir(parents=True)
        (each / "blobs" / "1").write_text("{}\n")
        (each / "snapshots" / "abc").mkdir(parents=True)
        for name in ("config.json", "hf_resnet.json"):
            (each / "snapshots" / "abc" / name).symlink_to("../../blobs/1")
    assert {"config.json", "hf_resnet.json"} == set(contents(repo / "snapshots" / "abc"))
    (repo / "snapshots" / "abc" / "x.onnx").symlink_to(other / "blobs" / "1")
    with pytest.raises(ModelError, match="leads out of the model folder"):
        contents(repo / "snapshots" / "abc")


def test_two_commits_at_once_and_xet_stays_off_until_the_last_is_made(monkeypatch):
    from huggingface_hub import constants

    from hf_resnet.hub.landing import one_commit

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    first_is_in, second_is_in, first_is_out = (threading.Event() for _ in range(3))

    def first():
        with one_commit():
            first_is_in.set()
            assert second_is_in.wait(9)
        first_is_out.set()

    thread = threading.Thread(target=first)
    thread.start()
    assert first_is_in.wait(9)
    with one_commit():
        second_is_in.set()
        assert first_is_out.wait(9)
        assert constants.HF_HUB_DISABLE_XET is True
    thread.join()
    assert constants.HF_HUB_DISABLE_XET is False


def test_the_folder_of_the_pictures_is_known_whatever_it_is_called():
    places = [Path("/home/Aung Kyaw/ကလေး's, ပုံ")]
    assert without_places(f"no {places[0]}/a b/1.jpg: x", places) == "no ကလေး's, ပုံ/a b/1.jpg: x"
    assert without_places(f"in '{places[0]}'.", places) == "in 'ကလေး's, ပုံ'."
    assert without_places(f"/mnt{places[0]}/1.jpg", places) == "1.jpg"
    quoted = [Path("/srv/Smith, John: 'pets'")]
    assert without_places(f"{quoted[0]}/cat/1.jpg", quoted) == "Smith, John: 'pets'/cat/1.jpg"


@pytest.mark.parametrize("piece", ["a ", "/a", " /a b", "~ ", "'/a' ", "/ ", "a/b ", "/a: "])
def test_a_long_text_is_read_in_no_time_to_speak_of(piece):
    """It would not end if what is tried grew with more than the length."""
    assert without_places(piece * 100_000, [Path("/data/jo")]) is not None


def test_names_of_classes_are_no_places():
    facts = {
        "label_names": ["/etc/passwd"],
        "id2label": {"0": "~/x"},
        "classes": [{"name": "/a/b"}],
    }
    assert without_places(facts, []) == facts


def test_an_item_has_the_hashes_of_git_and_of_large_files(tmp_path):
    (tmp_path / "a").write_bytes(b"hello\n")
    for found in (item(b"hello\n"), item(tmp_path / "a")):
        assert found.blob == "ce013625030ba8dba906f756967f9e9ca394464a"  # git hash-object
        assert found.sha256.startswith("5891b5b522d5df08")
        assert found.size == 6


def test_a_recipe_that_is_none_is_one_line_that_says_what_to_do(tmp_path):
    for content in (
        b"a: [",
        b"- a",
        b"a: &x [1]\nb: *x",
        b"a: 2024-13-45",
        b"a: \xff",
        b"[" * 9999,
    ):
        (tmp_path / "recipe.yaml").write_bytes(content)
        with pytest.raises(
            ModelError, match=r"recipe\.yaml (is not YAML|is no list|holds aliases|is not text)"
        ):
            contents(tmp_path)


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 99_999])
def test_a_report_that_is_damaged_is_one_line_that_says_what_to_do(folder, content):
    (folder / "report").mkdir()
    (folder / "report" / "log.jsonl").write_bytes(content)
    with pytest.raises(ModelError, match=r"log\.jsonl is not .*; restore it, or take it away"):
        contents(folder)


def told(wrong, n=100, pictures=range(100), listed=None):
    figures = {"accuracy": {"value": 1 - len(wrong) / n, "n": n}}
    listed = wrong if listed is None else listed
    answers = [{"key": str(each), "file": f"{each % 5}.jpg"} for each in listed]
    results = {"split": "test", "figures": figures, "wrong_answers": answers}
    return Model({"results": results}, {"test": list(map(str, pictures))})


def test_the_paired_test_sees_what_the_test_of_two_shares_cannot():
    """Eight more wrong of a hundred: nothing where the others differ too, plain where none does."""
    paired = compared(told(range(18)), told(range(10)))
    assert paired.test == "paired test"
    assert paired.chance == pytest.approx(1 / 256)  # eight coins that all fall the same way
    assert paired.is_worse
    shares = compared(told(range(18), listed=[]), told(range(10)))
    assert shares.test == "test of two shares"
    assert shares.chance == pytest.approx(0.0514, abs=1e-3)
    assert not shares.is_worse


def test_pictures_of_one_name_are_told_apart_and_without_keys_none_is_paired():
    ours, theirs = (
        told(range(0, 50, 5)),
        told(range(1, 51, 5)),
    )  # of other pictures, all 0.jpg or 1.jpg
    assert compared(ours, theirs).test == "paired test"
    for answer in ours.facts["results"]["wrong_answers"]:
        del answer["key"]
    assert compared(ours, theirs).test == "test of two shares"


def test_a_better_or_equal_model_is_never_worse():
    assert not compared(told(range(10)), told(range(18))).is_worse
    assert not compared(told(range(10)), told(range(10))).is_worse
    assert not compared(told([], listed=[1]), told([], listed=[1])).is_worse


@pytest.mark.parametrize(
    "theirs",
    [
        told(range(5), pictures=range(1, 101)),
        told(range(5), n=101),
        Model({}, {}),
        Model({"results": []}, {"test": []}),
        Model({"results": {"split": "test", "figures": {"accuracy": {"n": "x"}}}}, {"test": []}),
        Model.of("[1]", "no JSON"),
        Model.of("[" * 100_000, ""),
    ],
)
def test_what_cannot_be_compared_is_not(theirs):
    assert compared(told(range(50)), theirs) is None


def test_the_marker_of_a_push_holds_what_was_wanted(tmp_path):
    wanted = Wanted("me/x", True, True, "next", None, "mit", True, ("refs/pr/1",))
    assert keep(tmp_path, wanted) is None
    assert pending(tmp_path) == wanted
    marker_of(tmp_path).write_text(json.dumps({"repo": 3}))
    with pytest.raises(ConfigError, match="is not as push writes it; delete it"):
        pending(tmp_path)


def test_a_token_is_in_no_recipe_and_in_no_text_of_a_config():
    words = [*NEEDED["finetune"], "--push_to_hub", "--hub_token", "hf_secret"]
    config: FinetuneConfig = parse("finetune", words)
    assert config.hub.hub_token == "hf_secret"  # noqa: S105
    assert as_dict(config)["hub_token"] is None
    assert "hf_secret" not in repr(config) + str(as_dict(config))


@pytest.mark.parametrize("flags", [["--hub_model_id", "me/x"], ["--hub_private_repo"]])
def test_how_to_push_without_pushing_is_refused(flags):
    with pytest.raises(ConfigError, match="nothing is pushed; add --push_to_hub"):
        parse("finetune", [*NEEDED["finetune"], *flags])


@pytest.mark.parametrize(
    ("repo", "token", "message"),
    [
        ("me/pets", None, "you are not logged in to the Hub"),
        ("me/my pets", "hf_writer", "'me/my pets' cannot be a name on the Hub"),
    ],
)
def test_a_push_that_can_come_to_nothing_is_refused_before_the_training(
    repo, token, message, monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr("hf_resnet.hub.repository.get_token", lambda: token)
    monkeypatch.setattr("hf_resnet.commands.finetune.load_data", lambda *_, **__: 1 / 0)
    words = ["--output_dir", str(tmp_path / "model"), "--train_dir", str(tmp_path / "photos")]
    words += ["--model_name_or_path", "packaged:efficientnet-lite0"]
    assert main(["finetune", *words, "--push_to_hub", "--hub_model_id", repo]) == 1
    assert message in capsys.readouterr().err


def test_pending_stands_alone_and_a_pull_request_has_no_tag():
    with pytest.raises(ConfigError, match="--pending stands alone"):
        parse("push", ["m", "--pending", "--tag", "v1"])
    with pytest.raises(ConfigError, match="a pull request cannot have a tag"):
        parse("push", ["m", "--create_pr", "--tag", "v1"])
