"""What a generation needs from the WebUI: the protocol that each family of WebUIs fills.

Sizes are (height, width) in latent cells. Knows torch and what a layer is; no WebUI.

The host tells the session when it samples (`FabricSession.installed`), when a step of its denoiser
begins and ends (`begin_step`, `end_step`), and answers what the session asks it here.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import nn

from lib_fabric.attention.layer import Layer


class Row(NamedTuple):
    """What a row of a U-Net call is about.

    Attributes:
        picture: which picture of the batch, from 0.
        is_conditional: whether it has the prompt; else the negative one.
    """

    picture: int
    is_conditional: bool


@dataclass(frozen=True)
class Pass:
    """One sampling of a batch: the first pass, or the hires pass.

    Attributes:
        size_latent: of the pictures.
        is_hires: whether this is the hires pass.
        picture_numbers: of the batch's pictures, in order, by what decides the noise that they
            start from: the same for a picture alone, in a batch and tomorrow. Neighbours count up.
    """

    size_latent: tuple[int, int]
    is_hires: bool = False
    picture_numbers: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Step:
    """One call of the denoiser.

    Attributes:
        sampling: the pass that it belongs to.
        rows: every row that its U-Net calls may have.
        alpha: cumulative product of alphas at the denoiser's noise level, 0 to 1.
        progress: share of the pass's denoiser calls already made, 0 to 1.
        number: of the sampling step, from 0; several calls of a second-order sampler share one.
        is_last: whether the pass ends with it, as far as the sampler tells.
        uses_negative: whether what is drawn for the negative prompt reaches the picture.
    """

    sampling: Pass
    rows: tuple[Row, ...]
    alpha: float
    progress: float
    number: int = 0
    is_last: bool = False
    uses_negative: bool = True


class UnetCall(Protocol):
    """One call of the U-Net that belongs to a step of ours."""

    @property
    def rows(self) -> Sequence[Row]:
        """What each of its rows is about."""

    @property
    def size_latent(self) -> tuple[int, int]:
        """Of its input."""

    @property
    def device(self) -> torch.device:
        """Where it runs."""

    @property
    def timestep(self) -> torch.Tensor:
        """`[1]`, what the U-Net is told of the noise level."""


class Conditioning(Protocol):
    """The conditioning of the references' prompt, in the host's own form."""

    @property
    def key(self) -> Hashable:
        """Changes whenever the conditioning does."""


class Model(Protocol):
    """A U-Net that can be hooked."""

    @property
    def unet(self) -> nn.Module:
        """Its forward is replaced while it is hooked, and runs again after out of memory."""

    @property
    def layers(self) -> Sequence[Layer]:
        """Its self-attention, in the U-Net's order."""

    def run_references(
        self,
        noised: torch.Tensor,
        timestep: torch.Tensor,
        conditioning: Conditioning,
        call: UnetCall,
    ) -> None:
        """Runs references through the U-Net, past what other extensions have put on it.

        Args:
            noised: z_t `[rows, C, h, w]`, float32.
            timestep: `[1]`, of that noise level.
            call: of the same model; says precision and device, not timestep.

        Raises:
            UnsupportedModelError: the model's input has other channels.
        """


class Host(Protocol):
    """The WebUI, for one generation."""

    def model(self) -> Model:
        """The model now in use: a refiner or another checkpoint takes over in mid-sampling.

        Raises:
            FabricError: it cannot be hooked.
        """

    def read_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> UnetCall | None:
        """A call of the U-Net by its arguments; None for one that is of no step of ours."""

    def latents_key(self) -> Hashable:
        """Changes whenever the checkpoint or the VAE does."""

    def states_key(self) -> Hashable:
        """Changes whenever anything known does that changes what a reference's states are."""

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels `[1, 3, H, W]` in 0..1 to scaled latents `[1, C, H/8, W/8]`; repeatable."""

    def null_conditioning(self, size_latent: tuple[int, int]) -> Conditioning:
        """The conditioning of the empty prompt, with the extra networks that are active now."""

    def progress_text(self, text: str) -> AbstractContextManager[None]:
        """Shows `text` in the progress bar for as long as the context lasts."""

    def free_memory(self) -> None:
        """Gives memory that nothing uses back to the device."""

    def stop_if_interrupted(self) -> None:
        """Raises the host's own exception if the user has asked for an end."""

    def warn(self, message: str) -> None:
        """Tells the user something beside the pictures, in the log and in their infotext."""
