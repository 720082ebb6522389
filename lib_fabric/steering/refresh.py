"""When the model looks at the references again, and what it saw last.

Knows torch and the shape of the states; not pictures, not the U-Net.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

import torch

from lib_fabric.attention.rows import LayerStates


@dataclass
class Look:
    """One look at the references, all of them at one noise level.

    Attributes:
        step: the sampling step that it belongs to.
        alpha: cumulative product of alphas at its noise level.
        timesteps: the U-Net's timestep at that level, `[1]`; None until its first call.
        states: what has been seen, by reference.
    """

    step: int
    alpha: float
    timesteps: torch.Tensor | None = None
    states: dict[Hashable, LayerStates] = field(default_factory=dict)


class Looks:
    """Decides at which denoiser calls of one pass the model looks anew."""

    def __init__(self, interval: int = 1) -> None:
        """
        Args:
            interval: in sampling steps. At 1 every denoiser call is a look of its own; above, the
                further calls of a second-order sampler's step share that of the first.
        """
        self._interval = interval
        self._last: Look | None = None

    def at(self, step: int, alpha: float) -> Look:
        """The look that a denoiser call uses: the last one, or a new one that has seen nothing."""
        last = self._last
        if self._interval == 1 or last is None or not 0 <= step - last.step < self._interval:
            last = self._last = Look(step, alpha)
        return last

    def end_call(self) -> None:
        """A denoiser call is over: lets go of what no later one uses."""
        if self._interval == 1:
            self.forget()

    def forget(self) -> None:
        """Feedback pauses or another pass begins: what was seen is of no use any more."""
        self._last = None
