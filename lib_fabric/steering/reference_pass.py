"""The reference pass: noised references through the U-Net, for their keys and values.

Knows torch, the hooks and the caches; not settings, schedules or rows.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Hashable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch

from lib_fabric.attention.hooks import LayerStates, SelfAttentionHooks
from lib_fabric.attention.merging import Merging
from lib_fabric.errors import UnsupportedModelError, is_out_of_memory
from lib_fabric.steering.latents import noised_latent, reference_noise
from lib_fabric.steering.refresh import Look
from lib_fabric.steering.state_cache import StateCache

logger = logging.getLogger(__name__)

# References in one U-Net call. A row alone is slow: as much is read of the model's weights for one
# row as for two. Always so many, a last one beside itself: kernels of another number of rows round
# differently, and what is seen of a picture must not depend on which others are rated.
ROWS_AT_ONCE = 2


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

    def inputs(self, conditioning: Conditioning, num_rows: int) -> dict[str, torch.Tensor]:
        """Keyword arguments of a U-Net call for so many references at this call's timestep."""
        # Models with an image embedding in y (unCLIP) take zeros for "no picture given".
        given = {} if self.y is None else {"y": torch.zeros_like(self.y[:1])}
        given |= {name: value.to(self.x) for name, value in conditioning.extra.items()}
        given |= {"timesteps": self.timesteps[:1], "context": conditioning.context.to(self.context)}
        return {name: value.repeat_interleave(num_rows, 0) for name, value in given.items()}


class Seen(NamedTuple):
    """What is looked at: a picture, and how its tokens are merged."""

    picture_id: str
    merging: Merging


class References:
    """The references of one pass: one model, one size.

    Attributes:
        rows_at_once: in one U-Net call; always so many, see `ROWS_AT_ONCE`. 1 needs least memory.
    """

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
        self._latents: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        self.add(latents)
        self._conditioning = conditioning
        self._key = (state_key, _digest(conditioning))
        self._cache = cache
        self._era = object()
        self.rows_at_once = ROWS_AT_ONCE

    @property
    def picture_ids(self) -> Set[str]:
        """Of the references."""
        return self._latents.keys()

    def add(self, latents: Mapping[str, torch.Tensor]) -> None:
        """Adds references, z_0 `[C, h, w]` by picture id, of the size of the others."""
        for picture_id, z in latents.items():
            noise = reference_noise(picture_id, tuple(z.shape)).to(z.device)
            self._latents[picture_id] = z, noise

    def look_on(
        self, hooks: SelfAttentionHooks, call: UnetCall, wanted: Sequence[Seen], look: Look
    ) -> bool:
        """Puts the next few of `wanted`, and all that are kept, into `look.states`.

        Returns:
            Whether there were any that a reference pass had to look at; if not, all are there.
        """
        together = self._next_unseen(call, wanted, look)
        if not together:
            return False
        # A later U-Net call may use this look, at a timestep of its own.
        if look.timesteps is None:
            look.timesteps = call.timesteps[:1].clone()
        call = replace(call, timesteps=look.timesteps)
        found = self._reference_pass(hooks, call, together, look.alpha)
        for seen, states in zip(together, found, strict=True):
            key = self._key_of(seen, look)
            self._compare(key, states)
            self._keep(key, states)
            look.states[seen] = states
        return True

    def _next_unseen(self, call: UnetCall, wanted: Sequence[Seen], look: Look) -> list[Seen]:
        """What of `wanted` the next reference pass looks at; takes what is kept.

        The key of kept states holds what is known to change them. For what is not (other extensions
        patch U-Nets too), the first kept ones of each era are seen anew in each pass and compared.
        """
        kept, missing = [], []
        for seen in dict.fromkeys(wanted):
            if seen in look.states:
                continue
            key = self._key_of(seen, look)
            if self._cache.era_of(key) is self._era:
                look.states[seen] = self._cache.get(key, call.x.device)
            else:
                (kept if key in self._cache else missing).append(seen)
        return [*kept[:1], *missing, *kept[1:]][: self.rows_at_once]

    def _key_of(self, seen: Seen, look: Look) -> Hashable:
        return (self._key, self.rows_at_once, look.alpha, seen)

    def _compare(self, key: Hashable, states: LayerStates) -> None:
        """Takes an era's kept states into this pass's if one of them is the same, or drops all."""
        era = self._cache.era_of(key)
        if era is None or era is self._era:
            return
        device = next(iter(states.values())).keys.device
        if _equal(self._cache.get(key, device), states):
            self._cache.join_eras(era, self._era)
        else:
            logger.info("The model has changed: kept reference states are dropped.")
            self._cache.drop_era(era)

    def _keep(self, key: Hashable, states: LayerStates) -> None:
        try:
            self._cache.put(key, states, self._era)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            # Keeping only saves time.
            logger.info("No memory to keep reference states: the kept ones are dropped.")
            self._cache.clear()

    def _reference_pass(
        self,
        hooks: SelfAttentionHooks,
        call: UnetCall,
        together: Sequence[Seen],
        alpha: float,
    ) -> list[LayerStates]:
        """Runs noised references through the U-Net; their keys and values."""
        rows = [*together, *[together[-1]] * (self.rows_at_once - len(together))]
        noised = torch.stack([self._noised(each.picture_id, alpha, call) for each in rows])
        if noised.shape[1] != call.x.shape[1]:
            raise UnsupportedModelError(
                f"This checkpoint's model takes {call.x.shape[1]} channels where rated pictures "
                f"have {noised.shape[1]}. Switch FABRIC off, or choose another checkpoint."
            )
        captured = [({}, each.merging) for each in rows]
        inputs = call.inputs(self._conditioning, len(rows))
        with hooks.capture(*captured):
            # The class's forward: another extension may have replaced the instance's, and its
            # control is not meant for references.
            type(hooks.unet).forward(hooks.unet, noised, **inputs)
        return [states for states, _ in captured[: len(together)]]

    def _noised(self, picture_id: str, alpha: float, call: UnetCall) -> torch.Tensor:
        noised = noised_latent(*self._latents[picture_id], alpha).to(call.x)
        concat = self._conditioning.concat
        return noised if concat is None else torch.cat([noised, concat[0].to(call.x)])


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
