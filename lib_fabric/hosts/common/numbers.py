"""The numbers by which pictures of one of the host's processing objects are told apart.

Knows what such an object looks like; imports nothing of the host.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def picture_numbers(p: Any, seeds: Sequence[Any], subseeds: Sequence[Any]) -> tuple[int, ...]:  # noqa: ANN401 (the host's processing object)
    """As `steering.host.Pass` has them, of pictures with these seeds and variation seeds."""
    if not getattr(p, "subseed_strength", 0):
        return tuple(map(int, seeds))
    # A batch of variations has one seed, and variation seeds that count up.
    return tuple(int(seed) + int(other) for seed, other in zip(seeds, subseeds, strict=False))
