"""References' keys and values, kept between steps and generations under a memory budget.

Knows torch and the shape of the states; not what the keys mean, not the host.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import torch

from lib_fabric.attention.late_value import LateValue
from lib_fabric.attention.states import LayerStates

logger = logging.getLogger(__name__)


# What states are of: one model, one prompt of the references, one noise level.
Level = Hashable
_Key = tuple[Level, Hashable]


@dataclass
class _Entry:
    states: LayerStates
    num_bytes: int
    last_used_in: int


class StateCache:
    """Keeps states under `max_bytes`; 0 keeps nothing.

    A generation asks for its states step by step, always in the same order. Dropping the least
    recently used would then drop just what is asked for next. So what the running generation or the
    one before it has used is not dropped for the running one's sake: what does not fit is not kept.

    A level is opened before it is used, with what tells whether the model at that level is still
    the one whose states are kept there. That is known only later: see `open_level`.
    """

    def __init__(self, max_bytes: int = 0, device: torch.device | None = None) -> None:
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()
        self._probes: dict[Level, LateValue] = {}
        self._generation = 0
        self._num_bytes = 0
        self._short_of: str | None = None
        self._device = device
        self.configure(max_bytes, device)

    @property
    def num_bytes(self) -> int:
        """Memory in use."""
        return self._num_bytes

    @property
    def is_on(self) -> bool:
        """Whether anything is kept at all."""
        return self._max_bytes > 0

    def configure(self, max_bytes: int, device: torch.device | None) -> None:
        """Sets the budget and where states are kept; None = where they are computed."""
        if device != self._device:
            # They would stay where no new ones are kept, which is what the user wants to have free.
            self.clear()
        self._max_bytes = max_bytes
        self._device = device
        while self._num_bytes > max_bytes:
            self._drop(next(iter(self._entries)))

    def begin_generation(self) -> None:
        """From here on, what was last used before the generation before this one may be dropped."""
        self._generation += 1
        self._short_of = None
        in_use = {level for level, _ in self._entries}
        self._probes = {level: each for level, each in self._probes.items() if level in in_use}

    def open_level(self, level: Level, probe: LateValue) -> LateValue | None:
        """Begins to use a level.

        Args:
            probe: what tells whether the model is the one whose states are kept there.

        Returns:
            What it was when they were computed; unless that comes out the same, `drop_levels` is
            due. None where nothing is kept.
        """
        known = self._probes.get(level)
        if known is None:
            # Without a probe nothing tells whose they are.
            self.drop_levels(lambda each: each == level)
            self._probes[level] = probe
        return known

    def contains(self, level: Level, key: Hashable) -> bool:
        """Whether states are kept under `key`."""
        return (level, key) in self._entries

    def get(self, level: Level, key: Hashable, device: torch.device) -> LayerStates | None:
        """Returns the states under `key` on `device`, or None."""
        entry = self._entries.get((level, key))
        if entry is None:
            return None
        entry.last_used_in = self._generation
        self._entries.move_to_end((level, key))
        return _to(entry.states, device)

    def put(self, level: Level, key: Hashable, states: LayerStates) -> None:
        """Keeps states, of a level that is open, if the budget allows."""
        num_bytes = sum(layer.num_bytes for layer in states.values())
        is_kept = (level, key) in self._entries
        if is_kept or self._is_short(states) or not self._make_room(num_bytes):
            return
        kept = states if self._device is None else _to(states, self._device)
        self._entries[level, key] = _Entry(kept, num_bytes, self._generation)
        self._num_bytes += num_bytes

    def drop_levels(self, is_meant: Callable[[Level], bool]) -> None:
        """Forgets what is kept at some levels."""
        for key in [key for key in self._entries if is_meant(key[0])]:
            self._drop(key)
        self._probes = {key: each for key, each in self._probes.items() if not is_meant(key)}

    def give_way(self, device: torch.device) -> None:
        """Drops what lies on a device whose memory ran out, and keeps nothing more there in this
        generation."""
        self._short_of = device.type
        lying_there = [
            key
            for key, entry in self._entries.items()
            if any(layer.keys.device.type == device.type for layer in entry.states.values())
        ]
        for key in lying_there:
            self._drop(key)

    def clear(self) -> None:
        """Forgets everything."""
        self._entries.clear()
        self._probes.clear()
        self._num_bytes = 0

    def _is_short(self, states: LayerStates) -> bool:
        devices = [self._device] if self._device else [each.keys.device for each in states.values()]
        return any(device.type == self._short_of for device in devices)

    def _make_room(self, num_bytes: int) -> bool:
        if num_bytes > self._max_bytes:
            return False
        while self._num_bytes + num_bytes > self._max_bytes:
            oldest = next(iter(self._entries))
            # One more rated picture, and the states of the others are asked for as last time.
            if self._entries[oldest].last_used_in >= self._generation - 1:
                return False
            self._drop(oldest)
        return True

    def _drop(self, key: _Key) -> None:
        self._num_bytes -= self._entries.pop(key).num_bytes


def _to(states: LayerStates, device: torch.device) -> LayerStates:
    return {index: layer.to(device) for index, layer in states.items()}
