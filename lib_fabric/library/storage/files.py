"""Writing small files so that a reader, or a crash, never meets half of one.

Knows only the standard library.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
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
    with staged(path, data, is_durable=is_durable) as put:
        put()


@contextlib.contextmanager
def staged(path: Path, data: bytes, *, is_durable: bool = True) -> Iterator[Callable[[], None]]:
    """As `write_atomically`, but the rename waits for a call of what the context gives.

    Without one nothing is left when the context ends.
    """
    new_folders = [each for each in path.parents if not each.exists()] if is_durable else []
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY_PREFIX)
    temporary = Path(name)
    is_there = False

    def put() -> None:
        nonlocal is_there
        temporary.replace(path)
        is_there = True
        if is_durable:
            for folder in (path.parent, *(each.parent for each in new_folders)):
                _sync_folder(folder)

    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            # It may wait long for the others of its kind.
            del data
            if is_durable:
                file.flush()
                os.fsync(file.fileno())
        _share_as_folder(temporary)
        yield put
    finally:
        if not is_there:
            with contextlib.suppress(OSError):
                temporary.unlink()


def _share_as_folder(path: Path) -> None:
    """Lets whoever may use the folder use the file: temporary ones are their maker's alone."""
    with contextlib.suppress(OSError):
        path.chmod(path.parent.stat().st_mode & 0o666)


def _sync_folder(folder: Path) -> None:
    """Makes a rename last through a power failure, where the system can (Windows cannot)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
