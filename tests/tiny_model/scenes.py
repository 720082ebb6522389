"""Synthetic pictures of one coloured shape on a coloured ground, and captions for them.

Sizes are (height, width) in pixels, colours are RGB in 0..255.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

SHAPES = ("circle", "square", "triangle")
PALETTE = {
    "red": (214, 40, 40),
    "green": (44, 160, 60),
    "blue": (40, 80, 210),
    "yellow": (240, 210, 50),
    "purple": (170, 50, 190),
    "cyan": (60, 200, 220),
    "white": (245, 245, 245),
    "black": (20, 20, 20),
}
OBJECT_COLOURS = ("red", "green", "blue", "yellow", "purple", "cyan")
GROUND_COLOURS = ("red", "green", "blue", "yellow", "white", "black")

_JITTER = 4.0  # standard deviation of a picture's colours around the palette, in 1/255
_MARGIN = 3.0  # pixels kept free between object and border, so that the border is ground
_RADIUS = (0.25, 0.38)  # of the shorter side


@dataclass(frozen=True)
class Scene:
    """What a picture shows; a name from SHAPES, OBJECT_COLOURS and GROUND_COLOURS each."""

    shape: str
    object_colour: str
    ground_colour: str


def random_scene(rng: np.random.Generator) -> Scene:
    """Return a scene with every shape and object colour equally likely, ground != object."""
    colour = str(rng.choice(OBJECT_COLOURS))
    grounds = [name for name in GROUND_COLOURS if name != colour]
    return Scene(str(rng.choice(SHAPES)), colour, str(rng.choice(grounds)))


def draw_batch(
    scenes: Sequence[Scene], height: int, width: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw scenes at random place and size; uint8 [B, height, width, 3].

    Every object lies inside the picture with a free margin. Raises ValueError for sides
    under 32 pixels, where shapes cannot be told apart.
    """
    if min(height, width) < 32:
        raise ValueError(f"size is {height}x{width} pixels, at least 32x32 is needed")
    count = len(scenes)
    radius = rng.uniform(*_RADIUS, count) * min(height, width)
    reach = radius + _MARGIN
    centre_y = reach + rng.random(count) * (height - 2 * reach)
    centre_x = reach + rng.random(count) * (width - 2 * reach)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) + 0.5
    dy = y[None] - centre_y[:, None, None]
    dx = x[None] - centre_x[:, None, None]
    kinds = np.array([SHAPES.index(scene.shape) for scene in scenes])
    distance = _signed_distance(kinds, dy, dx, radius[:, None, None])
    # One pixel of linear coverage at the outline is anti-aliasing enough.
    cover = np.clip(0.5 - distance, 0.0, 1.0)[..., None]
    front = _colours([scene.object_colour for scene in scenes], rng)
    back = _colours([scene.ground_colour for scene in scenes], rng)
    picture = back[:, None, None] * (1 - cover) + front[:, None, None] * cover
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def draw(scene: Scene, height: int, width: int, rng: np.random.Generator) -> Image.Image:
    """Draw one scene at random place and size as an RGB picture."""
    return Image.fromarray(draw_batch([scene], height, width, rng)[0])


def caption(scene: Scene, rng: np.random.Generator, drop: float = 0.35) -> str:
    """Describe a scene, leaving out each of the three attributes with probability `drop`."""
    keep_shape, keep_object, keep_ground = rng.random(3) >= drop
    if not (keep_shape or keep_object or keep_ground):
        return ""
    noun = scene.shape if keep_shape else "shape"
    thing = f"{scene.object_colour} {noun}" if keep_object else noun
    ground = f"{scene.ground_colour} background"
    style = rng.random()
    if not (keep_shape or keep_object):
        return ground if style < 0.4 else f"a {ground}" if style < 0.6 else f"a shape on a {ground}"
    if style < 0.1:
        return f"{thing}, {ground}" if keep_ground else thing
    text = f"a {thing} on a {ground}" if keep_ground else f"a {thing}"
    return f"a picture of {text}" if style < 0.2 else text


def _signed_distance(
    kinds: np.ndarray, dy: np.ndarray, dx: np.ndarray, radius: np.ndarray
) -> np.ndarray:
    """Signed distance in pixels to each picture's outline (negative inside); [B, H, W]."""
    circle = np.sqrt(dy**2 + dx**2) - radius
    square = np.maximum(np.abs(dy), np.abs(dx)) - 0.9 * radius
    # Isosceles triangle, point up, as tall as it is wide: sides have slope 2.
    half = radius
    side = (2 * np.abs(dx) - (dy + half)) / np.sqrt(5.0)
    triangle = np.maximum(side, dy - half)
    kinds = kinds[:, None, None]
    return np.where(kinds == 0, circle, np.where(kinds == 1, square, triangle))


def _colours(names: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """Palette colours with a little jitter; float [B, 3]."""
    rgb = np.array([PALETTE[name] for name in names], dtype=np.float32)
    return np.clip(rgb + rng.normal(0, _JITTER, rgb.shape), 0, 255)
