"""What some hooks of scripts receive."""

from __future__ import annotations


class MaskBlendArgs:
    """`on_mask_blend`: latents and masks; `denoiser` is None at the final blend."""

    def __init__(
        self,
        current_latent: object,
        nmask: object,
        init_latent: object,
        mask: object,
        blended_latent: object,
        denoiser: object = None,
        sigma: object = None,
    ) -> None:
        self.current_latent = current_latent
        self.nmask = nmask
        self.init_latent = init_latent
        self.mask = mask
        self.blended_latent = blended_latent
        self.denoiser = denoiser
        self.is_final_blend = denoiser is None
        self.sigma = sigma


class PostSampleArgs:
    """`post_sample`."""

    def __init__(self, samples: object) -> None:
        self.samples = samples


class PostprocessImageArgs:
    """`postprocess_image`."""

    def __init__(self, image: object) -> None:
        self.image = image


class PostProcessMaskOverlayArgs:
    """`postprocess_maskoverlay`."""

    def __init__(self, index: int, mask_for_overlay: object, overlay_image: object) -> None:
        self.index = index
        self.mask_for_overlay = mask_for_overlay
        self.overlay_image = overlay_image


class PostprocessBatchListArgs:
    """`postprocess_batch_list`."""

    def __init__(self, images: list) -> None:
        self.images = images
