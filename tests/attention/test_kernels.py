"""Every way through weighted attention is one that fused kernels take, at all head sizes."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from ldm.modules.attention import CrossAttention
from torch import nn

from lib_fabric.attention import weighted
from lib_fabric.attention.hooks import SelfAttentionHooks
from lib_fabric.attention.merging import Merging
from lib_fabric.attention.plan import Plan, Reference
from lib_fabric.attention.retry import MemoryRetry
from lib_fabric.hosts.automatic1111.layers import CrossAttentionLayer
from lib_fabric.steering.methods import METHODS, PictureKey
from tests.helpers import reference
from tests.helpers.copies import copy_module
from tests.helpers.kernels import EFFICIENT, FLASH_2, FusedOnly, RefusedError
from tests.helpers.second_device import NAME

# Of SD 1's three levels, and of SD 2 and SDXL.
HEAD_SIZES = [40, 80, 160, 64]
HEADS = 2
# Odd, as at sizes that are no multiple of 64 pixels: tokens are then no multiple of 8 either.
SIZE_LATENT = (5, 7)
TOKENS = 35
TYPES = [torch.float16, torch.bfloat16, torch.float32]


class OneLayer(nn.Module):
    """A U-Net that is one layer of self-attention."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)


@functools.cache
def make_layer(head_dim):
    generator = torch.Generator().manual_seed(head_dim)
    layer = CrossAttention(HEADS * head_dim, heads=HEADS, dim_head=head_dim)
    for each in layer.parameters():
        each.data = torch.randn(each.shape, generator=generator) * each.shape[-1] ** -0.5
    return layer.requires_grad_(False)


