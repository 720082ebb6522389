"""Mends what a page is given so that it can generate with it, and says what was mended.

Lists and settings are kept longer than the limits and widgets that they were made with. Knows
ratings and the names of settings; not where either comes from.
"""

from __future__ import annotations

from collections.abc import Mapping

from lib_fabric.page.messages import Message, Note
from lib_fabric.ratings import LIST_NAMES, Ratings
from lib_fabric.settings import FabricSettings

_TOO_MANY = "Each list may hold at most {} here, so the oldest pictures were left out."
_TURNED = "Start was after End, so the two have changed places."


def fit_lists(ratings: Ratings[str], limit: int) -> tuple[Ratings[str], Message | None]:
    """The newest `limit` of each list, and what is said if that is not all."""
    fitting = Ratings(*(ratings.of(name)[-limit:] for name in LIST_NAMES))
    return fitting, None if fitting == ratings else Message(_TOO_MANY, str(limit))


def fit_schedule(settings: Mapping[str, object]) -> tuple[dict[str, object], Message | None]:
    """`settings` with start and end in order, and what is said if they were not."""
    fields = {field.name: field for field in FabricSettings.fields()}
    usable = {name: fields[name].read(value) for name, value in settings.items() if name in fields}
    start, end = usable.get("start"), usable.get("end")
    if start is None or end is None or start <= end:
        return dict(settings), None
    rest = {name: value for name, value in usable.items() if value is not None}
    return {**rest, "start": end, "end": start}, Message(_TURNED)


def note_of(*messages: Message | None) -> Note | None:
    """One note of all that is to be said; None of nothing."""
    said = [each for each in messages if each is not None]
    if not said:
        return None
    return Note(said[0] if len(said) == 1 else Message(" ".join("{}" for _ in said), *said))
