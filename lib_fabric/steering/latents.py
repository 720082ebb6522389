"""Reference pictures as latents at the size being generated, and their noise.

Knows torch, numpy and Pillow; the encoder is passed in.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable

import numpy as np
import torch
from PIL import Image, ImageOps

from lib_fabric.pictures import Picture

LATENT_SCALE_PX = 8

Encoder = Callable[[torch.Tensor], torch.Tensor]


def fit_picture(image: Image.Image, height_px: int, width_px: int) -> torch.Tensor:
    """Returns an RGB picture as `[1, 3, height_px, width_px]`, float32 in 0..1.

    It is scaled to cover the size and cropped around its centre, so that nothing is stretched or
    padded.
    """
    fitted = ImageOps.fit(image, (width_px, height_px), Image.Resampling.LANCZOS)
    pixels = np.asarray(fitted, dtype=np.float32) / 255
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].contiguous()


def reference_noise(picture_id: str, shape: tuple[int, int, int]) -> torch.Tensor:
    """Standard normal noise `[C, height, width]` (float32, CPU) of one picture at one size.

    Always the same for the same picture and size: on every device, at every step, in every batch.
    It draws from a generator of its own, so the host's random streams do not move.
    """
    name = f"{picture_id}:{'x'.join(map(str, shape))}"
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1
    return torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed))


def noised_latent(latent: torch.Tensor, noise: torch.Tensor, alpha: float) -> torch.Tensor:
    """z_t = sqrt(a_t) z_0 + sqrt(1 - a_t) e, with `alpha` = a_t, the cumulative product of alphas.

    Source: arXiv:2307.10159, section 3, equation 1, and algorithm 1, line 16; the forward process
    is Ho et al. 2020, equation 4.
    """
    return latent * alpha**0.5 + noise * (1 - alpha) ** 0.5


class LatentCache:
    """Latents of pictures, encoded once per (picture, size, encoder), the last used ones kept.

    What the running generation or the one before it has used stays, however much that is: it is
    asked for again in the next batch.
    """

    def __init__(self, max_latents: int = 256) -> None:
        self._max_latents = max_latents
        self._latents: OrderedDict[Hashable, torch.Tensor] = OrderedDict()
        self._used_in: dict[Hashable, int] = {}
        self._generation = 0

    def begin_generation(self) -> None:
        """From here on, what was last used before the generation before this one may go."""
        self._generation += 1
        self._make_room()

    def latent(
        self, picture: Picture, size_latent: tuple[int, int], encode: Encoder, encoder_key: Hashable
    ) -> torch.Tensor:
        """Returns the latent `[C, height, width]` of a picture, float32 on the CPU.

        Args:
            size_latent: (height, width) of the latents being generated.
            encode: pixels `[1, 3, H, W]` in 0..1 to latents `[1, C, H/8, W/8]`.
            encoder_key: what tells one encoder's results from another's.
        """
        key = (picture.id, size_latent, encoder_key)
        if key not in self._latents:
            height_px, width_px = (side * LATENT_SCALE_PX for side in size_latent)
            encoded = encode(fit_picture(picture.image, height_px, width_px))
            self._latents[key] = encoded[0].float().cpu()
        self._latents.move_to_end(key)
        self._used_in[key] = self._generation
        self._make_room()
        return self._latents[key]

    def _make_room(self) -> None:
        while len(self._latents) > self._max_latents:
            oldest = next(iter(self._latents))
            if self._used_in[oldest] >= self._generation - 1:
                return
            del self._latents[oldest], self._used_in[oldest]
