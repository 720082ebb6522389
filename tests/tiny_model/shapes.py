"""Synthetic pictures of one coloured shape on a coloured ground, and exact scorers for them.

The tiny model is trained on these pictures, so what a generated picture shows can be read
back from its pixels: "does feedback steer" becomes a number instead of an opinion.
"""

from .scenes import (
    GROUND_COLOURS,
    OBJECT_COLOURS,
    PALETTE,
    SHAPES,
    Scene,
    caption,
    draw,
    draw_batch,
    random_scene,
)
from .scoring import ReadScene, diversity, matches, preference_score, read_scene

__all__ = [
    "GROUND_COLOURS",
    "OBJECT_COLOURS",
    "PALETTE",
    "SHAPES",
    "ReadScene",
    "Scene",
    "caption",
    "diversity",
    "draw",
    "draw_batch",
    "matches",
    "preference_score",
    "random_scene",
    "read_scene",
]
