"""Pictures that go out say nothing about where, when and by whom they were taken."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, PngImagePlugin

from hf_resnet.errors import PictureError
from hf_resnet.hub.bare import bare
from hf_resnet.images import decode

SECRETS = (b"Granny's garden", b"SN-12345", b"51.5N", b"me@home")


def exif(turn: int = 1) -> Image.Exif:
    found = Image.Exif()
    found[ExifTags.Base.Orientation] = turn
    found[ExifTags.Base.Artist] = "me@home"
    found[ExifTags.Base.ImageDescription] = "Granny's garden"
    found[ExifTags.Base.BodySerialNumber] = "SN-12345"
    gps = found.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef] = "51.5N"
    return found


def taken(kind: str, turn: int = 1, seed: int = 0, **options) -> bytes:
    """A photo of this format with all that a camera writes into it."""
    pixels = np.random.default_rng(seed).integers(0, 256, (24, 16, 3), dtype=np.uint8)
    file = io.BytesIO()
    if kind == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_text("Title", "Granny's garden")
        options["pnginfo"] = text
    if kind == "JPEG":
        options |= {"comment": "Granny's garden", "xmp": b"<x>me@home</x>"}
    if kind not in ("BMP", "PPM", "GIF"):
        options["exif"] = exif(turn)
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


@given(
    kind=st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "BMP", "PPM", "GIF"]),
    turn=st.integers(1, 8),
    seed=st.integers(0, 5),
)
def test_no_secret_goes_out_and_no_pixel_changes(kind, turn, seed):
    data = taken(kind, turn, seed)
    out = bare(data)
    assert not [secret for secret in SECRETS if secret in out]
    assert decode(out).tobytes() == decode(data).tobytes()
    assert bare(out) == out


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_pixels_are_not_encoded_anew(kind):
    plain = io.BytesIO()
    with Image.open(io.BytesIO(taken(kind))) as picture:
        assert picture.getexif()
    pixels = np.random.default_rng(0).integers(0, 256, (24, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(plain, kind)
    shorter, own = bare(taken(kind)), plain.getvalue()
    assert own[-200:] == shorter[-200:]
    assert len(shorter) < len(taken(kind))


def test_a_progressive_jpeg_with_a_colour_profile_keeps_both():
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    out = bare(taken("JPEG", progressive=True, icc_profile=profile))
    with Image.open(io.BytesIO(out)) as picture:
        assert picture.info["progressive"]
        assert picture.info["icc_profile"] == profile


def jpeg_with(*blocks: bytes) -> bytes:
    """A JPEG whose first block (JFIF, as Pillow writes it) is these instead."""
    data = taken("JPEG")
    assert data[2:4] == b"\xff\xe0" and data[6:11] == b"JFIF\0"
    return data[:2] + b"".join(blocks) + data[20:]


def block(kind: int, content: bytes) -> bytes:
    return bytes([0xFF, kind]) + (len(content) + 2).to_bytes(2, "big") + content


def test_of_the_head_of_a_jpeg_its_size_of_a_point_stays_and_no_thumbnail_or_note():
    thumbnail = b"51.5N!" * 8
    head = b"JFIF\0\1\2\1\0\x48\0\x48"
    with_thumbnail = block(0xE0, head + b"\4\4" + thumbnail)
    notes = (
        block(0xE0, b"JFXX\0\x10 Granny's garden"),
        block(0xE0, b"SN-12345"),
        block(0xEE, b"me@home"),
    )
    adobe = block(0xEE, b"Adobe\0\x64\0\0\0\0\1" + b" Granny's garden")
    data = jpeg_with(with_thumbnail, *notes, adobe)
    out = bare(data)
    assert not [secret for secret in SECRETS if secret in out]
    assert out[2:20] == block(0xE0, head + b"\0\0")
    assert out[20:34] != adobe and block(0xEE, b"Adobe\0\x64\0\0\0\0\1") in out
    assert decode(out).tobytes() == decode(data).tobytes()
    with Image.open(io.BytesIO(out)) as picture:
        assert picture.format == "JPEG" and picture.info["dpi"] == (72, 72)


@pytest.mark.parametrize(
    "data",
    [
        taken("BMP") + b"Granny's garden",
        taken("PPM") + b"Granny's garden",
        taken("PPM").replace(b"P6\n", b"P6\n# Granny's garden, 51.5N\n"),
        b"P3\n# me@home\n2 2\n255\n1 2 3 # SN-12345\n4 5 6 7 8 9 1 1 1\n",
    ],
)
def test_what_has_room_for_notes_without_a_block_is_written_anew(data):
    out = bare(data)
    assert not [secret for secret in SECRETS if secret in out]
    assert out.startswith(b"\x89PNG")
    assert decode(out).tobytes() == decode(data).tobytes()


def test_what_lies_behind_the_end_of_a_jpeg_stays_at_home():
    """As the video of a living photo does, or a second picture with its own place."""
    data = taken("JPEG") + taken("JPEG", seed=3) + b"ftypmp42 51.5N"
    assert bare(data) == bare(taken("JPEG"))


@given(cut=st.integers(0, 900), flip=st.integers(0, 900))
def test_a_damaged_file_is_refused_or_bare(cut, flip):
    data = bytearray(taken("JPEG", 6))
    data[flip % len(data)] ^= 0xFF
    try:
        out = bare(bytes(data[: max(4, len(data) - cut)]))
    except PictureError:
        return
    assert not [secret for secret in SECRETS if secret in out]
