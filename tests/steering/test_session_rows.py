"""Whole denoiser calls against the float64 re-computation."""

import math

import numpy as np
import pytest
import torch

from lib_fabric.errors import UnsupportedModelError
from lib_fabric.ratings import Rated, Ratings
from lib_fabric.request import FabricRequest
from lib_fabric.settings import FabricSettings
from lib_fabric.steering.methods import METHODS
from tests.helpers.denoising import (
    ALPHA,
    TOLERANCE,
    assert_close,
    begin_step,
    check_denoiser_call,
    compute_golden,
    denoise,
    end_step,
    fingerprint,
    make_picture,
    make_request,
    make_session,
    make_step,
)
from tests.helpers.tiny_unet import SIZE_LATENT, make_inputs, make_tiny_unet

# Whole denoiser calls. Rows are (conditional, unconditional).


@pytest.mark.parametrize(
    ("num_cond", "num_uncond", "rows_per_call"),
    [
        pytest.param(2, 2, None, id="joint"),
        pytest.param(1, 1, None, id="joint, one picture"),
        pytest.param(2, 2, 2, id="in chunks of B"),
        pytest.param(2, 2, 1, id="row by row"),
        pytest.param(4, 2, None, id="AND, joint"),
        pytest.param(3, 2, 2, id="AND, a chunk mixes cond and uncond"),
        pytest.param(5, 3, 3, id="AND, chunks of 3, the second mixes"),
        pytest.param(2, 4, None, id="edit model, joint"),
        pytest.param(2, 4, 2, id="edit model, in chunks of B"),
    ],
)
@pytest.mark.parametrize("uneven", [False, True], ids=["weights 1", "weights differ"])
@pytest.mark.parametrize("method", METHODS)
def test_rows(tiny_unet, fake_host, num_cond, num_uncond, rows_per_call, uneven, method):
    request = (
        make_request((0.5, 1.5), (2.0, 0.7), method, negative_scale=0.6, strength=0.9)
        if uneven
        else make_request((1, 1), (1, 1), method, negative_scale=1.0, strength=1.0)
    )
    num_rows = num_cond + num_uncond
    inputs = make_inputs(num_rows)
    check_denoiser_call(
        tiny_unet, fake_host, request, make_step(num_rows, num_cond), *inputs, rows_per_call
    )


@pytest.mark.parametrize("rows_per_call", [None, 1])
def test_only_conditional_rows(tiny_unet, fake_host, rows_per_call):
    """NGMS and early skip leave the unconditional rows out; the callback counts them all."""
    inputs = make_inputs(2)
    check_denoiser_call(
        tiny_unet, fake_host, make_request(), make_step(4, 2), *inputs, rows_per_call
    )


def test_prompts_of_unequal_length(tiny_unet, fake_host):
    """Then the host runs the conditional rows and the unconditional ones by themselves."""
    x, timesteps, short = make_inputs(4, tokens=5)
    long = make_inputs(4, seed=2, tokens=9)[2]
    context = [*short[:2], *long[2:]]
    check_denoiser_call(tiny_unet, fake_host, make_request(), make_step(), x, timesteps, context, 2)


def test_a_null_prompt_of_another_length(tiny_unet, fake_host):
    request, step, inputs = make_request(), make_step(), make_inputs(4)
    fake_host.null_tokens = 11
    host = type(fake_host)(None)
    host.null_tokens = 11
    golden = compute_golden(tiny_unet, host, request, *inputs, step)
    session = make_session(request, fake_host)
    with session.installed():
        assert_close(denoise(session, tiny_unet, step, *inputs), golden)


@pytest.mark.parametrize(
    ("liked", "disliked", "steered"), [((1.0, 0.5), (), (0, 1)), ((), (1.0, 0.5), (2, 3))]
)
def test_only_liked_or_only_disliked(tiny_unet, fake_host, liked, disliked, steered):
    inputs = make_inputs(4)
    check_denoiser_call(
        tiny_unet, fake_host, make_request(liked, disliked), make_step(), *inputs, steered=steered
    )


@pytest.mark.parametrize("count", [3, 7])
def test_many_references(tiny_unet, fake_host, count):
    weights = tuple(np.linspace(0.2, 2.0, count))
    check_denoiser_call(
        tiny_unet, fake_host, make_request(weights, weights[:2]), make_step(), *make_inputs(4)
    )


