"""hf-resnet finetune with a network that learns, from the command line to the model folder."""

import contextlib
import errno
import itertools
import json
import shlex
import shutil
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

from hf_resnet.classifier import open_classifier
from hf_resnet.cli import main
from hf_resnet.errors import ModelError
from tests.test_training_head import colourful


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_RESNET_CACHE", str(tmp_path / "cache"))
    return colourful(tmp_path / "pictures", {"blue": 16, "green": 20, "red": 18})


@pytest.fixture
def finetune(tmp_path: Path, pictures: Path):
    def run(*more: str, name: str = "model") -> int:
        return main(
            [
                *("finetune", "--model_name_or_path", "scratch:resnet20-cifar"),
                *("--train_dir", str(pictures), "--output_dir", str(tmp_path / name)),
                *("--image_size", "32", "--method", "full", "--num_train_epochs", "2"),
                *("--per_device_train_batch_size", "8", "--dataloader_num_workers", "0"),
                *more,
            ]
        )

    return run


def test_a_trained_network_is_saved_with_its_log_its_curve_and_how_it_was_made(finetune, tmp_path):
    assert finetune() == 0
    model = tmp_path / "model"
    assert {path.name for path in (model / "report").iterdir()} == {
        *("metrics.json", "contact_sheet.png", "confusion.png", "log.jsonl", "curve.png"),
        *("calibration.png", "index.html"),
    }
    training = json.loads((model / "hf_resnet.json").read_text())["training"]
    assert (training["method"], training["steps"], training["batch"]) == ("full", 12, 8)
    assert [each["epoch"] for each in training["epochs"]] == [1, 2]
    assert len(open_classifier(str(model)).labels) == 3


def test_nothing_is_left_beside_the_model_when_it_is_done(finetune, tmp_path):
    assert finetune() == 0
    assert {path.name for path in tmp_path.iterdir()} == {"pictures", "model", "cache"}


def test_the_recipe_beside_the_model_makes_it_again(finetune, tmp_path):
    assert finetune() == 0
    recipe = yaml.safe_load((tmp_path / "model" / "recipe.yaml").read_text())
    assert recipe["per_device_train_batch_size"] == 8
    recipe["output_dir"] = str(tmp_path / "again")
    (tmp_path / "again.yaml").write_text(yaml.safe_dump(recipe))
    assert main(["finetune", "--config", str(tmp_path / "again.yaml")]) == 0
    logs = [(tmp_path / name / "report" / "log.jsonl").read_bytes() for name in ("model", "again")]
    assert logs[0] == logs[1]


def test_auto_says_what_it_chose_and_why(finetune, capsys):
    assert finetune("--method", "auto") == 0
    assert "method: full (the network knows nothing yet)" in capsys.readouterr().out


def test_a_persons_own_files_in_the_training_folder_stop_the_run_and_stay(
    finetune, tmp_path, capsys
):
    mine = tmp_path / "model.training" / "thesis.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    assert finetune("--restart") == 1
    assert "thesis.txt" in capsys.readouterr().err
    assert mine.read_text() == "mine"


def test_restart_begins_anew_where_a_run_was_left(finetune, tmp_path, capsys):
    assert finetune("--max_train_steps", "6") == 0
    assert finetune("--checkpointing_steps", "1", "--save_total_limit", "20", name="other") == 0
    shutil.rmtree(tmp_path / "other")
    left = tmp_path / "other.training" / "step-00000003"
    left.mkdir(parents=True)
    (left / "state.json").write_text("{")
    assert finetune("--restart", name="other") == 0
    said = capsys.readouterr().out
    assert "passed over" not in said
    assert not left.exists()


def test_figures_go_to_a_tracker_where_one_is_asked_for(finetune, tmp_path):
    assert finetune("--with_tracking", "--report_to", "tensorboard") == 0
    assert list((tmp_path / "model.tracking").rglob("events.out.tfevents.*"))


def test_a_tracker_that_is_not_installed_is_one_clear_line(finetune, capsys):
    assert finetune("--with_tracking", "--report_to", "clearml") == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: --report_to clearml: clearml is not installed")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--learning_rate", "-1"), "--learning_rate is within 0 and 100, got -1"),
        (("--mixup", "nan"), "--mixup is within"),
        (
            ("--checkpointing_steps", "often"),
            "--checkpointing_steps is a number of steps or the word",
        ),
        (("--memory_budget", "4"), "--memory_budget is an amount such as 4GB"),
        (("--memory_budget", "much"), "--memory_budget is an amount such as 4GB"),
        (("--per_device_train_batch_size", "0"), "--per_device_train_batch_size is within 1"),
        (("--method", "all"), "invalid choice"),
    ],
)
def test_a_setting_that_cannot_be_is_one_clear_line(finetune, capsys, flags, said):
    assert finetune(*flags) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert said in line


def test_it_says_so_where_the_epoch_was_chosen_on_the_pictures_it_is_measured_on(
    finetune, pictures, capsys
):
    assert finetune() == 0
    assert "the epoch was chosen on these pictures too" in capsys.readouterr().out
    assert finetune("--test_dir", str(pictures), name="tested") == 0
    assert "the epoch was chosen" not in capsys.readouterr().out


def test_a_model_is_not_written_among_the_pictures_it_is_to_learn(finetune, pictures, capsys):
    """The pictures of its report would be a class the next time."""
    before = sorted(pictures.rglob("*"))
    for name in ("pictures/model", "pictures/../pictures/blue/model"):
        assert finetune(name=name) == 1
        assert "lies in --train_dir" in capsys.readouterr().err
    assert sorted(pictures.rglob("*")) == before


