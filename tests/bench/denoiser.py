"""Denoiser calls of one case, as the host makes them. Knows torch and lib_fabric."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from lib_fabric.attention.plan import Attended
from lib_fabric.hosts.automatic1111.rows import rows_of_step
from lib_fabric.request import FabricRequest
from lib_fabric.steering.host import Pass, Step
from lib_fabric.steering.latents import LatentCache
from lib_fabric.steering.session import FabricSession
from lib_fabric.steering.state_cache import StateCache
from lib_fabric.steering.weighing import Weighing
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
            session.begin_step(
                lambda: self._host.begin_step(self._step(num_cond, rows, alpha, progress, number))
            )
        self._call_unet(rows, alpha)
        if session is not None:
            session.end_step()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def limits(self, request: FabricRequest, batch_size: int) -> tuple[float, float]:
        """Operations of a step with feedback over those without: (cold, warm)."""
        step = self._step(batch_size, 2 * batch_size, alpha=0.5, progress=0.0)
        attended = Weighing(request).attended(step)
        references = [
            each.key for row in step.rows for each in attended.get(row, Attended()).references
        ]
        count = self.arithmetic.limit
        rows = 2 * batch_size
        return (
            count(rows, len(references), len(set(references))),
            count(rows, len(references), 0),
        )

    def _step(
        self, num_cond: int, num_rows: int, alpha: float, progress: float, number: int = 0
    ) -> Step:
        num_pictures = num_cond or num_rows
        rows = rows_of_step(num_cond, num_rows, [1] * num_cond or [0] * num_pictures)
        sampling = Pass(self.case.size_latent, picture_numbers=tuple(range(num_pictures)))
        return Step(sampling, rows, alpha, progress, number)

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
