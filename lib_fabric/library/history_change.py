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
    """The entry of one picture before a press, and which one the press has left.

    Attributes:
        before: the entry; None if there was none.
        after: the time of the entry that the press has left; None if it has left none.
    """

    picture_id: str
    before: HistoryEntry | None = None
    after: float | None = None

    def to_text(self) -> str:
        """As JSON."""
        before = self.before and self.before.to_values()
        return json.dumps({"picture_id": self.picture_id, "before": before, "after": self.after})

    @classmethod
    def from_text(cls, text: str) -> Change | None:
        """Reads what a page sends back; None if that is empty or damaged."""
        try:
            values = json.loads(text)
            picture_id, before, after = (values[each] for each in ("picture_id", "before", "after"))
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        entry = None if before is None else HistoryEntry.from_values(picture_id, before)
        # An entry that cannot be read must not pass for "there was none".
        is_sound = is_full_id(picture_id) and (entry is None) == (before is None)
        if not is_sound or not (after is None or is_time(after)):
            return None
        return cls(picture_id, entry, after)
