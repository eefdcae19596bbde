"""hf-resnet layers: what a network is made of, before one trains it."""

from collections.abc import Sequence
from pathlib import Path

from hf_resnet.anatomy import Anatomy, Layer, anatomy_of, grouped, picture, table
from hf_resnet.anatomy.record import as_json
from hf_resnet.classifier import open_classifier
from hf_resnet.config import LayersConfig, ModelConfig
from hf_resnet.errors import ConfigError
from hf_resnet.evaluation.report import as_text
from hf_resnet.screen import screen
from hf_resnet.writing import on_disk, write_all

PICTURES = (".png", ".svg")
LEAST_WIDTH = 80


def run(config: LayersConfig) -> None:
    """Open the network, send one random picture through it, and show what each layer did."""
    _check(config.picture, config.json)
    model = ModelConfig(
        model_name_or_path=config.model_name_or_path,
        random_init=True,  # weights change nothing here, so none are fetched
        trust_remote_code=config.trust_remote_code,
    )
    classifier = open_classifier(model)
    network = classifier.network
    if config.method == "head":
        network.requires_grad_(False)
        network.head.requires_grad_(True)
    size = (config.size, config.size) if config.size else classifier.preprocess.size
    anatomy = anatomy_of(network, size)
    layers = grouped(anatomy, config.depth)
    console = screen(soft_wrap=False)
    console.width = max(console.width, LEAST_WIDTH)
    console.print(
        table(
            anatomy,
            layers,
            title=config.model_name_or_path,
            channels_last=config.channels_last,
            width=console.width,
        )
    )
    for path in _write(config, anatomy, layers):
        console.print(f"written to {path}", soft_wrap=True)


def _check(picture_path: str | None, json_path: str | None) -> None:
    """Stop before any work where a file could not be written."""
    if picture_path and Path(picture_path).suffix.lower() not in PICTURES:
        raise ConfigError(f"--picture ends in .png or .svg; got {picture_path}")
    for flag, path in (("picture", picture_path), ("json", json_path)):
        if path and Path(path).is_dir():
            raise ConfigError(f"--{flag} {path} is a folder; name a file")
    if picture_path and json_path and Path(picture_path).resolve() == Path(json_path).resolve():
        raise ConfigError(f"--picture and --json are both {path}; give each a file of its own")


def _write(config: LayersConfig, anatomy: Anatomy, layers: Sequence[Layer]) -> list[str]:
    """The files that were asked for; their paths."""
    contents: dict[str, bytes] = {}
    title = config.model_name_or_path
    if config.json:
        record = as_json(anatomy, layers, model=title, depth=config.depth)
        contents[config.json] = as_text(record).encode()
    if config.picture:
        suffix = Path(config.picture).suffix.lower()
        contents[config.picture] = picture(anatomy, title, suffix)
    for path, content in contents.items():
        place = Path(path)
        with on_disk(path, "name another place"):
            write_all(place.parent, {place.name: content})
    return list(contents)
