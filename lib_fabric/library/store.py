"""Rated pictures on disk, named by their content, and how much room they may take.

Knows files and Pillow. A picture's name is always its SHA-256, never text of a user. Beside it may
lie a note (JSON, by its writer's rules) that is dropped with the picture.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from PIL import Image

from lib_fabric.errors import FabricError
from lib_fabric.library.storage.files import staged, write_atomically
from lib_fabric.library.storage.store_files import (
    NOTE_SUFFIX,
    PICTURE_SUFFIX,
    SPARE_SECONDS,
    THUMBNAIL_SUFFIX,
    StoreFiles,
)
from lib_fabric.library.storage.thumbnails import THUMBNAIL_PX, is_thumbnail, make_thumbnail
from lib_fabric.pictures import (
    ID_PATTERN,
    SHORT_ID_DIGITS,
    Picture,
    decode_bytes,
    from_image,
    is_full_id,
    open_picture,
    to_png,
)
from lib_fabric.settings import shorten


class PictureStore:
    """Content-addressed PNG files below `folder`; safe for several threads and processes.

    A file appears by one atomic rename, so that a reader never sees half of it. The same picture
    added twice is one file. A file's modification time is when the picture was last added or
    loaded, which decides what goes first when there are too many.

    Attributes:
        after_add: called after every new file, whoever added it; must not raise.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files = StoreFiles(folder)
        self.after_add: Callable[[], None] = lambda: None

    def add(self, picture: Picture | Image.Image) -> Picture:
        """Keeps a picture and returns it with its id.

        Raises:
            FabricError: the picture is unusable, or the folder cannot be written.
        """
        if not isinstance(picture, Picture):
            picture = from_image(picture)
        self.add_all([picture])
        return picture

    def add_all(self, pictures: Iterable[Picture]) -> list[str]:
        """Keeps pictures and returns their ids; where getting one of them raises, keeps none.

        They are taken one at a time, and none is held in memory.

        Raises:
            FabricError: the folder cannot be written.
        """
        added: list[str] = []
        waiting: list[tuple[Callable[[], None], int]] = []
        with contextlib.ExitStack() as stack:
            for picture in pictures:
                added.append(picture.id)
                path = self.path(picture.id)
                # Before it is read: from here on the limit on the store's size spares it.
                _touch(path)
                if not self._is_intact(picture.id):
                    data = to_png(picture.image)
                    with _saving("picture"):
                        waiting.append((stack.enter_context(staged(path, data)), len(data)))
                    del data
                # The next one needs the room.
                del picture
            with _saving("picture"):
                for put, num_bytes in waiting:
                    put()
                    self._files.grow(num_bytes)
        if waiting:
            self.after_add()
        return added

    def load(self, picture_id: str) -> Picture:
        """Returns a kept picture by its id or short id, and notes that it was used.

        Raises:
            FabricError: not a picture id, not in the store, or its file was changed.
        """
        picture = self._read(picture_id)
        _touch(self.path(picture.id))
        return picture

    def num_pixels(self, picture_id: str) -> int:
        """How large a kept picture is, by its id or short id; it is not decoded.

        Raises:
            FabricError: as `load`.
        """
        path = self._known_path(picture_id)
        try:
            with path.open("rb") as file:
                return open_picture(file).num_pixels
        except (OSError, FabricError) as error:
            raise missing_picture(picture_id) from error

    def file(self, picture_id: str) -> bytes:
        """The PNG file of a kept picture, as it lies there; it is not decoded.

        Raises:
            FabricError: not in the store, or its file cannot be read.
        """
        path = self._known_path(picture_id)
        try:
            return path.read_bytes()
        except OSError as error:
            raise missing_picture(picture_id) from error

    def __contains__(self, picture_id: object) -> bool:
        return isinstance(picture_id, str) and self._find(picture_id) is not None

    def whole_id(self, picture_id: str) -> str | None:
        """The whole id of a kept picture by its id or short id; None if there is no such one."""
        path = self._find(picture_id)
        return None if path is None else path.stem

    def is_gone(self, picture_id: str) -> bool:
        """Whether a picture's file is certainly not there; a disk that fails tells nothing."""
        if not is_full_id(picture_id):  # garbled by the disk
            return True
        try:
            self.path(picture_id).stat()
        except FileNotFoundError:
            # An absent folder is a drive that is not connected, not thousands of deleted files.
            return self.folder.is_dir()
        except OSError:
            return False
        return False

    def find(self, picture_id: str) -> str | None:
        """As `whole_id`, and notes that it was used: whoever asks is about to make it active."""
        path = self._find(picture_id)
        if path is None:
            return None
        _touch(path)
        return path.stem

    def thumbnail(self, picture_id: str, size_px: int = THUMBNAIL_PX) -> bytes:
        """A JPEG whose longer side is at most `size_px`. Looking is not using: see `load`.

        One size is kept beside each picture: a page of them would take seconds otherwise.

        Raises:
            FabricError: as `load`.
        """
        path = self._known_path(picture_id)
        kept_path = path.with_suffix(THUMBNAIL_SUFFIX)
        mark = ""
        with contextlib.suppress(OSError):
            # With the file's size, so that a truncated picture is not shown as if it were there.
            mark = f"{size_px} px of {path.stat().st_size} bytes"
            kept = kept_path.read_bytes()
            if is_thumbnail(kept, mark):
                return kept
        data = make_thumbnail(self._read(picture_id).image, size_px, mark)
        # Without one it only takes longer.
        with contextlib.suppress(OSError):
            write_atomically(kept_path, data, is_durable=False)
            self._files.grow(len(data))
        return data

    def write_note(self, picture_id: str, note: bytes) -> None:
        """Keeps `note` beside a picture, in place of an older one; an empty one removes it.

        Raises:
            FabricError: not in the store, or the folder cannot be written.
        """
        path = self._known_path(picture_id)
        note_path = path.with_suffix(NOTE_SUFFIX)
        with _saving("rating"):
            if note:
                write_atomically(note_path, note)
                self._files.grow(len(note))
            else:
                note_path.unlink(missing_ok=True)

    def note(self, picture_id: str) -> bytes:
        """The note beside a picture; an empty one where there is none that can be read."""
        with contextlib.suppress(OSError, FabricError):
            return self._known_path(picture_id).with_suffix(NOTE_SUFFIX).read_bytes()
        return b""

    def notes(self) -> Iterator[tuple[str, bytes]]:
        """Every picture's id with its note; unreadable notes are left out."""
        for path in sorted(self.folder.glob(f"??/*{NOTE_SUFFIX}")):
            if is_full_id(path.stem) and path.stem in self:
                with contextlib.suppress(OSError):
                    yield path.stem, path.read_bytes()

    def num_bytes(self) -> int:
        """How much room the pictures take, with what lies beside them; cheap to ask often."""
        return self._files.num_bytes()

    def sizes(self) -> dict[str, int]:
        """The bytes of every picture with what lies beside it, by its id; also of leftovers."""
        return self._files.sizes()

    def longest_unused(self, spare_seconds: float = SPARE_SECONDS) -> list[str]:
        """Every picture's id, the longest unused first.

        Args:
            spare_seconds: what was used this recently is left out: a picture that was just added
                may be on its way into an active set.
        """
        return self._files.longest_unused(spare_seconds)

    def delete(self, picture_ids: Iterable[str], spare_seconds: float = SPARE_SECONDS) -> list[str]:
        """Deletes pictures with their notes; returns the ids of those that are gone.

        Args:
            spare_seconds: what was used this recently stays.
        """
        return [each for each in picture_ids if self._files.delete(each, spare_seconds)]

    def _read(self, picture_id: str) -> Picture:
        path = self._known_path(picture_id)
        try:
            picture = decode_bytes(path.read_bytes())
        except (OSError, FabricError) as error:
            raise missing_picture(picture_id) from error
        if picture.id != path.stem:
            raise missing_picture(picture_id)
        return picture

    def _is_intact(self, picture_id: str) -> bool:
        try:
            self._read(picture_id)
        except FabricError:
            return False
        return True

    def _known_path(self, picture_id: str) -> Path:
        path = self._find(picture_id)
        if path is None:
            raise missing_picture(picture_id)
        return path

    def _find(self, picture_id: str) -> Path | None:
        if not ID_PATTERN.fullmatch(picture_id):
            return None
        path = self.path(picture_id)
        try:
            if len(picture_id) > SHORT_ID_DIGITS:
                return path if path.is_file() else None
            found = path.parent.glob(f"{picture_id}*{PICTURE_SUFFIX}")
            matches = [each for each in found if is_full_id(each.stem)]
        except OSError:
            # A folder that may not be read, a disk that fails: nothing there can be used.
            return None
        return matches[0] if len(matches) == 1 else None

    def path(self, picture_id: str) -> Path:
        """Where the picture with this id lies, if it is kept."""
        return self.folder / picture_id[:2] / f"{picture_id}{PICTURE_SUFFIX}"


def missing_picture(picture_id: str) -> FabricError:
    """What is said of a picture that the store does not hold, or no longer as it was."""
    name = shorten(picture_id[:SHORT_ID_DIGITS])
    return FabricError("picture {} is no longer in the store. Rate it again.", name)


@contextlib.contextmanager
def _saving(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FabricError(
            "the {} could not be saved: {}.", what, error.strerror or error, status_code=500
        ) from error


def _touch(path: Path) -> None:
    # A store that cannot be written is still good for reading.
    with contextlib.suppress(OSError):
        os.utime(path)
