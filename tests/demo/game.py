"""The paper's preference protocol: each round the best picture is liked, the worst disliked.

A picture that matches is never disliked, though, as no person would.

Source: arXiv:2307.10159, section 5 (preference model-based feedback).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from tests.demo.client import WebuiClient, to_base64
from tests.tiny_model import shapes


@dataclass(frozen=True)
class Preference:
    """What the imagined person wants to see; None where they do not care."""

    object_colour: str | None = None
    ground_colour: str | None = None
    shape: str | None = None

    def __str__(self) -> str:
        named = {
            "object": self.object_colour, "ground": self.ground_colour, "shape": self.shape
        }  # fmt: skip
        return ", ".join(f"the {name} is {value}" for name, value in named.items() if value)

    def score(self, picture: Image.Image) -> float:
        """0 to 1, how close a picture comes."""
        return shapes.preference_score(picture, **vars(self))

    def matches(self, picture: Image.Image) -> bool:
        """Whether a picture is what was wanted."""
        return shapes.matches(picture, **vars(self))


@dataclass(frozen=True)
class Round:
    """One round's pictures and what the imagined person did with them."""

    number: int
    pictures: list[Image.Image]
    infotexts: list[str]
    hits: list[bool]
    liked: int
    disliked: int | None
    seconds: float

    @property
    def hit_rate(self) -> float:
        """Share of pictures that match the preference."""
        return sum(self.hits) / len(self.hits)

    @property
    def diversity(self) -> float:
        """How different the round's pictures are from each other, 0 to 1."""
        return shapes.diversity(self.pictures)


@dataclass(frozen=True)
class GameRules:
    """One game's generation settings."""

    prompt: str = "a circle"
    rounds: int = 3
    batch_size: int = 4
    steps: int = 20
    cfg_scale: float = 4.0
    sampler: str = "Euler a"
    size_px: int = 64
    fabric: dict[str, Any] = field(default_factory=dict)


def play(
    webui: WebuiClient, preference: Preference, seed: int, rules: GameRules
) -> Iterator[Round]:
    """Yields round 0 (nothing rated yet) and `rules.rounds` rounds of feedback."""
    liked: list[str] = []
    disliked: list[str] = []
    for number in range(rules.rounds + 1):
        payload = {
            "prompt": rules.prompt,
            "seed": seed + number * 100,
            "batch_size": rules.batch_size,
            "steps": rules.steps,
            "cfg_scale": rules.cfg_scale,
            "sampler_name": rules.sampler,
            "height": rules.size_px,
            "width": rules.size_px,
        }
        if liked:
            request = {**rules.fabric, "liked": liked, "disliked": disliked}
            payload["alwayson_scripts"] = {"FABRIC": {"args": [request]}}
        started = time.perf_counter()
        generated = webui.txt2img(**payload)
        seconds = time.perf_counter() - started
        scores = [preference.score(picture) for picture in generated.pictures]
        best, worst = scores.index(max(scores)), scores.index(min(scores))
        hits = [preference.matches(picture) for picture in generated.pictures]
        liked.append(to_base64(generated.pictures[best]))
        if hits[worst]:
            worst = None
        else:
            disliked.append(to_base64(generated.pictures[worst]))
        yield Round(number, generated.pictures, generated.infotexts, hits, best, worst, seconds)
