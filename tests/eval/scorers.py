"""What an imagined person wants to see, as objects that score pictures.

A plug-in is named `module:factory`. The factory takes a text (the wish, or the prompt that pictures
should still follow) and returns a Scorer; that is where a CLIP-like model for real checkpoints
comes in. What it needs, its user installs.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image

from tests.demo.game import Preference
from tests.tiny_model.shapes import PALETTE, SHAPES, read_scene


class Scorer(Protocol):
    """Scores pictures, and says which of them are a hit."""

    def score(self, picture: Image.Image) -> float:
        """0 to 1, how close a picture comes."""

    def matches(self, picture: Image.Image) -> bool:
        """Whether a picture is what was wanted."""


@dataclass(frozen=True)
class Avoiding:
    """Wants anything but what `unwanted` describes."""

    unwanted: Scorer

    def score(self, picture: Image.Image) -> float:
        return 1 - self.unwanted.score(picture)

    def matches(self, picture: Image.Image) -> bool:
        return not self.unwanted.matches(picture)


@dataclass(frozen=True)
class Target:
    """Wants one hidden picture; a hit shows the same shape and colours."""

    picture: Image.Image

    def score(self, picture: Image.Image) -> float:
        """1 minus the mean absolute difference of pixels."""
        first, second = (
            np.asarray(each.convert("RGB").resize((32, 32), Image.Resampling.BOX), np.float32) / 255
            for each in (self.picture, picture)
        )
        return 1 - float(np.abs(first - second).mean())

    def matches(self, picture: Image.Image) -> bool:
        first, second = read_scene(self.picture), read_scene(picture)
        names = ("shape", "object_colour", "ground_colour")
        return all(getattr(first, name) == getattr(second, name) for name in names)


def asked_for(prompt: str) -> Preference:
    """What a prompt of the tiny model asks for, as a scorer of adherence to it."""
    head, _, ground = prompt.partition(" on a ")
    words = head.split()
    return Preference(
        object_colour=next((word for word in words if word in PALETTE), None),
        ground_colour=next((word for word in ground.split() if word in PALETTE), None),
        shape=next((word for word in words if word in SHAPES), None),
    )


def load_factory(name: str) -> Callable[[str], Scorer]:
    """The factory `module:factory`.

    Raises:
        ValueError: no such thing.
    """
    module, _, factory = name.partition(":")
    try:
        return getattr(importlib.import_module(module), factory)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"{name!r} is not module:factory: {error}") from error
