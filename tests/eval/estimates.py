"""Means and ratios over games, with bootstrap intervals. Knows numpy only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

_RESAMPLES = 2000
_SEED = 0


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval over games."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


def mean_of(values: Sequence[float]) -> Estimate:
    """The mean over games."""
    data = np.asarray(values, dtype=float)
    return _bootstrap(len(data), lambda chosen: data[chosen].mean(axis=-1))


def ratio_of(values: Sequence[float], bases: Sequence[float]) -> Estimate:
    """The mean over games relative to another mean over the same games.

    Both are resampled together. NaN where the base is 0.
    """
    data, base = np.asarray(values, dtype=float), np.asarray(bases, dtype=float)
    if data.shape != base.shape:
        raise ValueError(f"{len(data)} games here, {len(base)} there")

    def ratio(chosen: np.ndarray) -> np.ndarray:
        below = base[chosen].mean(axis=-1)
        above = data[chosen].mean(axis=-1)
        return np.divide(above, below, out=np.full_like(above, np.nan), where=below != 0)

    return _bootstrap(len(data), ratio)


def _bootstrap(num_games: int, statistic: Callable[[np.ndarray], np.ndarray]) -> Estimate:
    """`statistic` takes indices of games `[..., num_games]`. Percentiles of resampled games."""
    if num_games == 0:
        raise ValueError("no games")
    every = np.arange(num_games)
    chosen = np.random.default_rng(_SEED).integers(0, num_games, (_RESAMPLES, num_games))
    resampled = statistic(chosen)
    resampled = resampled[np.isfinite(resampled)]
    low, high = np.percentile(resampled, [2.5, 97.5]) if len(resampled) else (np.nan, np.nan)
    return Estimate(float(statistic(every[None])[0]), float(low), float(high))
