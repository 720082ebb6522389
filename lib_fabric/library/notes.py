"""A picture's note: what the history says of it, as a small JSON file beside the picture.

Knows entries of the history; not the database, not the store.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from lib_fabric.library.history_entry import TABS, HistoryEntry
from lib_fabric.library.storage.texts import clean_text

# Owner, tab and entry.
Whose = tuple[str, str, HistoryEntry]


def to_note(entries: Iterable[Whose]) -> bytes:
    """All entries of one picture; nothing if there are none."""
    ratings = [{"owner": owner, "tab": tab, **entry.to_values()} for owner, tab, entry in entries]
    return json.dumps({"ratings": ratings}, ensure_ascii=False).encode() if ratings else b""


def from_note(picture_id: str, note: bytes) -> Iterator[Whose]:
    """The entries in a note; what is damaged is left out."""
    try:
        found = list(json.loads(note)["ratings"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return
    for each in found:
        entry = HistoryEntry.from_values(picture_id, each)
        if entry is not None and each.get("tab") in TABS and "owner" in each:
            yield clean_text(each["owner"]), each["tab"], entry
