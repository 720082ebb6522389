"""A WebUI in small for random sequences: pages that rate, a library on disk, generations on a tiny
U-Net, and a plain-Python idea of what must come out. Whatever differs is an AssertionError.

To add an operation: a method here that keeps `Expected` right, and a line in page_operations.py.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch

from lib_fabric.arguments import parse_arguments
from lib_fabric.errors import FabricError
from lib_fabric.library.library import Library
from lib_fabric.page.outcome import PageState
from lib_fabric.page.presses.presses import Presses
from lib_fabric.page.shown_pictures import ShownPictures
from lib_fabric.ratings import Rated, Ratings
from lib_fabric.request import FabricRequest
from tests.fuzz.expected import IDS, IMAGES, NUM_PICTURES, TABS, TEXTS, Expected
from tests.fuzz.generating import Generating
from tests.helpers.page_host import FakePageHost
from tests.helpers.presets import preset_names


class World:
    """See the module's text."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="fabric-fuzz-"))
        self.expected = Expected()
        self._made: dict[tuple, torch.Tensor] = {}
        self._generating = Generating()
        self.restart()

    def close(self) -> None:
        """The folder goes."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def check_at_end(self) -> None:
        """A generation without feedback is as at first, and every intact picture can be read."""
        self._generating.check_plain()
        for picture_id in self.expected.intact:
            assert self._library.store.load(picture_id).id == picture_id

    def restart(self) -> None:
        """The WebUI ends and starts: only the disk is left. Pages come back as they were."""
        self._library = Library(self._folder)
        host = FakePageHost(
            gallery_picture=lambda entry: IMAGES[entry["number"]],
            max_pictures=lambda: self.expected.cap,
        )
        self._presses = Presses(self._library, host)
        self._generating.restart()

    def press(self, page: int, action: dict[str, Any], shown: list[int] = ()) -> None:
        """Carries out an action on a page whose gallery shows these pictures."""
        lists = self.expected.pages[page]
        opened = action["do"] == "open"
        # A page that opens has no lists yet.
        ratings = Ratings() if opened else Ratings(*map(_rated, (lists.liked, lists.disliked)))
        entries = [{"number": number} for number in shown]
        seen = PageState(ratings, True, ShownPictures.from_client(entries, None), TABS[page])
        keys = {"page": f"{page:032x}", "browser": f"{7:032x}"}
        outcome = self._presses.carry_out(json.dumps({**action, **keys}), seen)
        is_told = self.expected.press(page, action, shown)
        after = self.expected.pages[page]
        for name in ("liked", "disliked"):
            named = {each.picture: each.weight for each in outcome.ratings.of(name)}
            assert list(named.items()) == list(getattr(after, name).items()), (action, outcome)
        told = outcome.note or outcome.question
        assert is_told is None or (told is not None) == is_told, (action, outcome)
        assert outcome.note is None or "console" not in outcome.note.text

    def damage(self, number: int, how: str) -> None:
        """Something happens to a file of the store."""
        path = self._folder / "pictures" / IDS[number][:2] / f"{IDS[number]}.png"
        if not path.is_file():
            return
        self.expected.damage(IDS[number], is_deleted=how == "delete")
        if how == "delete":
            path.unlink()
        elif how == "cut":
            path.write_bytes(path.read_bytes()[:60])
        else:
            path.write_bytes(b"no picture")

    def break_index(self, how: str) -> None:
        """The database is deleted or overwritten between two runs."""
        index = self._folder / "history.sqlite3"
        if how == "delete":
            index.unlink(missing_ok=True)
        elif index.is_file():
            index.write_bytes(b"no database" * 500 if how == "overwrite" else b"")
        self.restart()

    def make_room(self, max_bytes: int) -> None:
        """The store has to become smaller."""
        # A library of its own: the limit is not to reach what runs in the background.
        removed = Library(self._folder, lambda: max_bytes, spare_seconds=0).enforce_limit()
        assert not set(removed) & self.expected.needed(), "a picture in use was deleted"
        for picture_id in removed:
            self.expected.damage(picture_id, is_deleted=True)

    def generate(
        self, page: int, settings: dict[str, Any], fault: str | None = None, at: int = 1
    ) -> None:
        """The page's Generate button, with a fault at its Nth chance."""
        request, generating = self._request(page, settings), self._generating
        if request is None:
            return
        if not request.is_active:
            generating.check_plain()
            return
        out = generating.sample(request, fault, at)
        if out is None:
            return
        assert torch.isfinite(out).all()
        lists = self.expected.pages[page]
        weights = (tuple(lists.liked.items()), tuple(lists.disliked.items()))
        key = (weights, tuple(sorted(settings.items())), generating.model_key)
        if key not in self._made:
            self._made[key] = generating.sample(request, is_fresh=True)
        assert torch.equal(out, self._made[key]), "the same request, another result"

    def _request(self, page: int, settings: dict[str, Any]) -> FabricRequest | None:
        """What the page asks for; None where that must be refused, and is."""
        lists = self.expected.pages[page]
        texts = {name: _text(getattr(lists, name)) for name in ("liked", "disliked")}
        is_wrong = not lists.ids() <= self.expected.intact or lists.longest() > self.expected.cap
        try:
            request = parse_arguments(
                [{**texts, **settings}], self._library.store, self.expected.cap
            )
        except FabricError as error:
            assert is_wrong, error
            assert error.status_code == 422
            assert "liked" in str(error)
            return None
        assert not is_wrong
        assert request.is_active == any(each > 0 for each in lists.weights())
        return request

    def patch(self, factor: float, band: tuple[int, int]) -> None:
        """Another extension's patch changes what the U-Net does at some timesteps."""
        self._generating.patch(factor, band)

    def inpaint(self, page: int, settings: dict[str, Any], num_pictures: int, hidden: int) -> None:
        """A batch of which a mask lets only a part be changed."""
        request = self._request(page, settings)
        if request is not None and request.is_active:
            self._generating.check_batch(request, num_pictures, hidden)

    def fail(self, page: int, fault: str, at: int) -> None:
        """As `generate`, and a look at what a generation without feedback is then."""
        self.generate(page, {"end": 1}, fault, at)
        self._generating.check_plain()

    def set_cap(self, cap: int) -> None:
        """The user changes the option."""
        self.expected.cap = cap

    def send(self, numbers: list[int], broken: bool) -> None:
        """A client of the API sends pictures, perhaps with one that cannot be read."""
        texts = [TEXTS[number] for number in numbers] + ["no picture"] * broken
        try:
            parse_arguments([{"liked": texts}], self._library.store, NUM_PICTURES + 1)
        except FabricError as error:
            assert broken, error
            return
        assert not broken
        for number in numbers:
            self.expected.keep(IDS[number])

    def check(self) -> None:
        """The invariants that hold after every operation."""
        self._generating.check()
        for lists in self.expected.pages:
            assert len(lists.ids()) == len(lists.liked) + len(lists.disliked)
        for picture_id in self.expected.present:
            assert picture_id in self._library.store, "a kept picture is gone"
        for tab, verdicts in self.expected.history.items():
            for picture_id, verdict in verdicts.items():
                found = self._library.history.find("", tab, picture_id)
                assert found is not None, "a rating is gone"
                assert found.verdict == verdict
        assert set(preset_names(self._library.presets)) == set(self.expected.presets)
        leftovers = [each for each in self._folder.rglob(".new*") if each.is_file()]
        assert leftovers == [], "half-written files"


def _text(weights: dict[str, float]) -> str:
    """A list as the page sends it."""
    return " ".join(f"{each}*{weight}" for each, weight in weights.items())


def _rated(weights: dict[str, float]) -> tuple[Rated[str], ...]:
    return tuple(Rated(each, weight) for each, weight in weights.items())
