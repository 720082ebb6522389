"""The reference pass: noised references through the U-Net, for their keys and values.

Knows torch, the hooks and the caches; not settings, schedules or rows.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from lib_fabric.errors import UnsupportedModelError, is_out_of_memory
from lib_fabric.hooks import LayerStates, SelfAttentionHooks
from lib_fabric.latents import noised_latent, reference_noise
from lib_fabric.looks import Look
from lib_fabric.merging import Merging
from lib_fabric.state_cache import StateCache

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Conditioning:
    """What the U-Net gets besides latents and timesteps, for one row.

    Attributes:
        context: text embedding `[1, tokens, channels]`.
        extra: further keyword arguments, such as SDXL's `y` `[1, channels]`.
        concat: channels `[1, C, h, w]` that inpainting, depth and edit models expect behind the
            latents: "no picture given".
    """

    context: torch.Tensor
    extra: dict[str, torch.Tensor] = field(default_factory=dict)
    concat: torch.Tensor | None = None


@dataclass(frozen=True)
class UnetCall:
    """The tensors of one U-Net call: x `[rows, C, h, w]`, timesteps `[rows]`, context, y."""

    x: torch.Tensor
    timesteps: torch.Tensor
    context: torch.Tensor
    y: torch.Tensor | None

    @classmethod
    def of(cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> UnetCall:
        """ldm passes x and timesteps by position, sgm only x."""
        given = dict(zip(("x", "timesteps", "context"), args, strict=False)) | kwargs
        return cls(given["x"], given["timesteps"], given["context"], given.get("y"))

    @property
    def num_rows(self) -> int:
        return self.x.shape[0]

    def inputs(self, conditioning: Conditioning) -> dict[str, torch.Tensor]:
        """Keyword arguments of a U-Net call for one reference at this call's timestep."""
        # Models with an image embedding in y (unCLIP) take zeros for "no picture given".
        extra = {} if self.y is None else {"y": torch.zeros_like(self.y[:1])}
        extra |= {name: value.to(self.x) for name, value in conditioning.extra.items()}
        context = conditioning.context.to(self.context)
        return {"timesteps": self.timesteps[:1], "context": context, **extra}


class References:
    """The references of one pass: one model, one size."""

    def __init__(
        self,
        latents: Mapping[str, torch.Tensor],
        conditioning: Conditioning,
        state_key: Hashable,
        cache: StateCache,
    ) -> None:
        """
        Args:
            latents: z_0 `[C, h, w]` by picture id.
            conditioning: of the empty prompt.
            state_key: what is known to change keys and values, besides latents and conditioning.
            cache: where they are kept.
        """
        self._latents = {
            picture_id: (z, reference_noise(picture_id, tuple(z.shape)).to(z.device))
            for picture_id, z in latents.items()
        }
        self._conditioning = conditioning
        sizes = {tuple(z.shape) for z in latents.values()}
        self._key = (state_key, frozenset(sizes), _digest(conditioning))
        self._cache = cache
        self._kept_is_checked = False

    def states(
        self,
        hooks: SelfAttentionHooks,
        call: UnetCall,
        picture_id: str,
        look: Look,
        merging: Merging,
    ) -> LayerStates:
        """What a look sees of one reference: kept states, or those of a reference pass.

        The key holds what is known to change them. For what is not (other extensions patch U-Nets
        too), the first kept states of each pass are computed anew and compared.
        """
        if (picture_id, merging) not in look.states:
            # A later U-Net call may use this look, at a timestep of its own.
            if look.timesteps is None:
                look.timesteps = call.timesteps[:1].clone()
            call = replace(call, timesteps=look.timesteps)
            look.states[picture_id, merging] = self._see(hooks, call, picture_id, look, merging)
        return look.states[picture_id, merging]

    def _see(
        self,
        hooks: SelfAttentionHooks,
        call: UnetCall,
        picture_id: str,
        look: Look,
        merging: Merging,
    ) -> LayerStates:
        key = (self._key, look.alpha, picture_id, merging)
        kept = self._cache.get(key, call.x.device)
        if kept is not None and self._kept_is_checked:
            return kept
        noised = self._noised(picture_id, look.alpha, call)
        states = self._reference_pass(hooks, call, noised, merging)
        if kept is not None:
            self._kept_is_checked = _equal(kept, states)
            if not self._kept_is_checked:
                logger.info("The model has changed: kept reference states are dropped.")
                self._cache.clear()
                self._kept_is_checked = True
        self._keep(key, states)
        return states

    def _keep(self, key: Hashable, states: LayerStates) -> None:
        try:
            self._cache.put(key, states)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            # Keeping only saves time.
            logger.info("No memory to keep reference states: the kept ones are dropped.")
            self._cache.clear()

    def _reference_pass(
        self, hooks: SelfAttentionHooks, call: UnetCall, noised: torch.Tensor, merging: Merging
    ) -> LayerStates:
        """Runs one noised reference `[1, C, h, w]` through the U-Net; its keys and values.

        One at a time, so that they do not depend, not even in the last bit, on which others are
        rated.
        """
        if noised.shape[1] != call.x.shape[1]:
            raise UnsupportedModelError(
                f"This checkpoint's model takes {call.x.shape[1]} channels where rated pictures "
                f"have {noised.shape[1]}. Switch FABRIC off, or choose another checkpoint."
            )
        states: LayerStates = {}
        with hooks.capture(states, merging):
            # The class's forward: another extension may have replaced the instance's, and its
            # control is not meant for references.
            type(hooks.unet).forward(hooks.unet, noised, **call.inputs(self._conditioning))
        return states

    def _noised(self, picture_id: str, alpha: float, call: UnetCall) -> torch.Tensor:
        noised = noised_latent(*self._latents[picture_id], alpha).to(call.x)
        concat = self._conditioning.concat
        noised = noised if concat is None else torch.cat([noised, concat[0].to(call.x)])
        return noised[None]


def _digest(conditioning: Conditioning) -> str:
    digest = hashlib.sha256()
    concat = [] if conditioning.concat is None else [conditioning.concat]
    for tensor in (conditioning.context, *conditioning.extra.values(), *concat):
        digest.update(tensor.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()


def _equal(first: LayerStates, second: LayerStates) -> bool:
    return first.keys() == second.keys() and all(
        len(first[index].tensors) == len(second[index].tensors)
        and all(map(torch.equal, first[index].tensors, second[index].tensors))
        for index in first
    )
