"""Kept reference states: the budget, what is dropped, and that they never change a picture."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lib_fabric.attention.late_value import LateValue
from lib_fabric.attention.states import KeyValues
from lib_fabric.pictures import from_image
from lib_fabric.ratings import Rated, Ratings
from lib_fabric.request import FabricRequest
from lib_fabric.settings import FabricSettings
from lib_fabric.steering.state_cache import StateCache
from tests.helpers.denoising import begin_step, end_step, is_probe, make_session, make_step

CPU = torch.device("cpu")
LEVEL = "one level"


def states(num_floats=4):
    """States of one layer, keys and values, together `2 * num_floats` floats."""
    return {0: KeyValues(torch.ones(1, 1, num_floats, 1), torch.zeros(1, 1, num_floats, 1))}


def probe(value):
    return LateValue(torch.tensor([value]))


ENTRY_BYTES = 2 * 4 * 4


def test_what_was_put_comes_back():
    cache = StateCache(10 * ENTRY_BYTES)
    entry = states()
    cache.put(LEVEL, "a", entry)
    assert torch.equal(cache.get(LEVEL, "a", CPU)[0].keys, entry[0].keys)
    assert cache.get(LEVEL, "b", CPU) is None
    assert cache.num_bytes == ENTRY_BYTES


def test_nothing_is_kept_without_a_budget():
    cache = StateCache(0)
    cache.put(LEVEL, "a", states())
    assert cache.get(LEVEL, "a", CPU) is None


def test_a_running_generation_keeps_what_it_used_and_refuses_the_rest():
    cache = StateCache(2 * ENTRY_BYTES)
    cache.begin_generation()
    for key in "abc":
        cache.put(LEVEL, key, states())
    assert [cache.get(LEVEL, key, CPU) is not None for key in "abc"] == [True, True, False]


def test_what_the_generation_before_did_not_use_makes_room():
    cache = StateCache(2 * ENTRY_BYTES)
    cache.begin_generation()
    cache.put(LEVEL, "a", states())
    cache.put(LEVEL, "b", states())
    cache.begin_generation()
    cache.get(LEVEL, "a", CPU)
    cache.put(LEVEL, "c", states())
    assert not cache.contains(LEVEL, "c")
    cache.begin_generation()
    cache.put(LEVEL, "c", states())
    assert [cache.get(LEVEL, key, CPU) is not None for key in "abc"] == [True, False, True]


@pytest.mark.parametrize(("num_kept", "num_steps"), [(45, 20), (45, 16), (30, 16), (7, 5)])
def test_one_more_picture_does_not_push_out_the_others(num_kept, num_steps):
    cache = StateCache(num_kept * ENTRY_BYTES)
    for pictures in ("ab", "abc", "abcd"):
        cache.begin_generation()
        found = 0
        for key in [(step, each) for step in range(num_steps) for each in pictures]:
            found += cache.get(LEVEL, key, CPU) is not None
            cache.put(LEVEL, key, states())
        if pictures != "ab":
            # All that had room, but for what the new picture may have taken of it.
            assert found >= min(num_kept, (len(pictures) - 1) * num_steps) - (pictures == "abcd")


def test_states_do_not_stay_where_none_are_kept_any_more():
    cache = StateCache(3 * ENTRY_BYTES)
    cache.put(LEVEL, "a", states())
    cache.configure(3 * ENTRY_BYTES, None)
    assert cache.contains(LEVEL, "a")
    cache.configure(3 * ENTRY_BYTES, CPU)
    assert cache.num_bytes == 0


def test_what_another_model_made_at_a_level_is_dropped():
    cache, first, later = StateCache(10 * ENTRY_BYTES), *map(probe, (7, 8))
    for level in (1, 2):
        assert cache.open_level(level, first) is None
        cache.put(level, "a", states())
    assert cache.open_level(1, later) is first
    assert cache.contains(1, "a"), "as long as they have not been compared"
    cache.drop_levels(lambda level: level == 1)
    assert not cache.contains(1, "a")
    assert cache.contains(2, "a")
    assert cache.num_bytes == ENTRY_BYTES
    assert cache.open_level(1, later) is None
    cache.drop_levels(lambda level: level == 2)
    assert cache.num_bytes == 0


def test_what_was_kept_after_its_probe_was_forgotten_is_dropped():
    """A generation inside another begins between the two."""
    cache = StateCache(10 * ENTRY_BYTES)
    cache.open_level(1, probe(7))
    cache.begin_generation()
    cache.put(1, "a", states())
    cache.open_level(1, probe(8))
    assert not cache.contains(1, "a")
    assert cache.num_bytes == 0


def test_a_smaller_budget_drops_at_once():
    cache = StateCache(3 * ENTRY_BYTES)
    for key in "abc":
        cache.put(LEVEL, key, states())
    cache.configure(ENTRY_BYTES, None)
    assert cache.num_bytes == ENTRY_BYTES
    assert cache.get(LEVEL, "c", CPU) is not None


@given(
    budget=st.integers(0, 12),
    steps=st.lists(
        st.tuples(st.sampled_from(["put", "get", "next"]), st.integers(0, 6), st.integers(1, 5))
    ),
)
def test_the_budget_is_never_exceeded(budget, steps):
    cache = StateCache(budget * ENTRY_BYTES)
    for do, key, size in steps:
        if do == "put":
            cache.put(LEVEL, key, states(4 * size))
        elif do == "get":
            cache.get(LEVEL, key, CPU)
        else:
            cache.begin_generation()
        assert 0 <= cache.num_bytes <= budget * ENTRY_BYTES
    cache.clear()
    assert cache.num_bytes == 0


class Counting:
    """Counts the calls of a U-Net's class forward, the reference pass's included, not the probes.

    Those take so small a picture that they are next to nothing.
    """

    def __init__(self, unet, monkeypatch):
        self.calls = 0
        original = type(unet).forward

        def forward(module, *args, **kwargs):
            self.calls += not is_probe(args[0])
            return original(module, *args, **kwargs)

        monkeypatch.setattr(type(unet), "forward", forward)


def picture(seed):
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 255, (24, 32, 3), generator=generator, dtype=torch.uint8)
    return from_image(Image.fromarray(pixels.numpy()))


PICTURES = [picture(seed) for seed in range(3)]


def generate(fake_host, cache, liked=(0, 1), disliked=(2,), alphas=(0.1, 0.4, 0.8)):
    """The U-Net's outputs of one generation with some of `PICTURES` liked and disliked."""
    request = FabricRequest(
        FabricSettings(enabled=True, end=1.0),
        Ratings(
            tuple(Rated(PICTURES[each]) for each in liked),
            tuple(Rated(PICTURES[each]) for each in disliked),
        ),
    )
    session = make_session(request, fake_host, states=cache)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 4, 6, 8, generator=generator)
    context = torch.randn(2, 5, 16, generator=generator)
    outputs = []
    with torch.no_grad(), session.installed():
        for alpha in alphas:
            begin_step(session, make_step(2, 1, progress=0.0, alpha=alpha))
            timesteps = torch.full((2,), 1000 * (1 - alpha))
            outputs.append(fake_host.current_unet(x, timesteps, context=context))
            end_step(session)
    return outputs


