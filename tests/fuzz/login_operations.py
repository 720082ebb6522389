"""Which random operations there are where two people and the API share a WebUI, and how often."""

from __future__ import annotations

import random

from tests.fuzz.expected import NUM_PICTURES
from tests.fuzz.logins import MOST_FILES, PAGES, WHO, Logins
from tests.fuzz.machine import Game, Operations
from tests.fuzz.page_operations import PRESETS, one_of, presses

_page = one_of(*range(len(PAGES)))
_number = one_of(*range(NUM_PICTURES))
_preset = one_of(*PRESETS)
_either = one_of(True, False)


def _few(rng: random.Random) -> list[int]:
    return rng.sample(range(NUM_PICTURES), rng.choice([0, 1, 2, 3]))


# What a page does with a picture that it says it has.
_CLAIMS = (
    {"do": "weigh", "weight": 2.0},
    {"do": "move", "to": "disliked"},
    {"do": "activate", "to": "disliked"},
    {"do": "forget"},
    {"do": "history"},
    {"do": "sync"},
    {"do": "clear", "to": "disliked"},
    {"do": "save", "name": PRESETS[0], "overwrite": True},
    {"do": "export", "name": PRESETS[0]},
)
_OTHERS: Operations = {
    "claim": (8, {"page": _page, "number": _number, "action": one_of(*_CLAIMS)}),
    "paste": (4, {"page": _page, "numbers": _few, "is_short": _either}),
    "undo": (4, {"page": _page, "of": _page}),
    "reopen": (2, {"page": _page, "as_page": _page}),
    "export": (4, {"page": _page, "name": _preset}),
    "bring": (2, {"page": _page, "file": one_of(*range(MOST_FILES)), "is_cut": _either}),
    "generate": (
        8,
        {"who": one_of(*WHO), "numbers": _few, "named": _few, "is_short": _either},
    ),
    "ask": (4, {"who": one_of(*WHO), "number": _number, "is_short": _either}),
    "restart": (1, {}),
    "delete_file": (2, {"number": _number, "has_note": _either}),
    "break_index": (1, {"how": one_of("delete", "overwrite")}),
    "make_room": (1, {"max_bytes": one_of(0, 2000, 5000)}),
}
GAME = Game(Logins, presses(_page), _OTHERS)
