"""Pictures from outside, made safe: decoded, made sRGB without alpha, named by their content.

Knows Pillow and numpy; not the store, not the host.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from lib_fabric.colours import Conversion, to_srgb
from lib_fabric.errors import FabricError
from lib_fabric.png_metadata import without_unread

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_FILE_BYTES = 48 * 1024 * 1024
MAX_PIXELS = 64 * 1024 * 1024
# Of all pictures of one generation, and so of one preset. Decoded ones are in memory together, 4
# bytes a pixel, and files of a few KB may each unfold to the most that one picture may have.
MAX_TOTAL_PIXELS = 256 * 1024 * 1024
MIN_SIDE_PX = 8
SHORT_ID_DIGITS = 16
ID_PATTERN = re.compile(rf"[0-9a-f]{{{SHORT_ID_DIGITS}}}|[0-9a-f]{{64}}")
_DATA_URL = re.compile(r"data:image/[a-z0-9.+-]{1,32};base64,", re.IGNORECASE)
_STRIP_PIXELS = 1024 * 1024
_ORIENTATION = 0x0112  # in EXIF
_SIXTEEN_BIT_MODES = ("I", "I;16", "I;16L", "I;16B", "I;16N")


@dataclass(frozen=True)
class Picture:
    """An RGB picture and its id: the SHA-256 (64 hex digits) of its size and pixels."""

    id: str
    image: Image.Image

    @property
    def short_id(self) -> str:
        """The first 16 digits: enough to find it again, short enough for infotext."""
        return self.id[:SHORT_ID_DIGITS]


def from_image(image: Image.Image, name: str = "picture") -> Picture:
    """Returns `image` (any Pillow mode) as a picture: upright, in sRGB, alpha on white.

    Colours are converted by the embedded ICC profile; how it lies, EXIF says.

    Args:
        name: what a message calls this picture, such as 'liked[2]'.

    Raises:
        FabricError: too small, too large, too much for the memory, or its data cannot be decoded.
    """
    _check_size(image, name)
    try:
        # First, and in one go: a second attempt may succeed with half a picture.
        image.load()
        rgb = _to_rgb(_upright(image))
    except MemoryError as error:
        raise FabricError("{} needs more memory than is free. Send a smaller one.", name) from error
    # Pillow's plugins raise nearly anything on damaged files, even struct.error and SyntaxError.
    except Exception as error:
        raise FabricError("{} is damaged and cannot be read.", name) from error
    return Picture(picture_id(rgb), rgb)


def decode_base64(text: str, name: str = "picture") -> Picture:
    """Decodes base64 text or a data URL holding a PNG, JPEG or WebP file.

    Raises:
        FabricError: not base64, not such a file, damaged, or over the limits.
    """
    return open_base64(text, name).decode()


def decode_bytes(data: bytes, name: str = "picture") -> Picture:
    """Decodes the bytes of a PNG, JPEG or WebP file; of an animation the first frame.

    Raises:
        FabricError: not such a file, damaged, or over the limits.
    """
    return open_picture(io.BytesIO(data), name).decode()


@dataclass(frozen=True)
class OpenedPicture:
    """A picture's file of which no more than the size is known yet."""

    image: Image.Image
    name: str

    @property
    def num_pixels(self) -> int:
        """What it will unfold to."""
        return self.image.width * self.image.height

    def decode(self) -> Picture:
        """Raises FabricError: it is damaged."""
        return from_image(self.image, self.name)


