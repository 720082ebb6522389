"""One generation with feedback: what is armed when, the reference pass and the rows it serves.

Knows the modules below it and the `Host` protocol it states; not gradio, not `modules.*`.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Hashable, Iterator, Sequence, Set
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Protocol

import torch
from torch import nn

from lib_fabric.attention.hooks import AttentionContext, SelfAttentionHooks
from lib_fabric.attention.merging import Merging
from lib_fabric.attention.retry import Frugality
from lib_fabric.attention.rows import LayerStates, RowGroup
from lib_fabric.errors import doing, is_out_of_memory
from lib_fabric.ratings import LIST_NAMES
from lib_fabric.request import FabricRequest
from lib_fabric.steering.latents import LatentCache
from lib_fabric.steering.methods import METHODS, Rated, weigh
from lib_fabric.steering.picture_numbers import RowNumbers
from lib_fabric.steering.reference_pass import Conditioning, References, Seen, UnetCall
from lib_fabric.steering.refresh import Looks
from lib_fabric.steering.schedule import feedback_weights
from lib_fabric.steering.state_cache import StateCache
from lib_fabric.steering.step import Armed, DenoiseStep

logger = logging.getLogger(__name__)

ENCODING_TEXT = "Reading rated pictures…"
LOOKING = "looking at the rated pictures"


class Host(AttentionContext, Protocol):
    """What a generation needs from the WebUI. Sizes are (height, width) in latent cells."""

    def unet(self) -> nn.Module:
        """The U-Net now in use. Raises FabricError if it cannot be hooked."""

    def model_key(self) -> Hashable:
        """Changes whenever the checkpoint or the VAE does."""

    def state_key(self) -> Hashable:
        """Changes whenever anything known does that changes what a reference's states are."""

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels `[1, 3, H, W]` in 0..1 to scaled latents `[1, C, H/8, W/8]`; repeatable."""

    def null_conditioning(self, size_latent: tuple[int, int]) -> Conditioning:
        """The conditioning of the empty prompt, with the extra networks that are active now."""

    def progress_text(self, text: str) -> AbstractContextManager[None]:
        """Shows `text` in the progress bar for as long as the context lasts."""

    def free_memory(self) -> None:
        """Gives memory that nothing uses back to the device."""

    def stop_if_interrupted(self) -> None:
        """Raises the host's own exception if the user has asked for an end."""

    def warn(self, message: str) -> None:
        """Tells the user something below the pictures."""


