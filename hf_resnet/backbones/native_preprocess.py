"""Translates a Preprocess from and to what transformers and timm write beside their weights.

Dictionaries in, dictionaries out: neither library is imported, no file is touched. What a native
file asks for and a Preprocess cannot do is refused by the name of its key, never dropped; and what
is written is first read back here, so that it says the same or is not written at all.

The surprise: a preprocessor_config.json leaves out whatever its class has as a default, and the
defaults differ from class to class (a ConvNext file without a size means 384 pixels). So they stand
here, and a test compares them with those of the installed library.
"""

import contextlib
import dataclasses
import math
from collections.abc import Callable
from typing import Any, cast

from PIL import Image

from hf_resnet.errors import ModelError, did_you_mean, listed
from hf_resnet.preprocess import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    USUAL_CROP_PCT,
    Interpolation,
    Mode,
    Preprocess,
    Rounding,
    Size,
    Triple,
    shortest_crop_pct,
)

Config = dict[str, Any]
Geometry = tuple[Mode, Size, Size]  # mode, size and resize of a Preprocess


def _square(side: int) -> Config:
    return {"size": {"height": side, "width": side}, "default_to_square": True}


def _short(side: int) -> Config:
    return {"size": {"shortest_edge": side}, "default_to_square": False}


def _crop(side: int) -> Config:
    return {"do_center_crop": True, "crop_size": {"height": side, "width": side}}


