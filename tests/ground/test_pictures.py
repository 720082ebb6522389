"""Pictures from outside: their ids, their modes and what becomes of them."""

import hashlib
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from lib_fabric.errors import FabricError
from lib_fabric.pictures import decode_bytes, from_image, to_png

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


# Ids


def test_the_id_is_the_hash_of_size_and_pixels():
    pixels = _noise(20, 30)
    expected = hashlib.sha256(b"30x20:" + pixels.tobytes()).hexdigest()
    picture = from_image(Image.fromarray(pixels))
    assert picture.id == expected
    assert picture.short_id == expected[:16]


def test_the_id_tells_apart_pictures_of_the_same_bytes():
    pixels = _noise(20, 30)
    wide, tall = (Image.fromarray(pixels.reshape(shape)) for shape in ((20, 30, 3), (30, 20, 3)))
    assert from_image(wide).id != from_image(tall).id


def test_the_id_does_not_depend_on_the_file():
    image = Image.fromarray(_noise())
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a prompt that nobody else should read")
    files = [_file(image), _file(image, pnginfo=info), _file(image, "WEBP", lossless=True)]
    assert len({decode_bytes(data).id for data in files}) == 1


def test_nothing_of_the_file_travels_along():
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a prompt")
    picture = decode_bytes(_file(Image.fromarray(_noise()), pnginfo=info))
    assert picture.image.info == {}
    assert picture.image.getexif() == {}


# Modes


@pytest.mark.parametrize(
    ("mode", "colour", "rgb"),
    [
        ("1", 1, (255, 255, 255)),
        ("L", 100, (100, 100, 100)),
        ("P", 0, (0, 0, 0)),
        ("RGB", (1, 2, 3), (1, 2, 3)),
        ("RGBX", (1, 2, 3, 0), (1, 2, 3)),
        ("RGBA", (200, 100, 0, 255), (200, 100, 0)),
        ("RGBA", (200, 100, 0, 0), (255, 255, 255)),
        ("RGBA", (0, 0, 0, 51), (204, 204, 204)),
        ("RGBa", (0, 0, 0, 51), (204, 204, 204)),
        ("LA", (0, 51), (204, 204, 204)),
        ("LA", (7, 255), (7, 7, 7)),
        ("PA", (0, 0), (255, 255, 255)),
        ("CMYK", (0, 255, 255, 0), (255, 0, 0)),
        ("YCbCr", (100, 128, 128), (100, 100, 100)),
        ("HSV", (0, 255, 255), (255, 0, 0)),
        ("LAB", (255, 128, 128), (255, 255, 255)),
        ("F", 100.0, (100, 100, 100)),
        ("I", 257 * 100, (100, 100, 100)),
        ("I", 65535, (255, 255, 255)),
        ("I;16", 257 * 100, (100, 100, 100)),
        ("I;16L", 257 * 100, (100, 100, 100)),
        ("I;16B", 257 * 100, (100, 100, 100)),
    ],
)
def test_every_mode_becomes_rgb_and_alpha_white(mode, colour, rgb):
    picture = from_image(Image.new(mode, (9, 8), colour))
    assert picture.image.mode == "RGB"
    assert picture.image.size == (9, 8)
    assert np.abs(np.asarray(picture.image, dtype=int) - rgb).max() <= 1


@pytest.mark.parametrize("mode", ["La", "BGR;15", "BGR;16", "BGR;24"])
def test_modes_that_no_file_has_end_in_one_sentence(mode):
    sentence = "picture is damaged and cannot be read."
    assert _refusal(from_image, Image.new(mode, (9, 8))) == sentence


@pytest.mark.parametrize(
    ("mode", "transparency"), [("1", 0), ("L", 0), ("P", 0), ("P", b"\0"), ("RGB", (0, 0, 0))]
)
def test_a_transparent_colour_becomes_white(mode, transparency):
    image = Image.new(mode, (9, 8), 0)
    image.info["transparency"] = transparency
    assert from_image(image).image.getpixel((0, 0)) == (255, 255, 255)


