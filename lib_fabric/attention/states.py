"""What is kept of a reference: its keys and values in every layer.

Knows torch; not how they came about, not what attends to them.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Windows:
    """How the tokens of a grid were merged: windows of one size, smaller at the far edges.

    Attributes:
        grid, window: (height, width) in tokens.
    """

    grid: tuple[int, int]
    window: tuple[int, int]

    def log_counts(self) -> list[float]:
        """The logarithm of how many tokens are in each window, row by row."""
        rows, columns = (
            [min(side, length - start) for start in range(0, length, side)]
            for side, length in zip(self.window, self.grid, strict=True)
        )
        return [math.log(height * width) for height in rows for width in columns]


@dataclass(frozen=True)
class KeyValues:
    """One reference's keys and values in one layer, each `[1, heads, tokens, head_dim]`.

    Attributes:
        windows: how many tokens each one stands for; None = for itself.
    """

    keys: torch.Tensor
    values: torch.Tensor
    windows: Windows | None = None

    @property
    def num_tokens(self) -> int:
        """How many tokens there are, merged ones counted once."""
        return self.keys.shape[2]

    @property
    def num_bytes(self) -> int:
        """Memory in use."""
        return sum(each.numel() * each.element_size() for each in (self.keys, self.values))

    def to(self, device: torch.device) -> KeyValues:
        """The same on `device`."""
        return KeyValues(self.keys.to(device), self.values.to(device), self.windows)


# One reference's keys and values in every self-attention layer, by layer index.
LayerStates = dict[int, KeyValues]
# What tells one reference from another.
ReferenceKey = Hashable


def are_same(first: LayerStates, second: LayerStates) -> bool:
    """Whether both are the same to the last bit. Waits for the device once, not in each layer."""
    if first.keys() != second.keys():
        return False
    verdicts = []
    for index, layer in first.items():
        other = second[index]
        if layer.windows != other.windows:
            return False
        for mine, its in ((layer.keys, other.keys), (layer.values, other.values)):
            if mine.shape != its.shape or mine.dtype != its.dtype:
                return False
            verdicts.append((mine == its).all())
    return bool(torch.stack(verdicts).all())
