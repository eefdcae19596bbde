"""Networks of the timm library: an architecture by name, or a folder with timm's config.json.

A folder saved through transformers' TimmWrapper opens as well (its tensors carry a prefix), and what
is saved here opens in timm and in transformers alike, with equal logits.
"""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import nn

from hf_resnet.backbones.native_preprocess import from_pretrained_cfg, to_pretrained_cfg
from hf_resnet.backbones.network import Network, Opened, find_head
from hf_resnet.errors import ModelError, did_you_mean
from hf_resnet.labels import Labels, unique_names
from hf_resnet.preprocess import Preprocess

NAME = "timm"
_PREFIX = "timm_model."


def recognises(config: dict[str, Any]) -> bool:
    """Whether this config.json is one of this library."""
    return "architecture" in config and config.get("model_type", "timm_wrapper") == "timm_wrapper"


def open_folder(folder: Path, *, random_init: bool, trust_remote_code: bool) -> Opened:
    """Open a folder as timm's save_for_hf leaves it; safetensors only, and it never runs code."""
    import timm

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    weights = folder / "model.safetensors"
    if not random_init and not weights.is_file():
        raise ModelError(
            f"{folder} has no model.safetensors; a pickle (.bin, .pth) is not read since it can run "
            "code, so save the model as safetensors with the tool that made it"
        )
    classes = int(config.get("num_classes") or 0)
    try:
        prefixed = not random_init and _is_prefixed(weights)
        model = timm.create_model(
            f"local-dir:{folder}",
            pretrained=not (random_init or prefixed),
            num_classes=classes,
        )
        if prefixed:
            _load_prefixed(model, weights)
    except (RuntimeError, ValueError, OSError, KeyError, TypeError, SafetensorError) as exc:
        text = (str(exc).strip().splitlines() or [type(exc).__name__])[0]
        raise ModelError(f"timm cannot open {folder}: {text}") from exc
    return _opened(model, _names(config), untrained=random_init)


def open_architecture(name: str) -> Opened:
    """An architecture with random weights."""
    import timm

    check_architecture(name)
    model = timm.create_model(name, pretrained=False)
    return _opened(model, _names({"architecture": name, **model.pretrained_cfg}), untrained=True)


def check_architecture(name: str) -> None:
    """Stop where timm has no such architecture, with the nearest it has."""
    import timm

    if not timm.is_model(name.split(".", maxsplit=1)[0]):
        hint = did_you_mean(name, timm.list_models())
        raise ModelError(f"timm has no architecture {name!r}{hint or '; see timm.list_models()'}")


def hub_id(name: str) -> str:
    """The Hub repository with the usual weights of an architecture."""
    import timm

    check_architecture(name)
    cfg = timm.get_pretrained_cfg(name, allow_unregistered=False)
    if not (cfg and cfg.hf_hub_id):
        raise ModelError(
            f"timm has no weights on the Hub for {name!r}; add --random_init to start from none, or "
            "choose another"
        )
    return str(cfg.hf_hub_id)


def opened_with(name: str, tensors: dict[str, Any], *, names: tuple[str, ...]) -> Opened:
    """An architecture filled with these tensors, all of them and no others."""
    import timm

    model = timm.create_model(name, pretrained=False, num_classes=len(names))
    model.load_state_dict(tensors, strict=True)
    return _opened(model, names, untrained=False)


def save(network: Network, labels: Labels, preprocess: Preprocess, folder: Path) -> None:
    """Write timm's own layout, such that transformers opens it too."""
    from safetensors.torch import save_file
    from timm.models._hub import save_config_for_hf  # what push_to_hf_hub writes, without the push

    model: Any = network.model
    model.num_classes = len(labels)
    tensors = {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    path = folder / "config.json"
    save_config_for_hf(
        model,
        path,
        model_config={"label_names": list(labels), "pretrained_cfg": to_pretrained_cfg(preprocess)},
    )
    config = json.loads(path.read_text(encoding="utf-8"))
    # transformers hands num_classes to create_model itself and fails when it comes twice
    config.get("model_args", {}).pop("num_classes", None)
    for stale in ("test_input_size", "test_crop_pct"):
        config["pretrained_cfg"].pop(stale, None)
    config["pretrained_cfg"].update(to_pretrained_cfg(preprocess))
    path.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def imagenet_names(cfg: dict[str, Any]) -> tuple[str, ...]:
    """The class names that timm knows for weights such as these, or none."""
    from timm.data import ImageNetInfo, infer_imagenet_subset

    subset = infer_imagenet_subset(cfg)
    if not subset:
        return ()
    info = ImageNetInfo(subset)
    described = info.label_descriptions(as_dict=True)
    return unique_names([described[name] for name in info.label_names()])


def _opened(model: Any, names: tuple[str, ...], *, untrained: bool) -> Opened:
    if isinstance(model.get_classifier(), nn.Identity):
        model.reset_classifier(2)
        names, untrained = ("class 0", "class 1"), True
    classes = int(model.num_classes)
    if isinstance(model.get_classifier(), tuple):
        raise ModelError(
            f"{model.pretrained_cfg['architecture']} has two classifiers that are averaged; choose "
            "its sibling with a single one (deit_tiny_patch16_224 for deit_tiny_distilled_...)"
        )
    return Opened(
        network=Network(
            model.eval(),
            source=NAME,
            head_name=find_head(model, classes, preferred=model.get_classifier()),
        ),
        names=names or tuple(f"class {index}" for index in range(classes)),
        preprocess=from_pretrained_cfg(dict(model.pretrained_cfg)),
        untrained_head=untrained,
    )


def _names(config: dict[str, Any]) -> tuple[str, ...]:
    cfg = config.get("pretrained_cfg", {})
    names = config.get("label_names") or cfg.get("label_names")
    if isinstance(names, dict):
        names = [names[key] for key in sorted(names, key=int)]
    if not names:
        names = imagenet_names({**cfg, **config})
    described = config.get("label_descriptions") or {}
    return unique_names([str(described.get(name, name)) for name in names])


def _is_prefixed(weights: Path) -> bool:
    from safetensors import safe_open

    with safe_open(weights, framework="pt") as tensors:
        return all(name.startswith(_PREFIX) for name in tensors.keys())  # noqa: SIM118


def _load_prefixed(model: nn.Module, weights: Path) -> None:
    from safetensors.torch import load_file

    tensors = {name.removeprefix(_PREFIX): tensor for name, tensor in load_file(weights).items()}
    model.load_state_dict(tensors, strict=True)
