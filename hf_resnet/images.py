"""The only way bytes become a picture: RGB, upright, whole, or a PictureError that says why not.

Nothing is decoded before its size in bytes, its format and its size in pixels have been looked at.
Only the formats of FORMATS are decoded, each by its own reader, found by the first bytes and never
by the file's name. It knows nothing of data sets, labels or networks.

The surprise: Pillow's own door, Image.open, warns from 89 megapixels on, and a warning can neither
be caught nor silenced for one thread alone. So the readers are called directly, the limits here are
the only ones, and no setting of Pillow is touched.
"""

import io
import os
import stat
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, features
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from hf_resnet.errors import PictureError

_Made = TypeVar("_Made")

FORMATS: dict[str, Callable[[io.BytesIO], Image.Image]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WEBP": WebPImageFile,
    "GIF": GifImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
    "PPM": PpmImageFile,
    "AVIF": AvifImageFile,
}

_READ = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
_READ |= {".avif", ".ppm", ".pgm", ".pbm", ".pnm"}
# not decoded, but listed with the reason rather than passed over in silence
_REFUSED = {".heic", ".heif", ".jp2", ".jxl"}

SUFFIXES = frozenset(_READ | _REFUSED)
"""Suffixes (in lower case) of the files in a folder that somebody means as pictures."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is still decoded. The defaults let every camera's pictures in and bound the memory that
    one picture takes while it is decoded at about a gigabyte."""

    max_bytes: int = 100 * 2**20
    max_pixels: int = 100_000_000
    min_side: int = 2
    max_ratio: float = 100.0
    """Long side over short side. Scaling the short side of a 1 x 50000 strip to 256 would make a
    picture of ten gigabytes."""


LIMITS = Limits()

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    *((b"P%d" % digit, "PPM") for digit in range(1, 7)),
)

_NOT_READ: tuple[tuple[bytes, str], ...] = (
    (b"<svg", "SVG is a drawing, not a photo; export it as PNG"),
    (b"<!doctype html", "an HTML page, not a picture: the download went wrong"),
    (b"<html", "an HTML page, not a picture: the download went wrong"),
    (b"version https://git-lfs", "a Git LFS pointer, not a picture; fetch it with git lfs pull"),
    (b"%pdf", "PDF is not a picture; export the page as JPEG or PNG"),
    (b"\0\0\0\x0cjp  ", "JPEG 2000 is not read; save it as JPEG or PNG"),
    (b"\xff\x0a", "JPEG XL is not read; save it as JPEG or PNG"),
    (b"\0\0\0\x0cjxl ", "JPEG XL is not read; save it as JPEG or PNG"),
    (b"8bps", "a Photoshop file is not read; export it as JPEG or PNG"),
    (b"pk\x03\x04", "a ZIP archive, not a picture; unpack it"),
)

_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")

# What Pillow's readers, of one version or another, raise on broken files; Warning is among them for
# those who run with warnings as errors.
_READER_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    RuntimeError,
    LookupError,
    TypeError,
    ArithmeticError,
    EOFError,
    struct.error,
    MemoryError,
    Image.DecompressionBombError,
    Warning,
)

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def open_picture(
    path: str | Path, *, limits: Limits = LIMITS, at_least: int | None = None
) -> Image.Image:
    """The picture in a file; at_least as for `decode`."""
    return decode(read(path, limits=limits), limits=limits, at_least=at_least)


