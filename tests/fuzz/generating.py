"""Generations on a tiny U-Net, with faults, patches behind our back, and batches under a mask."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from lib_fabric.errors import FabricError
from lib_fabric.request import FabricRequest
from lib_fabric.steering.host import Step
from lib_fabric.steering.latents import LatentCache
from lib_fabric.steering.references import PROBE_SIZE
from lib_fabric.steering.session import FabricSession
from lib_fabric.steering.state_cache import StateCache
from tests.helpers.denoising import assert_close, fingerprint, make_step
from tests.helpers.fake_host import FakeHost
from tests.helpers.tiny_unet import make_inputs, make_tiny_unet
from tests.helpers.unet_patch import UnetPatch

FAULTS = ("encode", "null_conditioning", "callback", "unet", "interrupt", "memory")
STATES_BYTES = 2 * 2**20  # less than the pictures of one page need, so that some are dropped
MOST_PICTURES = 3
# float32, and other sizes of batches in the same products.
_TOLERANCE = 1e-4
_PROGRESS = (0.0, 0.6)


class Interrupted(BaseException):
    """As the host's: no Exception."""


class Generating:
    """The model of one WebUI, and what is kept between its generations.

    Attributes:
        model_key: what another extension makes of the model now.
    """

    def __init__(self) -> None:
        self._unet = make_tiny_unet()
        self._patch = UnetPatch(self._unet)
        self.model_key: tuple = (1.0, (0, 0))
        self._inputs = make_inputs(2 * MOST_PICTURES)
        self._clean = fingerprint(self._unet)
        self._plain = self.plain()
        self.restart()

    def restart(self) -> None:
        """Nothing is kept."""
        self._latents, self._states = LatentCache(max_latents=6), StateCache(STATES_BYTES)

    def patch(self, factor: float, band: tuple[int, int]) -> None:
        """Another extension's patch changes what the U-Net does at some timesteps."""
        self._patch.factor, self.model_key = factor, (factor, band)
        self._patch.is_active = lambda timestep: band[0] <= timestep < band[1]
        self._plain = self.plain()

    def plain(self) -> torch.Tensor:
        """What comes without feedback, of the first picture."""
        return self._run(self._rows_of([0]), 500.0)

    def check(self) -> None:
        """Nothing of ours is on the model."""
        assert fingerprint(self._unet) == self._clean, "something is left on the model"

    def check_plain(self) -> None:
        """A generation without feedback is what it always was."""
        assert torch.equal(self.plain(), self._plain)

    def sample(
        self,
        request: FabricRequest,
        fault: str | None = None,
        at: int = 1,
        *,
        is_fresh: bool = False,
        pictures: Sequence[int] = (0,),
        hidden: int = 0,
    ) -> torch.Tensor | None:
        """Two denoiser calls within a session; None if the fault has come to pass.

        Args:
            is_fresh: with nothing kept of other generations.
            pictures: which of the batch are made.
            hidden: how many columns of them an inpainting mask keeps as they are.
        """
        host = _FaultyHost(self._unet, fault, at)
        states = StateCache() if is_fresh else self._states
        session = FabricSession(request, host, self._latents, states)
        x = self._rows_of(pictures, hidden)
        try:
            with session.installed():
                out = [
                    self._denoise(session, host, x, pictures, progress) for progress in _PROGRESS
                ]
        except (FabricError, RuntimeError, Interrupted) as error:
            assert host.has_failed, error
            return None
        # An end that is asked for after the last step ends nothing.
        assert not host.has_failed or fault == "interrupt", "a fault that nobody was told"
        if host.warnings:
            # What is said to have had no effect had none.
            assert all("no effect" in each for each in host.warnings)
            plain = [self._run(x, 1000 * (1 - _alpha_at(progress))) for progress in _PROGRESS]
            assert_close(torch.cat(out), torch.cat(plain), _TOLERANCE)
        return torch.cat(out)

    def check_batch(self, request: FabricRequest, num_pictures: int, hidden: int) -> None:
        """Each picture of a batch is the same alone, also where a mask makes them look alike."""
        whole = range(num_pictures)
        batch = self.sample(request, pictures=whole, hidden=hidden)
        rows = batch.unflatten(0, (2, 2, num_pictures))
        for picture in whole:
            alone = self.sample(request, pictures=[picture], hidden=hidden)
            assert_close(rows[:, :, picture].flatten(0, 1), alone, _TOLERANCE)

    def _rows_of(self, pictures: Sequence[int], hidden: int = 0) -> tuple[torch.Tensor, ...]:
        """Latents and prompts: conditional rows first, and the same latents without the prompt."""
        x, _, context = self._inputs
        x = x.clone()
        # The host lays the same noiseless latents below the mask of every row.
        x[..., :hidden] = x[:1, ..., :hidden]
        latents = x[list(pictures)]
        rows = [*pictures, *(MOST_PICTURES + each for each in pictures)]
        return latents.repeat(2, 1, 1, 1), context[rows]

    def _denoise(
        self,
        session: FabricSession,
        host: _FaultyHost,
        rows: tuple[torch.Tensor, ...],
        pictures: Sequence[int],
        progress: float,
    ) -> torch.Tensor:
        alpha = _alpha_at(progress)
        numbers = tuple(11 + each for each in pictures)
        step = make_step(
            2 * len(numbers), len(numbers), progress, alpha=alpha, picture_numbers=numbers,
            size=tuple(rows[0].shape[2:]),
        )  # fmt: skip

        def read_step() -> Step:
            host.pass_by("callback")
            return host.begin_step(step)

        session.begin_step(read_step)
        with host.failing_unet():
            out = self._run(rows, 1000 * (1 - alpha))
        host.end_step()
        session.end_step()
        return out

    def _run(self, rows: tuple[torch.Tensor, ...], timestep: float) -> torch.Tensor:
        x, context = rows
        return self._unet(x, torch.full((len(x),), timestep), context=context)


def _alpha_at(progress: float) -> float:
    """Each step has a noise level, and so a timestep, of its own."""
    return 0.4 + progress / 2


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
