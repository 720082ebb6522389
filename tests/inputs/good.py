"""Unusual inputs that work, with the ids that infotext must give their pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

from tests.inputs.files import (
    bomb_of_text,
    interlaced,
    pixels,
    short_id,
    sixteen_bit_colour,
    text_of,
    to_file,
    to_text,
    turned,
)

_WHITE = 255


@dataclass(frozen=True)
class GoodInput:
    """Arguments of the script and what becomes of them.

    Attributes:
        liked, disliked: what infotext says about the pictures; None where a codec decides the
            last bit of the pixels.
        acts: whether the picture that is made changes.
    """

    name: str
    arguments: list[Any]
    liked: str | None = ""
    disliked: str = ""
    acts: bool = True

    def __str__(self) -> str:
        return self.name


_RGB = pixels(1)
_OTHER = pixels(2)
_IMAGE = Image.fromarray(_RGB)
_TEXT = text_of(_IMAGE)
_ID = short_id(_RGB)
_OTHER_ID = short_id(_OTHER)


def _one(name: str, data: bytes, rgb: np.ndarray | None = _RGB) -> GoodInput:
    """One liked file; `rgb` is what it shows, None where a codec decides."""
    arguments = [{"liked": [to_text(data)], "strength": 2}]
    return GoodInput(name, arguments, None if rgb is None else short_id(rgb))


def _liked(name: str, entries: list, liked: str | None = _ID, **fields: object) -> GoodInput:
    return GoodInput(name, [{"liked": entries, "strength": 2, **fields}], liked)


def _on_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The formula for 8 bits, rounded to the nearest."""
    share = alpha[..., None] / 255
    return np.rint(rgb * share + _WHITE * (1 - share)).astype(np.uint8)


def _grey(levels: np.ndarray) -> np.ndarray:
    return levels[..., None].repeat(3, axis=2)


def _two_frames(file_format: str, **options: object) -> bytes:
    frames = [Image.fromarray(_OTHER)]
    return to_file(_IMAGE, file_format, save_all=True, append_images=frames, **options)


def _with_comment() -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "FABRIC strength: 99, FABRIC liked: ../../etc/passwd")
    return to_file(_IMAGE, pnginfo=info)


def _palette() -> tuple[Image.Image, np.ndarray]:
    """A picture of 16 colours: palette and RGB."""
    index = pixels(3)[..., 0] % 16
    colours = np.random.default_rng(4).integers(0, 256, (16, 3)).astype(np.uint8)
    image = Image.fromarray(index, "P")
    image.putpalette(colours.tobytes())
    return image, colours[index]


def _modes() -> list[GoodInput]:
    levels = _RGB[..., 0]
    hard_alpha = np.where(_RGB[..., 1] > 127, 255, 0).astype(np.uint8)
    rgba = np.concatenate([_RGB, hard_alpha[..., None]], axis=2)
    grey_alpha = Image.merge("LA", [Image.fromarray(levels), Image.fromarray(hard_alpha)])
    bits = np.where(levels > 127, 255, 0).astype(np.uint8)
    palette, coloured = _palette()
    holed = coloured.copy()
    holed[np.asarray(palette) == 5] = _WHITE
    return [
        _one("palette", to_file(palette), coloured),
        _one("palette with a transparent colour", to_file(palette, transparency=5), holed),
        _one("1 bit", to_file(Image.fromarray(bits).convert("1")), _grey(bits)),
        _one("grey", to_file(Image.fromarray(levels)), _grey(levels)),
        _one("grey and alpha", to_file(grey_alpha), _on_white(_grey(levels), hard_alpha)),
        _one("alpha", to_file(Image.fromarray(rgba)), _on_white(_RGB, hard_alpha)),
        _one("16 bit grey", to_file(Image.fromarray(levels.astype("u2") * 257)), _grey(levels)),
        _one("16 bit colour", sixteen_bit_colour(_RGB)),
        _one("CMYK JPEG", to_file(_IMAGE.convert("CMYK"), "JPEG"), None),
        _one("grey JPEG", to_file(_IMAGE.convert("L"), "JPEG"), None),
        _one("WebP with alpha", to_file(Image.fromarray(rgba), "WEBP", lossless=True), None),
    ]


