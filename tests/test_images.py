"""hf_resnet.images: bytes become a whole, upright RGB picture, or a PictureError with a reason."""

import io
import os
import struct
import tracemalloc
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torchvision.io  # noqa: F401  what is learned from is read by it where it is loaded
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile, features

from hf_resnet.errors import PictureError
from hf_resnet.images import (
    FORMATS,
    LIMITS,
    SUFFIXES,
    Limits,
    as_rgb,
    decode,
    decode_to_learn,
    format_of,
    open_picture,
    read,
)
from tests.conftest import photo

WIDTH, HEIGHT = 56, 40
SMALL = Limits(max_pixels=300_000)  # so that a mutated header cannot make a test slow
ORIENTATION = 0x0112


def scene() -> Image.Image:
    """Smooth, with no two corners alike, and a mark that tells left from right."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    pixels_HWC = np.stack([x * 4, y * 6, (x + y) * 2], axis=2).astype(np.uint8)
    pixels_HWC[2:8, 2:8] = (255, 0, 0)
    return Image.fromarray(pixels_HWC)


def encoded(image: Image.Image, name: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif[0x010E] = "a description"
    return exif


def reason(data: bytes, limits: Limits = LIMITS) -> str:
    with pytest.raises(PictureError) as caught:
        decode(data, limits=limits)
    return str(caught.value)


def as_stored(orientation: int) -> Image.Image:
    """The scene as a camera stores it that was held so."""
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    return scene() if undo is None else scene().transpose(undo)


GREY16 = np.linspace(0, 65535, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH).astype(np.uint16)

FILES: dict[str, bytes] = {
    "jpeg": encoded(scene(), "JPEG"),
    "jpeg progressive": encoded(scene(), "JPEG", progressive=True),
    "jpeg grey": encoded(scene().convert("L"), "JPEG"),
    "jpeg cmyk": encoded(scene().convert("CMYK"), "JPEG"),
    "jpeg turned": encoded(scene(), "JPEG", exif=turned(6)),
    "png": encoded(scene(), "PNG"),
    "png rgba": encoded(scene().convert("RGBA"), "PNG"),
    "png grey alpha": encoded(scene().convert("LA"), "PNG"),
    "png palette": encoded(scene().quantize(255), "PNG", transparency=255),
    "png bits": encoded(scene().convert("1"), "PNG"),
    "png 16 bit": encoded(Image.fromarray(GREY16), "PNG"),
    "png animated": encoded(
        scene(), "PNG", save_all=True, append_images=[scene().rotate(180)], duration=100
    ),
    "webp": encoded(scene(), "WEBP"),
    "webp lossless": encoded(scene().convert("RGBA"), "WEBP", lossless=True),
    "webp animated": encoded(
        scene(), "WEBP", lossless=True, save_all=True, append_images=[scene().rotate(180)]
    ),
    "gif": encoded(scene(), "GIF"),
    "gif animated": encoded(scene(), "GIF", save_all=True, append_images=[scene().rotate(180)]),
    "bmp": encoded(scene(), "BMP"),
    "bmp palette": encoded(scene().quantize(256), "BMP"),
    "tiff": encoded(scene(), "TIFF"),
    "tiff lzw": encoded(scene(), "TIFF", compression="tiff_lzw"),
    "tiff jpeg": encoded(scene(), "TIFF", compression="jpeg"),
    "tiff float": encoded(Image.fromarray(GREY16 / np.float32(65535)), "TIFF"),
    "tiff 32 bit": encoded(Image.fromarray(GREY16.astype(np.int32)), "TIFF"),
    "tiff cmyk": encoded(scene().convert("CMYK"), "TIFF"),
    "tiff pages": encoded(scene(), "TIFF", save_all=True, append_images=[scene().rotate(180)]),
    "ppm": encoded(scene(), "PPM"),
    "pbm": encoded(scene().convert("1"), "PPM"),
    "avif": encoded(scene(), "AVIF"),
    "jpeg of a phone": encoded(scene(), "MPO", save_all=True, append_images=[scene().rotate(180)]),
}


# What comes out


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_file_gives_the_same_picture_in_rgb(name):
    picture = decode(FILES[name])
    assert picture.mode == "RGB"
    wanted = as_stored(8) if name == "jpeg turned" else scene()
    if "grey" in name:
        wanted = wanted.convert("L")
    elif "16 bit" in name or "float" in name or "32 bit" in name:
        wanted = Image.fromarray((GREY16 / 257).round().astype(np.uint8))
    elif name in ("png bits", "pbm"):
        wanted = wanted.convert("1")
    difference = np.abs(
        np.asarray(picture, dtype=int) - np.asarray(wanted.convert("RGB"), dtype=int)
    )
    exact = not any(word in name for word in ("jpeg", "palette", "gif", "avif", "cmyk"))
    exact = exact and name != "webp"
    assert difference.max() == 0 if exact else difference.mean() < 6


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_picture_is_turned_as_the_camera_noted(name, orientation):
    options = {"quality": 95, "subsampling": 0} if name == "JPEG" else {}
    options |= {"lossless": True} if name == "WEBP" else {}
    data = encoded(as_stored(orientation), name, exif=turned(orientation), **options)
    picture = decode(data)
    assert picture.size == scene().size
    difference = np.abs(np.asarray(picture, dtype=int) - np.asarray(scene(), dtype=int))
    assert difference.mean() < 2


def test_a_picture_that_was_turned_is_not_turned_again_by_the_next_reader():
    picture = decode(FILES["jpeg turned"])
    assert ORIENTATION not in picture.getexif()
    assert picture.info == {}


@pytest.mark.parametrize("name", ["PNG", "WEBP"])
def test_broken_exif_does_not_cost_the_picture(name):
    data = encoded(scene(), name, exif=b"Exif\0\0no such thing")
    assert decode(data).size == (WIDTH, HEIGHT)


@pytest.mark.parametrize("name", ["png animated", "webp animated", "gif animated", "tiff pages"])
def test_the_first_frame_stands_for_an_animation(name):
    difference = np.asarray(decode(FILES[name]), dtype=int) - np.asarray(scene(), dtype=int)
    assert np.abs(difference).mean() < 6


def test_what_is_transparent_is_white():
    see_through = np.zeros((8, 8, 4), np.uint8)
    see_through[:4, :, 3] = 255
    see_through[4, :, 3] = 128
    pixels_HWC = np.asarray(decode(encoded(Image.fromarray(see_through), "PNG")))
    assert (pixels_HWC[:4] == 0).all()
    assert (pixels_HWC[4] == 127).all()
    assert (pixels_HWC[5:] == 255).all()


def test_a_transparent_colour_is_white_in_every_mode_that_can_name_one():
    for image, colour in (
        (Image.new("RGB", (4, 4), (9, 8, 7)), (9, 8, 7)),
        (Image.new("L", (4, 4), 9), 9),
        (Image.new("P", (4, 4), 0), 0),
        (Image.new("P", (4, 4), 0), b"\0"),
        (Image.new("1", (4, 4), 0), 0),
    ):
        pixels_HWC = np.asarray(decode(encoded(image, "PNG", transparency=colour)))
        assert (pixels_HWC == 255).all(), image.mode


def test_sixteen_bits_of_grey_keep_their_brightness():
    levels = np.array([[0, 257, 32768, 65535]] * 2, np.uint16)
    assert np.asarray(decode(encoded(Image.fromarray(levels), "PNG")))[0, :, 0].tolist() == [
        0,
        1,
        128,
        255,
    ]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 128.0, 255.0], [0, 128, 255]),
        ([-1.0, 0.0, 1.0], [0, 128, 255]),
        ([0.0, 1e38, 2e38], [0, 128, 255]),
        ([0.0, np.nan, 1.0], [0, 0, 255]),
        ([0.0, 0.0, 0.0], [0, 0, 0]),
        ([-3.0, -3.0, -3.0], [0, 0, 0]),
    ],
)
def test_fractions_are_scaled_by_the_white_they_fit_under(values, wanted):
    image = Image.fromarray(np.array([values, values], np.float32))
    assert np.asarray(decode(encoded(image, "TIFF")))[0, :, 0].tolist() == wanted


def test_lab_and_ycbcr_become_rgb():
    lab = ImageCms.profileToProfile(
        scene(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    for image in (lab, scene().convert("YCbCr"), scene().convert("HSV")):
        difference = np.asarray(as_rgb(image), dtype=int) - np.asarray(scene(), dtype=int)
        assert np.abs(difference).mean() < 6, image.mode


# What is refused, and how it is said


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty file"),
        (b"hello, this is text", r"not a picture \(starts with b'hello, t'\)"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"<?xml version='1.0'?>\n<!-- a drawing -->\n<svg/>", "SVG"),
        (b"\xef\xbb\xbf  <!DOCTYPE html><html>404</html>", "HTML"),
        (b"%PDF-1.7", "PDF"),
        (b"PK\x03\x04rest", "ZIP"),
        (b"8BPS\0\1", "Photoshop"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC.*convert it to JPEG"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC.*convert it to JPEG"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "video"),
        (b"\xff\x0a\xfa\x7f", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\xff\xd8\xff\xe0", "truncated after 4 bytes"),
        (b"RIFF\x04\0\0\0WEBP", "WEBP"),
    ],
)
def test_what_is_no_picture_is_named(data, words):
    with pytest.raises(PictureError, match=words):
        decode(data)


def test_a_camera_raw_file_is_not_mistaken_for_its_thumbnail():
    thumbnail = encoded(scene(), "TIFF", tiffinfo={254: 1})
    assert "raw file" in reason(thumbnail)
    dng = encoded(scene(), "TIFF", tiffinfo={50706: bytes([1, 4, 0, 0])})
    assert "raw file" in reason(dng)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path):
    assert "too large" in reason(FILES["jpeg"], Limits(max_bytes=100))
    path = tmp_path / "large.jpg"
    with path.open("wb") as file:
        file.truncate(2**28)
    tracemalloc.start()
    with pytest.raises(PictureError, match="too large: 256 MB, at most 100 MB are read"):
        open_picture(path)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def png_header(width: int, height: int) -> bytes:
    """A PNG that says how large it is and stops there."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + b"\0" * 8