class FabricSession:
    """The feedback of one generation, over all its batches and passes.

    `installed` wraps the sampling; `begin_denoise` and `end_denoise` come from the host's
    callbacks and never raise, since the host swallows what they raise: an error waits for the next
    U-Net call, from where it reaches the user.

    Source: arXiv:2307.10159, section 3 and algorithm 1 (appendix A.1).
    """

    def __init__(
        self,
        request: FabricRequest,
        host: Host,
        latents: LatentCache,
        states: StateCache | None = None,
    ) -> None:
        self._request = request
        self._host = host
        self._latents = latents
        self._states = states or StateCache()
        self._hooks: SelfAttentionHooks | None = None
        self._pass_key: Hashable = None
        self._references: References | None = None
        self._method = METHODS[request.settings.method]
        self._looks = Looks(request.settings.refresh)
        self._frugality = Frugality(self._make_room)
        self._device = torch.device("cpu")
        self._mergings: dict[str, Merging] = {}
        self._row_numbers = RowNumbers()
        self._armed: Armed | None = None
        self._error: Exception | None = None
        self._is_sampling = False
        self._was_announced = False
        self._had_unannounced_call = False
        self._had_unseen_step = False

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Hooks the U-Net for one sampling and leaves the model as it was, whatever happens.

        Raises:
            FabricError: the model cannot be hooked, or an error of `begin_denoise` is left.
        """
        self._was_announced = self._had_unannounced_call = self._had_unseen_step = False
        self._is_sampling = True
        self._row_numbers = RowNumbers()
        self._states.begin_generation()
        try:
            with doing("entering the model"):
                self._hook(self._host.unet())
            yield
            if self._error is not None:
                # No U-Net call came to raise it: the model now in use could not be hooked.
                raise self._error
            self._warn_where_without_effect()
        except Exception as error:
            if is_out_of_memory(error):
                # Room for the next generation, which may well be one without feedback.
                self._states.clear()
            raise
        finally:
            self._is_sampling = False
            self._unhook()

    def begin_denoise(self, read_step: Callable[[], DenoiseStep]) -> None:
        """Arms feedback for the U-Net calls of one denoiser call.

        Args:
            read_step: reads the callback; called here so that its errors are kept too.
        """
        if not self._is_sampling:
            return
        self._was_announced = True
        self._armed = None
        try:
            with doing("preparing a step"):
                self._armed = self._arm(read_step())
        except Exception as error:  # noqa: BLE001 (raised again in the next U-Net call)
            self._error = error

    def end_denoise(self) -> None:
        """Disarms feedback: U-Net calls from here on are not ours."""
        self._had_unseen_step |= self._armed is not None and self._armed.rows_seen == 0
        self._armed = None
        # What comes next may need the memory: the hires pass, or the picture's decoding.
        self._looks.end_call()
        if self._hooks is not None:
            self._hooks.plan = None

    def _warn_where_without_effect(self) -> None:
        if self._had_unannounced_call and not self._was_announced:
            self._host.warn(
                "FABRIC had no effect: this sampler does not announce its steps. "
                "Choose another sampling method."
            )
        if self._had_unseen_step:
            self._host.warn(
                "FABRIC had no effect in some steps: the model was exchanged while it was in use. "
                "Generate again."
            )

    def _hook(self, unet: nn.Module) -> None:
        hooks = SelfAttentionHooks(unet, self._host, self._frugality)
        # Remembered first: an install that fails half-way is removed all the same.
        self._hooks = hooks
        hooks.install(self._before_unet)

    def _unhook(self) -> None:
        self._armed = self._references = self._error = None
        self._looks.forget()
        if self._hooks is not None:
            self._hooks.remove()
            self._hooks = None

    def _arm(self, step: DenoiseStep) -> Armed | None:
        # First of all: rows are named at the first step, whether feedback begins there or not.
        numbers = self._row_numbers.of_rows(step.x, step.num_rows, step.is_hires, step.pictures)
        if step.is_hires and not self._request.settings.hires:
            self._looks.forget()
            return None
        strengths = feedback_weights(self._request.settings, step.progress)
        liked, disliked = (
            weigh(self._request.ratings.of(name), strength, name)
            for name, strength in zip(LIST_NAMES, strengths, strict=True)
        )
        if not liked and not disliked:
            self._looks.forget()
            return None
        armed = Armed(step, liked, disliked, numbers)
        self._enter_pass(step, armed.picture_ids(self._method))
        armed.look = self._looks.at(step.number, step.alpha)
        return armed

    def _enter_pass(self, step: DenoiseStep, picture_ids: Set[str]) -> None:
        """Encodes what this pass needs; here, since encoding inside a U-Net call breaks low VRAM
        modes, and since only the denoiser knows the pass's size in every version of the host."""
        unet = self._host.unet()
        key = (self._host.state_key(), id(unet), step.size_latent, step.is_hires)
        if self._references is not None and self._pass_key == key:
            # Unconditional rows may come later than conditional ones.
            missing = picture_ids - self._references.picture_ids
            if missing:
                self._references.add(self._latents_of(missing, step))
            return
        if self._hooks is None or self._hooks.unet is not unet:
            # The refiner or a hires checkpoint has taken over.
            self._unhook()
            self._hook(unet)
        self._hooks.move_last(self._before_unet)
        self._references = None
        self._looks.forget()
        self._frugality.num_parts = 1
        self._mergings = self._mergings_at(step.size_latent)
        latents = self._latents_of(picture_ids, step)
        with doing("encoding the empty prompt"):
            conditioning = self._host.null_conditioning(step.size_latent)
        self._references = References(latents, conditioning, self._host.state_key(), self._states)
        self._pass_key = key

    def _latents_of(self, picture_ids: Set[str], step: DenoiseStep) -> dict[str, torch.Tensor]:
        rated = self._request.ratings
        pictures = [each.picture for each in rated if each.picture.id in picture_ids]
        encoding = self._host.progress_text(ENCODING_TEXT)
        with doing("encoding the rated pictures"), encoding:
            return {
                picture.id: self._latents.latent(
                    picture, step.size_latent, self._encode, self._host.model_key()
                )
                for picture in pictures
            }

    def _mergings_at(self, size_latent: tuple[int, int]) -> dict[str, Merging]:
        """How each list's pictures are merged, so that together they keep to the limit."""
        settings = self._request.settings
        mergings = {}
        for name in LIST_NAMES:
            share = settings.max_tokens
            if share:
                share = max(1, share // max(1, len(self._request.ratings.of(name))))
            mergings[name] = Merging.at(size_latent, settings.merge, share)
        return mergings

    def _encode(self, pixels: torch.Tensor) -> torch.Tensor:
        self._host.stop_if_interrupted()
        return self._host.encode(pixels)

    def _before_unet(self, unet: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Runs before every call of the hooked U-Net, ours or not."""
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        self._hooks.plan = None
        self._had_unannounced_call |= not self._was_announced
        armed = self._armed
        if armed is None or armed.rows_seen >= armed.step.num_rows:
            return
        call = UnetCall.of(args, kwargs)
        armed.step.refuse_other_size(tuple(call.x.shape[2:]))
        self._device = call.x.device
        groups = self._group_rows(armed, call)
        armed.rows_seen += call.num_rows
        if any(group.references or group.pulls for group in groups):
            self._hooks.plan = groups

    def _group_rows(self, armed: Armed, call: UnetCall) -> list[RowGroup]:
        def states_of(rated: Sequence[Rated]) -> list[LayerStates]:
            wanted = [Seen(each.picture_id, self._mergings[each.list_name]) for each in rated]
            look_on = partial(self._references.look_on, self._hooks, call, wanted, armed.look)
            with doing(LOOKING):
                while self._frugality.retry(look_on, LOOKING):
                    # Many pictures take long: whoever presses Interrupt is not to wait for all.
                    self._host.stop_if_interrupted()
            return [armed.look.states[each] for each in wanted]

        return armed.group_rows(call.num_rows, self._method, states_of)

    def _make_room(self) -> None:
        self._host.stop_if_interrupted()
        logger.info("Out of memory: tried again with attention in smaller parts.")
        self._references.rows_at_once = 1
        self._states.give_way(self._device)
        self._host.free_memory()
