"""Which pictures and settings each open page has, kept so that a reload brings them back.

Knows the database and whose the pictures are. A page names itself and its browser by random
keys of its own making; they are untrusted, and what is not such a key is not kept.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import re
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping

from lib_fabric.errors import FabricError
from lib_fabric.library.owners import PictureOwners
from lib_fabric.library.storage.database import Database
from lib_fabric.library.storage.row_backups import Key, RowBackups
from lib_fabric.library.storage.texts import clean_text
from lib_fabric.ratings import Ratings, checked, from_json, to_json

MAX_AGE_SECONDS = 30 * 24 * 3600.0
MAX_SETS_EACH_OWNER = 200
# Each browser's newest set outlives both, up to this many: keys cost a stranger nothing.
MAX_BROWSERS_EACH_OWNER = 1000
_log = logging.getLogger(__name__)
_KEY_PATTERN = re.compile(r"[0-9a-f]{32}")
_ANY_ID = re.compile(r"[0-9a-f]{64}")
_SETTINGS = "settings"
_DAY_SECONDS = 24 * 3600.0
_KEY_COLUMNS = ("owner", "browser_key", "page_key", "tab")
_WHERE_KEY = "WHERE " + " AND ".join(f"{name} = ?" for name in _KEY_COLUMNS)


class ActiveSets:
    """The active pictures of every page, by their ids.

    Every method raises FabricError (500) with one sentence where the disk fails.
    """

    def __init__(self, database: Database, owners: PictureOwners) -> None:
        self.database = database
        self._owners = owners
        self.backups = RowBackups(database.folder / "active_sets", "list of active pictures")
        database.add_rebuild(self._rebuild)

    def save(
        self,
        page_key: object,
        browser_key: object,
        owner: str,
        tab: str,
        ratings: Ratings[str],
        settings: Mapping[str, object] | None = None,
    ) -> None:
        """Keeps a page's set, empty ones too, of what its owner may open.

        Nothing happens where a key is not one.

        Args:
            settings: values that JSON can hold, by name.

        Raises:
            FabricError: a list, id or weight that cannot be.
        """
        if not (_is_key(page_key) and _is_key(browser_key)):
            return
        owner = clean_text(owner)
        key = (owner, browser_key, page_key, clean_text(tab))
        ratings = checked(ratings)

        def work(connection: sqlite3.Connection) -> list[Key]:
            now = time.time()
            # A page may name any picture; a rebuild takes the word of what is kept for whose it is.
            own = ratings.only(lambda each: self._owners.may_open(connection, owner, each.picture))
            text = _with_settings(to_json(own), settings)
            self.backups.write(key, json.dumps([now, text]))
            _insert(connection, key, text, now)
            return _forget_old(connection, owner, now)

        forgotten = self.database.write(work)
        if forgotten:
            self._delete_backups(forgotten)

    def load(self, page_key: object, browser_key: object, owner: str, tab: str) -> Ratings[str]:
        """The page's own set; for a new page the browser's latest of this tab; else an empty one.

        A page that was emptied stays empty. Pictures may have left the store meanwhile.
        """
        try:
            return from_json(self._kept(page_key, browser_key, owner, tab))
        except ValueError:
            return Ratings()

    def settings(
        self, page_key: object, browser_key: object, owner: str, tab: str
    ) -> dict[str, object]:
        """The settings that were kept with the set that `load` gives; none for an older one."""
        try:
            found = json.loads(self._kept(page_key, browser_key, owner, tab)).get(_SETTINGS, {})
        except (ValueError, AttributeError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def _kept(self, page_key: object, browser_key: object, owner: str, tab: str) -> str:
        """What was kept for a page; an empty text for nothing."""
        if not _is_key(browser_key):
            return ""
        own = page_key if _is_key(page_key) else ""
        row = self.database.read(
            lambda connection: connection.execute(
                "SELECT owner, browser_key, page_key, tab, pictures, used_at FROM active_sets "
                "WHERE owner = ? AND browser_key = ? AND tab = ? "
                "ORDER BY page_key = ? DESC, saved_at DESC, rowid DESC LIMIT 1",
                (clean_text(owner), browser_key, clean_text(tab), own),
            ).fetchone()
        )
        if row is None:
            return ""
        *key, pictures, used_at = row
        if time.time() - used_at > _DAY_SECONDS:
            self._touch(tuple(key))
        return pictures

    def _touch(self, key: Key) -> None:
        """Notes that a set is still in use; once a day, since reading should not write."""
        sql = f"UPDATE active_sets SET used_at = ? {_WHERE_KEY}"
        try:
            self.database.write(lambda connection: connection.execute(sql, (time.time(), *key)))
        except FabricError as error:
            # Where nothing can be written, reading goes on.
            _log.warning("FABRIC: %s", error)

    def _delete_backups(self, forgotten: list[Key]) -> None:
        """Deletes the files of sets that are gone, not of those saved again meanwhile."""

        def work(connection: sqlite3.Connection) -> None:
            sql = f"SELECT 1 FROM active_sets {_WHERE_KEY}"
            for key in forgotten:
                if not connection.execute(sql, key).fetchone():
                    self.backups.delete(key)

        try:
            self.database.write(work)
        except FabricError as error:
            # What was asked for is done; a file that stays comes back with a rebuild, no worse.
            _log.warning("FABRIC: %s", error)

    def _rebuild(self, connection: sqlite3.Connection) -> None:
        now = time.time()
        for key, content in self.backups.all():
            with contextlib.suppress(ValueError, TypeError, OverflowError, RecursionError):
                saved_at, text = json.loads(content)
                is_whole = len(key) == len(_KEY_COLUMNS) and isinstance(text, str)
                if is_whole and math.isfinite(saved_at):
                    # A clock that was once wrong must not make a set the newest for ever.
                    _insert(connection, key, text, min(float(saved_at), now))

    @staticmethod
    def last_uses(connection: sqlite3.Connection) -> dict[str, float]:
        """When a set of anybody that holds it was last used, by a picture's id.

        Inside a transaction; in Unix seconds.
        """
        rows = connection.execute("SELECT used_at, pictures FROM active_sets ORDER BY used_at")
        return {each: used_at for used_at, text in rows for each in ids_of([(text,)])}

    @staticmethod
    def named(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
        """Every picture's id in a set, with whose set it is, inside a transaction."""
        for owner, text in connection.execute("SELECT owner, pictures FROM active_sets"):
            with contextlib.suppress(ValueError):
                yield from ((each.picture, owner) for each in from_json(text))


