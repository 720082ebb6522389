"""A host unlike AUTOMATIC1111: unconditional rows come first, each call says which rows it has, and
attention has another signature. The core knows none of that and steers all the same."""

import contextlib

import pytest
import torch
from torch import nn

from lib_fabric.hosts.common.blocks import find_self_attention
from lib_fabric.steering.host import Pass, Row, Step
from lib_fabric.steering.latents import LatentCache
from lib_fabric.steering.methods import METHODS
from lib_fabric.steering.session import FabricSession
from lib_fabric.steering.state_cache import StateCache
from tests.helpers.denoising import (
    ALPHA,
    assert_close,
    assert_steered,
    compute_golden,
    fingerprint,
    make_request,
)
from tests.helpers.fake_host import FakeHost
from tests.helpers.tiny_unet import SIZE_LATENT, make_inputs, make_tiny_unet


class OtherAttention(nn.Module):
    """No `scale`; values may come from elsewhere; the call's options come along."""

    def __init__(self, own):
        super().__init__()
        self.to_q, self.to_k, self.to_v, self.to_out = own.to_q, own.to_k, own.to_v, own.to_out
        self.heads = own.heads

    def forward(self, x, context=None, value=None, mask=None, transformer_options=None):
        context = x if context is None else context
        q, k, v = self.to_q(x), self.to_k(context), self.to_v(context if value is None else value)
        q, k, v = (each.unflatten(-1, (self.heads, -1)).transpose(1, 2) for each in (q, k, v))
        out = torch.nn.functional.scaled_dot_product_attention(q, k, v)
        return self.to_out(out.transpose(1, 2).flatten(2))


class OtherLayer:
    def __init__(self, module):
        self.module = module

    def forward(self, attention, num_rows, x, context=None, value=None, *_args, **_kwargs):
        layer = self.module
        context = x if context is None else context
        q, k, v = (
            layer.to_q(x),
            layer.to_k(context),
            layer.to_v(context if value is None else value),
        )
        q, k, v = (each.unflatten(-1, (layer.heads, -1)).transpose(1, 2) for each in (q, k, v))
        out = attention(q, k, v, q.shape[-1] ** -0.5)
        return layer.to_out(out.transpose(1, 2).flatten(2))


class OtherUnet(nn.Module):
    """Called with options that say which rows are conditional."""

    def __init__(self):
        super().__init__()
        self.inner = make_tiny_unet()
        for module in list(self.inner.modules()):
            if hasattr(module, "attn1"):
                module.attn1 = OtherAttention(module.attn1)

    def forward(self, latents, sigma_index, *, crossattn, options):
        return self.inner(latents, sigma_index, context=crossattn)


class OtherCall:
    def __init__(self, x, timesteps, crossattn, options):
        kinds = options["cond_or_uncond"]  # one of each B rows: 0 = conditional
        each = len(x) // len(kinds)
        self.rows = [Row(picture, kind == 0) for kind in kinds for picture in range(each)]
        self.size_latent, self.device, self.timestep = tuple(x.shape[2:]), x.device, timesteps[:1]
        self.x, self.crossattn = x, crossattn


class OtherModel:
    def __init__(self, unet):
        self.unet = unet
        self.layers = [OtherLayer(each) for each in find_self_attention(unet)]

    def run_references(self, noised, timestep, conditioning, call):
        rows = len(noised)
        crossattn = conditioning.context.to(call.x).repeat_interleave(rows, 0)
        options = {"cond_or_uncond": [1]}
        timesteps = timestep.expand(rows)
        type(self.unet).forward(
            self.unet, noised.to(call.x), timesteps, crossattn=crossattn, options=options
        )


class OtherHost(FakeHost):
    """Nothing is counted here: each call says whose rows it has."""

    def __init__(self, unet):
        super().__init__(unet)
        self.is_ours = True

    def model(self):
        return OtherModel(self.current_unet)

    def read_call(self, args, kwargs):
        if not self.is_ours:
            return None
        return OtherCall(*args, kwargs["crossattn"], kwargs["options"])


BATCH = 2
NUMBERS = (21, 22)
ROWS = [Row(picture, is_cond) for is_cond in (True, False) for picture in range(BATCH)]


@pytest.fixture
def host():
    return OtherHost(OtherUnet())


@contextlib.contextmanager
def steered(request, host, states=None):
    session = FabricSession(request, host, LatentCache(), states)
    with session.installed():
        step = Step(Pass(SIZE_LATENT, False, NUMBERS), tuple(ROWS), ALPHA, 0.3)
        session.begin_step(lambda: step)
        yield session
        session.end_step()


def call(host, inputs, kinds):
    """The U-Net with the rows of these kinds, in this order; the inputs are conditional first."""
    places = {0: slice(0, BATCH), 1: slice(BATCH, 2 * BATCH)}
    x, timesteps, context = (torch.cat([each[places[kind]] for kind in kinds]) for each in inputs)
    options = {"cond_or_uncond": list(kinds)}
    return host.current_unet(x, timesteps, crossattn=context, options=options)


def golden_of(request, inputs):
    step = Step(Pass(SIZE_LATENT, False, NUMBERS), tuple(ROWS), ALPHA, 0.3)
    return compute_golden(make_tiny_unet(), FakeHost(None), request, *inputs, step)


@pytest.mark.parametrize("calls", [[(1, 0)], [(0, 1)], [(1,), (0,)], [(0,), (1,)], [(0,)]], ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_rows_in_any_order_and_any_number_of_calls(host, method, calls):
    request, inputs = make_request((0.5, 1.5), (1.0, 0.7), method), make_inputs(2 * BATCH)
    golden = golden_of(request, inputs)
    by_kind = {0: golden[:BATCH], 1: golden[BATCH:]}
    plain = {kind: call(host, inputs, (kind,)) for kind in (0, 1)}
    clean = fingerprint(host.current_unet)
    with steered(request, host):
        outs = [(kinds, call(host, inputs, kinds)) for kinds in calls]
    assert fingerprint(host.current_unet) == clean
    for kinds, out in outs:
        for kind, part in zip(kinds, out.split(BATCH), strict=True):
            assert_close(part, by_kind[kind])
            if kind == 0 or method == "paper":
                assert_steered(part, plain[kind])
            else:
                assert_close(part, plain[kind])


def test_kept_states_change_nothing(host):
    request, inputs, states = make_request(), make_inputs(2 * BATCH), StateCache(2**28)
    outs = []
    for kept in (None, states, states):
        with steered(request, host, kept):
            outs.append(call(host, inputs, (1, 0)))
    assert states.num_bytes > 0
    assert torch.equal(outs[1], outs[0])
    assert torch.equal(outs[2], outs[0])


def test_calls_within_a_step_that_are_not_ours_stay_as_they_are(host):
    """Another extension may run the model by itself between ours."""
    inputs = make_inputs(2 * BATCH)
    plain = call(host, inputs, (1, 0))
    with steered(make_request(), host):
        assert_steered(call(host, inputs, (1, 0)), plain)
        host.is_ours = False
        assert torch.equal(call(host, inputs, (1, 0)), plain)
        host.is_ours = True
        assert_steered(call(host, inputs, (1, 0)), plain)
