"""The second device itself: what a GPU would refuse, wait for or see late, it does too."""

from __future__ import annotations

import gc

import pytest
import torch
from torch import nn

from tests.helpers.second_device import NAME
from tests.helpers.tiny_unet import make_inputs, make_tiny_unet

HERE = "tests/tools/test_second_device.py"


def there(*shape):
    return torch.arange(float(torch.Size(shape).numel())).reshape(shape).to(NAME)


@pytest.mark.parametrize(
    "mix",
    [
        lambda a, b: a + b,
        lambda a, b: a @ b.T,
        lambda a, b: torch.cat([a, b]),
        lambda a, b: torch.where(a > 0, a, b),
        lambda a, b: a.add_(b),
        lambda a, b: nn.functional.linear(a, b),
        lambda a, b: nn.functional.scaled_dot_product_attention(a[None], b[None], b[None]),
    ],
)
def test_tensors_of_two_devices_do_not_mix(device, mix):
    here, other = there(2, 3), torch.ones(2, 3)
    with pytest.raises(RuntimeError, match="same device"):
        mix(here, other)
    with pytest.raises(RuntimeError, match="same device"):
        mix(other, here)
    mix(here, other.to(NAME))


def test_a_model_computes_there_as_on_the_cpu(device):
    unet, (x, timesteps, context) = make_tiny_unet(), make_inputs(2)
    expected = unet(x, timesteps, context=context)
    unet.to(NAME)
    with pytest.raises(RuntimeError, match="same device"):
        unet(x, timesteps, context=context)
    out = unet(x.to(NAME), timesteps.to(NAME), context=context.to(NAME))
    assert out.device.type == NAME
    assert torch.equal(out.cpu(), expected)
    assert torch.equal(unet.to("cpu")(x, timesteps, context=context), expected)


@pytest.mark.parametrize(
    "read",
    [
        lambda a: a.cpu(),
        lambda a: a.sum().item(),
        lambda a: float(a[0, 0]),
        lambda a: a.tolist(),
        lambda a: bool((a > 0).all()),
        lambda a: torch.equal(a, a),
        lambda a: a.nonzero(),
        lambda a: a[a > 1],
        lambda a: a.unique(),
        lambda a: torch.isfinite(a).all() or None,
        lambda a: torch.empty(2, 3).copy_(a),
    ],
)
def test_reading_a_value_is_counted(device, read):
    values = there(2, 3)
    device.start_counting()
    read(values)
    assert sum(device.read_backs.values()) == 1
    assert next(iter(device.read_backs)).endswith(f" at {HERE}:<lambda>")


@pytest.mark.parametrize(
    "work",
    [
        lambda a: a + 1,
        lambda a: a.to(torch.float16),
        lambda a: a[:, torch.tensor([1], device=NAME)],
        lambda a: torch.where(a > 1, a, torch.zeros_like(a)),
        lambda a: a.softmax(-1).chunk(2),
        lambda a: torch.zeros(3, device=NAME) + a,
    ],
)
def test_work_on_the_device_waits_for_nothing(device, work):
    values = there(2, 3)
    device.start_counting()
    work(values)
    assert not device.read_backs


def test_a_late_copy_from_the_device_is_nonsense_until_it_is_waited_for(device):
    values = there(4)
    early = values.to("cpu", non_blocking=True)
    event = getattr(torch, NAME).Event()
    event.record()
    values.add_(1)  # the device's work is done in order: too late for the copy
    assert early.isnan().all()
    event.synchronize()
    assert early.tolist() == [0, 1, 2, 3]
    assert not device.read_backs


def test_a_copy_after_an_event_is_not_waited_for_by_it(device):
    event = getattr(torch, NAME).Event()
    event.record()
    early = there(4).to("cpu", non_blocking=True)
    event.synchronize()
    assert early.isnan().all()
    getattr(torch, NAME).synchronize()
    assert early.tolist() == [0, 1, 2, 3]


def test_a_source_that_is_overwritten_too_early_arrives_overwritten(device):
    source, target = torch.ones(4), there(4)
    copied = source.to(NAME, non_blocking=True)
    target.copy_(source, non_blocking=True)
    source.zero_()
    assert (copied + target).tolist() == [0] * 4
    source.fill_(1)
    copied = source.to(NAME)
    source.zero_()
    assert copied.tolist() == [1] * 4


def test_memory_is_counted_by_storage(device):
    gc.collect()
    before = device.live_bytes
    device.start_counting()
    values = there(8, 4)
    part = values[2:, :2].transpose(0, 1)
    assert device.live_bytes == before + 8 * 4 * 4
    (values + 1).sum()
    assert device.live_bytes == before + 8 * 4 * 4
    assert device.peak_bytes >= before + 2 * 8 * 4 * 4
    del values
    assert device.live_bytes == before + 8 * 4 * 4, "a part of it holds the whole"
    del part
    assert device.live_bytes == before
