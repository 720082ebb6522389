"""What is kept, wrapped or shared between steps and generations never changes a picture."""

import gc
import weakref

import pytest
import torch

from lib_fabric.attention import rows as row_attention
from lib_fabric.attention.states import KeyValues
from lib_fabric.errors import FabricError
from lib_fabric.hosts.common.blocks import find_self_attention
from lib_fabric.steering.methods import METHODS
from lib_fabric.steering.state_cache import StateCache
from tests.helpers.denoising import (
    assert_close,
    begin_step,
    compute_golden,
    denoise,
    end_step,
    fingerprint,
    make_request,
    make_session,
    make_step,
)
from tests.helpers.fake_host import FakeHost
from tests.helpers.held import count_held
from tests.helpers.tiny_unet import make_inputs, make_tiny_unet
from tests.helpers.unet_patch import UnetPatch

CPU = torch.device("cpu")
ALPHAS = (0.1, 0.4, 0.8)


def generate(fake_host, states=None, request=None, alphas=ALPHAS, **step):
    """The outputs of all steps, at a noise level and timestep of their own."""
    session = make_session(request or make_request(), fake_host, states=states)
    x, _, context = make_inputs(4)
    with session.installed():
        return torch.stack(
            [
                denoise(
                    session,
                    fake_host.current_unet,
                    make_step(alpha=alpha, number=number, **step),
                    x,
                    torch.full((4,), 1000 * (1 - alpha)),
                    context,
                )
                for number, alpha in enumerate(alphas)
            ]
        )


# A patch of another extension, active at some noise levels only


@pytest.mark.parametrize(
    "is_active",
    [lambda t: t < 300, lambda t: t > 800, lambda t: 500 < t < 700, lambda t: True],
    ids=["from a later step on", "until a step", "in between", "always"],
)
@pytest.mark.parametrize(("block", "device"), [("output_blocks", None), ("input_blocks", CPU)])
def test_a_patch_that_acts_at_some_steps_is_noticed(fake_host, is_active, block, device):
    """Only the first kept state of a pass was compared once: the other steps were trusted."""
    patch, states = UnetPatch(fake_host.current_unet, block), StateCache(2**28, device)
    patch.is_active = is_active
    for patch.factor in (1.0, 1.3, 1.0):
        kept = generate(fake_host, states)
        assert torch.equal(kept, generate(fake_host))
        assert torch.equal(generate(fake_host, states), kept)


def test_what_did_not_change_stays_kept(fake_host):
    patch, states = UnetPatch(fake_host.current_unet), StateCache(2**28)
    patch.is_active = lambda timestep: timestep < 300
    generate(fake_host, states)
    fake_host.seen.clear()
    patch.factor = 1.3
    generate(fake_host, states)
    # All three pictures at the level where it acts; two at the first, which are compared.
    assert len(fake_host.seen) == 3 + 1


def test_a_patch_that_cannot_take_a_small_picture_costs_the_kept_states_only(fake_host):
    def refuse_small(_block, args):
        if args[0].shape[2:] == (8, 16):
            raise ValueError("too small")

    plain, states = generate(fake_host), StateCache(2**28)
    fake_host.current_unet.input_blocks[0].register_forward_pre_hook(refuse_small)
    for _ in range(2):
        assert torch.equal(generate(fake_host, states), plain)
    assert states.num_bytes == 0


# Noise level and timestep of what is kept belong together


@pytest.mark.parametrize("refresh", [2, 3])
def test_a_list_whose_rows_come_later_is_seen_at_the_level_of_the_others(fake_host, refresh):
    """States of the first step all came from the cache, so its timestep was never noted: those
    added in the next step were made at that one's timestep and kept under the first's level."""
    states = StateCache(2**28)
    x, _, context = make_inputs(4)

    def run(kept, disliked):
        request = make_request((1.0,), disliked, refresh=refresh)
        session = make_session(request, fake_host, states=kept)
        outs = []
        with session.installed():
            for number, (rows, alpha) in enumerate(((2, 0.2), (4, 0.5), (4, 0.8))):
                step = make_step(rows, 2, alpha=alpha, number=number)
                inputs = (x[:rows], torch.full((rows,), 1000 * (1 - alpha)), context[:rows])
                outs.append(denoise(session, fake_host.current_unet, step, *inputs))
        return torch.cat(outs)

    run(states, ())
    for _ in range(2):
        assert torch.equal(run(states, (1.0,)), run(None, (1.0,)))


# Hooks of ours that others keep


def wrap(layer):
    """What HyperTile does at its first use: an instance forward around whatever is there."""
    inner = layer.forward
    layer.forward = lambda *args, **kwargs: inner(*args, **kwargs)
    return inner


def test_a_forward_of_ours_that_is_put_back_later_blocks_nothing(fake_host):
    plain, unet = generate(fake_host), fake_host.current_unet
    layer = find_self_attention(unet)[0]
    session = make_session(make_request(), fake_host)
    with session.installed():
        ours = wrap(layer)
    layer.forward = ours  # what it found
    assert torch.equal(generate(fake_host), plain)
    layer.forward = ours
    assert torch.equal(generate(fake_host), plain)


