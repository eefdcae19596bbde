import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hf_resnet.cli import COMMANDS, flags_of, help_text, main, overview, parse
from hf_resnet.config import as_dict
from hf_resnet.errors import ConfigError

NEEDED = {
    "benchmark": [],
    "check_data": ["--train_dir", "photos"],
    "degrade": [],
    "demo": [],
    "deploy_space": ["m", "--space_id", "me/s"],
    "explain": ["m", "a.jpg", "--kind", "gradcam"],
    "export": ["m", "--format", "onnx"],
    "finetune": ["--model_name_or_path", "m", "--output_dir", "o"],
    "lab": [],
    "layers": ["m"],
    "measure": ["--model_name_or_path", "m"],
    "predict": ["m", "a.jpg"],
    "push": ["m"],
    "push_data": ["photos", "--hub_dataset_id", "me/flowers"],
    "relabel": ["--model_name_or_path", "m", "--output_dir", "o"],
    "serve": ["m"],
}
HEAVY = {"torch", "transformers", "timm", "datasets", "accelerate", "numpy", "PIL", "gradio"}


def imported_by(*arguments: str) -> set[str]:
    """The top-level modules that a fresh `hf-resnet ...` loads."""
    code = f"import sys; from hf_resnet.cli import main; main({list(arguments)!r}); print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in out.stdout.splitlines()[-1].split()}


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_loads_no_heavy_library(arguments):
    assert not imported_by(*arguments) & HEAVY


def test_every_command_is_in_the_overview_with_a_line_of_help():
    for name in COMMANDS:
        typed = name.replace("_", "-")
        line = next(line for line in overview().splitlines() if line.split()[:1] == [typed])
        assert len(line.split()) > 3


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_of_a_command_has_help(name):
    text = help_text(name)
    lines = text.splitlines()
    for flag in flags_of(COMMANDS[name]):
        at = next(
            i
            for i, line in enumerate(lines)
            if line.split(" ")[2:3] == [f"--{flag}"] or f"--{flag}," in line
        )
        assert any(character.isalpha() for character in lines[at + 1] + lines[at][30:]), flag
    assert "None" not in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_script_that_runs_the_same(name):
    script = Path(__file__).parent.parent / "scripts" / f"{name}.py"
    out = subprocess.run(
        [sys.executable, script, "--help"], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == help_text(name).strip()
    assert f"scripts/{name}.py" in script.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", COMMANDS)
def test_no_two_groups_of_a_command_share_a_flag(name):
    assert set(as_dict(parse(name, NEEDED[name]))) >= set(flags_of(COMMANDS[name]))


@pytest.mark.parametrize("name", ["finetune", "measure", "relabel"])
def test_a_resolved_config_is_a_recipe_for_itself(name, tmp_path):
    config = parse(name, [*NEEDED[name], "--precision", "fp32"])
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(as_dict(config)))
    assert parse(name, ["--config", str(recipe)]) == config


def test_flags_win_over_the_recipe_and_the_recipe_over_defaults(tmp_path):
    recipe = tmp_path / "r.yaml"
    recipe.write_text("seed: 5\nviews: 3\nstreaming: true\nimage_size: 96\n")
    config = parse("finetune", ["--config", str(recipe), *NEEDED["finetune"], "--views", "4"])
    assert (config.seed, config.head.views, config.data.streaming) == (5, 4, True)
    assert config.preprocess.image_size == 96
    assert config.head.folds == 5


def test_dashes_work_as_well_as_underscores_and_switches_take_true_and_false():
    spellings = (
        ["--max-train-samples", "7", "--streaming"],
        ["--max_train_samples=7", "--streaming", "True"],
        ["--max-train-samples=7", "--streaming=true"],
    )
    configs = [parse("finetune", [*NEEDED["finetune"], *words]) for words in spellings]
    assert configs[0] == configs[1] == configs[2]
    assert configs[0].data.streaming
    assert not parse("finetune", [*NEEDED["finetune"], "--streaming", "False"]).data.streaming


