"""What hooked self-attention captures and injects, layer by layer."""

import copy
import math

import ldm.modules.attention
import pytest
import torch
from torch import nn

from lib_fabric.errors import FabricError
from lib_fabric.hosts.common.blocks import find_self_attention
from tests.helpers import reference
from tests.helpers.attention import capture_each, installed, make_plan
from tests.helpers.tiny_unet import make_inputs


def test_captured_are_keys_and_values_per_layer_and_reference(tiny_unet, fake_host):
    layers = find_self_attention(tiny_unet)
    inputs = {}
    for index, layer in enumerate(layers):
        layer.register_forward_pre_hook(lambda _, args, i=index: inputs.setdefault(i, args[0]))
    with installed(tiny_unet, fake_host) as hooks:
        states = {}
        x, timesteps, context = make_inputs(1)
        with hooks.capture((states, None)):
            tiny_unet(x, timesteps, context=context)
    assert sorted(states) == list(range(len(layers)))
    for index, layer in enumerate(layers):
        for name, project in (("keys", layer.to_k), ("values", layer.to_v)):
            expected = project(inputs[index]).unflatten(-1, (4, -1)).transpose(1, 2)
            torch.testing.assert_close(getattr(states[index], name), expected)


class BasicTransformerBlock(nn.Module):
    """A block with nothing but its attn1: only the name of the class counts."""

    def __init__(self, attn1):
        super().__init__()
        self.attn1 = attn1


def _one_layer(heads=2, width=6, seed=0):
    """An attn1 in a block of its own, for comparing with the formula."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        attn1 = ldm.modules.attention.CrossAttention(width, heads=heads, dim_head=3)
    return attn1, nn.Sequential(BasicTransformerBlock(attn1)).requires_grad_(False)


def _attend_by_hand(layer, own, tokens, weights):
    """[N, C] float64: what `layer` makes of its own [N, C] tokens and all it attends to [M, C]."""
    layer = copy.deepcopy(layer).double()
    return reference._multi_head(layer, own.double(), tokens.double(), weights)


def _assert_close(actual, expected, tolerance=1e-6):
    torch.testing.assert_close(actual.double(), expected.double(), atol=tolerance, rtol=0)


@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.3, 1.7), (2.0, 1.0), (1e-20, 1e-20)])
def test_one_layer_equals_the_formula(fake_host, weights):
    layer, unet = _one_layer()
    layer, unet = layer.double(), unet.double()
    generator = torch.Generator().manual_seed(3)
    own = torch.randn(3, 4, 6, dtype=torch.float64, generator=generator)
    pictures = torch.randn(2, 5, 6, dtype=torch.float64, generator=generator)
    with installed(unet, fake_host) as hooks:
        references, captured = capture_each(hooks, layer, pictures)
        hooks.plan = make_plan((1,), (2, references, weights))
        out = layer(own)
    for row in range(2):
        expected = _attend_by_hand(layer, pictures[row], pictures[row], [1.0] * 5)
        _assert_close(captured[row], expected, 1e-12)
    _assert_close(out[0], _attend_by_hand(layer, own[0], own[0], [1.0] * 4), 1e-12)
    each = [1.0] * 4 + [weights[0]] * 5 + [weights[1]] * 5
    for row in (1, 2):
        tokens = torch.cat([own[row], *pictures])
        expected = _attend_by_hand(layer, own[row], tokens, each)
        # The logarithms are kept in float32.
        _assert_close(out[row], expected)


@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.3, 1.7)])
def test_rows_that_were_cut_into_tiles(fake_host, weights):
    """Hypertile cuts every row into tiles around our forward: `[B, 2 n, C]` to `[2 B, n, C]`."""
    layer, unet = _one_layer()
    generator = torch.Generator().manual_seed(3)
    own, pictures = (torch.randn(n, 4, 6, generator=generator) for n in (3, 2))
    with installed(unet, fake_host) as hooks:
        inner = layer.forward
        layer.forward = lambda x: inner(x.reshape(-1, 2, 6)).reshape(x.shape)
        references, _ = capture_each(hooks, layer, pictures)
        hooks.plan = make_plan((1,), (2, references, weights))
        out = layer(own)
    each = [1.0] * 2 + [weights[0]] * 4 + [weights[1]] * 4
    for row, tile in ((0, 0), (0, 1), (1, 0), (2, 1)):
        part = slice(2 * tile, 2 * tile + 2)
        tokens = own[row][part] if row == 0 else torch.cat([own[row][part], *pictures])
        expected = _attend_by_hand(layer, own[row][part], tokens, each[: len(tokens)])
        _assert_close(out[row][part], expected)


@pytest.mark.parametrize("rows", [1, 2, 4, 5])
def test_rows_that_do_not_fit_the_plan_are_refused_with_advice(fake_host, rows):
    layer, unet = _one_layer()
    with installed(unet, fake_host) as hooks:
        hooks.plan = make_plan((1,), (2,))
        layer(torch.ones(3, 4, 6))
        layer(torch.ones(6, 4, 6))
        with pytest.raises(FabricError, match=r"part of the rows .* Switch one of the two off"):
            layer(torch.ones(rows, 4, 6))


def test_an_explicit_context_is_attended_to(fake_host):
    """ControlNet's reference mode passes its own tokens to attn1."""
    layer, unet = _one_layer()
    x, context, pictures = (
        torch.randn(1, n, 6, generator=torch.Generator().manual_seed(n)) for n in (4, 7, 5)
    )
    with installed(unet, fake_host) as hooks:
        references, _ = capture_each(hooks, layer, pictures)
        hooks.plan = make_plan((1, references, (0.5,)))
        out = layer(x, context=context)
    tokens = torch.cat([context[0], pictures[0]])
    expected = _attend_by_hand(layer, x[0], tokens, [1.0] * 7 + [0.5] * 5)
    _assert_close(out[0], expected)


