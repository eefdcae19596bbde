"""Every recipe and every launch file in scripts/ is one that its command takes."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from hf_resnet.cli import parse

SCRIPTS = Path(__file__).parents[1] / "scripts"
RECIPES = sorted((SCRIPTS / "recipes").glob("*.yaml"))
LAUNCHES = sorted((SCRIPTS / "accelerate").glob("*.yaml"))


def head(path: Path) -> str:
    """What stands above the settings."""
    lines = [line for line in path.read_text().splitlines() if line.startswith("#")]
    return "\n".join(line.removeprefix("#").strip() for line in lines)


def command(path: Path) -> list[str]:
    """The command in a recipe's head, from the name of the command on."""
    text = head(path).replace("\\\n", " ")
    (line,) = [
        each for each in text.splitlines() if re.match(r"(hf-resnet|accelerate launch) ", each)
    ]
    words = shlex.split(line)
    if words[0] == "hf-resnet":
        return words[1:]
    script = next(word for word in words if word.endswith(".py"))
    return [Path(script).stem, *words[words.index(script) + 1 :]]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipes_own_command_takes_it(path, monkeypatch):
    monkeypatch.chdir(SCRIPTS.parent)
    name, *words = command(path)
    assert f"scripts/recipes/{path.name}" in words
    parse(name, words)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_says_what_to_expect(path):
    if path.stem != "degrade_gpu":
        assert re.search(r"Expected: .*(%|not measured)", head(path), re.DOTALL)


@pytest.mark.parametrize("path", LAUNCHES, ids=lambda path: path.stem)
def test_accelerate_takes_the_launch_file(path):
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(path))
    assert config.num_processes >= 2
    assert set(yaml.safe_load(path.read_text())) <= set(vars(config))
