"""Weighted attention as one function for every attention optimisation of the host.

Knows only torch. Symbols: q, k, v of the picture being made; k_r, v_r of the reference tokens;
w the weight of a reference token's attention score.

As printed, the paper's equation 2 weights after the softmax and does not normalise again. Here the
scores are weighted before it, so that attention still sums to 1 and w = 2 is the same as attaching
a reference twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch.nn.functional import pad, scaled_dot_product_attention

# Fused kernels want head dimensions that are multiples of 8.
_HEAD_DIM_MULTIPLE = 8
# Where no fused kernel exists, the scores of one slice of queries take at most this many bytes.
MAX_SCORE_BYTES = 256 * 1024 * 1024


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


def biased_devices() -> tuple[str, ...]:
    """Device types whose fused kernel adds one number per key to the scores at no cost.

    That of a CPU does in newer versions of torch (2.13 was measured; 2.1 has it without).
    """
    kernel = getattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu", None)
    if kernel is None:
        return ()
    names = {argument.name for argument in kernel.default._schema.arguments}
    return ("cpu",) if {"attn_mask", "scale"} <= names else ()


FUSED_DEVICES = fused_devices(torch.__version__, torch.version.hip is not None)
BIASED_DEVICES = biased_devices()


def weighted_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    log_weights: torch.Tensor | None,
    scale: float,
) -> torch.Tensor:
    """`joined_attention` over keys and values in one piece."""
    return joined_attention(q, [k], [v], log_weights, scale)


def joined_attention(
    q: torch.Tensor,
    keys: Sequence[torch.Tensor],
    values: Sequence[torch.Tensor],
    log_weights: torch.Tensor | None,
    scale: float,
    num_parts: int = 1,
) -> torch.Tensor:
    """softmax(scale * q k^T + log w) v, the weights per key.

    Args:
        q: queries `[B, heads, N, head_dim]`.
        keys, values: pieces `[B or 1, heads, M_i, head_dim]` of the same dtype as `q`, attended to
            as if they were one of M = sum of M_i tokens; one row counts for all.
        log_weights: `[M]`, natural logarithm of each key's weight, finite; None = all weights 1.
        scale: usually head_dim ** -0.5.
        num_parts: done in so many parts, one after the other, where memory is short.

    Returns:
        `[B, heads, N, head_dim]`.

    Source: arXiv:2307.10159, equation 2 (appendix A.1); see above where this differs.
    """
    max_score_bytes = MAX_SCORE_BYTES // num_parts
    if num_parts == 1:
        return _attend(q, keys, values, log_weights, scale, max_score_bytes)
    out = torch.empty_like(q)
    for rows, heads, queries in _parts(q.shape, num_parts):
        part_keys, part_values = (
            [each[rows if each.shape[0] > 1 else slice(None), heads] for each in pieces]
            for pieces in (keys, values)
        )
        out[rows, heads, queries] = _attend(
            q[rows, heads, queries], part_keys, part_values, log_weights, scale, max_score_bytes
        )
    return out


def _parts(shape: Sequence[int], num_parts: int) -> Iterator[tuple[slice, slice, slice]]:
    """Cuts rows, then heads, then queries, each as far as needed for `num_parts` parts."""
    cuts = []
    for length in shape[:3]:
        count = min(num_parts, length)
        num_parts = math.ceil(num_parts / count)
        size = math.ceil(length / count)
        cuts.append([slice(start, start + size) for start in range(0, length, size)])
    for rows in cuts[0]:
        for heads in cuts[1]:
            for queries in cuts[2]:
                yield rows, heads, queries


def _attend(
    q: torch.Tensor,
    keys: Sequence[torch.Tensor],
    values: Sequence[torch.Tensor],
    log_weights: torch.Tensor | None,
    scale: float,
    max_score_bytes: int,
) -> torch.Tensor:
    head_dim = q.shape[-1]
    if log_weights is not None and q.device.type in BIASED_DEVICES:
        k, v = (_join(pieces, q, head_dim) for pieces in (keys, values))
        bias = log_weights.to(q.dtype)[None, None, None, :]
        return scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=scale)
    if log_weights is not None:
        q, k, v = _append_weights(q, keys, values, log_weights)
    else:
        k, v = (_join(pieces, q, head_dim) for pieces in (keys, values))
    # torch 2.0 has no `scale` argument: fold ours and torch's 1/sqrt(dim) into the queries.
    factor = scale * math.sqrt(q.shape[-1])
    if log_weights is not None:
        q[..., :head_dim] *= factor
    elif not math.isclose(factor, 1):
        q = q * factor
    return _attend_in_slices(q, k, v, max_score_bytes)[..., :head_dim]


def _append_weights(
    q: torch.Tensor,
    keys: Sequence[torch.Tensor],
    values: Sequence[torch.Tensor],
    log_weights: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """New q', k', v' with one feature more, so that q' k' / sqrt(dim') = q k / sqrt(dim') + log w.

    This is exact (q' is sqrt(dim') there and k' carries the logarithm) and leaves fused kernels
    usable, most of which take no bias or are slow with one.
    """
    head_dim = q.shape[-1]
    padded_dim = math.ceil((head_dim + 1) / _HEAD_DIM_MULTIPLE) * _HEAD_DIM_MULTIPLE
    k, v = (_join(pieces, q, padded_dim) for pieces in (keys, values))
    q = pad(q, (0, padded_dim - head_dim))
    q[..., head_dim] = math.sqrt(padded_dim)
    k[..., head_dim] = log_weights
    return q, k, v


def _join(pieces: Sequence[torch.Tensor], q: torch.Tensor, head_dim: int) -> torch.Tensor:
    """The pieces side by side for every row of `q`, `[B, heads, M, head_dim]`, filled with 0.

    Copied once, and not at all where nothing has to change.
    """
    rows, heads, _, own_dim = q.shape
    if head_dim == own_dim:
        wide = [piece.expand(rows, -1, -1, -1) for piece in pieces]
        return wide[0] if len(wide) == 1 else torch.cat(wide, dim=2)
    num_tokens = [piece.shape[2] for piece in pieces]
    joined = q.new_zeros(rows, heads, sum(num_tokens), head_dim)
    for place, piece in zip(joined.split(num_tokens, dim=2), pieces, strict=True):
        place[..., :own_dim] = piece
    return joined


def _attend_in_slices(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, max_score_bytes: int
) -> torch.Tensor:
    """scaled_dot_product_attention, over slices of queries where its memory has no bound."""
    if q.device.type in FUSED_DEVICES:
        return scaled_dot_product_attention(q, k, v)
    bytes_per_query = q.shape[0] * q.shape[1] * k.shape[2] * q.element_size()
    num_queries = max(1, max_score_bytes // bytes_per_query)
    slices = [scaled_dot_product_attention(part, k, v) for part in q.split(num_queries, dim=2)]
    return torch.cat(slices, dim=2)
