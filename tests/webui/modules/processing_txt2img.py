"""txt2img, with hires fix."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from modules import (
    devices,
    extra_networks,
    images,
    lowvram,
    rng,
    sd_models,
    sd_samplers,
    shared,
)
from modules.processing_base import StableDiffusionProcessing
from modules.processing_util import DecodedSamples, decode_latent_batch, hires_size, opt_f
from modules.sd_samplers_common import images_tensor_to_samples
from modules.shared import opts, state
from PIL import Image


@dataclass(repr=False)
class StableDiffusionProcessingTxt2Img(StableDiffusionProcessing):
    """Pictures from noise; with `enable_hr` enlarged and sampled again."""

    enable_hr: bool = False
    denoising_strength: float = 0.75
    firstphase_width: int = 0
    firstphase_height: int = 0
    hr_scale: float = 2.0
    hr_upscaler: str = None
    hr_second_pass_steps: int = 0
    hr_resize_x: int = 0
    hr_resize_y: int = 0
    hr_checkpoint_name: str = None
    hr_sampler_name: str = None
    hr_scheduler: str = None
    hr_prompt: str = ""
    hr_negative_prompt: str = ""
    force_task_id: str = None

    cached_hr_uc: ClassVar[list] = [None, None]
    cached_hr_c: ClassVar[list] = [None, None]
    hr_checkpoint_info: object = field(default=None, init=False)
    hr_upscale_to_x: int = field(default=0, init=False)
    hr_upscale_to_y: int = field(default=0, init=False)
    truncate_x: int = field(default=0, init=False)
    truncate_y: int = field(default=0, init=False)
    applied_old_hires_behavior_to: tuple = field(default=None, init=False)
    latent_scale_mode: dict = field(default=None, init=False)
    hr_c: object = field(default=None, init=False)
    hr_uc: object = field(default=None, init=False)
    all_hr_prompts: list = field(default=None, init=False)
    all_hr_negative_prompts: list = field(default=None, init=False)
    hr_prompts: list = field(default=None, init=False)
    hr_negative_prompts: list = field(default=None, init=False)
    hr_extra_network_data: dict = field(default=None, init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.firstphase_width or self.firstphase_height:
            self.hr_upscale_to_x, self.hr_upscale_to_y = self.width, self.height
            self.width, self.height = self.firstphase_width, self.firstphase_height
        self.cached_hr_uc = StableDiffusionProcessingTxt2Img.cached_hr_uc
        self.cached_hr_c = StableDiffusionProcessingTxt2Img.cached_hr_c

    def calculate_target_resolution(self) -> None:
        """Size of the second pass in pixels, and what is cut off its latent."""
        x, y = self.hr_resize_x, self.hr_resize_y
        if x or y:
            self.extra_generation_params["Hires resize"] = f"{x}x{y}"
        else:
            self.extra_generation_params["Hires upscale"] = self.hr_scale
        size, cut = hires_size(self.width, self.height, self.hr_scale, x, y)
        self.hr_upscale_to_x, self.hr_upscale_to_y = size
        self.truncate_x, self.truncate_y = cut

    def init(self, all_prompts: list[str], all_seeds: list[int], all_subseeds: list[int]) -> None:
        """Sets up hires fix."""
        if not self.enable_hr:
            return
        params = self.extra_generation_params
        params["Denoising strength"] = self.denoising_strength
        if self.hr_checkpoint_name and self.hr_checkpoint_name != "Use same checkpoint":
            info = sd_models.get_closet_checkpoint_match(self.hr_checkpoint_name)
            if info is None:
                raise Exception(f"Could not find checkpoint with name {self.hr_checkpoint_name}")
            self.hr_checkpoint_info = info
            params["Hires checkpoint"] = info.short_title
        if self.hr_sampler_name is not None and self.hr_sampler_name != self.sampler_name:
            params["Hires sampler"] = self.hr_sampler_name
        params["Hires prompt"] = _hires_prompt
        params["Hires negative prompt"] = _hires_negative_prompt
        params["Hires schedule type"] = None  # the sampler fills it in
        self.hr_scheduler = self.hr_scheduler or self.scheduler
        upscaler = self.hr_upscaler or shared.latent_upscale_default_mode
        self.latent_scale_mode = shared.latent_upscale_modes.get(upscaler)
        known = [x.name for x in shared.sd_upscalers]
        if self.latent_scale_mode is None and self.hr_upscaler not in known:
            raise Exception(f"could not find upscaler named {self.hr_upscaler}")
        self.calculate_target_resolution()
        if not state.processing_has_refined_job_count:
            state.job_count = 2 * (self.n_iter if state.job_count == -1 else state.job_count)
            state.processing_has_refined_job_count = True
        if self.hr_second_pass_steps:
            params["Hires steps"] = self.hr_second_pass_steps
        if self.hr_upscaler is not None:
            params["Hires upscaler"] = self.hr_upscaler

    def sample(
        self,
        conditioning: object,
        unconditional_conditioning: object,
        seeds: list[int],
        subseeds: list[int],
        subseed_strength: float,
        prompts: list[str],
    ) -> torch.Tensor | DecodedSamples:
        """One batch: latents, or decoded pictures after hires fix."""
        self.sampler = sd_samplers.create_sampler(self.sampler_name, self.sd_model)
        samples = decoded = None
        if self.firstpass_image is not None and self.enable_hr:
            samples, decoded = self._given_first_pass()
        else:
            x = self.rng.next()
            if self.scripts is not None:
                self.scripts.process_before_every_sampling(
                    p=self, x=x, noise=x, c=conditioning, uc=unconditional_conditioning
                )
            samples = self.sampler.sample(
                self,
                x,
                conditioning,
                unconditional_conditioning,
                image_conditioning=self.txt2img_image_conditioning(x),
            )
            if not self.enable_hr:
                return samples
            devices.torch_gc()
            if self.latent_scale_mode is None:
                decoded = decode_latent_batch(self.sd_model, samples, devices.cpu, True)
                decoded = torch.stack(decoded).float()
        with sd_models.SkipWritingToConfig():
            sd_models.reload_model_weights(info=self.hr_checkpoint_info)
        return self.sample_hr_pass(samples, decoded, seeds, subseeds, subseed_strength, prompts)

    def _given_first_pass(self) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """(latents, pictures in -1..1) of a picture made before; one of the two."""
        array = np.moveaxis(np.array(self.firstpass_image).astype(np.float32) / 255.0, 2, 0)
        image = torch.from_numpy(array).unsqueeze(0)
        if self.latent_scale_mode is None:
            return None, image * 2.0 - 1.0
        return images_tensor_to_samples(image, 0, self.sd_model), None

    def _enlarge(self, samples: torch.Tensor, decoded: torch.Tensor | None) -> torch.Tensor:
        """Latents of the second pass's size."""
        width, height = self.hr_upscale_to_x, self.hr_upscale_to_y
        if self.latent_scale_mode is not None:
            return torch.nn.functional.interpolate(
                samples, size=(height // opt_f, width // opt_f), **self.latent_scale_mode
            )
        larger = []
        for one in ((decoded + 1.0) / 2.0).clamp(0.0, 1.0):
            pixels = (255.0 * np.moveaxis(one.cpu().numpy(), 0, 2)).astype(np.uint8)
            image = images.resize_image(
                0, Image.fromarray(pixels), width, height, upscaler_name=self.hr_upscaler
            )
            larger.append(np.moveaxis(np.array(image).astype(np.float32) / 255.0, 2, 0))
        return images_tensor_to_samples(torch.from_numpy(np.array(larger)), 0)

    def sample_hr_pass(
        self,
        samples: torch.Tensor,
        decoded_samples: torch.Tensor | None,
        seeds: list[int],
        subseeds: list[int],
        subseed_strength: float,
        prompts: list[str],
    ) -> torch.Tensor | DecodedSamples:
        """The second pass. An interrupt before it leaves the first pass's latents."""
        if state.interrupted:
            return samples
        self.is_hr_pass = True
        self.sampler = sd_samplers.create_sampler(
            self.hr_sampler_name or self.sampler_name, self.sd_model
        )
        samples = self._enlarge(samples, decoded_samples)
        image_conditioning = self.txt2img_image_conditioning(samples)
        state.nextjob()
        cut_y, cut_x = self.truncate_y, self.truncate_x
        rows, cols = samples.shape[2:]
        samples = samples[
            :, :, cut_y // 2 : rows - (cut_y + 1) // 2, cut_x // 2 : cols - (cut_x + 1) // 2
        ]
        self.rng = rng.ImageRNG(
            samples.shape[1:],
            self.seeds,
            subseeds=self.subseeds,
            subseed_strength=self.subseed_strength,
        )
        noise = self.rng.next()
        devices.torch_gc()
        if not self.disable_extra_networks:
            with devices.autocast():
                extra_networks.activate(self, self.hr_extra_network_data)
        with devices.autocast():
            self.calculate_hr_conds()
        sd_models.apply_token_merging(self.sd_model, self.get_token_merging_ratio(for_hr=True))
        if self.scripts is not None:
            self.scripts.before_hr(self)
            self.scripts.process_before_every_sampling(
                p=self, x=samples, noise=noise, c=self.hr_c, uc=self.hr_uc
            )
        samples = self.sampler.sample_img2img(
            self,
            samples,
            noise,
            self.hr_c,
            self.hr_uc,
            steps=self.hr_second_pass_steps or self.steps,
            image_conditioning=image_conditioning,
        )
        sd_models.apply_token_merging(self.sd_model, self.get_token_merging_ratio())
        self.sampler = None
        devices.torch_gc()
        decoded = decode_latent_batch(self.sd_model, samples, devices.cpu, True)
        self.is_hr_pass = False
        return decoded

    def close(self) -> None:
        """The request is over, however it ended."""
        super().close()
        self.hr_c = self.hr_uc = None
        if not opts.persistent_cond_cache:
            StableDiffusionProcessingTxt2Img.cached_hr_uc = [None, None]
            StableDiffusionProcessingTxt2Img.cached_hr_c = [None, None]

    def setup_prompts(self) -> None:
        """Prompts of both passes."""
        super().setup_prompts()
        if not self.enable_hr:
            return
        self.hr_prompt = self.hr_prompt or self.prompt
        self.hr_negative_prompt = self.hr_negative_prompt or self.negative_prompt
        count = self.batch_size * self.n_iter
        self.all_hr_prompts = self._per_picture(self.hr_prompt, count)
        self.all_hr_negative_prompts = self._per_picture(self.hr_negative_prompt, count)

    def calculate_hr_conds(self) -> None:
        """Encodes the second pass's prompts, once."""
        if self.hr_c is not None:
            return
        config = sd_samplers.find_sampler_config(self.hr_sampler_name or self.sampler_name)
        steps = self.hr_second_pass_steps or self.steps
        self.hr_c, self.hr_uc = self._encode(
            (self.hr_prompts, self.hr_negative_prompts),
            (self.hr_upscale_to_x, self.hr_upscale_to_y),
            ([self.cached_hr_c, self.cached_c], [self.cached_hr_uc, self.cached_uc]),
            self.hr_extra_network_data,
            config.total_steps(steps) if config else steps,
        )

    def setup_conds(self) -> None:
        """Encodes prompts; in the second pass only when the refiner came in."""
        if self.is_hr_pass:
            self.hr_c = None
            self.calculate_hr_conds()
            return
        super().setup_conds()
        self.hr_uc = self.hr_c = None
        early = opts.hires_fix_use_firstpass_conds or lowvram.is_enabled(shared.sd_model)
        if self.enable_hr and self.hr_checkpoint_info is None and early:
            self.calculate_hr_conds()

    def get_conds(self) -> tuple[object, object]:
        """The encoded prompts of the pass that runs."""
        return (self.hr_c, self.hr_uc) if self.is_hr_pass else super().get_conds()

    def parse_extra_network_prompts(self) -> None:
        """Takes `<...>` out of this batch's prompts, of both passes."""
        super().parse_extra_network_prompts()
        if not self.enable_hr:
            return
        part = slice(self.iteration * self.batch_size, (self.iteration + 1) * self.batch_size)
        self.hr_negative_prompts = self.all_hr_negative_prompts[part]
        self.hr_prompts, self.hr_extra_network_data = extra_networks.parse_prompts(
            self.all_hr_prompts[part]
        )


def _hires_prompt(
    p: StableDiffusionProcessingTxt2Img, index: int, prompt_text: str, **_: object
) -> str | None:
    """The second pass's prompt, for the infotext, if it differs."""
    hr_prompt = p.all_hr_prompts[index]
    return hr_prompt if hr_prompt != prompt_text else None


def _hires_negative_prompt(
    p: StableDiffusionProcessingTxt2Img, index: int, negative_prompt: str, **_: object
) -> str | None:
    """The second pass's negative prompt, for the infotext, if it differs."""
    hr_negative = p.all_hr_negative_prompts[index]
    return hr_negative if hr_negative != negative_prompt else None
