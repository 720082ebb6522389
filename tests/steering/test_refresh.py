"""The refresh interval: at which calls references are looked at, and what the others use."""

import functools
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lib_fabric.steering.methods import METHODS
from lib_fabric.steering.refresh import NoiseLevel, Refresh
from lib_fabric.steering.state_cache import StateCache
from tests.helpers.denoising import (
    assert_close,
    compute_golden,
    denoise,
    make_request,
    make_session,
    make_step,
)
from tests.helpers.fake_host import FakeHost
from tests.helpers.model_zoo import REFINER, SDXL, make_unet, set_null_conditioning
from tests.helpers.model_zoo import denoise as denoise_family
from tests.helpers.model_zoo import make_inputs as make_family_inputs
from tests.helpers.tiny_unet import make_inputs, make_tiny_unet


def _steps(numbers, **kwargs):
    """One denoiser call for each number, each at a noise level and timestep of its own."""
    for call, number in enumerate(numbers):
        alpha = 0.1 + 0.07 * call
        step = make_step(alpha=alpha, progress=0.02 * call, number=number, **kwargs)
        yield call, torch.tensor([900.0 - 50 * call]), step


# The interval, and at which of these calls the references are looked at.
FIRST_ORDER, SECOND_ORDER = (0, 1, 2, 3, 4, 5), (0, 0, 1, 1, 2, 2)
SCHEDULES = [
    (1, FIRST_ORDER, (0, 1, 2, 3, 4, 5)),
    (1, SECOND_ORDER, (0, 1, 2, 3, 4, 5)),
    (2, FIRST_ORDER, (0, 2, 4)),
    (3, FIRST_ORDER, (0, 3)),
    (10, FIRST_ORDER, (0,)),
    (2, SECOND_ORDER, (0, 4)),
    (2, (3, 4, 5, 6, 0, 1), (0, 2, 4)),  # a later start; then counted anew
]


@pytest.mark.parametrize(("interval", "numbers", "fresh"), SCHEDULES)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rows_per_call", [None, 2])
def test_what_was_seen_last_is_used(
    tiny_unet, fake_host, interval, numbers, fresh, method, rows_per_call
):
    session = make_session(_request(method, interval), fake_host)
    x, _, context = make_inputs(4)
    with session.installed():
        outs = [
            denoise(session, tiny_unet, step, x, timestep.expand(4), context, rows_per_call)
            for _, timestep, step in _steps(numbers)
        ]
    assert len(fake_host.seen) == 3 * len(fresh)
    for call, out in enumerate(outs):
        assert_close(out, _golden(method, call, max(each for each in fresh if each <= call)))


def _request(method, interval):
    return make_request((1.0, 0.5), (1.0,), method, refresh=interval)


@functools.cache
def _golden(method, call, call_seen):
    """What such a call gives with the references as an earlier one, or itself, saw them."""
    steps = list(_steps(FIRST_ORDER))
    _, timestep, step = steps[call]
    _, timestep_seen, step_seen = steps[call_seen]
    x, _, context = make_inputs(4)
    return compute_golden(
        make_tiny_unet(), FakeHost(None), _request(method, 1), x, timestep.expand(4), context, step,
        seen_at=(step_seen.alpha, timestep_seen),
    )  # fmt: skip


def test_the_reference_is_sensitive_enough(tiny_unet, fake_host):
    host, inputs, step = type(fake_host)(None), make_inputs(4), make_step()
    fresh = compute_golden(tiny_unet, host, make_request(), *inputs, step)
    for alpha, timestep in ((0.3, 500.0), (step.alpha, 550.0)):
        seen_at = (alpha, torch.tensor([timestep]))
        other = compute_golden(tiny_unet, host, make_request(), *inputs, step, seen_at=seen_at)
        assert (other - fresh).abs().max() > 2e-4


def test_a_list_that_comes_later_is_seen_where_the_other_was(tiny_unet, fake_host):
    """Rows of one kind may be left out of a step (skipped unconditional ones)."""
    x, _, context = make_inputs(4)
    request, host = make_request(refresh=3), type(fake_host)(None)
    session = make_session(request, fake_host)
    with session.installed():
        for call, timestep, step in _steps((0, 1)):
            if call == 0:
                only_cond = replace(step, rows=step.rows[:2])
                denoise(session, tiny_unet, only_cond, x[:2], timestep.expand(2), context[:2])
                seen_at = (step.alpha, timestep)
            else:
                out = denoise(session, tiny_unet, step, x, timestep.expand(4), context)
                golden = compute_golden(
                    make_tiny_unet(),
                    host,
                    request,
                    x,
                    timestep.expand(4),
                    context,
                    step,
                    seen_at=seen_at,
                )
    assert_close(out, golden)


