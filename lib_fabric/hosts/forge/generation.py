"""One generation in Forge, Forge Neo or reForge (`modules.*`).

No rule of the method lives here: it adapts U-Net, VAE, empty prompt, noise levels and rows to the
protocol in steering/host.py.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Hashable
from typing import Any

import torch
from modules import sd_models, sd_samplers_common
from torch import nn

from lib_fabric.errors import UnsupportedModelError
from lib_fabric.hosts.common.processing import ProcessingHost
from lib_fabric.hosts.common.reference_pass import UnetConditioning
from lib_fabric.hosts.common.weights import encoder_fingerprint
from lib_fabric.hosts.forge.memory import ReservedMemory
from lib_fabric.hosts.forge.unet import ForgeCall, ForgeUnet
from lib_fabric.steering.host import Row, Step
from lib_fabric.steering.session import FabricSession


class ForgeHost(ProcessingHost):
    """steering.host.Host for one processing object."""

    # `on_cfg_denoised` can be registered for, but never comes.
    end_of_step = "on_cfg_after_cfg"
    full_precision_vae = "--vae-in-fp32 (Forge Neo: --fp32-vae)"

    def __init__(self, p: Any) -> None:  # noqa: ANN401 (the host's processing object)
        super().__init__(p)
        self._x: torch.Tensor | None = None
        self._latents: torch.Tensor | None = None
        self._num_others = 0
        self._has_loaded_others = False
        self._reserved = ReservedMemory()

    def model(self) -> ForgeUnet:
        unet = ForgeUnet(self._unet())
        self._refuse_other_noise()
        return unet

    def read_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ForgeCall | None:
        if self._latents is None or self._num_others:
            return None
        call = ForgeCall.of(args, kwargs, self._latents)
        if call is not None:
            replaced = kwargs["transformer_options"].get("patches_replace", {}).get("attn1")
            if replaced:
                self.model().refuse_replaced(replaced)
            self._load_unet_again()
        return call

    def _patcher(self) -> Any:  # noqa: ANN401 (the host's UnetPatcher)
        objects = getattr(self._model, "forge_objects", None)
        return getattr(objects, "unet", None)

    def _unet(self) -> nn.Module:
        unet = getattr(getattr(self._patcher(), "model", None), "diffusion_model", None)
        if not isinstance(unet, nn.Module):
            raise UnsupportedModelError(
                "this kind of checkpoint cannot take feedback. Switch FABRIC off."
            )
        return unet

    def _latent_channels(self) -> int:
        return self._model.forge_objects.vae.latent_channels

    def can_steer(self) -> bool:
        try:
            self.model()
        except UnsupportedModelError as error:
            if self._p.is_api:
                raise
            self.warn(f"FABRIC had no effect: {error}")
            return False
        return True

    def latents_key(self) -> Hashable:
        vae = self._model.forge_objects.vae.first_stage_model
        return (self._checkpoint(), encoder_fingerprint(vae))

    def states_key(self) -> Hashable:
        # Asked for at every step: nothing that has to be read from the device.
        return (
            self._checkpoint(),
            # The way in which it was loaded: the VAE, precision. reForge has none.
            getattr(sd_models.model_data, "forge_hash", None),
            # Of the extra networks.
            getattr(self._model, "current_lora_hash", None),
        )

    def _checkpoint(self) -> str | None:
        return getattr(getattr(self._model, "sd_checkpoint_info", None), "filename", None)

    def _encode(self, pixels: torch.Tensor) -> torch.Tensor:
        self._has_loaded_others = True
        # Where and in which precision is the host's business.
        return super()._encode(pixels.float())

    def null_conditioning(self, size_latent: tuple[int, int]) -> UnetConditioning:
        self._has_loaded_others = True
        return super().null_conditioning(size_latent)

    def _load_unet_again(self) -> None:
        """What loads an encoder in mid-sampling may have sent the U-Net away."""
        if self._has_loaded_others:
            sd_samplers_common.sampling_prepare(self._patcher(), x=self._x)
            self._has_loaded_others = False

    def begin_pass(self, session: FabricSession, p: Any, x: torch.Tensor) -> None:  # noqa: ANN401 (the host's processing object)
        if p is not self._p:
            return
        self._reserved.give_back()
        first = Step(self._pass_over(x), _rows(x), alpha=1.0, progress=0.0)
        # The sampling that follows ends in the host's way.
        with contextlib.suppress(sd_samplers_common.InterruptedException):
            num_pictures = session.prepare_pass(lambda: first)
            if num_pictures:
                cells = num_pictures * math.prod(x.shape[2:])
                self._reserved.reserve(self._patcher(), int(cells * self.model().bytes_per_cell))
        # The host loads the U-Net now.
        self._has_loaded_others = False

    def end_sampling(self) -> None:
        self._reserved.give_back()
        self.end_step()

    def begin_step(self, params: Any) -> Step:  # noqa: ANN401 (the host's CFGDenoiserParams)
        """Reads a denoiser callback; the U-Net calls that follow are of this step."""
        self._num_others = 0
        self._x = params.x
        self._latents = self._input_of(params.x, params.sigma)
        return self._step(params, _rows(params.x), _alpha(float(params.sigma[0])))

    def ends_step(self, _params: Any) -> bool:  # noqa: ANN401 (the host's AfterCFGCallbackParams)
        """Whether the denoiser whose calls are over is our own object's.

        The callback does not say whose it is, but what began last ends first.
        """
        return self._num_others == 0

    def end_step(self) -> None:
        """U-Net calls from here on are of no step of ours."""
        self._x = self._latents = None

    def begin_other_step(self) -> None:
        """A generation inside this one begins a step; its U-Net calls are not ours."""
        self._num_others += 1

    def end_other_step(self) -> None:
        """They are over."""
        self._num_others -= 1

    def _input_of(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """What the U-Net gets of noisy latents."""
        model = self._patcher().model
        # reForge has it by another name.
        prediction = getattr(model, "predictor", None) or model.model_sampling
        return prediction.calculate_input(sigma, x)

    def _refuse_other_noise(self) -> None:
        """Refuses models that mix noise and picture in another way, by how their input is scaled.

        Raises:
            UnsupportedModelError: rectified flow, or a sigma of the data that is not 1.
        """
        sigma = torch.ones(1)
        scale = float(self._input_of(torch.ones(1, 1, 1, 1), sigma))
        if not math.isclose(scale**2, _alpha(1.0), rel_tol=1e-3):
            raise UnsupportedModelError(
                "this checkpoint adds noise in another way than FABRIC knows (as flow models do). "
                "Switch FABRIC off, or choose a Stable Diffusion 1 or 2 or SDXL checkpoint."
            )


def _alpha(sigma: float) -> float:
    return 1 / (sigma**2 + 1)


def _rows(x: torch.Tensor) -> tuple[Row, ...]:
    return tuple(Row(picture, kind) for kind in (True, False) for picture in range(len(x)))