def read(path: str | Path, *, limits: Limits = LIMITS) -> bytes:
    """The bytes of a file, unless there are too many; what is no plain file is never opened."""
    try:
        if not Path(path).is_file():
            raise PictureError("no such file" if not Path(path).exists() else "not a file")
        with open(path, "rb", buffering=0, opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise PictureError("not a file")  # it was one a moment ago
            _check_bytes(status.st_size, limits)
            return _content(file, status.st_size, limits)
    except OSError as exc:
        raise PictureError(f"cannot be read: {exc.strerror or exc}") from exc


def _without_waiting(path: str, flags: int) -> int:
    """Opened so that nothing waits for somebody at the other end."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _content(file: io.FileIO, size: int, limits: Limits) -> bytes:
    """All of the file, up to one byte over the limit. Files of the system (/proc) say no size, and
    some of them have no end."""
    data = b""
    while len(data) <= limits.max_bytes:
        more = file.read(max(size + 1 - len(data), 2**16))
        if more is None:
            raise PictureError("cannot be read: it has nothing to read yet")
        if not more:
            return data
        data += more
    raise PictureError(f"too large: over {limits.max_bytes / 2**20:.0f} MB")


def decode(data: bytes, *, limits: Limits = LIMITS, at_least: int | None = None) -> Image.Image:
    """The picture in these bytes: mode RGB, turned upright, the first frame of an animation, on
    white where it is transparent.

    at_least is a short side that is enough: a JPEG with twice as much or more is decoded at a half,
    a quarter or an eighth of its size, which is faster. None: every pixel that there is.
    """
    return _decoded(data, limits, at_least, lambda image, _: _loaded(image))


def decode_to_learn(
    data: bytes, *, limits: Limits = LIMITS, at_least: int | None = None
) -> npt.NDArray[np.uint8]:
    """pixels_HWC of what `decode` gives. Where torchvision is loaded anyway (timm and transformers do
    so), its reader of plain JPEGs gives the same bytes in three quarters of the time; all others, and
    broken ones, are left to Pillow."""

    def finish(image: Image.Image, whole: bool) -> npt.NDArray[np.uint8]:
        pixels_HWC = _by_torchvision(image, data) if whole else None
        return np.asarray(_loaded(image)) if pixels_HWC is None else pixels_HWC

    return _decoded(data, limits, at_least, finish)


def _decoded(
    data: bytes,
    limits: Limits,
    at_least: int | None,
    finish: Callable[[Image.Image, bool], _Made],
) -> _Made:
    """What finish makes of the picture, whose size is looked at and set but which is not read yet, and
    of whether all of its pixels are wanted."""
    _check_bytes(len(data), limits)
    name = format_of(data)
    try:
        if name == "WEBP":
            _check_size(_webp_size(data), limits)  # its reader takes memory for all pixels at once
        image = FORMATS[name](io.BytesIO(data))
        _check_size(image.size, limits)
        if name == "TIFF":
            _check_not_raw(data, image)
        reduced = name == "JPEG" and at_least is not None and _reduce(image, at_least)
        return finish(image, not reduced)
    except _READER_ERRORS as exc:
        raise PictureError(_reason(name, data, exc)) from exc


def _loaded(image: Image.Image) -> Image.Image:
    image.load()
    return as_rgb(_upright(image))


def _by_torchvision(image: Image.Image, data: bytes) -> npt.NDArray[np.uint8] | None:
    """The picture by torchvision's reader, where that is loaded and it is an upright JPEG in colour."""
    if not isinstance(image, JpegImageFile) or "torchvision.io" not in sys.modules:
        return None
    if image.mode != "RGB" or image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        return None
    import torch
    from torchvision import io as readers

    try:
        pixels_CHW = readers.decode_jpeg(torch.frombuffer(bytearray(data), dtype=torch.uint8))
    except _READER_ERRORS:
        return None  # Pillow says what is wrong with it
    if pixels_CHW.shape != (3, image.height, image.width):
        return None
    pixels_HWC: npt.NDArray[np.uint8] = pixels_CHW.permute(1, 2, 0).numpy()
    return pixels_HWC


def _reduce(image: Image.Image, at_least: int) -> bool:
    """Have a JPEG decoded smaller, where its proportions stay what they are to the last digit: so
    what is cut out of it later lies where it would have lain. Says whether it will be."""
    for factor in (8, 4, 2):
        width, height = (side // factor for side in image.size)
        whole = (width * factor, height * factor) == image.size
        if whole and min(width, height) >= at_least:
            image.draft(None, (width, height))
            return True
    return False


def mode_of(data: bytes) -> str:
    """How these bytes store colours, in Pillow's words (RGB, L, P, CMYK); for what `decode` takes."""
    name = format_of(data)
    try:
        return FORMATS[name](io.BytesIO(data)).mode
    except _READER_ERRORS as exc:
        raise PictureError(_reason(name, data, exc)) from exc


def as_rgb(image: Image.Image) -> Image.Image:
    """A picture of any mode in RGB, on white where it is transparent, without its metadata (a turn
    that is still noted there would be made a second time by the next reader)."""
    if image.mode == "F" or image.mode.startswith("I"):
        image = _eight_bits(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    picture = image.convert("RGB")
    picture.info = {}
    return picture


def format_of(data: bytes) -> str:
    """The name in FORMATS of what these bytes are, by their start."""
    if not data:
        raise PictureError("empty file")
    for start, name in _STARTS:
        if data.startswith(start):
            return _readable(name)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _readable("WEBP")
    if data[4:8] == b"ftyp":
        return _readable(_format_of_boxes(data[8:12]))
    text = data[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for start, reason in _NOT_READ:
        if text.startswith(start) or (start == b"<svg" and text[:1] == b"<" and start in text):
            raise PictureError(reason)
    raise PictureError(f"not a picture (starts with {data[:8]!r})")


def _format_of_boxes(brand: bytes) -> str:
    """Which of the formats that share the boxes of MP4 this is."""
    if brand in (b"avif", b"avis"):
        return "AVIF"
    if brand in _HEIF_BRANDS:
        raise PictureError(
            "HEIC, the format of iPhones, is not read; convert it to JPEG "
            "(on the phone: Settings, Camera, Formats, Most Compatible)"
        )
    raise PictureError("a video, not a picture; take a frame out as JPEG or PNG")


def _readable(name: str) -> str:
    if name in ("WEBP", "AVIF") and not features.check(name.lower()):
        raise PictureError(f"the Pillow installed here cannot read {name}; convert it to JPEG")
    return name


def _check_bytes(count: int, limits: Limits) -> None:
    if count > limits.max_bytes:
        raise PictureError(
            f"too large: {count / 2**20:.0f} MB, at most {limits.max_bytes / 2**20:.0f} MB are read"
        )


def _check_size(size: tuple[int, int], limits: Limits) -> None:
    width, height = size
    if width * height > limits.max_pixels:
        raise PictureError(
            f"too large: {width} x {height} is {width * height / 1e6:.0f} megapixels, at most "
            f"{limits.max_pixels / 1e6:.0f} are decoded; save it smaller"
        )
    if min(size) < limits.min_side:
        raise PictureError(f"too small: {width} x {height} pixels")
    if max(size) > limits.max_ratio * min(size):
        raise PictureError(
            f"too narrow: {width} x {height}, the long side is over {limits.max_ratio:g} times the "
            "short one"
        )


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height from the first chunk of a WebP file."""
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X":
        width, height = body[4:7] + b"\0", body[7:10] + b"\0"
        return 1 + int.from_bytes(width, "little"), 1 + int.from_bytes(height, "little")
    if kind == b"VP8L":
        (bits,) = struct.unpack("<I", body[1:5])
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", body[6:10])
        return width & 0x3FFF, height & 0x3FFF
    raise SyntaxError("no picture in it")


def _check_not_raw(data: bytes, image: Image.Image) -> None:
    """DNG, NEF and CR2 pass for TIFF, and all that would be decoded is the thumbnail in front."""
    tags = getattr(image, "tag_v2", {})
    # NewSubfileType: a reduced picture; DNGVersion; Canon's mark
    if tags.get(254, 0) & 1 or 50706 in tags or data[8:10] == b"CR":
        raise PictureError("a camera's raw file (or only its preview); develop it to JPEG")


def _upright(image: Image.Image) -> Image.Image:
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except _READER_ERRORS:
        return image  # broken notes beside the picture say nothing about its pixels
    return image if turn is None else image.transpose(turn)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey with more than 8 bits, in 8. White is 65535 for whole numbers, and for fractions the
    first of 1, 255 and 65535 that none exceeds; where values lie outside, they are stretched."""
    exact = np.float64 if image.mode == "F" else np.float32  # no sum or difference overflows
    values = np.nan_to_num(np.asarray(image, dtype=exact), posinf=0.0, neginf=0.0)
    least, most = float(values.min()), float(values.max())
    whites = (1.0, 255.0, 65535.0) if image.mode == "F" else (65535.0,)
    low, high = 0.0, next((white for white in whites if most <= white), -1.0)
    if least < low or high < low:
        low, high = least, most
    scaled = (values - low) * (255 / max(high - low, 1e-30))
    return Image.fromarray(np.rint(scaled).astype(np.uint8))


def _reason(name: str, data: bytes, exc: BaseException) -> str:
    """Why a reader failed, in a few words."""
    if isinstance(exc, MemoryError):
        return "not enough memory to decode it"
    words = str(exc).strip().splitlines()[:1] or [type(exc).__name__]
    ends = {"JPEG": b"\xff\xd9", "PNG": b"IEND", "GIF": b";"}
    cut = name in ends and ends[name] not in data[-64:]
    if name == "WEBP":
        cut = int.from_bytes(data[4:8], "little") + 8 > len(data)
    if cut or isinstance(exc, EOFError) or "truncated" in words[0].lower():
        return f"truncated after {len(data):,} bytes"
    return f"damaged {name} ({words[0]})"
