"""Errors, interrupts and warnings: they reach the user, and nothing stays behind."""

import pytest
import torch
from torch import nn

from lib_fabric.attention import rows as row_attention
from lib_fabric.errors import FabricError, UnsupportedModelError
from lib_fabric.steering.state_cache import StateCache
from tests.helpers.denoising import (
    assert_steered,
    begin_step,
    denoise,
    end_step,
    fingerprint,
    make_request,
    make_session,
    make_step,
)
from tests.helpers.tiny_unet import make_inputs, make_tiny_unet

# Errors


def _sample(session, unet, calls=1):
    with session.installed():
        for _ in range(calls):
            denoise(session, unet, make_step(), *make_inputs(4))


DOING = {
    "encode": "encoding the rated pictures",
    "null_conditioning": "encoding the empty prompt",
    "latents_key": "encoding the rated pictures",
    "model": "preparing a step",
}
ERRORS = [
    FabricError("a sentence"),
    RuntimeError("something\nelse"),
    RuntimeError("CUDA out of memory."),
    torch.cuda.OutOfMemoryError("CUDA out of memory."),
    MemoryError(),
    ValueError("x" * 1000),
]


def sentence_of(error, action):
    """What the user reads of an exception while FABRIC was busy with `action`."""
    if isinstance(error, FabricError):
        return str(error)
    if isinstance(error, MemoryError) or "out of memory" in str(error):
        return (
            f"out of memory while FABRIC was {action}. Rate fewer pictures, choose a smaller "
            "size, merge tokens (Speed), or switch FABRIC off."
        )
    cause = f"{type(error).__name__}: {error}".replace("\n", " ")
    cause = cause if len(cause) <= 200 else cause[:200] + "…"
    return f"FABRIC failed while {action} ({cause}). Switch FABRIC off to generate without it."


@pytest.mark.parametrize("failing", DOING)
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: repr(error)[:40])
def test_an_error_while_arming_reaches_the_user_from_the_next_unet_call(
    tiny_unet, fake_host, failing, error, monkeypatch
):
    clean = fingerprint(tiny_unet)
    session = make_session(make_request(), fake_host)

    def fail(*_args):
        raise error

    raised_at = []

    def sample():
        with session.installed():
            monkeypatch.setattr(fake_host, failing, fail)
            begin_step(session, make_step())  # does not raise: the host would swallow it
            raised_at.append("begin survived")
            x, timesteps, context = make_inputs(4)
            tiny_unet(x, timesteps, context=context)
            raised_at.append("U-Net survived")

    with pytest.raises(FabricError) as caught:
        sample()
    assert error in (caught.value, caught.value.__cause__)
    assert str(caught.value) == caught.value.detail == sentence_of(error, DOING[failing])
    assert caught.value.status_code == (422 if isinstance(error, FabricError) else 500)
    assert raised_at == ["begin survived"]
    assert fingerprint(tiny_unet) == clean
    # The next generation is not affected.
    monkeypatch.undo()
    _sample(session, tiny_unet)
    assert fingerprint(tiny_unet) == clean


def test_an_error_while_reading_the_callback_reaches_the_user(tiny_unet, fake_host):
    session = make_session(make_request(), fake_host)
    x, timesteps, context = make_inputs(4)

    def sample():
        with session.installed():
            session.begin_step(lambda: {}["sigma"])
            tiny_unet(x, timesteps, context=context)

    with pytest.raises(FabricError, match=r"^FABRIC failed while preparing a step .*sigma"):
        sample()


def test_an_error_without_a_following_unet_call_is_raised_at_the_end(tiny_unet, fake_host):
    clean = fingerprint(tiny_unet)
    session = make_session(make_request(), fake_host)

    def sample():
        with session.installed():
            session.begin_step(lambda: {}["sigma"])

    with pytest.raises(FabricError, match=r"^FABRIC failed while preparing a step .*sigma"):
        sample()
    assert fingerprint(tiny_unet) == clean
    _sample(session, tiny_unet)


class _Interrupted(BaseException):
    """The host's InterruptedException is a BaseException."""


@pytest.mark.parametrize("error", [ValueError("inside"), _Interrupted("inside")])
@pytest.mark.parametrize("at_call", [0, 1, 2], ids=["1st references", "2nd references", "rows"])
def test_nothing_stays_after_an_exception_inside_the_unet(tiny_unet, fake_host, error, at_call):
    x, timesteps, context = make_inputs(4)
    plain, clean = tiny_unet(x, timesteps, context=context), fingerprint(tiny_unet)
    session = make_session(make_request((1, 1)), fake_host)
    calls = []

    def fail(*_args):
        calls.append(1)
        if len(calls) == at_call + 1:
            raise error

    middle = tiny_unet.middle_block[1].transformer_blocks[0].attn2
    handle = middle.register_forward_pre_hook(fail)
    # FABRIC is named where the call was its own, and only there; an interrupt stays one.
    ours = at_call < 2 and isinstance(error, Exception)
    expected = FabricError if ours else type(error)
    with pytest.raises(expected, match="inside") as caught:
        _sample(session, tiny_unet)
    assert ("FABRIC" in str(caught.value)) == ours
    handle.remove()
    assert fingerprint(tiny_unet) == clean
    assert torch.equal(tiny_unet(x, timesteps, context=context), plain)
    # And the same session works again, from a clean start.
    with session.installed():
        assert torch.equal(tiny_unet(x, timesteps, context=context), plain)
        assert_steered(denoise(session, tiny_unet, make_step(), x, timesteps, context), plain)
    assert torch.equal(tiny_unet(x, timesteps, context=context), plain)


