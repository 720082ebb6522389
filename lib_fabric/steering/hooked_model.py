"""The model that is hooked now: another may take over in mid-sampling.

Knows the protocol's models and the hooks; not steps, not what is attended to.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from lib_fabric.attention.hooks import BeforeUnet, Captured, IsAgain, SelfAttentionHooks
from lib_fabric.attention.plan import Plan
from lib_fabric.attention.retry import MemoryRetry
from lib_fabric.steering.host import Conditioning, Model, UnetCall
from lib_fabric.steering.refresh import NoiseLevel


class HookedModel:
    """Hooks one model at a time."""

    def __init__(self, before_unet: BeforeUnet, is_again: IsAgain, retry: MemoryRetry) -> None:
        """
        Args:
            before_unet: runs before every call of the hooked U-Net.
            is_again: whether a call that had a plan is to be made again.
            retry: of its calls, where memory is short.
        """
        self._before_unet = before_unet
        self._is_again = is_again
        self._retry = retry
        self._model: Model | None = None
        self._hooks: SelfAttentionHooks | None = None

    def hook(self, model: Model) -> None:
        """Hooks `model`, once, in place of the one before, and in front of others' hooks."""
        if self._model is not None and self._model.unet is not model.unet:
            # The refiner or a hires checkpoint has taken over.
            self.unhook()
        if self._hooks is None:
            self._model = model
            # Remembered first: an install that fails half-way is removed all the same.
            self._hooks = SelfAttentionHooks(model.unet, model.layers, self._retry)
            self._hooks.install(self._before_unet, self._is_again)
        else:
            self._hooks.stay_outermost(self._before_unet)

    def unhook(self) -> None:
        """Leaves the model as it was."""
        if self._hooks is not None:
            self._hooks.remove()
        self._model = self._hooks = None

    def set_plan(self, plan: Plan | None) -> None:
        """What the rows of the next U-Net call attend to; None for a call not of ours."""
        if self._hooks is not None:
            self._hooks.plan = plan

    def run_references(
        self,
        noised: torch.Tensor,
        level: NoiseLevel,
        conditioning: Conditioning,
        call: UnetCall,
        captured: Sequence[Captured],
    ) -> None:
        """Runs references through the U-Net; leaves their states in `captured`.

        Args:
            noised: z_t `[rows, C, h, w]`.
            level: of that noise.
            conditioning: of the references' prompt.
            call: of the same model, whose precision and device are used.
            captured: one for each row.
        """
        with self._hooks.capture(*captured):
            self._model.run_references(noised, level.timestep, conditioning, call)
