"""Whose a step of the denoiser is, where a steered generation runs inside another."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from lib_fabric.errors import FabricError
from lib_fabric.steering.latents import LatentCache
from lib_fabric.steering.state_cache import StateCache
from tests.helpers.denoising import (
    assert_close,
    compute_golden,
    fingerprint,
    make_request,
    make_session,
    make_step,
)
from tests.helpers.fake_generation import generation_modules
from tests.helpers.fake_host import FakeHost
from tests.helpers.fake_modules import fake_modules, imported_anew
from tests.helpers.tiny_unet import make_inputs

OUTER = make_request(liked=(1.0, 0.5))
INNER = make_request(liked=(2.0,), disliked=(), method="contrast")


class SteppingHost(FakeHost):
    """Knows its own steps, as automatic1111.generation's does."""

    def owns(self, params):
        return params.of is self

    ends_step = owns

    def begin_step(self, params):
        return super().begin_step(params.step)

    def begin_other_step(self):
        self.counter.begin_other()

    def end_other_step(self):
        self.counter.end_other()

    def end_sampling(self):
        pass


class Generation:
    """One processing object, as far as a step of it goes."""

    def __init__(self, sampling_now, unet, request, **caches):
        self.now, self.unet, self.request = sampling_now, unet, request
        self.host = SteppingHost(unet)
        self.session = make_session(request, self.host, **caches)

    def sampled(self, inputs, in_step=None, alpha=0.35):
        """What one denoiser call of four rows gives; `in_step` runs between its U-Net calls."""
        x, timesteps, context = inputs
        step = make_step(alpha=alpha)
        params = SimpleNamespace(of=self.host, step=step)
        with self.now.steered(self.host, self.session):
            self.now.begin_step(params)
            first = self.unet(x[:2], timesteps[:2], context=context[:2])
            if in_step:
                in_step()
            second = self.unet(x[2:], timesteps[2:], context=context[2:])
            self.now.end_step(params)
        return torch.cat([first, second])

    def check(self, out, inputs, alpha=0.35):
        """Holds what `sampled` gave to the reference."""
        host, step = FakeHost(None), make_step(alpha=alpha)
        assert_close(out, compute_golden(self.unet, host, self.request, *inputs, step))


@pytest.fixture
def sampling_now(monkeypatch, tmp_path):
    fake_modules(monkeypatch, generation_modules(str(tmp_path)))
    with (
        imported_anew("lib_fabric.hosts.automatic1111.generation"),
        imported_anew("lib_fabric.hosts.common.steps") as module,
    ):
        yield module.SamplingNow()


@pytest.mark.parametrize("keeps_states", [True, False])
def test_a_generation_in_the_midst_of_a_step_is_steered_and_so_is_the_step(
    sampling_now, tiny_unet, keeps_states
):
    clean = fingerprint(tiny_unet)
    # As the script has them: one of each for all.
    caches = {"latents": LatentCache(), "states": StateCache(2**30 * keeps_states)}
    outer, inner = (
        Generation(sampling_now, tiny_unet, request, **caches) for request in (OUTER, INNER)
    )
    inputs, inner_inputs, made_inside = make_inputs(4), make_inputs(4, seed=9), []
    for _ in range(2):
        made = outer.sampled(
            inputs, lambda: made_inside.append(inner.sampled(inner_inputs, alpha=0.6))
        )
        assert fingerprint(tiny_unet) == clean
        outer.check(made, inputs)
        inner.check(made_inside[-1], inner_inputs, alpha=0.6)


def test_one_that_fails_in_the_midst_of_a_step_costs_only_itself(sampling_now, tiny_unet):
    clean = fingerprint(tiny_unet)
    outer, inner = (Generation(sampling_now, tiny_unet, each) for each in (OUTER, INNER))

    def fail():
        with (
            pytest.raises(FabricError, match="No"),
            sampling_now.steered(inner.host, inner.session),
        ):
            raise FabricError("No.")

    inputs = make_inputs(4)
    made = outer.sampled(inputs, fail)
    assert fingerprint(tiny_unet) == clean
    outer.check(made, inputs)
