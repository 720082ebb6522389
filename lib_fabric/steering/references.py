"""The reference pass: noised references through the U-Net, for their keys and values.

Knows torch, the hooks and the cache of states; not settings, schedules or rows.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping, Sequence, Set

import torch

from lib_fabric.attention.late_value import LateValue
from lib_fabric.attention.states import LayerStates, are_same
from lib_fabric.errors import is_out_of_memory
from lib_fabric.steering.hooked_model import HookedModel
from lib_fabric.steering.host import Conditioning, UnetCall
from lib_fabric.steering.latents import noised_latent, reference_noise
from lib_fabric.steering.methods import PictureKey
from lib_fabric.steering.refresh import NoiseLevel, Snapshot
from lib_fabric.steering.state_cache import Level, StateCache

logger = logging.getLogger(__name__)

# References in one U-Net call. A row alone is slow: as much is read of the model's weights for one
# row as for two. Always so many, a last one beside itself: kernels of another number of rows round
# differently, and what is seen of a picture must not depend on which others are rated.
ROWS_AT_ONCE = 2
# (height, width) of the picture that tells whether the model is still the same, in latent cells:
# about as small as every U-Net takes it, and not square, so that no axes can be mistaken.
PROBE_SIZE = (8, 16)
_INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


class References:
    """The references of one pass: one model, one size.

    Attributes:
        rows_at_once: in one U-Net call; always so many, see `ROWS_AT_ONCE`. 1 needs least memory.
    """

    def __init__(
        self,
        latents: Mapping[str, torch.Tensor],
        conditioning: Conditioning,
        states_key: Hashable,
        cache: StateCache,
    ) -> None:
        """
        Args:
            latents: z_0 `[C, h, w]` by picture id.
            conditioning: of the references' prompt.
            states_key: what is known to change keys and values, besides latents and conditioning.
            cache: where they are kept.
        """
        self._latents: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        self.add(latents)
        self._conditioning = conditioning
        self._key = (states_key, conditioning.key)
        self._cache = cache
        self._opened: tuple[Snapshot, int] | None = None
        self._is_checked = False
        self._probe_noise: torch.Tensor | None = None
        # Of levels in use: the probe when their states were computed, and now.
        self._unconfirmed: dict[Level, tuple[LateValue, LateValue]] = {}
        self.rows_at_once = ROWS_AT_ONCE

    @property
    def picture_ids(self) -> Set[str]:
        """Of the references."""
        return self._latents.keys()

    def add(self, latents: Mapping[str, torch.Tensor]) -> None:
        """Adds references, z_0 `[C, h, w]` by picture id, of the size of the others."""
        for picture_id, z in latents.items():
            self._latents[picture_id] = z, reference_noise(picture_id, tuple(z.shape))

    def capture_next(
        self,
        model: HookedModel,
        call: UnetCall,
        wanted: Sequence[PictureKey],
        snapshot: Snapshot,
    ) -> bool:
        """Puts the states of the next few of `wanted`, and of all that are kept, into `snapshot`.

        Returns:
            Whether there were any that had to go through the U-Net; if not, all are there.
        """
        if wanted and self._cache.is_on and self._opened != (snapshot, self.rows_at_once):
            self._open(model, call, snapshot)
        together = self._next_unseen(call.device, wanted, snapshot)
        if not together:
            return False
        found = self._reference_pass(model, call, together, snapshot.level)
        for key, states in zip(together, found, strict=True):
            self._check(key, states, snapshot)
            self._keep(key, states, snapshot)
            snapshot.states[key] = states
        return True

    def _next_unseen(
        self, device: torch.device, wanted: Sequence[PictureKey], snapshot: Snapshot
    ) -> list[PictureKey]:
        """What of `wanted` the next reference pass looks at; takes what is kept.

        The key of kept states holds what is known to change them, and the probe of each level tells
        of what is not (other extensions patch U-Nets too). A patch may act at one size alone, which
        no probe sees: so the first kept ones of each pass are seen anew and compared.
        """
        kept, missing = [], []
        for key in wanted:
            if key in snapshot.states:
                continue
            if not self._cache.contains(self._level(snapshot), key):
                missing.append(key)
            elif self._is_checked:
                snapshot.states[key] = self._cache.get(self._level(snapshot), key, device)
            else:
                kept.append(key)
        return [*kept[:1], *missing, *kept[1:]][: self.rows_at_once]

    def _open(self, model: HookedModel, call: UnetCall, snapshot: Snapshot) -> None:
        try:
            probe = self._probe(model, call, snapshot.level)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            # Another extension's patch that cannot take so small a picture: do without.
            logger.info("Reference states are not kept, since they cannot be checked: %s", error)
            self._cache = StateCache()
            return
        level, probe = self._level(snapshot), LateValue(probe)
        known = self._cache.open_level(level, probe)
        if known is not None:
            self._unconfirmed[level] = known, probe
        self._opened = (snapshot, self.rows_at_once)

    def confirm(self, snapshot: Snapshot) -> bool:
        """Whether the states in `snapshot` are the model's; if not, all of them are dropped.

        To be asked when the U-Net has been given the work that uses them: the answer does not wait
        for that work, and the device is not left idle.
        """
        unconfirmed, self._unconfirmed = self._unconfirmed, {}
        changed = {
            level
            for level, (known, probe) in unconfirmed.items()
            if not torch.equal(known.get(), probe.get())
        }
        if not changed:
            return True
        logger.info("The model has changed: kept reference states are dropped.")
        self._cache.drop_levels(lambda level: level in changed)
        snapshot.states.clear()
        self._opened = None
        return False

    def _level(self, snapshot: Snapshot) -> Level:
        return (self._key, self.rows_at_once, snapshot.level.alpha)

    def _probe(self, model: HookedModel, call: UnetCall, level: NoiseLevel) -> torch.Tensor:
        """What the model makes of a very small reference at this level, one number per tensor.

        Nearly free beside a step, and any change of the model, whenever in the sampling it acts,
        changes it.
        """
        states: LayerStates = {}
        channels = next(iter(self._latents.values()))[0].shape[0]
        if self._probe_noise is None:
            noise = reference_noise("probe", (channels, *PROBE_SIZE))
            self._probe_noise = noise[None].to(call.device)
        captured = [(states, None)]
        model.run_references(self._probe_noise, level, self._conditioning, call, captured)
        tensors = [each for layer in states.values() for each in (layer.keys, layer.values)]
        # Of the bits, so that nothing is lost to rounding.
        bits = [each.contiguous().view(_INTEGERS[each.element_size()]) for each in tensors]
        return torch.stack([each.sum(dtype=torch.int64) for each in bits])

    def _check(self, key: PictureKey, states: LayerStates, snapshot: Snapshot) -> None:
        """Compares what was kept under `key` once in each pass; drops all if it is not the same."""
        device = next(iter(states.values())).keys.device
        kept = self._cache.get(self._level(snapshot), key, device)
        if kept is None:
            return
        if are_same(kept, states):
            self._is_checked = True
        else:
            logger.info("The model has changed: kept reference states are dropped.")
            self._cache.drop_levels(lambda level: level[0] == self._key)

    def _keep(self, key: PictureKey, states: LayerStates, snapshot: Snapshot) -> None:
        try:
            self._cache.put(self._level(snapshot), key, states)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            # Keeping only saves time.
            logger.info("No memory to keep reference states: the kept ones are dropped.")
            self._cache.clear()

    def _reference_pass(
        self,
        model: HookedModel,
        call: UnetCall,
        together: Sequence[PictureKey],
        level: NoiseLevel,
    ) -> list[LayerStates]:
        """Runs noised references through the U-Net; their keys and values."""
        rows = [*together, *[together[-1]] * (self.rows_at_once - len(together))]
        for each in together:
            # They stay there for the pass.
            latent, noise = self._latents[each.picture_id]
            self._latents[each.picture_id] = latent.to(call.device), noise.to(call.device)
        noised = torch.stack(
            [noised_latent(*self._latents[each.picture_id], level.alpha) for each in rows]
        )
        captured = [({}, each.merging) for each in rows]
        model.run_references(noised, level, self._conditioning, call, captured)
        return [states for states, _ in captured[: len(together)]]