def _files() -> list[GoodInput]:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    tall, wide = pixels(5, 4000, 8), pixels(6, 8, 3000)
    large = pixels(7, 4096, 4096)
    return [
        _one("interlaced PNG", interlaced(_RGB)),
        _one("progressive JPEG", to_file(_IMAGE, "JPEG", progressive=True), None),
        _one("lossless WebP", to_file(_IMAGE, "WEBP", lossless=True)),
        *(_one(f"PNG turned {n}", turned(_RGB, n, "PNG")) for n in (3, 6, 8)),
        _one("WebP turned", turned(_RGB, 6, "WEBP")),
        _one("JPEG turned", turned(_RGB, 8, "JPEG"), None),
        _one("unreadable EXIF", to_file(_IMAGE, exif=b"Exif\0\0no TIFF at all")),
        _one("colour profile", to_file(_IMAGE, icc_profile=profile)),
        _one("PNG bomb of text", bomb_of_text(), pixels()),
        _one("broken colour profile", to_file(_IMAGE, icc_profile=b"no profile")),
        _one("hostile infotext inside", _with_comment()),
        _one("bytes behind the end", to_file(_IMAGE) + b"PK\x03\x04" + bytes(5000)),
        _one("animated PNG", _two_frames("PNG")),
        _one("animated WebP", _two_frames("WEBP", lossless=True)),
        _one("JPEG of two pictures", _two_frames("MPO"), None),
        _one("the smallest", to_file(Image.fromarray(pixels(8, 8, 8))), pixels(8, 8, 8)),
        _one("8 pixels wide", to_file(Image.fromarray(tall)), tall),
        _one("8 pixels high", to_file(Image.fromarray(wide)), wide),
        _one("16 million pixels", to_file(Image.fromarray(large)), large),
    ]


def _entries() -> list[GoodInput]:
    weighted = [{"image": _TEXT, "weight": 0.25}, text_of(Image.fromarray(_OTHER))]
    in_lines = "\r\n".join(_TEXT[i : i + 76] for i in range(0, len(_TEXT), 76))
    return [
        _liked("data URL", [f"data:image/png;base64,{_TEXT}"]),
        _liked("data URL of the wrong kind", [f"data:image/jpeg;base64,{_TEXT}"]),
        _liked("data URL in capitals", [f"DATA:IMAGE/PNG;BASE64,{_TEXT}"]),
        _liked("base64 in lines", [f"\n{in_lines}\n"]),
        _liked("64 times the same", [_TEXT] * 64, " ".join([_ID] * 64)),
        _liked("weights, mixed", weighted, f"{_ID}*0.25 {_OTHER_ID}"),
        GoodInput(
            "the smallest weight",
            [{"liked": [{"image": _TEXT, "weight": 5e-324}], "strength": 2}],
            f"{_ID}*4.94066e-324",
            acts=False,
        ),
        _liked("weight 0 beside another", [{"image": _OTHER_ID, "weight": 0}, _TEXT]),
        GoodInput(
            "liked and disliked",
            [{"liked": [_TEXT], "disliked": [_TEXT], "negative_scale": 1}],
            _ID,
            _ID,
        ),
    ]


def _settings() -> list[GoodInput]:
    return [
        _liked("whole numbers", [_TEXT], start=0, end=1, min_strength=1, negative_scale=2),
        _liked("speed", [_TEXT], merge=2, max_tokens=100.0, refresh=3),
        _liked("outside above inside", [_TEXT], strength=0, min_strength=2, start=0.5, end=0.5),
        _liked("minus zero", [_TEXT], start=-0.0, min_strength=-0.0),
        _liked("no disliked", [_TEXT], disliked=None),
        GoodInput("nothing at all", [], acts=False),
        GoodInput("ids as text", [{"liked": f"{_ID}*0.5 {_OTHER_ID}"}], f"{_ID}*0.5 {_OTHER_ID}"),
        GoodInput("ids as text by position", [True, f" {_ID}\n", ""], _ID),
        GoodInput("empty texts", [{"liked": "", "disliked": " "}], acts=False),
        GoodInput("an empty object", [{}], acts=False),
        GoodInput("empty lists", [{"liked": [], "disliked": None}], acts=False),
        GoodInput("switched off", [{"enabled": False, "liked": "junk"}], acts=False),
        GoodInput("strength 0", [{"liked": [_TEXT], "strength": 0}], _ID, acts=False),
        GoodInput("three by position", [True, [_TEXT], [_OTHER_ID]], _ID, _OTHER_ID),
        GoodInput("all by position", [True, [_TEXT], [], 2, 0, 0, 1, 0, False], _ID),
        GoodInput("switched off by position", [False, 5, "junk", 2], acts=False),
    ]


def good_inputs() -> list[GoodInput]:
    """The table. Some name pictures by id that earlier ones bring: see `bring_pictures`."""
    return [*_modes(), *_files(), *_entries(), *_settings()]


def bring_pictures() -> list[Any]:
    """Arguments of a request after which the ids in the table are known."""
    return [{"liked": [_TEXT, text_of(Image.fromarray(_OTHER))]}]
