"""The U-Net as ldm and sgm call it, and how a call is read.

Knows torch; imports nothing of the host.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from lib_fabric.hosts.automatic1111.layers import CrossAttentionLayer, SplitContext
from lib_fabric.hosts.common.blocks import find_self_attention
from lib_fabric.hosts.common.reference_pass import SeenCall, UnetConditioning, run_references
from lib_fabric.steering.host import Row


class LdmCall(SeenCall):
    """A call as ldm and sgm make it."""

    @classmethod
    def of(
        cls,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        next_rows: Callable[[int], Sequence[Row]],
    ) -> LdmCall | None:
        """Reads a call; ldm passes x and timesteps by position, sgm only x.

        Args:
            next_rows: which the next so many rows are; none for a call that is not ours.
        """
        given = dict(zip(("x", "timesteps", "context"), args, strict=False)) | kwargs
        rows = next_rows(given["x"].shape[0])
        if not rows:
            return None
        return cls(rows, given["x"], given["timesteps"], given["context"], given.get("y"))


class LdmUnet:
    """steering.host.Model over a U-Net of ldm or sgm.

    Raises:
        UnsupportedModelError: it has no self-attention.
    """

    def __init__(
        self, unet: nn.Module, split_context: SplitContext, is_upcast: Callable[[], bool]
    ) -> None:
        self._unet = unet
        self._layers = [
            CrossAttentionLayer(module, split_context, is_upcast)
            for module in find_self_attention(unet)
        ]

    @property
    def unet(self) -> nn.Module:
        return self._unet

    @property
    def layers(self) -> Sequence[CrossAttentionLayer]:
        return self._layers

    def run_references(
        self,
        noised: torch.Tensor,
        timestep: torch.Tensor,
        conditioning: UnetConditioning,
        call: LdmCall,
    ) -> None:
        run_references(self._unet, noised, timestep, conditioning, call)
