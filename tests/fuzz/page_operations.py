"""Which random operations there are on pages of one user, how often, and what each is given."""

from __future__ import annotations

import random
from typing import Any

from tests.fuzz.expected import IDS, NUM_PICTURES, TABS, TEXTS
from tests.fuzz.generating import FAULTS, MOST_PICTURES
from tests.fuzz.machine import Draw, Game, Operations
from tests.fuzz.world import World

PRESETS = ("one", "two", "three")


def one_of(*values: Any) -> Draw:
    """Draws any of these."""
    return lambda rng: rng.choice(values)


_page = one_of(*range(len(TABS)))


def _settings(rng: random.Random) -> dict[str, Any]:
    known = {
        "strength": [0, 0.5, 1, 2],
        "min_strength": [0, 1],
        "end": [0, 0.5, 1],
        "negative_scale": [0, 1],
        "method": ["contrast", "paper"],
        "merge": [1, 2],
        "max_tokens": [0, 64],
        "refresh": [1, 3],
    }
    return {name: rng.choice(values) for name, values in known.items() if rng.random() < 0.5}


def presses(page: Draw) -> Operations:
    """Presses on the pages that `page` draws from."""
    on_list = {"page": page, "to": one_of("liked", "disliked")}
    gallery = {
        "page": page,
        "shown": lambda rng: rng.choices(range(NUM_PICTURES), k=rng.choice([0, 1, 2, 3, 4])),
        "index": one_of(-1, 0, 0, 1, 2, 3, 4),
    }
    picture = {"page": page, "picture_id": one_of(*IDS)}
    preset = {"page": page, "name": one_of(*PRESETS)}
    return {
        "rate": (10, {**gallery, **on_list}),
        "unrate": (2, gallery),
        "add": (3, {"data": one_of(*TEXTS, TEXTS[0][:100]), **on_list}),
        "activate": (3, {**picture, **on_list}),
        "move": (3, {**picture, **on_list}),
        "remove": (2, picture),
        "forget": (1, picture),
        "weigh": (4, {**picture, "weight": one_of(0, 0.25, 1, 2, 2.5)}),
        "clear": (1, on_list),
        "open": (2, {"page": page}),
        "save": (2, {**preset, "overwrite": one_of(True, False)}),
        "load": (2, preset),
        "rename": (1, {**preset, "new_name": one_of(*PRESETS)}),
        "delete": (1, preset),
    }


_OTHERS: Operations = {
    "generate": (4, {"page": _page, "settings": _settings}),
    "fail": (6, {"page": _page, "fault": one_of(*FAULTS), "at": one_of(1, 2, 3, 4, 5, 6)}),
    "send": (
        2,
        {"numbers": lambda rng: rng.sample(range(NUM_PICTURES), 2), "broken": one_of(True, False)},
    ),
    "patch": (2, {"factor": one_of(1.0, 1.3), "band": one_of((0, 1000), (0, 450), (450, 1000))}),
    "inpaint": (
        2,
        {
            "page": _page,
            "settings": lambda rng: {**_settings(rng), "merge": 1, "max_tokens": 0},
            "num_pictures": one_of(*range(1, MOST_PICTURES + 1)),
            "hidden": one_of(0, 3, 7),
        },
    ),
    "restart": (1, {}),
    "set_cap": (1, {"cap": one_of(1, 2, 3, 4, 5)}),
    "damage": (
        2,
        {"number": one_of(*range(NUM_PICTURES)), "how": one_of("delete", "cut", "overwrite")},
    ),
    "break_index": (1, {"how": one_of("delete", "empty", "overwrite")}),
    "make_room": (1, {"max_bytes": one_of(0, 2000, 5000)}),
}
GAME = Game(World, presses(_page), _OTHERS)
