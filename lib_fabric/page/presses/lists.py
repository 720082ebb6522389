"""Presses that set or change the lists by what the page itself knows: weights, reload, undo.

Knows pictures and active sets; not the gallery, not files.
"""

from __future__ import annotations

from collections.abc import Callable

from lib_fabric.errors import FabricError, Message
from lib_fabric.library.history_change import Change
from lib_fabric.library.library import Library
from lib_fabric.page.actions import Action
from lib_fabric.page.messages import note_of
from lib_fabric.page.outcome import Outcome, PageState
from lib_fabric.page.presses.history import HistoryEntries, unwritten
from lib_fabric.page_arguments import fit_lists, mend_settings, start_value
from lib_fabric.pictures import SHORT_ID_DIGITS
from lib_fabric.rating_texts import read_lists
from lib_fabric.ratings import Ratings
from lib_fabric.settings import FabricSettings

_SAID = 5


class ListPresses:
    """Carries them out; each raises FabricError for what cannot be done."""

    def __init__(
        self, library: Library, entries: HistoryEntries, max_pictures: Callable[[], int]
    ) -> None:
        self._library = library
        self._active_sets = library.active_sets
        self._entries = entries
        self._max_pictures = max_pictures

    def remove(self, action: Action, page: PageState) -> Outcome:
        """Out of its list; the history keeps it."""
        return Outcome(page.ratings.remove(action.picture_id))

    def weigh(self, action: Action, page: PageState) -> Outcome:
        """How much one picture counts."""
        return Outcome(page.ratings.weigh(action.picture_id, action.weight))

    def clear(self, action: Action, page: PageState) -> Outcome:
        """A whole list."""
        return Outcome(page.ratings.clear(action.to))

    def open(self, action: Action, page: PageState) -> Outcome:
        """What this page, or else this browser's last one, had when it was closed."""
        whose = (action.page, action.browser, page.owner, page.tab)
        ratings, left_out = fit_lists(self._active_sets.load(*whose), self._max_pictures())
        # The WebUI's own defaults, and ui-config.json, may hold anything.
        kept = self._active_sets.settings(*whose)
        settings, mended = mend_settings({**page.settings, **kept}, page.start_values)
        return Outcome(
            ratings,
            note=note_of(*left_out, *mended),
            switch_on=action.was_on and bool(ratings),
            settings=settings if kept or mended else None,
            # Asked for as well when all that was stored is gone.
            presets_changed=True,
        )

    def look_at_settings(self, _action: Action, page: PageState) -> Outcome:
        """Settings were changed: what cannot be used is put right where it stands."""
        settings, mended = mend_settings(page.settings, page.start_values)
        return Outcome(page.ratings, note=note_of(*mended), settings=settings if mended else None)

    def reset(self, _action: Action, page: PageState) -> Outcome:
        """Every setting as it was at first."""
        fields = [field for field in FabricSettings.fields() if field.name in page.settings]
        settings = {field.name: start_value(field, page.start_values) for field in fields}
        return Outcome(page.ratings, settings=settings)

    def sync(self, action: Action, page: PageState) -> Outcome:
        """Lists that infotext has set: whole ids for short ones, and what is missing named."""
        found, missing = self._found(page, action)
        ratings, left_out = fit_lists(found, self._max_pictures())
        return Outcome(ratings, note=note_of(*_missing(missing), *left_out))

    def restore(self, action: Action, page: PageState) -> Outcome:
        """Undo: the lists as they were, and the history with them."""
        found, _ = self._found(page, action)
        ratings, left_out = fit_lists(found, self._max_pictures())
        outcome = Outcome(ratings, note=note_of(*left_out))
        change = Change.from_text(action.change)
        try:
            if change is not None:
                self._entries.take_back(page, change)
        except FabricError as error:
            outcome.note = unwritten(error)
        return outcome

    def _found(self, page: PageState, action: Action) -> tuple[Ratings[str], list[str]]:
        """The action's lists with whole ids, and the ids that open nothing for the page's owner."""
        ratings = read_lists(action.liked, action.disliked)
        whole = ratings.map(self._library.pictures_of(page.owner).find)
        missing = [
            asked.picture[:SHORT_ID_DIGITS]
            for asked, found in zip(ratings, whole, strict=True)
            if found.picture is None
        ]
        return whole.remove(None).unique(), missing


def _missing(picture_ids: list[str]) -> list[Message]:
    if not picture_ids:
        return []
    named = ", ".join([*picture_ids[:_SAID], *(["…"] if len(picture_ids) > _SAID else [])])
    # Whole sentences, since only those can be translated.
    if len(picture_ids) == 1:
        return [Message("Picture {} is no longer in the store. The rest is set.", named)]
    return [Message("Pictures {} are no longer in the store. The rest is set.", named)]
