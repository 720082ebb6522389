"""Small JPEGs of pictures, which say in a comment of what they were made.

Knows Pillow.
"""

from __future__ import annotations

import io

from PIL import Image

# Of the longer side, as the page shows them.
THUMBNAIL_PX = 176
_END = b"\xff\xd9"


def make_thumbnail(image: Image.Image, size_px: int, mark: str = "") -> bytes:
    """A JPEG whose longer side is at most `size_px`, with `mark` (ASCII) as its comment."""
    small = image.copy()
    small.thumbnail((size_px, size_px), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85, comment=mark)
    return buffer.getvalue()


def is_thumbnail(data: bytes, mark: str) -> bool:
    """Whether `data` is a whole JPEG that `make_thumbnail` made with this mark."""
    if not data.endswith(_END):
        return False
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            return image.info.get("comment") == mark.encode("ascii")
    # Pillow raises many types on damaged headers.
    except Exception:  # noqa: BLE001 (the thumbnail is made again)
        return False
