"""Rated pictures on disk, named by their content.

Knows files and Pillow. A picture's name is always its SHA-256, never text of a user.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from pathlib import Path

from PIL import Image

from lib_fabric.errors import FabricError
from lib_fabric.pictures import ID_PATTERN, SHORT_ID_DIGITS, Picture, decode_bytes, from_image
from lib_fabric.settings import shorten


class PictureStore:
    """Content-addressed PNG files below `folder`; safe for several threads and processes.

    A file appears by one atomic rename, so that a reader never sees half of it. The same picture
    added twice is one file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, picture: Picture | Image.Image) -> Picture:
        """Keeps a picture and returns it with its id.

        Raises:
            FabricError: the picture is unusable, or the folder cannot be written.
        """
        if not isinstance(picture, Picture):
            picture = from_image(picture)
        if not self._is_intact(picture.id):
            path = self._path(picture.id)
            buffer = io.BytesIO()
            picture.image.save(buffer, "PNG")
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                _write_atomically(path, buffer.getvalue())
            except OSError as error:
                raise FabricError(
                    f"the picture could not be saved: {error.strerror or error}.", 500
                ) from error
        return picture

    def load(self, picture_id: str) -> Picture:
        """Returns a kept picture by its id or short id.

        Raises:
            FabricError: not a picture id, not in the store, or its file was changed.
        """
        missing = FabricError(
            f"picture {shorten(picture_id[:SHORT_ID_DIGITS])} is no longer in the store. "
            "Rate it again."
        )
        path = self._find(picture_id)
        if path is None:
            raise missing
        try:
            picture = decode_bytes(path.read_bytes())
        except (OSError, FabricError) as error:
            raise missing from error
        if picture.id != path.stem:
            raise missing
        return picture

    def __contains__(self, picture_id: object) -> bool:
        return isinstance(picture_id, str) and self._find(picture_id) is not None

    def thumbnail(self, picture_id: str, size_px: int = 192) -> bytes:
        """A JPEG whose longer side is at most `size_px`.

        Raises:
            FabricError: as `load`.
        """
        image = self.load(picture_id).image.copy()
        image.thumbnail((size_px, size_px), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=85)
        return buffer.getvalue()

    def _is_intact(self, picture_id: str) -> bool:
        try:
            self.load(picture_id)
        except FabricError:
            return False
        return True

    def _find(self, picture_id: str) -> Path | None:
        if not ID_PATTERN.fullmatch(picture_id):
            return None
        path = self._path(picture_id)
        if len(picture_id) > SHORT_ID_DIGITS:
            return path if path.is_file() else None
        matches = list(path.parent.glob(f"{picture_id}*.png"))
        return matches[0] if len(matches) == 1 else None

    def _path(self, picture_id: str) -> Path:
        return self._folder / picture_id[:2] / f"{picture_id}.png"


def _write_atomically(path: Path, data: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
