"""The reference pass: noised references through the U-Net, for their keys and values.

Knows torch, the hooks and the cache of states; not settings, schedules or rows.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable, Mapping, Sequence, Set

import torch

from lib_fabric.attention.states import LayerStates
from lib_fabric.errors import is_out_of_memory
from lib_fabric.steering.hooked_model import HookedModel
from lib_fabric.steering.host import Conditioning, UnetCall
from lib_fabric.steering.latents import noised_latent, reference_noise
from lib_fabric.steering.methods import PictureKey
from lib_fabric.steering.refresh import NoiseLevel, Snapshot
from lib_fabric.steering.state_cache import StateCache

logger = logging.getLogger(__name__)

# References in one U-Net call. A row alone is slow: as much is read of the model's weights for one
# row as for two. Always so many, a last one beside itself: kernels of another number of rows round
# differently, and what is seen of a picture must not depend on which others are rated.
ROWS_AT_ONCE = 2


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
        self._model_version = object()
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

    def capture_next(
        self,
        model: HookedModel,
        call: UnetCall,
        wanted: Iterable[PictureKey],
        snapshot: Snapshot,
    ) -> bool:
        """Puts the states of the next few of `wanted`, and of all that are kept, into `snapshot`.

        Returns:
            Whether there were any that had to go through the U-Net; if not, all are there.
        """
        together = self._next_unseen(call.device, wanted, snapshot)
        if not together:
            return False
        found = self._reference_pass(model, call, together, snapshot.level)
        for key, states in zip(together, found, strict=True):
            kept_key = self._kept_key(key, snapshot)
            self._compare(kept_key, states)
            self._keep(kept_key, states)
            snapshot.states[key] = states
        return True

    def _next_unseen(
        self, device: torch.device, wanted: Iterable[PictureKey], snapshot: Snapshot
    ) -> list[PictureKey]:
        """What of `wanted` the next reference pass looks at; takes what is kept.

        The key of kept states holds what is known to change them. For what is not (other extensions
        patch U-Nets too), the first kept ones of each version of the model are seen anew in each
        pass and compared.
        """
        kept, missing = [], []
        for key in wanted:
            if key in snapshot.states:
                continue
            kept_key = self._kept_key(key, snapshot)
            if self._cache.version_of(kept_key) is self._model_version:
                snapshot.states[key] = self._cache.get(kept_key, device)
            else:
                (kept if kept_key in self._cache else missing).append(key)
        return [*kept[:1], *missing, *kept[1:]][: self.rows_at_once]

    def _kept_key(self, key: PictureKey, snapshot: Snapshot) -> Hashable:
        return (self._key, self.rows_at_once, snapshot.level.alpha, key)

    def _compare(self, kept_key: Hashable, states: LayerStates) -> None:
        """Takes a version's kept states into this pass's if these are the same, or drops all."""
        version = self._cache.version_of(kept_key)
        if version is None or version is self._model_version:
            return
        device = next(iter(states.values())).keys.device
        kept = self._cache.get(kept_key, device)
        if kept.keys() == states.keys() and all(kept[i].equals(states[i]) for i in states):
            self._cache.join_versions(version, self._model_version)
        else:
            logger.info("The model has changed: kept reference states are dropped.")
            self._cache.drop_version(version)

    def _keep(self, kept_key: Hashable, states: LayerStates) -> None:
        try:
            self._cache.put(kept_key, states, self._model_version)
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
        noised = torch.stack(
            [noised_latent(*self._latents[each.picture_id], level.alpha) for each in rows]
        )
        captured = [({}, each.merging) for each in rows]
        model.run_references(noised, level, self._conditioning, call, captured)
        return [states for states, _ in captured[: len(together)]]
