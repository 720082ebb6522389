"""What a session leaves alone, what must not matter to it, and what it asks the host for."""

import copy
from contextlib import nullcontext

import pytest
import torch
from torch import nn

from lib_fabric.errors import UnsupportedModelError
from lib_fabric.hosts.common.blocks import find_self_attention
from lib_fabric.steering.latents import LatentCache
from lib_fabric.steering.methods import METHODS
from lib_fabric.steering.state_cache import StateCache
from tests.helpers.denoising import (
    assert_close,
    assert_steered,
    begin_step,
    compute_golden,
    denoise,
    end_step,
    fingerprint,
    is_probe,
    make_request,
    make_session,
    make_step,
)
from tests.helpers.held import NotingCache
from tests.helpers.tiny_unet import SIZE_LATENT, make_inputs, make_tiny_unet

# What must not matter


def test_permuting_rows_permutes_the_output(tiny_unet, fake_host):
    x, timesteps, context = make_inputs(5)
    order = torch.tensor([2, 0, 1, 4, 3])  # within the conditional and the unconditional ones
    session = make_session(make_request(), fake_host)
    with session.installed():
        out = denoise(session, tiny_unet, make_step(5, 3), x, timesteps, context)
        permuted = denoise(session, tiny_unet, make_step(5, 3), x[order], timesteps, context[order])
    assert_close(permuted, out[order], 1e-5)


def test_a_picture_is_the_same_alone_and_in_a_batch(tiny_unet, fake_host):
    x, timesteps, context = make_inputs(6)
    session = make_session(make_request(), fake_host)
    with session.installed():
        batch = denoise(session, tiny_unet, make_step(6, 3), x, timesteps, context)
        for picture in range(3):
            rows = [picture, 3 + picture]
            alone = denoise(
                session, tiny_unet, make_step(2, 1), x[rows], timesteps[rows], context[rows]
            )
            assert_close(alone, batch[rows], 1e-5)


def test_the_same_again_is_the_same_to_the_last_bit(tiny_unet, fake_host):
    inputs = make_inputs(4)
    outputs = []
    for _ in range(2):
        session = make_session(make_request(), fake_host)
        for _ in range(2):
            with session.installed():
                outputs += [denoise(session, tiny_unet, make_step(), *inputs) for _ in range(2)]
    assert all(torch.equal(out, outputs[0]) for out in outputs)


def test_other_rated_pictures_do_not_change_a_references_states(tiny_unet, fake_host):
    """One weighs next to nothing, so the outputs may differ by rounding at most."""
    inputs = make_inputs(4)
    outputs = []
    for weights in ((1.0,), (1.0, 1e-30), (1.0, 1e-30, 1e-30)):
        session = make_session(make_request(weights), fake_host)
        with session.installed():
            outputs.append(denoise(session, tiny_unet, make_step(), *inputs))
    assert_close(outputs[1], outputs[0], 1e-5)
    assert_close(outputs[2], outputs[0], 1e-5)


def test_the_hosts_random_streams_do_not_move(tiny_unet, fake_host):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    session = make_session(make_request(), fake_host)
    with session.installed():
        denoise(session, tiny_unet, make_step(), *make_inputs(4))
    assert torch.equal(torch.get_rng_state(), before)


def test_kept_states_change_nothing(tiny_unet, fake_host):
    inputs, states = make_inputs(4), StateCache(2**28)
    runs = []
    original = type(tiny_unet).forward
    calls = []

    def counting(self, x, *args, **kwargs):
        calls.extend([1] * (not is_probe(x)))
        return original(self, x, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(tiny_unet), "forward", counting)
        for kept in (None, states, states):
            session = make_session(make_request((1, 1)), fake_host, states=kept)
            calls.clear()
            with session.installed():
                outs = [
                    denoise(session, tiny_unet, make_step(progress=p, alpha=a), *inputs)
                    for p, a in ((0.1, 0.2), (0.3, 0.4), (0.9, 0.9))
                ]
            runs.append((torch.cat(outs), len(calls)))
    assert torch.equal(runs[1][0], runs[0][0])
    assert torch.equal(runs[2][0], runs[0][0])
    # Two steps of one denoising and two reference passes of two rows, for three pictures, and one
    # step past the end. With kept states one reference pass is left, which checks them.
    assert [count for _, count in runs] == [7, 7, 4]


