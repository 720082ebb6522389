"""Ratios of paired times, with what is certain about them. Knows numpy and scipy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Ratio:
    """A ratio of times and its 95 % confidence interval.

    Attributes:
        value: geometric mean over the pairs.
        low, high: the interval; minus and plus infinity if one pair is all there is.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if not math.isfinite(self.high):
            return f"{self.value:.2f}"
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"

    def contains(self, value: float) -> bool:
        """Whether `value` lies in the interval."""
        return self.low <= value <= self.high


def paired_ratio(above: Sequence[float], below: Sequence[float]) -> Ratio:
    """The ratio of two series of times whose elements with the same number were taken together.

    Pairs share whatever the machine was doing meanwhile, so that it cancels. Student's t on the
    logarithms of the pairs' ratios.
    """
    logs = np.log(np.divide(above, below))
    mean = float(logs.mean())
    if len(logs) < 2:
        return Ratio(math.exp(mean), -math.inf, math.inf)
    error = float(logs.std(ddof=1)) / math.sqrt(len(logs))
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(logs) - 1)) * error
    return Ratio(math.exp(mean), math.exp(mean - reach), math.exp(mean + reach))
