"""One generation in the WebUI (`modules.*`), and what differs between its versions.

No rule of the method lives here: it adapts U-Net, VAE, empty prompt, noise levels and rows to the
protocol in steering/host.py.
"""

from __future__ import annotations

import sys
from collections.abc import Hashable
from typing import Any

import torch
from modules import devices, sd_samplers_timesteps, sd_unet, sd_vae, shared
from modules.hypernetworks import hypernetwork
from torch import nn

from lib_fabric.errors import UnsupportedModelError
from lib_fabric.hosts.automatic1111.rows import RowCounter, rows_of_step
from lib_fabric.hosts.automatic1111.unet import LdmCall, LdmUnet
from lib_fabric.hosts.common.processing import ProcessingHost
from lib_fabric.hosts.common.weights import encoder_fingerprint
from lib_fabric.steering.host import Step

# The built-in Lora extension's module, as it stands in sys.modules once its script is loaded.
_LORA_MODULE = "networks"
# Options that change what the U-Net does with the same input.
_STATE_OPTIONS = ("upcast_attn", "enable_quantization", "sd_noise_schedule", "fp8_storage")


class WebuiHost(ProcessingHost):
    """steering.host.Host for one processing object."""

    end_of_step = "on_cfg_denoised"

    def __init__(self, p: Any) -> None:  # noqa: ANN401 (the host's processing object)
        super().__init__(p)
        self._rows = RowCounter()
        self._known_alphas: tuple[torch.Tensor, list[float]] | None = None

    def model(self) -> LdmUnet:
        return LdmUnet(self._unet(), _split_context, _is_upcast)

    def read_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> LdmCall | None:
        return LdmCall.of(args, kwargs, self._rows.take)

    def _unet(self) -> nn.Module:
        if sd_unet.current_unet is not None:
            raise UnsupportedModelError(
                "a replaced U-Net (TensorRT and the like) cannot take feedback. "
                "Set 'SD Unet' to 'None' in the settings, or switch FABRIC off."
            )
        model = getattr(self._model, "model", None)
        unet = getattr(model, "diffusion_model", None)
        if not isinstance(unet, nn.Module):
            raise UnsupportedModelError(
                "this kind of checkpoint cannot take feedback. Switch FABRIC off."
            )
        return unet

    def latents_key(self) -> Hashable:
        # A file may be overwritten and loaded again.
        return (self._model_names(), encoder_fingerprint(self._vae()))

    def _model_names(self) -> Hashable:
        info = getattr(self._model, "sd_checkpoint_info", None)
        checkpoint = getattr(info, "filename", None)
        return (checkpoint, sd_vae.loaded_vae_file, str(devices.dtype_vae))

    def _vae(self) -> nn.Module:
        return self._model.first_stage_model.to(devices.dtype_vae)

    def _encode(self, pixels: torch.Tensor) -> torch.Tensor:
        self._vae()
        return super()._encode(pixels.to(device=devices.device, dtype=devices.dtype_vae))

    def _latent_channels(self) -> int:
        return getattr(self._model, "latent_channels", None) or 4

    def states_key(self) -> Hashable:
        # Asked for at every step: nothing that has to be read from the device.
        opts = shared.opts
        networks = getattr(sys.modules.get(_LORA_MODULE), "loaded_networks", [])
        return (
            self._model_names(),
            str(getattr(devices, "dtype_unet", None)),
            tuple((net.name, net.unet_multiplier, net.dyn_dim) for net in networks),
            tuple(getattr(net, "name", None) for net in shared.loaded_hypernetworks),
            getattr(self._model, "applied_token_merged_ratio", 0),
            tuple(getattr(opts, name, None) for name in _STATE_OPTIONS),
        )

    def begin_step(self, params: Any) -> Step:  # noqa: ANN401 (the host's CFGDenoiserParams)
        """Reads a denoiser callback; the U-Net calls that follow are of this step."""
        rows = rows_of_step(params.text_cond.shape[0], params.x.shape[0], self._prompts_of())
        self._rows.begin(rows)
        sigma = float(params.sigma[0])
        return self._step(params, rows, self._alpha(self._p.sampler.model_wrap_cfg, sigma))

    def ends_step(self, params: Any) -> bool:  # noqa: ANN401 (the host's CFGDenoisedParams)
        """Whether the denoiser whose calls are over is our own object's.

        The callback does not say whose it is; but each denoiser has a wrapper of its own around
        the model.
        """
        inner_model = getattr(params, "inner_model", None)
        return inner_model is None or inner_model is self._p.sampler.model_wrap_cfg.inner_model

    def end_step(self) -> None:
        """U-Net calls from here on are of no step of ours."""
        self._rows.begin(())

    def begin_other_step(self) -> None:
        """A generation inside this one begins a step; its U-Net calls are not ours."""
        self._rows.begin_other()

    def end_other_step(self) -> None:
        """They are over."""
        self._rows.end_other()

    def _prompts_of(self) -> list[int]:
        """How many prompts AND joins for each picture of the batch; empty where not known."""
        conditioning = getattr(self._p.sampler, "sampler_extra_args", {}).get("cond")
        return [len(prompts) for prompts in getattr(conditioning, "batch", ())]

    def _alpha(self, denoiser: nn.Module, sigma: float) -> float:
        """The cumulative product of alphas at a denoiser's noise level.

        k-diffusion samplers give a sigma; timestep samplers (DDIM, PLMS, UniPC) give the timestep
        in its place, UniPC a fractional one.
        """
        if not isinstance(denoiser, sd_samplers_timesteps.CFGDenoiserTimesteps):
            return 1 / (sigma**2 + 1)
        alphas = self._alphas()
        low = min(max(int(sigma), 0), len(alphas) - 1)
        high = min(low + 1, len(alphas) - 1)
        alpha, next_alpha = alphas[low], alphas[high]
        return alpha + (next_alpha - alpha) * (sigma - int(sigma))

    def _alphas(self) -> list[float]:
        """The model's schedule in Python's numbers: not every device has float64, and each reading
        waits for it."""
        alphas = self._model.alphas_cumprod
        if self._known_alphas is None or self._known_alphas[0] is not alphas:
            self._known_alphas = alphas, alphas.tolist()
        return self._known_alphas[1]


def _split_context(context: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return hypernetwork.apply_hypernetworks(shared.loaded_hypernetworks, context)


def _is_upcast() -> bool:
    return bool(getattr(shared.opts, "upcast_attn", False))
