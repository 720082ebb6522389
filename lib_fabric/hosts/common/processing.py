"""What all families do alike for one of the host's processing objects. Knows `modules.*`.

No rule of the method lives here; what differs is in the families' own folders.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from modules import devices, prompt_parser, sd_samplers_common, shared
from torch import nn

from lib_fabric.errors import FabricError
from lib_fabric.hosts.common.guidance import uses_negative
from lib_fabric.hosts.common.numbers import picture_numbers
from lib_fabric.hosts.common.reference_pass import UnetConditioning
from lib_fabric.hosts.common.requests import say
from lib_fabric.steering.host import Pass, Row, Step
from lib_fabric.steering.latents import LATENT_SCALE_PX
from lib_fabric.steering.session import FabricSession

_ENCODER_SEED = 0


class ProcessingHost:
    """The common part of steering.host.Host.

    Attributes:
        end_of_step: the host's event after the U-Net calls of a denoiser's step, by the name of
            what registers for it in `modules.script_callbacks`.
        full_precision_vae: the host's flag for a VAE in full precision.
    """

    end_of_step: str
    full_precision_vae = "--no-half-vae"

    def __init__(self, p: Any) -> None:  # noqa: ANN401 (the host's processing object)
        self._p = p

    @property
    def _model(self) -> Any:  # noqa: ANN401 (the host's model)
        """The model in use now: the refiner or a hires checkpoint changes it in the middle."""
        model = self._p.sd_model
        if model is None:
            raise FabricError(
                "the model was unloaded while it was in use. Generate again.", status_code=500
            )
        return model

    def _unet(self) -> nn.Module:
        """The U-Net in use now.

        Raises:
            UnsupportedModelError: there is none that could be hooked.
        """
        raise NotImplementedError  # each family has its own way

    def _latent_channels(self) -> int:
        """How many channels the VAE's latents have."""
        raise NotImplementedError  # as above

    def can_steer(self) -> bool:
        """Whether the model that is loaded can take feedback; if not, says so to the user.

        Raises:
            UnsupportedModelError: it cannot, and the request is one that is refused.
        """
        return True

    def begin_pass(self, session: FabricSession, p: Any, x: torch.Tensor) -> None:  # noqa: ANN401 (the host's processing object)
        """A pass of `p` over latents of the size of `x` is about to be sampled."""

    def end_sampling(self) -> None:
        """The sampling is over, whatever happened."""

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """As steering.host.Host."""
        # Some encoders only return a sample, drawn from torch's global stream: give it a fixed
        # seed and put the stream back, so that references are repeatable and seeds unaffected.
        state = torch.get_rng_state()
        try:
            torch.default_generator.manual_seed(_ENCODER_SEED)
            latents = self._encode(pixels)
        finally:
            torch.set_rng_state(state)
        if not torch.isfinite(latents).all():
            raise FabricError(
                "the VAE could not encode a rated picture in half precision. "
                f"Start the WebUI with {self.full_precision_vae}.",
                status_code=500,
            )
        return latents

    def _encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """As `encode`, by the host's own function."""
        posterior = self._model.encode_first_stage(pixels * 2 - 1)
        if not isinstance(posterior, torch.Tensor):
            posterior = posterior.mode()
        return self._model.get_first_stage_encoding(posterior)

    def null_conditioning(self, size_latent: tuple[int, int]) -> UnetConditioning:
        """As steering.host.Host."""
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
        latent_channels = self._latent_channels()
        channels = self._unet().in_channels - latent_channels
        size = (height_px // LATENT_SCALE_PX, width_px // LATENT_SCALE_PX)
        if channels == 0:
            return None
        if channels == latent_channels + 1:
            grey = self.encode(torch.full((1, 3, height_px, width_px), 0.5))
            return torch.cat([grey.new_ones(1, 1, *size), grey], dim=1)
        return torch.zeros(1, channels, *size, device=devices.device)

    @contextlib.contextmanager
    def progress_text(self, text: str) -> Iterator[None]:
        """As steering.host.Host."""
        before = shared.state.textinfo
        shared.state.textinfo = text
        try:
            yield
        finally:
            shared.state.textinfo = before

    def free_memory(self) -> None:
        """As steering.host.Host."""
        devices.torch_gc()

    def stop_if_interrupted(self) -> None:
        """As steering.host.Host."""
        if shared.state.interrupted or shared.state.skipped:
            raise sd_samplers_common.InterruptedException

    def warn(self, message: str) -> None:
        """As steering.host.Host."""
        say(self._p, message)

    def owns(self, params: Any) -> bool:  # noqa: ANN401 (the host's CFGDenoiserParams)
        """Whether a denoiser callback comes from our own processing object.

        Before 1.8.0 the callback does not say whose it is; feedback is only installed while our
        own object samples, so it is ours.
        """
        denoiser = getattr(params, "denoiser", None)
        return denoiser is None or getattr(denoiser, "p", None) is self._p

    def _step(self, params: Any, rows: Sequence[Row], alpha: float) -> Step:  # noqa: ANN401 (as above)
        """The step that a denoiser callback announces.

        Steps are counted by the denoiser itself: `params.sampling_step` is the last finished one
        and lags behind by a step, and it does not know second-order samplers' extra calls.
        """
        denoiser = self._p.sampler.model_wrap_cfg
        steps = params.total_sampling_steps
        total = max(denoiser.total_steps or steps, 1)
        return Step(
            sampling=self._pass_over(params.x),
            rows=tuple(rows),
            alpha=alpha,
            progress=min(denoiser.step / total, 1.0),
            # A second-order sampler calls the denoiser twice in each step.
            number=denoiser.step * steps // total,
            is_last=denoiser.step + 1 >= total,
            uses_negative=uses_negative(denoiser, self._p.sampler, self._is_edit_model()),
        )

    def _is_edit_model(self) -> bool:
        """Whether it is one of instruct-pix2pix."""
        return getattr(self._p.sd_model, "cond_stage_key", None) == "edit"

    def _pass_over(self, x: torch.Tensor) -> Pass:
        return Pass(
            size_latent=tuple(x.shape[2:]),
            is_hires=bool(getattr(self._p, "is_hr_pass", False)),
            picture_numbers=self._picture_numbers(),
        )

    def _picture_numbers(self) -> tuple[int, ...]:
        """The batch's pictures by what their starting noise is drawn from; neighbours count up.

        Of img2img's first latents it would not do: they change with the denoising strength.
        """
        seeds = getattr(self._p, "seeds", None) or [0]
        return picture_numbers(self._p, seeds, getattr(self._p, "subseeds", None) or [])
