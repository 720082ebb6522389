"""Attention kernels that refuse what the real ones refuse, and are exact within.

Limits are those that torch (`sdp_utils`), xformers and the WebUI's own attention document or
assert. Where no fused kernel takes a call, torch falls back to one that builds the whole score
matrix: here that is an error. Knows torch and the second device; nothing of ours.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import torch
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

from tests.helpers.second_device import DeviceTensor

HALF = (torch.float16, torch.bfloat16)


class RefusedError(RuntimeError):
    """The real kernel would not have run."""


@dataclass(frozen=True)
class Kernel:
    """One kernel of `scaled_dot_product_attention`.

    Attributes:
        max_head_dim: 0 = no limit.
        head_dim_bytes: what a head's size in bytes is a multiple of.
        takes_bias: a mask with any numbers, as long as its rows lie apart by a multiple of 8.
    """

    name: str
    dtypes: tuple[torch.dtype, ...]
    max_head_dim: int = 0
    head_dim_bytes: int = 16
    takes_bias: bool = False

    def refusal(self, q, k, v, bias) -> str | None:
        """Why it does not take a call."""
        head_dim = q.shape[-1]
        if any(each.dim() != 4 for each in (q, k, v)):
            return "not 4-dimensional"
        if len({each.dtype for each in (q, k, v)}) > 1 or q.dtype not in self.dtypes:
            return f"of type {q.dtype}, {k.dtype}, {v.dtype}"
        if not q.shape[:2] == k.shape[:2] == v.shape[:2] or k.shape != v.shape:
            return f"rows and heads {[tuple(each.shape) for each in (q, k, v)]}"
        if k.shape[-1] != head_dim or (self.max_head_dim and head_dim > self.max_head_dim):
            return f"head size {head_dim}"
        if head_dim * q.element_size() % self.head_dim_bytes:
            return f"head size {head_dim} not aligned"
        if any(each.stride(-1) != 1 for each in (q, k, v)):
            return "last dimension not dense"
        if 0 in (q.shape[2], k.shape[2]):
            return "no tokens"
        return None if bias is None else self._refusal_of_bias(q, k, bias)

    def _refusal_of_bias(self, q, k, bias) -> str | None:
        if not self.takes_bias:
            return "a mask"
        if bias.dtype != q.dtype:
            return f"a mask of type {bias.dtype}"
        if bias.shape != (*q.shape[:3], k.shape[2]):
            return f"a mask of {tuple(bias.shape)}"
        return "a mask not aligned" if bias.stride(-2) % 8 else None


FLASH_1 = Kernel("flash 1 (torch 2.0 and 2.1)", HALF, 128)
FLASH_2 = Kernel("flash 2 (torch 2.2 and later)", HALF, 256)
EFFICIENT_2_0 = Kernel("memory-efficient (torch 2.0)", (*HALF, torch.float32))
EFFICIENT = Kernel("memory-efficient", (*HALF, torch.float32), takes_bias=True)

# What torch chooses from, in its order.
CARDS = {
    "torch 2.0, RTX 30": (FLASH_1, EFFICIENT_2_0),
    "torch 2.2, RTX 30": (FLASH_2, EFFICIENT),
    "without flash": (EFFICIENT_2_0,),
}


class FusedOnly(TorchFunctionMode):
    """torch's attention on every one of `CARDS`, without the kernel that has no limit.

    Attributes:
        ran: the kernels' names, and how often.
    """

    def __init__(self, cards=tuple(CARDS)):
        super().__init__()
        self._cards = {card: CARDS[card] for card in cards}
        self.ran = Counter()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is not scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        return self._attend(*args, **(kwargs or {}))

    def _attend(self, q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None):
        for card, kernels in self._cards.items():
            refusals = {each.name: each.refusal(q, k, v, attn_mask) for each in kernels}
            takers = [name for name, refusal in refusals.items() if refusal is None]
            if not takers:
                raise RefusedError(f"No available kernel on {card}: {refusals}")
            self.ran[takers[0]] += 1
        return _beside_the_device(exact_attention, q, k, v, attn_mask, scale)


def exact_attention(q, k, v, bias=None, scale=None):
    """softmax(scale q k^T + bias) v in float64, rounded to the type of `q` at the end."""
    scores = q.double() @ k.double().transpose(-1, -2)
    scores = scores * (q.shape[-1] ** -0.5 if scale is None else scale)
    if bias is not None:
        scores = scores + bias.double()
    return (scores.softmax(dim=-1) @ v.double()).to(q.dtype)


def _beside_the_device(compute, *args):
    """A fused kernel needs no memory but for its result: what it has in between is not counted."""
    if not isinstance(args[0], DeviceTensor):
        return compute(*args)
    return DeviceTensor(compute(*(getattr(each, "inner", each) for each in args)))


def host_forward(setting):
    """The class forward of one of the host's attention settings, as `CrossAttention` gets it."""
    refuse = HOST_SETTINGS[setting]

    def forward(self, x, context=None, mask=None, **_kwargs):
        if mask is not None:
            # xformers, Doggettx and InvokeAI leave it unheard, Sub-quadratic asserts.
            raise RefusedError(f"{setting}: a mask")
        context = x if context is None else context
        q, k, v = self.to_q(x), self.to_k(context), self.to_v(context)
        if not q.shape[0] == k.shape[0] == v.shape[0]:
            raise RefusedError(f"{setting}: {q.shape[0]} rows, but {k.shape[0]} of the context")
        if not q.dtype == k.dtype == v.dtype:
            raise RefusedError(f"{setting}: {q.dtype}, {k.dtype}, {v.dtype}")
        q, k, v = (each.unflatten(-1, (self.heads, -1)).transpose(1, 2) for each in (q, k, v))
        refusal = refuse(q, k)
        if refusal is not None:
            raise RefusedError(f"{setting}: {refusal}")
        out = _beside_the_device(exact_attention, q, k, v, None, self.scale)
        return self.to_out(out.transpose(1, 2).flatten(2))

    return forward


def _refuse_xformers(q, k):
    if q.dtype not in (*HALF, torch.float32):
        return f"of type {q.dtype}"
    return "head size not aligned" if q.shape[-1] * q.element_size() % 16 else None


def _refuse_sub_quadratic(q, k):
    # It reshapes to [rows * heads, tokens, head size] by the number of heads.
    return "no tokens" if 0 in (q.shape[2], k.shape[2]) else None


def _refuse_doggettx(q, k):
    # It gives up where 64 slices of queries are not enough for what is free; here half of 8 GB.
    scores = q.shape[0] * q.shape[1] * q.shape[2] * k.shape[2] * q.element_size()
    return None if math.ceil(2.5 * scores / 2**32) <= 64 else "not enough memory"


def _refuse_invokeai(q, k):
    # Rows and heads are sliced together, by whole numbers.
    return None if q.shape[0] * q.shape[1] else "no rows"


HOST_SETTINGS = {
    "xformers": _refuse_xformers,
    "Sub-quadratic": _refuse_sub_quadratic,
    "Doggettx": _refuse_doggettx,
    "InvokeAI": _refuse_invokeai,
}
