"""What a press writes into the history, and how undo takes it back.

Knows the library; not actions, not lists.
"""

from __future__ import annotations

from lib_fabric.errors import FabricError, Message
from lib_fabric.library.history_change import Change
from lib_fabric.library.history_entry import Details
from lib_fabric.library.library import Library
from lib_fabric.page.messages import Note
from lib_fabric.page.outcome import PageState
from lib_fabric.ratings import ListName


class HistoryEntries:
    """The entries of every page's login and tab, changed one at a time."""

    def __init__(self, library: Library) -> None:
        self._history = library.history
        self._library = library

    def record(
        self, page: PageState, picture_id: str, verdict: ListName, details: Details | None = None
    ) -> tuple[Change | None, Note | None]:
        """Writes a rating; a disk that fails there is a note, since it must not cost the rating."""
        try:
            known = self._history.find(page.owner, page.tab, picture_id)
            if details is None and known is not None and known.verdict == verdict:
                return None, None
            entry = self._history.record(page.owner, page.tab, picture_id, verdict, details)
        except FabricError as error:
            return None, unwritten(error)
        # What was once rated stays, so undo takes no new entry out again.
        return known and Change(picture_id, known, entry.rated_at), None

    def forget(self, page: PageState, picture_id: str) -> Change | None:
        """Takes an entry out.

        Raises:
            FabricError: the disk fails.
        """
        known = self._history.find(page.owner, page.tab, picture_id)
        self._history.forget(page.owner, page.tab, picture_id)
        return known and Change(picture_id, known)

    def take_back(self, page: PageState, change: Change) -> None:
        """Brings the entry before a change back, unless another page of the same user has rated
        the picture since.

        Raises:
            FabricError: the disk fails.
        """
        now = self._history.find(page.owner, page.tab, change.picture_id)
        if (now and now.rated_at) != change.after:
            return
        if self._library.pictures_of(page.owner).find(change.picture_id) is not None:
            self._history.restore(page.owner, page.tab, change.before)


def unwritten(error: FabricError) -> Note:
    """What is said where the lists have changed and the disk does not take it."""
    return Note(Message("Rated, but it will not outlast this page: {}", Message.of(error)))
