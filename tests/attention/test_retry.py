"""Memory runs out here and there: the step is done again with less, and comes out the same."""

import functools
import gc

import pytest
import torch

from lib_fabric.attention import rows as row_attention
from lib_fabric.attention.retry import MOST_PARTS, MemoryRetry
from lib_fabric.attention.states import KeyValues
from lib_fabric.attention.weighted import joined_attention
from lib_fabric.errors import FabricError
from lib_fabric.steering.methods import METHODS
from lib_fabric.steering.state_cache import StateCache
from tests.helpers.attention import count_queries, installed, make_plan
from tests.helpers.denoising import (
    assert_close,
    denoise,
    fingerprint,
    make_request,
    make_session,
    make_step,
)
from tests.helpers.fake_host import FakeHost
from tests.helpers.held import count_held
from tests.helpers.tiny_unet import make_inputs, make_tiny_unet

CPU = torch.device("cpu")
OOM = [
    torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB."),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
    MemoryError(),
]
# Of a step, for three pictures, two at a time; then come the rows.
NUM_PASSES = 2


class Faults:
    """Raises at chosen passages of one place, counted from 1."""

    def __init__(self, at, error):
        self.at, self.error, self.count = set(at), error, 0

    def pass_by(self, *_args):
        self.count += 1
        if self.count in self.at:
            raise self.error


def inject(place, faults, unet, states, monkeypatch):
    """Lets `faults` happen inside the U-Net, in attention with references, or in the cache."""
    if place == "unet":
        middle = unet.middle_block[1].transformer_blocks[0].attn2
        middle.register_forward_pre_hook(faults.pass_by)
    elif place == "attention":
        monkeypatch.setattr(
            row_attention,
            "joined_attention",
            lambda *args: faults.pass_by() or joined_attention(*args),
        )
    else:
        original = getattr(states, place)
        monkeypatch.setattr(states, place, lambda *args: faults.pass_by() or original(*args))


def sample(fake_host, method="paper", states=None, steps=2):
    request = make_request((1.0, 0.5), (1.0,), method, negative_scale=1.0)
    session = make_session(request, fake_host, states=states)
    with session.installed():
        outs = [
            denoise(
                session, fake_host.current_unet, make_step(alpha=0.2 + 0.1 * step), *make_inputs(4)
            )
            for step in range(steps)
        ]
    return torch.stack(outs)


@functools.cache
def undisturbed(method):
    return sample(FakeHost(make_tiny_unet()), method)


def record_parts(monkeypatch):
    """In how many parts each attention from now on is done."""
    parts, original = [], row_attention.joined_attention

    def spy(*args):
        parts.append(args[-1])
        return original(*args)

    monkeypatch.setattr(row_attention, "joined_attention", spy)
    return parts


# The U-Net's calls of a step: one for each reference, then the rows.
PLACES = [
    ("unet", [1]), ("unet", [2]), ("unet", [NUM_PASSES]), ("unet", [NUM_PASSES + 1]),
    ("unet", [1, 2]), ("unet", [4, 5, 6]), ("unet", [1, 3, 6, 9]), ("unet", [6]),
    ("attention", [1]), ("attention", [3]), ("attention", [16]), ("attention", [16, 17, 18]),
    ("attention", [1, 2, 3, 4, 5]), ("get", [1]), ("get", [2]), ("get", [5]),
    ("put", [1]), ("put", [2]), ("put", [1, 2, 3, 4, 5, 6]),
]  # fmt: skip


@pytest.mark.parametrize(("place", "at"), PLACES)
@pytest.mark.parametrize("method", METHODS)
def test_the_picture_is_the_same(fake_host, monkeypatch, method, place, at):
    expected, unet, states = undisturbed(method), fake_host.current_unet, StateCache(2**28)
    if place == "get":
        sample(fake_host, method, states)
    faults = Faults(at, OOM[0])
    inject(place, faults, unet, states, monkeypatch)
    clean, parts = fingerprint(unet), record_parts(monkeypatch)
    out = sample(fake_host, method, states)
    assert faults.count >= max(at)
    assert_close(out, expected, 1e-5)
    assert parts[-1] == (1 if place == "put" else 2 ** len(at))
    assert fake_host.times_freed == (0 if place == "put" else len(at))
    assert fingerprint(unet) == clean
    assert fake_host.warnings == []
    # The next generation starts afresh.
    monkeypatch.undo()
    parts = record_parts(monkeypatch)
    again = sample(fake_host, method, states)
    assert torch.equal(again, expected)
    assert set(parts) == {1}


