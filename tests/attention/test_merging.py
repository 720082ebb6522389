"""Merged tokens: their mass, their number, and whole denoiser calls against the reference."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lib_fabric.attention import rows as row_attention
from lib_fabric.attention.merging import Merging
from lib_fabric.attention.rows import RowAttention
from lib_fabric.attention.states import KeyValues
from lib_fabric.steering.methods import METHODS
from lib_fabric.steering.state_cache import StateCache
from tests.helpers import reference
from tests.helpers.attention import make_plan
from tests.helpers.denoising import (
    TOLERANCE,
    assert_close,
    compute_golden,
    denoise,
    make_request,
    make_session,
    make_step,
)
from tests.helpers.tiny_unet import make_inputs

SIZES = st.tuples(st.integers(1, 13), st.integers(1, 13))
HEADS, WIDTH = 2, 5


def _random(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def _states(num_tokens, seed=0):
    return KeyValues(*(_random(1, HEADS, num_tokens, WIDTH, seed=seed + i) for i in range(2)))


def _level(size, level):
    return tuple(math.ceil(side / 2**level) for side in size)


@given(SIZES, st.integers(0, 3), st.integers(1, 8), st.integers(0, 40))
def test_tokens_are_the_means_of_squares_of_neighbours(size, level, merge, max_tokens):
    height, width = _level(size, level)
    states = _states(height * width)
    merged = Merging.at(size, merge, max_tokens).merge(states)
    windows = merged.windows
    counts = torch.tensor([0.0] * merged.num_tokens if windows is None else windows.log_counts())
    for before, after in ((states.keys, merged.keys), (states.values, merged.values)):
        for head in range(HEADS):
            expected, expected_counts = reference.merge_tokens(
                before[0, head], size, merge, max_tokens
            )
            # Means are made in float32.
            assert_close(after[0, head], expected, 1e-6)
            np.testing.assert_allclose(counts.exp(), expected_counts, rtol=1e-6)


@given(SIZES, st.integers(1, 200), st.integers(1, 8), st.integers(0, 60))
def test_no_token_is_lost_and_no_limit_exceeded(size, num_tokens, merge, max_tokens):
    """Whatever number of tokens other extensions make of a layer's."""
    states = _states(num_tokens)
    merged = Merging.at(size, merge, max_tokens).merge(states)
    if merged.windows is not None:
        assert sum(map(math.exp, merged.windows.log_counts())) == pytest.approx(num_tokens)
    most = math.prod(size)
    if max_tokens and num_tokens <= most:
        assert 1 <= merged.num_tokens <= max_tokens


def _attend(own, references, weights, pulls=()):
    q, k, v = own
    plan = make_plan((len(q), tuple({0: each} for each in references), weights, pulls))
    return RowAttention().attend(0, q, k, v, plan, WIDTH**-0.5)


@given(SIZES, st.integers(1, 8), st.floats(0.05, 2.0), st.booleans())
def test_merging_equal_tokens_changes_nothing(size, merge, weight, pulls):
    """The mass is kept: then the result is that of all tokens, whatever their number."""
    num_tokens = math.prod(size)
    one = _states(1)
    equal = KeyValues(*(each.expand(-1, -1, num_tokens, -1) for each in (one.keys, one.values)))
    other = _states(3, seed=5)
    merged = Merging.at(size, merge).merge(equal)
    own = [_random(2, HEADS, 4, WIDTH, seed=seed) for seed in (7, 8, 9)]
    outs = []
    for states in (equal, merged):
        if pulls:
            pull = (0.4, ({0: states}, {0: other}), (weight, 1.0))
            outs.append(_attend(own, (), (), (pull,)))
        else:
            outs.append(_attend(own, (states, other), (weight, 1.0)))
    # Means and logarithms are in float32.
    assert_close(outs[1], outs[0], 3e-6)


def test_merging_without_the_mass_would_be_seen():
    own = [_random(2, HEADS, 4, WIDTH, seed=seed) for seed in (7, 8, 9)]
    states = _states(16)
    merged = Merging.at((4, 4), 2).merge(states)
    light = KeyValues(merged.keys, merged.values)
    heavy, light = (_attend(own, (each,), (1.0,)) for each in (merged, light))
    assert (heavy - light).abs().max() > 0.05


