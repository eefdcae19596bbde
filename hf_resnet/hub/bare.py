"""A picture file without what a camera or a program wrote beside the pixels: place, time, owner, names.

A photo tells where it was taken, and who publishes a data set rarely means to say so. Blocks of the
file are left out and the pixels' own bytes stay, so nothing is encoded anew; how the picture is to be
turned is kept, and its colour profile. The surprise: a JPEG may have a whole second picture, or a
video, behind its end, with all of it once more; so the file ends where its picture does. What has no
such blocks that could be told apart (BMP, PPM, TIFF, GIF) is written anew as PNG, with the same pixels.
"""

import io
import struct
import zlib
from collections.abc import Iterator

from PIL import ExifTags, Image

from hf_resnet.images import FORMATS, decode

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP"}
_PNG_KEPT |= {b"sBIT", b"bKGD", b"pHYs", b"acTL", b"fcTL", b"fdAT"}
_WEBP_KEPT = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"}
_WEBP_EXIF, _WEBP_XMP = 0x08, 0x04  # flags of VP8X
_APP0, _APP2, _ADOBE = 0xE0, 0xE2, 0xEE
_END, _SCAN = 0xD9, 0xDA
_JPEG_KEPT = {*range(0xC0, 0xD0), _SCAN, 0xDB, 0xDC, 0xDD}
"""Frames, tables and scans."""


def bare(data: bytes) -> bytes:
    """The file without its metadata; PictureError where it is no usable picture."""
    picture = decode(data)
    try:
        found = _without_blocks(data)
    except (struct.error, IndexError, ValueError):  # read by Pillow, but not as the standard has it
        found = None
    if found is not None and decode(found).tobytes() == picture.tobytes():
        return found
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _without_blocks(data: bytes) -> bytes | None:
    if data.startswith(b"\xff\xd8"):
        return b"\xff\xd8" + _turned_jpeg(data) + b"".join(_jpeg_blocks(data))
    if data.startswith(_PNG):
        return _PNG + b"".join(_png_chunks(data))
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    return None


def _turn(data: bytes, kind: str) -> bytes:
    """EXIF that says how the picture is to be turned and nothing else; empty where it stands."""
    with FORMATS[kind](io.BytesIO(data)) as picture:
        turn = picture.getexif().get(ExifTags.Base.Orientation, 1)
    if turn not in range(2, 9):
        return b""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = turn
    return exif.tobytes()


def _turned_jpeg(data: bytes) -> bytes:
    exif = _turn(data, "JPEG")
    return b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif if exif else b""


def _jpeg_blocks(data: bytes) -> Iterator[bytes]:
    """What the picture is made of, to its end and no further."""
    at = 2
    while True:
        while data[at + 1] == 0xFF:  # any number of these may stand between two blocks
            at += 1
        if data[at] != 0xFF:
            raise ValueError("no block where one should be")
        kind = data[at + 1]
        if kind == _END:
            yield data[at : at + 2]
            return
        end = at + 2 + struct.unpack_from(">H", data, at + 2)[0]
        if end > len(data):
            raise ValueError("a block goes on behind the end")
        if kind == _SCAN:
            end = _end_of_scan(data, end)
        if kind in _JPEG_KEPT:
            yield data[at:end]
        elif content := _said_of_the_pixels(kind, data[at + 4 : end]):
            yield struct.pack(">BBH", 0xFF, kind, len(content) + 2) + content
        at = end


def _said_of_the_pixels(kind: int, content: bytes) -> bytes:
    """What a block of a program says of how pixels are to be read; empty where it is of other things."""
    if kind == _APP0 and content.startswith(b"JFIF\0"):
        return content[:12] + b"\0\0"  # without its thumbnail, which is 0 by 0 then
    if kind == _ADOBE and content.startswith(b"Adobe"):
        return content[:12]
    return content if kind == _APP2 and content.startswith(b"ICC_PROFILE\0") else b""


def _end_of_scan(data: bytes, at: int) -> int:
    """Where the next block begins: an FF that stands for something."""
    while True:
        at = data.index(b"\xff", at)
        kind = data[at + 1]
        if kind not in (0, 0xFF) and not 0xD0 <= kind <= 0xD7:
            return at
        at += 1


def _png_chunks(data: bytes) -> Iterator[bytes]:
    at, turn = len(_PNG), _turn(data, "PNG").removeprefix(b"Exif\0\0")
    while True:
        (size,) = struct.unpack_from(">I", data, at)
        kind, end = data[at + 4 : at + 8], at + 12 + size
        if kind == b"IDAT" and turn:  # it has to stand before the pixels
            yield _png_chunk(b"eXIf", turn)
            turn = b""
        if kind in _PNG_KEPT:
            yield data[at:end]
        if kind == b"IEND":
            return
        at = end


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def _webp(data: bytes) -> bytes:
    turn = _turn(data, "WEBP")
    kept = b""
    at, last = 12, 8 + struct.unpack_from("<I", data, 4)[0]
    while at < last:
        kind, (size,) = data[at : at + 4], struct.unpack_from("<I", data, at + 4)
        end = at + 8 + size + size % 2
        chunk = data[at:end]
        if kind == b"VP8X":
            flags = chunk[8] & ~(_WEBP_EXIF | _WEBP_XMP) | (_WEBP_EXIF if turn else 0)
            chunk = chunk[:8] + bytes([flags]) + chunk[9:]
        if kind in _WEBP_KEPT:
            kept += chunk
        at = end
    if turn:
        kept += b"EXIF" + struct.pack("<I", len(turn)) + turn + b"\0" * (len(turn) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(kept)) + b"WEBP" + kept
