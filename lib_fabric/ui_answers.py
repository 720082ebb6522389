"""Carries out a press: new ratings, and what to tell the user.

Knows actions, ratings, pictures and the store; not gradio, not the host.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from PIL import Image

from lib_fabric.errors import FabricError
from lib_fabric.pictures import decode_base64
from lib_fabric.store import PictureStore
from lib_fabric.ui_actions import Action, ShownPictures, parse_action, readable_name
from lib_fabric.ui_ratings import Ratings

_log = logging.getLogger(__name__)
_UNREADABLE = "That picture could not be read. Generate it again."
_SWITCHED_OFF = "Kept, but FABRIC is switched off. Switch it on to use it."


@dataclass(frozen=True)
class Note:
    """One sentence for the user."""

    text: str
    is_warning: bool = True


@dataclass(frozen=True)
class Page:
    """What a page brings along with a press.

    Attributes:
        ratings: what it has rated so far.
        is_enabled: whether the accordion is ticked.
        shown: its result gallery.
    """

    ratings: Ratings
    is_enabled: bool = False
    shown: ShownPictures = field(default_factory=ShownPictures)


@dataclass(frozen=True)
class Outcome:
    """What a press came to.

    Attributes:
        ratings: the page's ratings from now on.
        picture_id: the picture that was rated, if it was one of the gallery or a file.
        note: what to tell the user.
        number: the press's number on its page.
        switch_on: whether the accordion is to be ticked.
    """

    ratings: Ratings
    picture_id: str | None = None
    note: Note | None = None
    number: int = 0
    switch_on: bool = False


class Answerer:
    """Answers presses with the pictures of one store.

    Args:
        store: where rated pictures are kept.
        gallery_picture: the host's checked reader of one gallery entry.
    """

    def __init__(
        self, store: PictureStore, gallery_picture: Callable[[object], Image.Image]
    ) -> None:
        self._store = store
        self._gallery_picture = gallery_picture

    def answer(self, text: object, page: Page) -> Outcome:
        """Carries out the action in the JSON `text`. Never raises: errors become the note."""
        outcome, number = Outcome(page.ratings), 0
        try:
            action = parse_action(text)
            number = action.number
            outcome = _switched_on(self._carry_out(action, page), action, page)
        except FabricError as error:
            outcome = replace(outcome, note=Note(str(error).removeprefix("FABRIC: ")))
        except Exception:  # noqa: BLE001 (a press must never end in a traceback or a lost list)
            _log.exception("FABRIC: a press failed")
            outcome = replace(outcome, note=Note("FABRIC failed here; see the WebUI's console."))
        return replace(outcome, number=number)

    def _carry_out(self, action: Action, page: Page) -> Outcome:
        ratings = page.ratings
        if action.do == "add":
            return self._add(action, ratings)
        if action.do in ("rate", "undo"):
            picture_id = self._keep_shown(page.shown.pick(action.index))
            if action.do == "rate":
                return Outcome(ratings.rate(picture_id, action.to), picture_id)
            return Outcome(ratings.remove(picture_id), picture_id)
        if action.do == "move":
            return Outcome(ratings.move(action.picture_id, action.to))
        if action.do == "remove":
            return Outcome(ratings.remove(action.picture_id))
        return Outcome(ratings.clear(action.to))

    def _add(self, action: Action, ratings: Ratings) -> Outcome:
        name = readable_name(action.name)
        picture_id = self._store.add(decode_base64(action.data, name)).id
        if ratings.list_of(picture_id) == action.to:
            note = Note(f"{name} is {action.to} already.", is_warning=False)
            return Outcome(ratings, picture_id, note)
        return Outcome(ratings.rate(picture_id, action.to), picture_id)

    def _keep_shown(self, entry: object) -> str:
        try:
            image = self._gallery_picture(entry)
        # The host's reader raises whatever Pillow, base64 and its own assertions raise.
        except Exception as error:
            _log.warning("FABRIC: a gallery picture could not be read: %r", error)
            raise FabricError(_UNREADABLE) from error
        if not isinstance(image, Image.Image):
            raise FabricError(_UNREADABLE)
        return self._store.add(image).id


def _switched_on(outcome: Outcome, action: Action, page: Page) -> Outcome:
    """Lets the first rating steer the next picture without another press.

    Later on, an accordion that is off was switched off by the user: then a note says so.
    """
    if page.is_enabled or len(outcome.ratings) <= len(page.ratings):
        return outcome
    if not page.ratings and not action.switched_off:
        return replace(outcome, switch_on=True)
    return replace(outcome, note=outcome.note or Note(_SWITCHED_OFF, is_warning=False))
