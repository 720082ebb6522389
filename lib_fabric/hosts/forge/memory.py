"""Memory that the host is asked to leave free while it samples.

Knows that its patcher of a U-Net counts that; imports nothing of the host.
"""

from __future__ import annotations

from typing import Any


class ReservedMemory:
    """What is reserved for the references of a pass."""

    def __init__(self) -> None:
        self._reserved: list[tuple[Any, int]] = []

    def reserve(self, patcher: Any, num_bytes: int) -> None:  # noqa: ANN401 (the host's UnetPatcher)
        """Asks for it; others may copy the patcher, and what they copy ends with the pass."""
        patcher.extra_preserved_memory_during_sampling += num_bytes
        self._reserved.append((patcher, num_bytes))

    def give_back(self) -> None:
        """The patcher is as it was; idempotent."""
        while self._reserved:
            patcher, num_bytes = self._reserved.pop()
            patcher.extra_preserved_memory_during_sampling -= num_bytes
