"""Attention optimisations: each replaces `CrossAttention.forward` on the class."""

from __future__ import annotations

from collections.abc import Callable

import ldm.modules.attention
import torch
from modules import shared
from modules.hypernetworks import hypernetwork
from torch import nn
from torch.nn import functional as F  # noqa: N812  (the usual name)


def project(
    self: nn.Module, x: torch.Tensor, context: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Queries, keys and values as B x heads x tokens x head size."""
    context = x if context is None else context
    context_k, context_v = hypernetwork.apply_hypernetworks(
        shared.loaded_hypernetworks, context, self
    )

    def split(t: torch.Tensor) -> torch.Tensor:
        return t.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    return split(self.to_q(x)), split(self.to_k(context_k)), split(self.to_v(context_v))


def join(self: nn.Module, out: torch.Tensor) -> torch.Tensor:
    """Heads back together, then the output projection."""
    return self.to_out(out.transpose(1, 2).flatten(2))


def split_cross_attention_forward_invokeAI(  # noqa: N802  (the host's name)
    self: nn.Module,
    x: torch.Tensor,
    context: torch.Tensor | None = None,
    mask: torch.Tensor | None = None,
    **kwargs: object,
) -> torch.Tensor:
    """Attention in slices of queries, the host's default on a CPU. Ignores `mask`."""
    q, k, v = project(self, x, context)
    slice_tokens = max(1, 2**20 // (k.shape[2] * q.shape[0]))
    out = [
        (part @ k.transpose(-1, -2) * self.scale).softmax(dim=-1) @ v
        for part in q.split(slice_tokens, dim=2)
    ]
    return join(self, torch.cat(out, dim=2))


def sub_quad_attention_forward(
    self: nn.Module,
    x: torch.Tensor,
    context: torch.Tensor | None = None,
    mask: torch.Tensor | None = None,
    **kwargs: object,
) -> torch.Tensor:
    """Attention in slices of keys with a running maximum. Refuses a mask, as the host's does."""
    assert mask is None, "attention-mask not currently implemented for SubQuadratic attention"
    q, k, v = project(self, x, context)
    top = norm = total = None
    for keys, values in zip(k.split(64, dim=2), v.split(64, dim=2), strict=True):
        scores = q @ keys.transpose(-1, -2) * self.scale
        peak = scores.amax(dim=-1, keepdim=True)
        new_top = peak if top is None else torch.maximum(top, peak)
        weights = (scores - new_top).exp()
        old = 0 if top is None else (top - new_top).exp()
        norm = weights.sum(-1, keepdim=True) + (0 if norm is None else norm * old)
        total = weights @ values + (0 if total is None else total * old)
        top = new_top
    return join(self, total / norm)


def scaled_dot_product_attention_forward(
    self: nn.Module,
    x: torch.Tensor,
    context: torch.Tensor | None = None,
    mask: torch.Tensor | None = None,
    **kwargs: object,
) -> torch.Tensor:
    """torch's own attention. With a mask it fails on a missing method, as the host's does."""
    if mask is not None:
        mask = self.prepare_attention_mask(mask, x.shape[1], x.shape[0])
    q, k, v = project(self, x, context)
    return join(self, F.scaled_dot_product_attention(q, k, v, attn_mask=mask))


class SdOptimization:
    """One optimisation; `forward` is what `apply` puts on the class."""

    name: str = ""
    label: str | None = None
    cmd_opt: str | None = None
    priority: int = 0
    forward: Callable[..., torch.Tensor]

    def title(self) -> str:
        """The name the setting uses."""
        return self.name if self.label is None else f"{self.name} - {self.label}"

    def is_available(self) -> bool:
        """Whether it can run on this machine."""
        return True

    def apply(self) -> None:
        """Puts it in place."""
        ldm.modules.attention.CrossAttention.forward = self.forward

    def undo(self) -> None:
        """Back to plain attention."""
        ldm.modules.attention.CrossAttention.forward = hypernetwork.attention_CrossAttention_forward


class SdOptimizationInvokeAI(SdOptimization):
    name = "InvokeAI"
    cmd_opt = "opt_split_attention_invokeai"
    priority = 1000
    forward = staticmethod(split_cross_attention_forward_invokeAI)


class SdOptimizationSdp(SdOptimization):
    name = "sdp"
    label = "scaled dot product"
    cmd_opt = "opt_sdp_attention"
    priority = 70
    forward = staticmethod(scaled_dot_product_attention_forward)


class SdOptimizationSubQuad(SdOptimization):
    name = "sub-quadratic"
    cmd_opt = "opt_sub_quad_attention"
    priority = 10
    forward = staticmethod(sub_quad_attention_forward)


def list_optimizers(res: list[SdOptimization]) -> None:
    """Callback `list_optimizers`: adds the built-in ones."""
    res += [SdOptimizationInvokeAI(), SdOptimizationSdp(), SdOptimizationSubQuad()]
