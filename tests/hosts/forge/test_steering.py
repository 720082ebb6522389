"""Forge's generations are steered as the method says, whatever its rows and whoever else calls."""

import contextlib

import pytest
import torch

from lib_fabric.errors import FabricError
from lib_fabric.steering.host import Pass, Row, Step
from lib_fabric.steering.latents import LatentCache
from lib_fabric.steering.methods import METHODS
from lib_fabric.steering.session import FabricSession
from lib_fabric.steering.state_cache import StateCache
from tests.helpers.denoising import (
    assert_close,
    assert_steered,
    compute_golden,
    fingerprint,
    make_request,
)
from tests.helpers.fake_forge import (
    COND,
    SIGMA,
    TIMESTEP,
    UNCOND,
    Engine,
    Processing,
    Unet,
    announce,
    call,
    end,
    make_latents,
)
from tests.helpers.fake_host import FakeHost
from tests.helpers.tiny_unet import SIZE_LATENT, make_tiny_unet

BATCH = 2
SIZE_PX = tuple(side * 8 for side in SIZE_LATENT)


@contextlib.contextmanager
def steered(forge, p, request=None, states=None, cache=None):
    """Within it, the model of `p` is hooked; yields what takes the host's events."""
    now = forge.SamplingNow()
    host = forge.ForgeHost(p)
    session = FabricSession(request or make_request(), host, cache or LatentCache(), states)
    with now.steered(host, session):
        yield now


def one_step(now, p, x, contexts, *calls, **options):
    """The U-Net's outputs for a step's calls, one after the other."""
    announce(p, x, now)
    outs = [call(p, x, contexts, kinds, **options) for kinds in calls]
    end(x, now)
    return outs


def golden_of(request, x, contexts, num_prompts=1):
    """By the reference, conditional rows first, prompt by prompt."""
    alpha = 1 / (SIGMA**2 + 1)
    rows = [Row(picture, True) for _ in range(num_prompts) for picture in range(BATCH)]
    rows += [Row(picture, False) for picture in range(BATCH)]
    step = Step(Pass(SIZE_LATENT, False, (21, 22)), tuple(rows), alpha, 0.3)
    given = torch.cat([x * alpha**0.5] * (num_prompts + 1))
    context = torch.cat([*contexts[COND][:num_prompts], *contexts[UNCOND]])
    timesteps = torch.full((len(given),), TIMESTEP)
    inputs = (given, timesteps, context)
    return compute_golden(make_tiny_unet(), FakeHost(None), request, *inputs, step)


CALLS = {
    "as usual": [(UNCOND, COND)],
    "the other way round": [(COND, UNCOND)],
    "one by one": [(UNCOND,), (COND,)],
    "CFG 1": [(COND,)],
    "AND": [(UNCOND, COND, COND)],
    "AND at CFG 1": [(COND, COND)],
}


