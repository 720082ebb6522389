"""What one press has changed in the history, as the page keeps it for undo.

Knows ratings; not the database. A page sends back what it was given, or anything else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from lib_fabric.library.rating import TABS, Rating, from_note, is_time, to_note
from lib_fabric.pictures import is_full_id


@dataclass(frozen=True)
class Change:
    """The entry of one picture before a press, and which one the press has left.

    Attributes:
        before: the entry; None if there was none.
        after: the time of the entry that the press has left; None if it has left none.
    """

    picture_id: str
    before: Rating | None = None
    after: float | None = None

    def to_text(self) -> str:
        """As JSON."""
        note = to_note([_row(self.before)] if self.before else []).decode()
        return json.dumps({"picture_id": self.picture_id, "before": note, "after": self.after})

    @classmethod
    def from_text(cls, text: str) -> Change | None:
        """Reads what a page sends back; None if that is empty or damaged."""
        try:
            values = json.loads(text)
            picture_id, note, after = (values[each] for each in ("picture_id", "before", "after"))
            before = next(iter(from_note(picture_id, note.encode())), None)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
        is_sound = is_full_id(picture_id) and (after is None or is_time(after))
        # A note that cannot be read must not pass for "there was no entry".
        if not is_sound or (note and before is None):
            return None
        return cls(picture_id, before and before[2], after)


def _row(rating: Rating) -> tuple:
    """As `to_note` takes it; whose it is the page does not decide."""
    details = rating.details
    seed = None if details.seed is None else str(details.seed)
    return (
        "", TABS[0], rating.picture_id, rating.verdict, rating.rated_at,
        details.prompt, seed, details.checkpoint,
    )  # fmt: skip
