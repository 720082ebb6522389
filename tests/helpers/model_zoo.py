"""A tiny U-Net of every family of checkpoints, built from ldm's classes, and how the host calls it.

What makes a family here is what its U-Net takes and how it is built; the widths are minimal. ldm
has no vector input of several channels and no transformers deeper than 1: these are put in after
building, with the host's module names.
"""

import functools
from dataclasses import dataclass

import torch
from ldm.modules.attention import BasicTransformerBlock, SpatialTransformer
from ldm.modules.diffusionmodules.openaimodel import UNetModel
from torch import nn

from tests.helpers.copies import copy_module
from tests.helpers.denoising import begin_step, end_step
from tests.helpers.tiny_unet import CONTEXT_WIDTH, SIZE_LATENT

LATENT_CHANNELS = 4
CHANNELS = 32


@dataclass(frozen=True)
class Family:
    """One family of checkpoints.

    Attributes:
        concat_channels: channels behind the latents (mask, masked picture, depth, source picture).
        vector_channels: width of the input `y`; 0 = there is none.
        depths: transformer blocks per level of the U-Net.
        uses_linear: projections in and out of a transformer are linear layers, not convolutions,
            and heads have a fixed width.
        has_middle_attention: SSD-1B's middle block is one residual block.
        num_uncond_per_cond: instruct-pix2pix has two unconditional rows for each conditional one.
        by_name: sgm passes everything but x by name.
    """

    name: str
    concat_channels: int = 0
    vector_channels: int = 0
    depths: tuple[int, int] = (1, 1)
    uses_linear: bool = False
    has_middle_attention: bool = True
    num_uncond_per_cond: int = 1
    by_name: bool = False

    def __str__(self):
        return self.name

    @property
    def in_channels(self):
        return LATENT_CHANNELS + self.concat_channels


SD1 = Family("SD1")
SD2 = Family("SD2", uses_linear=True)
SDXL = Family("SDXL", vector_channels=24, depths=(1, 3), uses_linear=True, by_name=True)
REFINER = Family("SDXL refiner", vector_channels=20, depths=(2, 2), uses_linear=True, by_name=True)
FAMILIES = [
    SD1,
    SD2,
    Family("SD1 inpainting", concat_channels=5),
    Family("SD2 inpainting", concat_channels=5, uses_linear=True),
    Family("instruct-pix2pix", concat_channels=4, num_uncond_per_cond=2),
    Family("SD2 depth", concat_channels=1, uses_linear=True),
    SDXL,
    REFINER,
    Family("SDXL inpainting", 5, 24, (1, 3), uses_linear=True, by_name=True),
    Family("SSD-1B", 0, 24, (1, 2), True, has_middle_attention=False, by_name=True),
]


class _DeepTransformer(SpatialTransformer):
    """ldm's wants one context per block; sgm's gives all blocks the same one."""

    def forward(self, x, context=None):
        return super().forward(x, [context] * len(self.transformer_blocks))


@functools.cache
def _build(family, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        heads = {"num_head_channels": 16} if family.uses_linear else {"num_heads": 4}
        unet = UNetModel(
            image_size=8,
            in_channels=family.in_channels,
            out_channels=LATENT_CHANNELS,
            model_channels=CHANNELS,
            channel_mult=(1, 2),
            attention_resolutions=[1, 2],
            num_res_blocks=1,
            use_spatial_transformer=True,
            use_linear_in_transformer=family.uses_linear,
            context_dim=CONTEXT_WIDTH,
            use_checkpoint=False,
            legacy=False,
            **heads,
        )
        _deepen(unet, family)
        if family.vector_channels:
            width = 4 * CHANNELS  # of the timestep embedding that it is added to
            unet.num_classes = "sequential"
            unet.label_emb = nn.Sequential(
                nn.Sequential(
                    nn.Linear(family.vector_channels, width), nn.SiLU(), nn.Linear(width, width)
                )
            )
        if not family.has_middle_attention:
            # As the host trims SDXL to SSD-1B.
            del unet.middle_block[2], unet.middle_block[1]
        _make_visible(unet)
    return unet.eval().requires_grad_(False)


def _deepen(unet, family):
    for module in unet.modules():
        if not isinstance(module, SpatialTransformer):
            continue
        attention = module.transformer_blocks[0].attn1
        level = module.in_channels // CHANNELS - 1
        for _ in range(family.depths[level] - 1):
            module.transformer_blocks.append(
                BasicTransformerBlock(
                    module.in_channels,
                    attention.heads,
                    module.in_channels // attention.heads,
                    context_dim=CONTEXT_WIDTH,
                    checkpoint=False,
                )
            )
        module.__class__ = _DeepTransformer


def _make_visible(unet):
    for module in unet.modules():
        # ldm starts these at zero, which would hide whatever attention does.
        if isinstance(module, nn.Conv2d | nn.Linear) and not module.weight.any():
            nn.init.normal_(module.weight, std=0.05)
    for name, parameter in unet.named_parameters():
        # Sharper attention: with fresh weights every token would count nearly the same.
        if name.endswith((".attn1.to_q.weight", ".attn1.to_k.weight")):
            parameter.data.mul_(3.0)


def make_unet(family, seed=0):
    """Returns a new copy of the family's U-Net with these seeded weights."""
    return copy_module(_build(family, seed))


def set_null_conditioning(host, family, size_latent=SIZE_LATENT, seed=5):
    """Gives a FakeHost what this family's U-Net takes besides text."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randn(1, family.vector_channels, generator=generator)
    concat = torch.randn(1, family.concat_channels, *size_latent, generator=generator)
    host.null_extra = {"y": y} if family.vector_channels else {}
    host.null_concat = concat if family.concat_channels else None


@dataclass(frozen=True)
class Inputs:
    """The rows of one denoiser call."""

    x: torch.Tensor
    timesteps: torch.Tensor
    context: torch.Tensor
    y: torch.Tensor | None

    def to(self, device):
        """The same there."""
        named = vars(self).items()
        return Inputs(**{name: None if it is None else it.to(device) for name, it in named})

    def call(self, unet, family, rows=...):
        """Calls the U-Net with these rows as the family's library does."""
        named = {} if self.y is None else {"y": self.y[rows]}
        named["context"] = self.context[rows]
        if family.by_name:
            return unet(self.x[rows], timesteps=self.timesteps[rows], **named)
        return unet(self.x[rows], self.timesteps[rows], **named)


def make_inputs(family, num_rows, size_latent=SIZE_LATENT, seed=1):
    """Returns seeded rows; every one has its own picture, text and vector."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(num_rows, family.in_channels, *size_latent, generator=generator)
    context = torch.randn(num_rows, 7, CONTEXT_WIDTH, generator=generator)
    y = torch.randn(num_rows, family.vector_channels, generator=generator)
    timesteps = torch.full((num_rows,), 431.0)
    return Inputs(x, timesteps, context, y if family.vector_channels else None)


def denoise(session, unet, family, step, inputs, rows_per_call=None):
    """One denoiser call as the host makes it: callback, U-Net calls in slices, callback."""
    begin_step(session, step)
    rows = torch.arange(len(step.rows)).split(rows_per_call or len(step.rows))
    out = torch.cat([inputs.call(unet, family, part) for part in rows])
    end_step(session)
    return out
