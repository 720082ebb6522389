"""What a session needs from the WebUI, over a bare U-Net. Knows torch and lib_fabric."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from lib_fabric.hosts.automatic1111.rows import RowCounter
from lib_fabric.hosts.automatic1111.unet import LdmCall, LdmUnet
from lib_fabric.hosts.common.reference_pass import UnetConditioning
from lib_fabric.pictures import Picture, from_image
from lib_fabric.ratings import Rated, Ratings
from lib_fabric.request import FabricRequest
from lib_fabric.settings import FabricSettings
from lib_fabric.steering.host import Step
from tests.bench.cases import Case


class BenchHost:
    """steering.host.Host without a host."""

    def __init__(self, case: Case, unet: nn.Module) -> None:
        self._case, self._unet = case, unet
        self._rows = RowCounter()

    def begin_step(self, step: Step) -> Step:
        """The U-Net calls that follow are of this step."""
        self._rows.begin(step.rows)
        return step

    def model(self) -> LdmUnet:
        return LdmUnet(self._unet, lambda context: (context, context), lambda: False)

    def read_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> LdmCall | None:
        return LdmCall.of(args, kwargs, self._rows.take)

    def latents_key(self) -> str:
        return self._case.name

    def states_key(self) -> str:
        return self._case.name

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        latents = torch.nn.functional.avg_pool2d(torch.cat([pixels, pixels[:, :1]], 1) * 2 - 1, 8)
        return latents.to(next(self._unet.parameters()).device)

    def null_conditioning(self, size_latent: tuple[int, int]) -> UnetConditioning:
        extra = {"y": torch.zeros(1, self._case.vector_dim)} if self._case.vector_dim else {}
        return UnetConditioning(torch.zeros(1, 77, self._case.context_dim), extra)

    def progress_text(self, text: str) -> AbstractContextManager[None]:
        return nullcontext()

    def stop_if_interrupted(self) -> None:
        """Nobody interrupts a benchmark."""

    def warn(self, message: str) -> None:
        raise RuntimeError(message)


def make_request(num_liked: int, num_disliked: int, **settings: object) -> FabricRequest:
    """A request with pictures that are always the same; feedback at every step by default."""
    rated = [_rated(seed) for seed in range(num_liked + num_disliked)]
    return FabricRequest(
        FabricSettings(**{"enabled": True, "end": 1.0, **settings}),
        Ratings(tuple(rated[:num_liked]), tuple(rated[num_liked:])),
    )


def _rated(seed: int) -> Rated[Picture]:
    pixels = np.random.default_rng(seed).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    return Rated(from_image(Image.fromarray(pixels)))
