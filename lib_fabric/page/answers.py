"""Carries out a press: new ratings, what is kept of them, and what to tell the user.

Knows actions, ratings, pictures and the library; not gradio, not the host.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from PIL import Image

from lib_fabric.errors import FabricError
from lib_fabric.library.history_change import Change
from lib_fabric.library.history_entry import Details
from lib_fabric.library.library import Library
from lib_fabric.page.actions import ON_PRESETS, Action, parse_action, readable_name
from lib_fabric.page.outcome import Note, Outcome, Page, note_of
from lib_fabric.page.presets import PresetAnswerer
from lib_fabric.pictures import decode_base64
from lib_fabric.rating_texts import read_lists
from lib_fabric.ratings import ListName, Ratings
from lib_fabric.settings import DEFAULT_MAX_PICTURES

_log = logging.getLogger(__name__)
_UNREADABLE = "That picture could not be read. Generate it again."
_SWITCHED_OFF = "Kept, but FABRIC is switched off. Switch it on to use it."
_SAID = 5

GalleryPicture = Callable[[object], Image.Image]
PictureDetails = Callable[[Image.Image], Details]


class Answerer:
    """Answers the presses of all pages with the pictures of one library.

    Args:
        library: where rated pictures, history, active sets and presets are kept.
        gallery_picture: the host's checked reader of one gallery entry.
        picture_details: the host's reader of how a picture was made.
        max_pictures: the most that each list may hold now.
    """

    def __init__(
        self,
        library: Library,
        gallery_picture: GalleryPicture,
        picture_details: PictureDetails = lambda _: Details(),
        max_pictures: Callable[[], int] = lambda: DEFAULT_MAX_PICTURES,
    ) -> None:
        self._library = library
        self._gallery_picture = gallery_picture
        self._picture_details = picture_details
        self._presets = PresetAnswerer(library)
        self._max_pictures = max_pictures

    def answer(self, text: object, page: Page) -> Outcome:
        """Carries out the action in the JSON `text`. Never raises: errors become the note."""
        outcome, action = Outcome(page.ratings), None
        try:
            action = parse_action(text)
            outcome = _switched_on(self._carry_out(action, page), action, page)
        except FabricError as error:
            outcome = replace(outcome, note=note_of(error))
        except Exception:  # noqa: BLE001 (a press must never end in a traceback or a lost list)
            _log.exception("FABRIC: a press failed")
            outcome = replace(outcome, note=Note("FABRIC failed here; see the WebUI's console."))
        outcome = replace(outcome, action=action)
        # Lists that infotext has set are the page's already, and kept nowhere yet.
        if action is not None and (action.do == "sync" or outcome.ratings != page.ratings):
            outcome = self._keep_active(outcome, action, page)
        return outcome

    def _carry_out(self, action: Action, page: Page) -> Outcome:
        if action.do in ON_PRESETS:
            return self._answer_preset(action, page)
        carry_out = {
            "rate": self._rate,
            "unrate": self._unrate,
            "add": self._add,
            "activate": self._activate,
            "forget": self._forget,
            "move": self._move,
            "restore": self._restore,
            "open": self._open,
            "sync": self._sync,
        }.get(action.do)
        if carry_out is not None:
            return carry_out(action, page)
        return Outcome(_changed_lists(action, page.ratings))

    def _rate(self, action: Action, page: Page) -> Outcome:
        image = self._shown_image(page.shown.pick(action.index))
        picture_id = self._library.store.add(image).id
        ratings = page.ratings.rate(picture_id, action.to, self._max_pictures())
        details = self._picture_details(image)
        return self._recorded(Outcome(ratings, picture_id), page, picture_id, action.to, details)

    def _unrate(self, action: Action, page: Page) -> Outcome:
        """A thumb pressed again takes its rating back, out of the history as well."""
        picture_id = self._library.store.add(self._shown_image(page.shown.pick(action.index))).id
        outcome = Outcome(page.ratings.remove(picture_id), picture_id)
        try:
            return replace(outcome, change=self._forgotten(page, picture_id))
        except FabricError as error:
            return replace(outcome, note=_unwritten(error))

    def _add(self, action: Action, page: Page) -> Outcome:
        name = readable_name(action.name)
        picture_id = self._library.store.add(decode_base64(action.data, name)).id
        if page.ratings.list_of(picture_id) == action.to:
            note = Note(f"{name} is {action.to} already.", is_warning=False)
            return Outcome(page.ratings, picture_id, note)
        ratings = page.ratings.rate(picture_id, action.to, self._max_pictures())
        return self._recorded(Outcome(ratings, picture_id), page, picture_id, action.to)

    def _activate(self, action: Action, page: Page) -> Outcome:
        """A thumb in the history: into the list, or out of it if it is there."""
        if page.ratings.list_of(action.picture_id) == action.to:
            return Outcome(page.ratings.remove(action.picture_id))
        picture_id = self._library.store.find(action.picture_id)
        if picture_id is None:
            raise FabricError("That picture's file is gone.")
        ratings = page.ratings.rate(picture_id, action.to, self._max_pictures())
        return self._recorded(Outcome(ratings), page, picture_id, action.to)

    def _forget(self, action: Action, page: Page) -> Outcome:
        change = self._forgotten(page, action.picture_id)
        return Outcome(page.ratings.remove(action.picture_id), change=change)

    def _move(self, action: Action, page: Page) -> Outcome:
        ratings = page.ratings.move(action.picture_id, action.to, self._max_pictures())
        return self._recorded(Outcome(ratings), page, action.picture_id, action.to)

    def _restore(self, action: Action, page: Page) -> Outcome:
        """Undo: the lists as they were, and the history with them."""
        before = self._found(read_lists(action.liked, action.disliked))[0]
        change = Change.from_text(action.change)
        try:
            if change is not None:
                self._take_back(change, page)
        except FabricError as error:
            return Outcome(before, note=_unwritten(error))
        return Outcome(before)

    def _take_back(self, change: Change, page: Page) -> None:
        history, owner_and_tab = self._library.history, (page.owner, page.tab)
        now = history.find(*owner_and_tab, change.picture_id)
        # Another page of the same user may have rated the picture since.
        if (now and now.rated_at) != change.after:
            return
        if change.before is None:
            history.forget(*owner_and_tab, change.picture_id)
        elif self._library.store.find(change.picture_id) is not None:
            history.restore(*owner_and_tab, change.before)

    def _open(self, action: Action, page: Page) -> Outcome:
        """What this page, or else this browser's last one, had when it was closed."""
        ratings = self._library.active_sets.load(action.page, action.browser, page.owner, page.tab)
        return Outcome(ratings, switch_on=action.was_on and bool(ratings), presets_changed=True)

    def _sync(self, action: Action, page: Page) -> Outcome:
        """Lists that infotext has set: whole ids for short ones, and what is missing named."""
        ratings, missing = self._found(read_lists(action.liked, action.disliked))
        if not missing:
            return Outcome(ratings)
        named = ", ".join([*missing[:_SAID], *(["…"] if len(missing) > _SAID else [])])
        # Whole sentences, since only those can be translated.
        if len(missing) == 1:
            note = Note(f"Picture {named} is no longer in the store. The rest is set.")
        else:
            note = Note(f"Pictures {named} are no longer in the store. The rest is set.")
        return Outcome(ratings, note=note)

    def _answer_preset(self, action: Action, page: Page) -> Outcome:
        answer = self._presets.answer(action, page.owner, page.ratings, page.settings)
        note = Note(answer.text, is_warning=False) if answer.text else None
        return Outcome(
            answer.ratings or page.ratings,
            note=note,
            # Loading a preset is meant for the next picture.
            switch_on=bool(answer.ratings) and not page.is_enabled,
            settings=answer.settings,
            presets_changed=True,
            download=answer.download,
        )

    def _found(self, ratings: Ratings) -> tuple[Ratings, list[str]]:
        """Ratings with whole ids, and the ids that the store does not have."""
        whole = ratings.map(self._library.store.find)
        missing = [
            asked.picture[:16]
            for asked, found in zip(ratings, whole, strict=True)
            if found.picture is None
        ]
        return whole.remove(None).unique(), missing

    def _shown_image(self, entry: object) -> Image.Image:
        try:
            image = self._gallery_picture(entry)
        # The host's reader raises whatever Pillow, base64 and its own assertions raise.
        except Exception as error:
            _log.warning("FABRIC: a gallery picture could not be read: %r", error)
            raise FabricError(_UNREADABLE) from error
        if not isinstance(image, Image.Image):
            raise FabricError(_UNREADABLE)
        return image

    def _recorded(
        self,
        outcome: Outcome,
        page: Page,
        picture_id: str,
        verdict: ListName,
        details: Details | None = None,
    ) -> Outcome:
        """Writes a rating into the history. A disk that fails there must not cost the rating."""
        history = self._library.history
        try:
            known = history.find(page.owner, page.tab, picture_id)
            if details is None and known is not None and known.verdict == verdict:
                return outcome
            entry = history.record(page.owner, page.tab, picture_id, verdict, details)
        except FabricError as error:
            return replace(outcome, note=_unwritten(error))
        return replace(outcome, change=Change(picture_id, known, entry.rated_at))

    def _forgotten(self, page: Page, picture_id: str) -> Change:
        """Takes a rating out of the history.

        Raises:
            FabricError: the disk fails.
        """
        known = self._library.history.find(page.owner, page.tab, picture_id)
        self._library.history.forget(page.owner, page.tab, picture_id)
        return Change(picture_id, known)

    def _keep_active(self, outcome: Outcome, action: Action, page: Page) -> Outcome:
        """Keeps the page's lists for its next reload."""
        try:
            self._library.active_sets.save(
                action.page, action.browser, page.owner, page.tab, outcome.ratings
            )
        except FabricError as error:
            return replace(outcome, note=outcome.note or _unwritten(error))
        return outcome


def _changed_lists(action: Action, ratings: Ratings) -> Ratings:
    if action.do == "remove":
        return ratings.remove(action.picture_id)
    if action.do == "weigh":
        return ratings.weigh(action.picture_id, action.weight)
    if action.do == "clear":
        return ratings.clear(action.to)
    return ratings


def _unwritten(error: FabricError) -> Note:
    return Note(f"Rated, but it will not outlast this page: {str(error).removeprefix('FABRIC: ')}")


def _switched_on(outcome: Outcome, action: Action, page: Page) -> Outcome:
    """Lets the first rating steer the next picture without another press.

    Later on, an accordion that is off was switched off by the user: then a note says so.
    """
    if page.is_enabled or outcome.switch_on or action.do in ("open", "sync", "restore"):
        return outcome
    if len(outcome.ratings) <= len(page.ratings):
        return outcome
    if not page.ratings and not action.switched_off:
        return replace(outcome, switch_on=True)
    return replace(outcome, note=outcome.note or Note(_SWITCHED_OFF, is_warning=False))
