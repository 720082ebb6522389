"""Carries out a press: reads it, does it, keeps the lists, and lets nothing out but an outcome.

Knows which press is done where; not gradio, not how any of them is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from lib_fabric.errors import FabricError, Message
from lib_fabric.library.library import Library
from lib_fabric.page.actions import Action, parse_action
from lib_fabric.page.host import PageHost
from lib_fabric.page.messages import Note
from lib_fabric.page.outcome import Outcome, PageState, nothing_raised
from lib_fabric.page.presses.erasing import erase
from lib_fabric.page.presses.history import HistoryEntries, unwritten
from lib_fabric.page.presses.lists import ListPresses
from lib_fabric.page.presses.pictures import PicturePresses
from lib_fabric.page.presses.presets import PresetPresses
from lib_fabric.page_arguments import changed_settings

Press = Callable[[Action, PageState], Outcome]
# What may change settings, or comes with lists that the page has already.
_CHANGING = ("sync", "settings", "reset", "load")
_SWITCHED_OFF = Message("Kept, but FABRIC is switched off. Switch it on to use it.")


class Presses:
    """Carries out the presses of all pages with the pictures of one library."""

    def __init__(self, library: Library, host: PageHost) -> None:
        self._active_sets = library.active_sets
        entries = HistoryEntries(library)
        pictures = PicturePresses(library, entries, host)
        lists = ListPresses(library, entries, host.max_pictures)
        presets = PresetPresses(library, host.max_pictures)
        self._library = library
        self._by_name: dict[str, Press] = {
            "rate": pictures.rate,
            "unrate": pictures.unrate,
            "add": pictures.add,
            "activate": pictures.activate,
            "forget": pictures.forget,
            "move": pictures.move,
            "remove": lists.remove,
            "weigh": lists.weigh,
            "clear": lists.clear,
            "open": lists.open,
            "sync": lists.sync,
            "settings": lists.look_at_settings,
            "reset": lists.reset,
            "restore": lists.restore,
            "history": _look,
            "erase": partial(erase, library),
            "tiles": _look,
            "presets": presets.look,
            "save": presets.save,
            "load": presets.load,
            "rename": presets.rename,
            "delete": presets.delete,
            "export": presets.export,
            "import": presets.bring,
            "adopt": presets.adopt,
            "decline": presets.decline,
        }

    def carry_out(self, text: object, page: PageState) -> Outcome:
        """Carries out the action in the JSON `text`. Never raises: errors become the note."""
        outcome, action = Outcome(page.ratings), None
        with nothing_raised(outcome):
            action = parse_action(text)
            page = self._without_erased(page)
        outcome.ratings = page.ratings
        if action is not None:
            with nothing_raised(outcome):
                outcome = self._by_name[action.do](action, page)
            outcome.action = action
            with nothing_raised(outcome):
                _switch_on(outcome, action, page)
                is_new = action.do in _CHANGING or outcome.ratings != page.ratings
                if is_new and action.do != "erase":
                    self._keep_active(outcome, action, page)
        return outcome

    def _without_erased(self, page: PageState) -> PageState:
        """`page` as it is now that its user has deleted all that was stored, by whichever page."""
        is_erased = self._library.pictures_of(page.owner).is_erased
        return replace(page, ratings=page.ratings.only(lambda each: not is_erased(each.picture)))

    def _keep_active(self, outcome: Outcome, action: Action, page: PageState) -> None:
        """Keeps the page's lists and settings for its next reload."""
        shown = {**page.settings, **(outcome.settings or {})}
        settings = changed_settings(shown, page.start_values)
        whose = (action.page, action.browser, page.owner, page.tab)
        try:
            self._active_sets.save(*whose, outcome.ratings, settings)
        except FabricError as error:
            outcome.note = outcome.note or unwritten(error)


def _look(_action: Action, page: PageState) -> Outcome:
    """Whatever is open comes with every answer."""
    return Outcome(page.ratings)


def _switch_on(outcome: Outcome, action: Action, page: PageState) -> None:
    """Lets the first rating steer the next picture without another press.

    Later on, an accordion that is off was switched off by the user: then a note says so.
    """
    if page.is_enabled or outcome.switch_on or action.do in ("open", "sync", "restore"):
        return
    if len(outcome.ratings) <= len(page.ratings):
        return
    if not page.ratings and not action.switched_off:
        outcome.switch_on = True
    else:
        outcome.note = outcome.note or Note(_SWITCHED_OFF, is_warning=False)
