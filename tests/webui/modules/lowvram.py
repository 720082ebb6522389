"""Low-memory modes are not in the stand-in; the host asks at many places."""

from __future__ import annotations

from torch import nn


def is_enabled(sd_model: nn.Module) -> bool:
    """Whether the model is moved to the GPU in parts."""
    return bool(sd_model.lowvram)


def send_everything_to_cpu() -> None:
    """Nothing is on a GPU."""
