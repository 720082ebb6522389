"""Which pictures each open page has active, kept so that a reload brings them back.

Knows the database and the picture lists' rules. A page names itself and its browser by random
keys of its own making; they are untrusted, and what is not such a key is not kept.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import math
import re
import sqlite3
import time
from collections.abc import Iterable, Mapping

from lib_fabric.errors import FabricError
from lib_fabric.library.rating import clean_text
from lib_fabric.library.storage.database import Database
from lib_fabric.library.storage.records import Key, Records
from lib_fabric.picture_lists import WEIGHT, NamedPicture
from lib_fabric.pictures import SHORT_ID_DIGITS, is_full_id
from lib_fabric.request import PICTURE_LISTS
from lib_fabric.settings import MOST_PICTURES, shorten

MAX_AGE_SECONDS = 30 * 24 * 3600.0
MAX_SETS_EACH_OWNER = 200
# Each browser's newest set outlives both, up to this many: keys cost a stranger nothing.
MAX_BROWSERS_EACH_OWNER = 1000
_log = logging.getLogger(__name__)
_KEY_PATTERN = re.compile(r"[0-9a-f]{32}")
_ANY_ID = re.compile(r"[0-9a-f]{64}")
_DAY_SECONDS = 24 * 3600.0
_KEY_COLUMNS = ("owner", "browser_key", "page_key", "tab")
_WHERE_KEY = "WHERE " + " AND ".join(f"{name} = ?" for name in _KEY_COLUMNS)


PictureLists = Mapping[str, tuple[NamedPicture, ...]]


class ActiveSets:
    """The active pictures of every page, by the lists of `request.PICTURE_LISTS`.

    Every method raises FabricError (500) with one sentence where the disk fails.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._records = Records(database.folder / "active_sets", "list of active pictures")
        database.add_rebuild(self._rebuild)

    def save(
        self, page_key: object, browser_key: object, owner: str, tab: str, pictures: PictureLists
    ) -> None:
        """Keeps a page's set, empty ones too; nothing happens where a key is not one.

        Raises:
            FabricError: a list, id or weight that cannot be.
        """
        if not (_is_key(page_key) and _is_key(browser_key)):
            return
        key = (clean_text(owner), browser_key, page_key, clean_text(tab))
        text = pictures_json(pictures)

        def work(connection: sqlite3.Connection) -> list[Key]:
            now = time.time()
            self._records.put(key, json.dumps([now, text]))
            _insert(connection, key, text, now)
            return _forget_old(connection, key[0], now)

        forgotten = self._database.write(work)
        if forgotten:
            self._drop_records(forgotten)

    def load(
        self, page_key: object, browser_key: object, owner: str, tab: str
    ) -> dict[str, tuple[NamedPicture, ...]]:
        """The page's own set; for a new page the browser's latest of this tab; else empty lists.

        A page that was emptied stays empty. Pictures may have left the store meanwhile.
        """
        if not _is_key(browser_key):
            return _empty()
        own = page_key if _is_key(page_key) else ""
        row = self._database.read(
            lambda connection: connection.execute(
                "SELECT owner, browser_key, page_key, tab, pictures, used_at FROM active_sets "
                "WHERE owner = ? AND browser_key = ? AND tab = ? "
                "ORDER BY page_key = ? DESC, saved_at DESC, rowid DESC LIMIT 1",
                (clean_text(owner), browser_key, clean_text(tab), own),
            ).fetchone()
        )
        if row is None:
            return _empty()
        *key, pictures, used_at = row
        if time.time() - used_at > _DAY_SECONDS:
            self._touch(tuple(key))
        return read_pictures(pictures)

    def _touch(self, key: Key) -> None:
        """Notes that a set is still in use; once a day, since reading should not write."""
        sql = f"UPDATE active_sets SET used_at = ? {_WHERE_KEY}"
        try:
            self._database.write(lambda connection: connection.execute(sql, (time.time(), *key)))
        except FabricError as error:
            # Where nothing can be written, reading goes on.
            _log.warning("FABRIC: %s", error)

    def _drop_records(self, forgotten: list[Key]) -> None:
        """Drops the records of sets that are gone, not of those saved again meanwhile."""

        def work(connection: sqlite3.Connection) -> None:
            sql = f"SELECT 1 FROM active_sets {_WHERE_KEY}"
            for key in forgotten:
                if not connection.execute(sql, key).fetchone():
                    self._records.drop(key)

        try:
            self._database.write(work)
        except FabricError as error:
            # What was asked for is done; a record that stays comes back with a rebuild, no worse.
            _log.warning("FABRIC: %s", error)

    def _rebuild(self, connection: sqlite3.Connection) -> None:
        now = time.time()
        for key, content in self._records.all():
            with contextlib.suppress(ValueError, TypeError, OverflowError, RecursionError):
                saved_at, text = json.loads(content)
                is_whole = len(key) == len(_KEY_COLUMNS) and isinstance(text, str)
                if is_whole and math.isfinite(saved_at):
                    # A clock that was once wrong must not make a set the newest for ever.
                    _insert(connection, key, text, min(float(saved_at), now))

    @staticmethod
    def picture_ids(connection: sqlite3.Connection) -> set[str]:
        """The ids in any set of anybody, inside a transaction."""
        return ids_of(connection.execute("SELECT pictures FROM active_sets"))