def test_hypernetworks_change_keys_and_values_apart(fake_host):
    layer, unet = _one_layer()
    x, pictures = (torch.randn(1, n, 6, generator=torch.Generator().manual_seed(n)) for n in (4, 5))
    fake_host.split_context = lambda context: (context * 2, context * 3)
    with installed(unet, fake_host) as hooks:
        references, _ = capture_each(hooks, layer, pictures)
        hooks.plan = make_plan((1, references, (1.0,)))
        out = layer(x)
    changed, _ = _one_layer()
    changed.to_k.weight.data.mul_(2)
    changed.to_v.weight.data.mul_(3)
    expected = _attend_by_hand(changed, x[0], torch.cat([x[0], pictures[0]]), [1.0] * 9)
    _assert_close(out[0], expected)


@pytest.mark.parametrize("upcast", [False, True])
@pytest.mark.parametrize("autocast", [False, True])
def test_upcast_attention(fake_host, monkeypatch, upcast, autocast):
    layer, unet = _one_layer()
    if not autocast:
        unet.bfloat16()
    fake_host.upcast = upcast
    seen = []
    plain = torch.nn.functional.scaled_dot_product_attention

    def spy(q, k, v, **more):
        seen.append({q.dtype, k.dtype, v.dtype, torch.is_autocast_enabled("cpu")})
        return plain(q, k, v, **more)

    monkeypatch.setattr("lib_fabric.attention.weighted.scaled_dot_product_attention", spy)
    x = torch.randn(1, 4, 6, generator=torch.Generator().manual_seed(4))
    x = x if autocast else x.bfloat16()
    with installed(unet, fake_host) as hooks, torch.autocast("cpu", enabled=autocast):
        references, _ = capture_each(hooks, layer, x)
        hooks.plan = make_plan((1, references, (0.5,)))
        out = layer(x)
    dtype = torch.float32 if upcast else torch.bfloat16
    assert seen == [{dtype, autocast and not upcast}] * 2
    assert out.dtype == torch.bfloat16
    expected = _attend_by_hand(layer, x[0], torch.cat([x[0], x[0]]), [1.0] * 4 + [0.5] * 4)
    _assert_close(out[0], expected, 2e-2)


def test_upcast_attention_where_torch_has_no_autocast(fake_host):
    """torch 2.0 and 2.1, which the host pins, have none for Apple's MPS; here 'meta' has none."""
    layer, unet = _one_layer()
    unet.to("meta")
    fake_host.upcast = True
    with installed(unet, fake_host) as hooks:
        hooks.plan = make_plan((1,))
        assert layer(torch.empty(1, 4, 6, device="meta")).shape == (1, 4, 6)


def test_an_attn1_weight_that_is_exact(fake_host):
    """Weight 2 on a layer equals the same reference attached twice at weight 1."""
    layer, unet = _one_layer()
    x, pictures = (torch.randn(1, n, 6, generator=torch.Generator().manual_seed(n)) for n in (4, 5))
    with installed(unet, fake_host) as hooks:
        once, _ = capture_each(hooks, layer, pictures)
        hooks.plan = make_plan((1, once, (2.0,)))
        heavy = layer(x)
        hooks.plan = make_plan((1, once * 2, (1.0, 1.0)))
        _assert_close(layer(x), heavy)
    assert math.isfinite(heavy.sum())