def open_base64(text: str, name: str = "picture") -> OpenedPicture:
    """As `decode_base64`, but for the decoding."""
    prefix = _DATA_URL.match(text)
    payload = text[prefix.end() :] if prefix else text
    refuse_too_many_bytes(len(payload) * 3 // 4 - 3, name)
    try:
        data = base64.b64decode("".join(payload.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise FabricError(
            "{} is neither a picture in base64 (PNG, JPEG or WebP) nor the id of a rated picture.",
            name,
        ) from error
    return open_picture(io.BytesIO(data), name)


def open_picture(file: BinaryIO, name: str = "picture") -> OpenedPicture:
    """Opens a PNG, JPEG or WebP file without decoding it.

    Raises:
        FabricError: not such a file, its header is damaged, or it is over the limits.
    """
    try:
        with warnings.catch_warnings():
            # Pillow only warns between its limit and twice that; our own limit decides.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            sparse, profile = without_unread(file)
            image = Image.open(sparse, formats=FORMATS)
            if profile is not None:
                image.info["icc_profile"] = profile
    except Image.DecompressionBombError as error:
        raise _too_large(name) from error
    except UnidentifiedImageError as error:
        raise FabricError("{} is not a PNG, JPEG or WebP picture.", name) from error
    # See from_image: header parsers raise many types.
    except Exception as error:
        raise FabricError("{} is damaged and cannot be read.", name) from error
    _check_size(image, name)
    return OpenedPicture(image, name)


def refuse_too_many_bytes(count: int, name: str = "The file") -> None:
    """Raises FabricError where a picture's file may not be as large."""
    if count > MAX_FILE_BYTES:
        raise FabricError(
            "{} is larger than {} MB. Send a smaller file.", name, MAX_FILE_BYTES // 2**20
        )


def picture_id(rgb: Image.Image) -> str:
    """SHA-256 (hex) of an RGB picture's width, height and pixels."""
    digest = hashlib.sha256(f"{rgb.width}x{rgb.height}:".encode())
    for box in _strips(rgb):
        digest.update(rgb.crop(box).tobytes())
    return digest.hexdigest()


def to_png(image: Image.Image) -> bytes:
    """`image` as a PNG file, packed quickly: somebody waits for it after every press.

    Pillow's own choice takes about seven times as long for a sixth less.
    """
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def is_full_id(text: object) -> bool:
    """Whether `text` is a picture's whole id, not a short one."""
    return (
        isinstance(text, str) and len(text) > SHORT_ID_DIGITS and bool(ID_PATTERN.fullmatch(text))
    )


def _check_size(image: Image.Image, name: str) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(name)
    if min(image.size) < MIN_SIDE_PX:
        raise FabricError(
            "{} is {}x{} pixels; each side must be at least {}.",
            name,
            image.width,
            image.height,
            MIN_SIDE_PX,
        )


def _too_large(name: str) -> FabricError:
    return FabricError(
        "{} has more than {} million pixels. Send a smaller one.", name, MAX_PIXELS // 2**20
    )


def _upright(image: Image.Image) -> Image.Image:
    """`image` turned as its EXIF says; as it is where that cannot be read."""
    try:
        # Else it would be a copy.
        is_turned = image.getexif().get(_ORIENTATION, 1) != 1
        return ImageOps.exif_transpose(image) if is_turned else image
    # EXIF is parsed as TIFF and fails in as many ways; the pixels are sound all the same.
    except Exception:  # noqa: BLE001 (see above)
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    """A new picture: Pillow keeps lazy files open otherwise, and info would travel along.

    In strips, since what lies between may take several times the room of either.
    """
    convert = to_srgb(image.info.get("icc_profile"), _plain_mode(image))
    rgb = Image.new("RGB", image.size)
    for box in _strips(image):
        rgb.paste(_flatten(image.crop(box), convert), box)
    return rgb


def _plain_mode(image: Image.Image) -> str:
    """The mode whose colours a picture has: deep grey is read as plain grey."""
    return "L" if image.mode in _SIXTEEN_BIT_MODES else image.mode


def _strips(image: Image.Image) -> Iterator[tuple[int, int, int, int]]:
    """Boxes of whole rows that cover `image`."""
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        yield (0, top, image.width, min(top + rows, image.height))


def _flatten(image: Image.Image, convert: Conversion | None) -> Image.Image:
    if image.mode in _SIXTEEN_BIT_MODES:
        image = _eight_bit_grey(image)
    is_clear = image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info
    if not is_clear:
        return convert(image) if convert else image.convert("RGB")
    rgba = image.convert("RGBA")
    if convert:
        colours = convert(rgba)
        colours.putalpha(rgba.getchannel("A"))
        rgba = colours
    ground = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    return Image.alpha_composite(ground, rgba).convert("RGB")


def _eight_bit_grey(image: Image.Image) -> Image.Image:
    """Pillow clips 16 bit grey at 255 on conversion, which leaves white."""
    levels = np.asarray(image, dtype=np.float64)
    grey = Image.fromarray(np.clip(np.rint(levels / 257), 0, 255).astype(np.uint8))
    clear = image.info.get("transparency")  # of PNG: one level that is not to be seen
    if isinstance(clear, int):
        alpha = np.where(levels == clear, 0, 255).astype(np.uint8)
        grey.putalpha(Image.fromarray(alpha))
    return grey