def pictures_json(pictures: PictureLists) -> str:
    """Picture lists as they are kept.

    Raises:
        FabricError: an unknown list, a wrong id or weight, too many pictures, one named twice.
    """
    for name in pictures:
        if name not in PICTURE_LISTS:
            raise FabricError(f"there is no list {shorten(name)} of pictures.")
    lists = {name: tuple(pictures.get(name, ())) for name in PICTURE_LISTS}
    for name, entries in lists.items():
        if len(entries) > MOST_PICTURES:
            raise FabricError(
                f"'{name}' may hold at most {MOST_PICTURES} pictures, not {len(entries)}."
            )
    checked = {name: [_checked(each) for each in entries] for name, entries in lists.items()}
    seen: set[str] = set()
    for picture_id, _ in itertools.chain(*checked.values()):
        if picture_id in seen:
            raise FabricError(f"picture {shorten(picture_id[:SHORT_ID_DIGITS])} is named twice.")
        seen.add(picture_id)
    return json.dumps(checked)


def read_pictures(text: str) -> dict[str, tuple[NamedPicture, ...]]:
    """What `pictures_json` wrote; empty where it is damaged."""
    try:
        return parse_pictures(text)
    except ValueError:
        return _empty()


def parse_pictures(text: object) -> dict[str, tuple[NamedPicture, ...]]:
    """What `pictures_json` wrote.

    Raises:
        ValueError: it is damaged.
    """
    try:
        found = json.loads(text)  # type: ignore[arg-type]  # caught below
        return {
            name: tuple(NamedPicture(*_checked(NamedPicture(*each))) for each in found[name])
            for name in PICTURE_LISTS
        }
    except (ValueError, KeyError, TypeError, RecursionError, FabricError) as error:
        raise ValueError("no picture lists") from error


def ids_of(rows: Iterable[tuple[str]]) -> set[str]:
    """The ids in rows of one column with what `pictures_json` wrote somewhere in it.

    Whatever looks like an id counts: of a damaged row no picture must be lost.
    """
    return {each for (text,) in rows for each in _ANY_ID.findall(str(text))}


def _checked(picture: NamedPicture) -> tuple[str, float]:
    if not is_full_id(picture.picture_id):
        raise FabricError(f"{shorten(picture.picture_id)} is not the id of a picture.")
    return picture.picture_id, float(WEIGHT.check(picture.weight))


def _empty() -> dict[str, tuple[NamedPicture, ...]]:
    return {name: () for name in PICTURE_LISTS}


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
