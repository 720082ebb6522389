"""AUTOMATIC1111's adapter with its model on a device of its own, for each kind of checkpoint."""

from __future__ import annotations

import gc
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from lib_fabric.steering.latents import LatentCache
from lib_fabric.steering.session import FabricSession
from tests.helpers.copies import copy_module
from tests.helpers.denoising import assert_close, compute_golden, make_request
from tests.helpers.device_host import SECOND, ours
from tests.helpers.fake_generation import CFGDenoiserTimesteps
from tests.helpers.model_zoo import FAMILIES, SD1, make_inputs, make_unet

CPU = torch.device("cpu")
SIZE_LATENT = (6, 8)
# Without further inputs, with one that is made here, with one that is encoded and a vector.
NAMES = ("SD1", "SD2 depth", "SDXL inpainting")
CHECKED = [family for family in FAMILIES if family.name in NAMES]
GENERATION = "lib_fabric/hosts/automatic1111/generation.py"
PROCESSING = "lib_fabric/hosts/common/processing.py"


class TinyVae(nn.Module):
    """Encodes as SDXL's: a sample."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.encoder = nn.Conv2d(3, 4, 8, stride=8)
        for each in self.encoder.parameters():
            each.data = 0.2 * torch.randn(each.shape, generator=generator)

    def encode(self, pixels):
        return self.encoder(pixels)


class Model(SimpleNamespace):
    """The host's model, as far as it is looked at; low-memory modes move its parts."""

    def encode_first_stage(self, pixels):
        if self.moves_vae:
            self.first_stage_model.to(pixels.device)
        encoded = self.first_stage_model.encode(pixels)
        if self.moves_vae:
            self.first_stage_model.to(CPU)
        return encoded

    def get_first_stage_encoding(self, latents):
        return 0.5 * latents

    def get_learned_conditioning(self, prompts):
        generator = torch.Generator().manual_seed(11)
        context = torch.randn(len(prompts), 7, 16, generator=generator).to(self.device)
        if not self.vector_channels:
            return context
        vector = torch.randn(len(prompts), self.vector_channels, generator=generator)
        return {"crossattn": context, "vector": vector.to(self.device)}


def make_model(family, device, moves_vae=False):
    vae, unet = TinyVae(), make_unet(family).to(device)
    if not moves_vae:
        vae.to(device)
    unet.in_channels = family.in_channels
    return Model(
        model=SimpleNamespace(diffusion_model=unet),
        first_stage_model=vae,
        alphas_cumprod=torch.linspace(0.99, 0.01, 1000).to(device),
        device=device,
        vector_channels=family.vector_channels,
        moves_vae=moves_vae,
    )


class Adapted:
    """The adapter over one model, and the denoiser calls of its host."""

    def __init__(self, host, family, device, moves_vae=False, denoiser=None):
        host.fakes["devices"].device = device
        host.fakes["devices"].torch_gc = lambda: None
        host.fakes["shared"].loaded_hypernetworks = []
        self.family, self.device = family, device
        self.model = make_model(family, device, moves_vae)
        self.denoiser = denoiser or nn.Module()
        self.denoiser.step, self.denoiser.total_steps = 0, 20
        p = SimpleNamespace(
            sd_model=self.model, seeds=[5, 6], sampler=SimpleNamespace(model_wrap_cfg=self.denoiser)
        )
        self.host = host.WebuiHost(p)

    def params(self, inputs, sigma):
        return SimpleNamespace(
            sigma=torch.full((len(inputs.x),), sigma, device=self.device),
            x=inputs.x[:, :4],
            text_cond=inputs.context[:2],
            total_sampling_steps=20,
        )

    def step(self, session, inputs, sigma):
        """One call of the denoiser."""
        params = self.params(inputs, sigma)
        session.begin_step(lambda: self.host.begin_step(params))
        out = inputs.call(self.model.model.diffusion_model, self.family)
        self.host.end_step()
        session.end_step()
        self.denoiser.step += 1
        return out


def make_rows(family):
    return make_inputs(family, 2 * (1 + family.num_uncond_per_cond), SIZE_LATENT)


def golden_of(host, family, request, inputs, sigma):
    """The same on the cpu, in float64."""
    adapted = Adapted(host, family, CPU)
    step = adapted.host.begin_step(adapted.params(inputs, sigma))
    unet = adapted.model.model.diffusion_model
    golden = compute_golden(
        copy_module(unet), adapted.host, request, inputs.x, inputs.timesteps, inputs.context, step,
        inputs.y,
    )  # fmt: skip
    host.fakes["devices"].device = SECOND
    return golden


@pytest.mark.parametrize(
    ("family", "moves_vae"),
    [(family, family.vector_channels > 0) for family in CHECKED],
    ids=str,
)
def test_every_kind_of_checkpoint(host, device, family, moves_vae):
    """Their concat, vector and depth inputs too. Steps read the noise level, and nothing else."""
    request, rows = make_request((0.6, 1.4), (1.7,)), make_rows(family)
    golden = golden_of(host, family, request, rows, 2.0)
    adapted = Adapted(host, family, SECOND, moves_vae)
    session = FabricSession(request, adapted.host, LatentCache())
    inputs = rows.to(SECOND)
    with session.installed():
        for number in range(2):
            device.start_counting()
            out = adapted.step(session, inputs, 2.0)
            assert number == 0 or ours(device.transfers) == {}
    assert ours(device.read_backs) == {f"_local_scalar_dense at {GENERATION}:begin_step": 1}
    assert_close(out.cpu(), golden)


def test_a_pass_reads_little_when_it_begins(host, device):
    """Each is named here: what else is read at a beginning is a fault."""
    request = make_request((0.6, 1.4), (1.7,))
    adapted = Adapted(host, SD1, SECOND)
    session = FabricSession(request, adapted.host, LatentCache())
    with session.installed():
        inputs = make_rows(SD1).to(SECOND)
        device.start_counting()
        adapted.step(session, inputs, 2.0)
    num_pictures = 3
    assert ours(device.read_backs) == {
        f"_local_scalar_dense at {GENERATION}:begin_step": 1,
        "copy at lib_fabric/hosts/common/weights.py:encoder_fingerprint": 1,
        f"_local_scalar_dense at {PROCESSING}:encode": num_pictures,
        "copy at lib_fabric/steering/latents.py:latent": num_pictures,
        "copy at lib_fabric/hosts/common/reference_pass.py:key": 1,
    }


def test_timestep_samplers_read_the_schedule_once(host, device):
    adapted = Adapted(host, SD1, SECOND, denoiser=CFGDenoiserTimesteps())
    session = FabricSession(make_request(), adapted.host, LatentCache())
    inputs = make_rows(SD1).to(SECOND)
    with session.installed():
        for _ in range(2):
            device.start_counting()
            adapted.step(session, inputs, 500.0)
    assert ours(device.read_backs) == {f"_local_scalar_dense at {GENERATION}:begin_step": 1}


def test_nothing_is_left_on_the_device(host, device):
    adapted = Adapted(host, SD1, SECOND)
    latents, inputs = LatentCache(), make_rows(SD1).to(SECOND)
    gc.collect()
    before = device.live_bytes
    session = FabricSession(make_request(), adapted.host, latents)
    with session.installed():
        adapted.step(session, inputs, 2.0)
    gc.collect()
    assert device.live_bytes == before