def test_a_recipe_may_hold_surgery_as_lists_and_mappings(tmp_path):
    recipe = tmp_path / "r.yaml"
    recipe.write_text("keep: [zebra]\nrename: {old: new}\nmerge: {cat: [tabby, tiger cat]}\n")
    config = parse("relabel", ["--config", str(recipe), *NEEDED["relabel"]])
    assert config.keep == ("zebra",)
    assert config.rename == ("old=new",)
    assert config.merge == ("cat=tabby,tiger cat",)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--train_dri", "x"], "no flag --train_dri; did you mean --train_dir?"),
        (["--epochs", "3"], "no flag --epochs; did you mean --num_train_epochs?"),
        (["--qqqqq", "x"], "no flag --qqqqq; hf-resnet finetune --help lists them"),
        (["--seed", "abc"], "--seed"),
        (["--seed"], "--seed"),
        (["--method", "foo"], "'foo' .*'--method'"),
        (["stray"], "stray"),
        (["--train_val_split", "3"], "a share of the pictures, got 3"),
        (["--views", "0"], "--views is within 1 and 10000, got 0"),
        (["--regularization", "-1"], "a strength above 0, got -1"),
        (["--regularization", "inf"], "a strength above 0, got inf"),
        (["--regularization", "nan"], "a strength above 0, got nan"),
        (["--seed", "-1"], "--seed is within 0 and 4294967295, got -1"),
        (["--image_size", "100000"], "--image_size is within 16 and 4096, got 100000"),
        (["--dataloader_num_workers", "1000000"], r"--dataloader_num_workers is within \d and 256"),
        (
            ["--per_device_eval_batch_size", "1" * 12],
            "--per_device_eval_batch_size is within 1 and",
        ),
        (["--train_val_split", "nan"], "a share of the pictures, got nan"),
        (["--config"], "--config needs the path"),
        (["--config", "nowhere.yaml"], "cannot read the recipe nowhere.yaml"),
    ],
)
def test_a_wrong_call_is_one_line_that_says_what_to_do(words, message):
    with pytest.raises(ConfigError, match=message) as caught:
        parse("finetune", [*NEEDED["finetune"], *words])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("train_dri: x", "the key 'train_dri', .*; did you mean train_dir?"),
        ("- a\n- b", "is not a list of"),
        ("a: [", "is not YAML"),
        ("seed: abc", "--seed"),
    ],
)
def test_a_wrong_recipe_is_one_line_that_says_what_to_do(content, message, tmp_path):
    recipe = tmp_path / "r.yaml"
    recipe.write_text(content)
    with pytest.raises(ConfigError, match=message) as caught:
        parse("finetune", ["--config", str(recipe), *NEEDED["finetune"]])
    assert "\n" not in str(caught.value)


def test_what_must_be_given_is_named():
    with pytest.raises(ConfigError, match="--output_dir and --model_name_or_path must be given"):
        parse("finetune", [])


def test_a_persons_error_is_one_line_and_exit_1(capsys):
    assert main(["predict", "./nowhere", __file__]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: no model folder at ./nowhere")
    assert said.count("\n") == 1


@pytest.mark.parametrize(("name", "more"), [("measure", []), ("relabel", ["--output_dir", "new"])])
def test_the_model_may_come_first_as_where_pictures_follow_it(name, more):
    assert parse(name, ["outputs/pets", *more]).model.model_name_or_path == "outputs/pets"


def test_an_unknown_command_gets_the_nearest_offered(capsys):
    assert main(["finetun"]) == 2
    assert "did you mean finetune?" in capsys.readouterr().err


def test_the_traceback_is_shown_when_asked_for():
    from hf_resnet.errors import ModelError

    with pytest.raises(ModelError):
        main(["predict", "./nowhere", __file__, "--traceback"])


def test_a_lists_flag_given_several_times_means_all_of_its_values(tmp_path):
    recipe = tmp_path / "r.yaml"
    recipe.write_text("keep: [from the recipe]\n")
    flags = ["--merge", "a=b,c", "--keep", "x", "--merge=d=e,f", "--keep", "y", "z"]
    config = parse("relabel", ["--config", str(recipe), *NEEDED["relabel"], *flags])
    assert config.merge == ("a=b,c", "d=e,f")
    assert config.keep == ("x", "y", "z")


def test_help_is_laid_out_the_same_on_any_screen(monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    assert max(map(len, help_text("finetune").splitlines())) <= 88
