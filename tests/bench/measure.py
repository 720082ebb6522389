"""Measures one case: seconds, arithmetic and memory of one denoiser call."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from statistics import median

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from lib_fabric.latents import LatentCache
from lib_fabric.pictures import Picture, from_image
from lib_fabric.reference_pass import Conditioning
from lib_fabric.request import FabricRequest, Reference
from lib_fabric.session import DenoiseStep, FabricSession
from lib_fabric.settings import FabricSettings
from lib_fabric.state_cache import StateCache
from tests.bench.cases import Case

UNLIMITED = 2**60


@dataclass(frozen=True)
class Result:
    """Medians over interleaved runs; ratios are to the plain call of the same run.

    Attributes:
        plain_s: seconds of a denoiser call without feedback.
        cold, warm: seconds with feedback over without; reference states computed, or kept.
        cold_limit, warm_limit: the same in floating point operations.
        states_mb: memory of the references' states of one step.
    """

    case: str
    batch_size: int
    num_liked: int
    num_disliked: int
    plain_s: float
    cold: float
    cold_limit: float
    warm: float
    warm_limit: float
    states_mb: float


class BenchHost:
    """lib_fabric.session.Host without a host."""

    def __init__(self, case: Case, unet: nn.Module) -> None:
        self._case, self._unet = case, unet

    def unet(self) -> nn.Module:
        return self._unet

    def model_key(self) -> str:
        return self._case.name

    def state_key(self) -> str:
        return self._case.name

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        latents = torch.nn.functional.avg_pool2d(torch.cat([pixels, pixels[:, :1]], 1) * 2 - 1, 8)
        return latents.to(next(self._unet.parameters()).device)

    def null_conditioning(self, size_latent: tuple[int, int]) -> Conditioning:
        extra = {"y": torch.zeros(1, self._case.vector_dim)} if self._case.vector_dim else {}
        return Conditioning(torch.zeros(1, 77, self._case.context_dim), extra)

    def split_context(self, context: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return context, context

    def upcast_attention(self) -> bool:
        return False

    def progress_text(self, text: str) -> AbstractContextManager[None]:
        return nullcontext()

    def warn(self, message: str) -> None:
        raise RuntimeError(message)


class Bench:
    """One case on one device, with inputs for one denoiser call of a batch."""

    def __init__(self, case: Case, device: torch.device, dtype: torch.dtype) -> None:
        self._case, self._device, self._dtype = case, device, dtype
        self._unet = case.build(device, dtype)
        self._host = BenchHost(case, self._unet)

    def measure(self, batch_size: int, num_each: int, repeats: int, method: str) -> Result:
        """Measures `num_each` liked and as many disliked pictures at one batch size."""
        request = _request(num_each, method)
        kept = StateCache(UNLIMITED)
        kinds = {
            "plain": (None, None),
            "cold": (request, StateCache()),
            "warm": (request, kept),
        }
        calls = {name: partial(self._denoise, batch_size, *kind) for name, kind in kinds.items()}
        calls["warm"]()
        limits = {name: _count_flops(call) for name, call in calls.items()}
        seconds: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(repeats):
            for name, call in calls.items():
                seconds[name].append(call())
        ratios = {
            name: median(np.divide(seconds[name], seconds["plain"])) for name in ("cold", "warm")
        }
        return Result(
            self._case.name, batch_size, num_each, num_each, median(seconds["plain"]),
            ratios["cold"], limits["cold"] / limits["plain"],
            ratios["warm"], limits["warm"] / limits["plain"], kept.num_bytes / 2**20,
        )  # fmt: skip

    def _denoise(
        self,
        batch_size: int,
        request: FabricRequest | None,
        states: StateCache | None,
        around: AbstractContextManager[object] | None = None,
    ) -> float:
        """Seconds of the second of two denoiser calls of a generation, inside `around`.

        The first one enters the pass: it encodes pictures and checks kept states.
        """
        session = FabricSession(request, self._host, LatentCache(), states) if request else None
        with torch.no_grad(), session.installed() if session else nullcontext():
            self._step(batch_size, session, 0.2)
            with around or nullcontext():
                started = time.perf_counter()
                self._step(batch_size, session, 0.4)
                return time.perf_counter() - started

    def _step(self, batch_size: int, session: FabricSession | None, alpha: float) -> None:
        rows = 2 * batch_size
        like = {"device": self._device, "dtype": self._dtype}
        x = torch.ones(rows, 4, *self._case.size_latent, **like)
        timesteps = torch.full((rows,), 1000 * (1 - alpha), device=self._device)
        inputs = {"context": torch.ones(rows, 77, self._case.context_dim, **like)}
        if self._case.vector_dim:
            inputs["y"] = torch.ones(rows, self._case.vector_dim, **like)
        if session:
            noise = torch.randn(rows, 256, generator=torch.Generator().manual_seed(0))
            step = DenoiseStep(alpha, 0.0, batch_size, rows, self._case.size_latent, x=noise)
            session.begin_denoise(lambda: step)
        self._unet(x, timesteps, **inputs)
        if session:
            session.end_denoise()
        if self._device.type == "cuda":
            torch.cuda.synchronize()


def _request(num_each: int, method: str) -> FabricRequest:
    pictures = [Reference(_picture(seed)) for seed in range(2 * num_each)]
    settings = FabricSettings(enabled=True, end=1.0, method=method)
    return FabricRequest(settings, tuple(pictures[:num_each]), tuple(pictures[num_each:]))


def _picture(seed: int) -> Picture:
    pixels = np.random.default_rng(seed).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    return from_image(Image.fromarray(pixels))


def _count_flops(call: Callable[..., float]) -> int:
    """Floating point operations; attention as its two matrix products (the math backend)."""
    counter = FlopCounterMode(display=False)
    with sdpa_kernel(SDPBackend.MATH):
        call(around=counter)
    return counter.get_total_flops()


def peak_memory_mb() -> float:
    """The largest memory of this process so far (CPU)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