def webp_headers(width: int, height: int) -> list[bytes]:
    """The three ways in which a WebP file says how large it is."""
    extended = b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0"
    extended += (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    lossless = b"VP8L" + struct.pack("<I", 8) + b"\x2f"
    lossless += struct.pack("<I", (width - 1) | (height - 1) << 14) + b"\0" * 5
    lossy = b"VP8 " + struct.pack("<I", 12) + b"\x10\x02\0\x9d\x01\x2a"
    lossy += struct.pack("<HH", width, height) + b"\0" * 4
    bodies = (b"WEBP" + chunk for chunk in (extended, lossless, lossy))
    return [b"RIFF" + struct.pack("<I", len(body)) + body for body in bodies]


@pytest.mark.parametrize("data", [png_header(13_000, 13_000), *webp_headers(13_000, 13_000)])
def test_a_small_file_with_many_pixels_is_refused_at_no_cost(data):
    tracemalloc.start()
    assert "too large: 13000 x 13000 is 169 megapixels" in reason(data)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


@pytest.mark.parametrize("name", ["webp", "webp lossless", "webp animated"])
def test_the_size_read_from_a_webp_header_is_the_right_one(name):
    assert f"{WIDTH} x {HEIGHT}" in reason(FILES[name], Limits(max_pixels=WIDTH * HEIGHT - 1))
    decode(FILES[name], limits=Limits(max_pixels=WIDTH * HEIGHT))


@pytest.mark.parametrize("name", FILES)
def test_the_limit_of_pixels_holds_in_every_format(name):
    assert "too large" in reason(FILES[name], Limits(max_pixels=WIDTH * HEIGHT - 1))


def test_a_large_picture_within_the_limit_brings_no_warning_with_it():
    assert reason(png_header(9_500, 9_500)).startswith("truncated")  # it came as far as decoding


def test_pictures_without_content_are_refused():
    assert "too small" in reason(encoded(Image.new("RGB", (1, 1)), "PNG"))
    assert "too narrow" in reason(encoded(Image.new("RGB", (2, 300)), "PNG"))


def test_a_missing_file_and_a_folder_are_picture_errors(tmp_path):
    with pytest.raises(PictureError, match="no such file"):
        open_picture(tmp_path / "none.jpg")
    with pytest.raises(PictureError, match="not a file"):
        open_picture(tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_short_is_never_half_a_picture(name):
    whole = np.asarray(decode(FILES[name]))
    data = FILES[name]
    for length in range(0, len(data), max(1, len(data) // 60)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                picture = decode(data[:length], limits=SMALL)
        except PictureError:
            continue
        assert np.array_equal(np.asarray(picture), whole), length


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "gif", "bmp", "tiff", "ppm", "avif"])
def test_a_file_cut_short_is_called_so(name):
    data = FILES[name]
    half = len(data) * 2 // 3
    assert reason(data[:half]) == f"truncated after {half:,} bytes" or name in ("tiff", "avif")


# Whatever comes


@st.composite
def broken_files(draw):
    """A real file after bits rot, pieces go missing or are put in."""
    data = bytearray(FILES[draw(st.sampled_from(sorted(FILES)))])
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data) - 1))
        what = draw(st.sampled_from(["byte", "header byte", "cut", "delete", "insert"]))
        if what == "byte":
            data[at] = draw(st.integers(0, 255))
        elif what == "header byte":
            data[at % min(len(data), 120)] = draw(st.sampled_from([0, 1, 127, 128, 255]))
        elif what == "cut":
            del data[max(1, at) :]
        elif what == "delete":
            del data[at : min(at + draw(st.integers(1, 40)), len(data) - 1)]
        else:
            data[at:at] = draw(st.binary(min_size=1, max_size=40))
    return bytes(data)


