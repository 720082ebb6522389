"""What is played: prompts with a wish that they leave open, and the ways to give feedback."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from tests.demo.game import Preference
from tests.eval.scorers import Avoiding, Scorer, Target, asked_for
from tests.tiny_model.shapes import (
    GROUND_COLOURS,
    OBJECT_COLOURS,
    SHAPES,
    Scene,
    draw,
    random_scene,
)


@dataclass(frozen=True)
class Case:
    """A prompt, a wish that it does not mention, and what the prompt itself asks for."""

    name: str
    prompt: str
    wish: Scorer
    adherence: Scorer


@dataclass(frozen=True)
class Arm:
    """One way to give feedback: fields of the API beside the pictures, and which are sent."""

    name: str
    fabric: Mapping[str, object] = field(default_factory=dict)
    likes: bool = True
    dislikes: bool = True


def _prefer(prompt: str, **wanted: str) -> Case:
    wish = Preference(**wanted)
    return Case(f"{prompt}: {wish}", prompt, wish, asked_for(prompt))


# Methods and defaults were chosen on these, with other seeds than are reported.
CHOOSING = (
    _prefer("a circle", object_colour="red"),
    _prefer("a circle", object_colour="blue"),
    _prefer("a circle", ground_colour="green"),
    _prefer("a square", ground_colour="black"),
    _prefer("a red shape", shape="triangle"),
    _prefer("a shape on a white background", shape="square"),
    _prefer("a triangle", object_colour="cyan"),
    _prefer("a circle on a white background", object_colour="purple"),
)


def _every_preference() -> Iterator[Case]:
    """Each wish for one attribute, with each prompt that names one other attribute."""
    for colour in OBJECT_COLOURS:
        yield from (_prefer(f"a {shape}", object_colour=colour) for shape in SHAPES)
        yield from (_prefer(f"a {colour} shape", shape=shape) for shape in SHAPES)
    for colour in GROUND_COLOURS:
        yield from (_prefer(f"a {shape}", ground_colour=colour) for shape in SHAPES)
        yield from (_prefer(f"a shape on a {colour} background", shape=shape) for shape in SHAPES)


# All others, so that which are reported was nobody's choice.
REPORTING = tuple(case for case in _every_preference() if case not in CHOOSING)


def _avoid(preference: Case) -> Case:
    """The same prompt, and what was wanted is unwanted."""
    name = f"{preference.prompt}: not {preference.wish}"
    return Case(name, preference.prompt, Avoiding(preference.wish), preference.adherence)


# Attributes that the prompt alone shows often enough to become rarer; methods were chosen on them.
_OFTEN = (
    _prefer("a circle", object_colour="yellow"),
    _prefer("a square", object_colour="green"),
    _prefer("a triangle", ground_colour="black"),
    _prefer("a circle", ground_colour="white"),
)
AVOIDING_CHOOSING = tuple(map(_avoid, _OFTEN))
AVOIDING_REPORTING = tuple(_avoid(case) for case in _every_preference() if case not in _OFTEN)


def targets() -> tuple[Case, ...]:
    """Hidden pictures, of which the prompt names the shape only."""
    scenes = (
        Scene("circle", "red", "white"),
        Scene("square", "blue", "yellow"),
        Scene("triangle", "cyan", "black"),
        Scene("circle", "green", "blue"),
    )
    cases = []
    for seed, scene in enumerate(scenes):
        prompt = f"a {scene.shape}"
        picture = draw(scene, 64, 64, np.random.default_rng(seed))
        name = f"{prompt}: {scene.object_colour} on {scene.ground_colour}"
        cases.append(Case(name, prompt, Target(picture), asked_for(prompt)))
    return tuple(cases)


COUNTS = (1, 2, 4, 8, 16)


def matching_pictures(wanted: Preference, prompt: str, seed: int) -> Iterator[Image.Image]:
    """Drawn pictures that show what is wanted and what the prompt asks for, and vary in the rest.

    The first ones are the same however many are taken.
    """
    rng = np.random.default_rng(seed)
    asked = vars(asked_for(prompt))
    while True:
        scene = vars(random_scene(rng))
        for given in (asked, vars(wanted)):
            scene |= {name: value for name, value in given.items() if value}
        if scene["object_colour"] != scene["ground_colour"]:
            yield draw(Scene(**scene), 64, 64, rng)


_PAPER = {"method": "paper", "strength": 0.8, "start": 0.0, "end": 0.8, "negative_scale": 0.5}
ARMS = (
    Arm("no feedback", likes=False, dislikes=False),
    Arm("liked only", dislikes=False),
    Arm("disliked only", likes=False),
    Arm("paper", _PAPER),
    Arm("contrast", {"method": "contrast"}),
    Arm("contrast, disliked only", {"method": "contrast"}, likes=False),
)
SWEEP = (
    Arm("paper, strength .05", {**_PAPER, "strength": 0.05}),
    Arm("paper, strength .1", {**_PAPER, "strength": 0.1}),
    Arm("paper, strength .3", {**_PAPER, "strength": 0.3}),
    Arm("paper, end .4", {**_PAPER, "end": 0.4}),
    Arm("paper, strength .3, end .4", {**_PAPER, "strength": 0.3, "end": 0.4}),
)
# A picture has 64 tokens in the tiny model's upper layers and 16 in the lower ones.
SPEED = (
    Arm("paper, merge 2", {**_PAPER, "merge": 2}),
    Arm("paper, max_tokens 64", {**_PAPER, "max_tokens": 64}),
    Arm("paper, refresh 2", {**_PAPER, "refresh": 2}),
    Arm("paper, refresh 4", {**_PAPER, "refresh": 4}),
)
