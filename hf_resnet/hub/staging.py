"""The folder of a Space: app.py, its requirements, its README, this package, and the model.

Made of files that are here already, in memory; what is uploaded and what --dry_run writes is the same.
The surprise: the package itself goes along as source, so that nothing else has to be published. And
torch is the one requirement that differs with the machine: ZeroGPU takes only versions of its own, and
a machine without a graphics card needs none of CUDA.
"""

import importlib.util
import itertools
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import yaml

import hf_resnet
from hf_resnet.config import ComputeConfig
from hf_resnet.engine.choice import order
from hf_resnet.engine.exported import FORMATS, has_export, sound_record
from hf_resnet.errors import ConfigError, ModelError
from hf_resnet.hub import contents
from hf_resnet.hub.contents import Item

APP_FILE, README, REQUIREMENTS = "app.py", "README.md", "requirements.txt"
MARK = "hf_resnet/app/space.py"
"""A file that every Space of ours has, and no other."""

ZERO = "zero-a10g"
MCP = "mcp"
"""With this package the page is a tool for language models too; without it, it is a page."""

_APP = '''"""The page as a Hugging Face Space; its settings are told in hf_resnet/app/space.py."""

from hf_resnet.app.space import main

if __name__ == "__main__":
    main()
'''
_FREE_OF_CUDA = "--extra-index-url https://download.pytorch.org/whl/cpu"
_PACKAGE = Path(hf_resnet.__file__).parent
_EXAMPLES = ("examples/*.jpg", "examples/examples.json")
_PERSONS = ("title", "emoji", "colorFrom", "colorTo", "pinned", "short_description", "thumbnail")
"""What a person may say otherwise in the README's head on the Hub, and it stays."""


@dataclass(frozen=True)
class Space:
    """What is to be known of a Space to make its folder."""

    name: str
    model: str
    """A model folder, or the id of a model on the Hub."""

    hardware: str
    title: str | None
    license: str

    @property
    def folder(self) -> Path | None:
        """The model's folder, where it goes into the Space."""
        place = Path(self.model).expanduser()
        return place if place.is_dir() else None


def staged(space: Space) -> dict[str, Item]:
    """The files of the Space by their path."""
    export = _export_for(space)
    texts = {
        APP_FILE: _APP,
        REQUIREMENTS: requirements(space.hardware, export and FORMATS[export].runtime),
        README: readme(space),
    }
    items = {name: contents.item(text.encode()) for name, text in texts.items()}
    for path in sorted(_PACKAGE.rglob("*")):
        if path.suffix == ".py" or path.name == "py.typed":
            items[f"hf_resnet/{path.relative_to(_PACKAGE).as_posix()}"] = contents.item(path)
    if space.folder is not None:
        idle = {
            file
            for name, kind in FORMATS.items()
            if name != export
            for file in (kind.record, *kind.files)
        }
        items |= {
            f"model/{name}": each
            for name, each in contents.contents(space.folder).items()
            if name not in idle
        }
        for pattern in _EXAMPLES:
            for path in sorted(space.folder.glob(pattern)):
                items[f"model/examples/{path.name}"] = contents.item(
                    contents.inside(space.folder, path)
                )
    return items


def _export_for(space: Space) -> str | None:
    """The export that answers in the Space: the quickest that is sound and whose library is here, so
    that its version is known; None where torch does, as wherever there is a graphics card."""
    if space.folder is None or _has_card(space.hardware):
        return None
    for name in itertools.takewhile(lambda name: name != "torch", order(None, ComputeConfig())):
        if has_export(space.folder, name) and importlib.util.find_spec(FORMATS[name].runtime):
            try:
                sound_record(space.folder, name)
            except ModelError:
                continue  # the page would pass over it, and says why
            return name
    return None


def is_ours(name: str) -> bool:
    """Whether a file in a Space is one that we put there, now or before."""
    return name in (APP_FILE, REQUIREMENTS, README) or name.startswith(("hf_resnet/", "model/"))