def only_a_picture_or_a_picture_error(data: bytes) -> None:
    try:
        picture = decode(data, limits=SMALL)
    except PictureError as error:
        assert 0 < len(str(error)) < 300
        assert "\n" not in str(error)
    else:
        assert picture.mode == "RGB"
        assert picture.width * picture.height <= SMALL.max_pixels
        picture.tobytes()


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(broken_files())
def test_broken_files_give_a_picture_or_a_picture_error_and_nothing_else(data):
    only_a_picture_or_a_picture_error(data)


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(broken_files())
def test_what_is_learned_from_is_what_everything_else_sees_also_in_broken_files(data):
    try:
        wanted_HWC = np.asarray(decode(data, limits=SMALL))
    except PictureError as error:
        with pytest.raises(PictureError) as other:
            decode_to_learn(data, limits=SMALL)
        assert str(other.value) == str(error)
    else:
        assert np.array_equal(decode_to_learn(data, limits=SMALL), wanted_HWC)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("turn", [1, 6])
@pytest.mark.parametrize("at_least", [None, 20, 200])
def test_jpegs_to_learn_from_are_those_that_everything_else_sees(mode, turn, at_least):
    exif = Image.Exif()
    exif[ORIENTATION] = turn
    picture = photo(size=(244, 180)).convert(mode)
    for kind in (
        {},
        {"progressive": True},
        {"subsampling": 0},
        {"subsampling": 1},
        {"quality": 20, "restart_marker_rows": 1},
        {"keep_rgb": True} if mode == "RGB" else {},
    ):
        out = io.BytesIO()
        picture.save(out, "JPEG", exif=exif, **kind)
        data = out.getvalue()
        wanted_HWC = np.asarray(decode(data, at_least=at_least))
        assert np.array_equal(decode_to_learn(data, at_least=at_least), wanted_HWC), kind


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([data[:n] for data in FILES.values() for n in (2, 4, 12, 30)]),
    st.binary(max_size=300),
)
def test_any_bytes_give_a_picture_or_a_picture_error_and_nothing_else(start, rest):
    only_a_picture_or_a_picture_error(start + rest)


