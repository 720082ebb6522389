"""What the PNG Info tab does."""

from __future__ import annotations

from modules import images
from modules.ui_common import plaintext_to_html
from PIL import Image


def run_pnginfo(image: Image.Image | None) -> tuple[str, str, str]:
    """(nothing, infotext, all texts of the picture as HTML)."""
    if image is None:
        return "", "", ""
    geninfo, items = images.read_info_from_image(image)
    shown = [
        f"<div>\n<p><b>{plaintext_to_html(str(key))}</b></p>\n"
        f"<p>{plaintext_to_html(str(text))}</p>\n</div>\n"
        for key, text in {"parameters": geninfo, **items}.items()
    ]
    return "", geninfo, "".join(shown)
