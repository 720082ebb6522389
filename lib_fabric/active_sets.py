"""Which pictures each open page has active, kept so that a reload brings them back.

Knows the database and the picture lists' rules. A page names itself and its browser by random
keys of its own making; they are untrusted, and what is not such a key is not kept.
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lib_fabric.database import Database
from lib_fabric.errors import FabricError
from lib_fabric.history import clean_text
from lib_fabric.pictures import ID_PATTERN, SHORT_ID_DIGITS
from lib_fabric.request import MAX_PICTURES, PICTURE_LISTS, WEIGHT
from lib_fabric.settings import shorten

MAX_AGE_SECONDS = 30 * 24 * 3600.0
MAX_SETS_EACH_OWNER = 200
# Each browser's newest set outlives both, up to this many: keys cost a stranger nothing.
MAX_BROWSERS_EACH_OWNER = 1000
_KEY_PATTERN = re.compile(r"[0-9a-f]{32}")
_DAY_SECONDS = 24 * 3600.0


@dataclass(frozen=True)
class ActivePicture:
    """A picture that the next generation uses, and how much it counts (0 to 2)."""

    picture_id: str
    weight: float = 1.0


PictureLists = Mapping[str, tuple[ActivePicture, ...]]


class ActiveSets:
    """The active pictures of every page, by the lists of `request.PICTURE_LISTS`.

    Every method raises FabricError (500) with one sentence where the disk fails.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(
        self, page_key: object, browser_key: object, owner: str, tab: str, pictures: PictureLists
    ) -> None:
        """Keeps a page's set, empty ones too; nothing happens where a key is not one.

        Raises:
            FabricError: a list, id or weight that cannot be.
        """
        if not (_is_key(page_key) and _is_key(browser_key)):
            return
        values = (
            clean_text(owner),
            browser_key,
            page_key,
            clean_text(tab),
            pictures_json(pictures),
        )

        def work(connection: sqlite3.Connection) -> None:
            now = time.time()
            connection.execute(
                "INSERT OR REPLACE INTO active_sets "
                "(owner, browser_key, page_key, tab, pictures, saved_at, used_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*values, now, now),
            )
            _forget_old(connection, values[0], now)

        self._database.write(work)

    def load(
        self, page_key: object, browser_key: object, owner: str, tab: str
    ) -> dict[str, tuple[ActivePicture, ...]]:
        """The page's own set; for a new page the browser's latest of this tab; else empty lists.

        A page that was emptied stays empty. Pictures may have left the store meanwhile.
        """
        if not _is_key(browser_key):
            return _empty()
        own = page_key if _is_key(page_key) else ""
        key = (clean_text(owner), browser_key, clean_text(tab))
        row = self._database.read(
            lambda connection: connection.execute(
                "SELECT pictures, used_at, page_key FROM active_sets "
                "WHERE owner = ? AND browser_key = ? AND tab = ? "
                "ORDER BY page_key = ? DESC, saved_at DESC LIMIT 1",
                (*key, own),
            ).fetchone()
        )
        if row is None:
            return _empty()
        if time.time() - row[1] > _DAY_SECONDS:
            self._touch((*key, row[2]))
        return read_pictures(row[0])

    def _touch(self, key: tuple[str, ...]) -> None:
        """Notes that a set is still in use; once a day, since reading should not write."""
        self._database.write(
            lambda connection: connection.execute(
                "UPDATE active_sets SET used_at = ? "
                "WHERE owner = ? AND browser_key = ? AND tab = ? AND page_key = ?",
                (time.time(), *key),
            )
        )

    @staticmethod
    def picture_ids(connection: sqlite3.Connection) -> set[str]:
        """The ids in any set of anybody, inside a transaction."""
        return ids_of(connection.execute("SELECT pictures FROM active_sets"))


def pictures_json(pictures: PictureLists) -> str:
    """Picture lists as they are kept.

    Raises:
        FabricError: an unknown list, a wrong id or weight, too many pictures.
    """
    for name in pictures:
        if name not in PICTURE_LISTS:
            raise FabricError(f"there is no list {shorten(name)} of pictures.")
    lists = {name: tuple(pictures.get(name, ())) for name in PICTURE_LISTS}
    for name, entries in lists.items():
        if len(entries) > MAX_PICTURES:
            raise FabricError(
                f"'{name}' may hold at most {MAX_PICTURES} pictures, not {len(entries)}."
            )
    return json.dumps(
        {name: [_checked(each) for each in entries] for name, entries in lists.items()}
    )


def read_pictures(text: str) -> dict[str, tuple[ActivePicture, ...]]:
    """What `pictures_json` wrote; empty where it is damaged."""
    try:
        found = json.loads(text)
        return {
            name: tuple(ActivePicture(*_checked(ActivePicture(*each))) for each in found[name])
            for name in PICTURE_LISTS
        }
    except (ValueError, KeyError, TypeError, FabricError):
        return _empty()


def ids_of(rows: Iterable[tuple[str]]) -> set[str]:
    """The ids in rows of one column that `pictures_json` wrote."""
    return {
        each.picture_id
        for (text,) in rows
        for entries in read_pictures(text).values()
        for each in entries
    }


def _checked(picture: ActivePicture) -> tuple[str, float]:
    name = picture.picture_id
    is_id = isinstance(name, str) and ID_PATTERN.fullmatch(name) and len(name) > SHORT_ID_DIGITS
    if not is_id:
        raise FabricError(f"{shorten(name)} is not the id of a picture.")
    return name, float(WEIGHT.check(picture.weight))


def _empty() -> dict[str, tuple[ActivePicture, ...]]:
    return {name: () for name in PICTURE_LISTS}


def _is_key(key: object) -> bool:
    return isinstance(key, str) and _KEY_PATTERN.fullmatch(key) is not None


def _forget_old(connection: sqlite3.Connection, owner: str, now: float) -> None:
    """Drops sets that nobody will come back to; see the limits at the top."""
    connection.execute(
        """
        WITH ranked AS (
            SELECT rowid AS id, used_at,
                ROW_NUMBER() OVER (ORDER BY used_at DESC, rowid DESC) AS place,
                ROW_NUMBER() OVER (
                    PARTITION BY browser_key, tab ORDER BY saved_at DESC, rowid DESC
                ) AS place_in_browser
            FROM active_sets WHERE owner = :owner
        )
        DELETE FROM active_sets WHERE rowid IN (
            SELECT id FROM ranked
            WHERE place > :most
            OR (place_in_browser > 1 AND (place > :each OR used_at < :oldest))
        )
        """,
        {
            "owner": owner,
            "most": MAX_BROWSERS_EACH_OWNER,
            "each": MAX_SETS_EACH_OWNER,
            "oldest": now - MAX_AGE_SECONDS,
        },
    )
