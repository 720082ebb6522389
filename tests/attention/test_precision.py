"""Half precision and fp8 storage, as the host computes in them, against the float64 re-computation.

A tolerance in absolute numbers would say nothing about a random model in 8 or 11 bits. So feedback
may be off by no more than twice what the same model is off by without feedback.
"""

import contextlib

import pytest
import torch
from ldm.modules.attention import CrossAttention
from torch import nn
from torch.nn import functional

from lib_fabric.attention import weighted
from lib_fabric.steering.methods import METHODS
from lib_fabric.steering.state_cache import StateCache
from tests.helpers.denoising import (
    assert_steered,
    compute_golden,
    fingerprint,
    make_request,
    make_session,
    make_step,
)
from tests.helpers.device_host import DeviceHost
from tests.helpers.kernels import HOST_SETTINGS, FusedOnly, host_forward
from tests.helpers.model_zoo import (
    FAMILIES,
    SD1,
    SDXL,
    denoise,
    make_inputs,
    make_unet,
    set_null_conditioning,
)
from tests.helpers.second_device import NAME

HALF_TYPES = [torch.bfloat16, torch.float16]
FP8 = torch.float8_e4m3fn
# Not smaller than what the model is checked with before states are used again.
SIZE_LATENT = (8, 10)
STORED_IN_FP8 = (nn.Conv2d, nn.Linear)


@pytest.fixture(autouse=True)
def optimised_attention(monkeypatch):
    """The host replaces the class's forward; ldm's own mixes float32 with half precision."""

    def forward(self, x, context=None, mask=None):
        context = x if context is None else context
        q, k, v = (
            each.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for each in (self.to_q(x), self.to_k(context), self.to_v(context))
        )
        out = functional.scaled_dot_product_attention(q, k, v)
        return self.to_out(out.transpose(1, 2).flatten(2))

    monkeypatch.setattr(CrossAttention, "forward", forward)


def halve(unet, dtype):
    """The host's `--precision half`: nothing is left in float32."""
    unet = unet.to(dtype)
    unet.dtype = dtype  # ldm casts x to it
    for module in unet.modules():
        if isinstance(module, nn.GroupNorm):
            module.__class__ = nn.GroupNorm  # ldm's computes in float32
    unet.time_embed.register_forward_pre_hook(lambda _module, args: (args[0].to(dtype),))
    return unet


def inputs_in(inputs, dtype):
    y = None if inputs.y is None else inputs.y.to(dtype)
    return type(inputs)(inputs.x.to(dtype), inputs.timesteps.to(dtype), inputs.context.to(dtype), y)


def store_in_fp8(unet):
    """The host's fp8 storage: convolutions and linear layers, biases too."""
    for module in unet.modules():
        if isinstance(module, STORED_IN_FP8):
            module.to(FP8)
    return unet


def rounded_to_fp8(unet):
    """The same model in float32, but only with weights that fp8 can hold."""
    for module in unet.modules():
        if isinstance(module, STORED_IN_FP8):
            module.to(FP8).float()
    return unet


def autocast(_monkeypatch):
    """What the host does with fp8 on a CPU."""
    return torch.autocast("cpu", dtype=torch.bfloat16)


def manual_cast(monkeypatch):
    """What it does on devices without autocast: weights are cast at each call of a layer."""

    def cast(self):
        return [None if each is None else each.bfloat16() for each in (self.weight, self.bias)]

    def linear(self, x):
        return functional.linear(x.bfloat16(), *cast(self)).float()

    def conv2d(self, x):
        return self._conv_forward(x.bfloat16(), *cast(self)).float()

    monkeypatch.setattr(nn.Linear, "forward", linear)
    monkeypatch.setattr(nn.Conv2d, "forward", conv2d)
    return contextlib.nullcontext()


class NotingCache(StateCache):
    """Notes the types of what comes out of it."""

    def __init__(self, *args):
        self.types_seen = set()
        super().__init__(*args)

    def get(self, *args):
        states = super().get(*args)
        for layer in (states or {}).values():
            self.types_seen |= {layer.keys.dtype, layer.values.dtype}
        return states


@pytest.fixture
def second(device, monkeypatch):
    """The second device, which has nothing but fused kernels."""
    monkeypatch.setattr(weighted, "FUSED_DEVICES", (NAME,))
    with FusedOnly():
        yield torch.device(NAME)


