"""References' keys and values, kept between steps and generations under a memory budget.

Knows torch and the shape of the states; not what the keys mean, not the host.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

import torch

from lib_fabric.attention.states import LayerStates


@dataclass
class _Kept:
    states: LayerStates
    num_bytes: int
    last_used_in: int
    version: object


class StateCache:
    """Keeps states under `max_bytes`; 0 keeps nothing.

    A generation asks for its states step by step, always in the same order. Dropping the least
    recently used would then drop just what is asked for next. So what the running generation or the
    one before it has used is not dropped for the running one's sake: what does not fit is not kept.

    Every entry is of a version: a time in which the model is known not to have changed.
    """

    def __init__(self, max_bytes: int = 0, device: torch.device | None = None) -> None:
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._generation = 0
        self._num_bytes = 0
        self._short_of: str | None = None
        self._device = device
        self.configure(max_bytes, device)

    @property
    def num_bytes(self) -> int:
        """Memory in use."""
        return self._num_bytes

    def configure(self, max_bytes: int, device: torch.device | None) -> None:
        """Sets the budget and where states are kept; None = where they are computed."""
        if device != self._device:
            # They would stay where no new ones are kept, which is what the user wants to have free.
            self.clear()
        self._max_bytes = max_bytes
        self._device = device
        while self._num_bytes > max_bytes:
            self._drop(next(iter(self._kept)))

    def begin_generation(self) -> None:
        """From here on, what was last used before the generation before this one may be dropped."""
        self._generation += 1
        self._short_of = None

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept

    def get(self, key: Hashable, device: torch.device) -> LayerStates | None:
        """Returns the states under `key` on `device`, or None."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        kept.last_used_in = self._generation
        self._kept.move_to_end(key)
        return _to(kept.states, device)

    def version_of(self, key: Hashable) -> object | None:
        """The version of the states under `key`; None if there are none."""
        kept = self._kept.get(key)
        return None if kept is None else kept.version

    def join_versions(self, version: object, into: object) -> None:
        """Makes two versions one: the model of the first is that of the second."""
        for kept in self._kept.values():
            if kept.version is version:
                kept.version = into

    def drop_version(self, version: object) -> None:
        """Forgets what is of a version: its model is gone."""
        for key in [key for key, kept in self._kept.items() if kept.version is version]:
            self._drop(key)

    def put(self, key: Hashable, states: LayerStates, version: object = None) -> None:
        """Keeps states if the budget allows."""
        num_bytes = sum(layer.num_bytes for layer in states.values())
        if key in self._kept or self._is_short(states) or not self._make_room(num_bytes):
            return
        kept = states if self._device is None else _to(states, self._device)
        self._kept[key] = _Kept(kept, num_bytes, self._generation, version)
        self._num_bytes += num_bytes

    def give_way(self, device: torch.device) -> None:
        """Drops what lies on a device whose memory ran out, and keeps nothing more there in this
        generation."""
        self._short_of = device.type
        lying_there = [
            key
            for key, kept in self._kept.items()
            if any(layer.keys.device.type == device.type for layer in kept.states.values())
        ]
        for key in lying_there:
            self._drop(key)

    def clear(self) -> None:
        """Forgets everything."""
        self._kept.clear()
        self._num_bytes = 0

    def _is_short(self, states: LayerStates) -> bool:
        devices = [self._device] if self._device else [each.keys.device for each in states.values()]
        return any(device.type == self._short_of for device in devices)

    def _make_room(self, num_bytes: int) -> bool:
        if num_bytes > self._max_bytes:
            return False
        while self._num_bytes + num_bytes > self._max_bytes:
            oldest = next(iter(self._kept))
            # One more rated picture, and the states of the others are asked for as last time.
            if self._kept[oldest].last_used_in >= self._generation - 1:
                return False
            self._drop(oldest)
        return True

    def _drop(self, key: Hashable) -> None:
        self._num_bytes -= self._kept.pop(key).num_bytes


def _to(states: LayerStates, device: torch.device) -> LayerStates:
    return {index: layer.to(device) for index, layer in states.items()}