@pytest.mark.parametrize("calls", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("method", METHODS)
def test_each_call_says_its_rows(forge, method, calls):
    request = make_request((0.5, 1.5), (1.0, 0.7), method)
    p, (x, contexts) = Processing(batch=BATCH), make_latents(BATCH)
    num_prompts = max(kinds.count(COND) for kinds in calls)
    golden = golden_of(request, x, contexts, num_prompts).split(BATCH)
    expected = {COND: golden[:num_prompts], UNCOND: golden[num_prompts:]}
    plain = [call(p, x, contexts, kinds) for kinds in calls]
    clean = fingerprint(p.sd_model.unet)
    with steered(forge, p, request) as now:
        now.begin_pass(p, x)
        outs = one_step(now, p, x, contexts, *calls)
    assert fingerprint(p.sd_model.unet) == clean
    for kinds, out, before in zip(calls, outs, plain, strict=True):
        left = {kind: list(each) for kind, each in expected.items()}
        parts = zip(kinds, out.split(BATCH), before.split(BATCH), strict=True)
        for kind, part, unsteered in parts:
            assert_close(part, left[kind].pop(0))
            if kind == COND or method == "paper":
                assert_steered(part, unsteered)
            else:
                assert_close(part, unsteered)


def test_pictures_are_encoded_before_a_pass_is_sampled(forge):
    """In mid-sampling that would send the U-Net away."""
    p, cache = Processing(), LatentCache()
    loaded = forge.fakes["sd_samplers_common"].loaded
    sizes = [SIZE_LATENT, (2 * SIZE_LATENT[0], 2 * SIZE_LATENT[1])]
    with steered(forge, p, make_request(hires=True), cache=cache) as now:
        for p.is_hr_pass, size in zip((False, True), sizes, strict=True):
            x, contexts = make_latents(size=size)
            # Forge's hires pass announces itself twice.
            for _ in range(1 + p.is_hr_pass):
                now.begin_pass(p, x)
            encoded = list(p.sd_model.encoded_sizes)
            assert encoded[-2:] == [tuple(side * 8 for side in size)] * 2
            plain = Unet()(x, torch.full((2,), TIMESTEP), context=contexts[UNCOND][0])
            out = one_step(now, p, x, contexts, (UNCOND,))[0]
            assert_steered(out, plain)
            assert p.sd_model.encoded_sizes == encoded
    assert len(p.sd_model.encoded_sizes) == 4
    assert loaded == []


def test_feedback_that_starts_late_is_encoded_before_the_pass_too(forge):
    p, (x, contexts) = Processing(), make_latents()
    with steered(forge, p, make_request(start=0.5, end=1.0)) as now:
        now.begin_pass(p, x)
        assert len(p.sd_model.encoded_sizes) == 2
        one_step(now, p, x, contexts, (UNCOND, COND))
        p.sampler.model_wrap_cfg.step = 15
        one_step(now, p, x, contexts, (UNCOND, COND))
    assert len(p.sd_model.encoded_sizes) == 2


def test_a_pass_without_feedback_is_left_alone(forge):
    p, (x, contexts) = Processing(), make_latents()
    p.is_hr_pass = True
    plain = call(p, x, contexts, (UNCOND, COND))
    with steered(forge, p, make_request(hires=False)) as now:
        now.begin_pass(p, x)
        assert torch.equal(one_step(now, p, x, contexts, (UNCOND, COND))[0], plain)
    assert p.sd_model.encoded_sizes == []


def test_a_refiner_takes_over_and_the_unet_is_loaded_again(forge):
    """Encoding for it happens in mid-sampling, and may have sent it away."""
    p, (x, contexts) = Processing(), make_latents()
    loaded = forge.fakes["sd_samplers_common"].loaded
    first = p.sd_model
    clean = fingerprint(first.unet)
    with steered(forge, p) as now:
        now.begin_pass(p, x)
        one_step(now, p, x, contexts, (UNCOND, COND))
        p.sd_model = Engine(Unet(make_tiny_unet(seed=1)), name="refiner.safetensors")
        plain = call(p, x, contexts, (UNCOND, COND))
        outs = one_step(now, p, x, contexts, (UNCOND, COND), (UNCOND, COND))
        assert fingerprint(first.unet) == clean
    assert_steered(outs[0], plain)
    assert torch.equal(outs[0], outs[1])
    assert loaded == [(p.sd_model.forge_objects.unet, tuple(x.shape))]
    assert fingerprint(p.sd_model.unet) == clean


def test_kept_states_change_nothing(forge):
    states, outs = StateCache(2**28), []
    for kept in (None, states, states):
        p, (x, contexts) = Processing(), make_latents()
        with steered(forge, p, states=kept) as now:
            now.begin_pass(p, x)
            outs += one_step(now, p, x, contexts, (UNCOND, COND))
    assert states.num_bytes > 0
    assert torch.equal(outs[1], outs[0])
    assert torch.equal(outs[2], outs[0])


def test_calls_about_other_pictures_stay_as_they_are(forge):
    """Self-attention guidance looks at a blurred one, reference modes at one of their own."""
    p, (x, contexts) = Processing(), make_latents()
    blurred = x * 0.8
    plain = [call(p, each, contexts, (COND,)) for each in (x, blurred)]
    with steered(forge, p) as now:
        announce(p, x, now)
        assert_steered(call(p, x, contexts, (COND,)), plain[0])
        assert torch.equal(call(p, blurred, contexts, (COND,)), plain[1])
        assert_steered(call(p, x, contexts, (COND,)), plain[0])
        end(x, now)
        assert torch.equal(call(p, x, contexts, (COND,)), plain[0])


def test_a_generation_within_this_one_is_not_ours(forge):
    p, other, (x, contexts) = Processing(), Processing(), make_latents()
    other.sd_model = p.sd_model
    smaller, _ = make_latents(size=(4, 4))
    plain = [call(p, each, contexts, (COND,)) for each in (x, smaller)]
    with steered(forge, p) as now:
        now.begin_pass(p, x)
        announce(p, x, now)
        now.begin_pass(other, smaller)
        announce(other, smaller, now)
        assert torch.equal(call(p, smaller, contexts, (COND,)), plain[1])
        end(smaller, now)
        assert_steered(call(p, x, contexts, (COND,)), plain[0])
        # One that ended on an error has not said that it is over.
        announce(other, smaller, now)
        announce(p, x, now)
        assert_steered(call(p, x, contexts, (COND,)), plain[0])
    assert set(p.sd_model.encoded_sizes) == {SIZE_PX}


def test_a_part_of_the_picture_is_refused(forge):
    p, (x, contexts) = Processing(), make_latents()
    with steered(forge, p) as now:
        announce(p, x, now)
        with pytest.raises(FabricError, match="in parts"):
            call(p, x[..., :4], contexts, (COND,))


def replaced_at(*sites):
    return {"patches_replace": {"attn1": dict.fromkeys(sites)}}


def test_attention_that_is_replaced_everywhere_is_refused(forge):
    p, (x, contexts) = Processing(), make_latents()
    everywhere = [
        (part, number, index)
        for part in ("input", "middle", "output")
        for number in range(16)
        for index in range(16)
    ]
    clean = fingerprint(p.sd_model.unet)
    for sites in (everywhere, [site[:2] for site in everywhere]):
        with (
            pytest.raises(FabricError, match="Switch one of the two off"),
            steered(forge, p) as now,
        ):
            one_step(now, p, x, contexts, (UNCOND, COND), **replaced_at(*sites))
        assert fingerprint(p.sd_model.unet) == clean
    plain = call(p, x, contexts, (UNCOND, COND))
    with steered(forge, p) as now:
        options = replaced_at(("middle", 0, 0))
        assert_steered(one_step(now, p, x, contexts, (UNCOND, COND), **options)[0], plain)


def test_values_of_others_are_attended_to(forge):
    """Token merging and the like change what an attention gets."""
    layer, *_ = forge.ForgeHost(Processing()).model().layers
    tokens = torch.randn(2, 2, 6, layer.module.to_q.in_features)
    seen = []

    def attention(q, k, v, scale, tiles):
        seen.append((k, v, scale))
        return q

    layer.forward(attention, 2, tokens[0], context=tokens[1], value=tokens[0], mask=None)
    heads = layer.module.heads
    for project, given, states in zip(
        (layer.module.to_k, layer.module.to_v), (tokens[1], tokens[0]), seen[0], strict=False
    ):
        assert torch.equal(states, project(given).unflatten(-1, (heads, -1)).transpose(1, 2))
    assert seen[0][2] == pytest.approx((layer.module.to_q.out_features / heads) ** -0.5)


def test_a_call_that_ran_out_of_memory_has_its_control_again(forge):
    p, (x, contexts) = Processing(), make_latents()
    tensors = [torch.ones(4, 1, 1, 1), torch.full((4, 1, 1, 1), 2.0)]
    control = {"output": tensors[:1], "middle": tensors[1:]}
    kinds = (UNCOND, COND)
    with steered(forge, p) as now:
        expected = one_step(now, p, x, contexts, kinds)[0] + 3
        failing = p.sd_model.unet.inner.out.register_forward_hook(fail_once())
        out = one_step(now, p, x, contexts, kinds, control=control)[0]
        failing.remove()
    torch.testing.assert_close(out, expected, atol=1e-4, rtol=0)


def fail_once():
    """A hook that runs out of memory in a picture's own call, the first time."""
    failures = [RuntimeError("CUDA out of memory")]

    def fail(_module, args, _out):
        if tuple(args[0].shape[2:]) == SIZE_LATENT and len(args[0]) == 4 and failures:
            raise failures.pop()

    return fail
