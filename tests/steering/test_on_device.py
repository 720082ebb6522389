"""Feedback on a device of its own: nothing is mixed, waited for or left there.

What is right is told by the float64 re-computation on the cpu.
"""

from __future__ import annotations

import gc

import pytest
import torch

from lib_fabric.attention import weighted
from lib_fabric.attention.late_value import LateValue
from lib_fabric.attention.retry import MOST_PARTS
from lib_fabric.steering.latents import LatentCache
from lib_fabric.steering.methods import METHODS
from lib_fabric.steering.references import ROWS_AT_ONCE
from lib_fabric.steering.state_cache import StateCache
from tests.helpers.denoising import assert_close, compute_golden, make_request, make_step
from tests.helpers.device_host import SECOND, DeviceHost, generate, make_steps, place
from tests.helpers.fake_host import FakeHost
from tests.helpers.kernels import FusedOnly
from tests.helpers.second_device import NAME
from tests.helpers.tiny_unet import make_tiny_unet

CPU = torch.device("cpu")
PASS = "lib_fabric/hosts/common/reference_pass.py:key"
LATENTS = "lib_fabric/steering/latents.py:latent"
KEEPING = "lib_fabric/attention/states.py:to"
COMPARED = "lib_fabric/attention/states.py:are_same"


def make_states(where):
    """A cache that keeps states there; on the device it is said by not saying where."""
    if where == "not kept":
        return StateCache()
    return StateCache(2**28, CPU if where == "kept in RAM" else None)


def assert_right(made, request, steps, seed=0):
    """The last step, which rests on all that came before."""
    inputs = [each.cpu() for each in place(steps[-1])]
    golden = compute_golden(make_tiny_unet(seed), FakeHost(None), request, *inputs, steps[-1])
    assert_close(made.outputs[-1], golden)


@pytest.fixture
def host(device, tiny_unet, monkeypatch):
    """What a session needs from a WebUI whose model is on the second device, with fused kernels."""
    monkeypatch.setattr(weighted, "FUSED_DEVICES", (NAME,))
    with FusedOnly():
        yield DeviceHost(tiny_unet)


SETTINGS = [
    ("paper", {}),
    ("paper", {"merge": 2}),
    ("contrast", {"max_tokens": 12}),
    ("contrast", {"negative_scale": 0.0}),
    ("contrast", {"hires": True}),
]


@pytest.mark.parametrize(
    ("method", "where"),
    [("contrast", "not kept"), ("paper", "kept in RAM"), ("contrast", "kept on the device")],
)
def test_steps_wait_for_nothing_and_are_right(host, device, method, where):
    """The steady state: the second step of a pass and all later ones."""
    request = make_request((1.0, 0.5), (0.7,), method)
    states, steps = make_states(where), make_steps(3)
    first, later = (generate(host, request, steps, states) for _ in range(2))
    assert_right(first, request, steps)
    assert torch.equal(first.outputs[-1], later.outputs[-1])
    layers = len(host.model().layers)
    num_pictures = 3
    in_ram = where == "kept in RAM"
    is_kept = where != "not kept"
    # Copied to where they are kept: once, when they are first seen.
    keeping = {f"copy at {KEEPING}": 2 * layers * num_pictures} if in_ram else {}
    begin = {f"copy at {PASS}": 1, f"copy at {LATENTS}": num_pictures}
    compared = {f"_local_scalar_dense at {COMPARED}": ROWS_AT_ONCE} if is_kept else {}
    assert first.read_backs == [begin | keeping] + 2 * [keeping]
    assert later.read_backs == [begin | compared, {}, {}]
    # Latents and noise of a pass once.
    assert first.transfers[1:] == [{}, {}]
    back = {f"copy at {KEEPING}": 2 * layers * num_pictures} if in_ram else {}
    assert later.transfers[1:] == [back, back]


@pytest.mark.parametrize(("method", "settings"), SETTINGS, ids=str)
def test_every_setting_is_right(host, method, settings):
    request = make_request((1.0, 0.5), (0.7,), method, **settings)
    steps = make_steps(1)
    if "hires" in settings:
        steps += make_steps(1, size=(8, 10), is_hires=True)
    made = generate(host, request, steps, make_states("kept in RAM"), rows_per_call=2)
    assert_right(made, request, steps)


def test_a_refresh_reads_nothing_in_between(host):
    request = make_request((1.0,), (1.0,), refresh=3)
    made = generate(host, request, make_steps(3))
    assert made.read_backs[1:] == [{}, {}]
    assert made.transfers[1:] == [{}, {}]


def test_the_refiner_takes_over(host):
    """Its U-Net has other weights, and the first one may have left the device."""
    request, states = make_request((1.0,), (0.7,)), make_states("kept in RAM")
    steps = make_steps(2)
    first, refiner = host.current_unet, make_tiny_unet(seed=1).to(SECOND)
    for _ in range(2):
        host.current_unet, host.key = first.to(SECOND), "first"

        def take_over(number):
            if number == 1:
                first.to(CPU)
                host.current_unet, host.key = refiner, "refiner"

        made = generate(host, request, steps, states, before_step=take_over)
        assert_right(made, request, steps, seed=1)


