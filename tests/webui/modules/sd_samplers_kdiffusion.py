"""k-diffusion's samplers."""

from __future__ import annotations

import inspect

import k_diffusion.external
import k_diffusion.sampling
import torch
from modules import devices, sd_samplers_cfg_denoiser, sd_samplers_common, sd_schedulers, shared
from modules.sd_samplers_cfg_denoiser import CFGDenoiser  # noqa: F401  (importable from here)
from modules.shared import opts

_KARRAS = {"scheduler": "karras"}
_SECOND = {"second_order": True}
_BROWNIAN = {"scheduler": "exponential", "brownian_noise": True}
_DPM2 = {**_KARRAS, **_SECOND, "discard_next_to_last_sigma": True}

samplers_k_diffusion = [
    ("DPM++ 2M", "sample_dpmpp_2m", ["k_dpmpp_2m"], _KARRAS),
    (
        "DPM++ SDE",
        "sample_dpmpp_sde",
        ["k_dpmpp_sde"],
        {**_KARRAS, **_SECOND, "brownian_noise": True},
    ),
    ("DPM++ 2M SDE", "sample_dpmpp_2m_sde", ["k_dpmpp_2m_sde"], _BROWNIAN),
    (
        "DPM++ 2M SDE Heun",
        "sample_dpmpp_2m_sde",
        ["k_dpmpp_2m_sde_heun"],
        {**_BROWNIAN, "solver_type": "heun"},
    ),
    (
        "DPM++ 2S a",
        "sample_dpmpp_2s_ancestral",
        ["k_dpmpp_2s_a"],
        {**_KARRAS, **_SECOND, "uses_ensd": True},
    ),
    (
        "DPM++ 3M SDE",
        "sample_dpmpp_3m_sde",
        ["k_dpmpp_3m_sde"],
        {**_BROWNIAN, "discard_next_to_last_sigma": True},
    ),
    (
        "Euler a",
        "sample_euler_ancestral",
        ["k_euler_a", "k_euler_ancestral"],
        {"uses_ensd": True},
    ),
    ("Euler", "sample_euler", ["k_euler"], {}),
    ("LMS", "sample_lms", ["k_lms"], {}),
    ("Heun", "sample_heun", ["k_heun"], _SECOND),
    ("DPM2", "sample_dpm_2", ["k_dpm_2"], _DPM2),
    ("DPM2 a", "sample_dpm_2_ancestral", ["k_dpm_2_a"], {**_DPM2, "uses_ensd": True}),
    ("DPM fast", "sample_dpm_fast", ["k_dpm_fast"], {"uses_ensd": True}),
    ("DPM adaptive", "sample_dpm_adaptive", ["k_dpm_ad"], {"uses_ensd": True}),
]

_CHURN = ["s_churn", "s_tmin", "s_tmax", "s_noise"]
sampler_extra_params = {
    "sample_euler": _CHURN,
    "sample_heun": _CHURN,
    "sample_dpm_2": _CHURN,
    "sample_dpm_fast": ["s_noise"],
    "sample_dpm_2_ancestral": ["s_noise"],
    "sample_dpmpp_2s_ancestral": ["s_noise"],
    "sample_dpmpp_sde": ["s_noise"],
    "sample_dpmpp_2m_sde": ["s_noise"],
    "sample_dpmpp_3m_sde": ["s_noise"],
}

samplers_data_k_diffusion = [
    sd_samplers_common.SamplerData(
        label, lambda model, funcname=funcname: KDiffusionSampler(funcname, model), aliases, options
    )
    for label, funcname, aliases, options in samplers_k_diffusion
]
k_diffusion_samplers_map = {x.name: x for x in samplers_data_k_diffusion}
k_diffusion_scheduler = {x.name: x.function for x in sd_schedulers.schedulers}


class CFGDenoiserKDiffusion(sd_samplers_cfg_denoiser.CFGDenoiser):
    """Guidance around k-diffusion's wrapper of the model; sigma is k-diffusion's."""

    @property
    def inner_model(self) -> torch.nn.Module:
        """The model as a denoiser of x + sigma * noise."""
        if self.model_wrap is None:
            is_v = shared.sd_model.parameterization == "v"
            external = k_diffusion.external
            wrapper = external.CompVisVDenoiser if is_v else external.CompVisDenoiser
            self.model_wrap = wrapper(shared.sd_model, quantize=opts.enable_quantization)
        return self.model_wrap


