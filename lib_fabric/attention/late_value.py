"""A few numbers on their way from the device, so that nobody waits for them before they count.

Knows torch; not what the numbers mean.
"""

from __future__ import annotations

from types import ModuleType

import torch


class LateValue:
    """A tensor that is copied to the CPU behind the work that was asked for before it."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self._event = None
        own = _events_of(tensor.device)
        # Not waited for: `to` makes the target one that a device can write to on its own.
        self._value = tensor.to("cpu", non_blocking=own is not None)
        if own is not None:
            self._event = own.Event()
            self._event.record(own.current_stream(tensor.device))

    def get(self) -> torch.Tensor:
        """The values; waits for this copy, not for work that was asked for after it."""
        if self._event is not None:
            self._event.synchronize()
            self._event = None
        return self._value


def _events_of(device: torch.device) -> ModuleType | None:
    """torch.cuda and its like; None where one has to wait for all of the device's work."""
    # Of Apple's it is not known that such a copy is what its events wait for.
    if device.type in ("cpu", "mps"):
        return None
    own = getattr(torch, device.type, None)
    return own if hasattr(own, "Event") and hasattr(own, "current_stream") else None
