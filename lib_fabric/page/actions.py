"""What a press on the page asks for, read from what the browser sent.

Knows JSON and the names of lists; not gradio, not the store. Everything here is untrusted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields

from lib_fabric.errors import FabricError
from lib_fabric.library.storage.texts import whole_text
from lib_fabric.pictures import ID_PATTERN
from lib_fabric.ratings import LIST_NAMES, ListName
from lib_fabric.visible_text import is_visible

MAX_NAME = 60
ACTIONS = (
    *("rate", "unrate", "add", "activate", "move", "remove", "weigh", "forget", "clear"),
    *("open", "sync", "restore", "history", "tiles", "erase", "settings", "reset"),
    *("presets", "save", "load", "rename", "delete", "export", "import"),
    *("adopt", "decline"),
)
_UNUSABLE = "FABRIC did not understand that press. Reload the page and try again."


@dataclass(frozen=True)
class Action:
    """One press, as `fabric.js` sends it.

    Attributes:
        do: what is asked for. 'rate' and 'unrate' act on the gallery picture at `index`; 'add' on
            the sent `part` of `parts` of a file; 'activate', 'move', 'remove', 'weigh' and
            'forget' on the picture `picture_id`; 'clear' on the list `to`. 'open' asks for what the
            page had before; 'sync' for an answer to lists that infotext has set; 'restore' undoes,
            with the lists as they were in `liked` and `disliked`; 'history' asks for the history,
            'tiles' for the tiles that the page `lacks`; 'erase' deletes all that was stored;
            'settings' says that some have changed, 'reset' brings them back to their start. The
            rest acts on the preset `name`, 'import' on one `part` of `parts` of a file. 'adopt'
            takes over the presets that another extension has left, 'decline' wants no more of them.
        number: which of the page's presses this is; the answer carries it back.
        switched_off: the user has unticked the accordion by hand.
        was_on: the accordion was ticked when this page, or the browser's last one, was closed.
        shows_history: the history is open, so the answer brings it along: those that match
            `search`, from `offset` on.
        shows_presets: the list of presets is open, so the answer brings it along, from
            `presets_offset` on, where that has changed.
        unreadable: the browser may not read the file that 'add' is about.
        lacks: ids of rated pictures that the page has no tile of, which the answer brings along.
        change: what the action that 'restore' takes back has changed in the history.
    """

    do: str
    to: ListName = "liked"
    index: int = -1
    picture_id: str = ""
    name: str = ""
    data: str = ""
    number: int = 0
    switched_off: bool = False
    was_on: bool = False
    page: str = ""
    browser: str = ""
    weight: float = 1.0
    liked: str = ""
    disliked: str = ""
    lacks: str = ""
    change: str = ""
    shows_history: bool = False
    search: str = ""
    offset: int = 0
    shows_presets: bool = False
    presets_offset: int = 0
    new_name: str = ""
    overwrite: bool = False
    part: int = 0
    parts: int = 1
    unreadable: bool = False


def parse_action(text: object) -> Action:
    """Reads the JSON that `fabric.js` sends.

    Raises:
        FabricError: not such JSON.
    """
    try:
        values = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError) as error:
        raise FabricError(_UNUSABLE) from error
    if not isinstance(values, dict):
        raise FabricError(_UNUSABLE)
    given = {field.name: values[field.name] for field in fields(Action) if field.name in values}
    for name, value in given.items():
        given[name] = _checked(value, type(getattr(Action, name, "")))
    action = Action(**{"do": "", **given})
    named = action.picture_id == "" or ID_PATTERN.fullmatch(action.picture_id)
    if action.do not in ACTIONS or action.to not in LIST_NAMES or not named:
        raise FabricError(_UNUSABLE)
    return action


def readable_name(name: str, otherwise: str = "The picture") -> str:
    """A file name as a message may show it: printable, last part only, never long.

    Args:
        otherwise: what stands for one that shows nothing.
    """
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    text = "".join(each for each in last if each.isprintable()).strip()
    if len(text) > MAX_NAME:
        text = text[: MAX_NAME - 1] + "…"
    return text if is_visible(text) else otherwise


def _checked(value: object, kind: type) -> object:
    if kind is float and type(value) is int and abs(value) < 2**53:
        return float(value)
    if type(value) is not kind:
        raise FabricError(_UNUSABLE)
    return whole_text(value) if kind is str else value