@pytest.mark.parametrize("method", METHODS)
def test_what_is_seen_of_a_picture_depends_on_no_other(tiny_unet, fake_host, method):
    """Not even in the last bit: pictures go through the U-Net two at a time, in any company."""
    states = {}
    for weights in ((1, 1, 1), (1, 1), (0, 1, 1), (0, 1)):
        kept = NotingCache(2**28)
        session = make_session(make_request(weights, ()), fake_host, states=kept)
        with session.installed():
            denoise(session, tiny_unet, make_step(8, 8), *make_inputs(8))
        for key, entry in kept.kept:
            states.setdefault(key.picture_id, []).append(entry)
    assert max(map(len, states.values())) >= 3
    for first, *others in states.values():
        for other in others:
            for index, layer in first.items():
                assert torch.equal(layer.keys, other[index].keys)
                assert torch.equal(layer.values, other[index].values)


def test_kept_states_of_a_model_changed_behind_our_back_are_not_used(tiny_unet, fake_host):
    inputs, states, request = make_inputs(4), StateCache(2**28), make_request()

    def run():
        session = make_session(request, fake_host, states=states)
        with session.installed():
            return denoise(session, tiny_unet, make_step(), *inputs)

    run()
    for parameter in tiny_unet.parameters():
        parameter.data = parameter.data * 1.1
    golden = compute_golden(tiny_unet, type(fake_host)(None), request, *inputs, make_step())
    assert_close(run(), golden)
    assert_close(run(), golden)


# What is not ours


def test_calls_outside_the_callbacks_are_untouched(tiny_unet, fake_host):
    x, timesteps, context = make_inputs(4)
    plain = tiny_unet(x, timesteps, context=context)
    session = make_session(make_request(), fake_host)
    with session.installed():
        assert torch.equal(tiny_unet(x, timesteps, context=context), plain)
        assert_steered(denoise(session, tiny_unet, make_step(), x, timesteps, context), plain)
        assert torch.equal(tiny_unet(x, timesteps, context=context), plain)
    assert torch.equal(tiny_unet(x, timesteps, context=context), plain)


def test_calls_beyond_the_announced_rows_are_untouched(tiny_unet, fake_host):
    x, timesteps, context = make_inputs(4)
    plain = tiny_unet(x, timesteps, context=context)
    session = make_session(make_request(), fake_host)
    with session.installed():
        begin_step(session, make_step())
        assert_steered(tiny_unet(x, timesteps, context=context), plain)
        for _ in range(2):
            assert torch.equal(tiny_unet(x, timesteps, context=context), plain)
        begin_step(session, make_step())
        assert_steered(tiny_unet(x, timesteps, context=context), plain)


def test_calls_after_a_denoiser_call_that_left_rows_out_are_untouched(tiny_unet, fake_host):
    """NGMS runs fewer rows than were announced; a preview must not be taken for the rest."""
    x, timesteps, context = make_inputs(2)
    plain = tiny_unet(x, timesteps, context=context)
    session = make_session(make_request(), fake_host)
    with session.installed():
        denoise(session, tiny_unet, make_step(4, 2), x, timesteps, context)
        assert torch.equal(tiny_unet(x, timesteps, context=context), plain)
        # Nor where a layer is called by itself, past the U-Net's own hooks.
        (layer, *_) = find_self_attention(tiny_unet)
        tokens = torch.ones(2, 5, layer.to_q.in_features)
        assert torch.equal(layer(tokens), type(layer).forward(layer, tokens))


def test_a_step_that_is_not_ours_disarms_the_one_before(tiny_unet, fake_host):
    x, timesteps, context = make_inputs(4)
    plain = tiny_unet(x, timesteps, context=context)
    session = make_session(make_request(), fake_host)
    with session.installed():
        begin_step(session, make_step())  # interrupted before its first U-Net call
        begin_step(session, make_step(progress=0.95))
        assert torch.equal(tiny_unet(x, timesteps, context=context), plain)


