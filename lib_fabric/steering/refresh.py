"""At which steps the model looks at the references anew, and what it saw last.

Knows the shape of the states; not pictures, not the U-Net.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

import torch

from lib_fabric.attention.states import LayerStates


@dataclass(frozen=True, eq=False)
class NoiseLevel:
    """How noisy the references are.

    Attributes:
        alpha: cumulative product of alphas, 0 to 1.
        timestep: `[1]`, what the U-Net is told of it.
    """

    alpha: float
    timestep: torch.Tensor


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The references as the model saw them, all of them at one noise level.

    Attributes:
        step: the number of the sampling step that the level is of.
        states: what has been seen so far, by reference.
    """

    step: int
    level: NoiseLevel
    states: dict[Hashable, LayerStates] = field(default_factory=dict)


class Refresh:
    """Decides at which denoiser calls of one pass a new snapshot begins."""

    def __init__(self, interval: int = 1) -> None:
        """
        Args:
            interval: in sampling steps. At 1 every denoiser call has a snapshot of its own; above,
                the further calls of a second-order sampler's step share that of the first.
        """
        self._interval = interval
        self._last: Snapshot | None = None

    def at(self, step: int, level: NoiseLevel) -> Snapshot:
        """The snapshot that a denoiser call uses: the last one, or a new one without states."""
        last = self._last
        if self._interval == 1 or last is None or not 0 <= step - last.step < self._interval:
            last = self._last = Snapshot(step, level)
        return last

    def end_call(self) -> None:
        """A denoiser call is over: lets go of what no later one uses."""
        if self._interval == 1:
            self.forget()

    def forget(self) -> None:
        """Feedback pauses or the pass is over: what was seen is of no use any more."""
        self._last = None
