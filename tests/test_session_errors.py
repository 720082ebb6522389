"""Errors, interrupts and warnings: they reach the user, and nothing stays behind."""

import pytest
import torch
from denoising import assert_steered, denoise, fingerprint, make_request, make_session, make_step
from tiny_unet import make_inputs
from torch import nn

from lib_fabric.errors import FabricError, UnsupportedModelError

# Errors


def _sample(session, unet, calls=1):
    with session.installed():
        for _ in range(calls):
            denoise(session, unet, make_step(), *make_inputs(4))


@pytest.mark.parametrize("failing", ["encode", "null_conditioning", "model_key", "unet"])
@pytest.mark.parametrize("error", [FabricError("a sentence"), RuntimeError("out of memory")])
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
            session.begin_denoise(make_step)  # does not raise: the host would swallow it
            raised_at.append("begin survived")
            x, timesteps, context = make_inputs(4)
            tiny_unet(x, timesteps, context=context)
            raised_at.append("U-Net survived")

    with pytest.raises(type(error)) as caught:
        sample()
    assert caught.value is error
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
            session.begin_denoise(lambda: {}["sigma"])
            tiny_unet(x, timesteps, context=context)

    with pytest.raises(KeyError, match="sigma"):
        sample()


def test_an_error_without_a_following_unet_call_is_raised_at_the_end(tiny_unet, fake_host):
    clean = fingerprint(tiny_unet)
    session = make_session(make_request(), fake_host)

    def sample():
        with session.installed():
            session.begin_denoise(lambda: {}["sigma"])

    with pytest.raises(KeyError, match="sigma"):
        sample()
    assert fingerprint(tiny_unet) == clean
    _sample(session, tiny_unet)


class _Interrupted(BaseException):
    """The host's InterruptedException is a BaseException."""


@pytest.mark.parametrize("error", [ValueError("inside"), _Interrupted("inside")])
@pytest.mark.parametrize("at_call", [0, 1, 2], ids=["1st reference", "2nd reference", "rows"])
def test_nothing_stays_after_an_exception_inside_the_unet(tiny_unet, fake_host, error, at_call):
    x, timesteps, context = make_inputs(4)
    plain, clean = tiny_unet(x, timesteps, context=context), fingerprint(tiny_unet)
    session = make_session(make_request(), fake_host)
    calls = []

    def fail(*_args):
        calls.append(1)
        if len(calls) == at_call + 1:
            raise error

    middle = tiny_unet.middle_block[1].transformer_blocks[0].attn2
    handle = middle.register_forward_pre_hook(fail)
    with pytest.raises(type(error), match="inside"):
        _sample(session, tiny_unet)
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
            session.begin_denoise(make_step)
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
    with pytest.raises(MemoryError), make_session(make_request(), fake_host).installed():
        pytest.fail("sampled without feedback")
    monkeypatch.undo()
    assert fingerprint(tiny_unet) == clean


def test_a_generation_within_a_generation_is_refused_and_leaves_the_outer_one(tiny_unet, fake_host):
    x, timesteps, context = make_inputs(4)
    plain = tiny_unet(x, timesteps, context=context)
    outer, inner = (make_session(make_request(), fake_host) for _ in range(2))
    with outer.installed():
        with pytest.raises(RuntimeError, match="already installed"), inner.installed():
            pytest.fail("installed twice")
        assert_steered(denoise(outer, tiny_unet, make_step(), x, timesteps, context), plain)
    assert torch.equal(tiny_unet(x, timesteps, context=context), plain)


def test_a_callback_outside_sampling_hooks_nothing(tiny_unet, fake_host):
    clean = fingerprint(tiny_unet)
    session = make_session(make_request(), fake_host)
    session.end_denoise()
    session.begin_denoise(make_step)
    session.end_denoise()
    assert fingerprint(tiny_unet) == clean
    with session.installed():
        pass
    session.begin_denoise(make_step)
    assert fingerprint(tiny_unet) == clean


# Warnings


def test_a_sampler_that_announces_nothing_is_warned_about(tiny_unet, fake_host):
    x, timesteps, context = make_inputs(4)
    session = make_session(make_request(), fake_host)
    with session.installed():
        tiny_unet(x, timesteps, context=context)
    assert fake_host.warnings == [
        "FABRIC had no effect: this sampler does not announce its steps. "
        "Choose another sampling method."
    ]
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


@pytest.mark.parametrize("progress", [0.3, 0.95])
def test_an_announced_sampling_is_not_warned_about(tiny_unet, fake_host, progress):
    x, timesteps, context = make_inputs(4)
    session = make_session(make_request(), fake_host)
    with session.installed():
        tiny_unet(x, timesteps, context=context)  # a preview, a noise search
        denoise(session, tiny_unet, make_step(progress=progress), x, timesteps, context)
    with session.installed():
        pass  # interrupted before the first step
    assert fake_host.warnings == []
