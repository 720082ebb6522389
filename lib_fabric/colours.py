"""Colours as an embedded ICC profile means them, in sRGB.

Knows Pillow's ImageCms; not files. A profile that is broken, of another kind of colours than the
picture, or sRGB itself changes nothing.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

# ImageCms calls it so only in later versions of Pillow; the number is LittleCMS's own.
_BLACK_POINT_COMPENSATION = 0x2000
_RELATIVE_COLORIMETRIC = 1
# By the profile's kind of colours: the mode that it takes, and the modes that become that first.
_MODES = {
    "RGB": ("RGB", ("RGB", "RGBA", "RGBX", "RGBa", "P", "PA", "L", "LA", "La", "1")),
    "GRAY": ("L", ("L", "LA", "La", "1")),
    "CMYK": ("CMYK", ("CMYK",)),
}
# How far each channel of a colour may move, of 255, under a profile that is sRGB by another maker.
_SAME = 2
_LEVELS = (0, 20, 60, 100, 140, 180, 220, 255)

Conversion = Callable[[Image.Image], Image.Image]


def to_srgb(profile: object, mode: str) -> Conversion | None:
    """What makes sRGB of pictures of `mode` that have this profile; None where nothing is to do.

    Args:
        profile: the bytes of an ICC profile, untrusted; anything else is none.
        mode: Pillow's, of the picture.

    Returns:
        Takes a picture of these colours, whose transparency is left out; returns `RGB`.
    """
    if not isinstance(profile, bytes) or not profile:
        return None
    try:
        return _conversion(profile, mode)
    # LittleCMS may be missing, and profiles break in as many ways as pictures.
    except Exception:  # noqa: BLE001 (the colours are then as they stand)
        return None


def _conversion(profile: bytes, mode: str) -> Conversion | None:
    # Here, since a Pillow built without LittleCMS has none.
    from PIL import ImageCms

    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    taken, modes = _MODES.get(source.profile.xcolor_space.strip(), ("", ()))
    if mode not in modes:
        return None
    transform = ImageCms.buildTransform(
        source,
        ImageCms.createProfile("sRGB"),
        taken,
        "RGB",
        _RELATIVE_COLORIMETRIC,
        _BLACK_POINT_COMPENSATION,
    )

    def convert(image: Image.Image) -> Image.Image:
        return ImageCms.applyTransform(image.convert(taken), transform)

    return None if taken != "CMYK" and _is_same(convert, taken) else convert


def _is_same(convert: Conversion, mode: str) -> bool:
    """Whether a conversion leaves colours, or levels of grey, as they are, but for rounding."""
    channels = [each.reshape(1, -1) for each in np.meshgrid(*[_LEVELS] * len(mode))]
    image = Image.merge(mode, [Image.fromarray(each.astype(np.uint8)) for each in channels])
    moved = np.asarray(convert(image), dtype=int) - np.asarray(image.convert("RGB"), dtype=int)
    return int(np.abs(moved).max()) <= _SAME
