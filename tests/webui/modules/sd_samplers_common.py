"""What all samplers share: conversion between pictures and latents, noise, interruption."""

from __future__ import annotations

import inspect
from collections import namedtuple
from collections.abc import Callable

import k_diffusion.sampling
import numpy as np
import torch
import torchsde._brownian.brownian_interval
from modules import devices, sd_models, shared
from modules.script_callbacks import ExtraNoiseParams, extra_noise_callback
from modules.shared import opts, state
from PIL import Image

approximation_indexes = {"Full": 0, "Approx NN": 1, "Approx cheap": 2, "TAESD": 3}

_SamplerData = namedtuple("SamplerData", ["name", "constructor", "aliases", "options"])


class SamplerData(_SamplerData):
    """One entry of the list of samplers."""

    def total_steps(self, steps: int) -> int:
        """Denoiser calls for this many steps."""
        return steps * 2 if self.options.get("second_order", False) else steps


class InterruptedException(BaseException):
    """Ends sampling at once. Not an Exception, so nothing on the way catches it."""


def setup_img2img_steps(p: object, steps: int | None = None) -> tuple[int, int]:
    """Steps of the whole schedule, and the index of the first step that is run, from its end."""
    if opts.img2img_fix_steps or steps is not None:
        wanted = steps or p.steps
        if p.denoising_strength <= 0:
            return 0, wanted - 1
        return int(wanted / min(p.denoising_strength, 0.999)), wanted - 1
    return p.steps, int(min(p.denoising_strength, 0.999) * p.steps)


def samples_to_images_tensor(
    sample: torch.Tensor, approximation: int | None = None, model: object = None
) -> torch.Tensor:
    """Latents B x 4 x h x w to pictures B x 3 x H x W in -1..1; always with the full VAE here."""
    model = shared.sd_model if model is None else model
    with torch.no_grad(), devices.without_autocast():
        return model.decode_first_stage(sample.to(devices.dtype_vae))


def decode_first_stage(model: object, x: torch.Tensor) -> torch.Tensor:
    """Latents to pictures in -1..1."""
    return samples_to_images_tensor(x, approximation_indexes["Full"], model)


def single_sample_to_image(sample: torch.Tensor, approximation: int | None = None) -> Image.Image:
    """One latent to a PIL picture."""
    pixels = samples_to_images_tensor(sample.unsqueeze(0), approximation)[0] * 0.5 + 0.5
    array = 255.0 * np.moveaxis(pixels.clamp(0.0, 1.0).cpu().numpy(), 0, 2)
    return Image.fromarray(array.astype(np.uint8))


def sample_to_image(
    samples: torch.Tensor, index: int = 0, approximation: int | None = None
) -> Image.Image:
    """One latent of a batch to a PIL picture."""
    return single_sample_to_image(samples[index], approximation)


def images_tensor_to_samples(
    image: torch.Tensor, approximation: int | None = None, model: object = None
) -> torch.Tensor:
    """Pictures B x 3 x H x W in 0..1 to scaled latents, one by one. Draws from the global
    generator: the posterior is sampled, as in the host."""
    model = shared.sd_model if model is None else model
    image = image.to(shared.device, dtype=devices.dtype_vae) * 2 - 1
    encoded = [
        model.get_first_stage_encoding(model.encode_first_stage(one.unsqueeze(0)))[0]
        for one in image
    ]
    return torch.stack(encoded)


def store_latent(decoded: torch.Tensor) -> None:
    """Keeps the latent for a live preview."""
    state.current_latent = decoded


def is_sampler_using_eta_noise_seed_delta(p: object) -> bool:
    """Whether the sampler draws noise at every step."""
    from modules import sd_samplers

    config = sd_samplers.find_sampler_config(p.sampler_name)
    eta = p.eta if p.eta is not None else getattr(p.sampler, "eta", None)
    return eta != 0 and config.options.get("uses_ensd", False)


