"""Our own ResNets: scratch:resnet50 and its like by name, or a folder that one was saved in.

A network by name has random weights, and always the same ones: the processes of one run, and a run
that is taken up again, begin alike. The one exception to what the other sources promise: a folder
saved here opens through this package alone, since no other library knows these networks.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from hf_resnet.backbones.hostile import (
    check_fits,
    check_layers,
    first_line,
    refusing,
    shapes_in,
)
from hf_resnet.backbones.network import Network, Opened
from hf_resnet.errors import ModelError, listed
from hf_resnet.jsonfile import read_object
from hf_resnet.labels import Labels, unique_names
from hf_resnet.preprocess import Preprocess
from hf_resnet.resnet import Architecture, ResNet, load_weights, named

NAME = "scratch"
_KEY = "hf_resnet_architecture"
_CLASSES = {"224": 1000, "32": 10}  # of ImageNet and of CIFAR-10, which these stems were made for
_LARGE = Preprocess(mode="crop", size=(224, 224), resize=(256, 256))
_SMALL = Preprocess(mode="squash", size=(32, 32), resize=(32, 32))


def recognises(config: dict[str, Any]) -> bool:
    """Whether this config.json is of one of our own networks."""
    return _KEY in config


def open_architecture(name: str) -> Opened:
    """A network by name, with random weights and classes that mean nothing yet."""
    architecture = named(name)
    classes = _CLASSES[architecture.stem]
    return Opened(
        network=_network(_random(architecture, classes)),
        names=tuple(f"class {index}" for index in range(classes)),
        preprocess=_LARGE if architecture.stem == "224" else _SMALL,
        untrained_head=True,
    )


def open_folder(folder: Path, *, random_init: bool, trust_remote_code: bool) -> Opened:
    """Open a folder that `save` wrote; it never runs code."""
    config = read_object(folder / "config.json")
    try:
        architecture = _architecture(config[_KEY])
        names = _names(config["label_names"])
        preprocess = Preprocess.from_json(config["preprocess"])
    except (KeyError, TypeError, AttributeError) as exc:
        raise ModelError(
            f"{folder / 'config.json'} is not as hf_resnet writes it ({type(exc).__name__}: {exc}); "
            "take the file from where it came"
        ) from exc
    except ModelError as exc:
        raise ModelError(f"{folder / 'config.json'}: {exc}") from exc
    shapes = None if random_init else shapes_in([_weights(folder)])
    path = folder / "config.json"
    check_layers(dataclasses.asdict(architecture), str(path), shapes)
    with refusing(f"{path} describes no network that can be made"), torch.device("meta"):
        sketch = ResNet(architecture, len(names))
    check_fits(sketch, shapes, str(path))
    model = _random(architecture, len(names))
    if not random_init:
        _fill(model, _weights(folder))
    return Opened(_network(model), names, preprocess, untrained_head=random_init)


def save(network: Network, labels: Labels, preprocess: Preprocess, folder: Path) -> None:
    """Write config.json (what the network is made of, its classes, its preprocess) and the weights."""
    from safetensors.torch import save_file

    model = network.model
    assert isinstance(model, ResNet)  # noqa: S101  a network of this source is made in this file
    tensors = {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        _KEY: dataclasses.asdict(model.architecture),
        "label_names": list(labels),
        "preprocess": preprocess.to_json(),
    }
    text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
    (folder / "config.json").write_text(text, encoding="utf-8")


def _random(architecture: Architecture, classes: int) -> ResNet:
    with torch.random.fork_rng(devices=[]):  # leaves the caller's random numbers as they were
        torch.manual_seed(0)
        return ResNet(architecture, classes)


def _network(model: ResNet) -> Network:
    return Network(model.eval(), source=NAME, head_name="head")


def _architecture(record: dict[str, Any]) -> Architecture:
    """Of what `dataclasses.asdict` gave; a key too many or too few is an error, never a default."""
    fields = [field.name for field in dataclasses.fields(Architecture)]
    if wrong := sorted(set(fields) ^ set(record)):
        raise ModelError(
            f"{_KEY} has exactly the keys {listed(fields)}; missing or unknown: {listed(wrong)} (a "
            "newer hf_resnet may have written it)"
        )
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in record.items()
    }
    return Architecture(**values)


def _names(names: Any) -> tuple[str, ...]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TypeError("label_names is a list of names")
    return unique_names(names)


def _weights(folder: Path) -> Path:
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise ModelError(
            f"{folder} has no model.safetensors; take the file from where the folder came, or add "
            "--random_init to start from none"
        )
    return weights


def _fill(model: ResNet, weights: Path) -> None:
    from safetensors.torch import load_file

    try:
        load_weights(model, load_file(weights))
    except (SafetensorError, ModelError) as exc:
        raise ModelError(f"{weights} cannot be used: {first_line(exc)}") from exc
