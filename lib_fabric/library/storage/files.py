"""Writing small files so that a reader, or a crash, never meets half of one.

Knows only the standard library.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

# What an interrupted write may leave behind; never taken for a picture or a row.
TEMPORARY_PREFIX = ".new-"


def write_atomically(path: Path, data: bytes, *, is_durable: bool = True) -> None:
    """Puts `data` at `path` by one rename; makes the folder.

    Args:
        is_durable: whether it must have reached the disk before; else a power failure may leave a
            broken file.

    Raises:
        OSError: nothing was changed.
    """
    new_folders = [each for each in path.parents if not each.exists()] if is_durable else []
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY_PREFIX)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            if is_durable:
                file.flush()
                os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
    if is_durable:
        for folder in (path.parent, *(each.parent for each in new_folders)):
            _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    """Makes a rename last through a power failure, where the system can (Windows cannot)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