def test_a_picture_of_weight_0_does_not_count(tiny_unet, fake_host):
    request = FabricRequest(
        FabricSettings(enabled=True, method="paper"),
        Ratings(
            (Rated(make_picture(0), 0.0), Rated(make_picture(1), 1.0)),
            (Rated(make_picture(2), 0.0),),
        ),
    )
    check_denoiser_call(tiny_unet, fake_host, request, make_step(), *make_inputs(4), steered=(0, 1))


@pytest.mark.parametrize("method", ["paper", "contrast"])
@pytest.mark.parametrize("name", ["strength", "negative_scale"])
@pytest.mark.parametrize("least", [5e-324, 1e-200])
def test_what_hardly_counts_does_not_count(tiny_unet, fake_host, method, name, least):
    """A part of the least number is 0, which has no logarithm."""
    step, inputs = make_step(), make_inputs(4)
    outputs = []
    for value in (least, 0):
        session = make_session(make_request((1.0,), (1.0,), method, **{name: value}), fake_host)
        with session.installed():
            outputs.append(denoise(session, tiny_unet, step, *inputs))
    assert torch.equal(*outputs)


def test_the_same_picture_liked_and_disliked_and_twice(tiny_unet, fake_host):
    rated = Rated(make_picture(0), 0.5)
    request = FabricRequest(
        FabricSettings(enabled=True, method="paper"), Ratings((rated,) * 2, (rated,))
    )
    check_denoiser_call(tiny_unet, fake_host, request, make_step(), *make_inputs(4))
    once = FabricRequest(request.settings, Ratings((Rated(make_picture(0), 1.0),), (rated,)))
    check_denoiser_call(tiny_unet, fake_host, once, make_step(), *make_inputs(4))


@pytest.mark.parametrize("size", [(8, 6), (4, 12), (2, 4), (16, 4)])
def test_sizes(tiny_unet, fake_host, size):
    inputs = make_inputs(4, size_latent=size)
    check_denoiser_call(tiny_unet, fake_host, make_request(), make_step(size=size), *inputs)


@pytest.mark.parametrize("alpha", [0.0, 1e-4, 0.5, 0.9999, 1.0])
def test_noise_levels(tiny_unet, fake_host, alpha):
    check_denoiser_call(
        tiny_unet, fake_host, make_request(), make_step(alpha=alpha), *make_inputs(4)
    )


def test_the_reference_pass_runs_at_the_rows_own_timestep(tiny_unet, fake_host):
    x, _, context = make_inputs(4)
    check_denoiser_call(
        tiny_unet, fake_host, make_request(), make_step(), x, torch.full((4,), 33.25), context
    )


@pytest.mark.parametrize(
    ("progress", "outside"),
    [(0.0, True), (0.19, True), (0.2, False), (0.45, False), (0.61, True), (1.0, True)],
)
@pytest.mark.parametrize("min_strength", [0.0, 0.3])
def test_the_schedule(tiny_unet, fake_host, progress, outside, min_strength):
    request = make_request(start=0.2, end=0.6, min_strength=min_strength)
    x, timesteps, context = make_inputs(4)
    step = make_step(progress=progress)
    if min_strength == 0 and outside:
        session = make_session(request, fake_host)
        plain = tiny_unet(x, timesteps, context=context)
        with session.installed():
            assert torch.equal(denoise(session, tiny_unet, step, x, timesteps, context), plain)
        assert fake_host.encoded_px == []
    else:
        check_denoiser_call(tiny_unet, fake_host, request, step, x, timesteps, context)


def test_a_model_with_a_vector_input(fake_host):
    unet = fake_host.current_unet = make_tiny_unet(with_vector=True)
    request, step, inputs = make_request(), make_step(), make_inputs(4)
    y = torch.tensor([[0.5], [-1.0], [2.0], [3.0]])
    host = type(fake_host)(None)
    host.null_extra = fake_host.null_extra = {"y": torch.tensor([[-2.5]])}
    golden = compute_golden(unet, host, request, *inputs, step, y)
    session = make_session(request, fake_host)
    with session.installed():
        assert_close(denoise(session, unet, step, *inputs, 2, y), golden)
    # The vector of the empty prompt matters, so the comparison above would see another.
    host.null_extra = {"y": torch.tensor([[2.5]])}
    assert (compute_golden(unet, host, request, *inputs, step, y) - golden).abs().max() > 0.01


