"""The only way a picture becomes numbers: one frozen record, alike in training, serving and export.

A picture is scaled until it covers (crop), fills (squash) or fits inside (letterbox) the frame
`resize`; the middle `size` of that is what the network sees, normalised by mean and std. PIL does
the scaling and numpy the rest, so that an exported model is served without torch. Where a record
comes from it does not know: `backbones.native_preprocess` translates the files of both libraries.

The surprise: transformers and timm round differently. An odd margin is cut a pixel further up in
one than in the other, so a record says whose arithmetic it follows (`rounding`), and the pixels are
equal rather than close.
"""

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image

from hf_resnet.errors import ConfigError, ModelError, did_you_mean, listed

Mode = Literal["crop", "squash", "letterbox"]
Interpolation = Literal["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]
Rounding = Literal["transformers", "timm"]
ChannelOrder = Literal["RGB", "BGR"]
Size = tuple[int, int]  # (height, width), everywhere but in calls of PIL
Triple = tuple[float, float, float]  # red, green, blue

IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
# far beyond what any network was made for; within them every pixel becomes a number of float32
LONGEST_SIDE = 8192
LARGEST_NUMBER = 1_000_000
SMALLEST_STD = 1e-6
USUAL_CROP_PCT = 0.875  # 224 out of 256, as ImageNet has been measured since AlexNet


@dataclass(frozen=True, kw_only=True)
class Preprocess:
    """How a picture becomes what the network sees."""

    mode: Mode
    """crop cuts the middle out, squash changes the proportions, letterbox adds bars."""

    size: Size
    """Height and width that the network sees."""

    resize: Size
    """Height and width of the frame that the picture is scaled to before the middle is taken: crop
    covers it (a square frame: the short side becomes this long), squash fills it, and letterbox
    fits the picture inside."""

    interpolation: Interpolation = "bicubic"
    mean: Triple = IMAGENET_MEAN
    std: Triple = IMAGENET_STD
    rounding: Rounding = "transformers"
    """Whose arithmetic decides where half a pixel goes."""

    channel_order: ChannelOrder = "RGB"
    """The order in which the network takes the channels; mean and std are always in RGB order."""

    def __post_init__(self) -> None:
        for field, allowed in (
            ("mode", Mode),
            ("interpolation", Interpolation),
            ("rounding", Rounding),
            ("channel_order", ChannelOrder),
        ):
            _one_of(field, getattr(self, field), get_args(allowed))
        for field in ("size", "resize"):
            _two_sides(field, getattr(self, field))
        for field in ("mean", "std"):
            _three_numbers(field, getattr(self, field))
        if min(self.std) < SMALLEST_STD:
            raise ModelError(
                f"preprocess: std is above 0 in every channel ({SMALLEST_STD:f} or more), got {self.std}"
            )
        if self.mode == "letterbox" and not all(0 <= value <= 1 for value in self.mean):
            raise ModelError(
                "preprocess: the bars of letterbox have the mean colour, so that mean is within 0 "
                f"and 1, got {self.mean}; use crop or squash"
            )

    def __call__(self, picture: Image.Image) -> npt.NDArray[np.float32]:
        """The picture (mode RGB) as the network takes it: pixels_CHW, float32."""
        return self.normalised(self.resized(picture))

    def resized(self, picture: Image.Image) -> npt.NDArray[np.uint8]:
        """The geometry alone: pixels_HWC, uint8, of `size`."""
        height, width = self.scaled_size((picture.height, picture.width))
        scaled = picture.resize((width, height), self.resample)
        top, left = self.corner((height, width))
        window = Image.new("RGB", (self.size[1], self.size[0]), self.fill)
        window.paste(scaled, (-left, -top))
        return np.array(window)

    def normalised(self, pixels_HWC: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """The tail that training and serving share: pixels_CHW, float32."""
        pixels_CHW = np.empty((3, *pixels_HWC.shape[:2]), np.float32)
        for channel, name in enumerate(self.channel_order):
            source = "RGB".index(name)
            # mode="clip" spares a check of every index; a byte cannot be out of range
            np.take(
                self._tables[source],
                pixels_HWC[:, :, source],
                out=pixels_CHW[channel],
                mode="clip",
            )
        return pixels_CHW

    @property
    def enough(self) -> int:
        """The short side from which on more pixels make no difference to speak of: twice the frame.
        A JPEG decoded no smaller than this gives pixels within 8 of 255, on average within a half."""
        return 2 * max(self.resize)

    @property
    def resample(self) -> Image.Resampling:
        """The interpolation as PIL names it."""
        return Image.Resampling[self.interpolation.upper()]

    @property
    def fill(self) -> tuple[int, int, int]:
        """Colour of what the picture does not reach: the mean under letterbox, else black."""
        if self.mode != "letterbox":
            return (0, 0, 0)
        whole = round if self.rounding == "timm" else int
        red, green, blue = (whole(value * 255) for value in self.mean)
        return (red, green, blue)

    @cached_property
    def _tables(self) -> npt.NDArray[np.float32]:
        """What each of the 256 values of a channel becomes. Worked out in float32, step by step as
        both libraries do, so that no last bit differs."""
        levels_V = (np.arange(256) / 255).astype(np.float32)
        mean_K, std_K = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        table_KV: npt.NDArray[np.float32] = (levels_V - mean_K[:, None]) / std_K[:, None]
        return table_KV

    def scaled_size(self, picture: Size) -> Size:
        """What a picture of this height and width is scaled to, before the middle is taken."""
        if self.mode == "squash":
            return self.resize
        if self.mode == "letterbox":
            return _fitted(picture, self.resize, self.rounding)
        return _covering(picture, self.resize)

    def corner(self, scaled: Size) -> Size:
        """Where the window begins on a picture scaled to this size; below 0 that much of a bar comes
        first."""
        top, left = (
            _offset(side, wanted, self.mode, self.rounding)
            for side, wanted in zip(scaled, self.size, strict=True)
        )
        return top, left

    def with_changes(
        self, *, image_size: int | None = None, mode: Mode | None = None
    ) -> "Preprocess":
        """The same with another square size, the frame growing alike, or with another mode."""
        changed = self
        if image_size is not None:
            if not 1 <= image_size <= LONGEST_SIDE // 2:
                raise ConfigError(
                    f"--image_size is from 1 to {LONGEST_SIDE // 2:,} pixels, got {image_size}"
                )
            changed = dataclasses.replace(
                changed,
                size=(image_size, image_size),
                resize=_grown(image_size, self.size, self.resize),
            )
        if mode is not None and mode != self.mode:
            _one_of("mode", mode, get_args(Mode), ConfigError)
            pct = USUAL_CROP_PCT if mode == "crop" else 1.0
            height, width = (math.floor(side / pct) for side in changed.size)
            changed = dataclasses.replace(changed, mode=mode, resize=(height, width))
        return changed

    def to_json(self) -> dict[str, Any]:
        """Everything that decides the pixels, ready for JSON."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in dataclasses.asdict(self).items()
        }

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "Preprocess":
        """The record of `to_json`; an unknown or a missing key is an error, never a default."""
        if not isinstance(record, dict):
            raise ModelError(f"preprocess: it is an object, got {str(record)[:60]}")
        known = [field.name for field in dataclasses.fields(cls)]
        for key in record:
            if key not in known:
                raise ModelError(
                    f"preprocess: unknown key {key!r}{did_you_mean(key, known)} (a newer hf_resnet "
                    "may have written it)"
                )
        missing = [key for key in known if key not in record]
        if missing:
            raise ModelError(f"preprocess: {listed(missing)} missing")
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in record.items()
        }
        return cls(**values)

    def fingerprint(self) -> str:
        """A hash of the record, the same on every machine."""
        text = json.dumps(self.to_json(), sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def shortest_crop_pct(*sides: tuple[int, int]) -> float | None:
    """The number for which resize == floor(size / number), for each pair of size and resize: 0.875
    where that fits, else the one with the fewest digits, None where there is none. (A record keeps
    the pixels a picture is scaled to; the files of both libraries keep this ratio.)"""
    largest = min(size / resize for size, resize in sides)
    shorter = [math.floor(largest * 10.0**digits) / 10.0**digits for digits in range(1, 18)]
    for pct in (USUAL_CROP_PCT, *shorter, largest * (1 - 1e-9)):  # division may fall just short
        if pct > 0 and all(math.floor(size / pct) == resize for size, resize in sides):
            return pct
    return None


def _grown(image_size: int, size: Size, resize: Size) -> Size:
    """The frame of an image_size square, in the ratio that `resize` has to `size`."""
    ratios = [
        shortest_crop_pct(pair) or pair[0] / pair[1] for pair in zip(size, resize, strict=True)
    ]
    height, width = (max(1, math.floor(image_size / pct)) for pct in ratios)
    return height, width


def _covering(picture: Size, frame: Size) -> Size:
    """The picture scaled until it just covers the frame."""
    height, width = picture
    if frame[0] == frame[1]:
        short, long = frame[0], int(frame[0] * max(picture) / min(picture))
        return (long, short) if width <= height else (short, long)
    ratio = min(height / frame[0], width / frame[1])
    return round(height / ratio), round(width / ratio)


def _fitted(picture: Size, frame: Size, rounding: Rounding) -> Size:
    """The picture scaled until it just fits inside the frame."""
    height, width = picture
    if rounding == "timm":
        ratio = max(height / frame[0], width / frame[1])
        height, width = round(height / ratio), round(width / ratio)
    else:
        factor = min(frame[0] / height, frame[1] / width)
        height, width = round(height * factor), round(width * factor)
    return max(1, height), max(1, width)


def _offset(scaled: int, wanted: int, mode: Mode, rounding: Rounding) -> int:
    """Where the window begins along the scaled side; below 0 that much of a bar comes first."""
    spare = scaled - wanted
    if rounding == "timm" and spare > 0:
        return round(spare / 2)  # half a pixel goes to the even side
    if rounding == "timm" or mode == "letterbox":
        return -(-spare // 2)  # the odd pixel of a bar is below or to the right
    return spare // 2


def _one_of(
    field: str, value: object, allowed: tuple[str, ...], error: type[Exception] = ModelError
) -> None:
    if value not in allowed:
        raise error(f"preprocess: {field} is {listed(allowed, last='or')}, got {value!r}")


def _two_sides(field: str, value: object) -> None:
    if (
        not isinstance(value, tuple)
        or len(value) != 2
        or not all(type(side) is int and 1 <= side <= LONGEST_SIDE for side in value)
    ):
        raise ModelError(
            f"preprocess: {field} is a height and a width in whole pixels, at most {LONGEST_SIDE:,}, "
            f"got {str(value)[:60]}"
        )


def _three_numbers(field: str, value: object) -> None:
    if (
        not isinstance(value, tuple)
        or len(value) != 3
        or not all(type(n) in (int, float) and abs(n) <= LARGEST_NUMBER for n in value)
    ):
        raise ModelError(
            f"preprocess: {field} is three numbers (red, green, blue), none beyond "
            f"{LARGEST_NUMBER:,}, got {str(value)[:60]}"
        )