_HALF = {"image_mean": (0.5,) * 3, "image_std": (0.5,) * 3}
_IMAGENET = {"image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD}
_CLIP = {
    "image_mean": (0.48145466, 0.4578275, 0.40821073),
    "image_std": (0.26862954, 0.26130258, 0.27577711),
}
_BILINEAR, _BICUBIC = {"resample": 2}, {"resample": 3}
_CROP_PCT, _NO_CROP = {"crop_pct": 224 / 256}, {"do_center_crop": False}
_TOP = {"rescale_offset": False, "include_top": True}
_FLIP = {"do_normalize": None, "do_flip_channel_order": True}

_EVERY_CLASS: Config = {
    "do_resize": True,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "do_center_crop": None,
    "do_pad": None,
    "crop_size": None,
}

_BY_CLASS: dict[str, Config] = {
    "Beit": {**_square(224), **_crop(224), **_NO_CROP, **_HALF, **_BICUBIC},
    "Bit": {**_short(224), **_crop(224), **_CLIP, **_BICUBIC},
    "CLIP": {**_short(224), **_crop(224), **_CLIP, **_BICUBIC},
    "ConvNext": {**_short(384), **_CROP_PCT, **_HALF, **_BICUBIC},
    "DeiT": {**_square(256), **_crop(224), **_HALF, **_BICUBIC},
    "EfficientNet": {**_square(346), **_crop(289), **_NO_CROP, **_TOP, **_HALF, **_BICUBIC},
    "Janus": {**_square(384), "do_pad": True, "min_size": 14, **_CLIP, **_BICUBIC},
    "Levit": {**_short(224), **_crop(224), **_IMAGENET, **_BICUBIC},
    "MobileNetV1": {**_short(256), **_crop(224), **_HALF, **_BILINEAR},
    "MobileNetV2": {**_short(256), **_crop(224), **_HALF, **_BILINEAR},
    "MobileViT": {**_short(224), **_crop(256), **_FLIP, **_HALF, **_BICUBIC},
    "PoolFormer": {**_short(224), **_crop(224), "crop_pct": 0.9, **_IMAGENET, **_BICUBIC},
    "Pvt": {**_square(224), **_IMAGENET, **_BICUBIC},
    "Segformer": {**_square(512), **_IMAGENET, **_BILINEAR},
    "Siglip": {**_square(224), "default_to_square": False, **_HALF, **_BICUBIC},
    "ViT": {**_square(224), **_HALF, **_BILINEAR},
}

DEFAULTS = {f"{name}ImageProcessor": {**_EVERY_CLASS, **own} for name, own in _BY_CLASS.items()}
"""For each class that can be followed, what its file means by leaving a key out."""

_CROP_MODES: dict[str, Mode] = {"center": "crop", "squash": "squash", "border": "letterbox"}


def processor_type(config: Config) -> str | None:
    """The class a preprocessor_config.json is for, by today's name: old files name a feature
    extractor, and those of transformers 4 may name its Fast sibling."""
    name = config.get("image_processor_type") or config.get("feature_extractor_type")
    if not isinstance(name, str):
        return None
    return name.replace("FeatureExtractor", "ImageProcessor").removesuffix("Fast")


def from_processor(config: Config) -> Preprocess:
    """What a preprocessor_config.json of transformers does to a picture."""
    name = processor_type(config)
    if name not in DEFAULTS:
        raise ModelError(
            f"preprocessor_config.json: image_processor_type is {name}, which cannot be followed"
            f"{did_you_mean(str(name), DEFAULTS)}; known are {listed(DEFAULTS, most=99)}"
        )
    asked = DEFAULTS[name] | config  # a null is not a default but a no
    for key, value in asked.items():
        if key.startswith("do_") and not isinstance(value, bool | None):
            raise _refused(asked, key, "it is true or false")
    if not asked["do_resize"]:
        raise _refused(asked, "do_resize", "pictures would come out in different sizes")
    mode, size, resize = _READERS.get(name, _plain)(asked)
    mean, std = _mean_and_std(name, asked)
    if mode == "letterbox" and mean != _triple(asked, "image_mean"):
        raise _refused(asked, "image_mean", "the bars would have another colour than the mean")
    flipped = name == "MobileViTImageProcessor" and asked["do_flip_channel_order"]
    return Preprocess(
        mode=mode,
        size=size,
        resize=resize,
        interpolation=_interpolation(asked),
        mean=mean,
        std=std,
        channel_order="BGR" if flipped else "RGB",
    )


def to_processor(preprocess: Preprocess, image_processor_type: str | None = None) -> Config:
    """A preprocessor_config.json with the very same pixels: of the class asked for where that can
    do it, else of one that can."""
    wanted = _without_idle_rounding(preprocess, "transformers")
    for name in (image_processor_type, *_FALLBACKS):
        written = _proposal(name, wanted) if name in DEFAULTS else None
        if written is not None and from_processor(written) == wanted:
            return written
    if wanted.rounding == "timm":
        raise ModelError(
            "no image processor of transformers rounds as timm does, and pictures would shift by "
            "a pixel; save a timm folder, or prepare the pictures with rounding 'transformers'"
        )
    raise ModelError(
        f"no image processor of transformers does {wanted.to_json()}: crop takes a square resize, "
        "letterbox a square size and resize equal to it, and BGR neither mean, std nor letterbox"
    )


def from_pretrained_cfg(cfg: Config) -> Preprocess:
    """What timm's evaluation transform for this pretrained_cfg does to a picture."""
    input_size = cfg.get("input_size") or (3, 224, 224)
    whole = isinstance(input_size, list | tuple) and all(type(side) is int for side in input_size)
    if not whole or len(input_size) != 3 or input_size[0] != 3:
        raise _refused(cfg, "input_size", "3 channels, a height and a width are needed")
    crop_mode = cfg.get("crop_mode") or "center"
    if not isinstance(crop_mode, str) or crop_mode not in _CROP_MODES:
        raise _refused(cfg, "crop_mode", f"allowed are {listed(_CROP_MODES)}")
    crop_pct = _number({"crop_pct": cfg.get("crop_pct") or USUAL_CROP_PCT}, "crop_pct")
    height, width = input_size[1], input_size[2]
    return Preprocess(
        mode=_CROP_MODES[crop_mode],
        size=(height, width),
        resize=(math.floor(height / crop_pct), math.floor(width / crop_pct)),
        interpolation=cfg.get("interpolation") or "bicubic",
        mean=_triple(cfg, "mean", IMAGENET_MEAN),
        std=_triple(cfg, "std", IMAGENET_STD),
        rounding="timm",
    )


def to_pretrained_cfg(preprocess: Preprocess) -> Config:
    """The keys of a pretrained_cfg with which timm gives the very same pixels."""
    wanted = _without_idle_rounding(preprocess, "timm")
    crop_modes = {mode: crop_mode for crop_mode, mode in _CROP_MODES.items()}
    cfg: Config = {
        "input_size": [3, *wanted.size],
        "interpolation": wanted.interpolation,
        "crop_pct": shortest_crop_pct(*zip(wanted.size, wanted.resize, strict=True)),
        "crop_mode": crop_modes[wanted.mode],
        "mean": list(wanted.mean),
        "std": list(wanted.std),
    }
    if cfg["crop_pct"] is None or from_pretrained_cfg(cfg) != wanted:
        raise ModelError(
            f"no transform of timm does {wanted.to_json()}: it takes rounding 'timm', channels in "
            "RGB order and a resize that is size divided by one number"
        )
    return cfg


def _plain(asked: Config) -> Geometry:
    """Most classes: scale to a height and width, or by the short side; then crop, if asked."""
    sides = _sides(asked, "size")
    crop = _pair(_sides(asked, "crop_size")) if asked["do_center_crop"] else None
    if set(sides) == {"height", "width"}:
        return "squash", crop or _pair(sides), _pair(sides)
    if set(sides) != {"shortest_edge"}:
        raise _refused(asked, "size", "it is height and width, or shortest_edge")
    if crop is None:
        raise _refused(asked, "do_center_crop", "pictures would come out in different sizes")
    return "crop", crop, (sides["shortest_edge"],) * 2


def _convnext(asked: Config) -> Geometry:
    side = _sides(asked, "size").get("shortest_edge")
    if side is None:
        raise _refused(asked, "size", "this class takes shortest_edge")
    if asked["do_center_crop"]:
        raise _refused(asked, "do_center_crop", "this class crops by crop_pct")
    if side >= 384:  # the class's own limit: from here on nothing is cut off
        return "squash", (side, side), (side, side)
    return "crop", (side, side), (int(side / _number(asked, "crop_pct")),) * 2


def _poolformer(asked: Config) -> Geometry:
    if asked["crop_pct"] is None:
        return _plain(asked)
    sides, crop_pct = _sides(asked, "size"), _number(asked, "crop_pct")
    grown = {name: int(side / crop_pct) for name, side in sides.items()}
    if sides.get("height") is not None and sides["height"] == sides.get("width"):
        grown = {"shortest_edge": grown["height"]}
    return _plain(asked | {"size": grown})


def _levit(asked: Config) -> Geometry:
    sides = _sides(asked, "size")
    if "shortest_edge" in sides:
        sides = {"shortest_edge": int((256 / 224) * sides["shortest_edge"])}
    return _plain(asked | {"size": sides})


def _segformer(asked: Config) -> Geometry:
    return _plain(asked | {"do_center_crop": False})  # the class has the key and does not heed it


def _janus(asked: Config) -> Geometry:
    """The one class of transformers that scales a picture, then adds bars in the mean colour."""
    sides = _sides(asked, "size")
    if not asked["do_pad"]:
        raise _refused(asked, "do_pad", "pictures would come out in different sizes")
    if set(sides) != {"height", "width"} or sides["height"] != sides["width"]:
        raise _refused(asked, "size", "this class takes height and width, and both alike")
    if asked["min_size"] != 1:
        raise _refused(asked, "min_size", "narrow pictures would be widened; 1 lets them be")
    return "letterbox", _pair(sides), _pair(sides)


_READERS: dict[str, Callable[[Config], Geometry]] = {
    "ConvNextImageProcessor": _convnext,
    "JanusImageProcessor": _janus,
    "LevitImageProcessor": _levit,
    "PoolFormerImageProcessor": _poolformer,
    "SegformerImageProcessor": _segformer,
}

# These crop in the newest transformers, but did not in earlier ones.
_SQUASH_ONLY = {
    "PvtImageProcessor",
    "SegformerImageProcessor",
    "SiglipImageProcessor",
    "ViTImageProcessor",
}

_FALLBACKS = (
    "ViTImageProcessor",
    "BitImageProcessor",
    "MobileViTImageProcessor",
    "JanusImageProcessor",
)


def _proposal(name: str, preprocess: Preprocess) -> Config | None:
    """How this class would be asked for it, or None where the class plainly cannot; whether it then
    says the same is for the caller to check."""
    (height, width), (tall, wide) = preprocess.size, preprocess.resize
    boxed = preprocess.mode == "letterbox"
    cut = preprocess.mode == "crop" or preprocess.size != preprocess.resize
    if (name == "JanusImageProcessor") != boxed or (boxed and (cut or height != width)):
        return None
    if name in _SQUASH_ONLY and cut:
        return None
    config: Config = {
        "image_processor_type": name,
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"height": tall, "width": wide},
        "resample": int(preprocess.resample),
        "do_center_crop": cut,
        "crop_size": {"height": height, "width": width},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(preprocess.mean),
        "image_std": list(preprocess.std),
    }
    if preprocess.mode == "crop":
        config["size"] = {"shortest_edge": tall}
    by_pct = {
        "size": {"shortest_edge": height},
        "crop_pct": shortest_crop_pct((height, tall)),
    }
    if name == "ConvNextImageProcessor":
        config |= by_pct | {"do_center_crop": False}
    elif name == "PoolFormerImageProcessor":
        config |= by_pct
    elif name == "LevitImageProcessor" and preprocess.mode == "crop":
        config["size"] = {"shortest_edge": math.ceil(tall * 224 / 256)}
    elif name == "EfficientNetImageProcessor":
        config |= {"include_top": False, "rescale_offset": False}
    elif name == "MobileViTImageProcessor":
        config |= {"do_flip_channel_order": preprocess.channel_order == "BGR"}
    elif name == "JanusImageProcessor":
        config |= {"do_pad": True, "min_size": 1}
    return config


