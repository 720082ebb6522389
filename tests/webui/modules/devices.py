"""Device and precision: the stand-in runs on the CPU in 32 bit."""

from __future__ import annotations

import contextlib
import gc

import torch

cpu = torch.device("cpu")
device = cpu
device_interrogate = device_gfpgan = device_esrgan = device_codeformer = cpu
fp8 = False
force_fp16 = False
dtype = dtype_vae = dtype_unet = dtype_inference = torch.float32
unet_needs_upcast = False

# rng.py fills these in, as the host's does
randn = randn_local = randn_like = randn_without_seed = manual_seed = None


def get_optimal_device() -> torch.device:
    """The device models run on."""
    return device


def get_device_for(task: str) -> torch.device:
    """The device for a task such as "interrogate"; always the CPU here."""
    return device


def torch_gc() -> None:
    """Frees GPU memory in the host; here only a short collection of young objects."""
    gc.collect(0)


def autocast(disable: bool = False) -> contextlib.AbstractContextManager:
    """The precision context for sampling: nothing to do in 32 bit."""
    return contextlib.nullcontext()


def without_autocast(disable: bool = False) -> contextlib.AbstractContextManager:
    """The context that switches `autocast` off."""
    return contextlib.nullcontext()


def cond_cast_unet(input: torch.Tensor) -> torch.Tensor:
    """Casts to the U-Net's type where the host upcasts; a no-op here."""
    return input.to(dtype_unet) if unet_needs_upcast else input


def cond_cast_float(input: torch.Tensor) -> torch.Tensor:
    """Casts to 32 bit where the host upcasts; a no-op here."""
    return input.float() if unet_needs_upcast else input


class NansException(Exception):  # noqa: N818  (the host's name)
    """Raised when a model's output is not a number."""


def test_for_nans(x: torch.Tensor, where: str) -> None:
    """Raises `NansException` if the first number of `x` is not one (`where`: "unet" or "vae")."""
    from modules.shared_cmd_options import cmd_opts

    if not cmd_opts.disable_nan_check and torch.isnan(x.flatten()[0]):
        raise NansException(f"A tensor with NaNs was produced in {where}.")
