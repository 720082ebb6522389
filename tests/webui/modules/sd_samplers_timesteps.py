"""Samplers that count in timesteps: DDIM, DDIM CFG++ and PLMS."""

from __future__ import annotations

import inspect
import sys

import torch
from modules import devices, sd_samplers_common, shared
from modules import sd_samplers_timesteps_impl as impl
from modules.sd_samplers_cfg_denoiser import CFGDenoiser
from modules.shared import opts

samplers_timesteps = [
    ("DDIM", impl.ddim, ["ddim"], {}),
    ("DDIM CFG++", impl.ddim_cfgpp, ["ddim_cfgpp"], {}),
    ("PLMS", impl.plms, ["plms"], {}),
]
samplers_data_timesteps = [
    sd_samplers_common.SamplerData(
        label, lambda model, funcname=funcname: CompVisSampler(funcname, model), aliases, options
    )
    for label, funcname, aliases, options in samplers_timesteps
]


class CompVisTimestepsDenoiser(torch.nn.Module):
    """The model as it is: noise from (latent, timestep)."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.inner_model = model

    def forward(
        self, input: torch.Tensor, timesteps: torch.Tensor, **kwargs: object
    ) -> torch.Tensor:
        """Predicted noise."""
        return self.inner_model.apply_model(input, timesteps, **kwargs)


class CFGDenoiserTimesteps(CFGDenoiser):
    """Guidance on predicted noise; its `sigma` is the timestep."""

    def __init__(self, sampler: object) -> None:
        super().__init__(sampler)
        self.alphas = shared.sd_model.alphas_cumprod
        self.mask_before_denoising = True

    def get_pred_x0(
        self, x_in: torch.Tensor, x_out: torch.Tensor, sigma: torch.Tensor
    ) -> torch.Tensor:
        """The picture that a predicted noise stands for."""
        alpha = self.alphas[sigma.to(dtype=int)][:, None, None, None]
        return (x_in - (1 - alpha).sqrt() * x_out) / alpha.sqrt()

    @property
    def inner_model(self) -> torch.nn.Module:
        """The wrapped model."""
        if self.model_wrap is None:
            self.model_wrap = CompVisTimestepsDenoiser(shared.sd_model)
        return self.model_wrap


class CompVisSampler(sd_samplers_common.Sampler):
    """Any of the sampling functions of `sd_samplers_timesteps_impl`."""

    def __init__(self, funcname: object, sd_model: object) -> None:
        super().__init__(funcname)
        self.eta_option_field = "eta_ddim"
        self.eta_infotext_field = "Eta DDIM"
        self.eta_default = 0.0
        self.model_wrap_cfg = CFGDenoiserTimesteps(self)
        self.model_wrap = self.model_wrap_cfg.inner_model

    def get_timesteps(self, p: object, steps: int) -> torch.Tensor:
        """Rising timesteps; the first is never used as a start."""
        steps += bool(opts.always_discard_next_to_last_sigma)
        stops = torch.arange(0, 1000, 1000 // steps, device=devices.device)
        return (stops + 1).clip(0, 999)

    def _arguments(self, p: object, timesteps: torch.Tensor) -> dict:
        """Arguments of the sampling function, by what it takes."""
        args = self.initialize(p)
        if "timesteps" in inspect.signature(self.func).parameters:
            args["timesteps"] = timesteps
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
        timesteps = self.get_timesteps(p, steps)
        alpha = shared.sd_model.alphas_cumprod[timesteps[t_enc]]
        xi = x * alpha.sqrt() + noise * (1 - alpha).sqrt()
        xi = sd_samplers_common.with_extra_noise(p, noise, x, xi, alpha.sqrt())
        args = self._arguments(p, timesteps[:t_enc])
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
        args = self._arguments(p, self.get_timesteps(p, steps))
        self.last_latent = x
        conds = conditioning, unconditional_conditioning, image_conditioning
        return self.run(p, x, steps, args, *conds)


sys.modules["modules.sd_samplers_compvis"] = sys.modules[__name__]
VanillaStableDiffusionSampler = CompVisSampler