@pytest.mark.parametrize(
    "error",
    [
        *(OSError, ValueError, SyntaxError, RuntimeError, NotImplementedError, IndexError),
        *(
            KeyError,
            TypeError,
            EOFError,
            OverflowError,
            ZeroDivisionError,
            struct.error,
            MemoryError,
        ),
        *(Image.DecompressionBombError, Image.UnidentifiedImageError, UserWarning),
    ],
)
def test_whatever_a_reader_raises_becomes_a_picture_error(error, monkeypatch):
    """A stand-in, since each version of Pillow raises others of these."""

    def reader(file):
        raise error("why")

    monkeypatch.setitem(FORMATS, "PNG", reader)
    assert "damaged PNG" in reason(FILES["png"]) or error in (EOFError, MemoryError)


def test_a_bug_is_not_mistaken_for_a_broken_picture(monkeypatch):
    monkeypatch.setitem(FORMATS, "PNG", lambda file: file.no_such_attribute)
    with pytest.raises(AttributeError):
        decode(FILES["png"])


def test_a_frame_larger_than_its_animation_is_a_picture_error():
    screen = b"GIF89a" + struct.pack("<HH", 8, 8) + b"\0\0\0"
    frame = b"," + struct.pack("<HHHH", 0, 0, 65535, 65535) + b"\0\2\2\x4c\1\0;"
    assert "pixels" in reason(screen + frame)


