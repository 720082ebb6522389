"""Build the tiny model from its config and load its weights.

The classes carry the attribute names of a WebUI's Stable Diffusion 1 model, and the networks
themselves are ldm's. ldm's own `LatentDiffusion` is not used: it wants torchvision.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ldm.modules.diffusionmodules.util import make_beta_schedule
from ldm.modules.distributions.distributions import DiagonalGaussianDistribution
from omegaconf import OmegaConf
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

# These two modules of ldm report on standard output that xformers is missing.
with contextlib.redirect_stdout(io.StringIO()):
    from ldm.modules.diffusionmodules.model import Decoder, Encoder
    from ldm.modules.diffusionmodules.openaimodel import UNetModel

FOLDER = Path(__file__).resolve().parent
CHECKPOINT = FOLDER / "tiny-shapes.safetensors"
CONFIG = FOLDER / "tiny-shapes.yaml"


class AutoencoderKL(nn.Module):
    """Pictures [B, 3, H, W] in -1..1 to latents [B, 4, H/8, W/8] and back."""

    def __init__(self, ddconfig: dict[str, Any], embed_dim: int) -> None:
        super().__init__()
        with contextlib.redirect_stdout(io.StringIO()):  # both constructors print
            self.encoder = Encoder(**ddconfig)
            self.decoder = Decoder(**ddconfig)
        z_channels = ddconfig["z_channels"]
        self.quant_conv = nn.Conv2d(2 * z_channels, 2 * embed_dim, 1)
        self.post_quant_conv = nn.Conv2d(embed_dim, z_channels, 1)

    def encode(self, x: Tensor) -> DiagonalGaussianDistribution:
        """Return the posterior over latents (unscaled)."""
        return DiagonalGaussianDistribution(self.quant_conv(self.encoder(x)))

    def decode(self, z: Tensor) -> Tensor:
        """Return pictures for unscaled latents."""
        return self.decoder(self.post_quant_conv(z))


class FrozenCLIPEmbedder(nn.Module):
    """Prompts to the text model's last hidden state, [B, 77, 64]."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.tokenizer = CLIPTokenizer.from_pretrained(str(folder))
        self.transformer = CLIPTextModel(CLIPTextConfig.from_pretrained(str(folder)))
        self.max_length = 77

    def tokenize(self, text: list[str]) -> Tensor:
        """Return token ids, int64 [B, 77], cut or padded with the end token."""
        batch = self.tokenizer(
            text,
            truncation=True,
            max_length=self.max_length,
            padding="max_length",
            return_tensors="pt",
        )
        return batch["input_ids"]

    def forward(self, text: list[str]) -> Tensor:
        tokens = self.tokenize(text).to(self.transformer.device)
        return self.transformer(input_ids=tokens).last_hidden_state

    def encode(self, text: list[str]) -> Tensor:
        """Same as calling the module."""
        return self(text)


class DiffusionWrapper(nn.Module):
    """The U-Net with its conditioning as lists of tensors, as the host passes it."""

    def __init__(self, unet: nn.Module) -> None:
        super().__init__()
        self.diffusion_model = unet
        self.conditioning_key = "crossattn"

    def forward(
        self,
        x: Tensor,
        t: Tensor,
        c_concat: list[Tensor] | None = None,
        c_crossattn: list[Tensor] | None = None,
    ) -> Tensor:
        if c_crossattn is None:
            raise ValueError("c_crossattn is missing, this model is conditioned by text only")
        return self.diffusion_model(x, t, context=torch.cat(c_crossattn, 1))