def requirements(hardware: str, runtime: str | None = None) -> str:
    """What the page needs, in the versions that are installed here; runtime is the library of an
    export, where one answers."""
    lines = ["# hf_resnet itself is the folder beside app.py; this is what its page imports"]
    if not _has_card(hardware):
        lines.append(_FREE_OF_CUDA)
    for name in _needed():
        is_torch = name in ("torch", "torchvision")
        lines.append(name if is_torch and hardware == ZERO else f"{name}=={_plain(version(name))}")
    if runtime:
        lines.append(f"{runtime}=={_plain(version(runtime))}")
    return "\n".join(lines) + "\n"


def _needed() -> Iterator[str]:
    """The packages that the page imports: those of hf_resnet, of its page, and of its MCP tool."""
    try:
        lines = requires("hf-resnet") or []
    except PackageNotFoundError as exc:
        raise ConfigError(
            "hf-resnet is not installed, so nobody knows what its page needs; pip install it"
        ) from exc
    for line in sorted(lines, key=str.lower):
        name, extra = re.split(r"[\s\[<>=!~;]", line)[0], re.search(r"extra == .(\w+)", line)
        if extra and (extra[1] != "space" or name == MCP):
            continue
        try:
            version(name)
        except PackageNotFoundError as exc:
            raise ConfigError(
                f"{name} is not installed, and the page needs it; pip install 'hf-resnet[space]'"
            ) from exc
        yield name
    if importlib.util.find_spec(MCP):
        yield MCP


def _has_card(hardware: str) -> bool:
    return not hardware.startswith("cpu")


def _plain(found: str) -> str:
    """The version without the name of the build, such as 2.9.0 of 2.9.0+cu130."""
    return found.partition("+")[0]


def readme(space: Space, before: str = "") -> str:
    """The page of the Space: the head that the Hub reads, and how to use it. before is the one that is
    there already."""
    kept = {key: each for key, each in _head(before).items() if key in _PERSONS}
    if space.title:
        kept["title"] = space.title
    head: dict[str, Any] = {
        "title": space.name.replace("-", " ").replace("_", " ").capitalize(),
        "emoji": "🔎",
        "colorFrom": "green",
        "colorTo": "blue",
        "short_description": "A picture classifier that says how sure it is",
        **kept,
        "sdk": "gradio",
        "sdk_version": version("gradio"),
        "python_version": "3.12.12" if space.hardware == ZERO else _python(),
        "app_file": APP_FILE,
        "suggested_hardware": space.hardware,
        "license": space.license,
        "tags": ["image-classification", "hf-resnet"],
    }
    if space.folder is None:
        name, _, revision = space.model.partition("@")
        head["models"] = [name]
        if not revision:  # a version is fetched when the page starts
            head["preload_from_hub"] = [name]
    written = yaml.safe_dump(head, sort_keys=False, allow_unicode=True)
    return f"---\n{written}---\n{_TEXT}"


def _python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _head(text: str) -> Mapping[str, Any]:
    """What the head of a README says; {} where it says nothing that can be read."""
    found = re.match(r"---[ \t]*\n(.*?)\n---", text.replace("\r\n", "\n"), re.DOTALL)
    try:
        told = yaml.safe_load(found[1]) if found else None
    except yaml.YAMLError:
        return {}  # it is written anew
    return told if isinstance(told, dict) else {}


_TEXT = """
Drop a picture, paste one or take a photo: the page says what it is, how sure the model is, and where in
the picture it looked. In English and Burmese. The About tab tells how good the model is, and how a
program asks it.

| variable | meaning |
|---|---|
| `HF_RESNET_MODEL` | the model's id on the Hub (default: the folder `model` here) |
| `HF_RESNET_LANG` | `auto` (the browser's language), `en` or `my` |
| `HF_RESNET_WRONG_ANSWERS` | a private data set for pictures reported as wrong (secret: `HF_TOKEN`) |
| `HF_RESNET_KEEP_WRONG` | or a folder for them |

Written by `hf-resnet deploy-space`, which writes it anew each time. What you change in the head above
(title, emoji, colours) stays.
"""
