"""The U-Net as Forge calls it: each call says which rows are conditional.

Knows torch; imports nothing of the host.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import nn

from lib_fabric.errors import UnsupportedModelError
from lib_fabric.hosts.common.reference_pass import SeenCall, UnetConditioning, run_references
from lib_fabric.hosts.forge.layers import ForgeLayer, forge_layers
from lib_fabric.steering.host import Row

# As `cond_or_uncond` has it.
_CONDITIONAL, _UNCONDITIONAL = 0, 1
# The latents of a call are computed anew from those of the step, perhaps in less precision.
_TOLERANCE = 1e-2


class ForgeCall(SeenCall):
    """A call with `transformer_options`."""

    @classmethod
    def of(
        cls, args: tuple[Any, ...], kwargs: dict[str, Any], latents: torch.Tensor
    ) -> ForgeCall | None:
        """Reads a call; None for one about other pictures than the step's.

        Others call the U-Net within a step too: about pictures of their own (reference modes), or
        about a blurred one (self-attention guidance).

        Args:
            latents: `[B, C, h, w]`, what the U-Net gets of the step's pictures.
        """
        given = dict(zip(("x", "timesteps", "context", "y"), args, strict=False)) | kwargs
        kinds = (given.get("transformer_options") or {}).get("cond_or_uncond") or []
        x, batch = given["x"], len(latents)
        if not kinds or len(x) != len(kinds) * batch or not _has_latents(x, latents):
            return None
        rows = [Row(picture, kind == _CONDITIONAL) for kind in kinds for picture in range(batch)]
        return cls(rows, x, given["timesteps"], given["context"], given.get("y"))


def _has_latents(x: torch.Tensor, latents: torch.Tensor) -> bool:
    """Whether every chunk of `x` holds them; a part of the picture may be anybody's."""
    if x.shape[2:] != latents.shape[2:]:
        return True
    chunks = x[:, : latents.shape[1]].unflatten(0, (-1, len(latents))).float()
    expected = latents.to(chunks).expand_as(chunks)
    return torch.allclose(chunks, expected, rtol=_TOLERANCE, atol=_TOLERANCE)


class ForgeUnet:
    """steering.host.Model over a U-Net of the Forge family.

    Raises:
        UnsupportedModelError: it has no self-attention.
    """

    def __init__(self, unet: nn.Module) -> None:
        self._unet = unet
        self._layers = forge_layers(unet)

    @property
    def unet(self) -> nn.Module:
        return self._unet

    @property
    def layers(self) -> Sequence[ForgeLayer]:
        return self._layers

    @property
    def bytes_per_cell(self) -> float:
        """Memory that a reference's states take for each of its latent cells."""
        return sum(each.bytes_per_cell(self._unet.model_channels) for each in self._layers)

    def run_references(
        self,
        noised: torch.Tensor,
        timestep: torch.Tensor,
        conditioning: UnetConditioning,
        call: SeenCall,
    ) -> None:
        # Without the patches of others: they are about the pictures that are made.
        options = {"cond_or_uncond": [_UNCONDITIONAL]}
        run_references(
            self._unet, noised, timestep, conditioning, call, transformer_options=options
        )

    def refuse_replaced(self, sites: Collection[tuple]) -> None:
        """Refuses to run without any effect.

        Args:
            sites: where others have put their own self-attention, as the host names places.

        Raises:
            UnsupportedModelError: others' attention stands in the place of all layers.
        """
        if all(layer.is_replaced(sites) for layer in self._layers):
            raise UnsupportedModelError(
                "Another extension has put its own self-attention in the place of the model's "
                "(ControlNet's reference modes and StyleAlign do), which leaves none for feedback. "
                "Switch one of the two off."
            )