class _OneAtATime:
    """--lowvram: only the part of the model that computes is on the device."""

    def __init__(self, unet):
        unet.to(CPU)
        self._there = None
        for part in (unet.time_embed, *unet.input_blocks, unet.middle_block, *unet.output_blocks):
            part.register_forward_pre_hook(self._move)
        # The host moves the rest by hand.
        unet.out.to(SECOND)

    def _move(self, module, _args):
        if self._there is not module:
            if self._there is not None:
                self._there.to(CPU)
            module.to(SECOND)
            self._there = module


def test_a_model_that_is_moved_part_by_part(host):
    request, steps = make_request((1.0,), (0.7,)), make_steps(1)
    _OneAtATime(host.current_unet)
    states = make_states("kept in RAM")
    for _ in range(2):
        assert_right(generate(host, request, steps, states), request, steps)


@pytest.mark.parametrize(
    ("where", "at"), [("not kept", 1), ("kept in RAM", 3), ("kept on the device", 4)]
)
def test_memory_runs_out(host, where, at):
    """In the references' pass, in the probe of the model, in the rows' own call."""
    request, steps, calls = make_request((1.0, 0.5), (0.7,)), make_steps(1), []

    def run_out(*_args):
        calls.append(1)
        if len(calls) == at:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

    middle = host.current_unet.middle_block[1].transformer_blocks[0].attn2
    middle.register_forward_pre_hook(run_out)
    made = generate(host, request, steps, make_states(where))
    assert host.times_freed == 1 < MOST_PARTS
    assert_right(made, request, steps)


def test_a_late_value_is_what_it_was_when_it_was_asked_for(device):
    values = torch.arange(4).to(SECOND)
    late = LateValue(values)
    values.add_(1)
    assert not device.read_backs
    assert late.get().tolist() == [0, 1, 2, 3]
    assert not device.read_backs, "it waits for the copy alone"


def test_a_device_without_events_is_waited_for(device, monkeypatch):
    monkeypatch.delattr(type(getattr(torch, NAME)), "Event")
    late = LateValue(torch.arange(4).to(SECOND))
    assert sum(device.read_backs.values()) == 1
    assert late.get().tolist() == [0, 1, 2, 3]


def test_a_model_that_has_changed_unsaid(host, device):
    """Told by the probe, whose answer comes from the device."""
    request, steps = make_request((1.0,), (0.7,)), make_steps(2)
    states = make_states("kept on the device")
    before = generate(host, request, steps, states)

    def change(number):
        # At the second step: the first one's check of whole pictures is over.
        for parameter in host.current_unet.parameters() if number == 1 else ():
            parameter.mul_(1.01)

    after = generate(host, request, steps, states, before_step=change)
    anew = generate(host, request, steps)
    assert torch.equal(before.outputs[0], after.outputs[0])
    assert torch.equal(after.outputs[1], anew.outputs[1])
    assert not torch.equal(before.outputs[1], anew.outputs[1])


@pytest.mark.parametrize(
    ("where", "settings"), [("not kept", {"refresh": 2}), ("kept in RAM", {"merge": 2})]
)
def test_nothing_of_ours_is_left_on_the_device(host, device, where, settings):
    states, latents = make_states(where), LatentCache()
    steps = [*make_steps(1), make_step(number=1, is_last=True)]
    gc.collect()
    before = device.live_bytes
    for _ in range(2):
        generate(host, make_request(**settings), steps, states, latents)
        gc.collect()
        assert device.live_bytes == before
    assert (states.num_bytes > 0) == (where != "not kept")


def state_bytes(unet, size):
    """Of one picture's keys and values in float32, by the shapes of the model."""
    total = 0
    for name, layer in unet.named_modules():
        if name.endswith(".attn1"):
            level = 0 if layer.to_q.in_features == 32 else 1
            tokens = -(-size[0] // 2**level) * -(-size[1] // 2**level)
            total += 2 * 4 * tokens * layer.to_k.out_features
    return total


@pytest.mark.parametrize("method", METHODS)
def test_a_step_holds_each_pictures_states_once(host, device, method):
    """Beside that, what one layer works on. Else memory would grow by more with each picture."""
    size = (16, 16)
    steps = make_steps(1, num_rows=2, num_cond=1, size=size)
    peaks = []
    # Of both an odd one is looked at in the end, beside itself.
    for num_disliked in (2, 4):
        request = make_request((1.0,), (1.0,) * num_disliked, method)
        gc.collect()
        peaks.append(max(generate(host, request, steps).peak_bytes))
    one = state_bytes(host.current_unet, size)
    # Beside each other in the largest layer, with heads of size 8 padded to 16 for the weights.
    joined_in_largest_layer = 2 * 4 * 16 * 16 * 2 * 32
    latent_and_noise = 2 * 4 * 4 * 16 * 16
    grown = (peaks[1] - peaks[0]) / 2
    assert one <= grown <= 1.05 * (one + joined_in_largest_layer + latent_and_noise)


def test_memory_held_between_steps_is_that_of_latents(host, device):
    """Else a hires pass or the VAE finds less room than without feedback."""
    gc.collect()
    held = []
    request = make_request((1.0, 0.5), (0.7,))
    generate(host, request, make_steps(3), before_step=lambda _: held.append(device.live_bytes))
    latents, empty_prompt = 3 * 2 * 4 * 4 * 6 * 8, 4 * 5 * 16
    # Weights of 4 bytes for each token attended to: in two levels, for two kinds of rows.
    weights = 4 * 2 * 3 * (48 + 12)
    assert held[1] == held[2]
    assert latents + empty_prompt <= held[1] - held[0] <= latents + empty_prompt + weights
