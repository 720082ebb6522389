"""DDIM (arXiv:2010.02502), CFG++ (arXiv:2406.08070) and PLMS (arXiv:2202.09778)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import k_diffusion.sampling
import torch
import tqdm


class _Schedule:
    """alpha at each timestep and at the one before (the first's is that of timestep 0)."""

    def __init__(self, model: torch.nn.Module, timesteps: torch.Tensor) -> None:
        alphas = model.inner_model.inner_model.alphas_cumprod
        before = torch.nn.functional.pad(timesteps[:-1], (1, 0))
        self.timesteps = timesteps
        self.alpha = alphas[timesteps].double()
        self.alpha_prev = alphas[before].double()

    def backwards(self, disable: bool | None) -> Iterator[tuple[int, int]]:
        """(step, index into the schedule), from noise to picture; index 0 is not visited."""
        last = len(self.timesteps) - 1
        for i in tqdm.trange(last, disable=disable):
            yield i, last - i

    def at(self, index: int, x: torch.Tensor) -> torch.Tensor:
        """The timestep for each row."""
        return self.timesteps[index].item() * x.new_ones(x.shape[0])

    def move(
        self,
        index: int,
        x: torch.Tensor,
        noise_in: torch.Tensor,
        noise_out: torch.Tensor,
        sigma: float = 0.0,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One step back: takes out `noise_in`, adds `noise_out` of the lower level.
        Returns (latent, predicted picture)."""
        a, a_prev = self.alpha[index].item(), self.alpha_prev[index].item()
        picture = (x - (1 - a) ** 0.5 * noise_in) / a**0.5
        return a_prev**0.5 * picture + (1 - a_prev - sigma**2) ** 0.5 * noise_out, picture


def _tell(callback: Callable | None, x: torch.Tensor, i: int, picture: torch.Tensor) -> None:
    if callback is not None:
        callback({"x": x, "i": i, "sigma": 0, "sigma_hat": 0, "denoised": picture})


def _ddim(
    model: torch.nn.Module,
    x: torch.Tensor,
    timesteps: torch.Tensor,
    extra_args: dict | None,
    callback: Callable | None,
    disable: bool | None,
    eta: float,
    noise_out: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    schedule = _Schedule(model, timesteps)
    for i, index in schedule.backwards(disable):
        noise = model(x, schedule.at(index, x), **(extra_args or {}))
        a, a_prev = schedule.alpha[index].item(), schedule.alpha_prev[index].item()
        sigma = eta * ((1 - a_prev) / (1 - a) * (1 - a / a_prev)) ** 0.5
        x, picture = schedule.move(index, x, noise, noise_out(noise), sigma)
        # drawn even when sigma is 0, so that all pictures' generators move on as in the host
        x = x + sigma * k_diffusion.sampling.torch.randn_like(x)
        _tell(callback, x, i, picture)
    return x


@torch.no_grad()
def ddim(
    model: torch.nn.Module,
    x: torch.Tensor,
    timesteps: torch.Tensor,
    extra_args: dict | None = None,
    callback: Callable | None = None,
    disable: bool | None = None,
    eta: float = 0.0,
) -> torch.Tensor:
    """DDIM; eta 1 is ancestral sampling."""
    return _ddim(model, x, timesteps, extra_args, callback, disable, eta, lambda noise: noise)


@torch.no_grad()
def ddim_cfgpp(
    model: torch.nn.Module,
    x: torch.Tensor,
    timesteps: torch.Tensor,
    extra_args: dict | None = None,
    callback: Callable | None = None,
    disable: bool | None = None,
    eta: float = 0.0,
) -> torch.Tensor:
    """DDIM that goes back along the unconditional noise; guidance is scaled by 1/12.5."""
    model.cond_scale_miltiplier = 1 / 12.5
    model.need_last_noise_uncond = True
    uncond = lambda noise: model.last_noise_uncond  # noqa: E731
    return _ddim(model, x, timesteps, extra_args, callback, disable, eta, uncond)


_ADAMS_BASHFORTH = {1: (3 / 2, -1 / 2), 2: (23 / 12, -16 / 12, 5 / 12)}
_ADAMS_BASHFORTH[3] = (55 / 24, -59 / 24, 37 / 24, -9 / 24)


@torch.no_grad()
def plms(
    model: torch.nn.Module,
    x: torch.Tensor,
    timesteps: torch.Tensor,
    extra_args: dict | None = None,
    callback: Callable | None = None,
    disable: bool | None = None,
) -> torch.Tensor:
    """Linear multistep on the predicted noise; the first step calls the denoiser twice."""
    extra_args = extra_args or {}
    schedule = _Schedule(model, timesteps)
    earlier: list[torch.Tensor] = []  # newest first
    for i, index in schedule.backwards(disable):
        noise = model(x, schedule.at(index, x), **extra_args)
        if earlier:
            factors = _ADAMS_BASHFORTH[len(earlier)]
            steer = sum(f * e for f, e in zip(factors, [noise, *earlier], strict=True))
        else:
            ahead, _ = schedule.move(index, x, noise, noise)
            steer = (noise + model(ahead, schedule.at(max(index - 1, 0), x), **extra_args)) / 2
        x, picture = schedule.move(index, x, steer, steer)
        earlier = [noise, *earlier][:3]
        _tell(callback, x, i, picture)
    return x
