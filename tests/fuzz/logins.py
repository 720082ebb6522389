"""A WebUI with logins in small: two people's pages on one library, and the API.

Whoever brought a picture finds it, and nobody else does: by no id, list, preset, history or undo
of another. To add an operation: a method here that keeps `Own` right, and a line in
login_operations.py.
"""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lib_fabric.arguments import parse_arguments
from lib_fabric.errors import FabricError
from lib_fabric.library.library import Library
from lib_fabric.library.owners import API_OWNER
from lib_fabric.page.outcome import Outcome, PageState
from lib_fabric.page.presses.presses import Presses
from lib_fabric.page.rendering import Rendering
from lib_fabric.page.shown_pictures import ShownPictures
from lib_fabric.rating_texts import format_list
from lib_fabric.ratings import LIST_NAMES, Rated, Ratings
from tests.fuzz.expected import IDS, IMAGES, TEXTS, Own, pictures_in
from tests.helpers.page_host import FakePageHost
from tests.helpers.presets import all_presets

PAGES = (("ada", "txt2img"), ("ada", "img2img"), ("bob", "txt2img"))
# '' is whoever is not logged in.
WHO = ("ada", "bob", API_OWNER, "")
CAP = 4
MOST_FILES = 5
# All pages are in one browser: what tells people apart is their login.
_BROWSER = f"{7:032x}"
_THUMBNAIL = re.compile(r"data:image/jpeg;base64,([^\"]+)")


