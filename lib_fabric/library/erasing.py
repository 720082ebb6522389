"""Deletes all that is kept: of everybody where there are no logins, else what is one login's own.

Knows the tables and files of every part of the library; not the limit on its size.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from lib_fabric.errors import FabricError
from lib_fabric.library.notes import write_note
from lib_fabric.library.owners import PictureOwners
from lib_fabric.library.presets import Presets
from lib_fabric.library.storage.database import Database
from lib_fabric.library.storage.row_backups import RowBackups
from lib_fabric.library.storage.texts import clean_text
from lib_fabric.library.store import PictureStore

# Deleted in one go: a rating of another login waits for no more than these.
_BATCH = 50
_TABLES = ("ratings", "active_sets", "presets", "picture_owners")
_IS_USED = (
    "SELECT 1 FROM picture_owners WHERE picture_id = :id "
    "UNION SELECT 1 FROM ratings WHERE picture_id = :id"
)


@dataclass(frozen=True)
class Stored:
    """How much `Erasing.erase` would delete.

    Attributes:
        num_bytes: of the pictures with all that lies beside them.
    """

    num_pictures: int = 0
    num_ratings: int = 0
    num_presets: int = 0
    num_bytes: int = 0

    def __bool__(self) -> bool:
        return self != Stored()


class Erasing:
    """Deletes what was stored.

    Without logins that is all there is, whoever brought it. With logins it is what the one who asks
    has rated, saved and brought; what somebody else owns as well stays for them, and so does what
    came by the API or is known to be nobody's.

    Every method raises FabricError (500) with one sentence where the disk fails.

    Args:
        backups: the files of active sets and presets.
    """

    def __init__(
        self,
        database: Database,
        store: PictureStore,
        owners: PictureOwners,
        backups: Iterable[RowBackups],
    ) -> None:
        self._database = database
        self._store = store
        self._owners = owners
        self._backups = tuple(backups)
        # By owner, as long as this process runs: pages that are open still name them.
        self._erased: dict[str, set[str]] = defaultdict(set)

    def measure(self, owner: str) -> Stored:
        """How much `erase` would delete."""
        where, values = self._where(owner)

        def work(connection: sqlite3.Connection) -> Stored:
            sizes = self._store.sizes()
            going = self._ids(connection, owner) & set(sizes)
            if values:
                others = "SELECT picture_id FROM picture_owners WHERE owner != ?"
                going -= {each for (each,) in connection.execute(others, values)}
            num_ratings, num_presets = (
                connection.execute(f"SELECT COUNT(*) FROM {table}{where}", values).fetchone()[0]
                for table in ("ratings", "presets")
            )
            num_bytes = sum(sizes[each] for each in going)
            return Stored(len(going), num_ratings, num_presets, num_bytes)

        return self._database.read(work)

    def erase(self, owner: str) -> None:
        """Deletes it.

        Raises:
            FabricError: some pictures could not be deleted; all else is gone.
        """
        where, values = self._where(owner)

        def work(connection: sqlite3.Connection) -> list[str]:
            # Prompts must not stay readable in the file.
            connection.execute("PRAGMA secure_delete = ON")
            ids = self._ids(connection, owner)
            for table in _TABLES:
                connection.execute(f"DELETE FROM {table}{where}", values)
            # Inside the write lock: nothing new is among them.
            for each in self._backups:
                each.delete_all(*values)
            return sorted(ids)

        ids = self._database.write(work)
        self._erased[clean_text(owner)].update(ids)
        num_left = 0
        for start in range(0, len(ids), _BATCH):
            num_left += self._delete(ids[start : start + _BATCH])
        if not values:
            self._database.delete_broken()
        if num_left:
            raise FabricError(
                "Pictures that could not be deleted: {}. See the WebUI's console.",
                str(num_left),
                status_code=500,
            )

    def is_erased(self, owner: str, picture_id: str) -> bool:
        """Whether `owner` has deleted a picture, by its whole id, since the WebUI was started."""
        return picture_id in self._erased.get(clean_text(owner), ())

    def _where(self, owner: str) -> tuple[str, tuple[str, ...]]:
        """Which rows are the owner's, and the values of that; none where all are."""
        if not self._owners.has_logins():
            return "", ()
        if not clean_text(owner):
            raise FabricError("Log in first: only your own can be deleted.")
        return " WHERE owner = ?", (clean_text(owner),)

    def _ids(self, connection: sqlite3.Connection, owner: str) -> set[str]:
        where, values = self._where(owner)
        if not values:
            return set(self._store.sizes())
        found = connection.execute(f"SELECT picture_id FROM picture_owners{where}", values)
        return {each for (each,) in found}

    def _delete(self, picture_ids: Iterable[str]) -> int:
        """Deletes pictures, but for those that are somebody's now; how many could not be."""

        def work(connection: sqlite3.Connection) -> int:
            in_presets, num_left = Presets.picture_ids(connection), 0
            for each in picture_ids:
                if each in in_presets or connection.execute(_IS_USED, {"id": each}).fetchone():
                    with contextlib.suppress(FabricError):
                        write_note(connection, self._store, each)
                elif not self._store.delete([each], spare_seconds=0):
                    num_left += 1
            return num_left

        return self._database.write(work)
