"""The press in Settings that deletes all that FABRIC has stored.

Knows how much that is and how it is said; not where anything lies.
"""

from __future__ import annotations

from lib_fabric.errors import FabricError, Message
from lib_fabric.library.erasing import Stored
from lib_fabric.library.library import Library
from lib_fabric.page.actions import Action
from lib_fabric.page.messages import Note
from lib_fabric.page.outcome import Outcome, PageState
from lib_fabric.ratings import Ratings

_ALL = (
    "Delete everything that FABRIC has stored here, for good? Pictures: {}, ratings in the "
    "history: {}, presets: {}, together {}. The pictures that the WebUI has saved stay."
)
_OWN = (
    "Delete everything that FABRIC has stored for your login, for good? Pictures: {}, ratings in "
    "the history: {}, presets: {}, together {}. What others have rated too stays theirs, and "
    "the pictures that the WebUI has saved stay."
)


def erase(library: Library, action: Action, page: PageState) -> Outcome:
    """Deletes all that is stored for the page's owner; asks first.

    Raises:
        FabricError: not all could be deleted.
    """
    stored = library.erasing.measure(page.owner)
    if not stored and not page.ratings:
        done = Note(Message("FABRIC has nothing stored."), is_warning=False)
        return Outcome(page.ratings, note=done)
    if not action.overwrite:
        return Outcome(page.ratings, question=_question(stored, is_all=not page.owner))
    outcome = Outcome(Ratings(), presets_changed=True)
    outcome.note = Note(Message("Everything that FABRIC had stored is deleted."), is_warning=False)
    try:
        library.erasing.erase(page.owner)
    except FabricError as error:
        outcome.note = Note(Message.of(error))
    return outcome


def _question(stored: Stored, is_all: bool) -> Message:
    counts = (stored.num_pictures, stored.num_ratings, stored.num_presets)
    return Message(_ALL if is_all else _OWN, *map(str, counts), _size(stored.num_bytes))


def _size(num_bytes: int) -> str:
    kilobytes = -(-num_bytes // 1024)
    return f"{kilobytes} KB" if kilobytes < 1024 else f"{kilobytes / 1024:,.0f} MB"