def assert_equal(first, second):
    assert all(torch.equal(*pair) for pair in zip(first, second, strict=True))


def test_kept_states_give_bit_identical_results_without_reference_passes(fake_host, monkeypatch):
    plain = generate(fake_host, StateCache())
    cache = StateCache(2**30)
    assert_equal(generate(fake_host, cache), plain)
    counting = Counting(fake_host.current_unet, monkeypatch)
    assert_equal(generate(fake_host, cache), plain)
    own_calls, check = 3, 1
    assert counting.calls == own_calls + check


def test_a_new_picture_pays_only_for_itself(fake_host, monkeypatch):
    cache = StateCache(2**30)
    generate(fake_host, cache, liked=(0,))
    counting = Counting(fake_host.current_unet, monkeypatch)
    both = generate(fake_host, cache, liked=(0, 1))
    # One that is kept is checked beside the new one: at no cost.
    own_calls, new_picture = 3, 3
    assert counting.calls == own_calls + new_picture
    monkeypatch.undo()
    assert_equal(both, generate(fake_host, StateCache(), liked=(0, 1)))


def test_a_partly_filled_budget_still_gives_the_same(fake_host):
    full = StateCache(2**30)
    plain = generate(fake_host, full)
    partial = StateCache(full.num_bytes // 2)
    assert_equal(generate(fake_host, partial), plain)
    assert_equal(generate(fake_host, partial), plain)
    assert 0 < partial.num_bytes <= full.num_bytes // 2


@pytest.mark.parametrize("is_announced", [True, False], ids=["new key", "same key"])
def test_changed_weights_are_noticed(fake_host, is_announced):
    cache = StateCache(2**30)
    before = generate(fake_host, cache)
    with torch.no_grad():
        for parameter in fake_host.current_unet.parameters():
            parameter.mul_(1.01)
    if is_announced:
        fake_host.key = "another model"
    after = generate(fake_host, cache)
    assert_equal(after, generate(fake_host, StateCache()))
    assert not torch.equal(before[0], after[0])


@pytest.mark.parametrize("is_replaced", [False, True], ids=["ours in front", "another's in front"])
def test_a_change_in_mid_sampling_is_noticed(fake_host, is_replaced):
    """When whole pictures have been compared already; also where another extension has put a
    forward in front of ours that does not call it."""
    unet, original = fake_host.current_unet, fake_host.read_call
    passes = []

    def generate_and_change(cache, is_changed=True):
        passes.clear()

        def read_call(args, kwargs):
            passes.append(1)
            if is_changed and len(passes) == 2:
                for parameter in unet.parameters():
                    parameter.mul_(1.01)
                if is_replaced:
                    unet.forward = lambda *args, **kwargs: type(unet).forward(unet, *args, **kwargs)
            return original(args, kwargs)

        fake_host.read_call = read_call
        try:
            return generate(fake_host, cache)
        finally:
            vars(unet).pop("forward", None)

    def restore():
        for parameter in unet.parameters():
            parameter.copy_(weights[id(parameter)])

    weights = {id(each): each.clone() for each in unet.parameters()}
    cache = StateCache(2**30)
    before = generate_and_change(cache, is_changed=False)
    changed = generate_and_change(cache)
    restore()
    anew = generate_and_change(StateCache())
    assert_equal(changed, anew)
    assert torch.equal(before[0], anew[0])
    assert not torch.equal(before[1], anew[1])


def test_what_was_kept_before_a_change_is_noticed_after_other_pictures(fake_host):
    cache = StateCache(2**30)
    generate(fake_host, cache, liked=(1,), disliked=())
    with torch.no_grad():
        for parameter in fake_host.current_unet.parameters():
            parameter.mul_(1.01)
    # Nothing of this picture is kept, so nothing tells that the other's states are of no use.
    generate(fake_host, cache, liked=(0,), disliked=())
    for _ in range(2):
        both = generate(fake_host, cache, liked=(0, 1), disliked=())
        assert_equal(both, generate(fake_host, StateCache(), liked=(0, 1), disliked=()))


def test_pictures_kept_apart_are_checked_once_and_then_together(fake_host, monkeypatch):
    cache = StateCache(2**30)
    generate(fake_host, cache, liked=(0,), disliked=())
    generate(fake_host, cache, liked=(1,), disliked=(2,))
    for _ in range(2):
        counting = Counting(fake_host.current_unet, monkeypatch)
        both = generate(fake_host, cache)
        own_calls, check = 3, 1
        assert counting.calls == own_calls + check
        monkeypatch.undo()
    assert_equal(both, generate(fake_host, StateCache()))
