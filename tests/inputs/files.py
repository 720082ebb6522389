"""Files for the tables: written by Pillow where it can, by hand where it cannot."""

from __future__ import annotations

import base64
import hashlib
import io
import struct
import zlib

import numpy as np
from PIL import Image

# Where the lines and columns of each of PNG's seven interlaced passes begin, and how far apart
# they are (PNG specification, section 8.2).
_ADAM7 = (
    (0, 8, 0, 8),
    (0, 8, 4, 8),
    (4, 8, 0, 4),
    (0, 4, 2, 4),
    (2, 4, 0, 2),
    (0, 2, 1, 2),
    (1, 2, 0, 1),
)
_ORIENTATION = 0x0112


def pixels(seed: int = 0, height: int = 48, width: int = 64) -> np.ndarray:
    """Random colours in blocks, `[height, width, 3]`, bytes."""
    blocks = np.random.default_rng(seed).integers(0, 256, (-(-height // 8), -(-width // 8), 3))
    return blocks.astype(np.uint8).repeat(8, 0).repeat(8, 1)[:height, :width]


def to_file(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    """The bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def to_text(data: bytes) -> str:
    """Bytes in base64."""
    return base64.b64encode(data).decode()


def text_of(image: Image.Image, file_format: str = "PNG", **options: object) -> str:
    """An image as a request has it."""
    return to_text(to_file(image, file_format, **options))


def short_id(rgb: np.ndarray) -> str:
    """What infotext calls a picture of these pixels, by the rule that design and tests state."""
    height, width, _ = rgb.shape
    return hashlib.sha256(f"{width}x{height}:".encode() + rgb.tobytes()).hexdigest()[:16]


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def png(width: int, height: int, rows: bytes, *, bits: int = 8, colour: int = 2, lace: int = 0):
    """A PNG of these filtered rows; colour 0 is grey, 2 is RGB."""
    header = struct.pack(">2I5B", width, height, bits, colour, 0, 0, lace)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def interlaced(rgb: np.ndarray) -> bytes:
    """An interlaced PNG."""
    rows = bytearray()
    for top, down, left, right in _ADAM7:
        for row in rgb[top::down, left::right]:
            rows += b"\0" + row.tobytes()
    return png(rgb.shape[1], rgb.shape[0], bytes(rows), lace=1)


def sixteen_bit_colour(rgb: np.ndarray) -> bytes:
    """A PNG of 16 bits a channel whose upper bytes are `rgb`."""
    wide = (rgb.astype(">u2") * 257).tobytes()
    stride = rgb.shape[1] * 6
    rows = b"".join(b"\0" + wide[i : i + stride] for i in range(0, len(wide), stride))
    return png(rgb.shape[1], rgb.shape[0], rows, bits=16)


def turned(rgb: np.ndarray, orientation: int, file_format: str) -> bytes:
    """A file whose EXIF says how to turn it so that it becomes `rgb`."""
    stored = {3: np.rot90(rgb, 2), 6: np.rot90(rgb), 8: np.rot90(rgb, 3)}[orientation]
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    options = {"lossless": True} if file_format == "WEBP" else {}
    return to_file(Image.fromarray(stored.copy()), file_format, exif=exif, **options)


def bomb(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""
    return png(width, height, bytes(100))


def bomb_of_text(megabytes: int = 80) -> bytes:
    """A PNG of a few pixels with a compressed comment that unfolds to many bytes."""
    whole = to_file(Image.fromarray(pixels()))
    comment = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(megabytes * 2**20)))
    return whole[:33] + comment + whole[33:]