def test_a_batch_of_one_is_planned_for_and_learned_from(finetune, tmp_path):
    """Also where the last pictures of the network are a single pixel."""
    packaged = ("--model_name_or_path", "packaged:efficientnet-lite0", "--max_train_steps", "2")
    one = ("--per_device_train_batch_size", "1", "--learning_rate", "0.001")
    assert finetune(*packaged, *one) == 0
    assert (tmp_path / "model" / "config.json").is_file()


def test_the_command_that_goes_on_is_one_a_shell_understands(tmp_path):
    from accelerate import Accelerator

    from hf_resnet.commands.unfinished import command

    words = shlex.split(command(tmp_path / "my pets; ls", Accelerator(cpu=True)))
    assert words == ["hf-resnet", "finetune", "--config", f"{tmp_path}/my pets; ls/recipe.yaml"]


@pytest.mark.parametrize(("size", "kept"), [((224, 224), 256), ((384, 384), 384)])
def test_pictures_are_not_cached_smaller_than_the_network_sees_them(size, kept):
    from hf_resnet.cli import parse
    from hf_resnet.commands.unfinished import picture_cache

    config = parse("finetune", ["--model_name_or_path=m", "--output_dir=o", "--cache_images"])
    assert picture_cache(config, size).short_side == kept


@pytest.fixture
def unfinished(finetune, tmp_path, monkeypatch) -> Path:
    """The folder of a run that went no further than its second step."""
    from hf_resnet.training.loop import Loop

    step = Loop._step

    def until_the_third(self, number, batches):
        if number == 2:
            raise ModelError("the power went")
        return step(self, number, batches)

    with monkeypatch.context() as patched:
        patched.setattr(Loop, "_step", until_the_third)
        assert finetune("--checkpointing_steps", "1") == 1
    folder = tmp_path / "model.training"
    assert sorted(path.name for path in folder.glob("step-*")) == ["step-00000001", "step-00000002"]
    return folder


def test_another_method_leaves_an_unfinished_run_alone(finetune, unfinished):
    assert finetune("--method", "head") == 0
    assert (unfinished / "step-00000002").is_dir()


def test_a_command_that_is_refused_leaves_the_recipe_that_goes_on(finetune, unfinished, capsys):
    recipe = (unfinished / "recipe.yaml").read_bytes()
    assert finetune("--max_train_steps", "6") == 1
    assert "max_train_steps was not given, is 6" in capsys.readouterr().err
    assert (unfinished / "recipe.yaml").read_bytes() == recipe


def test_the_recipe_goes_on_from_any_folder(unfinished, tmp_path, monkeypatch, capsys):
    (tmp_path / "holiday").mkdir()
    monkeypatch.chdir(tmp_path / "holiday")
    assert main(["finetune", "--config", str(unfinished / "recipe.yaml")]) == 0
    assert "going on after step 2 of 12" in capsys.readouterr().out
    assert (tmp_path / "model" / "config.json").is_file()


def test_pictures_that_changed_since_are_told_of_in_words(finetune, unfinished, pictures, capsys):
    (pictures / "blue" / "00.png").unlink()
    assert finetune() == 1
    assert "other pictures, or another split of them" in capsys.readouterr().err


def test_a_full_disk_is_one_line_where_a_run_is_to_go_on(finetune, unfinished, monkeypatch, capsys):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("hf_resnet.writing.os.fsync", full)
        assert finetune() == 1
    assert "recipe in" in (said := capsys.readouterr().err)
    assert "cannot be written: No space left on device" in said
    assert finetune() == 0
    assert "going on after step 2" in capsys.readouterr().out


def test_two_runs_in_one_folder_do_not_meet(finetune, unfinished, capsys):
    with FileLock(unfinished / ".lock"):
        assert finetune() == 1
    assert "another run is learning in" in capsys.readouterr().err
    assert finetune() == 0


def test_nothing_is_written_or_taken_away_through_a_link(finetune, unfinished, tmp_path, capsys):
    thesis = tmp_path / "thesis.txt"
    thesis.write_text("mine")
    (unfinished / "recipe.yaml").unlink()
    (unfinished / "recipe.yaml").symlink_to(thesis)
    assert finetune() == 1
    assert "holds what is not of a run of training: recipe.yaml" in capsys.readouterr().err
    assert thesis.read_text() == "mine"


def test_the_training_folder_may_lie_on_another_disk(finetune, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "model.training").symlink_to(tmp_path / "disk")
    assert finetune() == 0
    assert list((tmp_path / "disk").iterdir()) == []


def test_a_run_cut_short_while_it_clears_up_keeps_the_log_as_long_as_a_checkpoint(tmp_path):
    """Else the same command would go on from a checkpoint without the lines before it."""
    from hf_resnet.commands.unfinished import clear

    class PowerCut(BaseException):
        pass

    for cut in range(6):
        folder = tmp_path / f"{cut}.training"
        for step in (4, 8):
            (folder / f"step-{step:08}").mkdir(parents=True)
            (folder / f"step-{step:08}" / "state.json").write_text("{}")
        for name in ("log.jsonl", "recipe.yaml", "curve.png"):
            (folder / name).write_text("")
        removals = itertools.count()

        def cut_short(plain, at=cut, removals=removals):
            def remove(*given, **named):
                if next(removals) == at:
                    raise PowerCut
                return plain(*given, **named)

            return remove

        with pytest.MonkeyPatch.context() as patched, contextlib.suppress(PowerCut):
            patched.setattr(shutil, "rmtree", cut_short(shutil.rmtree))
            patched.setattr(Path, "unlink", cut_short(Path.unlink))
            clear(folder)
        left = {path.name for path in folder.glob("*")}
        assert "log.jsonl" in left or not any(name.startswith("step-") for name in left)
        assert "step-00000008" in left or "step-00000004" not in left
