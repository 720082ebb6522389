"""img2img, with a mask if one is given (always on the whole picture)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from modules import devices, images, scripts, sd_samplers, shared
from modules.processing_base import StableDiffusionProcessing
from modules.processing_util import opt_f
from modules.sd_samplers_common import images_tensor_to_samples
from modules.shared import opts
from PIL import Image, ImageFilter, ImageOps


def create_binary_mask(image: Image.Image, round: bool = True) -> Image.Image:
    """A mask in greys; of a picture with transparency, where it is opaque."""
    if image.mode == "RGBA" and image.getextrema()[-1] != (255, 255):
        image = image.split()[-1]
    image = image.convert("L")
    return image.point(lambda v: 255 if v > 128 else 0) if round else image


@dataclass(repr=False)
class StableDiffusionProcessingImg2Img(StableDiffusionProcessing):
    """Pictures from pictures."""

    init_images: list = None
    resize_mode: int = 0
    denoising_strength: float = 0.75
    image_cfg_scale: float = None
    mask: object = None
    mask_blur_x: int = 4
    mask_blur_y: int = 4
    mask_blur: int = None
    mask_round: bool = True
    inpainting_fill: int = 0
    inpaint_full_res: bool = True
    inpaint_full_res_padding: int = 0
    inpainting_mask_invert: int = 0
    initial_noise_multiplier: float = None
    latent_mask: object = None
    force_task_id: str = None

    image_mask: object = field(default=None, init=False)
    nmask: torch.Tensor = field(default=None, init=False)
    image_conditioning: torch.Tensor = field(default=None, init=False)
    init_img_hash: str = field(default=None, init=False)
    mask_for_overlay: object = field(default=None, init=False)
    init_latent: torch.Tensor = field(default=None, init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.image_mask, self.mask = self.mask, None
        if self.mask_blur is not None:
            self.mask_blur_x = self.mask_blur_y = self.mask_blur
        if self.initial_noise_multiplier is None:
            self.initial_noise_multiplier = opts.initial_noise_multiplier

    def _prepare_mask(self) -> Image.Image | None:
        if self.image_mask is None:
            return None
        mask = create_binary_mask(self.image_mask, round=self.mask_round)
        if self.inpainting_mask_invert:
            mask = ImageOps.invert(mask)
            self.extra_generation_params["Mask mode"] = "Inpaint not masked"
        blur = max(self.mask_blur_x, self.mask_blur_y)
        if blur > 0:
            mask = mask.filter(ImageFilter.GaussianBlur(blur))
            self.extra_generation_params["Mask blur"] = blur
        mask = mask.resize((self.width, self.height))
        self.mask_for_overlay = mask.point(lambda v: min(255, v * 2))
        self.overlay_images = []
        return mask

    def _overlay(self, image: Image.Image) -> Image.Image:
        """The part of the original that stays, the rest transparent."""
        overlay = image.convert("RGBA")
        overlay.putalpha(ImageOps.invert(self.mask_for_overlay))
        return overlay

    def init(self, all_prompts: list[str], all_seeds: list[int], all_subseeds: list[int]) -> None:
        """Makes the sampler and encodes the pictures."""
        self.extra_generation_params["Denoising strength"] = self.denoising_strength
        self.image_cfg_scale = None
        self.sampler = sd_samplers.create_sampler(self.sampler_name, self.sd_model)
        mask = self._prepare_mask()
        arrays = []
        for img in self.init_images:
            image = images.flatten(img, opts.img2img_background_color)
            if self.resize_mode != 3:
                image = images.resize_image(self.resize_mode, image, self.width, self.height)
            if mask is not None:
                self.overlay_images.append(self._overlay(image))
            arrays.append(np.moveaxis(np.array(image).astype(np.float32) / 255.0, 2, 0))
        if len(arrays) == 1:
            arrays *= self.batch_size
            self.overlay_images = self.overlay_images and self.overlay_images * self.batch_size
        elif len(arrays) <= self.batch_size:
            self.batch_size = len(arrays)
        else:
            raise RuntimeError(
                f"bad number of images passed: {len(arrays)}; expecting {self.batch_size} or less"
            )
        image = torch.from_numpy(np.array(arrays)).to(shared.device, dtype=devices.dtype_vae)
        self.init_latent = images_tensor_to_samples(image, 0, self.sd_model)
        devices.torch_gc()
        if self.resize_mode == 3:
            self.init_latent = torch.nn.functional.interpolate(
                self.init_latent, size=(self.height // opt_f, self.width // opt_f), mode="bilinear"
            )
        if mask is not None:
            self._mask_latent(mask)
        self.image_conditioning = self.img2img_image_conditioning(image * 2 - 1, self.init_latent)

    def _mask_latent(self, mask: Image.Image) -> None:
        rows, cols = self.init_latent.shape[2:]
        small = np.array(mask.resize((cols, rows)), dtype=np.float32) / 255
        small = np.around(small) if self.mask_round else small
        self.nmask = torch.from_numpy(small).expand(self.init_latent.shape[1], -1, -1)
        self.mask = 1.0 - self.nmask

    def sample(
        self,
        conditioning: object,
        unconditional_conditioning: object,
        seeds: list[int],
        subseeds: list[int],
        subseed_strength: float,
        prompts: list[str],
    ) -> torch.Tensor:
        """One batch of latents."""
        x = self.rng.next()
        if self.initial_noise_multiplier != 1.0:
            self.extra_generation_params["Noise multiplier"] = self.initial_noise_multiplier
            x *= self.initial_noise_multiplier
        if self.scripts is not None:
            self.scripts.process_before_every_sampling(
                p=self, x=self.init_latent, noise=x, c=conditioning, uc=unconditional_conditioning
            )
        samples = self.sampler.sample_img2img(
            self,
            self.init_latent,
            x,
            conditioning,
            unconditional_conditioning,
            image_conditioning=self.image_conditioning,
        )
        if self.mask is not None:
            blended = samples * self.nmask + self.init_latent * self.mask
            if self.scripts is not None:
                mba = scripts.MaskBlendArgs(
                    samples, self.nmask, self.init_latent, self.mask, blended
                )
                self.scripts.on_mask_blend(self, mba)
                blended = mba.blended_latent
            samples = blended
        devices.torch_gc()
        return samples

    def get_token_merging_ratio(self, for_hr: bool = False) -> float:
        """Share of tokens to merge; not used here."""
        return self.token_merging_ratio or opts.token_merging_ratio_img2img