class TinyDiffusion(nn.Module):
    """A Stable Diffusion 1 model: text encoder, U-Net and autoencoder under the host's names."""

    parameterization = "eps"

    def __init__(self, params: dict[str, Any], folder: Path) -> None:
        super().__init__()
        self.num_timesteps = int(params["timesteps"])
        self.scale_factor = float(params["scale_factor"])
        self.conditioning_key = params["conditioning_key"]
        with contextlib.redirect_stdout(io.StringIO()):
            self.model = DiffusionWrapper(UNetModel(**params["unet_config"]["params"]))
        first_stage = params["first_stage_config"]["params"]
        self.first_stage_model = AutoencoderKL(first_stage["ddconfig"], first_stage["embed_dim"])
        # The config's `version` is for a WebUI, which looks for the folder from its own.
        self.cond_stage_model = FrozenCLIPEmbedder(folder / "clip")
        self._register_schedule(float(params["linear_start"]), float(params["linear_end"]))

    def _register_schedule(self, start: float, end: float) -> None:
        """Register the buffers of the noise schedule, each [num_timesteps]."""
        betas = make_beta_schedule("linear", self.num_timesteps, start, end)
        product = np.cumprod(1.0 - betas)
        previous = np.append(1.0, product[:-1])
        for name, values in {
            "betas": betas,
            "alphas_cumprod": product,
            "alphas_cumprod_prev": previous,
            "sqrt_alphas_cumprod": np.sqrt(product),
            "sqrt_one_minus_alphas_cumprod": np.sqrt(1 - product),
            "log_one_minus_alphas_cumprod": np.log(1 - product),
            "sqrt_recip_alphas_cumprod": np.sqrt(1 / product),
            "sqrt_recipm1_alphas_cumprod": np.sqrt(1 / product - 1),
        }.items():
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.betas.device

    def q_sample(self, x_start: Tensor, t: Tensor, noise: Tensor | None = None) -> Tensor:
        """Noise latents [B, 4, h, w] to timesteps t [B]."""
        noise = torch.randn_like(x_start) if noise is None else noise
        signal = self.sqrt_alphas_cumprod[t].view(-1, 1, 1, 1)
        spread = self.sqrt_one_minus_alphas_cumprod[t].view(-1, 1, 1, 1)
        return signal * x_start + spread * noise

    def get_learned_conditioning(self, prompts: list[str]) -> Tensor:
        """Encode prompts; [B, 77, 64]."""
        return self.cond_stage_model(list(prompts))

    def encode_first_stage(self, x: Tensor) -> DiagonalGaussianDistribution:
        """Return the posterior for pictures [B, 3, H, W] in -1..1."""
        return self.first_stage_model.encode(x)

    def get_first_stage_encoding(self, encoding: DiagonalGaussianDistribution | Tensor) -> Tensor:
        """Return scaled latents: a sample of a posterior, or a given tensor scaled."""
        if isinstance(encoding, DiagonalGaussianDistribution):
            encoding = encoding.sample()
        return self.scale_factor * encoding

    def decode_first_stage(self, z: Tensor) -> Tensor:
        """Return pictures in about -1..1 for scaled latents."""
        return self.first_stage_model.decode(z / self.scale_factor)

    def apply_model(self, x: Tensor, t: Tensor, cond: Tensor | list[Tensor] | dict) -> Tensor:
        """Predict the noise in x [B, 4, h, w] at timesteps t [B]."""
        if not isinstance(cond, dict):
            cond = {"c_crossattn": cond if isinstance(cond, list) else [cond]}
        return self.model(x, t, **cond)

    def forward(self, x: Tensor, t: Tensor, cond: Tensor | list[Tensor] | dict) -> Tensor:
        return self.apply_model(x, t, cond)


def build_model(config: Path = CONFIG) -> TinyDiffusion:
    """Build the model with random weights from a config; its text folder lies beside it."""
    params = OmegaConf.to_container(OmegaConf.load(config).model.params)
    return TinyDiffusion(params, Path(config).resolve().parent)


def load_model(
    path: Path | str | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> TinyDiffusion:
    """Load a checkpoint (default: the one beside this file) with the config of the same name.

    The model is in eval mode and takes no gradients. Raises FileNotFoundError if a file is
    missing and RuntimeError if the weights do not fit the config.
    """
    path = CHECKPOINT if path is None else Path(path)
    model = build_model(path.with_suffix(".yaml"))
    weights = load_file(path)
    weights.pop("scale_factor", None)  # for readers of the file; the config's value is used
    model.load_state_dict(weights)
    model.eval().requires_grad_(False)
    model.model.to(dtype), model.first_stage_model.to(dtype), model.cond_stage_model.to(dtype)
    return model.to(device)