def plain_forward(self, x, context=None, mask=None):
    """As the host's setting sdp has it."""
    q, k, v = (
        each(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        for each in (self.to_q, self.to_k, self.to_v)
    )
    out = weighted.scaled_dot_product_attention(q, k, v)
    return self.to_out(out.transpose(1, 2).flatten(2))


@pytest.fixture(autouse=True)
def sdp(monkeypatch):
    """The host replaces the class's forward."""
    monkeypatch.setattr(CrossAttention, "forward", plain_forward)


def attended_by(method, merge, weights):
    """(of two conditional rows and two unconditional ones), with pictures 0 and 1 liked, 2 not."""
    references = [
        Reference(PictureKey(str(i), Merging.at(SIZE_LATENT, merge)), weight)
        for i, weight in enumerate(weights)
    ]
    both = references[:2], references[2:]
    rule = METHODS[method]
    return (
        *(rule.conditional(*both, number) for number in (0, 1)),
        *(rule.unconditional(*both, number) for number in (0, 1)),
    )


def steer(layer, x, pictures, rows, is_upcast=False, tiles=1, num_parts=1):
    """What the hooked layer makes of `x` where its rows attend to `pictures` so."""
    unet, retry = OneLayer(layer), MemoryRetry()
    retry.num_parts = num_parts
    own = CrossAttentionLayer(layer, lambda context: (context, context), lambda: is_upcast)
    hooks = SelfAttentionHooks(unet, [own], retry)
    hooks.install(lambda *_: None)
    states = {}
    keys = {each.key for row in rows for each in row.references}
    for key in sorted(keys, key=lambda key: key.picture_id):
        with hooks.capture((states.setdefault(key, {}), key.merging)):
            unet(pictures[int(key.picture_id)][None])
    hooks.plan = Plan(rows, states)
    out = unet(x)
    hooks.remove()
    return out


def compute_golden(layer, x, pictures, rows, merge, tiles=1):
    """The same in float64, row by row."""
    layer, golden = copy_module(layer).double(), []

    def heads(own, parts):
        tokens = torch.cat([each for each, _ in parts])
        counts = [count for _, counts in parts for count in counts]
        q, k, v = layer.to_q(own), layer.to_k(tokens), layer.to_v(tokens)
        split = zip(*(each.chunk(HEADS, dim=1) for each in (q, k, v)), strict=True)
        made = [
            reference.fast_attention(*(each.numpy() for each in head), counts) for head in split
        ]
        return torch.from_numpy(np.concatenate(made, axis=1))

    def seen(references):
        for each in references:
            tokens = pictures[int(each.key.picture_id)].double()
            tokens, counts = reference.merge_tokens(tokens, SIZE_LATENT, merge, 0)
            yield tokens, [each.weight * count for count in counts]

    for index, own in enumerate(x.double()):
        attended = rows[index // tiles]
        plain = heads(own, [(own, [1.0] * len(own)), *seen(attended.joined)])
        row = plain
        for pull in attended.pulls:
            row = row + pull.share * (heads(own, list(seen(pull.references))) - plain)
        golden.append(layer.to_out(row))
    return torch.stack(golden)


def inputs(head_dim, dtype, tiles):
    generator = torch.Generator().manual_seed(7)
    width = HEADS * head_dim
    x = torch.randn(4 * tiles, TOKENS, width, generator=generator).to(dtype)
    return x, torch.randn(3, TOKENS, width, generator=generator).to(dtype)


def check(head_dim, dtype, method, merge=1, weights=(0.5, 1.3, 0.8), **more):
    """Holds a call to float64: off by no more than a few times what the layer alone is.

    A pull adds three roundings to the one of its output, and the weights one to the queries. What
    is left of that in a whole model is held in test_precision.py.
    """
    tiles = more.get("tiles", 1)
    layer = copy_module(make_layer(head_dim)).to(dtype)
    x, pictures = inputs(head_dim, dtype, tiles)
    rows = attended_by(method, merge, weights)
    nothing = (type(rows[0])(),) * len(rows)
    golden, golden_plain = (
        compute_golden(layer, x, pictures, each, merge, tiles) for each in (rows, nothing)
    )
    layer.to(NAME)
    x, pictures = x.to(NAME), pictures.to(NAME)
    with FusedOnly() as fused:
        plain = layer(x)
        fused.ran.clear()
        out = steer(layer, x, pictures, rows, **more)
    host_error = (plain.cpu().double() - golden_plain).abs().max()
    error = (out.cpu().double() - golden).abs().max()
    assert (golden - golden_plain).abs().max() > 8 * host_error
    assert 0 < error < 4 * host_error, (error, host_error)
    return fused.ran


@pytest.fixture
def fused(monkeypatch):
    """The device is one where all queries go in one call."""
    monkeypatch.setattr(weighted, "FUSED_DEVICES", (NAME,))


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("head_dim", HEAD_SIZES)
@pytest.mark.parametrize("method", METHODS)
def test_every_head_size(device, fused, method, head_dim, dtype):
    ran = check(head_dim, dtype, method)
    if dtype != torch.float32:
        # No call of ours is what makes it fall back to a slower one.
        assert ran[FLASH_2.name] > 0 == ran[EFFICIENT.name]


WAYS = {
    "equal weights": {"weights": (1.0, 1.0, 1.0)},
    "merged": {"merge": 2},
    "HyperTile": {"tiles": 2},
    "in parts": {"num_parts": 4},
    "merged, in parts": {"merge": 2, "num_parts": 16},
    "upcast": {"is_upcast": True},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("head_dim", [40, 160])
@pytest.mark.parametrize("method", METHODS)
def test_every_way(device, fused, method, head_dim, way):
    check(head_dim, torch.float16, method, **WAYS[way])


@pytest.mark.parametrize("method", METHODS)
def test_where_it_is_not_known_to_be_fused(device, monkeypatch, method):
    """Then queries are sliced, to any number of them."""
    monkeypatch.setattr(weighted, "MAX_SCORE_BYTES", 2048)
    check(40, torch.float16, method)


def refused(bias=None, **made):
    q, k, v = (torch.zeros(1, 2, 8, 40, dtype=torch.float16) for _ in range(3))
    given = {"q": q, "k": k, "v": v} | made
    with FusedOnly(), pytest.raises(RefusedError) as error:
        weighted.scaled_dot_product_attention(*given.values(), attn_mask=bias)
    return str(error.value)


def test_what_the_real_ones_refuse():
    """The stand-ins can fail: head sizes, types, strides, rows and masks outside the limits."""
    wide = torch.zeros(1, 2, 8, 41, dtype=torch.float16)
    assert "not aligned" in refused(q=wide, k=wide, v=wide)
    assert "type" in refused(k=torch.zeros(1, 2, 8, 40))
    assert "rows and heads" in refused(q=torch.zeros(2, 2, 8, 40, dtype=torch.float16))
    turned = torch.zeros(1, 2, 40, 8, dtype=torch.float16).transpose(2, 3)
    assert "not dense" in refused(v=turned)
    assert "a mask" in refused(bias=torch.zeros(8, dtype=torch.float16))
    double = torch.zeros(1, 2, 8, 40, dtype=torch.float64)
    assert "type" in refused(q=double, k=double, v=double)