@pytest.mark.parametrize("is_second_pass", [False, True])
def test_whoever_wraps_a_layer_in_mid_sampling_changes_no_picture(fake_host, is_second_pass):
    """HyperTile for the second pass only wraps layers while ours are in place."""
    unet = fake_host.current_unet
    clean = fingerprint(make_tiny_unet())
    request, inputs = make_request(hires=True), make_inputs(4)

    def tile(layer):
        inner = layer.forward

        def forward(x, context=None, mask=None):
            halves = x.reshape(2 * x.shape[0], x.shape[1] // 2, x.shape[2])
            return inner(halves).reshape(x.shape)

        layer.forward = forward

    def run(tiles=()):
        session = make_session(request, fake_host)
        with session.installed():
            outs = [denoise(session, unet, make_step(), *inputs)]
            for layer in tiles:
                tile(layer)
            outs.append(denoise(session, unet, make_step(is_hires=is_second_pass), *inputs))
        return outs[1]

    plain = run()
    assert fingerprint(unet) == clean
    first = run(find_self_attention(unet)[:1] if is_second_pass else ())
    assert torch.equal(first, plain)
    assert torch.equal(run(), first)


def test_what_is_inert_holds_nothing_of_a_generation(fake_host):
    unet = fake_host.current_unet
    session = make_session(make_request(), fake_host)
    with session.installed():
        denoise(session, unet, make_step(), *make_inputs(4))
        for layer in find_self_attention(unet):
            wrap(layer)
        wrap(unet)
    held = weakref.ref(session)
    del session
    gc.collect()
    assert held() is None


# What lies on the device


@pytest.mark.parametrize("settings", [{}, {"merge": 2}, {"refresh": 3}], ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_held_after_a_generation(fake_host, method, settings):
    """Log-weights and counts of merged tokens were held for good, FABRIC on or off."""
    counts = []
    with count_held(torch.Tensor) as count:
        for number in range(4):
            weights = (1.0, 0.5 + 0.1 * number)
            generate(fake_host, request=make_request(weights, weights, method, **settings))
            fake_host.seen.clear()
            counts.append(count())
    # The first time torch itself makes some.
    assert counts[3] <= counts[1]


@pytest.mark.parametrize("refresh", [2, 10])
def test_a_pass_lets_go_at_its_last_step(fake_host, refresh):
    """The upscaler and the VAE come next."""
    session = make_session(make_request(refresh=refresh, end=1.0), fake_host)
    inputs = make_inputs(4)
    with count_held(KeyValues) as count, session.installed():
        denoise(session, fake_host.current_unet, make_step(number=0), *inputs)
        assert count() > 0
        last = make_step(number=1, alpha=0.5, is_last=True)
        denoise(session, fake_host.current_unet, last, *inputs)
        assert count() == 0


@pytest.mark.parametrize("device", [None, CPU], ids=["where they are computed", "moved"])
def test_merged_states_that_were_moved_share_a_call_all_the_same(fake_host, monkeypatch, device):
    """How tokens were merged was compared by object: each moved one had a call of its own."""
    request = make_request((1, 1, 1, 1), (), "contrast", merge=2)

    class Moved(StateCache):
        """Gives copies, as from another device."""

        def get(self, *args):
            states = super().get(*args)
            return states and {
                index: type(each)(each.keys.clone(), each.values.clone(), each.windows)
                for index, each in states.items()
            }

    states = Moved(2**28, device)
    fresh = generate(fake_host, states, request)
    calls, original = [], row_attention.joined_attention

    def spy(*args):
        calls.append(args[0].shape[0])
        return original(*args)

    monkeypatch.setattr(row_attention, "joined_attention", spy)
    kept = generate(fake_host, states, request)
    assert torch.equal(kept, fresh)
    # Of each step the probe, the conditional rows and the others; of the pass one comparison.
    num_layers = len(find_self_attention(fake_host.current_unet))
    assert len(calls) == num_layers * (len(ALPHAS) * 3 + 1)
    monkeypatch.undo()
    assert torch.equal(kept, generate(fake_host, None, request))


# Errors


def test_an_error_is_not_lost_when_another_model_takes_over(fake_host):
    other = make_tiny_unet(seed=5)
    session = make_session(make_request(), fake_host)

    def sample():
        with session.installed():
            session.begin_step(lambda: {}["sigma"])
            end_step(session)
            fake_host.current_unet = other
            begin_step(session, make_step())
            end_step(session)

    with pytest.raises(FabricError, match="sigma"):
        sample()


def test_the_first_of_several_errors_is_told(fake_host):
    session = make_session(make_request(), fake_host)

    def sample():
        with session.installed():
            session.begin_step(lambda: {}["first"])
            session.begin_step(lambda: {}["second"])

    with pytest.raises(FabricError, match="first"):
        sample()


def test_the_reference_agrees(fake_host):
    """So that `generate` above is a generation with feedback, as the formula has it."""
    request, inputs = make_request(), make_inputs(4)
    golden = compute_golden(
        fake_host.current_unet,
        FakeHost(None),
        request,
        inputs[0],
        torch.full((4,), 900.0),
        inputs[2],
        make_step(alpha=0.1),
    )
    assert_close(generate(fake_host, request=request, alphas=(0.1,))[0], golden)
