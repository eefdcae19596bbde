"""Networks of the timm library: an architecture by name, or a folder with timm's config.json.

A folder saved through transformers' TimmWrapper opens as well (its tensors carry a prefix), and what
is saved here opens in timm and in transformers alike, with equal logits.
"""

import json
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hf_resnet.backbones.hostile import check_fits, check_layers, refusing, shapes_in
from hf_resnet.backbones.native_preprocess import from_pretrained_cfg, to_pretrained_cfg
from hf_resnet.backbones.network import Network, Opened, find_head
from hf_resnet.errors import ModelError, did_you_mean
from hf_resnet.jsonfile import read_object
from hf_resnet.labels import Labels, unique_names
from hf_resnet.preprocess import Preprocess

NAME = "timm"
_PREFIX = "timm_model."
_MOST_CLASSES = 100_000
# these steer how timm loads: past a tensor that is missing, from another place, into half a network
_NOT_ALLOWED = (
    "pretrained",
    "pretrained_strict",
    "pretrained_cfg",
    "pretrained_cfg_overlay",
    "pretrained_model_args",
    "pretrained_filter_fn",
    "checkpoint_path",
    "cache_dir",
    "features_only",
    "out_indices",
    "scriptable",
    "exportable",
    "no_jit",
    "device",
    "dtype",
)


def recognises(config: dict[str, Any]) -> bool:
    """Whether this config.json is one of this library."""
    return "architecture" in config and config.get("model_type", "timm_wrapper") == "timm_wrapper"


def open_folder(folder: Path, *, random_init: bool, trust_remote_code: bool) -> Opened:
    """Open a folder as timm's save_for_hf leaves it; safetensors only, and it never runs code."""
    import timm

    path = folder / "config.json"
    config = read_object(path)
    _check(config, path)
    weights = folder / "model.safetensors"
    if not random_init and not weights.is_file():
        raise ModelError(
            f"{folder} has no model.safetensors; a pickle (.bin, .pth) is not read since it can run "
            "code, so save the model as safetensors with the tool that made it"
        )
    shapes = None if random_init else shapes_in([weights])
    check_layers(config.get("model_args") or {}, f"{path}: model_args", shapes)
    prefixed = shapes is not None and all(name.startswith(_PREFIX) for name in shapes)
    make = partial(timm.create_model, f"local-dir:{folder}", num_classes=_classes(config))
    with refusing(f"timm cannot open {folder}"):
        with torch.device("meta"):
            sketch = make(pretrained=False)
        check_fits(sketch, shapes, str(path))
        model = make(pretrained=not (random_init or prefixed))
        if prefixed:
            _load_prefixed(model, weights)
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


def _check(config: dict[str, Any], path: Path) -> None:
    """Stop where a value is of another type than timm writes, or would have the weights filled in
    otherwise than strictly and from this folder."""
    cfg, arguments = config.get("pretrained_cfg", {}), config.get("model_args", {})
    for key, value in (("pretrained_cfg", cfg), ("model_args", arguments)):
        if not isinstance(value, dict):
            raise _odd(path, key, value, "it is an object")
    if not isinstance(config["architecture"], str):
        raise _odd(path, "architecture", config["architecture"], "it is a name")
    for key in _NOT_ALLOWED:
        if key in arguments:
            raise _odd(path, f"model_args: {key}", arguments[key], "it is not a part of a network")
    if arguments.get("in_chans", 3) != 3:
        raise _odd(path, "model_args: in_chans", arguments["in_chans"], "pictures have 3 channels")
    if not arguments.get("global_pool", "avg"):
        raise _odd(
            path, "model_args: global_pool", arguments["global_pool"], "there is no head then"
        )
    for known in (config, cfg):
        classes, names = known.get("num_classes", 0), known.get("label_names") or []
        if classes is not None and not (type(classes) is int and 0 <= classes <= _MOST_CLASSES):
            raise _odd(path, "num_classes", classes, f"it is a number from 0 to {_MOST_CLASSES:,}")
        listed_names = names.values() if isinstance(names, dict) else names
        if not isinstance(names, list | dict) or not all(isinstance(n, str) for n in listed_names):
            raise _odd(path, "label_names", names, "it is a list of names")
        if isinstance(names, dict) and not all(key.isdecimal() for key in names):
            raise _odd(path, "label_names", names, "its keys are the numbers of the classes")
    described = config.get("label_descriptions") or {}
    if not isinstance(described, dict) or not all(isinstance(t, str) for t in described.values()):
        raise _odd(path, "label_descriptions", described, "it is an object of texts")


def _odd(path: Path, key: str, value: object, why: str) -> ModelError:
    return ModelError(
        f"{path}: {key} is {str(value)[:60]!r}, which cannot be followed: {why}; take the file from "
        "where it came"
    )


def _classes(config: dict[str, Any]) -> int | None:
    """How many classes the weights were saved with; None where the architecture's own number."""
    classes: int | None = config.get("num_classes")
    if classes is None:
        classes = config.get("pretrained_cfg", {}).get("num_classes")
    return classes


def _names(config: dict[str, Any]) -> tuple[str, ...]:
    cfg = config.get("pretrained_cfg", {})
    names = config.get("label_names") or cfg.get("label_names")
    if isinstance(names, dict):
        names = [names[key] for key in sorted(names, key=int)]
    if not names:
        names = imagenet_names({**cfg, **config})
    described = config.get("label_descriptions") or {}
    return unique_names([str(described.get(name, name)) for name in names])


def _load_prefixed(model: nn.Module, weights: Path) -> None:
    from safetensors.torch import load_file

    tensors = {name.removeprefix(_PREFIX): tensor for name, tensor in load_file(weights).items()}
    model.load_state_dict(tensors, strict=True)
