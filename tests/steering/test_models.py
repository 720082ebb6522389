"""Every family of checkpoints against the float64 re-computation, by a tiny U-Net of it."""

import functools

import pytest
import torch
from torch import nn

from lib_fabric.errors import UnsupportedModelError
from lib_fabric.steering.methods import METHODS
from tests.helpers.denoising import (
    assert_close,
    assert_steered,
    compute_golden,
    fingerprint,
    make_request,
    make_session,
    make_step,
)
from tests.helpers.fake_host import FakeHost
from tests.helpers.model_zoo import (
    FAMILIES,
    REFINER,
    SD1,
    SD2,
    SDXL,
    denoise,
    make_inputs,
    make_unet,
    set_null_conditioning,
)
from tests.helpers.tiny_unet import SIZE_LATENT

ZERO_TERMINAL_ALPHA = 4.8973451890853435e-08  # the host's last one with Zero Terminal SNR


def golden_of(unet, fake_host, family, request, inputs, step, null_seed=5):
    host = type(fake_host)(None)
    set_null_conditioning(host, family, step.sampling.size_latent, null_seed)
    return compute_golden(
        unet, host, request, inputs.x, inputs.timesteps, inputs.context, step, inputs.y
    )


def use(fake_host, family, unet, size_latent=SIZE_LATENT):
    """Makes the host have this model loaded."""
    fake_host.current_unet, fake_host.key = unet, (family.name, id(unet))
    set_null_conditioning(fake_host, family, size_latent)