def _without_idle_rounding(preprocess: Preprocess, rounding: Rounding) -> Preprocess:
    """Where nothing is cut off or added, it makes no difference whose rounding it is."""
    if preprocess.mode == "squash" and preprocess.size == preprocess.resize:
        return dataclasses.replace(preprocess, rounding=rounding)
    return preprocess


def _mean_and_std(name: str, asked: Config) -> tuple[Triple, Triple]:
    """Rescaling, shifting and normalising, as the one subtraction and division that a Preprocess
    does to values from 0 to 1."""
    unit = 255.0 * (_number(asked, "rescale_factor") if asked["do_rescale"] else 1)
    mean: Triple = (0.0, 0.0, 0.0)
    std = again = (1.0, 1.0, 1.0)
    if asked["do_normalize"] and name != "MobileViTImageProcessor":  # has the key, does not heed it
        mean, std = _triple(asked, "image_mean"), _triple(asked, "image_std")
    if name == "EfficientNetImageProcessor" and asked["include_top"]:
        again = _triple(asked, "image_std")
    if name == "EfficientNetImageProcessor" and asked["do_rescale"] and asked["rescale_offset"]:
        mean = (mean[0] + 1, mean[1] + 1, mean[2] + 1)
    return (
        cast(Triple, tuple(value / unit for value in mean)),
        cast(Triple, tuple(a * b / unit for a, b in zip(std, again, strict=True))),
    )


