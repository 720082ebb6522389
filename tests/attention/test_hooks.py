"""Hooks on a U-Net: what they do, what they leave alone, and that nothing stays behind."""

import functools

import ldm.modules.attention
import pytest
import torch
from torch import nn

from lib_fabric.errors import UnsupportedModelError
from lib_fabric.hosts.common.blocks import find_self_attention
from tests.helpers.attention import installed, make_hooks, make_plan
from tests.helpers.denoising import fingerprint
from tests.helpers.tiny_unet import make_inputs, make_tiny_unet


def _run(unet, rows=2, seed=1):
    x, timesteps, context = make_inputs(rows, seed)
    return unet(x, timesteps, context=context)


def _captured(hooks, unet, seed=7):
    states = {}
    with hooks.capture((states, None)):
        _run(unet, 1, seed)
    return states


def _plan(hooks, unet, num_rows=2):
    return make_plan(_group(hooks, unet, num_rows))


def _group(hooks, unet, num_rows):
    return num_rows, (_captured(hooks, unet), _captured(hooks, unet, 8)), (1.0, 0.5)


# Before, during, after


def test_output_before_during_and_after(tiny_unet, fake_host):
    before, clean = _run(tiny_unet), fingerprint(tiny_unet)
    with installed(tiny_unet, fake_host) as hooks:
        assert torch.equal(_run(tiny_unet), before)  # no plan yet
        group = _group(hooks, tiny_unet, 1)
        assert torch.equal(_run(tiny_unet), before)  # capturing is over
        hooks.plan = make_plan(group, (1,))
        during = _run(tiny_unet)
        assert (during[0] - before[0]).abs().max() > 0.05
        torch.testing.assert_close(during[1], before[1], atol=1e-5, rtol=0)
    assert torch.equal(_run(tiny_unet), before)
    assert fingerprint(tiny_unet) == clean


class _Stop(BaseException):
    """Like the host's InterruptedException, which is no Exception either."""


@pytest.mark.parametrize("error", [ValueError, _Stop, KeyboardInterrupt])
@pytest.mark.parametrize("during_capture", [False, True])
def test_nothing_stays_after_an_exception_inside_the_unet(
    tiny_unet, fake_host, error, during_capture
):
    before, clean = _run(tiny_unet), fingerprint(tiny_unet)
    middle = tiny_unet.middle_block[1].transformer_blocks[0].attn2

    def fail(*_args):
        raise error("inside")

    def run():
        with installed(tiny_unet, fake_host) as hooks:
            hooks.plan = _plan(hooks, tiny_unet)
            handle = middle.register_forward_pre_hook(fail)
            try:
                if during_capture:
                    _captured(hooks, tiny_unet)
                _run(tiny_unet)
            finally:
                handle.remove()
                hooks.plan = None
                assert torch.equal(_run(tiny_unet), before)  # nothing is captured any more

    with pytest.raises(error, match="inside"):
        run()
    assert torch.equal(_run(tiny_unet), before)
    assert fingerprint(tiny_unet) == clean


def test_remove_may_be_called_twice_and_before_install(tiny_unet, fake_host):
    clean = fingerprint(tiny_unet)
    hooks = make_hooks(tiny_unet, fake_host)
    hooks.remove()
    hooks.install(lambda *_: None)
    hooks.remove()
    hooks.remove()
    assert fingerprint(tiny_unet) == clean
    assert hooks.unet is tiny_unet


def test_a_second_install_is_refused_and_changes_nothing(tiny_unet, fake_host):
    with installed(tiny_unet, fake_host):
        before = fingerprint(tiny_unet)
        second = make_hooks(tiny_unet, fake_host)
        with pytest.raises(RuntimeError, match="FABRIC is already installed"):
            second.install(lambda *_: None)
        second.remove()
        assert fingerprint(tiny_unet) == before


def test_it_can_be_installed_again_and_again(tiny_unet, fake_host):
    before = _run(tiny_unet)
    for _ in range(3):
        with installed(tiny_unet, fake_host) as hooks:
            hooks.plan = _plan(hooks, tiny_unet)
            assert not torch.equal(_run(tiny_unet), before)
    assert torch.equal(_run(tiny_unet), before)


# The forwards of others


def _layers(unet):
    return [module for name, module in unet.named_modules() if name.endswith(".attn1")]


def test_a_forward_installed_earlier_is_called_and_put_back(tiny_unet, fake_host):
    layer = _layers(tiny_unet)[0]
    calls = []

    def theirs(x, context=None, mask=None, **kwargs):
        calls.append((context, mask, kwargs))
        return type(layer).forward(layer, x) * 2

    layer.forward = theirs
    before, clean = _run(tiny_unet), fingerprint(tiny_unet)
    calls.clear()
    with installed(tiny_unet, fake_host):
        assert torch.equal(_run(tiny_unet), before)
        assert calls == [(None, None, {})]
    assert layer.__dict__["forward"] is theirs
    assert fingerprint(tiny_unet) == clean
    assert torch.equal(_run(tiny_unet), before)


def _wrap(layer, with_wraps):
    """What Hypertile does at its first use: an instance forward around whatever is there."""
    inner = layer.forward

    def wrapper(*args, **kwargs):
        return inner(*args, **kwargs)

    layer.forward = functools.wraps(inner)(wrapper) if with_wraps else wrapper
    return layer.forward


