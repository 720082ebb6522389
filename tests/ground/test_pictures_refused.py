"""Pictures as base64 text and as files: what is read, and what is refused with which sentence."""

import base64
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lib_fabric import pictures
from lib_fabric.errors import FabricError
from lib_fabric.pictures import Picture, decode_base64, decode_bytes, from_image

NOT_BASE64 = (
    "liked[0] is neither a picture in base64 (PNG, JPEG or WebP) nor the id of a rated picture."
)
NOT_A_PICTURE = "liked[0] is not a PNG, JPEG or WebP picture."
DAMAGED = "liked[0] is damaged and cannot be read."
TOO_LARGE = "liked[0] has more than 64 million pixels. Send a smaller one."


def _noise(height=20, width=30, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _file(image, file_format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def _refusal(function, *args):
    with pytest.raises(FabricError) as caught:
        function(*args)
    assert caught.value.status_code == 422
    assert caught.value.detail == str(caught.value)
    return str(caught.value)


# Base64


@pytest.mark.parametrize(
    "wrap",
    [
        lambda text: text,
        lambda text: "data:image/png;base64," + text,
        lambda text: "DATA:IMAGE/PNG;BASE64," + text,
        lambda text: "\n".join(text[i : i + 76] for i in range(0, len(text), 76)) + "\n",
    ],
    ids=["bare", "data URL", "capitals", "lines"],
)
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_base64_and_data_urls_are_read(wrap, file_format):
    data = _file(Image.fromarray(_noise()), file_format)
    picture = decode_base64(wrap(base64.b64encode(data).decode()), "liked[0]")
    assert isinstance(picture, Picture)
    assert picture == decode_bytes(data) or picture.id == decode_bytes(data).id
    assert picture.image.size == (30, 20)


def _b64(data):
    return base64.b64encode(data).decode()


_PNG = _file(Image.fromarray(_noise()))
_JPEG = _file(Image.fromarray(_noise()), "JPEG")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", NOT_A_PICTURE),
        ("hello", NOT_BASE64),
        ("Ünïcode", NOT_BASE64),
        ("/etc/passwd", NOT_BASE64),
        ("../../secrets.png", NOT_BASE64),
        ("https://example.com/picture.png", NOT_BASE64),
        ("file:///etc/passwd", NOT_BASE64),
        ("data:text/plain;base64," + _b64(_PNG), NOT_BASE64),
        ("data:image/png," + _b64(_PNG), NOT_BASE64),
        (_b64(_PNG)[:-3], NOT_BASE64),
        ("A" * 64, NOT_A_PICTURE),
        (_b64(b"GIF89a" + bytes(100)), NOT_A_PICTURE),
        (_b64(_file(Image.fromarray(_noise()), "BMP")), NOT_A_PICTURE),
        (_b64(_file(Image.fromarray(_noise()), "TIFF")), NOT_A_PICTURE),
        (_b64(_file(Image.fromarray(_noise()), "GIF")), NOT_A_PICTURE),
        (_b64(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"), NOT_A_PICTURE),
        (_b64(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), NOT_A_PICTURE),
        (_b64(_PNG[:200]), DAMAGED),
        (_b64(_JPEG[:300]), DAMAGED),
        (_b64(_PNG[:60] + bytes(40) + _PNG[100:]), DAMAGED),
    ],
)
def test_refusals_of_text(text, sentence):
    assert _refusal(decode_base64, text, "liked[0]") == sentence


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_a_file_cut_anywhere_is_refused_in_one_sentence(file_format):
    data = _file(Image.fromarray(_noise(40, 50)), file_format)
    for share in range(0, 95, 5):
        cut = data[: len(data) * share // 100]
        assert _refusal(decode_bytes, cut, "liked[0]") in (NOT_A_PICTURE, DAMAGED)


@given(
    st.sampled_from(["PNG", "JPEG", "WEBP"]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_damaged_bytes_give_a_picture_or_one_sentence(file_format, damages):
    data = bytearray(_file(Image.fromarray(_noise()), file_format))
    for place, value in damages:
        data[int(place * (len(data) - 1))] = value
    sentence = ""
    try:
        assert decode_bytes(bytes(data), "liked[0]").image.mode == "RGB"
    except FabricError as error:
        sentence = str(error)
    assert len(sentence) < 120


# Sizes


class _TooMuch(Image.Image):
    """A sound picture for which there is no memory."""

    size, width, height = (64, 48), 64, 48

    def load(self):
        raise MemoryError


def test_a_lack_of_memory_is_no_damage():
    sentence = "liked[0] needs more memory than is free. Send a smaller one."
    assert _refusal(from_image, _TooMuch(), "liked[0]") == sentence


@pytest.mark.parametrize(("width", "height"), [(7, 100), (100, 7), (1, 1)])
def test_too_small(width, height):
    sentence = f"liked[0] is {width}x{height} pixels; each side must be at least 8."
    assert _refusal(from_image, Image.new("RGB", (width, height)), "liked[0]") == sentence


def test_the_smallest():
    assert from_image(Image.new("L", (8, 8))).image.size == (8, 8)


def _png_header(width, height):
    """A PNG that claims a size and holds next to nothing."""
    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(100))
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, data in ((b"IHDR", header), (b"IDAT", body), (b"IEND", b"")):
        parts += [struct.pack(">I", len(data)), kind, data]
        parts.append(struct.pack(">I", zlib.crc32(kind + data)))
    return b"".join(parts)


@pytest.mark.parametrize(
    ("width", "height"), [(8192, 8193), (9000, 9000), (12000, 12000), (60000, 60000)]
)
def test_a_decompression_bomb_is_refused_before_it_is_decoded(monkeypatch, width, height):
    def fail(*_args):
        raise AssertionError("decoded")

    monkeypatch.setattr(pictures, "_to_rgb", fail)
    assert _refusal(decode_bytes, _png_header(width, height), "liked[0]") == TOO_LARGE


def test_a_bomb_is_refused_where_the_host_has_switched_pillows_own_check_off(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert _refusal(decode_bytes, _png_header(60000, 60000), "liked[0]") == TOO_LARGE


def test_a_large_file_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(pictures, "MAX_FILE_BYTES", 2 * 2**20)
    fits, too_long = ("A" * (length // 4 * 4) for length in (2 * 2**20, 3 * 2**20))
    assert _refusal(decode_base64, fits, "liked[0]") == NOT_A_PICTURE
    sentence = "liked[0] is larger than 2 MB. Send a smaller file."
    assert _refusal(decode_base64, too_long, "liked[0]") == sentence