def _torchsde_randn(
    size: tuple, dtype: torch.dtype, device: torch.device, seed: int
) -> torch.Tensor:
    return devices.randn_local(seed, size).to(device=device, dtype=dtype)


torchsde._brownian.brownian_interval._randn = _torchsde_randn


def apply_refiner(cfg_denoiser: object, sigma: torch.Tensor | None = None) -> bool:
    """Changes to the refiner's checkpoint once its share of the schedule begins."""
    p = cfg_denoiser.p
    info = p.refiner_checkpoint_info
    if info is None or shared.sd_model.sd_checkpoint_info == info:
        return False
    if p.refiner_switch_at is not None and _progress(cfg_denoiser, sigma) < p.refiner_switch_at:
        return False
    if getattr(p, "enable_hr", False):
        only = opts.hires_fix_refiner_pass
        if (only == "first pass" and p.is_hr_pass) or (only == "second pass" and not p.is_hr_pass):
            return False
    p.extra_generation_params["Refiner"] = info.short_title
    p.extra_generation_params["Refiner switch at"] = p.refiner_switch_at
    with sd_models.SkipWritingToConfig():
        sd_models.reload_model_weights(info=info)
    p.setup_conds()
    cfg_denoiser.update_inner_model()
    return True


def _progress(cfg_denoiser: object, sigma: torch.Tensor | None) -> float:
    """0 at the start, 1 at the end; by noise level unless a setting says by steps."""
    if opts.refiner_switch_by_sample_steps or sigma is None:
        return cfg_denoiser.step / cfg_denoiser.total_steps
    sigmas = getattr(cfg_denoiser.inner_model, "sigmas", None)
    if sigmas is None:  # samplers on timesteps
        return float(999 - sigma.max().int()) / 1000
    return float(999 - (sigmas.to(sigma.device) - sigma.max()).abs().argmin()) / 1000


def with_extra_noise(
    p: object, noise: torch.Tensor, x: torch.Tensor, xi: torch.Tensor, level: float = 1.0
) -> torch.Tensor:
    """`xi` with img2img's extra noise, if a setting asks for some, times `level`."""
    if opts.img2img_extra_noise <= 0:
        return xi
    p.extra_generation_params["Extra noise"] = opts.img2img_extra_noise
    extra = ExtraNoiseParams(noise, x, xi)
    extra_noise_callback(extra)
    return xi + extra.noise * opts.img2img_extra_noise * level


class TorchHijack:
    """Stands for `torch` inside k-diffusion: `randn_like` takes the pictures' own noise, so that
    a batch equals single pictures."""

    def __init__(self, p: object) -> None:
        self.rng = p.rng

    def __getattr__(self, item: str) -> object:
        return getattr(torch, item)

    def randn_like(self, x: torch.Tensor) -> torch.Tensor:
        """The next noise of the batch."""
        return self.rng.next()


