from pathlib import Path

import pytest

from hf_resnet.cli import COMMANDS, parse
from hf_resnet.commands.demo import PLANS, activation, choose, command_of, next_commands


@pytest.mark.parametrize(
    ("hub", "npm", "plan"),
    [(True, True, "hub"), (True, False, "hub"), (False, True, "cifar10"), (False, False, "digits")],
)
def test_the_demo_takes_the_best_it_can_reach(hub, npm, plan):
    assert choose(hub=lambda: hub, npm=lambda: npm) is PLANS[plan]


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_what_the_demo_runs_and_recommends_are_calls_that_parse(plan):
    words = command_of(plan, "outputs/demo")
    assert parse("finetune", words[words.index("--model_name_or_path") :])
    for line in next_commands(plan, "outputs/demo"):
        program, command, *flags = line.split()
        assert program == "hf-resnet"
        assert command in COMMANDS
        assert parse(command, flags)


def test_the_demos_script_is_the_one_in_the_repository():
    script = Path(command_of(PLANS["digits"], "o")[10])
    assert script.name == "finetune.py"
    assert script.resolve().parent == Path(__file__).parent.parent.resolve() / "scripts"


def test_the_demo_says_how_to_come_by_the_command_it_recommends(tmp_path, monkeypatch):
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    (tmp_path / "bin" / "activate").touch()
    monkeypatch.setattr("sys.executable", str(python))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    assert activation() == [". bin/activate"]
    (tmp_path / "bin" / "hf-resnet").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert activation() == []
