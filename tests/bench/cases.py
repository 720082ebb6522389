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
        depths: transformer blocks by level; the middle is as deep as the last one.
    """

    name: str
    size_latent: tuple[int, int]
    config: dict[str, Any]
    context_dim: int
    vector_dim: int = 0
    depths: tuple[int, ...] = (1, 1, 1, 1)

    def build(self, device: torch.device, dtype: torch.dtype) -> nn.Module:
        """The U-Net with random weights, in eval mode."""
        from ldm.modules.diffusionmodules.openaimodel import UNetModel

        with torch.random.fork_rng(), torch.device(device):
            torch.manual_seed(0)
            unet = UNetModel(
                image_size=32, in_channels=4, out_channels=4, use_checkpoint=False,
                use_spatial_transformer=True, context_dim=self.context_dim, legacy=False,
                **self.config,
            )  # fmt: skip
            _deepen(unet, self.depths, self.context_dim)
            if self.vector_dim:
                _add_vector(unet, self.vector_dim)
        unet = unet.to(dtype=dtype).eval().requires_grad_(False)
        unet.dtype = dtype
        return unet


def _deepen(unet: nn.Module, depths: tuple[int, ...], context_dim: int) -> None:
    """Gives every transformer as many blocks as its level says; ldm builds them one deep."""
    from ldm.modules.attention import BasicTransformerBlock, SpatialTransformer

    class DeepTransformer(SpatialTransformer):
        def forward(self, x: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
            return super().forward(x, [context] * len(self.transformer_blocks))

    for module in unet.modules():
        if not isinstance(module, SpatialTransformer):
            continue
        # All levels that have transformers differ in width.
        level = (module.in_channels // unet.model_channels).bit_length() - 1
        heads = module.transformer_blocks[0].attn1.heads
        for _ in range(depths[level] - 1):
            module.transformer_blocks.append(
                BasicTransformerBlock(
                    module.in_channels,
                    heads,
                    module.in_channels // heads,
                    context_dim=context_dim,
                    checkpoint=False,
                )
            )
        module.__class__ = DeepTransformer


def _add_vector(unet: nn.Module, vector_dim: int) -> None:
    width = unet.time_embed[-1].out_features
    unet.num_classes = "sequential"
    unet.label_emb = nn.Sequential(
        nn.Sequential(nn.Linear(vector_dim, width), nn.SiLU(), nn.Linear(width, width))
    )


_SD1 = {"attention_resolutions": [4, 2, 1], "channel_mult": [1, 2, 4, 4], "num_res_blocks": 2,
        "num_heads": 8}  # fmt: skip
_SDXL = {"attention_resolutions": [4, 2], "channel_mult": [1, 2, 4], "num_res_blocks": 2,
         "num_head_channels": 64, "use_linear_in_transformer": True}  # fmt: skip
_SDXL_DEPTHS = (0, 2, 10)

CASES = (
    Case("tiny model, 64x64", (8, 8),
         {"model_channels": 64, "attention_resolutions": [2, 1], "channel_mult": [1, 2],
          "num_res_blocks": 1, "num_heads": 4}, 64),
    Case("SD 1.5, 256x256", (32, 32), {"model_channels": 320, **_SD1}, 768),
    Case("SD 1.5 at 128 channels, 512x512", (64, 64), {"model_channels": 128, **_SD1}, 768),
    Case("SDXL-shaped at 128 channels, 512x512", (64, 64),
         {"model_channels": 128, **_SDXL}, 2048, 2816, _SDXL_DEPTHS),
)  # fmt: skip
FULL_SIZE_CASES = (
    Case("SD 1.5, 512x512", (64, 64), {"model_channels": 320, **_SD1}, 768),
    Case("SDXL, 1024x1024", (128, 128),
         {"model_channels": 320, **_SDXL}, 2048, 2816, _SDXL_DEPTHS),
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
