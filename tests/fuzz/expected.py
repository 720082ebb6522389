"""What must come of each press, in plain Python: dictionaries and sets, nothing of lib_fabric."""

from __future__ import annotations

import copy
import hashlib
import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from tests.inputs.files import pixels, text_of

# One page for each; "" is the owner of all.
TABS = ("txt2img", "img2img")
NUM_PICTURES = 8
_RGB = [pixels(70_000 + i, 16, 24) for i in range(NUM_PICTURES)]
IMAGES = [Image.fromarray(rgb) for rgb in _RGB]
TEXTS = [text_of(image) for image in IMAGES]
IDS = [hashlib.sha256(b"24x16:" + rgb.tobytes()).hexdigest() for rgb in _RGB]


@dataclass
class Lists:
    """What one page must show: weights by id, in the order of rating."""

    liked: dict[str, float] = field(default_factory=dict)
    disliked: dict[str, float] = field(default_factory=dict)

    def ids(self) -> set[str]:
        """All rated pictures."""
        return {*self.liked, *self.disliked}

    def weights(self) -> list[float]:
        """Of all rated pictures."""
        return [*self.liked.values(), *self.disliked.values()]

    def longest(self) -> int:
        """The length of the longer list."""
        return max(len(self.liked), len(self.disliked))

    def list_of(self, picture_id: str) -> str | None:
        """The list that a picture is in."""
        return next((n for n in ("liked", "disliked") if picture_id in getattr(self, n)), None)

    def remove(self, picture_id: str) -> float:
        """Takes a picture out; its weight."""
        found = self.list_of(picture_id)
        return 1.0 if found is None else getattr(self, found).pop(picture_id)


