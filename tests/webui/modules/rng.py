"""Random numbers: one CPU generator per picture, so that a batch equals single pictures."""

from __future__ import annotations

import torch
from modules import devices


def manual_seed(seed: int) -> None:
    """Seeds the global generator of torch."""
    torch.manual_seed(seed)


def randn(seed: int, shape: tuple, generator: torch.Generator | None = None) -> torch.Tensor:
    """Normal numbers; seeds the global generator too, as the host's does."""
    manual_seed(seed)
    return torch.randn(shape, device=devices.cpu, generator=generator).to(devices.device)


def randn_local(seed: int, shape: tuple) -> torch.Tensor:
    """Normal numbers of a seed without touching the global generator."""
    return torch.randn(shape, device=devices.cpu, generator=create_generator(seed))


def randn_like(x: torch.Tensor) -> torch.Tensor:
    """Normal numbers of the global generator in the shape of `x`."""
    return torch.randn_like(x, device=devices.cpu).to(x.device)


def randn_without_seed(shape: tuple, generator: torch.Generator | None = None) -> torch.Tensor:
    """Normal numbers of a generator already seeded."""
    return torch.randn(shape, device=devices.cpu, generator=generator).to(devices.device)


def create_generator(seed: int) -> torch.Generator:
    """A generator of its own."""
    return torch.Generator(devices.cpu).manual_seed(int(seed))


def slerp(val: float, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    """Spherical interpolation between two noises C x H x W, along their rows' norms."""
    low_unit = low / low.norm(dim=1, keepdim=True)
    high_unit = high / high.norm(dim=1, keepdim=True)
    cosine = (low_unit * high_unit).sum(1)
    if cosine.mean() > 0.9995:  # nearly parallel: the formula divides by zero
        return low * (1 - val) + high * val
    angle = torch.acos(cosine)
    share_low = torch.sin((1 - val) * angle) / torch.sin(angle)
    share_high = torch.sin(val * angle) / torch.sin(angle)
    return share_low.unsqueeze(1) * low + share_high.unsqueeze(1) * high


class ImageRNG:
    """The noise of a batch. The first `next()` is the initial latent noise."""

    def __init__(
        self,
        shape: tuple,
        seeds: list[int],
        subseeds: list[int] | None = None,
        subseed_strength: float = 0.0,
        seed_resize_from_h: int = 0,
        seed_resize_from_w: int = 0,
    ) -> None:
        self.shape = tuple(int(n) for n in shape)
        self.seeds = seeds
        self.subseeds = subseeds
        self.subseed_strength = subseed_strength
        self.seed_resize_from_h = seed_resize_from_h
        self.seed_resize_from_w = seed_resize_from_w
        self.generators = [create_generator(seed) for seed in seeds]
        self.is_first = True

    def _initial(self, i: int) -> torch.Tensor:
        noise = randn(self.seeds[i], self.shape, generator=self.generators[i])
        if not self.subseeds or self.subseed_strength == 0:
            return noise
        other = randn(self.subseeds[i] if i < len(self.subseeds) else 0, self.shape)
        return slerp(self.subseed_strength, noise, other)

    def first(self) -> torch.Tensor:
        """The initial noise, B x C x H x W."""
        from modules import shared

        noise = torch.stack([self._initial(i) for i in range(len(self.seeds))])
        delta = shared.opts.eta_noise_seed_delta or 0
        if delta:
            self.generators = [create_generator(seed + delta) for seed in self.seeds]
        return noise.to(devices.device)

    def next(self) -> torch.Tensor:
        """The next noise, B x C x H x W."""
        if self.is_first:
            self.is_first = False
            return self.first()
        return torch.stack([randn_without_seed(self.shape, g) for g in self.generators])


devices.randn = randn
devices.randn_local = randn_local
devices.randn_like = randn_like
devices.randn_without_seed = randn_without_seed
devices.manual_seed = manual_seed
