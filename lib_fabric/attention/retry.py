"""Tries again where memory ran out, with less and less, before the user sees an error.

Knows what a lack of memory looks like; not torch, not the host.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from lib_fabric.errors import doing, is_out_of_memory

# In more, attention is not what takes the memory.
MOST_PARTS = 32

_T = TypeVar("_T")


class MemoryRetry:
    """In how many parts attention is done; doubled each time that memory runs out.

    Attributes:
        num_parts: see `weighted.joined_attention`.
    """

    def __init__(self, make_room: Callable[[], None] = lambda: None) -> None:
        """
        Args:
            make_room: gives back what memory it can; raises what ends the generation if the user
                has asked for an end.
        """
        self._make_room = make_room
        self.num_parts = 1

    def retry(self, call: Callable[[], _T], action: str) -> _T:
        """Returns what `call` does, as often as it takes.

        Args:
            action: what FABRIC is doing, for the error.

        Raises:
            FabricError: memory still runs out where attention is in `MOST_PARTS` parts.
            Exception: whatever else `call` raises, at once.
        """
        while True:
            try:
                return call()
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if self.num_parts >= MOST_PARTS:
                    with doing(action):
                        raise
            # Not inside `except`: the exception holds all that the failed call had in memory.
            self.num_parts *= 2
            self._make_room()