def _sides(asked: Config, key: str) -> dict[str, int]:
    """A size in any of the forms that files have had, as its newest: names and whole pixels."""
    value = asked[key]
    if isinstance(value, int):
        square = key == "crop_size" or asked["default_to_square"]
        value = {"height": value, "width": value} if square else {"shortest_edge": value}
    elif isinstance(value, list | tuple) and len(value) == 2:
        value = {"height": value[0], "width": value[1]}
    if isinstance(value, dict):
        value = {name: side for name, side in value.items() if side is not None}
        if value and all(type(side) is int and side > 0 for side in value.values()):
            return value
    raise _refused(asked, key, "it is a number of pixels, or height and width, or shortest_edge")


def _number(asked: Config, key: str) -> float:
    value = asked[key]
    if type(value) in (int, float) and 1e-6 <= value <= 1e6:
        return float(value)
    raise _refused(asked, key, "it is a number above 0, from 0.000001 to a million")


def _pair(sides: dict[str, int]) -> Size:
    if set(sides) != {"height", "width"}:
        raise _refused({"crop_size": sides}, "crop_size", "it is height and width")
    return sides["height"], sides["width"]


def _triple(asked: Config, key: str, default: Triple | None = None) -> Triple:
    value = asked.get(key) or default
    numbers = value if isinstance(value, list | tuple) else (value,)
    if len(numbers) in (1, 3) and all(type(number) in (int, float) for number in numbers):
        with contextlib.suppress(OverflowError):
            return cast(Triple, tuple(float(number) for number in numbers) * (3 // len(numbers)))
    raise _refused(asked, key, "it is one number or three")


def _interpolation(asked: Config) -> Interpolation:
    try:
        return cast(Interpolation, Image.Resampling(asked["resample"]).name.lower())
    except ValueError as exc:
        raise _refused(asked, "resample", "it is a number from 0 to 5") from exc


def _refused(asked: Config, key: str, why: str) -> ModelError:
    name = processor_type(asked)
    where = f"preprocessor_config.json ({name})" if name else "the model's preprocessing"
    return ModelError(f"{where}: {key} is {asked.get(key)!r}, which cannot be followed: {why}")