def test_nothing_stays_after_an_interrupt_between_two_slices(tiny_unet, fake_host):
    x, timesteps, context = make_inputs(4)
    plain, clean = tiny_unet(x, timesteps, context=context), fingerprint(tiny_unet)
    session = make_session(make_request(), fake_host)

    def sample():
        with session.installed():
            begin_step(session, make_step())
            tiny_unet(x[:2], timesteps[:2], context=context[:2])
            raise _Interrupted

    with pytest.raises(_Interrupted):
        sample()
    assert fingerprint(tiny_unet) == clean
    with session.installed():
        assert torch.equal(tiny_unet(x, timesteps, context=context), plain)


def test_a_model_that_cannot_be_hooked_is_refused_at_once(fake_host):
    fake_host.current_unet = nn.Linear(1, 1)
    with pytest.raises(UnsupportedModelError), make_session(make_request(), fake_host).installed():
        pytest.fail("sampled without feedback")


def test_nothing_stays_after_an_install_that_failed_half_way(tiny_unet, fake_host, monkeypatch):
    clean = fingerprint(tiny_unet)

    def fail(*_args, **_kwargs):
        raise MemoryError

    monkeypatch.setattr(type(tiny_unet), "register_forward_pre_hook", fail)
    with (
        pytest.raises(FabricError, match=r"^out of memory while FABRIC was entering the model"),
        make_session(make_request(), fake_host).installed(),
    ):
        pytest.fail("sampled without feedback")
    monkeypatch.undo()
    assert fingerprint(tiny_unet) == clean


def test_sessions_on_one_model_at_once_are_refused(tiny_unet, fake_host):
    """Whoever steers inside has to suspend the outer one."""
    x, timesteps, context = make_inputs(4)
    plain = tiny_unet(x, timesteps, context=context)
    outer, inner = (make_session(make_request(), fake_host) for _ in range(2))
    with outer.installed():
        with pytest.raises(FabricError, match="already installed"), inner.installed():
            pytest.fail("installed twice")
        assert_steered(denoise(outer, tiny_unet, make_step(), x, timesteps, context), plain)
    assert torch.equal(tiny_unet(x, timesteps, context=context), plain)


def test_a_model_that_was_exchanged_while_a_session_was_suspended(tiny_unet, fake_host):
    clean = fingerprint(tiny_unet)
    session = make_session(make_request(), fake_host)
    with (
        pytest.raises(UnsupportedModelError),
        session.installed(),
        session.suspended(),
    ):
        fake_host.current_unet = nn.Linear(1, 1)
    assert fingerprint(tiny_unet) == clean


def test_a_callback_outside_sampling_hooks_nothing(tiny_unet, fake_host):
    clean = fingerprint(tiny_unet)
    session = make_session(make_request(), fake_host)
    end_step(session)
    begin_step(session, make_step())
    end_step(session)
    assert fingerprint(tiny_unet) == clean
    with session.installed():
        pass
    begin_step(session, make_step())
    assert fingerprint(tiny_unet) == clean


@pytest.mark.parametrize("error", ERRORS[1:], ids=lambda error: repr(error)[:40])
def test_an_error_in_the_attention_with_references_is_ours(
    tiny_unet, fake_host, error, monkeypatch
):
    clean = fingerprint(tiny_unet)
    session = make_session(make_request(), fake_host)

    def fail(*_args):
        raise error

    monkeypatch.setattr(row_attention, "joined_attention", fail)
    with pytest.raises(FabricError) as caught:
        _sample(session, tiny_unet)
    assert str(caught.value) == sentence_of(error, "attending to the rated pictures")
    monkeypatch.undo()
    assert fingerprint(tiny_unet) == clean


def test_out_of_memory_gives_back_what_was_kept(tiny_unet, fake_host):
    states = StateCache(2**30)
    session = make_session(make_request(), fake_host, states=states)
    _sample(session, tiny_unet)
    assert states.num_bytes > 0

    def fail(*_args):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

    handle = tiny_unet.middle_block[1].transformer_blocks[0].attn2.register_forward_pre_hook(fail)
    with pytest.raises(FabricError, match=r"^out of memory"):
        _sample(session, tiny_unet)
    handle.remove()
    assert states.num_bytes == 0
    _sample(session, tiny_unet)
    assert states.num_bytes > 0


