"""Copies from and to a device that have not arrived: nobody has waited for them.

Knows torch; not the device.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch


@dataclass(eq=False)
class _Copy:
    target: torch.Tensor
    source: torch.Tensor
    is_to_device: bool
    number: int


class LateCopies:
    """In the order in which they were asked for.

    Attributes:
        number: of the last one.
    """

    def __init__(self) -> None:
        self.number = 0
        self._waiting: list[_Copy] = []

    def begin(self, target: torch.Tensor, source: torch.Tensor, is_to_device: bool) -> None:
        """Asks for a copy; `target` holds nonsense until it arrives.

        To the device, `source` is read as late as that. From the device it is as it is now: the
        device's work is done in order.
        """
        fill_with_nonsense(target)
        self.number += 1
        source = source if is_to_device else source.clone()
        self._waiting.append(_Copy(target, source, is_to_device, self.number))

    def settle(self, used: Iterable[torch.Tensor]) -> None:
        """What the device works on has arrived there."""
        if not self._waiting:
            return
        places = {each.untyped_storage().data_ptr() for each in used}
        for copy in list(self._waiting):
            if copy.is_to_device and copy.target.untyped_storage().data_ptr() in places:
                self._arrive(copy)

    def arrive(self, until: int | None = None) -> None:
        """All arrive, or those up to a number."""
        for copy in list(self._waiting):
            if until is None or copy.number <= until:
                self._arrive(copy)

    def _arrive(self, copy: _Copy) -> None:
        self._waiting.remove(copy)
        copy.target.copy_(copy.source)


def fill_with_nonsense(tensor: torch.Tensor) -> None:
    """What lies in memory that nobody has written to."""
    tensor.fill_(float("nan") if tensor.is_floating_point() else 1)
