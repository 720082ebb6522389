"""Hypernetworks: none can be loaded here, but attention calls them at the host's places."""

from __future__ import annotations

import torch
from torch import nn


def apply_hypernetworks(
    hypernetworks: list, context: torch.Tensor, layer: nn.Module | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The context for keys and the context for values. A hypernetwork here is any function
    `f(context_k, context_v, layer)`; tests may put one into `shared.loaded_hypernetworks`."""
    context_k = context_v = context
    for hypernetwork in hypernetworks:
        context_k, context_v = hypernetwork(context_k, context_v, layer)
    return context_k, context_v


def attention_CrossAttention_forward(  # noqa: N802  (the host's name)
    self: nn.Module,
    x: torch.Tensor,
    context: torch.Tensor | None = None,
    mask: torch.Tensor | None = None,
    **kwargs: object,
) -> torch.Tensor:
    """Plain attention, used when no optimisation is chosen."""
    from modules import sd_hijack_optimizations as optimizations

    q, k, v = optimizations.project(self, x, context)
    weights = (q @ k.transpose(-1, -2) * self.scale).softmax(dim=-1)
    return optimizations.join(self, weights @ v)
