"""A call of a U-Net, and references through it with the conditioning that goes with them.

Knows torch and how U-Nets of the ldm kind are called; imports nothing of the host.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from lib_fabric.errors import UnsupportedModelError
from lib_fabric.hosts.common.neighbours import cross_attention_aside
from lib_fabric.steering.host import Row


@dataclass(frozen=True)
class UnetConditioning:
    """What the U-Net gets besides latents and timesteps, for one row.

    Attributes:
        context: text embedding `[1, tokens, channels]`.
        extra: further keyword arguments, such as SDXL's `y` `[1, channels]`.
        concat: channels `[1, C, h, w]` that inpainting, depth and edit models expect behind the
            latents: "no picture given".
    """

    context: torch.Tensor
    extra: dict[str, torch.Tensor] = field(default_factory=dict)
    concat: torch.Tensor | None = None

    @property
    def key(self) -> Hashable:
        digest = hashlib.sha256()
        concat = [] if self.concat is None else [self.concat]
        for tensor in (self.context, *self.extra.values(), *concat):
            digest.update(tensor.detach().float().cpu().numpy().tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class SeenCall:
    """steering.host.UnetCall: x `[rows, C, h, w]`, timesteps `[rows]`, context, y (or None)."""

    rows: Sequence[Row]
    x: torch.Tensor
    timesteps: torch.Tensor
    context: torch.Tensor
    y: torch.Tensor | None

    @property
    def size_latent(self) -> tuple[int, int]:
        return tuple(self.x.shape[2:])

    @property
    def device(self) -> torch.device:
        return self.x.device

    @property
    def timestep(self) -> torch.Tensor:
        return self.timesteps[:1]


def run_references(
    unet: nn.Module,
    noised: torch.Tensor,
    timestep: torch.Tensor,
    conditioning: UnetConditioning,
    call: SeenCall,
    **options: Any,  # noqa: ANN401 (passed to the U-Net as they are)
) -> None:
    """As steering.host.Model.run_references.

    Raises:
        UnsupportedModelError: the model's input has other channels.
    """
    num_rows = noised.shape[0]
    x = noised.to(call.x)
    if conditioning.concat is not None:
        # A probe of the model has another size than the pictures.
        concat = functional.interpolate(conditioning.concat.float(), x.shape[2:]).to(call.x)
        x = torch.cat([x, concat.expand(num_rows, -1, -1, -1)], dim=1)
    if x.shape[1] != call.x.shape[1]:
        raise UnsupportedModelError(
            f"This checkpoint's model takes {call.x.shape[1]} channels where rated pictures "
            f"have {x.shape[1]}. Switch FABRIC off, or choose another checkpoint."
        )
    # Models with an image embedding in y (unCLIP) take zeros for "no picture given".
    given = {} if call.y is None else {"y": torch.zeros_like(call.y[:1])}
    given |= {name: value.to(call.x) for name, value in conditioning.extra.items()}
    given |= {"timesteps": timestep, "context": conditioning.context.to(call.context)}
    inputs = {name: value.repeat_interleave(num_rows, 0) for name, value in given.items()}
    with cross_attention_aside(unet):
        # The class's forward: another extension may have replaced the instance's, and its
        # control is not meant for references.
        type(unet).forward(unet, x, **inputs, **options)