def test_threads_decode_side_by_side_and_no_setting_of_pillow_changes():
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters))
    wanted = {name: decode(data).tobytes() for name, data in FILES.items()}
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda name: (name, decode(FILES[name]).tobytes()), [*FILES] * 8))
    assert all(wanted[name] == pixels for name, pixels in found)
    after = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters))
    assert before == after


def test_formats_are_found_by_their_bytes_and_suffixes_name_them_all():
    assert {format_of(data) for data in FILES.values()} == set(FORMATS)
    Image.init()
    for suffix, name in Image.EXTENSION.items():
        if name in FORMATS and suffix not in (".apng", ".dib", ".avifs", ".pfm"):
            assert suffix in SUFFIXES, suffix


def test_a_pillow_without_webp_says_so(monkeypatch):
    monkeypatch.setattr(features, "check", lambda name: False)
    assert "cannot read WEBP" in reason(FILES["webp"])


def test_a_pipe_and_a_device_are_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    for path in (tmp_path / "pipe.jpg", "/dev/zero", tmp_path):
        with pytest.raises(PictureError, match=r"^not a file$"):
            open_picture(path)


def test_a_file_that_became_a_pipe_after_it_was_looked_at_is_not_waited_for(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.jpg")
    monkeypatch.setattr(Path, "is_file", lambda self: True)
    with pytest.raises(PictureError, match=r"^not a file$"):
        open_picture(tmp_path / "pipe.jpg")


@pytest.mark.skipif(not Path("/proc/self/pagemap").exists(), reason="a file of Linux")
def test_a_file_that_says_no_size_is_read_to_the_limit_and_no_further():
    assert read("/proc/self/cmdline") == Path("/proc/self/cmdline").read_bytes()
    with pytest.raises(PictureError, match="too large"):
        read("/proc/self/pagemap", limits=Limits(max_bytes=300_000))


def test_a_file_is_read_whole(tmp_path):
    for size in (0, 1, 2**16, 3_000_001):
        (tmp_path / "file").write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
        assert read(tmp_path / "file") == (tmp_path / "file").read_bytes()
