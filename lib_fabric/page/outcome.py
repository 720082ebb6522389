"""What a page brings along with a press, and what the press comes to.

Knows actions and ratings; not gradio, not the library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lib_fabric.errors import FabricError
from lib_fabric.library.history_change import Change
from lib_fabric.page.actions import Action, ShownPictures
from lib_fabric.ratings import Ratings


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
        tab: 'txt2img' or 'img2img'.
        owner: the login name; '' where the WebUI has no logins.
        settings: what its widgets show, by the setting's name.
    """

    ratings: Ratings
    is_enabled: bool = False
    shown: ShownPictures = field(default_factory=ShownPictures)
    tab: str = "txt2img"
    owner: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What a press came to.

    Attributes:
        ratings: the page's ratings from now on.
        picture_id: the picture that was rated, if it was one of the gallery or a file.
        note: what to tell the user.
        action: what was asked for; None if that could not be read.
        switch_on: whether the accordion is to be ticked.
        settings: what the widgets are to show, by the setting's name; None leaves them.
        presets_changed: whether the list of presets is to be shown anew.
        download: a file for the user.
        change: what the press has changed in the history; None for nothing.
    """

    ratings: Ratings
    picture_id: str | None = None
    note: Note | None = None
    action: Action | None = None
    switch_on: bool = False
    settings: Mapping[str, object] | None = None
    presets_changed: bool = False
    download: Download | None = None
    change: Change | None = None


@dataclass(frozen=True)
class Download:
    """A file for the user's browser."""

    name: str
    data: bytes


def note_of(error: FabricError) -> Note:
    """What went wrong, as a sentence of its own."""
    text = str(error).removeprefix("FABRIC: ")
    # Written to stand behind "FABRIC:"; a file's name keeps its letters.
    is_word = text.partition(" ")[0].isalpha()
    return Note(text[:1].upper() + text[1:] if is_word else text)
