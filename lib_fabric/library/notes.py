"""A picture's note: what the database says of it, as a small JSON file beside the picture.

Knows the tables of ratings and owners, and the store. From the notes a damaged database is rebuilt
with nothing lost.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator

from lib_fabric.library.history_entry import FIELDS, TABS, HistoryEntry
from lib_fabric.library.storage.texts import clean_text
from lib_fabric.library.store import PictureStore

_RATINGS = f"SELECT owner, tab, {', '.join(FIELDS)} FROM ratings WHERE picture_id = ?"
_OWNERS = "SELECT owner FROM picture_owners WHERE picture_id = ? ORDER BY owner"


def write_note(connection: sqlite3.Connection, store: PictureStore, picture_id: str) -> None:
    """Writes all that is known of a picture beside it, inside the write lock.

    Raises:
        FabricError: the folder cannot be written.
    """
    if picture_id not in store:
        return
    ratings = [
        {"owner": owner, "tab": tab, **HistoryEntry.from_row(picture_id, *row).to_values()}
        for owner, tab, *row in connection.execute(_RATINGS, (picture_id,))
    ]
    owners = [owner for (owner,) in connection.execute(_OWNERS, (picture_id,))]
    note = {"ratings": ratings, "owners": owners} if ratings or owners else None
    text = "" if note is None else json.dumps(note, ensure_ascii=False)
    store.write_note(picture_id, text.encode())


def entries_in(picture_id: str, note: bytes) -> Iterator[tuple[str, str, HistoryEntry]]:
    """Owner, tab and entry of each rating in a note; what is damaged is left out."""
    for each in _list_in(note, "ratings"):
        entry = HistoryEntry.from_values(picture_id, each)
        if entry is not None and each.get("tab") in TABS and "owner" in each:
            yield clean_text(each["owner"]), each["tab"], entry


def owners_in(note: bytes) -> list[str]:
    """The owners in a note; none in one that is damaged or from before owners were kept."""
    return [clean_text(each) for each in _list_in(note, "owners") if isinstance(each, str)]


def _list_in(note: bytes, name: str) -> list:
    try:
        return list(json.loads(note)[name])
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