def test_the_hires_pass_looks_for_itself(tiny_unet, fake_host):
    request, host = make_request(hires=True, refresh=10), type(fake_host)(None)
    session = make_session(request, fake_host)
    with session.installed():
        for size, is_hires in (((6, 8), False), ((6, 8), True), ((10, 12), True), ((6, 8), False)):
            for call, timestep, step in _steps((1, 2), size=size, is_hires=is_hires):
                x, _, context = make_inputs(4, size_latent=size)
                if call == 0:
                    seen_at = (step.alpha, timestep)
                timesteps = timestep.expand(4)
                out = denoise(session, tiny_unet, step, x, timesteps, context)
                golden = compute_golden(
                    make_tiny_unet(), host, request, x, timesteps, context, step, seen_at=seen_at
                )
                assert_close(out, golden)


def test_the_refiner_looks_for_itself(fake_host):
    request = make_request(refresh=10)
    session = make_session(request, fake_host)
    models = [(family, make_unet(family)) for family in (SDXL, REFINER)]
    fake_host.current_unet = models[0][1]
    with session.installed():
        for number, (family, unet) in enumerate(models * 2):
            fake_host.current_unet, fake_host.key = unet, family.name
            set_null_conditioning(fake_host, family)
            step, inputs = make_step(number=number), make_family_inputs(family, 4)
            out = denoise_family(session, unet, family, step, inputs)
            host = type(fake_host)(None)
            set_null_conditioning(host, family)
            golden = compute_golden(
                make_unet(family), host, request, inputs.x, inputs.timesteps, inputs.context,
                step, inputs.y,
            )  # fmt: skip
            assert_close(out, golden)


def test_each_sampling_looks_for_itself(tiny_unet, fake_host):
    request, inputs = make_request(refresh=10), make_inputs(4)
    session = make_session(request, fake_host)
    for alpha in (0.2, 0.7):
        step = make_step(alpha=alpha)
        with session.installed():
            out = denoise(session, tiny_unet, step, *inputs)
        assert_close(out, compute_golden(tiny_unet, type(fake_host)(None), request, *inputs, step))


@pytest.mark.parametrize("interval", [1, 2, 3])
def test_kept_states_shrink_and_change_nothing(tiny_unet, fake_host, interval):
    x, _, context = make_inputs(4)

    def run(states):
        request = make_request(refresh=interval)
        session = make_session(request, fake_host, states=states)
        with session.installed():
            return torch.stack(
                [
                    denoise(session, tiny_unet, step, x, timestep.expand(4), context)
                    for _, timestep, step in _steps(FIRST_ORDER)
                ]
            )

    states, one_look = StateCache(2**28), StateCache(2**28)
    expected = run(None)
    assert torch.equal(run(states), expected)
    assert torch.equal(run(states), expected)
    session = make_session(make_request(), fake_host, states=one_look)
    with session.installed():
        denoise(session, tiny_unet, make_step(), *make_inputs(4))
    assert states.num_bytes == one_look.num_bytes * (6 // interval)


@given(st.lists(st.integers(0, 30), max_size=12), st.integers(1, 10))
def test_nothing_is_ever_used_for_longer_than_the_interval(numbers, interval):
    refresh = Refresh(interval)
    for number in numbers:
        snapshot = refresh.at(number, NoiseLevel(number / 30, torch.tensor([number])))
        assert 0 <= number - snapshot.step < interval
        assert snapshot.level.alpha == snapshot.step / 30


def test_what_another_pass_saw_is_forgotten():
    refresh = Refresh(5)
    levels = [NoiseLevel(alpha, torch.tensor([1])) for alpha in (0.1, 0.2, 0.3)]
    first = refresh.at(0, levels[0])
    assert refresh.at(1, levels[1]) is first
    refresh.forget()
    assert refresh.at(2, levels[2]) is not first
