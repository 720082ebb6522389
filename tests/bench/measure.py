"""Measures one case: seconds, arithmetic and memory of one denoiser call."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from lib_fabric.request import FabricRequest
from lib_fabric.steering.state_cache import StateCache
from tests.bench.denoiser import Denoiser
from tests.bench.intervals import Ratio, paired_ratio
from tests.bench.memory import MEGABYTE, peak_bytes

UNLIMITED = 2**60
PROGRESS = 0.4
# How much slower than the arithmetic says a case may be before it needs an explanation.
ALLOWED = 1.15


@dataclass(frozen=True)
class Result:
    """One case with some references at one batch size.

    Attributes:
        plain_s: seconds of a denoiser call without feedback, median.
        cold, warm: seconds with feedback over without; reference states computed, or kept.
        cold_limit, warm_limit: the same in floating point operations.
        cold_mb, warm_mb: peak memory beyond that of the plain call; the kept states of the step
            are part of `warm_mb`.
        states_mb: memory of the references' states of one step.
    """

    case: str
    batch_size: int
    num_liked: int
    num_disliked: int
    method: str
    repeats: int
    plain_s: float
    cold: Ratio
    cold_limit: float
    warm: Ratio
    warm_limit: float
    cold_mb: float
    warm_mb: float
    states_mb: float

    @property
    def is_slow(self) -> bool:
        """Whether it takes more than the arithmetic explains."""
        cold, warm = self.cold.value / self.cold_limit, self.warm.value / self.warm_limit
        return max(cold, warm) > ALLOWED


class Arms:
    """The three ways to make one denoiser call: plain, cold and warm."""

    NAMES = ("plain", "cold", "warm")

    def __init__(self, denoiser: Denoiser, request: FabricRequest, batch_size: int) -> None:
        self._denoiser, self.request, self.batch_size = denoiser, request, batch_size
        self.kept = StateCache(UNLIMITED)
        self.run("warm", lambda call: call())

    def run(self, name: str, around: Callable[[Callable[[], None]], Any]) -> Any:
        """Makes one denoiser call and returns what `around(call)` returns for it."""
        request = None if name == "plain" else self.request
        states = self.kept if name == "warm" else StateCache()
        size = self.batch_size
        with self._denoiser.session(request, states) as session:
            if name == "warm":
                # The first kept states of a generation are compared with new ones; a call with a
                # single row gets that out of the way.
                self._denoiser.step(session, 1, 0, PROGRESS)
            return around(lambda: self._denoiser.step(session, size, size, PROGRESS))


@dataclass(frozen=True)
class Effort:
    """How often something is measured: `repeats` times, quick things more often.

    Attributes:
        seconds: quick things are repeated until they have taken so long together.
        most: but never more often than this.
        clock: what is read before and after.
    """

    repeats: int = 3
    seconds: float = 3.0
    most: int = 60
    clock: Callable[[], float] = time.perf_counter

    def time(self, call: Callable[[], object]) -> float:
        """Seconds that `call` takes."""
        started = self.clock()
        call()
        return self.clock() - started

    def is_enough(self, num_done: int, seconds: float) -> bool:
        """Whether so many repeats, which took so long, will do."""
        return num_done >= self.repeats and (seconds >= self.seconds or num_done >= self.most)


def measure(denoiser: Denoiser, arms: Arms, effort: Effort) -> Result:
    """Measures a denoiser call with and without feedback, in turns."""
    # The first call of each also warms up what the timed ones use.
    peaks = {
        name: arms.run(name, lambda call: peak_bytes(call, denoiser.device) / MEGABYTE)
        for name in Arms.NAMES
    }
    seconds: dict[str, list[float]] = {name: [] for name in Arms.NAMES}
    while not effort.is_enough(len(seconds["warm"]), sum(map(sum, seconds.values()))):
        # Each goes first, second and last in turn.
        turn = len(seconds["warm"]) % len(Arms.NAMES)
        for name in Arms.NAMES[turn:] + Arms.NAMES[:turn]:
            seconds[name].append(arms.run(name, effort.time))
    request = arms.request
    cold_limit, warm_limit = denoiser.limits(request, arms.batch_size)
    states_mb = arms.kept.num_bytes / MEGABYTE
    return Result(
        denoiser.case.name, arms.batch_size,
        len(request.ratings.liked), len(request.ratings.disliked),
        request.settings.method, len(seconds["warm"]),
        median(seconds["plain"]),
        paired_ratio(seconds["cold"], seconds["plain"]), cold_limit,
        paired_ratio(seconds["warm"], seconds["plain"]), warm_limit,
        peaks["cold"] - peaks["plain"], peaks["warm"] + states_mb - peaks["plain"], states_mb,
    )  # fmt: skip
