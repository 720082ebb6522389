"""The files of the picture store: how much room they take, how long unused, and their deletion.

Knows files and what an id looks like.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lib_fabric.library.storage.files import TEMPORARY_PREFIX
from lib_fabric.pictures import is_full_id

_log = logging.getLogger(__name__)
PICTURE_SUFFIX = ".png"
NOTE_SUFFIX = ".json"
THUMBNAIL_SUFFIX = ".jpg"
_SUFFIXES = (PICTURE_SUFFIX, NOTE_SUFFIX, THUMBNAIL_SUFFIX)
SPARE_SECONDS = 60.0
# Other processes write into the folder too.
_RECOUNT_SECONDS = 300.0
_ABANDONED_SECONDS = 3600.0


@dataclass
class _PictureFiles:
    """One picture with what lies beside it; leftovers without a picture count as never used."""

    used_at: float = 0.0
    num_bytes: int = 0


class StoreFiles:
    """What lies below a store's folder; counted rarely and kept up to date in between."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._num_bytes: int | None = None
        self._counted_at = 0.0

    def grow(self, num_bytes: int) -> None:
        """Takes note of a file that was written, or, with a negative number, deleted."""
        with self._lock:
            if self._num_bytes is not None:
                self._num_bytes += num_bytes

    def num_bytes(self) -> int:
        """The bytes below the folder; what other processes wrote lately may be missing."""
        with self._lock:
            is_old = time.monotonic() - self._counted_at > _RECOUNT_SECONDS
            if self._num_bytes is not None and not is_old:
                return self._num_bytes
        self._list()
        return self._num_bytes or 0

    def sizes(self) -> dict[str, int]:
        """The bytes of every picture with what lies beside it, by its id."""
        return {name: each.num_bytes for name, each in self._list().items()}

    def longest_unused(self, spare_seconds: float) -> list[str]:
        """Every picture's id, the longest unused first, but for those used just now."""
        kept = self._list()
        return sorted(
            (name for name, each in kept.items() if not _is_spared(each.used_at, spare_seconds)),
            key=lambda name: kept[name].used_at,
        )

    def delete(self, name: str, spare_seconds: float) -> bool:
        """Deletes a picture with all beside it, unless it was used just now.

        Returns:
            Whether it is gone.
        """
        path = self._folder / name[:2] / f"{name}{PICTURE_SUFFIX}"
        num_bytes = 0
        # The picture first: a note without one is nothing, a picture without its note has lost it.
        for suffix in _SUFFIXES:
            file = path.with_suffix(suffix)
            try:
                state = file.lstat()
                if suffix == PICTURE_SUFFIX and _is_spared(state.st_mtime, spare_seconds):
                    return False
                file.unlink()
                num_bytes += state.st_size
            except FileNotFoundError:
                continue
            except OSError as error:  # in use on Windows, or read-only
                _log.warning("FABRIC: %s could not be deleted: %s", file.name, error)
                if suffix == PICTURE_SUFFIX:
                    return False
        self.grow(-num_bytes)
        return True

    def _list(self) -> dict[str, _PictureFiles]:
        """Every picture with its room, counted anew; removes what crashes left behind."""
        kept: dict[str, _PictureFiles] = defaultdict(_PictureFiles)
        for entry in _entries(self._folder):
            name, suffix = os.path.splitext(entry.name)  # noqa: PTH122 (no path: a scanned name)
            try:
                state = entry.stat(follow_symlinks=False)
                if entry.name.startswith(TEMPORARY_PREFIX):
                    if time.time() - state.st_mtime > _ABANDONED_SECONDS:
                        Path(entry.path).unlink()
                    continue
            except OSError:  # deleted meanwhile, or read-only
                continue
            if suffix in _SUFFIXES and is_full_id(name):
                each = kept[name]
                each.num_bytes += state.st_size
                if suffix == PICTURE_SUFFIX:
                    each.used_at = state.st_mtime
        with self._lock:
            self._num_bytes = sum(each.num_bytes for each in kept.values())
            self._counted_at = time.monotonic()
        return dict(kept)


def _is_spared(used_at: float, spare_seconds: float) -> bool:
    # The upper bound: a clock that was once wrong must not keep a picture for ever.
    age = time.time() - used_at
    return -spare_seconds < age < spare_seconds


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """The files of the store's subfolders; none where there is no store yet."""
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as subfolders:
        for subfolder in subfolders:
            if len(subfolder.name) == 2 and subfolder.is_dir(follow_symlinks=False):
                # Deleted meanwhile, or one that may not be read: the others count all the same.
                with contextlib.suppress(OSError), os.scandir(subfolder) as files:
                    yield from files
