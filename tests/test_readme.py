"""What the documents show is what runs."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from hf_resnet.cli import COMMANDS, parse

ROOT = Path(__file__).parent.parent
SHOWN = [ROOT / "README.md", ROOT / "README.my.md", *sorted((ROOT / "scripts").glob("*.py"))]


def blocks(language: str) -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def commands_in(path: Path) -> list[tuple[str, list[str]]]:
    """Every call of ours that the file shows, as (command, flags)."""
    text = path.read_text(encoding="utf-8").replace("\\\\\n", "\\\n").replace("\\\n", " ")
    found, variables = [], dict(re.findall(r'^([A-Z]+)="(.*)"$', text, re.MULTILINE))
    for line in text.splitlines():
        match = re.search(r"(?:hf-resnet|scripts/)\s*([a-z_-]+)(?:\.py)?((?:\s+\S+)+)", line)
        name = match[1].replace("-", "_") if match else ""
        if match and name in COMMANDS and re.match(r"\s*(hf-resnet|accelerate|python)", line):
            told = re.sub(r"\$([A-Z]+)", lambda found: variables[found[1]], match[2])
            found.append((name, shlex.split(told, comments=True)))
    return found


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: path.name)
def test_every_command_shown_is_a_call_that_parses(path):
    for name, words in commands_in(path):
        if "--help" not in words:
            assert parse(name, words), (name, words)


def test_the_documents_do_show_commands():
    assert {name for path in SHOWN for name, _ in commands_in(path)} >= set(COMMANDS) - {"demo"}


def test_every_command_is_in_the_readme():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert re.search(rf"(hf-resnet|scripts/|make) ?{name.replace('_', '-')}", text), name


def test_the_map_names_every_room_and_no_other():
    (block,) = [block for block in blocks("text") if "hf_resnet/" in block]
    shown = set(re.findall(r"^  ([a-z_]+(?:/|\.py))", block, re.MULTILINE))
    package = ROOT / "hf_resnet"
    rooms = {f"{p.name}/" for p in package.iterdir() if p.is_dir() and (p / "__init__.py").exists()}
    rooms |= {p.name for p in package.glob("*.py") if not p.name.startswith("__")}
    assert shown == rooms


@pytest.mark.slow
def test_the_python_example_runs_as_it_stands(tmp_path):
    (code,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"HF_RESNET_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"9\d\.\d %", done.stdout)
    assert (tmp_path / "outputs" / "digits" / "model.safetensors").is_file()


def test_the_rule_of_auto_is_the_one_in_the_readme():
    from hf_resnet.training.choice import RULES

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| from ([\d,]+) \| (the head.*?) \| (\S+) \| (\S+) \|$", text, re.MULTILINE
    )
    assert [int(pictures.replace(",", "")) for pictures, *_ in rows] == [r.pictures for r in RULES]
    for rule, (_, trained, epochs, rate) in zip(RULES, rows, strict=True):
        assert ("whole network" in trained) == (rule.method == "full")
        shown = ("–", "–") if rule.method == "head" else (str(rule.epochs), f"{rule.rate:g}")
        assert (epochs, rate) == shown
