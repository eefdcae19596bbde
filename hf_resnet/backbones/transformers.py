"""Image classifiers of the transformers library: folders and Hub repositories with a model_type."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from hf_resnet.backbones.native_preprocess import from_processor, processor_type, to_processor
from hf_resnet.backbones.network import Network, Opened, find_head
from hf_resnet.errors import ModelError
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
    try:
        config = AutoConfig.from_pretrained(folder, **code)
        with _no_progress_bars():
            if random_init:
                model = AutoModelForImageClassification.from_config(config, **code)
            else:
                _check_index(folder)
                model, loading = AutoModelForImageClassification.from_pretrained(
                    folder,
                    config=config,
                    use_safetensors=True,
                    output_loading_info=True,
                    dtype="float32",
                    **code,
                )
                missing = set(loading["missing_keys"])
    except (ValueError, OSError, KeyError, RuntimeError, ImportError, SafetensorError) as exc:
        raise ModelError(_reason(folder, exc)) from exc
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
        names=unique_names([str(name) for _, name in sorted(config.id2label.items())]),
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


def _check_index(folder: Path) -> None:
    """An index of shards may name files of this folder, and safetensors only."""
    path = folder / "model.safetensors.index.json"
    if not path.is_file():
        return
    names = set(json.loads(path.read_text(encoding="utf-8"))["weight_map"].values())
    wrong = [n for n in names if Path(str(n)).name != n or not n.endswith(".safetensors")]
    if wrong:
        raise ModelError(
            f"{path} names {wrong[0]!r}; only safetensors files of the same folder are read"
        )


def _processor(folder: Path, config: Any) -> dict[str, Any]:
    """The preprocessor_config.json, or what the library would use for such a model without one."""
    path = folder / "preprocessor_config.json"
    if path.is_file():
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return stored
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


def _reason(folder: Path, exc: Exception) -> str:
    text = (str(exc).strip().splitlines() or [type(exc).__name__])[0]
    if any(folder.glob("*.bin")) and not any(folder.glob("*.safetensors")):
        return (
            f"{folder} has its weights as a pickle (.bin), which can run code when read; "
            "convert it to safetensors with the tool that made it"
        )
    return f"transformers cannot open {folder}: {text}"


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