class Sampler:
    """Base class: parameters, interruption, infotext."""

    def __init__(self, funcname: str | Callable) -> None:
        self.funcname = funcname
        self.func = funcname
        self.extra_params: list[str] = []
        self.sampler_noises = None
        self.stop_at = None
        self.eta: float | None = None
        self.config: SamplerData | None = None
        self.last_latent: torch.Tensor | None = None
        self.s_min_uncond: float | None = None
        self.eta_option_field = "eta_ancestral"
        self.eta_infotext_field = "Eta"
        self.eta_default = 1.0
        self.conditioning_key = getattr(shared.sd_model.model, "conditioning_key", "crossattn")
        self.p = None
        self.model_wrap_cfg = None
        self.sampler_extra_args: dict | None = None
        self.options: dict = {}

    def callback_state(self, d: dict) -> None:
        """Called by the sampling function after each step."""
        if self.stop_at is not None and d["i"] > self.stop_at:
            raise InterruptedException
        state.sampling_step = d["i"]
        shared.total_tqdm.update()

    def launch_sampling(self, steps: int, func: Callable[[], torch.Tensor]) -> torch.Tensor:
        """Runs; when interrupted, the last latent is the result."""
        self.model_wrap_cfg.steps = steps
        self.model_wrap_cfg.total_steps = self.config.total_steps(steps)
        state.sampling_steps = steps
        state.sampling_step = 0
        try:
            return func()
        except InterruptedException:
            return self.last_latent

    def number_of_needed_noises(self, p: object) -> int:
        """Noises drawn at most."""
        return p.steps

    def initialize(self, p: object) -> dict[str, object]:
        """Binds to a job; returns the optional arguments of the sampling function."""
        self.p = self.model_wrap_cfg.p = p
        self.model_wrap_cfg.mask = getattr(p, "mask", None)
        self.model_wrap_cfg.nmask = getattr(p, "nmask", None)
        self.model_wrap_cfg.step = 0
        self.model_wrap_cfg.image_cfg_scale = getattr(p, "image_cfg_scale", None)
        self.eta = p.eta if p.eta is not None else getattr(opts, self.eta_option_field, 0.0)
        self.s_min_uncond = getattr(p, "s_min_uncond", 0.0)
        k_diffusion.sampling.torch = TorchHijack(p)
        known = inspect.signature(self.func).parameters
        found = {n: getattr(p, n) for n in self.extra_params if n in known and hasattr(p, n)}
        for name, label in (("s_churn", "churn"), ("s_noise", "noise")):
            if name in found and found[name] != opts.get_default(name):
                p.extra_generation_params[f"Sigma {label}"] = found[name]
        if "eta" in known:
            found["eta"] = self.eta
            if self.eta != self.eta_default:
                p.extra_generation_params[self.eta_infotext_field] = self.eta
        return found

    def run(
        self, p: object, x: torch.Tensor, steps: int, args: dict, cond: object, uncond: object,
        image_cond: object,
    ) -> torch.Tensor:  # fmt: skip
        """Calls the sampling function with `args`, those of the denoiser and what all take."""
        self.sampler_extra_args = {
            "cond": cond,
            "image_cond": image_cond,
            "uncond": uncond,
            "cond_scale": p.cfg_scale,
            "s_min_uncond": self.s_min_uncond,
        }
        samples = self.launch_sampling(
            steps,
            lambda: self.func(
                self.model_wrap_cfg,
                x,
                extra_args=self.sampler_extra_args,
                disable=shared.cmd_opts.quiet,
                callback=self.callback_state,
                **args,
            ),
        )
        self.add_infotext(p)
        return samples

    def create_noise_sampler(
        self, x: torch.Tensor, sigmas: torch.Tensor, p: object
    ) -> k_diffusion.sampling.BrownianTreeNoiseSampler | None:
        """For SDE samplers: one Brownian tree per picture, by seed."""
        if opts.no_dpmpp_sde_batch_determinism:
            return None
        seeds = p.all_seeds[p.iteration * p.batch_size : (p.iteration + 1) * p.batch_size]
        low, high = sigmas[sigmas > 0].min(), sigmas.max()
        return k_diffusion.sampling.BrownianTreeNoiseSampler(x, low, high, seed=seeds)

    def sample(
        self,
        p: object,
        x: torch.Tensor,
        conditioning: object,
        unconditional_conditioning: object,
        steps: int | None = None,
        image_conditioning: object = None,
    ) -> torch.Tensor:
        """Noise to latents."""
        raise NotImplementedError

    def sample_img2img(
        self,
        p: object,
        x: torch.Tensor,
        noise: torch.Tensor,
        conditioning: object,
        unconditional_conditioning: object,
        steps: int | None = None,
        image_conditioning: object = None,
    ) -> torch.Tensor:
        """Latents, noised, to latents."""
        raise NotImplementedError

    def add_infotext(self, p: object) -> None:
        """Notes what the denoiser did to the conditionings."""
        if self.model_wrap_cfg.padded_cond_uncond:
            p.extra_generation_params["Pad conds"] = True
        if self.model_wrap_cfg.padded_cond_uncond_v0:
            p.extra_generation_params["Pad conds v0"] = True
