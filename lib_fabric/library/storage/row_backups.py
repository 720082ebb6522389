"""Rows of the database once more as small files, from which a damaged database is rebuilt.

Knows files only. A row's file is named by a hash of its key: no text of a user becomes a path.
The files know at least what the database knows: a file is written before the row is committed and
deleted after the row is gone.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path

from lib_fabric.errors import FabricError
from lib_fabric.library.storage.files import write_atomically

_log = logging.getLogger(__name__)
Key = tuple[str, ...]


class RowBackups:
    """One JSON text for each key, below `folder`.

    Args:
        what: what a row is called in messages, such as 'preset'.
    """

    def __init__(self, folder: Path, what: str) -> None:
        self.folder = folder
        self._what = what

    def write(self, key: Key, text: str) -> None:
        """Keeps `text`.

        Raises:
            FabricError: 500, the folder cannot be written.
        """
        content = json.dumps({"key": key, "text": text}, ensure_ascii=False)
        try:
            write_atomically(self.path(key), content.encode())
        except OSError as error:
            raise FabricError(
                "the {} could not be saved: {}.",
                self._what,
                error.strerror or error,
                status_code=500,
            ) from error

    def delete(self, key: Key) -> None:
        """Deletes a file. Where that fails it comes back with the next rebuild, no worse."""
        self._delete(self.path(key))

    def delete_all(self, owner: str | None = None) -> None:
        """Deletes every file, damaged ones too; or those whose key begins with `owner`."""
        if owner is None:
            for file in self.folder.glob("*.json"):
                self._delete(file)
        else:
            for key in [key for key, _ in self.all() if key[:1] == (owner,)]:
                self.delete(key)

    def all(self) -> Iterator[tuple[Key, str]]:
        """Every key with its text; damaged files are left out."""
        for file in sorted(self.folder.glob("*.json")):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
                content = json.loads(file.read_text("utf-8"))
                key, text = tuple(map(str, content["key"])), str(content["text"])
                "".join((*key, text)).encode()  # what is no text, the database cannot hold
                if file == self.path(key):
                    yield key, text

    def path(self, key: Key) -> Path:
        """Where the text of `key` lies, if it is kept."""
        digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()
        return self.folder / f"{digest}.json"

    def _delete(self, file: Path) -> None:
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("FABRIC: a %s's file could not be deleted: %s", self._what, error)
