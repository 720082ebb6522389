"""Classifier-free guidance: which rows go through the U-Net, in which order and how often."""

from __future__ import annotations

from collections.abc import Callable

import torch
from modules import prompt_parser, script_args, sd_samplers_common, shared
from modules.script_callbacks import (
    AfterCFGCallbackParams,
    CFGDenoisedParams,
    CFGDenoiserParams,
    cfg_after_cfg_callback,
    cfg_denoised_callback,
    cfg_denoiser_callback,
)
from modules.shared import opts, state


def catenate_conds(conds: list) -> object:
    """Conditionings below each other."""
    if isinstance(conds[0], dict):
        return {key: torch.cat([c[key] for c in conds]) for key in conds[0]}
    return torch.cat(conds)


def subscript_cond(cond: object, a: int, b: int) -> object:
    """Rows a..b of a conditioning."""
    return {k: v[a:b] for k, v in cond.items()} if isinstance(cond, dict) else cond[a:b]


def pad_cond(tensor: torch.Tensor, repeats: int, empty: torch.Tensor) -> torch.Tensor:
    """Appends the empty prompt's tokens `repeats` times."""
    return torch.cat([tensor, empty.repeat(tensor.shape[0], repeats, 1)], dim=1)


class CFGDenoiser(torch.nn.Module):
    """Guided denoiser of a batch of B pictures with Nc conditional rows (more than B with AND).

    Rows are always: the conditional ones, picture by picture, then the B unconditional ones.
    """

    def __init__(self, sampler: object) -> None:
        super().__init__()
        self.model_wrap = None
        self.mask = None
        self.nmask = None
        self.init_latent = None
        self.steps: int | None = None
        self.total_steps: int | None = None
        self.step = 0
        self.image_cfg_scale = None
        self.padded_cond_uncond = False
        self.padded_cond_uncond_v0 = False
        self.sampler = sampler
        self.p = None
        self.cond_scale_miltiplier = 1.0
        self.need_last_noise_uncond = False
        self.last_noise_uncond = None
        self.mask_before_denoising = False

    @property
    def inner_model(self) -> torch.nn.Module:
        """The wrapped model without guidance."""
        raise NotImplementedError

    def combine_denoised(
        self, x_out: torch.Tensor, conds_list: list, uncond: object, cond_scale: float
    ) -> torch.Tensor:
        """Guidance: from the unconditional result towards each conditional one, by weight."""
        base = x_out[-uncond.shape[0] :]
        denoised = base.clone()
        for i, pairs in enumerate(conds_list):
            for row, weight in pairs:
                denoised[i] += (x_out[row] - base[i]) * (weight * cond_scale)
        return denoised

    def get_pred_x0(
        self, x_in: torch.Tensor, x_out: torch.Tensor, sigma: torch.Tensor
    ) -> torch.Tensor:
        """The picture that an output stands for."""
        return x_out

    def update_inner_model(self) -> None:
        """The model was changed in the middle (refiner)."""
        self.model_wrap = None
        cond, uncond = self.p.get_conds()
        self.sampler.sampler_extra_args["cond"] = cond
        self.sampler.sampler_extra_args["uncond"] = uncond

    def pad_cond_uncond(self, cond: torch.Tensor, uncond: torch.Tensor) -> tuple:
        """Setting: both parts as long as the longer, by the empty prompt."""
        empty = shared.sd_model.cond_stage_model_empty_prompt
        missing = (cond.shape[1] - uncond.shape[1]) // empty.shape[1]
        if missing < 0:
            cond = pad_cond(cond, -missing, empty)
        elif missing > 0:
            uncond = pad_cond(uncond, missing, empty)
        self.padded_cond_uncond = self.padded_cond_uncond or missing != 0
        return cond, uncond

    def pad_cond_uncond_v0(self, cond: torch.Tensor, uncond: torch.Tensor) -> tuple:
        """Setting: the negative prompt is cut, or its last token repeated."""
        self.padded_cond_uncond_v0 = True
        missing = cond.shape[1] - uncond.shape[1]
        if missing <= 0:
            return cond, uncond[:, : cond.shape[1]]
        return cond, torch.cat([uncond, uncond[:, -1:].expand(-1, missing, -1)], dim=1)

    def _skips_uncond(self, sigma: torch.Tensor, s_min_uncond: float) -> bool:
        """Early skip or NGMS: this call has no unconditional rows."""
        early = opts.skip_early_cond
        if early != 0.0 and self.step / self.total_steps <= early:
            self.p.extra_generation_params["Skip Early CFG"] = early
            return True
        if (
            (self.step % 2 or opts.s_min_uncond_all)
            and s_min_uncond > 0
            and sigma[0] < s_min_uncond
        ):
            self.p.extra_generation_params["NGMS"] = s_min_uncond
            if opts.s_min_uncond_all:
                self.p.extra_generation_params["NGMS all steps"] = opts.s_min_uncond_all
            return True
        return False

    def _blend(self, latent: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Inpainting: the original outside the mask."""
        blended = latent * self.nmask + self.init_latent * self.mask
        if self.p.scripts is None:
            return blended
        args = (latent, self.nmask, self.init_latent, self.mask, blended)
        mba = script_args.MaskBlendArgs(*args, denoiser=self, sigma=sigma)
        self.p.scripts.on_mask_blend(self.p, mba)
        return mba.blended_latent

    def forward(
        self,
        x: torch.Tensor,
        sigma: torch.Tensor,
        uncond: object,
        cond: object,
        cond_scale: float,
        s_min_uncond: float,
        image_cond: torch.Tensor,
    ) -> torch.Tensor:
        """One guided denoiser call. x: B x 4 x h x w, sigma: B."""
        if state.interrupted or state.skipped:
            raise sd_samplers_common.InterruptedException
        if sd_samplers_common.apply_refiner(self, sigma):
            cond = self.sampler.sampler_extra_args["cond"]
            uncond = self.sampler.sampler_extra_args["uncond"]
        conds_list, text_cond = prompt_parser.reconstruct_multicond_batch(cond, self.step)
        text_uncond = prompt_parser.reconstruct_cond_batch(uncond, self.step)
        if self.mask_before_denoising and self.mask is not None:
            x = self._blend(x, sigma)

        owners = torch.tensor([i for i, pairs in enumerate(conds_list) for _ in pairs])
        x_in, sigma_in, image_in = (torch.cat([t[owners], t]) for t in (x, sigma, image_cond))
        step, steps = state.sampling_step, state.sampling_steps
        params = CFGDenoiserParams(
            x_in, image_in, sigma_in, step, steps, text_cond, text_uncond, self
        )
        cfg_denoiser_callback(params)

        skip = self._skips_uncond(sigma, s_min_uncond)
        x_out = self._run_unet(params, len(conds_list), skip)
        first_rows = [pairs[0][0] for pairs in conds_list]
        if skip:
            x_out = torch.cat([x_out, x_out[first_rows]])
        cfg_denoised_callback(CFGDenoisedParams(x_out, step, steps, self.inner_model))
        if self.need_last_noise_uncond:
            self.last_noise_uncond = x_out[-params.text_uncond.shape[0] :].clone()
        scale = 1.0 if skip else cond_scale * self.cond_scale_miltiplier
        denoised = self.combine_denoised(x_out, conds_list, params.text_uncond, scale)
        if not self.mask_before_denoising and self.mask is not None:
            denoised = self._blend(denoised, sigma)

        self.sampler.last_latent = self.get_pred_x0(params.x[first_rows], x_out[first_rows], sigma)
        sd_samplers_common.store_latent(self.sampler.last_latent)
        after = AfterCFGCallbackParams(denoised, step, steps)
        cfg_after_cfg_callback(after)
        self.step += 1
        return after.x

    def _run_unet(self, params: CFGDenoiserParams, batch_size: int, skip: bool) -> torch.Tensor:
        """All U-Net calls of this denoiser call; the output has a row per row of x."""
        text_cond, text_uncond = params.text_cond, params.text_uncond
        x, sigma, image_cond = params.x, params.sigma, params.image_cond
        if skip:
            x, sigma = x[:-batch_size], sigma[:-batch_size]
        self.padded_cond_uncond = self.padded_cond_uncond_v0 = False
        if text_cond.shape[1] != text_uncond.shape[1]:
            if opts.pad_cond_uncond_v0:
                text_cond, text_uncond = self.pad_cond_uncond_v0(text_cond, text_uncond)
            elif opts.pad_cond_uncond:
                text_cond, text_uncond = self.pad_cond_uncond(text_cond, text_uncond)

        out = torch.zeros_like(x)

        def call(a: int, b: int, text: object) -> None:
            condition = self._condition(text, image_cond[a:b])
            out[a:b] = self.inner_model(x[a:b], sigma[a:b], cond=condition)

        joined = skip or text_cond.shape[1] == text_uncond.shape[1]
        if joined:
            text = text_cond if skip else catenate_conds([text_cond, text_uncond])
            size = len(x) if opts.batch_cond_uncond else batch_size
            self._in_chunks(len(x), size, text, call)
        else:
            # unequal token counts cannot share a call: conditional rows first, then the others
            num_cond = text_cond.shape[0]
            size = batch_size * 2 if opts.batch_cond_uncond else batch_size
            self._in_chunks(num_cond, size, text_cond, call)
            call(len(x) - text_uncond.shape[0], len(x), text_uncond)
        return out

    @staticmethod
    def _in_chunks(count: int, size: int, text: object, call: Callable) -> None:
        for a in range(0, count, size):
            b = min(a + size, count)
            call(a, b, subscript_cond(text, a, b))

    @staticmethod
    def _condition(text: object, image_cond: torch.Tensor) -> dict:
        if isinstance(text, dict):
            return {**text, "c_concat": [image_cond]}
        return {"c_crossattn": [text], "c_concat": [image_cond]}
