"""Weighted attention as one function for every attention optimisation of the host.

Knows only torch. Symbols: q, k, v of the picture being made; k_r, v_r of the reference tokens;
w the weight of a reference token's attention score.

As printed, the paper's equation 2 weights after the softmax and does not normalise again. Here the
scores are weighted before it, so that attention still sums to 1 and w = 2 is the same as attaching
a reference twice.
"""

from __future__ import annotations

import math

import torch
from torch.nn.functional import pad, scaled_dot_product_attention

# Fused kernels want head dimensions that are multiples of 8.
_HEAD_DIM_MULTIPLE = 8
# Where no fused kernel exists, the scores of one slice of queries take at most this many bytes.
_MAX_SCORE_BYTES = 256 * 1024 * 1024


def fused_devices(torch_version: str, is_rocm: bool) -> tuple[str, ...]:
    """Device types where scaled_dot_product_attention never builds the whole score matrix.

    On a CPU that is so from torch 2.1 on (WebUI 1.6.1 and 1.7.0 come with 2.0); AMD's cards call
    themselves "cuda" and mostly have no such kernel.
    """
    major, minor = (int(part) for part in torch_version.split(".")[:2])
    devices = [] if is_rocm else ["cuda"]
    if (major, minor) >= (2, 1):
        devices.append("cpu")
    return tuple(devices)


_FUSED_DEVICES = fused_devices(torch.__version__, torch.version.hip is not None)


def weighted_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    log_weights: torch.Tensor | None,
    scale: float,
) -> torch.Tensor:
    """softmax(scale * q k^T + log w) v, the weights per key and without a mask.

    One feature is appended to queries and keys so that q' k' = q k + log(w) / scale. This is exact
    (q' is 1 there and k' carries the logarithm) and leaves fused kernels usable, which take no
    bias or are slow with one.

    Args:
        q: queries `[B, heads, N, head_dim]`.
        k, v: keys and values `[B, heads, M, head_dim]`, the same dtype as `q`.
        log_weights: `[M]`, natural logarithm of each key's weight, finite; None = all weights 1.
        scale: usually head_dim ** -0.5.

    Returns:
        `[B, heads, N, head_dim]`.

    Source: arXiv:2307.10159, equation 2 (appendix A.1); see above where this differs.
    """
    head_dim = q.shape[-1]
    extra = 0 if log_weights is None else 1
    padded_dim = math.ceil((head_dim + extra) / _HEAD_DIM_MULTIPLE) * _HEAD_DIM_MULTIPLE
    if log_weights is None:
        padded_dim = head_dim
    # torch 2.0 has no `scale` argument: fold ours and torch's 1/sqrt(dim) into the queries.
    q = q * (scale * math.sqrt(padded_dim))
    if log_weights is not None:
        room = padded_dim - head_dim - 1
        feature = q.new_full((*q.shape[:-1], 1), math.sqrt(padded_dim))
        q = pad(torch.cat([q, feature], dim=-1), (0, room))
        column = log_weights.to(k.dtype)[None, None, :, None].expand(*k.shape[:-1], 1)
        k = pad(torch.cat([k, column], dim=-1), (0, room))
        v = pad(v, (0, room + 1))
    return _attend(q, k, v)[..., :head_dim]


def _attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """scaled_dot_product_attention, over slices of queries where its memory has no bound."""
    if q.device.type in _FUSED_DEVICES:
        return scaled_dot_product_attention(q, k, v)
    bytes_per_query = q.shape[0] * q.shape[1] * k.shape[2] * q.element_size()
    num_queries = max(1, _MAX_SCORE_BYTES // bytes_per_query)
    slices = [scaled_dot_product_attention(part, k, v) for part in q.split(num_queries, dim=2)]
    return torch.cat(slices, dim=2)
