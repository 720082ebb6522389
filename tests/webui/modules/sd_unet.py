"""Alternative U-Nets: none here; the class's `forward` is wrapped as the host wraps it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

unet_options: list = []
current_unet_option = None
current_unet = None
original_forward = None


def create_unet_forward(original_forward: Callable) -> Callable:
    """A `forward` that prefers `current_unet` if one is set."""

    def unet_forward(
        self: nn.Module,
        x: torch.Tensor,
        timesteps: torch.Tensor | None = None,
        context: torch.Tensor | None = None,
        *args: object,
        **kwargs: object,
    ) -> torch.Tensor:
        if current_unet is not None:
            return current_unet.forward(x, timesteps, context, *args, **kwargs)
        return original_forward(self, x, timesteps, context, *args, **kwargs)

    return unet_forward


def list_unets() -> None:
    """Asks extensions for theirs."""
    from modules import script_callbacks

    unet_options[:] = script_callbacks.list_unets_callback()


def apply_unet(option: object = None) -> None:
    """Chooses an alternative U-Net; there is none."""