def test_no_memory_to_keep_states_costs_no_picture(tiny_unet, fake_host, monkeypatch):
    x, timesteps, context = make_inputs(4)

    def run(states):
        session = make_session(make_request(), fake_host, states=states)
        with session.installed():
            return denoise(session, tiny_unet, make_step(), x, timesteps, context)

    expected = run(StateCache())
    full = StateCache(2**30)

    def fail(*_args):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(full, "put", fail)
    assert torch.equal(run(full), expected)

    def break_down(*_args):
        raise RuntimeError("a mistake")

    monkeypatch.setattr(full, "put", break_down)
    with pytest.raises(FabricError, match="a mistake"):
        run(full)


@pytest.mark.parametrize("pressed_at", ["before", "encode", "null_conditioning", "reference pass"])
def test_an_interrupt_is_heard_before_each_picture(tiny_unet, fake_host, pressed_at, monkeypatch):
    """However many are rated: nobody waits for the rest of them."""
    clean = fingerprint(tiny_unet)
    session = make_session(make_request(liked=[1.0] * 6), fake_host)
    calls = []

    def press(name, original):
        def pressed(*args):
            calls.append(name)
            if name == pressed_at:
                fake_host.interrupt = _Interrupted()
            return original(*args)

        return pressed

    for name in ("encode", "null_conditioning"):
        monkeypatch.setattr(fake_host, name, press(name, getattr(fake_host, name)))
    middle = tiny_unet.middle_block[1].transformer_blocks[0].attn2
    handle = middle.register_forward_pre_hook(press("reference pass", lambda *_args: None))
    if pressed_at == "before":
        fake_host.interrupt = _Interrupted()
    with pytest.raises(_Interrupted):
        _sample(session, tiny_unet)
    handle.remove()
    assert fingerprint(tiny_unet) == clean
    assert calls.count(pressed_at) <= 1
    assert calls.count("reference pass") <= 1
    # What was begun is begun again, not taken for finished.
    monkeypatch.undo()
    fake_host.interrupt = None
    plain = tiny_unet(*make_inputs(4)[:2], context=make_inputs(4)[2])
    with session.installed():
        assert_steered(denoise(session, tiny_unet, make_step(), *make_inputs(4)), plain)


def test_a_pass_whose_beginning_failed_does_not_take_the_last_ones_references(tiny_unet, fake_host):
    """Within one sampling: the host may go on after an error that something else has swallowed."""
    session = make_session(make_request(hires=True), fake_host)
    large = (12, 8)
    small_inputs, large_inputs = make_inputs(4), make_inputs(4, size_latent=large)
    hires = make_step(size=large, is_hires=True)
    with session.installed():
        expected = denoise(session, tiny_unet, hires, *large_inputs)
    with session.installed():
        denoise(session, tiny_unet, make_step(), *small_inputs)
        key, fake_host.null_tokens = fake_host.null_tokens, None
        with pytest.raises(FabricError, match="empty prompt"):
            denoise(session, tiny_unet, hires, *large_inputs)
        fake_host.null_tokens = key
        again = denoise(session, tiny_unet, hires, *large_inputs)
    assert torch.equal(again, expected)


# Warnings


def _unannounced(_session, unet, x, timesteps, context):
    unet(x, timesteps, context=context)


def _with_another_model(session, _unet, x, timesteps, context):
    begin_step(session, make_step())
    make_tiny_unet(seed=3)(x, timesteps, context=context)
    end_step(session)


@pytest.mark.parametrize(
    ("call", "warning"),
    [
        (
            _unannounced,
            "FABRIC had no effect: this sampler does not announce its steps. "
            "Choose another sampling method.",
        ),
        (
            _with_another_model,
            "FABRIC had no effect in some steps: the model was exchanged while it was in use. "
            "Generate again.",
        ),
    ],
    ids=["a sampler that announces nothing", "a model exchanged after the callback"],
)
def test_a_call_without_feedback_is_warned_about(tiny_unet, fake_host, call, warning):
    session = make_session(make_request(), fake_host)
    with session.installed():
        call(session, tiny_unet, *make_inputs(4))
    assert fake_host.warnings == [warning]
    _sample(session, tiny_unet)
    assert len(fake_host.warnings) == 1


def test_each_sampling_is_judged_by_itself(tiny_unet, fake_host):
    x, timesteps, context = make_inputs(4)
    session = make_session(make_request(), fake_host)
    _sample(session, tiny_unet)
    assert fake_host.warnings == []
    with session.installed():
        tiny_unet(x, timesteps, context=context)
    assert len(fake_host.warnings) == 1


def test_an_announced_sampling_is_not_warned_about(tiny_unet, fake_host):
    x, timesteps, context = make_inputs(4)
    session = make_session(make_request(), fake_host)
    with session.installed():
        tiny_unet(x, timesteps, context=context)  # a preview, a noise search
        denoise(session, tiny_unet, make_step(), x, timesteps, context)
    assert fake_host.warnings == []


# Extensions that cut the picture


def test_a_picture_that_comes_in_tiles_is_refused(tiny_unet, fake_host):
    x, timesteps, context = make_inputs(4)
    clean, session = fingerprint(tiny_unet), make_session(make_request(), fake_host)
    with session.installed():
        begin_step(session, make_step())
        with pytest.raises(UnsupportedModelError, match="in parts"):
            tiny_unet(x[..., :-1], timesteps, context=context)
    assert fingerprint(tiny_unet) == clean