@pytest.mark.parametrize("error", OOM, ids=repr)
def test_a_lack_of_memory_is_known_on_every_device(fake_host, monkeypatch, error):
    inject("unet", Faults([4], error), fake_host.current_unet, None, monkeypatch)
    assert_close(sample(fake_host), undisturbed("paper"), 1e-5)


@pytest.mark.parametrize("place", ["unet", "attention"])
@pytest.mark.parametrize("at", [1, NUM_PASSES + 1], ids=["references", "rows"])
@pytest.mark.parametrize("error", [ValueError("no"), RuntimeError("CUDA error: launch failure")])
def test_nothing_else_is_tried_again(fake_host, monkeypatch, place, at, error):
    unet = fake_host.current_unet = make_tiny_unet()
    faults = Faults([at * (1 if place == "unet" else 5)], error)
    inject(place, faults, unet, None, monkeypatch)
    with pytest.raises((FabricError, type(error))) as caught:
        sample(fake_host)
    assert error in (caught.value, caught.value.__cause__)
    assert faults.count == max(faults.at)
    assert fake_host.times_freed == 0


class _Interrupted(BaseException):
    """The host's InterruptedException is a BaseException."""


@pytest.mark.parametrize("at", [1, NUM_PASSES + 1], ids=["references", "rows"])
def test_nothing_is_tried_again_for_whoever_has_pressed_interrupt(fake_host, monkeypatch, at):
    unet = fake_host.current_unet = make_tiny_unet()
    faults = Faults([at], OOM[0])

    def press(*_args):
        if faults.count + 1 in faults.at:
            fake_host.interrupt = _Interrupted()

    middle = unet.middle_block[1].transformer_blocks[0].attn2
    middle.register_forward_pre_hook(press)
    inject("unet", faults, unet, None, monkeypatch)
    clean = fingerprint(unet)
    with pytest.raises(_Interrupted):
        sample(fake_host)
    assert faults.count == at
    assert fingerprint(unet) == clean


@pytest.mark.parametrize(
    ("place", "at", "action"),
    [
        ("unet", 1, "looking at the rated pictures"),
        ("unet", NUM_PASSES + 2, "following the rated pictures"),  # one probes the model
        ("attention", 1, "attending to the rated pictures"),
        ("attention", 16, "attending to the rated pictures"),
    ],
)
def test_in_the_end_the_user_is_told_what_to_lower(fake_host, monkeypatch, place, at, action):
    unet, states = fake_host.current_unet, StateCache(2**28)
    sample(fake_host, states=states)
    states.clear()
    faults = Faults(range(at, at + 1000), OOM[0])
    inject(place, faults, unet, states, monkeypatch)
    clean = fingerprint(unet)
    with pytest.raises(FabricError) as caught:
        sample(fake_host, states=states)
    assert str(caught.value) == (
        f"out of memory while FABRIC was {action}. Rate fewer pictures, choose a smaller size, "
        "merge tokens (Speed), or switch FABRIC off."
    )
    assert caught.value.status_code == 500
    halvings = MOST_PARTS.bit_length() - 1
    assert faults.count == at + halvings
    assert states.num_bytes == 0
    assert fingerprint(unet) == clean
    monkeypatch.undo()
    fake_host.current_unet = make_tiny_unet()
    assert torch.equal(sample(fake_host, states=states), undisturbed("paper"))


