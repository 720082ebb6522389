"""Denoiser calls of one case, as the host makes them. Knows torch and lib_fabric."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from lib_fabric import ratings
from lib_fabric.pictures import Picture
from lib_fabric.request import FabricRequest
from lib_fabric.steering.latents import LatentCache
from lib_fabric.steering.methods import METHODS, Rated
from lib_fabric.steering.picture_numbers import RowNumbers
from lib_fabric.steering.schedule import feedback_weights
from lib_fabric.steering.session import DenoiseStep, FabricSession
from lib_fabric.steering.state_cache import StateCache
from tests.bench.arithmetic import Arithmetic
from tests.bench.bench_host import BenchHost
from tests.bench.cases import Case

NUM_TIMESTEPS = 1000


class Denoiser:
    """A case's U-Net on one device, and its calls with and without feedback."""

    def __init__(self, case: Case, device: torch.device, dtype: torch.dtype) -> None:
        self.case, self.device, self._dtype = case, device, dtype
        self.unet = case.build(device, dtype)
        self._host = BenchHost(case, self.unet)
        self._latents = LatentCache()
        self._made: dict[int, dict[str, torch.Tensor]] = {}
        self.arithmetic = Arithmetic.of(self.unet, lambda: self._call_unet(1, 0.5))

    @contextlib.contextmanager
    def session(
        self, request: FabricRequest | None, states: StateCache | None = None
    ) -> Iterator[FabricSession | None]:
        """A generation with this feedback, or with none."""
        with torch.no_grad():
            if request is None:
                yield None
                return
            session = FabricSession(request, self._host, self._latents, states)
            with session.installed():
                yield session

    def step(
        self,
        session: FabricSession | None,
        num_cond: int,
        num_uncond: int,
        progress: float = 0.0,
        number: int = 0,
    ) -> None:
        """One denoiser call; returns when it is done.

        Args:
            progress: 0 to 1, from which the noise level follows.
            number: of the sampling step.
        """
        rows = num_cond + num_uncond
        alpha = 0.05 + 0.9 * progress
        if session is not None:
            x, size = self._inputs(rows)["x"], self.case.size_latent
            step = DenoiseStep(alpha, progress, num_cond, rows, size, x=x, number=number)
            session.begin_denoise(lambda: step)
        self._call_unet(rows, alpha)
        if session is not None:
            session.end_denoise()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def limits(self, request: FabricRequest, batch_size: int) -> tuple[float, float]:
        """Operations of a step with feedback over those without: (cold, warm)."""
        settings = request.settings
        strengths = feedback_weights(settings, 0.0)
        liked = _weigh(request.ratings.liked, strengths[0])
        disliked = _weigh(request.ratings.disliked, strengths[1])
        method = METHODS[settings.method]
        numbers = RowNumbers().of_rows(self._inputs(2 * batch_size)["x"], 2 * batch_size, False)
        attended = []
        for row in range(2 * batch_size):
            choose = method.conditional if row < batch_size else method.unconditional
            chosen = choose(liked, disliked, numbers[row])
            for rated in (chosen.joined, *(pull.rated for pull in chosen.pulls)):
                attended += [each.picture_id for each in rated]
        count = self.arithmetic.limit
        rows = 2 * batch_size
        return (
            count(rows, len(attended), len(set(attended))),
            count(rows, len(attended), 0),
        )

    def _inputs(self, rows: int) -> dict[str, torch.Tensor]:
        """Everything but the timesteps; made once, so that no call pays for it."""
        if rows not in self._made:
            generator = torch.Generator().manual_seed(0)
            noise = torch.randn(rows // 2 or 1, 4, *self.case.size_latent, generator=generator)
            context = torch.randn(rows, 77, self.case.context_dim, generator=generator)
            # The host sends each picture's latent once for each of its prompts.
            inputs = {"x": noise.repeat(2, 1, 1, 1)[:rows], "context": context}
            if self.case.vector_dim:
                inputs["y"] = torch.randn(rows, self.case.vector_dim, generator=generator)
            self._made[rows] = {
                name: value.to(self.device, self._dtype) for name, value in inputs.items()
            }
        return self._made[rows]

    def _call_unet(self, rows: int, alpha: float) -> None:
        timesteps = torch.full((rows,), NUM_TIMESTEPS * (1 - alpha), device=self.device)
        self.unet(timesteps=timesteps, **self._inputs(rows))


def _weigh(references: tuple[ratings.Rated[Picture], ...], strength: float) -> tuple[Rated, ...]:
    weighed = [Rated(each.picture.id, strength * each.weight) for each in references]
    return tuple(each for each in weighed if each.weight > 0)