class Expected:
    """The state of pages and disk.

    Attributes:
        pages: their lists.
        intact: ids of pictures whose file is as it was written.
        present: ids of pictures that have a file.
        history: by tab, the ratings that must be found. Others may be there too: a rating whose
            file was deleted may or may not outlast that.
        presets: by name.
        cap: the most in each list.
    """

    def __init__(self) -> None:
        self.pages = [Lists() for _ in TABS]
        self.intact: set[str] = set()
        self.present: set[str] = set()
        self.history: dict[str, dict[str, str]] = {tab: {} for tab in TABS}
        self.presets: dict[str, Lists] = {}
        self.cap = 4

    def keep(self, picture_id: str) -> None:
        """A picture is written to the store."""
        self.intact.add(picture_id)
        self.present.add(picture_id)

    def damage(self, picture_id: str, *, is_deleted: bool) -> None:
        """A file is no longer as it was."""
        self.intact.discard(picture_id)
        if is_deleted:
            self.present.discard(picture_id)
            for verdicts in self.history.values():
                verdicts.pop(picture_id, None)

    def needed(self) -> set[str]:
        """Pictures that must not be deleted."""
        everywhere = [*self.pages, *self.presets.values()]
        return set().union(*(lists.ids() for lists in everywhere))

    def press(self, page: int, action: dict[str, Any], shown: list[int]) -> bool | None:
        """Changes everything as the action must.

        Returns:
            Whether the user is told something; None where both are right.
        """
        return getattr(self, f"_{action['do']}")(page, action, shown)

    def _shown(self, action: dict[str, Any], shown: list[int]) -> str | None:
        index = action["index"]
        if index == -1 and len(shown) == 1:
            index = 0
        return IDS[shown[index]] if 0 <= index < len(shown) else None

    def _rate(self, page: int, action: dict[str, Any], shown: list[int]) -> bool | None:
        picture_id = self._shown(action, shown)
        if picture_id is None:
            return True
        return self._bring(page, picture_id, action["to"])

    def _unrate(self, page: int, action: dict[str, Any], shown: list[int]) -> bool | None:
        picture_id = self._shown(action, shown)
        if picture_id is None:
            return True
        return self._remove(page, {"picture_id": picture_id}, shown)

    def _add(self, page: int, action: dict[str, Any], _shown: list[int]) -> bool | None:
        if action["data"] not in TEXTS:
            return True
        picture_id = IDS[TEXTS.index(action["data"])]
        if picture_id in getattr(self.pages[page], action["to"]):
            self.keep(picture_id)
            self._record(page, picture_id, action["to"])
            return True
        return self._bring(page, picture_id, action["to"])

    def _bring(self, page: int, picture_id: str, to: str) -> bool | None:
        """A picture comes along with its rating: it is kept unless there is no room in the list."""
        target = getattr(self.pages[page], to)
        if picture_id in target or len(target) < self.cap:
            self.keep(picture_id)
        return self._put(page, picture_id, to)

    def _activate(self, page: int, action: dict[str, Any], _shown: list[int]) -> bool | None:
        picture_id, to = action["picture_id"], action["to"]
        if picture_id in getattr(self.pages[page], to):
            self.pages[page].remove(picture_id)
            return False
        return self._put(page, picture_id, to) if picture_id in self.present else True

    def _move(self, page: int, action: dict[str, Any], _shown: list[int]) -> bool | None:
        if self.pages[page].list_of(action["picture_id"]) is None:
            return True
        return self._put(page, action["picture_id"], action["to"])

    def _put(self, page: int, picture_id: str, to: str) -> bool | None:
        lists = self.pages[page]
        target = getattr(lists, to)
        if picture_id not in target:
            if len(target) >= self.cap:
                return True
            target[picture_id] = lists.remove(picture_id)
        return self._record(page, picture_id, to)

    def _record(self, page: int, picture_id: str, verdict: str) -> bool | None:
        if picture_id not in self.present:
            return None
        self.history[TABS[page]][picture_id] = verdict
        return False

    def _forget(self, page: int, action: dict[str, Any], _shown: list[int]) -> bool | None:
        self.pages[page].remove(action["picture_id"])
        self.history[TABS[page]].pop(action["picture_id"], None)
        return False

    def _remove(self, page: int, action: dict[str, Any], _shown: list[int]) -> bool | None:
        self.pages[page].remove(action["picture_id"])
        return False

    def _weigh(self, page: int, action: dict[str, Any], _shown: list[int]) -> bool | None:
        lists, picture_id = self.pages[page], action["picture_id"]
        found = lists.list_of(picture_id)
        if found is None or not 0 <= action["weight"] <= 2:
            return True
        getattr(lists, found)[picture_id] = float(action["weight"])
        return False

    def _clear(self, page: int, action: dict[str, Any], _shown: list[int]) -> bool | None:
        getattr(self.pages[page], action["to"]).clear()
        return False

    def _open(self, page: int, action: dict[str, Any], _shown: list[int]) -> bool | None:
        """A page that is loaded anew has what it had."""
        return self._fit(page)

    def _fit(self, page: int) -> bool:
        """The oldest of what no longer fits go, and that is said."""
        lists = self.pages[page]
        oldest = [
            picture_id
            for found in (lists.liked, lists.disliked)
            for picture_id in list(found)[: -self.cap]
        ]
        for picture_id in oldest:
            lists.remove(picture_id)
        return bool(oldest)

    def _save(self, page: int, action: dict[str, Any], _shown: list[int]) -> bool | None:
        lists, name = self.pages[page], action["name"]
        is_free = name not in self.presets or action["overwrite"]
        if lists.ids() and lists.ids() <= self.present and is_free:
            self.presets[name] = copy.deepcopy(lists)
        return True

    def _load(self, page: int, action: dict[str, Any], _shown: list[int]) -> bool | None:
        if action["name"] not in self.presets:
            return True
        self.pages[page] = copy.deepcopy(self.presets[action["name"]])
        return self._fit(page)

    def _delete(self, page: int, action: dict[str, Any], _shown: list[int]) -> bool | None:
        return self.presets.pop(action["name"], None) is None

    def _rename(self, page: int, action: dict[str, Any], _shown: list[int]) -> bool | None:
        name, new_name = action["name"], action["new_name"]
        if name not in self.presets or (new_name in self.presets and new_name != name):
            return True
        self.presets[new_name] = self.presets.pop(name)
        return False


class Own:
    """Whose which picture is.

    Attributes:
        surely: by owner, what opens for them.
        perhaps: what did once. A picture that was deleted by hand and brought again by somebody
            else is still theirs who had it, as long as anything knows that.
        present: what has a file.
    """

    def __init__(self, owners: Iterable[str]) -> None:
        self.surely: dict[str, set[str]] = {who: set() for who in owners}
        self.perhaps: dict[str, set[str]] = {who: set() for who in owners}
        self.present: set[str] = set()

    def bring(self, who: str, picture_ids: Iterable[str]) -> None:
        """A login brings pictures; nobody owns what comes without one."""
        for each in picture_ids:
            self.present.add(each)
            if who:
                self.surely[who].add(each)
                self.perhaps[who].add(each)

    def lose(self, picture_id: str) -> None:
        """Its file is gone."""
        self.present.discard(picture_id)
        for each in self.surely.values():
            each.discard(picture_id)

    def opens(self, who: str, picture_id: str) -> bool | None:
        """Whether an id opens a picture; None where both are right."""
        if picture_id not in self.present or picture_id not in self.perhaps[who]:
            return False
        return True if picture_id in self.surely[who] else None


def pictures_in(data: bytes) -> list[str]:
    """The ids of the pictures in an exported file, by their pixels."""
    found = []
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            if name.endswith(".png"):
                with Image.open(io.BytesIO(archive.read(name))) as picture:
                    rgb = np.asarray(picture.convert("RGB"))
                height, width, _ = rgb.shape
                named = f"{width}x{height}:".encode() + rgb.tobytes()
                found.append(hashlib.sha256(named).hexdigest())
    return found
