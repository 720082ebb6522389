"""Whose the pictures are: an id, which stands in every infotext, opens one for its owners alone.

Knows the database and the store. A login owns what it has rated, uploaded, imported or generated
with, also after a rating is taken back. Without logins everybody opens everything; where there are
some, '' is nobody, and what it brought while there were none is nobody's.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterable

from PIL import Image

from lib_fabric.errors import FabricError
from lib_fabric.library.notes import owners_in, write_note
from lib_fabric.library.storage.database import Database
from lib_fabric.library.storage.texts import clean_text
from lib_fabric.library.store import PictureStore, missing_picture
from lib_fabric.pictures import Picture

_log = logging.getLogger(__name__)
# Who brings pictures by the API. No login is called so: the WebUI ends a name at the first colon.
API_OWNER = "api:"
Named = Iterable[tuple[str, str]]


class PictureOwners:
    """The owners of every picture.

    Args:
        has_logins: whether the WebUI asks for a login.
        named_elsewhere: who names which pictures in what the library keeps besides the history, as
            (picture's id, owner), inside a transaction: these own them since before owners were
            kept.
    """

    def __init__(
        self,
        database: Database,
        store: PictureStore,
        has_logins: Callable[[], bool],
        named_elsewhere: Callable[[sqlite3.Connection], Named],
    ) -> None:
        self._database = database
        self._store = store
        self.has_logins = has_logins
        self._named_elsewhere = named_elsewhere
        database.add_rebuild(self._rebuild, since=2)

    def may_open(self, connection: sqlite3.Connection, owner: str, picture_id: str) -> bool:
        """Whether an id opens a picture for `owner`, inside a transaction."""
        return not self.has_logins() or (owner != "" and _owns(connection, owner, picture_id))

    def opens(self, owner: str, picture_id: str) -> bool:
        """As `may_open`, outside a transaction.

        Raises:
            FabricError: 500, the disk fails.
        """
        if not self.has_logins():
            return True
        return self._database.read(lambda each: self.may_open(each, owner, picture_id))

    def add(self, owner: str, picture_id: str) -> None:
        """Makes `owner` one of a picture's owners.

        Raises:
            FabricError: the picture is not in the store, or (500) the disk fails.
        """
        is_known = self._database.read(lambda connection: _owns(connection, owner, picture_id))
        # Whoever deletes a picture by hand deletes its note, from which owners are rebuilt.
        if is_known and owner in owners_in(self._store.note(picture_id)):
            return

        def work(connection: sqlite3.Connection) -> None:
            # Inside: whoever deletes pictures holds the write lock meanwhile.
            if picture_id not in self._store:
                raise missing_picture(picture_id)
            _insert(connection, [(picture_id, owner)])
            # Before the commit, so that the note never knows less than the database.
            write_note(connection, self._store, picture_id)

        self._database.write(work)

    @staticmethod
    def forget_pictures(connection: sqlite3.Connection, picture_ids: Iterable[str]) -> None:
        """Forgets the owners of pictures that left the store, inside a write transaction."""
        connection.executemany(
            "DELETE FROM picture_owners WHERE picture_id = ?", [(each,) for each in picture_ids]
        )

    def _rebuild(self, connection: sqlite3.Connection) -> None:
        """Fills the table from notes and, as nobody kept owners once, from who names what."""
        noted = {(each, owner) for each, note in self._store.notes() for owner in owners_in(note)}
        noted |= set(connection.execute("SELECT picture_id, owner FROM ratings"))
        others = set(self._named_elsewhere(connection)) - noted
        _insert(connection, noted | others)
        # The history's part stands in the notes already.
        for picture_id in {each for each, _ in others if each in self._store}:
            with contextlib.suppress(FabricError):
                write_note(connection, self._store, picture_id)


class OwnedPictures:
    """The pictures of the store as one login sees them: what it brings becomes its own.

    What the login does not own is missing for it, as if it were not there.
    """

    def __init__(
        self,
        owner: str,
        store: PictureStore,
        owners: PictureOwners,
        is_erased: Callable[[str, str], bool],
    ) -> None:
        self._owner = clean_text(owner)
        self._store = store
        self._owners = owners
        self._is_erased = is_erased

    def add(self, picture: Picture | Image.Image) -> Picture:
        """As `PictureStore.add`."""
        kept = self._store.add(picture)
        self._own([kept.id])
        return kept

    def add_all(self, pictures: Iterable[Picture]) -> list[str]:
        """As `PictureStore.add_all`."""
        added = self._store.add_all(pictures)
        self._own(added)
        return added

    def num_pixels(self, picture_id: str) -> int:
        """As `PictureStore.num_pixels`."""
        return self._store.num_pixels(self._known_id(picture_id))

    def load(self, picture_id: str) -> Picture:
        """As `PictureStore.load`."""
        return self._store.load(self._known_id(picture_id))

    def find(self, picture_id: str) -> str | None:
        """As `PictureStore.find`."""
        whole = self._whole_id(picture_id)
        return None if whole is None else self._store.find(whole)

    def thumbnail(self, picture_id: str) -> bytes:
        """As `PictureStore.thumbnail`."""
        return self._store.thumbnail(self._known_id(picture_id))

    def __contains__(self, picture_id: object) -> bool:
        return isinstance(picture_id, str) and self._whole_id(picture_id) is not None

    def is_erased(self, picture_id: str) -> bool:
        """Whether this login has deleted the picture with all else, and not brought it again."""
        return self._is_erased(self._owner, picture_id) and picture_id not in self

    def _whole_id(self, picture_id: str) -> str | None:
        whole = self._store.whole_id(picture_id)
        return whole if whole is not None and self._owners.opens(self._owner, whole) else None

    def _known_id(self, picture_id: str) -> str:
        whole = self._whole_id(picture_id)
        if whole is None:
            raise missing_picture(picture_id)
        return whole

    def _own(self, picture_ids: Iterable[str]) -> None:
        try:
            for each in picture_ids:
                self._owners.add(self._owner, each)
        except FabricError as error:
            if self._owners.has_logins():
                raise
            # Nobody asks whose it is; a disk that fails must not cost a rating.
            _log.warning("FABRIC: %s", error)


def _owns(connection: sqlite3.Connection, owner: str, picture_id: str) -> bool:
    sql = "SELECT 1 FROM picture_owners WHERE picture_id = ? AND owner = ?"
    return connection.execute(sql, (picture_id, owner)).fetchone() is not None


def _insert(connection: sqlite3.Connection, owned: Named) -> None:
    sql = "INSERT OR IGNORE INTO picture_owners (picture_id, owner) VALUES (?, ?)"
    connection.executemany(sql, list(owned))
