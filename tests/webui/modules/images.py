"""Reading, resizing, joining and saving pictures."""

from __future__ import annotations

import io
import math
import re
from pathlib import Path

from modules import script_callbacks
from modules.shared import opts
from PIL import Image, ImageOps, PngImagePlugin

LANCZOS = Image.Resampling.LANCZOS


def read(fp: object, **kwargs: object) -> Image.Image:
    """Opens a picture, turned as its EXIF data say."""
    image = Image.open(fp, **kwargs)
    return fix_image(image)


def fix_image(image: Image.Image | None) -> Image.Image | None:
    """Turns a picture as its EXIF data say."""
    return None if image is None else ImageOps.exif_transpose(image)


def flatten(img: Image.Image, bgcolor: str) -> Image.Image:
    """RGB; transparent parts get the background colour."""
    if img.mode == "RGBA":
        ground = Image.new("RGBA", img.size, bgcolor)
        ground.paste(img, mask=img)
        img = ground
    return img.convert("RGB")


def get_font(fontsize: int) -> object:
    """The font of annotations."""
    from PIL import ImageFont

    return ImageFont.load_default()


def image_grid(
    imgs: list[Image.Image], batch_size: int = 1, rows: int | None = None
) -> Image.Image:
    """All pictures in one, in about as many rows as columns."""
    rows = min(rows or round(math.sqrt(len(imgs))), len(imgs))
    params = script_callbacks.ImageGridLoopParams(imgs, math.ceil(len(imgs) / rows), rows)
    script_callbacks.image_grid_callback(params)
    width = max(img.width for img in params.imgs)
    height = max(img.height for img in params.imgs)
    grid = Image.new("RGB", (params.cols * width, params.rows * height), "black")
    for i, img in enumerate(params.imgs):
        grid.paste(img, (i % params.cols * width, i // params.cols * height))
    return grid


def resize_image(
    resize_mode: int, im: Image.Image, width: int, height: int, upscaler_name: str | None = None
) -> Image.Image:
    """0: stretch; 1: fill and crop; 2: fit, and the borders are the edge smeared out.
    Always Lanczos here, whatever the upscaler's name."""
    if resize_mode == 0:
        return im.resize((width, height), LANCZOS)
    ratios = width / im.width, height / im.height
    scale = max(ratios) if resize_mode == 1 else min(ratios)
    inner = im.resize((round(im.width * scale), round(im.height * scale)), LANCZOS)
    left, top = (width - inner.width) // 2, (height - inner.height) // 2
    result = Image.new("RGB", (width, height))
    if resize_mode != 1:
        result.paste(im.convert("RGB").resize((width, height), LANCZOS, box=_rim(im, left)))
    result.paste(inner, (left, top))
    return result


def _rim(im: Image.Image, left: int) -> tuple[int, int, int, int]:
    """One line of pixels of the side that is smeared."""
    return (0, 0, 1, im.height) if left > 0 else (0, 0, im.width, 1)


def _next_number(folder: Path, basename: str) -> int:
    prefix = f"{basename}-" if basename else ""
    pattern = re.compile(rf"{re.escape(prefix)}(\d+)")
    found = [pattern.match(f.name) for f in folder.iterdir()]
    return max((int(m.group(1)) for m in found if m), default=-1) + 1


def save_image_with_geninfo(
    image: Image.Image, geninfo: str | None, filename: str, extension: str | None = None
) -> None:
    """Writes a picture with its infotext (PNG text, or EXIF comment)."""
    extension = (extension or Path(filename).suffix).lower()
    if extension == ".png":
        info = PngImagePlugin.PngInfo()
        if opts.enable_pnginfo and geninfo is not None:
            info.add_text("parameters", geninfo)
        image.save(filename, format="png", pnginfo=info)
    else:
        image.convert("RGB").save(
            filename, format=Image.registered_extensions()[extension], quality=opts.jpeg_quality
        )


def save_image(
    image: Image.Image,
    path: str,
    basename: str,
    seed: int | None = None,
    prompt: str | None = None,
    extension: str = "png",
    info: str | None = None,
    short_filename: bool = False,
    no_prompt: bool = False,
    grid: bool = False,
    pnginfo_section_name: str = "parameters",
    p: object = None,
    existing_info: dict | None = None,
    forced_filename: str | None = None,
    suffix: str = "",
    save_to_dirs: bool | None = None,
) -> tuple[str, str | None]:
    """Saves under a number that is free; returns (file, text file or None)."""
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    name = forced_filename
    if name is None:
        number = _next_number(folder, basename)
        name = f"{basename}-{number:04}" if basename else f"{number:05}"
        name += "" if seed is None or short_filename else f"-{seed}"
        name += suffix
    pnginfo = {**(existing_info or {}), **({} if info is None else {pnginfo_section_name: info})}
    target = str(folder / f"{name}.{extension}")
    params = script_callbacks.ImageSaveParams(image, p, target, pnginfo)
    script_callbacks.before_image_saved_callback(params)
    geninfo = params.pnginfo.get(pnginfo_section_name)
    save_image_with_geninfo(params.image, geninfo, params.filename)
    image.already_saved_as = params.filename
    script_callbacks.image_saved_callback(params)
    return params.filename, None


def read_info_from_image(image: Image.Image) -> tuple[str | None, dict]:
    """(infotext, other texts) of a picture."""
    items = dict(image.info or {})
    return items.pop("parameters", None), items


def image_data(data: bytes) -> tuple[str, None]:
    """Infotext of a picture, or the text of a text file."""
    try:
        return read_info_from_image(read(io.BytesIO(data)))[0] or "", None
    except OSError:
        return data.decode("utf8", errors="replace"), None
