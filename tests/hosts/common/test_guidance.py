"""Whether the negative prompt reaches the picture: against the host's own formula."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from lib_fabric.hosts.common.guidance import uses_negative


def share_of_negative(scale, weights):
    """By `combine_denoised`: uncond + sum((cond - uncond) * weight * scale), with all cond 0."""
    negative = 1.0
    return negative + sum((0.0 - negative) * weight * scale for weight in weights)


def sampler(scale, *batch):
    prompts = [[SimpleNamespace(weight=weight) for weight in weights] for weights in batch]
    cond = SimpleNamespace(batch=prompts)
    return SimpleNamespace(sampler_extra_args={"cond": cond, "cond_scale": scale})


@pytest.mark.parametrize("scale", [0.5, 1, 1.0, 1.5, 2, 7])
@pytest.mark.parametrize(
    "weights", [[1.0], [1.0, 1.0], [0.5, 0.5], [0.25, 0.25], [1.0, -0.5], [1.0, -1.0]]
)
def test_equals_the_hosts_formula(scale, weights):
    expected = abs(share_of_negative(scale, weights)) > 1e-9
    assert uses_negative(SimpleNamespace(), sampler(scale, weights)) == expected


def test_one_picture_of_the_batch_is_enough():
    assert uses_negative(SimpleNamespace(), sampler(1, [1.0], [1.0, 1.0]))
    assert not uses_negative(SimpleNamespace(), sampler(1, [1.0], [1.0]))


@pytest.mark.parametrize(
    "denoiser",
    [
        SimpleNamespace(need_last_noise_uncond=True),
        SimpleNamespace(cond_scale_miltiplier=1 / 12.5),
    ],
    ids=["CFG++ samplers keep it", "CFG++ scales"],
)
def test_samplers_that_need_it_at_1(denoiser):
    assert uses_negative(denoiser, sampler(1, [1.0]))


def test_of_a_sampler_that_does_not_say_nothing_is_claimed():
    assert uses_negative(SimpleNamespace(), SimpleNamespace())


def test_edit_models_guide_by_their_picture_as_well():
    denoiser = SimpleNamespace(image_cfg_scale=1.5)
    assert uses_negative(denoiser, sampler(1, [1.0]), is_edit_model=True)
    assert not uses_negative(denoiser, sampler(1, [1.0]))
    assert not uses_negative(SimpleNamespace(image_cfg_scale=1), sampler(1, [1.0]), True)