def test_the_replaced_forward_of_another_extension_is_not_used_for_references(tiny_unet, fake_host):
    """ControlNet replaces the instance's forward; its control is meant for the rows only."""
    x, timesteps, context = make_inputs(4)
    request, step = make_request((1, 1, 1)), make_step()
    golden = compute_golden(tiny_unet, type(fake_host)(None), request, x, timesteps, context, step)
    calls = []

    def controlled(x, *args, **kwargs):
        calls.append(len(x))
        return type(tiny_unet).forward(tiny_unet, x, *args, **kwargs) + 10

    tiny_unet.forward = controlled
    session = make_session(request, fake_host)
    with session.installed():
        out = denoise(session, tiny_unet, step, x, timesteps, context, 2)
    assert calls == [2, 2]
    assert_close(out, golden + 10, 1e-4)
    assert tiny_unet.__dict__["forward"] is controlled


@pytest.mark.parametrize("fails", [False, True])
def test_cross_attention_replaced_by_another_extension_sees_the_rows_only(
    tiny_unet, fake_host, fails
):
    """Regional Prompter divides pictures among prompts there, and cannot take a single row."""
    x, timesteps, context = make_inputs(4)
    layers = [each for name, each in tiny_unet.named_modules() if name.endswith(".attn2")]
    pure, request, step = copy.deepcopy(tiny_unet), make_request((1, 1)), make_step()
    golden = compute_golden(pure, type(fake_host)(None), request, x, timesteps, context, step)
    seen = []

    def replace(layer):
        def forward(x, context=None, mask=None):
            seen.append(len(x))
            if fails and len(seen) > 3:
                raise ZeroDivisionError
            return type(layer).forward(layer, x, context=context, mask=mask)

        layer.forward = forward
        return forward

    theirs = [replace(layer) for layer in layers]
    session = make_session(request, fake_host)
    with pytest.raises(ZeroDivisionError) if fails else nullcontext(), session.installed():
        assert_close(denoise(session, tiny_unet, step, x, timesteps, context), golden)
    assert set(seen) == {4}
    assert [layer.__dict__["forward"] for layer in layers] == theirs


def test_another_hook_may_stand_between_and_sees_the_rows_only(tiny_unet, fake_host):
    """Token merging notes the size in a pre-hook, put there before or after ours."""
    order = []
    x, timesteps, context = make_inputs(4)
    tiny_unet.register_forward_pre_hook(lambda _, args: order.append(("before", len(args[0]))))
    session = make_session(make_request(), fake_host)
    with session.installed():
        tiny_unet.register_forward_pre_hook(lambda _, args: order.append(("after", len(args[0]))))
        original = type(tiny_unet).forward

        def counting(self, x, *args, **kwargs):
            order.append(("forward", len(x)))
            return original(self, x, *args, **kwargs)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(tiny_unet), "forward", counting)
            denoise(session, tiny_unet, make_step(), x, timesteps, context)
    # Both hooks have run before the first reference goes through the U-Net.
    assert order == [
        ("before", 4), ("after", 4), ("forward", 2), ("forward", 4),
    ]  # fmt: skip


# Encoding and conditioning


def test_pictures_are_encoded_before_the_unet_runs_and_once_per_size(tiny_unet, fake_host):
    x, timesteps, context = make_inputs(4)
    inside = []

    def encode(pixels, encode=fake_host.encode):
        inside.append(bool(running))
        return encode(pixels)

    running = []
    fake_host.encode = encode
    tiny_unet.register_forward_pre_hook(lambda *_: running.append(1))
    tiny_unet.register_forward_hook(lambda *_: running.clear())
    latents = LatentCache()
    for _ in range(2):
        session = make_session(make_request((1, 1)), fake_host, latents)
        with session.installed():
            for progress in (0.1, 0.2):
                denoise(session, tiny_unet, make_step(progress=progress), x, timesteps, context)
    assert fake_host.encoded_px == [(48, 64)] * 3
    assert inside == [False] * 3
    # Extra networks may have changed since the last generation: asked for in each.
    assert fake_host.null_sizes == [SIZE_LATENT] * 2


