"""The U-Nets that are measured: random weights, real shapes. Knows ldm and torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention


@dataclass(frozen=True)
class Case:
    """One U-Net at one size.

    Attributes:
        size_latent: (height, width); a latent cell is 8x8 px.
        config: arguments of ldm's UNetModel.
        context_dim: channels of the text embedding.
        vector_dim: channels of `y`; 0 = none.
    """

    name: str
    size_latent: tuple[int, int]
    config: dict[str, Any]
    context_dim: int
    vector_dim: int = 0

    def build(self, device: torch.device, dtype: torch.dtype) -> nn.Module:
        """The U-Net with random weights, in eval mode."""
        from ldm.modules.diffusionmodules.openaimodel import UNetModel

        torch.manual_seed(0)
        unet = UNetModel(
            image_size=32, in_channels=4, out_channels=4, use_checkpoint=False,
            use_spatial_transformer=True, context_dim=self.context_dim, legacy=False,
            **self.config,
        )  # fmt: skip
        unet = unet.to(device=device, dtype=dtype).eval()
        unet.dtype = dtype
        return unet


_SD1 = {"attention_resolutions": [4, 2, 1], "channel_mult": [1, 2, 4, 4], "num_res_blocks": 2,
        "num_heads": 8}  # fmt: skip
_SDXL = {"attention_resolutions": [4, 2], "channel_mult": [1, 2, 4], "num_res_blocks": 2,
         "num_head_channels": 64, "num_classes": "sequential", "adm_in_channels": 2816,
         "use_linear_in_transformer": True}  # fmt: skip

CASES = (
    Case("tiny model, 64x64", (8, 8),
         {"model_channels": 64, "attention_resolutions": [2, 1], "channel_mult": [1, 2],
          "num_res_blocks": 1, "num_heads": 4}, 64),
    Case("SD 1.5, 256x256", (32, 32), {"model_channels": 320, **_SD1}, 768),
    Case("SD 1.5 at 128 channels, 512x512", (64, 64), {"model_channels": 128, **_SD1}, 768),
    Case("SDXL-shaped at 128 channels, 512x512", (64, 64),
         {"model_channels": 128, "transformer_depth": 4, **_SDXL}, 2048, 2816),
)  # fmt: skip
FULL_SIZE_CASES = (
    Case("SD 1.5, 512x512", (64, 64), {"model_channels": 320, **_SD1}, 768),
    Case("SDXL-shaped, 1024x1024", (128, 128),
         {"model_channels": 320, "transformer_depth": 4, **_SDXL}, 2048, 2816),
)  # fmt: skip


def use_sdp_attention() -> Callable[[], None]:
    """Gives ldm's CrossAttention the host's 'sdp' optimisation; returns what undoes it.

    The plain picture must be as fast as a user's, or the ratio flatters feedback.
    """
    from ldm.modules.attention import CrossAttention

    original = CrossAttention.forward

    def forward(
        self: nn.Module,
        x: torch.Tensor,
        context: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        context = x if context is None else context
        q, k, v = (
            states.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for states in (self.to_q(x), self.to_k(context), self.to_v(context))
        )
        return self.to_out(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))

    CrossAttention.forward = forward

    def undo() -> None:
        CrossAttention.forward = original

    return undo
