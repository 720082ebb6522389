"""The self-attention of Forge's U-Nets, and where others may have put theirs.

Knows the modules' shape; imports nothing of the host.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import torch
from torch import nn

from lib_fabric.attention.layer import Attention
from lib_fabric.hosts.common.blocks import count_tiles, find_self_attention

# Of a layer's name: in which part, at which place of it, and which transformer block there.
_SITE = re.compile(
    r"(?:(input|output)_blocks\.(\d+)|(middle)_block)\..*?transformer_blocks\.(\d+)\."
)

Site = tuple[str, int, int]


class ForgeLayer:
    """attention.layer.Layer over a `CrossAttention` that attends to its own tokens.

    Args:
        module: has to_q, to_k, to_v, to_out and heads.
        site: how the host's patches call its place; None where it has no such place.
    """

    def __init__(self, module: nn.Module, site: Site | None) -> None:
        self._module = module
        self._site = site

    @property
    def module(self) -> nn.Module:
        return self._module

    def forward(
        self,
        attention: Attention,
        num_rows: int,
        x: torch.Tensor,
        context: torch.Tensor | None = None,
        value: torch.Tensor | None = None,
        *_args: Any,  # noqa: ANN401 (mask and options, without effect on self-attention)
        **_kwargs: Any,  # noqa: ANN401 (as above)
    ) -> torch.Tensor:
        tiles = count_tiles(x.shape[0], num_rows)
        layer = self._module
        context = x if context is None else context
        value = context if value is None else value
        q, k, v = layer.to_q(x), layer.to_k(context), layer.to_v(value)
        q, k, v = (each.unflatten(-1, (layer.heads, -1)).transpose(1, 2) for each in (q, k, v))
        out = attention(q, k, v, q.shape[-1] ** -0.5, tiles)
        return layer.to_out(out.transpose(1, 2).flatten(2))

    def is_replaced(self, sites: Collection[tuple]) -> bool:
        """Whether another extension's attention stands in its place, with patches at `sites`."""
        return self._site is not None and (self._site in sites or self._site[:2] in sites)

    def bytes_per_cell(self, model_channels: int) -> float:
        """Memory that its keys and values take for each latent cell of a picture, in half
        precision.

        A level that has n times the channels of the first sees n times fewer cells along each side.
        """
        channels = self._module.to_k.out_features
        return 2 * 2 * model_channels**2 / channels


def forge_layers(unet: nn.Module) -> list[ForgeLayer]:
    """As `find_self_attention`, with their sites."""
    names = {module: name for name, module in unet.named_modules()}
    return [ForgeLayer(module, _site(names[module])) for module in find_self_attention(unet)]


def _site(name: str) -> Site | None:
    found = _SITE.search(name)
    return None if found is None else (found[1] or found[3], int(found[2] or 0), int(found[4]))
