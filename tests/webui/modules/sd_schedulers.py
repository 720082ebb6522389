"""Noise schedules by name."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import k_diffusion.sampling
import torch


@dataclasses.dataclass
class Scheduler:
    """One schedule: `function(n, sigma_min, sigma_max[, inner_model], device)`."""

    name: str
    label: str
    function: Callable | None
    default_rho: float = -1
    need_inner_model: bool = False
    aliases: list[str] | None = None


def uniform(
    n: int, sigma_min: float, sigma_max: float, inner_model: object, device: torch.device
) -> torch.Tensor:
    """The model's own schedule, evenly spaced timesteps."""
    return inner_model.get_sigmas(n).to(device)


def sgm_uniform(
    n: int, sigma_min: float, sigma_max: float, inner_model: object, device: torch.device
) -> torch.Tensor:
    """Evenly spaced timesteps that stop one step before the smallest."""
    start = inner_model.sigma_to_t(torch.tensor(sigma_max))
    end = inner_model.sigma_to_t(torch.tensor(sigma_min))
    sigmas = inner_model.t_to_sigma(torch.linspace(start, end, n + 1)[:-1])
    return torch.cat([sigmas, sigmas.new_zeros(1)]).to(device)


def kl_optimal(n: int, sigma_min: float, sigma_max: float, device: torch.device) -> torch.Tensor:
    """Evenly spaced arc tangents."""
    ends = math.atan(sigma_max), math.atan(sigma_min)
    return torch.tan(torch.linspace(*ends, n + 1, device=device))


schedulers = [
    Scheduler("automatic", "Automatic", None),
    Scheduler("uniform", "Uniform", uniform, need_inner_model=True),
    Scheduler("karras", "Karras", k_diffusion.sampling.get_sigmas_karras, default_rho=7.0),
    Scheduler("exponential", "Exponential", k_diffusion.sampling.get_sigmas_exponential),
    Scheduler(
        "polyexponential",
        "Polyexponential",
        k_diffusion.sampling.get_sigmas_polyexponential,
        default_rho=1.0,
    ),
    Scheduler(
        "sgm_uniform", "SGM Uniform", sgm_uniform, need_inner_model=True, aliases=["SGMUniform"]
    ),
    Scheduler("kl_optimal", "KL Optimal", kl_optimal),
]
schedulers_map = {key: x for x in schedulers for key in (x.name, x.label)}