@pytest.mark.parametrize("with_wraps", [False, True])
def test_a_forward_wrapped_meanwhile_stays_and_is_harmless(tiny_unet, fake_host, with_wraps):
    before = _run(tiny_unet)
    layers = _layers(tiny_unet)
    with installed(tiny_unet, fake_host) as hooks:
        wrapper = _wrap(layers[0], with_wraps)
        hooks.plan = _plan(hooks, tiny_unet)
        during = _run(tiny_unet)
        assert not torch.equal(during, before)
    assert layers[0].__dict__["forward"] is wrapper
    assert all("forward" not in layer.__dict__ for layer in layers[1:])
    assert torch.equal(_run(tiny_unet), before)
    # The next generation works over it.
    with installed(tiny_unet, fake_host) as hooks:
        hooks.plan = _plan(hooks, tiny_unet)
        assert torch.equal(_run(tiny_unet), during)
    assert layers[0].__dict__["forward"] is wrapper
    assert torch.equal(_run(tiny_unet), before)


def test_the_hosts_optimisation_may_change_meanwhile_and_afterwards(
    tiny_unet, fake_host, monkeypatch
):
    """The host swaps the forward of the class; a forward left on the instance would hide that."""
    before = _run(tiny_unet)
    attention = ldm.modules.attention.CrossAttention
    original = attention.forward
    with installed(tiny_unet, fake_host):
        monkeypatch.setattr(attention, "forward", lambda self, *a, **k: original(self, *a, **k) * 2)
        swapped = _run(tiny_unet)
        assert not torch.equal(swapped, before)
    assert torch.equal(_run(tiny_unet), swapped)
    monkeypatch.undo()
    assert torch.equal(_run(tiny_unet), before)


class _Spy(nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = []

    def forward(self, x, **kwargs):
        self.calls.append(kwargs)
        return x


class BasicTransformerBlock(nn.Module):
    """Another library's block: only the name of the class counts."""

    def __init__(self, disable_self_attn=False):
        super().__init__()
        self.attn1 = _Spy()
        self.disable_self_attn = disable_self_attn


class _TokenMergingBlock(BasicTransformerBlock):
    pass


@pytest.mark.parametrize("has_instance_forward", [False, True])
def test_arguments_of_other_libraries_pass_through(fake_host, has_instance_forward):
    block = BasicTransformerBlock()
    if has_instance_forward:
        block.attn1.forward = functools.partial(_Spy.forward, block.attn1)
    with installed(nn.Sequential(block), fake_host):
        block.attn1(torch.ones(1), context="c", additional_tokens=None, n_times=0)
    assert block.attn1.calls == [{"context": "c", "additional_tokens": None, "n_times": 0}]


def test_finding_self_attention():
    plain, merging, text = (
        BasicTransformerBlock(), _TokenMergingBlock(), BasicTransformerBlock(True),
    )  # fmt: skip
    other = nn.Sequential(nn.Linear(1, 1), nn.MultiheadAttention(1, 1))
    assert find_self_attention(nn.Sequential(plain, text, merging, other)) == [
        plain.attn1, merging.attn1,
    ]  # fmt: skip


def test_the_tiny_unet_has_self_attention_at_both_levels():
    layers = find_self_attention(make_tiny_unet())
    assert [layer.to_q.in_features for layer in layers] == [32, 64, 64, 64, 64, 32, 32]


@pytest.mark.parametrize(
    "unet", [nn.Linear(1, 1), nn.Sequential(BasicTransformerBlock(disable_self_attn=True))]
)
def test_a_model_without_self_attention_is_refused_with_advice(unet, fake_host):
    with pytest.raises(UnsupportedModelError) as caught:
        make_hooks(unet, fake_host)
    assert str(caught.value) == (
        "this checkpoint's model has no self-attention that feedback could use. "
        "Switch FABRIC off, or choose a Stable Diffusion 1 or 2 or SDXL checkpoint."
    )
    assert caught.value.status_code == 422


# The U-Net's pre-hook


def test_the_pre_hook_sees_every_call_with_its_arguments(tiny_unet, fake_host):
    seen = []
    x, timesteps, context = make_inputs(2)
    with installed(tiny_unet, fake_host, lambda *call: seen.append(call)):
        tiny_unet(x, timesteps, context=context)
        tiny_unet(x, timesteps=timesteps, context=context)
    tiny_unet(x, timesteps, context=context)
    assert [(unet is tiny_unet, len(args), sorted(kwargs)) for unet, args, kwargs in seen] == [
        (True, 2, ["context"]),
        (True, 1, ["context", "timesteps"]),
    ]


def test_the_pre_hook_can_be_put_behind_those_of_others(tiny_unet, fake_host):
    order = []
    with installed(tiny_unet, fake_host, lambda *_: order.append("ours")) as hooks:
        theirs = tiny_unet.register_forward_pre_hook(lambda *_: order.append("theirs"))
        _run(tiny_unet)
        hooks.stay_outermost(lambda *_: order.append("ours"))
        _run(tiny_unet)
        theirs.remove()
    assert order == ["ours", "theirs", "theirs", "ours"]
    assert not tiny_unet._forward_pre_hooks