class KDiffusionSampler(sd_samplers_common.Sampler):
    """Any of k-diffusion's sampling functions."""

    def __init__(self, funcname: str, sd_model: object, options: dict | None = None) -> None:
        super().__init__(funcname)
        self.extra_params = sampler_extra_params.get(funcname, [])
        self.options = options or {}
        self.func = getattr(k_diffusion.sampling, funcname)
        self.model_wrap_cfg = CFGDenoiserKDiffusion(self)
        self.model_wrap = self.model_wrap_cfg.inner_model

    def get_sigmas(self, p: object, steps: int) -> torch.Tensor:
        """The noise levels, steps + 1 of them, the last 0."""
        discard = self.config.options.get("discard_next_to_last_sigma", False)
        if opts.always_discard_next_to_last_sigma and not discard:
            discard = True
            p.extra_generation_params["Discard penultimate sigma"] = True
        sigmas = self._scheduled(p, steps + 1 if discard else steps)
        return torch.cat([sigmas[:-2], sigmas[-1:]]) if discard else sigmas

    def _scheduled(self, p: object, steps: int) -> torch.Tensor:
        if p.sampler_noise_scheduler_override:
            return p.sampler_noise_scheduler_override(steps).cpu()
        name = (p.hr_scheduler if p.is_hr_pass else p.scheduler) or "Automatic"
        if name == "Automatic":
            name = self.config.options.get("scheduler")
        scheduler = sd_schedulers.schedulers_map.get(name)
        if scheduler is None or scheduler.function is None:
            return self.model_wrap.get_sigmas(steps).cpu()
        params = p.extra_generation_params
        if not p.is_hr_pass:
            params["Schedule type"] = scheduler.label
        elif scheduler.label != params.get("Schedule type"):
            params["Hires schedule type"] = scheduler.label
        known = self.model_wrap.sigmas
        args = {
            "sigma_min": opts.sigma_min or known[0].item(),
            "sigma_max": opts.sigma_max or known[-1].item(),
        }
        if scheduler.default_rho != -1 and opts.rho:
            args["rho"] = opts.rho
        if scheduler.need_inner_model:
            args["inner_model"] = self.model_wrap
        return scheduler.function(n=steps, **args, device=devices.cpu).cpu()

    def _arguments(self, p: object, sigmas: torch.Tensor, x: torch.Tensor) -> dict:
        """Arguments of the sampling function, by what it takes."""
        args = self.initialize(p)
        known = inspect.signature(self.func).parameters
        if "n" in known:
            args["n"] = len(sigmas) - 1
        if "sigma_min" in known:
            args["sigma_min"], args["sigma_max"] = sigmas[-2].item(), sigmas[0].item()
        if "sigmas" in known:
            args["sigmas"] = sigmas
        if self.config.options.get("brownian_noise", False):
            args["noise_sampler"] = self.create_noise_sampler(x, sigmas, p)
        if self.config.options.get("solver_type") == "heun":
            args["solver_type"] = "heun"
        return args

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
        """From latents: noise is added and the last part of the schedule run."""
        steps, t_enc = sd_samplers_common.setup_img2img_steps(p, steps)
        sigmas = self.get_sigmas(p, steps)
        part = sigmas[steps - t_enc - 1 :]
        xi = x + noise * part[0]
        xi = sd_samplers_common.with_extra_noise(p, noise, x, xi)
        args = self._arguments(p, part, x)
        if "noise_sampler" in args:  # the tree spans the whole schedule
            args["noise_sampler"] = self.create_noise_sampler(x, sigmas, p)
        self.model_wrap_cfg.init_latent = self.last_latent = x
        conds = conditioning, unconditional_conditioning, image_conditioning
        return self.run(p, xi, t_enc + 1, args, *conds)

    def sample(
        self,
        p: object,
        x: torch.Tensor,
        conditioning: object,
        unconditional_conditioning: object,
        steps: int | None = None,
        image_conditioning: object = None,
    ) -> torch.Tensor:
        """From noise of variance 1."""
        steps = steps or p.steps
        sigmas = self.get_sigmas(p, steps)
        if opts.sgm_noise_multiplier:
            p.extra_generation_params["SGM noise multiplier"] = True
            x = x * torch.sqrt(1.0 + sigmas[0] ** 2.0)
        else:
            x = x * sigmas[0]
        args = self._arguments(p, sigmas, x)
        if "sigma_min" in args:
            known = self.model_wrap.sigmas
            args["sigma_min"], args["sigma_max"] = known[0].item(), known[-1].item()
        self.last_latent = x
        conds = conditioning, unconditional_conditioning, image_conditioning
        return self.run(p, x, steps, args, *conds)
