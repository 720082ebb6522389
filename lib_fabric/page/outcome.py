"""What a page brings along with a press, and what the press comes to.

Knows actions and ratings; not gradio, not the library's files.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lib_fabric.errors import FabricError, Message
from lib_fabric.library.history_change import Change
from lib_fabric.page.actions import Action
from lib_fabric.page.messages import Note
from lib_fabric.page.shown_pictures import ShownPictures
from lib_fabric.ratings import Ratings

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PageState:
    """What a page brings along with a press.

    Attributes:
        ratings: what it has rated so far.
        is_enabled: whether the accordion is ticked.
        shown: its result gallery.
        tab: 'txt2img' or 'img2img'.
        owner: the login name; '' where the WebUI has no logins.
        settings: what its widgets show, by the setting's name.
        start_values: what they showed at first.
    """

    ratings: Ratings[str]
    is_enabled: bool = False
    shown: ShownPictures = field(default_factory=ShownPictures)
    tab: str = "txt2img"
    owner: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)
    start_values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Download:
    """A file for the user's browser."""

    name: str
    data: bytes


@dataclass
class Outcome:
    """What a press came to.

    Attributes:
        ratings: the page's ratings from now on.
        picture_id: the picture that was rated, if it was one of the gallery or a file.
        note: what to tell the user.
        action: what was asked for; None if that could not be read.
        switch_on: whether the accordion is to be ticked.
        settings: what the widgets are to show, by the setting's name; None leaves them.
        presets_changed: whether the list of presets is to be shown anew, if it is open.
        preset_name: the preset that was just named so, which the list is to show.
        download: a file for the user.
        change: what the press has changed in the history; None for nothing.
        question: what the user is to be asked; on yes the page presses again, to overwrite.
    """

    ratings: Ratings[str]
    picture_id: str | None = None
    note: Note | None = None
    action: Action | None = None
    switch_on: bool = False
    settings: Mapping[str, object] | None = None
    presets_changed: bool = False
    preset_name: str = ""
    download: Download | None = None
    change: Change | None = None
    question: Message | None = None


@contextlib.contextmanager
def nothing_raised(outcome: Outcome) -> Iterator[None]:
    """Lets whatever is raised inside become the note of `outcome`, unless it has one.

    A press must never end in a traceback, an answer that does not come, or a lost list.
    """
    try:
        yield
    except FabricError as error:
        outcome.note = outcome.note or Note(Message.of(error))
    except Exception:  # noqa: BLE001 (it is logged, and said)
        _log.exception("FABRIC: a press failed")
        failed = Message("FABRIC failed here; see the WebUI's console.")
        outcome.note = outcome.note or Note(failed)