def test_a_call_that_is_not_ours_is_not_tried_again(tiny_unet, fake_host, monkeypatch):
    faults = Faults([1], OOM[0])
    inject("unet", faults, tiny_unet, None, monkeypatch)
    x, timesteps, context = make_inputs(4)
    session = make_session(make_request(), fake_host)
    with session.installed(), pytest.raises(torch.cuda.OutOfMemoryError):
        tiny_unet(x, timesteps, context=context)
    assert faults.count == 1


def test_the_smaller_parts_stay_for_the_pass_and_no_longer(fake_host, monkeypatch):
    unet = fake_host.current_unet
    inject("unet", Faults([NUM_PASSES + 1], OOM[0]), unet, None, monkeypatch)
    session = make_session(make_request((1.0, 0.5), hires=True), fake_host)
    parts, seen = [], record_parts(monkeypatch)
    with session.installed():
        for step in (make_step(), make_step(alpha=0.5), make_step(is_hires=True)):
            denoise(session, unet, step, *make_inputs(4))
            parts.append(seen[-1])
    assert parts == [2, 2, 1]


def test_the_parts_reach_the_kernel(fake_host, monkeypatch):
    """Each doubling takes less memory: for every row, then for every head, then for queries."""
    num_queries = count_queries(monkeypatch)
    sizes, retry = [], MemoryRetry()
    x, timesteps, context = make_inputs(4)
    unet = fake_host.current_unet
    with installed(unet, fake_host, retry=retry) as hooks:
        states = {}
        with hooks.capture((states, None)):
            unet(x[:1], timesteps[:1], context=context[:1])
        hooks.plan = make_plan((4, (states,), (0.5,)))
        for retry.num_parts in (1, 2, 4, 8, 16, 32):
            num_queries.clear()
            unet(x, timesteps, context=context)
            sizes.append(max(num_queries))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] <= sizes[0] // 16


def test_what_was_kept_gives_way_to_the_step(fake_host, monkeypatch):
    """And nothing more is kept on that device in this generation."""
    states = StateCache(2**28)
    sample(fake_host, states=states)
    assert states.num_bytes > 0
    unet = fake_host.current_unet = make_tiny_unet()
    # The check of kept states, then the rows.
    inject("unet", Faults([2], OOM[0]), unet, states, monkeypatch)
    sample(fake_host, states=states)
    assert states.num_bytes == 0
    sample(fake_host, states=states)
    assert states.num_bytes > 0


def test_states_on_another_device_stay():
    states = StateCache(2**20, CPU)
    entry = {0: KeyValues(*(torch.ones(1, 1, 2, 1) for _ in range(2)))}
    states.put(1, "a", entry)
    states.give_way(torch.device("cuda", 0))
    states.put(1, "b", entry)
    assert states.get(1, "a", CPU) is not None
    assert states.get(1, "b", CPU) is not None
    states.give_way(CPU)
    states.put(1, "c", entry)
    assert [states.get(1, key, CPU) for key in "abc"] == [None] * 3
    assert states.num_bytes == 0
    states.begin_generation()
    states.put(1, "c", entry)
    assert states.get(1, "c", CPU) is not None


def test_the_failed_calls_tensors_are_gone_when_room_is_made():
    """An exception that is still being handled would hold them."""
    import weakref

    held = []

    def call():
        if not held:
            tensor = torch.ones(5)
            held.append(weakref.ref(tensor))
            raise MemoryError
        return "done"

    def make_room():
        assert held[0]() is None

    gc.disable()
    try:
        assert MemoryRetry(make_room).retry(call, "x") == "done"
    finally:
        gc.enable()


@pytest.mark.parametrize("refresh", [1, 2])
def test_nothing_is_held_where_feedback_has_ended(fake_host, refresh):
    """The hires pass and the decoding of the picture come then, and may need all memory."""
    request = make_request(refresh=refresh, end=0.5)
    session = make_session(request, fake_host)
    with count_held(KeyValues) as count, session.installed():
        denoise(session, fake_host.current_unet, make_step(progress=0.1), *make_inputs(4))
        # The next steps use them only where they are not to be renewed each time.
        assert (count() > 0) == (refresh > 1)
        denoise(session, fake_host.current_unet, make_step(progress=0.6), *make_inputs(4))
        assert count() == 0
