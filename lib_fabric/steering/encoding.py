"""The rated pictures of one request as latents, encoded when they are first asked for.

Knows requests, the cache of latents and what the host offers; not the U-Net.
"""

from __future__ import annotations

from collections.abc import Set

import torch

from lib_fabric.errors import doing
from lib_fabric.request import FabricRequest
from lib_fabric.steering.host import Host
from lib_fabric.steering.latents import LatentCache

ENCODING_TEXT = "Reading rated pictures…"


class PictureEncoder:
    """Encodes what is asked for, and says so in the progress bar."""

    def __init__(self, request: FabricRequest, host: Host, cache: LatentCache) -> None:
        self._host = host
        self._cache = cache
        self._pictures = {each.picture.id: each.picture for each in request.ratings}

    def latents(self, picture_ids: Set[str], size: tuple[int, int]) -> dict[str, torch.Tensor]:
        """The latents `[C, h, w]` of pictures of the request, by id.

        Args:
            size: (height, width) in latent cells.
        """
        wanted = [each for name, each in self._pictures.items() if name in picture_ids]
        encoding = self._host.progress_text(ENCODING_TEXT)
        with doing("encoding the rated pictures"), encoding:
            key = self._host.latents_key()
            return {each.id: self._cache.latent(each, size, self._encode, key) for each in wanted}

    def _encode(self, pixels: torch.Tensor) -> torch.Tensor:
        self._host.stop_if_interrupted()
        return self._host.encode(pixels)
