"""Fewer tokens of a reference: neighbours are merged into one that counts for all of them.

Knows torch and the shape of the states; not settings, pictures or the U-Net.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn.functional import avg_pool2d

from lib_fabric.attention.states import KeyValues, Windows

# A U-Net halves its input at most so often. Each time, an odd side is rounded up.
_NUM_LEVELS = 8


@dataclass(frozen=True)
class Merging:
    """How the tokens of one reference are merged, for one size of picture.

    Equal ones merge equally, so that an instance can be part of the key of kept states.

    Attributes:
        size_latent: (height, width) of the picture being made, in latent cells.
        factors: of each level of the U-Net, how many tokens become one along each side.
    """

    size_latent: tuple[int, int]
    factors: tuple[int, ...]

    @classmethod
    def at(cls, size_latent: tuple[int, int], merge: int = 1, max_tokens: int = 0) -> Merging:
        """Merges `merge` tokens along each side, and more where `max_tokens` would be exceeded.

        Args:
            max_tokens: of this reference in one layer; 0 = no limit. One token always stays.
        """
        factors = []
        for height, width in _grids(size_latent):
            factor = min(merge, max(height, width))
            while max_tokens and _num_merged(height, width, factor) > max(max_tokens, 1):
                factor += 1
            factors.append(factor)
        return cls(size_latent, tuple(factors))

    def merge(self, states: KeyValues) -> KeyValues:
        """One layer's keys and values with fewer tokens, `[1, heads, fewer tokens, head_dim]`."""
        num_tokens = states.keys.shape[2]
        factor, grid = self._find_level(num_tokens)
        if factor == 1:
            return states
        if grid is None:
            # Another extension has changed the tokens, so which are neighbours is not known.
            grid, window = (num_tokens, 1), (factor**2, 1)
        else:
            window = (min(factor, grid[0]), min(factor, grid[1]))
        keys, values = (_pool(each, grid, window) for each in (states.keys, states.values))
        return KeyValues(keys, values, Windows(grid, window))

    def _find_level(self, num_tokens: int) -> tuple[int, tuple[int, int] | None]:
        """The factor for a layer of so many tokens, and its (height, width) if there is such.

        A layer of another number of tokens is treated as the next larger one: it then stays below
        the limit too.
        """
        factor = self.factors[0]
        for (height, width), its_factor in zip(_grids(self.size_latent), self.factors, strict=True):
            if height * width == num_tokens:
                return its_factor, (height, width)
            if height * width > num_tokens:
                factor = its_factor
        return factor, None


def _grids(size_latent: tuple[int, int]) -> list[tuple[int, int]]:
    """(height, width) of every level of a U-Net, the largest first."""
    height, width = size_latent
    return [(-(-height // 2**level), -(-width // 2**level)) for level in range(_NUM_LEVELS)]


def _num_merged(height: int, width: int, factor: int) -> int:
    return math.ceil(height / factor) * math.ceil(width / factor)


def _pool(states: torch.Tensor, grid: tuple[int, int], window: tuple[int, int]) -> torch.Tensor:
    """The means of `[1, heads, tokens, head_dim]` over windows of the grid; rests are smaller."""
    _, heads, _, head_dim = states.shape
    # In float32: not every device pools in half precision, and sums of it lose digits.
    planes = states[0].transpose(1, 2).reshape(1, heads * head_dim, *grid).float()
    pooled = avg_pool2d(planes, window, ceil_mode=True, count_include_pad=False)
    return pooled.reshape(1, heads, head_dim, -1).transpose(2, 3).contiguous().to(states.dtype)
