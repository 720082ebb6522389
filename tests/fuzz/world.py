"""A WebUI in small for random sequences: pages that rate, a library on disk, generations on a tiny
U-Net, and a plain-Python idea of what must come out. Whatever differs is an AssertionError.

To add an operation: a method here that keeps `Expected` right, and a line in machine.py.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
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
from lib_fabric.steering.host import Step
from lib_fabric.steering.latents import LatentCache
from lib_fabric.steering.references import PROBE_SIZE
from lib_fabric.steering.session import FabricSession
from lib_fabric.steering.state_cache import StateCache
from tests.fuzz.expected import IDS, IMAGES, NUM_PICTURES, TABS, TEXTS, Expected
from tests.helpers.denoising import fingerprint, make_step
from tests.helpers.fake_host import FakeHost
from tests.helpers.page_host import FakePageHost
from tests.helpers.presets import preset_names
from tests.helpers.tiny_unet import make_inputs, make_tiny_unet
from tests.helpers.unet_patch import UnetPatch

STATES_BYTES = 2 * 2**20  # less than the pictures of one page need, so that some are dropped
FAULTS = ("encode", "null_conditioning", "callback", "unet", "interrupt", "memory")
ROWS = 2


class Interrupted(BaseException):
    """As the host's: no Exception."""


class World:
    """See the module's text."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="fabric-fuzz-"))
        self.expected = Expected()
        self._made: dict[tuple, torch.Tensor] = {}
        self._unet = make_tiny_unet()
        self._patch = UnetPatch(self._unet)
        self._band = (0, 0)
        self._inputs = make_inputs(ROWS)
        self._clean = fingerprint(self._unet)
        self._plain = self._run_unet()
        self.restart()

    def close(self) -> None:
        """The folder goes."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def check_files(self) -> None:
        """At the end: every intact picture can really be read."""
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
        self._latents, self._states = LatentCache(max_latents=6), StateCache(STATES_BYTES)

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
            return
        assert not is_wrong
        counting = [each for each in lists.weights() if each > 0]
        assert request.is_active == bool(counting)
        out = self._sample(request, fault, at) if request.is_active else self._run_unet()
        if out is None:
            return
        assert torch.isfinite(out).all()
        key = (*texts.values(), tuple(sorted(settings.items())), self._patch.factor, self._band)
        if key not in self._made:
            nothing_kept = StateCache()
            self._made[key] = self._sample(request, states=nothing_kept) if counting else out
        assert torch.equal(out, self._made[key]), "the same request, another result"
        if not counting:
            assert torch.equal(out, self._run_unet())

    def patch(self, factor: float, band: tuple[int, int]) -> None:
        """Another extension's patch changes what the U-Net does at some timesteps."""
        self._patch.factor, self._band = factor, band
        self._patch.is_active = lambda timestep: band[0] <= timestep < band[1]
        self._plain = self._run_unet()

    def fail(self, page: int, fault: str, at: int) -> None:
        """As `generate`, and a look at what a generation without feedback is then."""
        self.generate(page, {"end": 1}, fault, at)
        self.check_plain()

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

    def _sample(
        self,
        request: Any,
        fault: str | None = None,
        at: int = 1,
        states: StateCache | None = None,
    ) -> torch.Tensor | None:
        """Two denoiser calls within a session; None if the fault has come to pass."""
        host = _FaultyHost(self._unet, fault, at)
        session = FabricSession(request, host, self._latents, states or self._states)
        try:
            with session.installed():
                out = [self._denoise(session, host, progress) for progress in (0.0, 0.6)]
        except (FabricError, RuntimeError, Interrupted) as error:
            assert host.has_failed, error
            return None
        assert not host.has_failed, "a fault that nobody was told"
        assert host.warnings == []
        return torch.cat(out)

    def _denoise(self, session: FabricSession, host: _FaultyHost, progress: float) -> torch.Tensor:
        x = self._inputs[0]
        # Each step has a noise level, and so a timestep, of its own.
        alpha = 0.4 + progress / 2
        step = make_step(ROWS, ROWS // 2, progress, alpha=alpha, size=tuple(x.shape[2:]))

        def read_step() -> Step:
            host.pass_by("callback")
            return host.begin_step(step)

        session.begin_step(read_step)
        with host.failing_unet():
            out = self._run_unet(1000 * (1 - alpha))
        host.end_step()
        session.end_step()
        return out

    def _run_unet(self, timestep: float = 500.0) -> torch.Tensor:
        x, timesteps, context = self._inputs
        return self._unet(x, torch.full_like(timesteps, timestep), context=context)

    def check(self) -> None:
        """The invariants that hold after every operation."""
        assert fingerprint(self._unet) == self._clean, "something is left on the model"
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

    def check_plain(self) -> None:
        """A generation without feedback is what it always was."""
        assert torch.equal(self._run_unet(), self._plain)


def _text(weights: dict[str, float]) -> str:
    """A list as the page sends it."""
    return " ".join(f"{each}*{weight}" for each, weight in weights.items())


class _FaultyHost(FakeHost):
    """Fails once, at the Nth time that it comes to `fault`."""

    def __init__(self, unet: torch.nn.Module, fault: str | None, at: int) -> None:
        super().__init__(unet)
        self._fault, self._remaining = fault, at
        self.has_failed = False

    def pass_by(self, place: str) -> None:
        """Counts, and fails where it is meant to."""
        is_meant = place == self._fault or (place == "unet" and self._fault == "memory")
        if not is_meant:
            return
        self._remaining -= 1
        # A lack of memory lasts: one that passes is nothing that anybody is told of.
        if self._remaining == 0 or (self._remaining < 0 and self._fault == "memory"):
            self.has_failed = True
            if place == "interrupt":
                raise Interrupted
            raise RuntimeError("CUDA out of memory" if self._fault == "memory" else "a fault")

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        self.pass_by("encode")
        return super().encode(pixels)

    def null_conditioning(self, size_latent: tuple[int, int]) -> Any:
        self.pass_by("null_conditioning")
        return super().null_conditioning(size_latent)

    def stop_if_interrupted(self) -> None:
        self.pass_by("interrupt")

    @contextlib.contextmanager
    def failing_unet(self) -> Iterator[None]:
        """Within it every pass through the U-Net's middle, ours included, may fail."""
        middle = self.current_unet.middle_block[1].transformer_blocks[0].attn2

        def pass_by(_middle: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> None:
            # What befalls the probe costs the kept states, and no picture.
            if args[0].shape[1] != PROBE_SIZE[0] * PROBE_SIZE[1] // 4:
                self.pass_by("unet")

        handle = middle.register_forward_pre_hook(pass_by)
        try:
            yield
        finally:
            handle.remove()


def _rated(weights: dict[str, float]) -> tuple[Rated[str], ...]:
    return tuple(Rated(each, weight) for each, weight in weights.items())
