"""Where networks come from: one file a source, and the dictionary that lists them.

A source is a module with `recognises(config)`, `open_folder(folder, ...)` and `save(...)`. To add one,
write its file and name it in SOURCES.
"""

from pathlib import Path
from typing import Any, Protocol

import torch

from hf_resnet.backbones import packaged, reference, scratch, timm, transformers
from hf_resnet.backbones.network import Network, Opened
from hf_resnet.config import ModelConfig
from hf_resnet.errors import ModelError
from hf_resnet.jsonfile import read_object
from hf_resnet.labels import Labels
from hf_resnet.preprocess import Preprocess

__all__ = ["SOURCES", "Network", "Opened", "Source", "open_backbone", "save_backbone"]


class Source(Protocol):
    """What a source's file offers."""

    def recognises(self, config: dict[str, Any]) -> bool: ...

    def open_folder(
        self, folder: Path, *, random_init: bool, trust_remote_code: bool
    ) -> Opened: ...

    def save(
        self, network: Network, labels: Labels, preprocess: Preprocess, folder: Path
    ) -> None: ...


SOURCES: dict[str, Source] = {
    transformers.NAME: transformers,
    timm.NAME: timm,
    scratch.NAME: scratch,
}


def open_backbone(config: ModelConfig) -> tuple[Opened, Path | None]:
    """Open what the config names; with it the folder its files came from, where there is one.

    What has random weights has the same ones each time, so that the processes of one run, and a run
    that is taken up again, begin alike.
    """
    with torch.random.fork_rng(devices=[]):  # leaves the caller's random numbers as they were
        torch.manual_seed(0)
        return _opened(config)


def _opened(config: ModelConfig) -> tuple[Opened, Path | None]:
    found = reference.resolve(config)
    if found.kind == "packaged":
        return packaged.open_package(found.name, random_init=config.random_init), None
    if found.kind == "scratch":
        return scratch.open_architecture(found.name), None
    if found.kind == "timm" and config.random_init:
        return timm.open_architecture(found.name), None
    if found.kind == "timm":
        folder = reference.fetch(timm.hub_id(found.name), config.model_revision or "main")
    else:
        assert found.folder is not None  # noqa: S101  a reference is a scheme or a folder
        folder = found.folder
    source = SOURCES[source_of(folder)]
    opened = source.open_folder(
        folder, random_init=config.random_init, trust_remote_code=config.trust_remote_code
    )
    return opened, folder


def save_backbone(network: Network, labels: Labels, preprocess: Preprocess, folder: Path) -> None:
    """Write the network into the folder, in the layout of the source it came from."""
    SOURCES[network.source].save(network, labels, preprocess, folder)


def source_of(folder: Path) -> str:
    """Which source the folder's config.json belongs to."""
    if not (folder / "config.json").exists():
        raise ModelError(
            f"{folder} holds no config.json, so it is no model folder; "
            "give the folder that training wrote"
        )
    config = read_object(folder / "config.json")
    for name, source in SOURCES.items():
        if source.recognises(config):
            return name
    raise ModelError(
        f"{folder / 'config.json'} is neither of transformers (model_type) nor of timm "
        "(architecture) nor of our own networks (hf_resnet_architecture); give a model folder of one"
    )
