"""Which picture files the server hands out."""

from __future__ import annotations

import tempfile
from collections import namedtuple
from pathlib import Path

import gradio as gr
from modules import shared
from PIL import Image, PngImagePlugin

Savedfile = namedtuple("Savedfile", ["name"])


def register_tmp_file(gradio: gr.Blocks, filename: str) -> None:
    """Allows a file to be served and read back."""
    gradio.temp_file_sets[0] = gradio.temp_file_sets[0] | {str(Path(filename).absolute())}


def check_tmp_file(gradio: gr.Blocks, filename: str) -> bool:
    """Whether this server handed the file out."""
    return any(filename in fileset for fileset in gradio.temp_file_sets)


def save_pil_to_file(
    self: object, pil_image: Image.Image, dir: str | None = None, format: str = "png"
) -> str:
    """How galleries get files: a picture already saved is shown from there, others are written
    with their texts."""
    saved = getattr(pil_image, "already_saved_as", None)
    if saved and Path(saved).is_file():
        register_tmp_file(shared.demo, saved)
        with_time = f"{saved}?{Path(saved).stat().st_mtime}"
        register_tmp_file(shared.demo, with_time)
        return with_time
    folder = Path(shared.opts.temp_dir or dir or tempfile.gettempdir())
    folder.mkdir(parents=True, exist_ok=True)
    texts = PngImagePlugin.PngInfo()
    for key, value in pil_image.info.items():
        if isinstance(key, str) and isinstance(value, str):
            texts.add_text(key, value)
    with tempfile.NamedTemporaryFile(delete=False, suffix=".png", dir=folder) as file:
        pil_image.save(file, pnginfo=texts)
    return file.name


def install_ui_tempdir_override() -> None:
    """Puts `save_pil_to_file` into Gradio."""
    gr.components.IOComponent.pil_to_temp_file = save_pil_to_file


def cleanup_tmpdr() -> None:
    """Nothing is cleaned up here."""