class Logins:
    """See the module's text."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="fabric-fuzz-"))
        self._own = Own(WHO)
        self._lists = [Ratings() for _ in PAGES]
        self._before = [(Ratings(), "") for _ in PAGES]
        self._rated: list[set[str]] = [set() for _ in PAGES]
        self._files: list[bytes] = []
        self.restart()

    def close(self) -> None:
        """The folder goes."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def restart(self) -> None:
        """The WebUI ends and starts: only the disk is left."""
        self._library = Library(self._folder, has_logins=lambda: True)
        host = FakePageHost(
            gallery_picture=lambda entry: IMAGES[entry["number"]], max_pictures=lambda: CAP
        )
        self._presses, self._rendering = (
            made(self._library, host) for made in (Presses, Rendering)
        )

    # ---- operations ------------------------------------------------------------------------------

    def press(self, page: int, action: dict[str, Any], shown: list[int]) -> None:
        """Carries out an action on a page whose gallery shows these pictures."""
        before, (owner, _) = self._lists[page], PAGES[page]
        picture_id = _meant(action, shown)
        target = before.pictures(action.get("to", "liked"))
        if picture_id and (picture_id in target or len(target) < CAP):
            self._own.bring(owner, [picture_id])
        outcome = self._carried_out(page, action, before, shown)
        self._lists[page] = outcome.ratings
        self._before[page] = (before, outcome.change.to_text() if outcome.change else "")
        if picture_id and picture_id in outcome.ratings.pictures(action["to"]):
            found = self._library.history.find(*PAGES[page], picture_id)
            assert found is not None, "a rating is not in the history"

    def claim(self, page: int, number: int, action: dict[str, Any]) -> None:
        """A page says that it has rated a picture, whosever that is, and presses something."""
        claimed = Ratings((Rated(IDS[number]),))
        self._carried_out(page, {"picture_id": IDS[number], **action}, claimed)

    def paste(self, page: int, numbers: list[int], is_short: bool) -> None:
        """Infotext that names pictures, whosever they are."""
        named = [IDS[number] for number in numbers][:CAP]
        liked = " ".join(each[:16] if is_short else each for each in named)
        outcome = self._carried_out(page, {"do": "sync", "liked": liked}, Ratings())
        found = outcome.ratings.pictures("liked")
        for each in named:
            assert self._own.opens(PAGES[page][0], each) in (each in found, None), each
        self._lists[page] = outcome.ratings

    def undo(self, page: int, of: int) -> None:
        """Undo, perhaps with what another page was told to send for it."""
        before, change = self._before[of]
        texts = {name: format_list(before.of(name)) for name in LIST_NAMES}
        action = {"do": "restore", "change": change, **texts}
        if change:
            # A page may take back what it likes, of pictures that it may open.
            self._rated[page].add(json.loads(change)["picture_id"])
        self._lists[page] = self._carried_out(page, action, self._lists[page]).ratings

    def reopen(self, page: int, as_page: int) -> None:
        """A page is loaded with another one's key, of the same browser."""
        keys = {"page": f"{as_page:032x}"}
        outcome = self._carried_out(page, {"do": "open", **keys}, Ratings())
        self._lists[page] = outcome.ratings

    def export(self, page: int, name: str) -> None:
        """A preset as a file, which may be given to anybody."""
        outcome = self._carried_out(page, {"do": "export", "name": name}, self._lists[page])
        if outcome.download is None:
            return
        data = outcome.download.data
        for picture_id in pictures_in(data):
            assert self._own.opens(PAGES[page][0], picture_id) is not False, "another's picture"
        self._files = [*self._files, data][-MOST_FILES:]

    def bring(self, page: int, file: int, is_cut: bool) -> None:
        """Somebody imports such a file."""
        if file >= len(self._files):
            return
        data = self._files[file]
        sent = base64.b64encode(data[: len(data) // 2] if is_cut else data).decode()
        if not is_cut:
            self._own.bring(PAGES[page][0], pictures_in(data))
        action = {"do": "import", "name": "a.zip", "data": sent}
        outcome = self._carried_out(page, action, self._lists[page])
        assert bool(outcome.preset_name) != is_cut

    def generate(self, who: str, numbers: list[int], named: list[int], is_short: bool) -> None:
        """A request with pictures, and ids of others."""
        asked = [IDS[number] for number in named if number not in numbers][:1]
        may = [self._own.opens(who, each) for each in asked]
        texts = [each[:16] if is_short else each for each in asked]
        liked = [*(TEXTS[number] for number in numbers), *texts]
        pictures = self._library.pictures_of(who)
        try:
            request = parse_arguments([{"liked": liked}], pictures, CAP)
        except FabricError as error:
            assert not all(may), error
            assert "is no longer in the store" in str(error)
            return
        assert False not in may
        self._own.bring(who, [IDS[number] for number in numbers])
        assert [each.picture.id for each in request.ratings.liked[len(numbers) :]] == asked

    def ask(self, who: str, number: int, is_short: bool) -> None:
        """Every way from an id to a picture."""
        pictures, picture_id = self._library.pictures_of(who), IDS[number]
        asked = picture_id[:16] if is_short else picture_id
        may = self._own.opens(who, picture_id)
        ways = {asked in pictures, pictures.find(asked) == picture_id}
        for way in (pictures.load, pictures.thumbnail, pictures.num_pixels):
            try:
                ways.add(bool(way(asked)))
            except FabricError as error:
                never = f"picture '{picture_id[:16]}' is no longer in the store. Rate it again."
                assert str(error) == never, "it tells that somebody has it"
                ways.add(False)
        assert len(ways) == 1
        assert may in (*ways, None)

    def delete_file(self, number: int, has_note: bool) -> None:
        """Somebody deletes a picture's file, perhaps with its note."""
        path = self._folder / "pictures" / IDS[number][:2] / f"{IDS[number]}.png"
        path.unlink(missing_ok=True)
        if has_note:
            path.with_suffix(".json").unlink(missing_ok=True)
        self._own.lose(IDS[number])

    def break_index(self, how: str) -> None:
        """The database is deleted or overwritten between two runs."""
        index = self._folder / "history.sqlite3"
        if how == "delete":
            index.unlink(missing_ok=True)
        elif index.is_file():
            index.write_bytes(b"no database" * 500)
        self.restart()

    def make_room(self, max_bytes: int) -> None:
        """The store has to become smaller."""
        library = Library(self._folder, lambda: max_bytes, spare_seconds=0, has_logins=lambda: True)
        for picture_id in library.enforce_limit():
            self._own.lose(picture_id)

    # ---- what holds ------------------------------------------------------------------------------

    def check(self) -> None:
        """Each finds exactly their own pictures, by id and wherever pictures are listed."""
        for who in WHO:
            pictures = self._library.pictures_of(who)
            for each in IDS:
                may = self._own.opens(who, each)
                assert may in (each in pictures, None), f"{who}: {each[:16]}, {may} was expected"
        for page in range(len(PAGES)):
            owner, _ = PAGES[page]
            self._hold(owner, self._lists[page].map(str))
            history = self._history(page)
            assert set(history) <= self._rated[page], "another page's rating"
            for content in (history, self._kept_lists(page)):
                assert set(content) <= self._own.perhaps[owner], "another's picture"
            for preset in all_presets(self._library.presets, owner):
                self._hold(owner, preset.ratings)

    def check_at_end(self) -> None:
        """After the index was lost, too."""
        self.break_index("delete")
        self.check()

    def _hold(self, owner: str, ratings: Ratings[str]) -> None:
        for each in ratings:
            assert each.picture in self._own.perhaps[owner], "another's picture"

    def _history(self, page: int) -> dict[str, tuple[str, float]]:
        """Of one page, of pictures that have a file."""
        found = self._library.history.page(*PAGES[page])
        return {
            each.picture_id: (each.verdict, each.rated_at)
            for each in found
            if each.picture_id in self._own.present
        }

    def _kept_lists(self, page: int) -> list[str]:
        owner, tab = PAGES[page]
        kept = self._library.active_sets.load(f"{page:032x}", _BROWSER, owner, tab)
        return [each.picture for each in kept]

    def _all_of(self, owner: str) -> list[object]:
        """All that the library keeps of one login."""
        pages = [page for page, (each, _) in enumerate(PAGES) if each == owner]
        return [
            [self._history(page) for page in pages],
            [self._kept_lists(page) for page in pages],
            [each.to_json() for each in all_presets(self._library.presets, owner)],
        ]

    def _carried_out(
        self, page: int, action: dict[str, Any], ratings: Ratings[str], shown: list[int] = ()
    ) -> Outcome:
        """Lets a page press, and looks at what it is shown and at what others have."""
        owner, tab = PAGES[page]
        others = [each for each in ("ada", "bob") if each != owner]
        of_others = [self._all_of(each) for each in others]
        entries = ShownPictures.from_client([{"number": number} for number in shown], None)
        seen = PageState(ratings, True, entries, tab, owner)
        keys = {"page": f"{page:032x}", "browser": _BROWSER}
        opened = {"shows_history": True, "shows_presets": True}
        outcome = self._presses.carry_out(json.dumps({**keys, **opened, **action}), seen)
        assert outcome.note is None or "console" not in outcome.note.text
        for each in (_meant(action, shown), action.get("picture_id")):
            if each and self._own.opens(owner, each) is not False:
                self._rated[page].add(each)
        outcome.presets_changed = True
        lacks = " ".join(each.picture for each in outcome.ratings)
        outcome.action = replace(outcome.action, lacks=lacks)
        values = self._rendering.values(outcome, seen)
        tiles = "".join(json.loads(values["reply"])["tiles"].values())
        shown_parts = {"lists": tiles, "history": values["history"], "presets": values["presets"]}
        for part, html in shown_parts.items():
            for data in _THUMBNAIL.findall(html):
                picture_id = self._seen_on(base64.b64decode(data))
                assert self._own.opens(owner, picture_id) is not False, f"shown among {part}"
        assert [self._all_of(each) for each in others] == of_others, "another login's things"
        return outcome

    def _seen_on(self, thumbnail: bytes) -> str:
        """Which picture is on a thumbnail."""
        with Image.open(io.BytesIO(thumbnail)) as small:
            seen = np.asarray(small.convert("RGB"), float)
        differences = [np.abs(np.asarray(each, float) - seen).mean() for each in IMAGES]
        assert min(differences) < 16, "a picture that nobody brought"
        return IDS[int(np.argmin(differences))]


def _meant(action: dict[str, Any], shown: list[int]) -> str | None:
    """The picture that a rating brings along."""
    if action["do"] == "add":
        return IDS[TEXTS.index(action["data"])] if action["data"] in TEXTS else None
    index = action.get("index", -1)
    if index == -1 and len(shown) == 1:
        index = 0
    is_shown = action["do"] == "rate" and 0 <= index < len(shown)
    return IDS[shown[index]] if is_shown else None
