"""Every picture that was ever rated: verdict, time and how it was made, per login and tab.

Knows the database, the store and its owners. Each rating is also written into the picture's note,
from which a damaged database is rebuilt with nothing lost.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import replace

from lib_fabric.errors import FabricError
from lib_fabric.library.history_entry import (
    FIELDS,
    Details,
    HistoryEntry,
    check_tab_and_verdict,
)
from lib_fabric.library.notes import entries_in, write_note
from lib_fabric.library.owners import PictureOwners
from lib_fabric.library.storage.database import Database
from lib_fabric.library.storage.texts import clean_text, fold
from lib_fabric.library.store import PictureStore, missing_picture
from lib_fabric.pictures import is_full_id
from lib_fabric.ratings import ListName

_log = logging.getLogger(__name__)
MAX_SEARCH_CHARS = 500
_MOST_ROWS = 2**31
_COLUMNS = ", ".join(("picture_id", *FIELDS))


class History:
    """The ratings of every login and tab, over one database and one picture store.

    `owner` is the login name, '' without logins; `tab` is 'txt2img' or 'img2img'. An entry leaves
    the history when its picture leaves the store, so that none shows without its picture.

    Every method raises FabricError (500) with one sentence where the disk fails.
    """

    def __init__(self, database: Database, store: PictureStore, owners: PictureOwners) -> None:
        self.database = database
        self._store = store
        self._owners = owners
        database.add_rebuild(self._rebuild)

    def record(
        self,
        owner: str,
        tab: str,
        picture_id: str,
        verdict: ListName,
        details: Details | None = None,
    ) -> HistoryEntry:
        """Adds a rating, or renews verdict and time of one that is there.

        Args:
            picture_id: the full id of a picture that the owner may open.
            details: how it was made; None or empty keeps what an earlier rating knew.

        Raises:
            FabricError: the picture is not there for this owner, or the verdict is none.
        """
        entry = HistoryEntry(picture_id, verdict, time.time(), details or Details())
        return self.restore(owner, tab, entry)

    def restore(self, owner: str, tab: str, entry: HistoryEntry) -> HistoryEntry:
        """As `record`, with the time of `entry`: undoes a change of it.

        Raises:
            FabricError: as `record`.
        """
        check_tab_and_verdict(tab, entry.verdict)
        owner = clean_text(owner)

        def work(connection: sqlite3.Connection) -> HistoryEntry:
            # Inside: whoever deletes pictures holds the write lock meanwhile.
            is_there = is_full_id(entry.picture_id) and entry.picture_id in self._store
            if not is_there or not self._owners.may_open(connection, owner, entry.picture_id):
                raise missing_picture(entry.picture_id)
            earlier = _find(connection, owner, tab, entry.picture_id)
            kept = entry
            if earlier and entry.details == Details():
                kept = replace(entry, details=earlier.details)
            _insert(connection, owner, tab, kept)
            # Before the commit, so that the note never knows less than the database.
            write_note(connection, self._store, entry.picture_id)
            return kept

        return self.database.write(work)

    def forget(self, owner: str, tab: str, picture_id: str) -> None:
        """Removes a rating; one that is not there changes nothing. The picture stays."""
        if not is_full_id(picture_id):
            return
        owner = clean_text(owner)

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "DELETE FROM ratings WHERE owner = ? AND tab = ? AND picture_id = ?",
                (owner, tab, picture_id),
            )

        self.database.write(work)
        # After the commit, so that the note never knows less; where this fails, the rating would
        # come back with a rebuild, no worse.
        try:
            self.database.write(lambda connection: write_note(connection, self._store, picture_id))
        except FabricError as error:
            _log.warning("FABRIC: %s", error)

    def find(self, owner: str, tab: str, picture_id: str) -> HistoryEntry | None:
        """The rating of one picture, if there is one."""
        owner = clean_text(owner)
        return self.database.read(
            lambda connection: _find(connection, owner, tab, clean_text(picture_id))
        )

    def page(
        self, owner: str, tab: str, *, search: str = "", offset: int = 0, limit: int = 48
    ) -> list[HistoryEntry]:
        """At most `limit` ratings, newest first, after the first `offset`.

        Args:
            search: words that prompt, checkpoint and seed together must all hold, upper and lower
                case alike.
        """
        while True:
            found = self._page(owner, tab, search, offset, limit)
            lost = [each.picture_id for each in found if self._store.is_gone(each.picture_id)]
            if not lost:
                return found
            try:
                self._drop_gone(lost)
            except FabricError as error:
                _log.warning("FABRIC: %s", error)
                return [each for each in found if each.picture_id not in lost]

    def count(self, owner: str, tab: str, search: str = "") -> int:
        """How many ratings `page` can reach."""
        where, values = _where(owner, tab, search)
        return self.database.read(
            lambda connection: connection.execute(
                f"SELECT COUNT(*) FROM ratings WHERE {where}", values
            ).fetchone()[0]
        )

    def _drop_gone(self, picture_ids: list[str]) -> None:
        def work(connection: sqlite3.Connection) -> None:
            # Asked again inside the write lock: one may have been rated anew meanwhile.
            gone = [each for each in picture_ids if self._store.is_gone(each)]
            self.forget_pictures(connection, gone)

        self.database.write(work)

    @staticmethod
    def forget_pictures(connection: sqlite3.Connection, picture_ids: Iterable[str]) -> None:
        """Removes every rating of pictures that left the store, inside a write transaction."""
        connection.executemany(
            "DELETE FROM ratings WHERE picture_id = ?", [(each,) for each in picture_ids]
        )

    def _page(
        self, owner: str, tab: str, search: str, offset: int, limit: int
    ) -> list[HistoryEntry]:
        where, values = _where(owner, tab, search)
        sql = (
            f"SELECT {_COLUMNS} FROM ratings WHERE {where} "
            "ORDER BY rated_at DESC, position DESC LIMIT ? OFFSET ?"
        )
        # SQLite's numbers have 64 bits.
        values = [*values, *(min(max(number, 0), _MOST_ROWS) for number in (limit, offset))]
        rows = self.database.read(lambda connection: connection.execute(sql, values).fetchall())
        return [HistoryEntry.from_row(*row) for row in rows]

    def _rebuild(self, connection: sqlite3.Connection) -> None:
        for picture_id, note in self._store.notes():
            for owner, tab, entry in entries_in(picture_id, note):
                _insert(connection, owner, tab, entry)


def _where(owner: str, tab: str, search: str) -> tuple[str, list[object]]:
    words = fold(clean_text(search, MAX_SEARCH_CHARS)).split()
    # instr, not LIKE: nothing in a word has a meaning.
    condition = "owner = ? AND tab = ?" + " AND instr(words, ?) > 0" * len(words)
    return condition, [clean_text(owner), tab, *words]


def _find(
    connection: sqlite3.Connection, owner: str, tab: str, picture_id: str
) -> HistoryEntry | None:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM ratings WHERE owner = ? AND tab = ? AND picture_id = ?",
        (owner, tab, picture_id),
    ).fetchone()
    return HistoryEntry.from_row(*row) if row else None


def _insert(connection: sqlite3.Connection, owner: str, tab: str, entry: HistoryEntry) -> None:
    values = entry.to_values()
    words = fold("\n".join(str(values[each] or "") for each in ("prompt", "checkpoint", "seed")))
    row = {"owner": owner, "tab": tab, "picture_id": entry.picture_id, **values, "words": words}
    connection.execute(
        # Replaced rather than updated: of two ratings in one tick of the clock the later is newer.
        f"INSERT OR REPLACE INTO ratings ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
        tuple(row.values()),
    )