def test_a_transparent_png_becomes_white():
    image = Image.new("P", (9, 8), 1)
    image.putpalette([0, 0, 0, 10, 200, 30])
    image.putpixel((0, 0), 0)
    picture = decode_bytes(_file(image, transparency=0))
    assert picture.image.getpixel((0, 0)) == (255, 255, 255)
    assert picture.image.getpixel((1, 0)) == (10, 200, 30)


def test_16_bit_grey_is_scaled_not_clipped():
    grey = np.linspace(0, 65535, 64 * 16).reshape(16, 64).astype(np.uint16)
    picture = decode_bytes(_file(Image.fromarray(grey)))
    channels = np.asarray(picture.image, dtype=float)
    assert np.abs(channels - grey[..., None] / 257).max() <= 0.51


def _png_of_16_bits(colour, row, transparent=None):
    """A PNG by hand, since Pillow writes none: 9x8 pixels, every row the same."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">2I5B", 9, 8, 16, colour, 0, 0, 0))
        + (chunk(b"tRNS", struct.pack(">H", transparent)) if transparent is not None else b"")
        + chunk(b"IDAT", zlib.compress((b"\0" + row) * 8))
        + chunk(b"IEND", b"")
    )


def test_16_bit_colour_is_read():
    data = _png_of_16_bits(2, struct.pack(">3H", 65535, 32896, 0) * 9)
    assert decode_bytes(data).image.getpixel((4, 4)) == (255, 128, 0)


def test_the_transparent_level_of_16_bit_grey_becomes_white():
    levels = [0, 1000, 1001, *[32896] * 6]
    picture = decode_bytes(_png_of_16_bits(0, struct.pack(">9H", *levels), transparent=1000))
    shown = [picture.image.getpixel((x, 3))[0] for x in range(4)]
    assert shown == [0, 255, 4, 128]


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(file_format, orientation):
    upright = Image.new("RGB", (48, 32), "black")
    upright.paste((255, 255, 255), (0, 0, 16, 16))  # a white corner at the top left
    # What a camera stores that was held, or mirrored, in that way.
    turn = {
        2: Image.FLIP_LEFT_RIGHT, 3: Image.ROTATE_180, 4: Image.FLIP_TOP_BOTTOM,
        5: Image.TRANSPOSE, 6: Image.ROTATE_90, 7: Image.TRANSVERSE, 8: Image.ROTATE_270,
    }.get(orientation)  # fmt: skip
    stored = upright if turn is None else upright.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = decode_bytes(_file(stored, file_format, exif=exif, quality=95))
    assert picture.image.size == (48, 32)
    assert picture.image.getpixel((6, 6))[0] > 230
    assert picture.image.getpixel((40, 26))[0] < 25


def test_of_an_animation_the_first_frame_is_read():
    frames = [Image.new("RGB", (9, 8), colour) for colour in ("red", "blue")]
    for file_format in ("PNG", "WEBP"):
        data = _file(frames[0], file_format, save_all=True, append_images=frames[1:], lossless=True)
        assert decode_bytes(data).image.getpixel((0, 0)) == (255, 0, 0)


def test_the_given_image_stays_as_it_is():
    image = Image.new("RGBA", (9, 8), (1, 2, 3, 4))
    picture = from_image(image)
    assert image.getpixel((0, 0)) == (1, 2, 3, 4)
    rgb = Image.new("RGB", (9, 8), (1, 2, 3))
    picture = from_image(rgb)
    rgb.putpixel((0, 0), (9, 9, 9))
    assert picture.image.getpixel((0, 0)) == (1, 2, 3)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
def test_pictures_with_unreadable_exif_are_taken_as_they_are(file_format):
    image = Image.effect_noise((24, 16), 40).convert("RGB")
    options = {"lossless": True} if file_format == "WEBP" else {}
    data = _file(image, file_format, exif=b"Exif\x00\x00junk that is no TIFF", **options)
    assert decode_bytes(data).image.tobytes() == image.tobytes()


# Files


def test_a_kept_file_has_the_pixels_and_is_packed_quickly():
    """By what its zlib stream says of itself (RFC 1950, FLEVEL): the default is slow."""
    pixels = _noise(40, 30)
    data = to_png(Image.fromarray(pixels))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), pixels)
    start = data.index(b"IDAT") + len(b"IDAT")
    assert data[start] == 0x78
    assert data[start + 1] >> 6 == 0