@pytest.mark.parametrize("family", FAMILIES, ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_merged_tokens(fake_host, family, method):
    unet = make_unet(family)
    use(fake_host, family, unet)
    num_rows = 2 * (1 + family.num_uncond_per_cond)
    request = make_request((0.6, 1.4), (1.7,), method, merge=2, max_tokens=16)
    step, inputs = make_step(num_rows, 2), make_inputs(family, num_rows)
    golden = golden_of(unet, fake_host, family, request, inputs, step)
    whole = golden_of(
        unet, fake_host, family, make_request((0.6, 1.4), (1.7,), method), inputs, step
    )
    assert (golden - whole).abs().max() > 1e-3
    session = make_session(request, fake_host)
    with session.installed():
        assert_close(denoise(session, unet, family, step, inputs), golden)


def two_in_a_batch(family, method):
    num_rows = 2 * (1 + family.num_uncond_per_cond)
    request = make_request((0.6, 1.4), (1.7,), method, negative_scale=0.7, strength=0.9)
    return request, make_step(num_rows, 2), make_inputs(family, num_rows)


@functools.cache
def golden_of_two(family, method):
    request, step, inputs = two_in_a_batch(family, method)
    return golden_of(make_unet(family), FakeHost(None), family, request, inputs, step)


@pytest.mark.parametrize("rows_per_call", [None, 2], ids=["joint", "in chunks"])
@pytest.mark.parametrize("family", FAMILIES, ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_family(fake_host, family, rows_per_call, method):
    """Two pictures in a batch, weights that differ, rows in the order that the host has."""
    unet = make_unet(family)
    use(fake_host, family, unet)
    request, step, inputs = two_in_a_batch(family, method)
    plain, clean = inputs.call(unet, family), fingerprint(unet)
    session = make_session(request, fake_host)
    with session.installed():
        out = denoise(session, unet, family, step, inputs, rows_per_call)
    assert_close(out, golden_of_two(family, method))
    num_steered = 2 if method == "contrast" else len(out)
    assert_steered(out[:num_steered], plain[:num_steered])
    assert fingerprint(unet) == clean
    assert torch.equal(inputs.call(unet, family), plain)


@pytest.mark.parametrize(
    "family", [each for each in FAMILIES if each.concat_channels or each.vector_channels], ids=str
)
def test_what_a_family_takes_besides_text_matters(fake_host, family):
    """Otherwise the comparison above could not tell a wrong one."""
    step, inputs = make_step(), make_inputs(family, 4)
    outs = [
        golden_of(make_unet(family), fake_host, family, make_request(), inputs, step, null_seed)
        for null_seed in (5, 6)
    ]
    assert (outs[0] - outs[1]).abs().max() > 0.01


@pytest.mark.parametrize("family", [SD1, SD2, SDXL], ids=str)
def test_zero_terminal_snr(fake_host, family):
    """At its first step references are noise and nothing else, and nothing is divided by 0."""
    unet = make_unet(family)
    use(fake_host, family, unet)
    request, inputs = make_request(), make_inputs(family, 4)
    step = make_step(alpha=ZERO_TERMINAL_ALPHA)
    golden = golden_of(unet, fake_host, family, request, inputs, step)
    session = make_session(request, fake_host)
    with session.installed():
        assert_close(denoise(session, unet, family, step, inputs), golden)


@pytest.mark.parametrize(
    ("base", "second"), [(SDXL, REFINER), (SD1, SD2)], ids=["SDXL to its refiner", "SD1 to SD2"]
)
def test_the_refiner_takes_over_in_mid_sampling(fake_host, base, second):
    """Another model object, with other inputs, between two denoiser calls."""
    request = make_request((1.0, 0.5))
    models = [(family, make_unet(family, seed)) for seed, family in enumerate((base, second))]
    clean = [fingerprint(unet) for _, unet in models]
    use(fake_host, *models[0])
    session = make_session(request, fake_host)
    with session.installed():
        for number, (family, unet) in enumerate((models[0], models[1], models[1])):
            use(fake_host, family, unet)
            step, inputs = make_step(progress=0.1 + 0.2 * number), make_inputs(family, 4)
            pure = make_unet(family, models.index((family, unet)))
            golden = golden_of(pure, fake_host, family, request, inputs, step)
            assert_close(denoise(session, unet, family, step, inputs), golden)
    assert [fingerprint(unet) for _, unet in models] == clean


def test_a_refiner_of_the_same_kind_takes_over_in_mid_sampling(fake_host):
    """The host puts its weights into the same module objects; text encoders change with them."""
    unet, request = make_unet(SDXL), make_request()
    step, inputs = make_step(), make_inputs(SDXL, 4)
    use(fake_host, SDXL, unet)
    session = make_session(request, fake_host)
    with session.installed():
        for seed in (0, 1):
            unet.load_state_dict(make_unet(SDXL, seed).state_dict())
            fake_host.key = ("checkpoint", seed)
            set_null_conditioning(fake_host, SDXL, seed=seed)
            golden = golden_of(
                make_unet(SDXL, seed), fake_host, SDXL, request, inputs, step, null_seed=seed
            )
            assert_close(denoise(session, unet, SDXL, step, inputs), golden)


@pytest.mark.parametrize("family", [SD1, SDXL], ids=str)
def test_hires_with_another_checkpoint(fake_host, family):
    """The host puts the other weights into the same module objects."""
    request, unet, size = make_request(hires=True), make_unet(family), (10, 12)
    clean = fingerprint(unet)
    use(fake_host, family, unet)
    session = make_session(request, fake_host)
    with session.installed():
        step, inputs = make_step(), make_inputs(family, 4)
        golden = golden_of(make_unet(family), fake_host, family, request, inputs, step)
        assert_close(denoise(session, unet, family, step, inputs), golden)
        other = make_unet(family, seed=1)
        unet.load_state_dict(other.state_dict())
        use(fake_host, family, unet, size)
        fake_host.key = "another checkpoint"
        step = make_step(size=size, is_hires=True)
        inputs = make_inputs(family, 4, size)
        golden = golden_of(other, fake_host, family, request, inputs, step)
        assert_close(denoise(session, unet, family, step, inputs), golden)
    assert fingerprint(unet) == clean


class JointBlock(nn.Module):
    """SD3's: picture and text attend together, so there is no self-attention to enter."""

    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(16, 48)


def test_a_model_without_self_attention_is_refused_and_left_alone(fake_host):
    mmdit = fake_host.current_unet = nn.Sequential(JointBlock(), JointBlock())
    clean = fingerprint(mmdit)
    session = make_session(make_request(), fake_host)
    with pytest.raises(UnsupportedModelError, match="no self-attention"), session.installed():
        raise AssertionError("sampling must not start")
    assert fingerprint(mmdit) == clean
