"""The self-attention of ldm's and sgm's U-Nets, as AUTOMATIC1111 calls it.

Knows the modules' shape and what the host does around them; imports nothing of the host.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from lib_fabric.attention.layer import Attention
from lib_fabric.hosts.common.blocks import count_tiles

# torch 2.0 and 2.1 refuse even to switch autocast off for others, such as Apple's MPS.
_AUTOCAST_DEVICES = ("cpu", "cuda", "xpu")

# A context to the inputs of to_k and to_v: hypernetworks change them.
SplitContext = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


class CrossAttentionLayer:
    """attention.layer.Layer over a `CrossAttention` that attends to its own tokens.

    Args:
        module: has to_q, to_k, to_v, to_out, heads and scale.
        split_context: the host's.
        is_upcast: whether queries, keys and values are to be float32.
    """

    def __init__(
        self, module: nn.Module, split_context: SplitContext, is_upcast: Callable[[], bool]
    ) -> None:
        self._module = module
        self._split_context = split_context
        self._is_upcast = is_upcast

    @property
    def module(self) -> nn.Module:
        return self._module

    def forward(
        self,
        attention: Attention,
        num_rows: int,
        x: torch.Tensor,
        context: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        **kwargs: Any,  # noqa: ANN401 (sgm's, without effect on self-attention)
    ) -> torch.Tensor:
        tiles = count_tiles(x.shape[0], num_rows)
        layer = self._module
        context_k, context_v = self._split_context(x if context is None else context)
        q, k, v = layer.to_q(x), layer.to_k(context_k), layer.to_v(context_v)
        dtype = q.dtype
        upcast = self._is_upcast()
        if upcast:
            q, k, v = q.float(), k.float(), v.float()
        q, k, v = (each.unflatten(-1, (layer.heads, -1)).transpose(1, 2) for each in (q, k, v))
        with _without_autocast(x.device) if upcast else contextlib.nullcontext():
            out = attention(q, k, v, layer.scale, tiles)
        return layer.to_out(out.transpose(1, 2).flatten(2).to(dtype))


def _without_autocast(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    if device.type not in _AUTOCAST_DEVICES:
        return contextlib.nullcontext()
    return torch.autocast(device.type, enabled=False)