def check(
    fake_host, family, unet, pure, inputs, golden_inputs, states, place, within=None, method="paper"
):
    """Holds denoiser calls without and with feedback to what `pure` gives in float64."""
    within = within or contextlib.nullcontext
    num_cond, num_rows = len(inputs.x) // (1 + family.num_uncond_per_cond), len(inputs.x)
    step = make_step(num_rows, num_cond, size=SIZE_LATENT)
    request = make_request((0.6, 1.4), (1.7,), method, negative_scale=0.7, strength=0.9)
    fake_host.current_unet, fake_host.key = unet, family.name
    set_null_conditioning(fake_host, family, SIZE_LATENT)
    golden, golden_plain = (
        compute_golden(
            pure, fake_host, each, golden_inputs.x, golden_inputs.timesteps, golden_inputs.context,
            step, golden_inputs.y,
        )
        for each in (request, make_request((), ()))
    )  # fmt: skip
    host = fake_host
    if place.type != "cpu":
        host, inputs = DeviceHost(unet), inputs.to(place)
        set_null_conditioning(host, family, SIZE_LATENT)
        host.key, host.upcast = fake_host.key, fake_host.upcast
    clean = fingerprint(unet)
    with within():
        plain = inputs.call(unet, family)
        rounds = []
        for _ in range(2):
            session = make_session(request, host, states=states)
            with session.installed():
                rounds.append(denoise(session, unet, family, step, inputs))
        after = inputs.call(unet, family).cpu()
    plain, rounds = plain.cpu(), [each.cpu() for each in rounds]
    host_error = (plain.double() - golden_plain).abs().max()
    error = (rounds[0].double() - golden).abs().max()
    assert 0 < error < 2 * host_error, (error, host_error)
    if method == "paper":
        assert_steered(rounds[0].float(), plain.float())
    assert (golden - golden_plain).abs().amax() > 4 * host_error
    # From memory the second time.
    assert torch.equal(*rounds)
    assert torch.equal(plain, after)
    assert fingerprint(unet) == clean


@pytest.mark.parametrize("dtype", HALF_TYPES, ids=str)
@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_half_precision(fake_host, family, dtype):
    check_half(fake_host, family, dtype, torch.device("cpu"))


@pytest.mark.parametrize(
    ("dtype", "is_upcast"), [(torch.float16, False), (torch.bfloat16, False), (torch.float16, True)]
)
@pytest.mark.parametrize("method", METHODS)
def test_half_precision_on_a_device(fake_host, second, method, is_upcast, dtype):
    """States are kept in RAM, in half precision: they come back the same."""
    fake_host.upcast = is_upcast
    check_half(fake_host, SD1, dtype, second, method)


@pytest.mark.parametrize("setting", HOST_SETTINGS)
def test_the_hosts_own_attention_takes_what_it_gets(fake_host, second, monkeypatch, setting):
    """Cross-attention, and self-attention of rows without feedback, of references too."""
    monkeypatch.setattr(CrossAttention, "forward", host_forward(setting))
    check_half(fake_host, SD1, torch.float16, second, "contrast")


def check_half(fake_host, family, dtype, place, method="paper"):
    unet = halve(make_unet(family), dtype)
    pure = make_unet(family).to(dtype).float()
    inputs = inputs_in(
        make_inputs(family, 2 * (1 + family.num_uncond_per_cond), SIZE_LATENT), dtype
    )
    states = NotingCache(2**30, torch.device("cpu"))
    golden_inputs = inputs_in(inputs, torch.float32)
    check(fake_host, family, unet, pure, inputs, golden_inputs, states, place, method=method)
    assert states.types_seen == {torch.float32 if fake_host.upcast else dtype}


@pytest.mark.parametrize("cast", [autocast, manual_cast])
@pytest.mark.parametrize("family", [SD1, SDXL], ids=str)
def test_fp8_storage(fake_host, monkeypatch, family, cast):
    check_fp8(fake_host, family, torch.device("cpu"), lambda: cast(monkeypatch))


@pytest.mark.parametrize("method", METHODS)
def test_fp8_storage_on_a_device(fake_host, second, monkeypatch, method):
    check_fp8(fake_host, SD1, second, lambda: manual_cast(monkeypatch), method)


def check_fp8(fake_host, family, place, within, method="paper"):
    unet, pure = store_in_fp8(make_unet(family)), rounded_to_fp8(make_unet(family))
    inputs = make_inputs(family, 4, SIZE_LATENT)
    states = StateCache(2**30, torch.device("cpu"))
    check(fake_host, family, unet, pure, inputs, inputs, states, place, within, method)
