"""Image classifiers of the transformers library: folders and Hub repositories with a model_type."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from hf_resnet.backbones.hostile import check_fits, check_layers, refusing, shapes_in
from hf_resnet.backbones.native_preprocess import from_processor, processor_type, to_processor
from hf_resnet.backbones.network import Network, Opened, find_head
from hf_resnet.errors import ModelError
from hf_resnet.jsonfile import read_object
from hf_resnet.labels import Labels, unique_names
from hf_resnet.preprocess import Preprocess

NAME = "transformers"


def recognises(config: dict[str, Any]) -> bool:
    """Whether this config.json is one of this library."""
    return "model_type" in config and config["model_type"] != "timm_wrapper"


def open_folder(folder: Path, *, random_init: bool, trust_remote_code: bool) -> Opened:
    """Open a folder as save_pretrained leaves it; safetensors only."""
    from transformers import AutoConfig, AutoModelForImageClassification

    code = {"trust_remote_code": trust_remote_code}
    missing: set[str] = set()
    shapes = None if random_init else shapes_in(_weights(folder))
    path = folder / "config.json"
    check_layers(read_object(path), str(path), shapes)
    with refusing(f"transformers cannot open {folder}"):
        config = AutoConfig.from_pretrained(folder, **code)
        with torch.device("meta"):
            sketch = AutoModelForImageClassification.from_config(config, **code)
        check_fits(sketch, shapes, str(path))
        with _no_progress_bars():
            if random_init:
                model = AutoModelForImageClassification.from_config(config, **code)
            else:
                model, loading = AutoModelForImageClassification.from_pretrained(
                    folder,
                    config=config,
                    use_safetensors=True,
                    output_loading_info=True,
                    dtype="float32",
                    **code,
                )
                missing = set(loading["missing_keys"])
    processor = _processor(folder, config)
    network = Network(
        model.float().eval(),
        source=NAME,
        head_name=find_head(model, int(config.num_labels)),
        processor_type=processor_type(processor),
    )
    head_keys = {f"{network.head_name}.weight", f"{network.head_name}.bias"}
    if unfilled := missing - head_keys:
        raise ModelError(
            f"the weights in {folder} lack {len(unfilled)} of the network's tensors (such as "
            f"{min(unfilled)}); the file belongs to another network, or is cut short"
        )
    return Opened(
        network=network,
        names=_names(config.id2label, path),
        preprocess=from_processor(processor),
        untrained_head=random_init or bool(missing),
    )


def save(network: Network, labels: Labels, preprocess: Preprocess, folder: Path) -> None:
    """Write what save_pretrained writes, with these classes and this preprocess."""
    model: Any = network.model
    model.config.id2label = dict(enumerate(labels))
    model.config.label2id = {name: index for index, name in enumerate(labels)}
    model.num_labels = len(labels)
    processor = to_processor(preprocess, network.processor_type)
    with _no_progress_bars():
        model.save_pretrained(folder)
    text = json.dumps(processor, indent=2) + "\n"
    (folder / "preprocessor_config.json").write_text(text, encoding="utf-8")


def _names(id2label: dict[int, Any], path: Path) -> tuple[str, ...]:
    names = [name for _, name in sorted(id2label.items())]
    if not all(isinstance(name, str | int) for name in names):
        raise ModelError(f"{path}: id2label has something else than names; mend it")
    return unique_names([str(name) for name in names])


def _weights(folder: Path) -> list[Path]:
    """The files of the weights: one, or those that an index names, in this folder and safetensors."""
    if (folder / "model.safetensors").is_file():
        return [folder / "model.safetensors"]
    path = folder / "model.safetensors.index.json"
    if not path.exists():
        raise ModelError(_no_weights(folder))
    names = read_object(path).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise ModelError(f"{path} has no weight_map; take the file from where it came")
    for name in names.values():
        if (
            not isinstance(name, str)
            or Path(name).name != name
            or Path(name).suffix != ".safetensors"
        ):
            raise ModelError(
                f"{path} names {name!r}; only safetensors files of the same folder are read"
            )
        if not (folder / name).is_file():
            raise ModelError(
                f"{path} names {name}, and there is no such file; take it from its source"
            )
    return [folder / name for name in sorted(set(names.values()))]


def _no_weights(folder: Path) -> str:
    if any(folder.glob("*.bin")):
        return (
            f"{folder} has its weights as a pickle (.bin), which can run code when read; "
            "convert it to safetensors with the tool that made it"
        )
    return (
        f"transformers cannot open {folder}: it has no model.safetensors; take the file from where the "
        "folder came, or add --random_init to start from none"
    )


def _processor(folder: Path, config: Any) -> dict[str, Any]:
    """The preprocessor_config.json, or what the library would use for such a model without one."""
    path = folder / "preprocessor_config.json"
    if path.exists():
        return read_object(path)
    from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING

    try:
        by_backend = IMAGE_PROCESSOR_MAPPING[type(config)]
    except KeyError as exc:
        raise ModelError(
            f"{folder} has no preprocessor_config.json and {config.model_type} no usual one; "
            "add the file, so that pictures reach the network as it learned them"
        ) from exc
    usual: dict[str, Any] = by_backend["pil"]().to_dict()
    return usual


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
