"""Embedded profiles: one colour for all ways in, by the definition of sRGB; ids of today stay."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from lib_fabric.pictures import decode_base64, decode_bytes, from_image
from tests.helpers.icc import (
    ADOBE_RGB,
    SRGB,
    gamma_curve,
    grey_profile,
    in_srgb,
    rgb_profile,
    srgb_curve,
)
from tests.helpers.icc import encoded as srgb_encoded
from tests.inputs.files import pixels, to_file, to_text

ADOBE = rgb_profile(ADOBE_RGB, gamma_curve(2.2))
# Within sRGB, since what lies outside is a matter of taste.
COLOURS = np.array([[120, 90, 60], [200, 180, 150], [90, 110, 130], [255, 255, 255], [0, 0, 0]])


def patches(colours=COLOURS):
    """One block of 8x8 for each colour."""
    return np.asarray(colours, dtype=np.uint8)[None].repeat(8, 0).repeat(8, 1)


def shown(picture):
    return np.asarray(picture.image)[4, 4::8].astype(float)


@pytest.mark.parametrize(
    ("file_format", "options"),
    [("PNG", {}), ("JPEG", {"quality": 100, "subsampling": 0}), ("WEBP", {"lossless": True})],
)
def test_colours_are_what_the_profile_says(file_format, options):
    data = to_file(Image.fromarray(patches()), file_format, icc_profile=ADOBE, **options)
    expected = in_srgb(COLOURS, ADOBE_RGB, 2.2)
    assert np.abs(expected - COLOURS).max() > 5
    assert np.abs(shown(decode_bytes(data)) - expected).max() < 2.5


def test_every_way_in_gives_the_same_picture():
    data = to_file(Image.fromarray(patches()), icc_profile=ADOBE)
    opened = Image.open(io.BytesIO(data))
    assert decode_bytes(data).id == decode_base64(to_text(data)).id == from_image(opened).id


def test_alpha_is_laid_on_white_after_the_colours():
    rgba = np.dstack([patches(), np.full((8, 40), 128, np.uint8)])
    data = to_file(Image.fromarray(rgba), icc_profile=ADOBE)
    colours = in_srgb(COLOURS, ADOBE_RGB, 2.2)
    expected = colours * 128 / 255 + 255 * (1 - 128 / 255)
    assert np.abs(shown(decode_bytes(data)) - expected).max() < 2


def test_colours_of_a_palette_are_converted_too():
    image = Image.fromarray(patches()).convert("P", palette=Image.Palette.ADAPTIVE)
    data = to_file(image, icc_profile=ADOBE)
    assert np.abs(shown(decode_bytes(data)) - in_srgb(COLOURS, ADOBE_RGB, 2.2)).max() < 2.5


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_grey_is_what_its_profile_says(mode):
    levels = np.array([0, 60, 128, 200, 255])
    grey = levels.astype(np.uint8)[None].repeat(8, 0).repeat(8, 1)
    image = Image.fromarray(grey.astype(np.uint16) * 257 if mode == "I;16" else grey)
    data = to_file(
        image.convert("LA") if mode == "LA" else image,
        icc_profile=grey_profile(gamma_curve(1.0)),
    )
    expected = srgb_encoded(levels / 255)[:, None].repeat(3, 1) * 255
    assert np.abs(shown(decode_bytes(data)) - expected).max() < 2


@pytest.mark.parametrize(
    "profile",
    [
        rgb_profile(SRGB, srgb_curve()),
        rgb_profile(SRGB, srgb_curve(4096)),
        b"no profile",
        ADOBE[:200],
        ADOBE[:128] + bytes(len(ADOBE) - 128),
        grey_profile(gamma_curve(1.0)),
        b"",
    ],
    ids=["sRGB", "another sRGB", "text", "cut", "zeros", "of grey", "empty"],
)
def test_without_a_profile_or_with_srgb_a_picture_keeps_its_id(profile):
    image = Image.fromarray(pixels())
    plain = decode_bytes(to_file(image))
    assert decode_bytes(to_file(image, icc_profile=profile)).id == plain.id
    assert np.array_equal(np.asarray(plain.image), pixels())


def test_colours_for_print_pass_by_a_profile_of_another_kind():
    image = Image.fromarray(pixels()).convert("CMYK")
    data = to_file(image, "JPEG", icc_profile=ADOBE)
    assert decode_bytes(data).id == decode_bytes(to_file(image, "JPEG")).id
