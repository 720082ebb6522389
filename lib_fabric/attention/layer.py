"""What a self-attention layer of a U-Net has to offer; each family of WebUIs has its own.

Knows torch.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import nn


class Attention(Protocol):
    """Attention in the place of a layer's own."""

    def __call__(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: float, tiles: int = 1
    ) -> torch.Tensor:
        """What the queries attend to.

        Args:
            q, k, v: `[rows * tiles, heads, tokens, head_dim]`.
            scale: of the attention scores, usually head_dim ** -0.5.
            tiles: into how many adjacent ones each row of the U-Net call has been cut.

        Returns:
            As `q`, before the layer's last projection.
        """


class Layer(Protocol):
    """One self-attention layer."""

    @property
    def module(self) -> nn.Module:
        """The module whose forward is replaced while the U-Net is hooked."""

    def forward(
        self,
        attention: Attention,
        num_rows: int,
        *args: Any,  # noqa: ANN401 (the module's own signature)
        **kwargs: Any,  # noqa: ANN401 (as above)
    ) -> torch.Tensor:
        """What the module's own forward returns, with `attention` in the place of its own.

        Args:
            num_rows: rows of the U-Net call.

        Raises:
            FabricError: which row of the call its rows belong to cannot be told.
        """