def test_a_vector_input_without_a_null_vector_gets_zeros(fake_host):
    """unCLIP models take an embedding of a picture there."""
    unet = fake_host.current_unet = make_tiny_unet(with_vector=True)
    request, step, inputs = make_request(), make_step(), make_inputs(4)
    y = torch.tensor([[0.5], [-1.0], [2.0], [3.0]])
    host = type(fake_host)(None)
    host.null_extra = {"y": torch.zeros(1, 1)}
    golden = compute_golden(unet, host, request, *inputs, step, y)
    session = make_session(request, fake_host)
    with session.installed():
        assert_close(denoise(session, unet, step, *inputs, y=y), golden)


def test_a_model_with_more_channels(fake_host):
    """Inpainting: mask and masked picture come behind the latents."""
    unet = fake_host.current_unet = make_tiny_unet(in_channels=9)
    request, step, inputs = make_request(), make_step(), make_inputs(4, in_channels=9)
    concat = torch.randn(1, 5, *SIZE_LATENT, generator=torch.Generator().manual_seed(5))
    host = type(fake_host)(None)
    host.null_concat = fake_host.null_concat = concat
    golden = compute_golden(unet, host, request, *inputs, step)
    session = make_session(request, fake_host)
    with session.installed():
        assert_close(denoise(session, unet, step, *inputs), golden)


def test_more_channels_than_the_null_conditioning_has_are_refused(fake_host):
    unet = fake_host.current_unet = make_tiny_unet(in_channels=9)
    clean = fingerprint(unet)
    session = make_session(make_request(), fake_host)
    inputs = make_inputs(4, in_channels=9)
    with pytest.raises(UnsupportedModelError, match="9 channels"), session.installed():
        denoise(session, unet, make_step(), *inputs)
    assert fingerprint(unet) == clean


@pytest.mark.parametrize("upcast", [False, True])
def test_under_autocast(tiny_unet, fake_host, upcast):
    """The host samples under autocast: reference and row then meet in bfloat16 here."""
    fake_host.upcast = upcast
    request, step, inputs = make_request((0.5, 1.5)), make_step(), make_inputs(4)
    golden = compute_golden(tiny_unet, type(fake_host)(None), request, *inputs, step)
    plain = tiny_unet(inputs[0], inputs[1], context=inputs[2])
    session = make_session(request, fake_host)
    with session.installed(), torch.autocast("cpu", torch.bfloat16):
        out = denoise(session, tiny_unet, step, *inputs)
    assert (out - golden).abs().mean() < 0.2 * (plain - golden).abs().mean()


def test_all_arguments_by_name_or_by_position(tiny_unet, fake_host):
    x, timesteps, context = make_inputs(4)
    request, step = make_request(), make_step()
    golden = compute_golden(tiny_unet, type(fake_host)(None), request, x, timesteps, context, step)
    session = make_session(request, fake_host)
    with session.installed():
        for args, kwargs in (
            ((x,), {"timesteps": timesteps, "context": context}),
            ((x, timesteps, context), {}),
            ((), {"x": x, "timesteps": timesteps, "context": context}),
        ):
            begin_step(session, step)
            assert_close(tiny_unet(*args, **kwargs), golden)
            end_step(session)


def test_the_reference_is_sensitive_enough(tiny_unet, fake_host):
    """What the comparisons above would miss if the tolerance were too wide."""
    request, step, inputs = make_request((0.5, 1.5)), make_step(), make_inputs(4)
    host = type(fake_host)(None)
    golden = compute_golden(tiny_unet, host, request, *inputs, step)
    changed = {
        "weights swapped": (make_request((1.5, 0.5)), step),
        "strength": (make_request((0.5, 1.5), strength=0.79), step),
        "kinds swapped": (
            FabricRequest(
                request.settings, Ratings(request.ratings.disliked, request.ratings.liked)
            ),
            step,
        ),
        "noise level": (request, make_step(alpha=ALPHA + 0.01)),
        "one conditional row more": (request, make_step(num_cond=3)),
    }
    for name, (other_request, other_step) in changed.items():
        difference = compute_golden(tiny_unet, host, other_request, *inputs, other_step) - golden
        assert difference.abs().max() > 10 * TOLERANCE, name
    assert math.isfinite(golden.sum())
