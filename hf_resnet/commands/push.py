"""hf-resnet push: a model folder onto the Hub, and how to use it from there.

It opens no network, so it imports no torch. The surprise: the same command again goes on with a push
that was not finished, and `--pending` does so without saying again what was wanted.
"""

import shlex
from pathlib import Path

from rich.console import Console

from hf_resnet.config import PushConfig
from hf_resnet.errors import ConfigError, HubError, ModelError, listed
from hf_resnet.hub.contents import left_at_home, stale_exports
from hf_resnet.hub.pending import Wanted, marker_of, pending
from hf_resnet.hub.publish import Published, publish
from hf_resnet.hub.uses import ways
from hf_resnet.jsonfile import read_object
from hf_resnet.screen import one_line, screen


def run(config: PushConfig) -> None:
    """Push, and say where the model is and how it is used."""
    folder = Path(config.model)
    if not folder.is_dir():
        raise ModelError(
            f"no model folder at {config.model}; give the folder that finetune or relabel wrote"
        )
    wanted = _before(folder) if config.pending else _wanted(config, folder)
    console = screen()
    if left := left_at_home(folder):
        console.print(f"not pushed: {listed(left, most=5)}")
    for name, reason in stale_exports(folder).items():
        again = f"hf-resnet export {shlex.quote(str(folder))} --format {name} writes it anew"
        console.print(one_line(f"not pushed: {reason}; {again}"))
    published = push(folder, wanted, console)
    show(published, folder, console)


def push(folder: Path, wanted: Wanted, console: Console, *, token: str | None = None) -> Published:
    """Publish; where it cannot be finished, the error says how to go on."""
    try:
        return publish(folder, wanted, console.print, token=token)
    except HubError as exc:
        if not marker_of(folder).exists():
            raise
        raise HubError(f"{exc}. To finish it: {_command(folder)} --pending") from exc


def show(published: Published, folder: Path, console: Console) -> None:
    """Where it is, and the ways to use it."""
    console.print(f"\npushed to {published.url}")
    config = read_object(folder / "config.json")
    for title, _, code in ways(config, published.repo, published.revision):
        console.print(f"\nwith {title}:\n")
        console.print("\n".join(f"  {line}" if line else "" for line in code.splitlines()))


def _command(folder: Path) -> str:
    return shlex.join(["hf-resnet", "push", str(folder)])


def _wanted(config: PushConfig, folder: Path) -> Wanted:
    return Wanted(
        repo=config.hub_model_id or folder.resolve().name,
        private=config.hub_private_repo,
        create_pr=config.create_pr,
        revision=config.revision,
        tag=config.tag,
        license=config.license,
        force=config.force,
    )


def _before(folder: Path) -> Wanted:
    found = pending(folder)
    if found is None:
        raise ConfigError(
            f"no push from {folder} is unfinished; push with {_command(folder)} --hub_model_id "
            "OWNER/NAME"
        )
    return found
