"""What callbacks receive."""

from __future__ import annotations


class ImageSaveParams:
    """What `before_image_saved` and `image_saved` receive."""

    def __init__(self, image: object, p: object, filename: str, pnginfo: dict) -> None:
        self.image = image
        self.p = p
        self.filename = filename
        self.pnginfo = pnginfo


class ExtraNoiseParams:
    """What `extra_noise` receives."""

    def __init__(self, noise: object, x: object, xi: object) -> None:
        self.noise = noise
        self.x = x
        self.xi = xi


class CFGDenoiserParams:
    """What `cfg_denoiser` receives: everything before padding, skipping and chunking.

    `x`, `sigma`, `image_cond` have the rows of both parts, conditional rows first.
    """

    def __init__(
        self,
        x: object,
        image_cond: object,
        sigma: object,
        sampling_step: int,
        total_sampling_steps: int,
        text_cond: object,
        text_uncond: object,
        denoiser: object = None,
    ) -> None:
        self.x = x
        self.image_cond = image_cond
        self.sigma = sigma
        self.sampling_step = sampling_step
        self.total_sampling_steps = total_sampling_steps
        self.text_cond = text_cond
        self.text_uncond = text_uncond
        self.denoiser = denoiser


class CFGDenoisedParams:
    """What `cfg_denoised` receives: the output of all rows."""

    def __init__(
        self, x: object, sampling_step: int, total_sampling_steps: int, inner_model: object
    ) -> None:
        self.x = x
        self.sampling_step = sampling_step
        self.total_sampling_steps = total_sampling_steps
        self.inner_model = inner_model


class AfterCFGCallbackParams:
    """What `cfg_after_cfg` receives: the guided result."""

    def __init__(self, x: object, sampling_step: int, total_sampling_steps: int) -> None:
        self.x = x
        self.sampling_step = sampling_step
        self.total_sampling_steps = total_sampling_steps


class ImageGridLoopParams:
    """What `image_grid` receives."""

    def __init__(self, imgs: list, cols: int, rows: int) -> None:
        self.imgs = imgs
        self.cols = cols
        self.rows = rows