def test_limits_are_reached_by_as_little_merging_as_it_takes():
    factors = Merging.at((64, 64), 1, 1024).factors
    assert factors[:3] == (2, 1, 1)
    assert Merging.at((64, 64), 3, 1024).factors[:2] == (3, 3)
    assert Merging.at((64, 64), 1, 0) == Merging.at((64, 64), 1, 4096)


def test_states_stay_as_they_are_where_nothing_is_to_be_merged():
    states = _states(12)
    assert Merging.at((3, 4)).merge(states) is states


# Whole denoiser calls


SETTINGS = [
    {"merge": 2}, {"merge": 3}, {"merge": 8}, {"max_tokens": 40}, {"max_tokens": 2},
    {"merge": 2, "max_tokens": 10},
]  # fmt: skip


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_a_denoiser_call(tiny_unet, fake_host, method, settings):
    request = make_request((0.5, 1.5, 1.0), (2.0, 0.7), method, **settings)
    step, inputs = make_step(6, 3), make_inputs(6)
    golden = compute_golden(tiny_unet, type(fake_host)(None), request, *inputs, step)
    session = make_session(request, fake_host)
    with session.installed():
        assert_close(denoise(session, tiny_unet, step, *inputs), golden)


def test_the_reference_is_sensitive_enough(tiny_unet, fake_host):
    host, inputs = type(fake_host)(None), make_inputs(4)
    goldens = [
        compute_golden(tiny_unet, host, make_request(**each), *inputs, make_step())
        for each in ({}, *SETTINGS)
    ]
    for index, golden in enumerate(goldens):
        for other in goldens[:index]:
            assert (golden - other).abs().max() > 5 * TOLERANCE


@pytest.mark.parametrize("method", METHODS)
def test_no_list_has_more_tokens_than_allowed(tiny_unet, fake_host, monkeypatch, method):
    request = make_request((1, 1, 1), (1, 1), method, max_tokens=23)
    own_tokens, attended_to, original = {48, 12}, [], row_attention.joined_attention

    def spy(q, keys, *more):
        # Merged references have fewer tokens than any layer.
        references = [each.shape[2] for each in keys if each.shape[2] not in own_tokens]
        attended_to.append(references)
        return original(q, keys, *more)

    monkeypatch.setattr(row_attention, "joined_attention", spy)
    session = make_session(request, fake_host)
    with session.installed():
        denoise(session, tiny_unet, make_step(), *make_inputs(4))
    assert max(map(len, attended_to)) >= 2
    for references in attended_to:
        assert 0 <= sum(references) <= 23
        assert all(references)


def test_every_picture_keeps_a_token(tiny_unet, fake_host):
    """However many there are: none is forgotten."""
    inputs, limited = make_inputs(4), make_request((1,) * 5, (), max_tokens=1)
    session = make_session(limited, fake_host)
    with session.installed():
        out = denoise(session, tiny_unet, make_step(), *inputs)
    assert_close(
        out, compute_golden(tiny_unet, type(fake_host)(None), limited, *inputs, make_step())
    )


def test_kept_states_shrink_and_belong_to_their_merging(tiny_unet, fake_host):
    """Bit-identical with and without; none of another merging is taken; a later round with more
    pictures uses them where the limit asks for no more merging than before."""
    states, inputs, sizes = StateCache(2**28), make_inputs(4), []

    def run(kept, **settings):
        session = make_session(make_request((1, 1), **settings), fake_host, states=kept)
        with session.installed():
            return denoise(session, tiny_unet, make_step(), *inputs)

    for settings in ({}, {"merge": 2}, {"max_tokens": 30}, {"merge": 2, "max_tokens": 30}):
        expected = run(None, **settings)
        before = states.num_bytes
        assert torch.equal(run(states, **settings), expected)
        sizes.append(states.num_bytes - before)
        assert torch.equal(run(states, **settings), expected)
        assert states.num_bytes == before + sizes[-1]
    assert sizes[1] < 0.4 * sizes[0]
    assert 0 < sizes[2] < sizes[0]
    # 2 x 2 keeps to the limit already: the liked and the disliked ones are there.
    assert sizes[3] == 0
