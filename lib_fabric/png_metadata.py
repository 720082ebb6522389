"""What a PNG file holds beside its picture, of which only what changes the picture is read.

Pillow unfolds every text and profile of a PNG and refuses the whole picture where one is large.
Knows chunks and zlib; not Pillow, not what a profile means.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import BinaryIO

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_PROFILE = b"iCCP"
# They may say how to turn the picture.
_READ_TEXTS = (b"XML:com.adobe.xmp", b"Raw profile type exif")
# More than these is left unread: Pillow's own limit for a text, and far more than profiles have.
_MAX_TEXT_BYTES = 2**20
_MAX_PROFILE_BYTES = 2**24
# Each of them may unfold to the most, so there may not be any number.
_MAX_READ_TEXTS = 8


def without_unread(file: BinaryIO) -> tuple[BinaryIO, bytes | None]:
    """`file` without its texts that nobody reads and its profile, and that profile unpacked.

    Args:
        file: any file, from its beginning; where it is no PNG, or holds nothing such, it is
            returned as it is, at its beginning.

    Returns:
        The profile is None for none, and for one that is damaged or too large.
    """
    left_out, profile = _unread(file)
    file.seek(0)
    if not left_out:
        return file, profile
    kept = io.BytesIO()
    for start, end in left_out:
        kept.write(file.read(start - file.tell()))
        file.seek(end)
    kept.write(file.read())
    kept.seek(0)
    return kept, profile


def _unread(file: BinaryIO) -> tuple[list[tuple[int, int]], bytes | None]:
    """Where in `file` chunks begin and end that are left out, and the unpacked profile."""
    found: list[tuple[int, int]] = []
    profiles: list[bytes | None] = []
    num_texts = 0
    if file.read(len(_SIGNATURE)) != _SIGNATURE:
        return found, None
    while len(head := file.read(8)) == 8:
        start = file.tell() - 8
        size, kind = struct.unpack(">I4s", head)
        is_read = kind != _PROFILE
        if kind == _PROFILE and not profiles:
            profiles.append(_profile(file.read(min(size, _MAX_PROFILE_BYTES))))
        elif kind in _TEXTS:
            data = file.read(min(size, _MAX_TEXT_BYTES + 1))
            is_meant = data.partition(b"\0")[0] in _READ_TEXTS
            num_texts += is_meant
            is_read = is_meant and num_texts <= _MAX_READ_TEXTS and _is_short(kind, data)
        end = start + 12 + size
        file.seek(end)
        if not is_read:
            found.append((start, end))
    return found, profiles[0] if profiles else None


def _profile(data: bytes) -> bytes | None:
    """What follows a name and the method of packing."""
    return _unpacked(data.partition(b"\0")[2][1:], _MAX_PROFILE_BYTES)


def _is_short(kind: bytes, data: bytes) -> bool:
    """Whether a text is, once it is unpacked, no longer than one may be."""
    if len(data) > _MAX_TEXT_BYTES:
        return False
    rest = data.partition(b"\0")[2]
    if kind == b"iTXt":
        packed = rest[2:].split(b"\0", 2)[-1] if rest[:1] == b"\1" else None
    else:
        packed = rest[1:] if kind == b"zTXt" else None
    return packed is None or _unpacked(packed, _MAX_TEXT_BYTES) is not None


def _unpacked(data: bytes, most: int) -> bytes | None:
    """None where it is damaged, or more than `most` bytes."""
    packer = zlib.decompressobj()
    try:
        unpacked = packer.decompress(data, most)
    except zlib.error:
        return None
    return None if packer.unconsumed_tail or not packer.eof else unpacked
