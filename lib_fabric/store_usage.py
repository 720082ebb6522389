"""How much room the picture store takes, and which pictures go when it is too much.

Knows files only.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path

from lib_fabric.files import TEMPORARY_PREFIX

_log = logging.getLogger(__name__)
PICTURE_SUFFIX = ".png"
NOTE_SUFFIX = ".json"
SPARE_SECONDS = 60.0
# Room made at once, as a share of the limit, so that a full store is not listed at every rating.
_HEADROOM = 0.02
# Other processes write into the folder too.
_RECOUNT_SECONDS = 300.0
_ABANDONED_SECONDS = 3600.0


@dataclass
class _Kept:
    """One picture with what lies beside it; a note that lost its picture counts as never used."""

    used_at: float = 0.0
    num_bytes: int = 0


class StoreUsage:
    """The bytes below a store's folder, counted rarely and kept up to date in between."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._num_bytes: int | None = None
        self._counted_at = 0.0

    def grow(self, num_bytes: int) -> None:
        """Takes note of a file that was written."""
        with self._lock:
            if self._num_bytes is not None:
                self._num_bytes += num_bytes

    def num_bytes(self) -> int:
        """The bytes below the folder: at least this process's own writes are in it."""
        with self._lock:
            is_old = time.monotonic() - self._counted_at > _RECOUNT_SECONDS
            if self._num_bytes is None or is_old:
                self._count(self._list())
            return self._num_bytes or 0

    def shrink(self, max_bytes: int, keep: Set[str], spare_seconds: float) -> list[str]:
        """As `PictureStore.enforce_limit`."""
        with self._lock:
            kept = self._list()
            self._count(kept)
            removed = []
            if self._num_bytes <= max_bytes:
                return removed
            target = max_bytes - int(max_bytes * _HEADROOM)
            newest = time.time() - spare_seconds
            for name, each in sorted(kept.items(), key=lambda item: item[1].used_at):
                if self._num_bytes <= target:
                    break
                if name in keep or each.used_at > newest:
                    continue
                if self._delete(name):
                    self._num_bytes -= each.num_bytes
                    removed.append(name)
            return removed

    def _count(self, kept: dict[str, _Kept]) -> None:
        self._num_bytes = sum(each.num_bytes for each in kept.values())
        self._counted_at = time.monotonic()

    def _list(self) -> dict[str, _Kept]:
        """Every name in the folder with its room; removes what crashes left behind."""
        kept: dict[str, _Kept] = defaultdict(_Kept)
        for entry in _entries(self._folder):
            name, suffix = os.path.splitext(entry.name)  # noqa: PTH122 (no path: a scanned name)
            try:
                state = entry.stat(follow_symlinks=False)
            except FileNotFoundError:  # deleted meanwhile
                continue
            if entry.name.startswith(TEMPORARY_PREFIX):
                if time.time() - state.st_mtime > _ABANDONED_SECONDS:
                    _unlink(Path(entry.path))
            elif suffix in (PICTURE_SUFFIX, NOTE_SUFFIX):
                each = kept[name]
                each.num_bytes += state.st_size
                if suffix == PICTURE_SUFFIX:
                    each.used_at = state.st_mtime
        return dict(kept)

    def _delete(self, name: str) -> bool:
        # The picture first: a note without one is nothing, a picture without its note has lost it.
        path = self._folder / name[:2] / name
        gone = _unlink(path.with_name(name + PICTURE_SUFFIX))
        return gone and _unlink(path.with_name(name + NOTE_SUFFIX))


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """The files of the store's subfolders; none where there is no store yet."""
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as subfolders:
        for subfolder in subfolders:
            if len(subfolder.name) == 2 and subfolder.is_dir(follow_symlinks=False):
                with contextlib.suppress(FileNotFoundError), os.scandir(subfolder) as files:
                    yield from files


def _unlink(path: Path) -> bool:
    """Whether the file is gone now."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:  # in use on Windows, or read-only
        _log.warning("FABRIC: %s could not be deleted: %s", path.name, error)
        return False
    return True
