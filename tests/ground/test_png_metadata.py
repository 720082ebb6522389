"""Sound PNG files with much beside the picture are read; nothing is unfolded without bound."""

from __future__ import annotations

import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from lib_fabric.pictures import decode_bytes
from tests.helpers.icc import ADOBE_RGB, gamma_curve, in_srgb, rgb_profile
from tests.inputs.files import bomb_of_text, chunk, pixels, to_file

WHOLE = to_file(Image.fromarray(pixels()))
HEAD, REST, END = WHOLE[:33], WHOLE[33:-12], WHOLE[-12:]
MUCH = b"x" * (2 * 2**20)
TURNED = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def with_profile(profile):
    """The PNG with an embedded profile."""
    return HEAD + chunk(b"iCCP", b"name\0\0" + zlib.compress(profile)) + REST + END


@pytest.mark.parametrize(
    "text",
    [
        chunk(b"tEXt", b"parameters\0" + MUCH),
        chunk(b"zTXt", b"parameters\0\0" + zlib.compress(MUCH)),
        chunk(b"iTXt", b"parameters\0\0\0\0\0" + MUCH),
        chunk(b"iTXt", b"parameters\0\1\0\0\0" + zlib.compress(MUCH)),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + MUCH),
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(MUCH)),
        chunk(b"zTXt", b"parameters\0\0no packed text"),
        chunk(b"tEXt", b"parameters\0" + bytes(900_000)) * 80,
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(bytes(900_000))) * 80,
        chunk(b"iCCP", b"name\0\0" + zlib.compress(MUCH)),
        chunk(b"iCCP", b"name\0\0" + zlib.compress(bytes(2**25))) * 2,
        chunk(b"iCCP", b"name\0\0no packed profile"),
        chunk(b"prVt", MUCH),
    ],
    ids=lambda text: f"{text[4:8].decode()} {text[8:30]!r} {len(text)}",
)
@pytest.mark.parametrize("place", ["before", "after"])
def test_a_sound_picture_with_much_beside_it_is_read(text, place):
    data = HEAD + text + REST + END if place == "before" else HEAD + REST + text + END
    assert np.array_equal(np.asarray(decode_bytes(data).image), pixels())


def test_a_bomb_is_not_unfolded():
    data = bomb_of_text(80)
    tracemalloc.start()
    try:
        assert np.array_equal(np.asarray(decode_bytes(data).image), pixels())
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()


def test_a_bomb_of_a_profile_is_not_unfolded():
    tracemalloc.start()
    try:
        data = HEAD + chunk(b"iCCP", b"name\0\0" + zlib.compress(bytes(200 * 2**20))) + REST + END
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        assert np.array_equal(np.asarray(decode_bytes(data).image), pixels())
        assert tracemalloc.get_traced_memory()[1] - before < 40 * 2**20
    finally:
        tracemalloc.stop()


def test_a_large_profile_is_followed():
    profile = rgb_profile(ADOBE_RGB, gamma_curve(2.2), padding=2**21)
    grey = np.full((8, 8, 3), (120, 90, 60), np.uint8)
    whole = to_file(Image.fromarray(grey))
    data = whole[:33] + chunk(b"iCCP", b"name\0\0" + zlib.compress(profile)) + whole[33:]
    found = np.asarray(decode_bytes(data).image, dtype=float)
    assert np.abs(found - in_srgb(grey, ADOBE_RGB, 2.2)).max() < 2


@pytest.mark.parametrize(
    "text",
    [
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + TURNED),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(TURNED)),
    ],
)
def test_texts_that_say_how_a_picture_lies_are_read(text):
    turned = np.asarray(decode_bytes(HEAD + text + REST + END).image)
    assert np.array_equal(turned, np.rot90(pixels(), -1))


@pytest.mark.parametrize("cut", [40, 100])
def test_a_cut_file_is_still_called_damaged(cut):
    data = HEAD + chunk(b"tEXt", b"a\0b") + REST
    with pytest.raises(Exception, match="picture is damaged and cannot be read"):
        decode_bytes(data[: len(data) - cut])
