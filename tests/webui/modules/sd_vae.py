"""The VAE: always the checkpoint's own."""

from __future__ import annotations

from torch import nn

vae_dict: dict[str, str] = {}
base_vae = None
loaded_vae_file: str | None = None
checkpoint_info = None


def get_loaded_vae_name() -> str | None:
    """File name of a separate VAE; there is none."""
    return None


def get_loaded_vae_hash() -> str | None:
    """Hash of a separate VAE; there is none."""
    return None


def refresh_vae_list() -> None:
    """Looks for VAE files; there are none."""


def reload_vae_weights(sd_model: nn.Module | None = None, vae_file: object = None) -> None:
    """Changes the VAE; there is no other."""
