"""Plays games: each round the best scored picture joins the liked, the worst the disliked.

Source: arXiv:2307.10159, section 5 (preference model-based and target image-based feedback).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from tests.demo.client import WebuiClient, to_base64
from tests.demo.game import GameRules
from tests.eval.cases import Arm, Case
from tests.tiny_model.shapes import diversity

# A channel this near to its end counts as saturated, in 1/255.
_NEAR_THE_END = 2


@dataclass(frozen=True)
class RoundScores:
    """One round of one game.

    Attributes:
        hit_rate: share of pictures that the wish calls a hit.
        mean, best, worst: scores of the wish.
        adherence: share of pictures that still are what the prompt asks for.
        diversity: mean pixel difference between two pictures of the batch.
        saturation: share of channels at an end of their range.
    """

    hit_rate: float
    mean: float
    best: float
    worst: float
    adherence: float
    diversity: float
    saturation: float


class Player:
    """Plays on one WebUI. Pictures without feedback are made once and shared by all arms."""

    def __init__(self, webui: WebuiClient, rules: GameRules) -> None:
        self._webui = webui
        self._rules = rules
        self._unrated: dict[tuple[str, int], list[Image.Image]] = {}

    def play(self, case: Case, arm: Arm, seed: int) -> Iterator[RoundScores]:
        """Yields round 0 (nothing rated yet) and the rounds with feedback."""
        liked: list[str] = []
        disliked: list[str] = []
        for number in range(self._rules.rounds + 1):
            request = {**arm.fabric, "liked": [*liked], "disliked": [*disliked]}
            pictures = self.generate(case.prompt, seed + number * 100, request)
            yield score_round(case, pictures)
            scores = [case.wish.score(picture) for picture in pictures]
            if arm.likes:
                liked.append(to_base64(pictures[scores.index(max(scores))]))
            if arm.dislikes:
                disliked.append(to_base64(pictures[scores.index(min(scores))]))

    def show(
        self, case: Case, arm: Arm, liked: Sequence[Image.Image], seed: int
    ) -> Iterator[RoundScores]:
        """Yields a batch without feedback, and the same seeds with these pictures liked."""
        nothing = {**arm.fabric, "liked": [], "disliked": []}
        for pictures in ([], liked):
            request = nothing | {"liked": [to_base64(picture) for picture in pictures]}
            yield score_round(case, self.generate(case.prompt, seed, request))

    def generate(self, prompt: str, seed: int, request: dict[str, Any]) -> list[Image.Image]:
        """One batch, with the feedback of `request` if it names any picture."""
        if request["liked"] or request["disliked"]:
            return self._txt2img(prompt, seed, {"FABRIC": {"args": [request]}})
        if (prompt, seed) not in self._unrated:
            self._unrated[prompt, seed] = self._txt2img(prompt, seed, {})
        return self._unrated[prompt, seed]

    def _txt2img(self, prompt: str, seed: int, scripts: dict[str, Any]) -> list[Image.Image]:
        rules = self._rules
        return self._webui.txt2img(
            prompt=prompt, seed=seed, batch_size=rules.batch_size, steps=rules.steps,
            cfg_scale=rules.cfg_scale, sampler_name=rules.sampler,
            height=rules.size_px, width=rules.size_px, alwayson_scripts=scripts,
        ).pictures  # fmt: skip


def score_round(case: Case, pictures: Sequence[Image.Image]) -> RoundScores:
    """Scores one batch."""
    scores = [case.wish.score(picture) for picture in pictures]
    return RoundScores(
        hit_rate=_mean(case.wish.matches(picture) for picture in pictures),
        mean=_mean(scores),
        best=max(scores),
        worst=min(scores),
        adherence=_mean(case.adherence.matches(picture) for picture in pictures),
        diversity=diversity(pictures),
        saturation=_mean(_saturation(picture) for picture in pictures),
    )


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _saturation(picture: Image.Image) -> float:
    channels = np.asarray(picture.convert("RGB"))
    return float(((channels <= _NEAR_THE_END) | (channels >= 255 - _NEAR_THE_END)).mean())
