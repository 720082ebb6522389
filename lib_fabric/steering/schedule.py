"""How much feedback counts at a given point of the sampling.

Plain floats; knows the settings and nothing else.
"""

from __future__ import annotations

from lib_fabric.settings import FabricSettings


def feedback_weights(settings: FabricSettings, progress: float) -> tuple[float, float]:
    """The weights (w liked, w disliked) of a reference token's attention score at `progress`.

    `strength` for progress in [start, end), `min_strength` outside; disliked ones times
    `negative_scale`. The interval is half open, so that [0, 0.8) of 20 steps are 16 steps; an end
    of 1 includes samplers that count past their last step.

    Source: arXiv:2307.10159, section 5.3 and algorithm 1, line 20.
    """
    before_end = progress < settings.end or settings.end >= 1
    inside = settings.start <= progress and before_end
    liked = settings.strength if inside else settings.min_strength
    return liked, liked * settings.negative_scale
