"""A real ldm U-Net of minimal size: the host's module names, seeded, milliseconds a call."""

import functools

import torch
from ldm.modules.diffusionmodules.openaimodel import UNetModel

from tests.helpers.copies import copy_module

IN_CHANNELS = 4
CONTEXT_WIDTH = 16
SIZE_LATENT = (6, 8)  # (height, width): not square, so that swapped axes are seen


@functools.cache
def _build(seed, in_channels, with_vector):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        unet = UNetModel(
            image_size=8,
            in_channels=in_channels,
            out_channels=IN_CHANNELS,
            model_channels=32,
            channel_mult=(1, 2),
            attention_resolutions=[1, 2],  # self-attention at both levels
            num_res_blocks=1,
            num_heads=4,
            use_spatial_transformer=True,
            context_dim=CONTEXT_WIDTH,
            transformer_depth=1,
            use_checkpoint=False,
            legacy=False,
            num_classes="continuous" if with_vector else None,
        ).eval()
        for module in unet.modules():
            # ldm starts these at zero, which would hide whatever attention does.
            if isinstance(module, torch.nn.Conv2d) and not module.weight.any():
                torch.nn.init.normal_(module.weight, std=0.05)
        for name, parameter in unet.named_parameters():
            # Sharper attention: with fresh weights every token would count nearly the same.
            if name.endswith((".attn1.to_q.weight", ".attn1.to_k.weight")):
                parameter.data.mul_(4.0)
    return unet.requires_grad_(False)


def make_tiny_unet(seed=0, in_channels=IN_CHANNELS, with_vector=False):
    """Returns a new copy of the U-Net with these seeded weights.

    `with_vector` gives it an input `y` of shape [B, 1], as SDXL has a wider one.
    """
    return copy_module(_build(seed, in_channels, with_vector))


def make_inputs(rows, seed=1, size_latent=SIZE_LATENT, tokens=5, in_channels=IN_CHANNELS):
    """Returns (x [rows, C, H, W], timesteps [rows], context [rows, tokens, C]), seeded."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, in_channels, *size_latent, generator=generator)
    context = torch.randn(rows, tokens, CONTEXT_WIDTH, generator=generator)
    return x, torch.full((rows,), 500.0), context