def ids_of(rows: Iterable[tuple[str]]) -> set[str]:
    """The ids in rows of one column with what `ratings.to_json` wrote somewhere in it.

    Whatever looks like an id counts: of a damaged row no picture must be lost.
    """
    return {each for (text,) in rows for each in _ANY_ID.findall(str(text))}


def _with_settings(pictures: str, settings: Mapping[str, object] | None) -> str:
    """Beside the lists, where an earlier version that reads them does not look."""
    return json.dumps({**json.loads(pictures), _SETTINGS: dict(settings)}) if settings else pictures


def _is_key(key: object) -> bool:
    return isinstance(key, str) and _KEY_PATTERN.fullmatch(key) is not None


def _insert(connection: sqlite3.Connection, key: Key, pictures: str, saved_at: float) -> None:
    connection.execute(
        f"INSERT OR REPLACE INTO active_sets ({', '.join(_KEY_COLUMNS)}, pictures, saved_at, "
        "used_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*key, pictures, saved_at, saved_at),
    )


def _forget_old(connection: sqlite3.Connection, owner: str, now: float) -> list[Key]:
    """Drops an owner's sets that nobody will come back to (the limits at the top)."""
    limits = {
        "owner": owner,
        "most": MAX_BROWSERS_EACH_OWNER,
        "each": MAX_SETS_EACH_OWNER,
        "oldest": now - MAX_AGE_SECONDS,
    }
    old = connection.execute(
        f"""
        WITH ranked AS (
            SELECT *,
                ROW_NUMBER() OVER (ORDER BY used_at DESC, rowid DESC) AS place,
                ROW_NUMBER() OVER (
                    PARTITION BY browser_key, tab ORDER BY saved_at DESC, rowid DESC
                ) AS place_in_browser
            FROM active_sets WHERE owner = :owner
        )
        SELECT {", ".join(_KEY_COLUMNS)} FROM ranked
        WHERE place > :most
        OR (place_in_browser > 1 AND (place > :each OR used_at < :oldest))
        """,
        limits,
    ).fetchall()
    connection.executemany(f"DELETE FROM active_sets {_WHERE_KEY}", old)
    return old
