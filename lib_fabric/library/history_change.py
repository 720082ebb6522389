"""What one press has changed in the history, as the page keeps it for undo.

Knows entries of the history; not the database. A page sends back what it was given, or anything
else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from lib_fabric.library.history_entry import HistoryEntry, is_time
from lib_fabric.pictures import is_full_id


@dataclass(frozen=True)
class Change:
    """The entry that one picture had before a press, and which one the press has left.

    Attributes:
        before: the entry.
        after: the time of the entry that the press has left; None if it has left none.
    """

    picture_id: str
    before: HistoryEntry
    after: float | None = None

    def to_text(self) -> str:
        """As JSON."""
        values = {"picture_id": self.picture_id, "before": self.before.to_values()}
        return json.dumps({**values, "after": self.after})

    @classmethod
    def from_text(cls, text: str) -> Change | None:
        """Reads what a page sends back; None if that is empty or damaged."""
        try:
            values = json.loads(text)
            picture_id, before, after = (values[each] for each in ("picture_id", "before", "after"))
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        entry = HistoryEntry.from_values(picture_id, before)
        is_sound = is_full_id(picture_id) and (after is None or is_time(after))
        if entry is None or not is_sound:
            return None
        return cls(picture_id, entry, after)
