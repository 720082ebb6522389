"""One generation in the WebUI (`modules.*`), and what differs between its versions.

No rule of the method lives here: it adapts U-Net, VAE, empty prompt, noise levels and rows to the
protocol in steering/host.py.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Hashable, Iterator
from typing import Any

import torch
from modules import (
    devices,
    prompt_parser,
    sd_samplers_common,
    sd_samplers_timesteps,
    sd_unet,
    sd_vae,
    shared,
)
from modules.hypernetworks import hypernetwork
from torch import nn

from lib_fabric.errors import FabricError, UnsupportedModelError
from lib_fabric.hosts.automatic1111.rows import RowCounter, rows_of_step
from lib_fabric.hosts.automatic1111.unet import LdmCall, LdmUnet, UnetConditioning
from lib_fabric.hosts.automatic1111.weights import encoder_fingerprint
from lib_fabric.steering.host import Pass, Step
from lib_fabric.steering.latents import LATENT_SCALE_PX

logger = logging.getLogger(__name__)

_ENCODER_SEED = 0
# The built-in Lora extension's module, as it stands in sys.modules once its script is loaded.
_LORA_MODULE = "networks"
# Options that change what the U-Net does with the same input.
_STATE_OPTIONS = ("upcast_attn", "enable_quantization", "sd_noise_schedule", "fp8_storage")


class WebuiHost:
    """steering.host.Host for one processing object."""

    def __init__(self, p: Any) -> None:  # noqa: ANN401 (the host's processing object)
        self._p = p
        self._rows = RowCounter()

    @property
    def _model(self) -> Any:  # noqa: ANN401 (the host's model)
        """The model in use now: the refiner or a hires checkpoint changes it in the middle."""
        model = self._p.sd_model
        if model is None:
            raise FabricError(
                "the model was unloaded while it was in use. Generate again.", status_code=500
            )
        return model

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

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        model = self._model
        self._vae()
        pixels = pixels.to(device=devices.device, dtype=devices.dtype_vae) * 2 - 1
        # SDXL's encoder only returns a sample, drawn from torch's global stream: give it a fixed
        # seed and put the stream back, so that references are repeatable and seeds unaffected.
        state = torch.get_rng_state()
        try:
            torch.default_generator.manual_seed(_ENCODER_SEED)
            posterior = model.encode_first_stage(pixels)
            if not isinstance(posterior, torch.Tensor):
                posterior = posterior.mode()
            latents = model.get_first_stage_encoding(posterior)
        finally:
            torch.set_rng_state(state)
        if not torch.isfinite(latents).all():
            raise FabricError(
                "the VAE could not encode a rated picture in half precision. "
                "Start the WebUI with --no-half-vae.",
                status_code=500,
            )
        return latents

    def null_conditioning(self, size_latent: tuple[int, int]) -> UnetConditioning:
        height_px, width_px = (side * LATENT_SCALE_PX for side in size_latent)
        prompts = prompt_parser.SdConditioning(
            [""], is_negative_prompt=True, width=width_px, height=height_px
        )
        conditioning = self._model.get_learned_conditioning(prompts)
        concat = self._null_concat(height_px, width_px)
        if not isinstance(conditioning, dict):
            return UnetConditioning(conditioning, concat=concat)
        extra = {"y": conditioning["vector"]} if "vector" in conditioning else {}
        return UnetConditioning(conditioning["crossattn"], extra, concat)

    def _null_concat(self, height_px: int, width_px: int) -> torch.Tensor | None:
        """What a model that takes a picture besides the latents gets for "no picture".

        Inpainting models: the mask covers everything and the picture below is grey, as the host's
        own txt2img (`modules/processing.py txt2img_image_conditioning`). Depth and edit models:
        zeros.
        """
        latent_channels = getattr(self._model, "latent_channels", None) or 4
        channels = self._unet().in_channels - latent_channels
        size = (height_px // LATENT_SCALE_PX, width_px // LATENT_SCALE_PX)
        if channels == 0:
            return None
        if channels == latent_channels + 1:
            grey = self.encode(torch.full((1, 3, height_px, width_px), 0.5))
            return torch.cat([grey.new_ones(1, 1, *size), grey], dim=1)
        return torch.zeros(1, channels, *size)

    @contextlib.contextmanager
    def progress_text(self, text: str) -> Iterator[None]:
        before = shared.state.textinfo
        shared.state.textinfo = text
        try:
            yield
        finally:
            shared.state.textinfo = before

    def free_memory(self) -> None:
        devices.torch_gc()

    def stop_if_interrupted(self) -> None:
        if shared.state.interrupted or shared.state.skipped:
            raise sd_samplers_common.InterruptedException

    def warn(self, message: str) -> None:
        logger.warning(message)
        self._p.comment(message)

    def owns(self, params: Any) -> bool:  # noqa: ANN401 (the host's CFGDenoiserParams)
        """Whether a denoiser callback comes from our own processing object.

        Before 1.8.0 the callback does not say whose it is; feedback is only installed while our
        own object samples, so it is ours.
        """
        denoiser = getattr(params, "denoiser", None)
        return denoiser is None or getattr(denoiser, "p", None) is self._p

    def begin_step(self, params: Any) -> Step:  # noqa: ANN401 (as above)
        """Reads a denoiser callback; the U-Net calls that follow are of this step.

        Steps are counted by the denoiser itself: `params.sampling_step` is the last finished one
        and lags behind by a step, and it does not know second-order samplers' extra calls.
        """
        denoiser = self._p.sampler.model_wrap_cfg
        steps = params.total_sampling_steps
        total = max(denoiser.total_steps or steps, 1)
        rows = rows_of_step(params.text_cond.shape[0], params.x.shape[0], self._prompts_of())
        self._rows.begin(rows)
        return Step(
            sampling=Pass(
                size_latent=tuple(params.x.shape[2:]),
                is_hires=bool(getattr(self._p, "is_hr_pass", False)),
                picture_numbers=self._picture_numbers(),
            ),
            rows=rows,
            alpha=self._alpha(denoiser, float(params.sigma[0])),
            progress=min(denoiser.step / total, 1.0),
            # A second-order sampler calls the denoiser twice in each step.
            number=denoiser.step * steps // total,
            is_last=denoiser.step + 1 >= total,
        )

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

    def _picture_numbers(self) -> tuple[int, ...]:
        """The batch's pictures by what their starting noise is drawn from; neighbours count up.

        Of img2img's first latents it would not do: they change with the denoising strength.
        """
        seeds = getattr(self._p, "seeds", None) or [0]
        subseeds = getattr(self._p, "subseeds", None) or []
        if not getattr(self._p, "subseed_strength", 0):
            return tuple(map(int, seeds))
        # A batch of variations has one seed, and variation seeds that count up.
        pairs = zip(seeds, subseeds, strict=False)
        return tuple(int(seed) + int(other) for seed, other in pairs)

    def _alpha(self, denoiser: nn.Module, sigma: float) -> float:
        """The cumulative product of alphas at a denoiser's noise level.

        k-diffusion samplers give a sigma; timestep samplers (DDIM, PLMS, UniPC) give the timestep
        in its place, UniPC a fractional one.
        """
        if not isinstance(denoiser, sd_samplers_timesteps.CFGDenoiserTimesteps):
            return 1 / (sigma**2 + 1)
        alphas = self._model.alphas_cumprod
        low = min(max(int(sigma), 0), len(alphas) - 1)
        high = min(low + 1, len(alphas) - 1)
        # In Python's numbers: not every device has float64.
        alpha, next_alpha = float(alphas[low]), float(alphas[high])
        return alpha + (next_alpha - alpha) * (sigma - int(sigma))


def _split_context(context: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return hypernetwork.apply_hypernetworks(shared.loaded_hypernetworks, context)


def _is_upcast() -> bool:
    return bool(getattr(shared.opts, "upcast_attn", False))