def test_the_size_changes_between_passes(tiny_unet, fake_host):
    request = make_request(hires=True)
    session = make_session(request, fake_host)
    host = type(fake_host)(None)
    with session.installed():
        for size, is_hires in (
            (SIZE_LATENT, False), ((8, 6), False), ((12, 16), True), (SIZE_LATENT, False),
        ):  # fmt: skip
            step = make_step(size=size, is_hires=is_hires)
            inputs = make_inputs(4, size_latent=size)
            out = denoise(session, tiny_unet, step, *inputs)
            assert_close(out, compute_golden(make_tiny_unet(), host, request, *inputs, step))
    assert sorted(fake_host.encoded_px) == [(48, 64)] * 2 + [(64, 48)] * 2 + [(96, 128)] * 2
    assert fake_host.null_sizes == [SIZE_LATENT, (8, 6), (12, 16), SIZE_LATENT]


def test_the_hires_pass_is_left_alone_unless_asked_for(tiny_unet, fake_host):
    x, timesteps, context = make_inputs(4)
    plain = tiny_unet(x, timesteps, context=context)
    for hires in (False, True):
        session = make_session(make_request(hires=hires), fake_host)
        with session.installed():
            first = denoise(session, tiny_unet, make_step(), x, timesteps, context)
            second = denoise(session, tiny_unet, make_step(is_hires=True), x, timesteps, context)
        assert_steered(first, plain)
        assert torch.equal(second, first if hires else plain)


def test_a_hires_pass_of_the_same_size_gets_its_own_null_prompt(tiny_unet, fake_host):
    """It may have extra networks of its own."""
    session = make_session(make_request(hires=True), fake_host)
    with session.installed():
        denoise(session, tiny_unet, make_step(), *make_inputs(4))
        fake_host.null_tokens = 3
        step = make_step(is_hires=True)
        out = denoise(session, tiny_unet, step, *make_inputs(4))
    host = type(fake_host)(None)
    host.null_tokens = 3
    assert_close(out, compute_golden(tiny_unet, host, make_request(), *make_inputs(4), step))


def test_another_checkpoint_in_the_same_modules_is_encoded_anew(tiny_unet, fake_host):
    session = make_session(make_request(), fake_host)
    with session.installed():
        denoise(session, tiny_unet, make_step(), *make_inputs(4))
        fake_host.key = "another"
        denoise(session, tiny_unet, make_step(), *make_inputs(4))
    assert len(fake_host.encoded_px) == 4
    assert len(fake_host.null_sizes) == 2


# Another U-Net takes over: refiner, hires checkpoint


def test_a_unet_swapped_in_during_sampling(tiny_unet, fake_host):
    other = make_tiny_unet(seed=5)
    clean = fingerprint(tiny_unet), fingerprint(other)
    request, step, inputs = make_request(), make_step(), make_inputs(4)
    golden = compute_golden(other, type(fake_host)(None), request, *inputs, step)
    session = make_session(request, fake_host)
    with session.installed():
        denoise(session, tiny_unet, step, *inputs)
        fake_host.current_unet = other
        out = denoise(session, other, step, *inputs)
        assert fingerprint(tiny_unet) == clean[0]
        # And back.
        fake_host.current_unet = tiny_unet
        back = denoise(session, tiny_unet, step, *inputs)
        assert fingerprint(other) == clean[1]
    assert_close(out, golden)
    host = type(fake_host)(None)
    assert_close(back, compute_golden(tiny_unet, host, request, *inputs, step))
    assert (fingerprint(tiny_unet), fingerprint(other)) == clean


def test_a_unet_swapped_in_that_cannot_be_hooked_is_an_error_for_the_user(tiny_unet, fake_host):
    clean = fingerprint(tiny_unet)
    session = make_session(make_request(), fake_host)

    def sample():
        with session.installed():
            denoise(session, tiny_unet, make_step(), *make_inputs(4))
            fake_host.current_unet = nn.Linear(1, 1)
            begin_step(session, make_step())
            fake_host.current_unet(torch.ones(1))
            end_step(session)

    with pytest.raises(UnsupportedModelError):
        sample()
    assert fingerprint(tiny_unet) == clean


def test_the_page_says_so_while_pictures_are_encoded(tiny_unet, fake_host):
    session = make_session(make_request(), fake_host)
    with session.installed():
        denoise(session, tiny_unet, make_step(), *make_inputs(4))
    assert fake_host.shown_at_encode
    assert set(fake_host.shown_at_encode) == {"Reading rated pictures…"}
    assert fake_host.shown_text is None
