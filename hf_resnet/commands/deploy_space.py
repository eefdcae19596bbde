"""hf-resnet deploy-space: the page of a model as a Space on the Hub, or as the folder it would be.

The surprise: a model folder travels inside the Space, so that nothing else must be on the Hub; a Hub
id is fetched by the Space itself.
"""

import os
import re
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from hf_resnet.config import DeploySpaceConfig
from hf_resnet.errors import ConfigError, ModelError, counted
from hf_resnet.hub.contents import Item
from hf_resnet.hub.space import Deployment, deploy, wait
from hf_resnet.hub.staging import MARK, ZERO, Space, staged
from hf_resnet.screen import screen
from hf_resnet.writing import on_disk

TOKEN = "HF_RESNET_SPACE_TOKEN"  # noqa: S105  the name of a variable


def run(config: DeploySpaceConfig) -> None:
    """Deploy, or write the folder; and say where it is."""
    console = screen()
    name = config.space_id.rpartition("/")[2]
    space = Space(name, config.model, config.hardware, config.title, config.license)
    _check_model(space)
    if config.dry_run:
        items = staged(space)
        place = _write(items, Path(config.output_dir or name))
        for line in tree(items):
            console.print(line, highlight=False)
        console.print(f"\nwritten to {place}; nothing was sent. It starts here as it does there:")
        console.print(f"  python {place / 'app.py'}")
        return
    wanted = Deployment(
        space,
        config.space_id,
        config.hub_private_repo,
        variables={
            "HF_RESNET_MODEL": None if space.folder else space.model,
            "HF_RESNET_LANG": None if config.lang == "auto" else config.lang,
            "HF_RESNET_WRONG_ANSWERS": config.wrong_answers,
        },
        secrets=_secrets(config),
    )
    deployed = deploy(wanted, console.print)
    if config.wait:
        wait(deployed, console.print)
    console.print(f"\nthe page: {deployed.url}")
    if config.hardware == ZERO:
        console.print("on ZeroGPU a visitor's calls count against the visitor's own daily share")


def _check_model(space: Space) -> None:
    if space.folder is None and not re.fullmatch(
        r"[\w-][\w.-]*/[\w-][\w.-]*(@[\w./-]+)?", space.model
    ):
        raise ModelError(
            f"no model folder at {space.model}; a Space takes a model folder that finetune or relabel "
            "wrote, or the id of a model on the Hub, OWNER/NAME"
        )


def _secrets(config: DeploySpaceConfig) -> dict[str, str]:
    token = config.space_token or os.environ.get(TOKEN)
    if config.wrong_answers and not token:
        raise ConfigError(
            "--wrong_answers needs a login with which the Space writes to it; make a token that may "
            "write to that data set alone at https://huggingface.co/settings/tokens, and give it "
            f"with --space_token or in {TOKEN}"
        )
    return {"HF_TOKEN": token} if token else {}


def _write(items: Mapping[str, Item], place: Path) -> Path:
    """Write the folder, in the place of one that was written so before."""
    with on_disk(f"the folder {place}", "name with --output_dir another place"):
        if _is_foreign(place, items):
            raise ConfigError(
                f"{place} holds files that are not of a Space of ours; name with --output_dir a new "
                "folder"
            )
        if place.is_dir():
            shutil.rmtree(place)
        for name, each in items.items():
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            content = each.source if isinstance(each.source, bytes) else each.source.read_bytes()
            path.write_bytes(content)
    return place


def _is_foreign(place: Path, items: Mapping[str, Item]) -> bool:
    """Whether anything there is not of such a folder; a checkout of this package is none either."""
    if not place.exists():
        return False
    here = Path.cwd()
    if not place.is_dir() or place.resolve() in (here, *here.parents):
        return True
    there = {path.name for path in place.iterdir()}
    own = {"model", *(name.partition("/")[0] for name in items)}
    return bool(there) and not (there <= own and (place / MARK).is_file())


def tree(items: Mapping[str, Item]) -> list[str]:
    """The folder as a person is shown it: single files of the model, and of the package a count."""
    found = Counter(name.partition("/")[0] for name in items if name.startswith("hf_resnet/"))
    lines = [
        f"  {name:<36} {_size(each.size)}"
        for name, each in items.items()
        if not name.startswith("hf_resnet/")
    ]
    package = sum(each.size for name, each in items.items() if name.startswith("hf_resnet/"))
    told = f"  {'hf_resnet/':<36} {_size(package)} in {counted(found['hf_resnet'], 'file')}"
    return [*lines, told]


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 10**6 else f"{count / 1e3:,.1f} kB"
