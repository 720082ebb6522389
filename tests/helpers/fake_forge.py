"""Forge as far as its adapter sees it: models with its signatures, and a denoiser with its order.

The U-Net is our own small one. What it returns is compared, not what a sampler makes of it.
"""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, scaled_dot_product_attention

from lib_fabric.hosts.common.blocks import find_blocks
from tests.helpers.fake_generation import InterruptedException, SdConditioning
from tests.helpers.fake_host import FakeHost
from tests.helpers.tiny_unet import IN_CHANNELS, SIZE_LATENT, make_tiny_unet

COND, UNCOND = 0, 1
SIGMA = 1.25
TIMESTEP = 500.0


class CrossAttention(nn.Module):
    """No `scale`; values may be another extension's; the call's options come along in Forge."""

    def __init__(self, own):
        super().__init__()
        self.to_q, self.to_k, self.to_v, self.to_out = own.to_q, own.to_k, own.to_v, own.to_out
        self.heads = own.heads

    def forward(self, x, context=None, value=None, mask=None, transformer_options=None):
        context = x if context is None else context
        value = context if value is None else value
        q, k, v = self.to_q(x), self.to_k(context), self.to_v(value)
        q, k, v = (each.unflatten(-1, (self.heads, -1)).transpose(1, 2) for each in (q, k, v))
        out = scaled_dot_product_attention(q, k, v)
        return self.to_out(out.transpose(1, 2).flatten(2))


class Unet(nn.Module):
    """Called with `transformer_options`; uses up ControlNet's outputs, as Forge's does."""

    def __init__(self, unet=None):
        super().__init__()
        self.inner = unet or make_tiny_unet()
        self.in_channels, self.model_channels = IN_CHANNELS, self.inner.model_channels
        for block in list(find_blocks(self.inner)):
            block.attn1 = CrossAttention(block.attn1)

    def forward(
        self, x, timesteps=None, context=None, y=None, control=None, transformer_options=None
    ):
        out = self.inner(x, timesteps, context=context)
        for outputs in (control or {}).values():
            out = out + outputs.pop()
        return out


class Prediction:
    """Of a model that predicts the noise."""

    def calculate_input(self, sigma, noise):
        return noise / (sigma.view(-1, 1, 1, 1) ** 2 + 1) ** 0.5


class FlowPrediction:
    """Of a rectified flow."""

    def calculate_input(self, sigma, noise):
        return noise


class KModel(nn.Module):
    """Around the U-Net."""

    def __init__(self, unet, prediction=None):
        super().__init__()
        self.diffusion_model = unet
        self.predictor = prediction or Prediction()

    def apply_model(self, x, sigma, c_crossattn, transformer_options, control=None):
        """Returns what the U-Net does."""
        x = self.predictor.calculate_input(sigma, x)
        timesteps = torch.full((len(x),), TIMESTEP)
        return self.diffusion_model(
            x, timesteps, context=c_crossattn, control=control,
            transformer_options=transformer_options,
        )  # fmt: skip


class FirstStage(nn.Module):
    """As far as its weights are looked at."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Conv2d(3, 8, 3), nn.Conv2d(4, 3, 3)


class Engine:
    """The host's model; encodes as FakeHost, so that the reference knows its latents."""

    def __init__(self, unet=None, prediction=None, name="model.safetensors"):
        patcher = SimpleNamespace(
            model=KModel(unet or Unet(), prediction), extra_preserved_memory_during_sampling=0
        )
        vae = SimpleNamespace(first_stage_model=FirstStage(), latent_channels=4)
        self.forge_objects = SimpleNamespace(unet=patcher, vae=vae)
        self.sd_checkpoint_info = SimpleNamespace(filename=name)
        self.current_lora_hash = "[]"
        self.encoded_sizes = []

    @property
    def unet(self):
        return self.forge_objects.unet.model.diffusion_model

    def encode_first_stage(self, x):
        self.encoded_sizes.append(tuple(x.shape[2:]))
        torch.randn(3)  # the host samples what it encodes
        return avg_pool2d(torch.cat([x, x[:, :1]], dim=1), 8)

    def get_first_stage_encoding(self, x):
        return x

    def get_learned_conditioning(self, prompts):
        assert isinstance(prompts, SdConditioning)
        assert prompts.is_negative_prompt
        return FakeHost(None).null_conditioning(None).context


class Processing:
    """The host's processing object, as far as it is looked at."""

    def __init__(self, engine=None, batch=2, is_api=True):
        self.sd_model = engine or Engine()
        self.seeds = [21 + index for index in range(batch)]
        self.is_api, self.is_hr_pass = is_api, False
        self.comments, self.extra_generation_params = [], {}
        self.cfg_scale = 7.0
        self.sampler = SimpleNamespace(model_wrap_cfg=SimpleNamespace(p=self))
        self.sampler.model_wrap_cfg.step, self.sampler.model_wrap_cfg.total_steps = 6, 20

    def comment(self, text):
        self.comments.append(text)


def forge_modules():
    """What `fake_modules` needs for lib_fabric.hosts.forge.generation; notes in `loaded` which
    patchers the host was asked to load again."""
    loaded = []
    return {
        "devices": {"torch_gc": lambda: None},
        "paths_internal": {"data_path": ""},
        "prompt_parser": {"SdConditioning": SdConditioning},
        "sd_models": {"model_data": SimpleNamespace(forge_hash="as loaded")},
        "sd_samplers_common": {
            "InterruptedException": InterruptedException,
            "sampling_prepare": lambda unet, x: loaded.append((unet, tuple(x.shape))),
            "loaded": loaded,
        },
        "shared": {
            "opts": SimpleNamespace(),
            "state": SimpleNamespace(interrupted=False, skipped=False, textinfo=None),
        },
    }


def announce(p, x, sampling_now):
    """The denoiser's callback before its U-Net calls."""
    params = SimpleNamespace(
        x=x, sigma=torch.full((len(x),), SIGMA), total_sampling_steps=20,
        denoiser=p.sampler.model_wrap_cfg,
    )  # fmt: skip
    sampling_now.begin_step(params)


def end(x, sampling_now):
    """That after them, which says nothing of whose it is."""
    sampling_now.end_step(SimpleNamespace(x=x))


def call(p, x, contexts, kinds, **options):
    """One U-Net call with a chunk of all pictures for each of `kinds`.

    contexts: for each kind those that are taken in turn, `[B, tokens, channels]`.
    """
    control = options.pop("control", None)
    left = {kind: list(each) for kind, each in contexts.items()}
    context = torch.cat([left[kind].pop(0) for kind in kinds])
    sigma = torch.full((len(x),), SIGMA)
    options |= {"cond_or_uncond": list(kinds), "sigmas": sigma}
    model = p.sd_model.forge_objects.unet.model
    return model.apply_model(
        torch.cat([x] * len(kinds)), sigma.repeat(len(kinds)), context, options, control
    )


def make_latents(batch=2, size=SIZE_LATENT, seed=5):
    """Noisy latents as a sampler has them, and contexts of two prompts and a negative one."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, 4, *size, generator=generator) * (SIGMA**2 + 1) ** 0.5
    contexts = [torch.randn(batch, 5, 16, generator=generator) for _ in range(3)]
    return x, {COND: contexts[:2], UNCOND: contexts[2:]}
