"""Random sequences of operations on a `World`, by their weights, and the shortest that fails."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.fuzz.expected import IDS, NUM_PICTURES, TABS, TEXTS
from tests.fuzz.world import FAULTS, World

OPERATIONS_PER_WORLD = 100
SHRINK_SECONDS = 60
PRESETS = ("one", "two", "three")

Operation = tuple[str, dict[str, Any]]
Draw = Callable[[random.Random], Any]


def _one_of(*values: Any) -> Draw:
    return lambda rng: rng.choice(values)


_page = _one_of(*range(len(TABS)))
_number = _one_of(*range(NUM_PICTURES))
_picture_id = _one_of(*IDS)
_list = _one_of("liked", "disliked")
_bool = _one_of(True, False)
_gallery = {
    "page": _page,
    "shown": lambda rng: rng.choices(range(NUM_PICTURES), k=rng.choice([0, 1, 2, 3, 4])),
    "index": _one_of(-1, 0, 0, 1, 2, 3, 4),
}
_picture = {"page": _page, "picture_id": _picture_id}
_preset = {"page": _page, "name": _one_of(*PRESETS)}


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


# How often each comes, and what is drawn for it. What is a press on the page goes to
# `World.press`, the rest to the method of that name.
PRESSES: dict[str, tuple[int, dict[str, Draw]]] = {
    "rate": (10, {**_gallery, "to": _list}),
    "unrate": (2, _gallery),
    "add": (3, {"page": _page, "data": _one_of(*TEXTS, TEXTS[0][:100]), "to": _list}),
    "activate": (3, {**_picture, "to": _list}),
    "move": (3, {**_picture, "to": _list}),
    "remove": (2, _picture),
    "forget": (1, _picture),
    "weigh": (4, {**_picture, "weight": _one_of(0, 0.25, 1, 2, 2.5)}),
    "clear": (1, {"page": _page, "to": _list}),
    "open": (2, {"page": _page}),
    "save": (2, {**_preset, "overwrite": _bool}),
    "load": (2, _preset),
    "rename": (1, {**_preset, "new_name": _one_of(*PRESETS)}),
    "delete": (1, _preset),
}
OTHERS: dict[str, tuple[int, dict[str, Draw]]] = {
    "generate": (4, {"page": _page, "settings": _settings}),
    "fail": (6, {"page": _page, "fault": _one_of(*FAULTS), "at": _one_of(1, 2, 3, 4, 5, 6)}),
    "send": (2, {"numbers": lambda rng: rng.sample(range(NUM_PICTURES), 2), "broken": _bool}),
    "patch": (2, {"factor": _one_of(1.0, 1.3), "band": _one_of((0, 1000), (0, 450), (450, 1000))}),
    "restart": (1, {}),
    "set_cap": (1, {"cap": _one_of(1, 2, 3, 4, 5)}),
    "damage": (2, {"number": _number, "how": _one_of("delete", "cut", "overwrite")}),
    "break_index": (1, {"how": _one_of("delete", "empty", "overwrite")}),
    "make_room": (1, {"max_bytes": _one_of(0, 2000, 5000)}),
}
OPERATIONS = {**PRESSES, **OTHERS}


def draw(rng: random.Random) -> Operation:
    """One operation and what it is given."""
    names = list(OPERATIONS)
    name = rng.choices(names, [OPERATIONS[each][0] for each in names])[0]
    return name, {key: drawn(rng) for key, drawn in OPERATIONS[name][1].items()}


def play(num_operations: int, seed: int) -> Counter[str]:
    """Plays so many operations; how many of each.

    Raises:
        AssertionError: an invariant is broken; with the shortest sequence found that breaks it.
    """
    done: Counter[str] = Counter()
    rng = random.Random(seed)
    while done.total() < num_operations:
        length = min(OPERATIONS_PER_WORLD, num_operations - done.total())
        sequence = [draw(rng) for _ in range(length)]
        if _failure(sequence) is not None:
            shortest = _shrink(sequence)
            listed = "\n".join(f"    {operation}" for operation in shortest)
            message = f"after {done.total()} operations with seed {seed}:\n{listed}"
            raise AssertionError(message) from (_failure(shortest) or _failure(sequence))
        done.update(name for name, _ in sequence)
    return done


def _failure(sequence: list[Operation]) -> Exception | None:
    """What a new world says to these operations."""
    world = World()
    try:
        for name, given in sequence:
            _carry_out(world, name, given)
            world.check()
        world.check_plain()
    # Whatever it is, it is what is looked for.
    except Exception as error:  # noqa: BLE001
        world.close()
        return error
    try:
        world.check_files()
    except Exception as error:  # noqa: BLE001 (as above)
        return error
    finally:
        world.close()
    return None


def _carry_out(world: World, name: str, given: dict[str, Any]) -> None:
    if name not in PRESSES:
        getattr(world, name)(**given)
        return
    rest = {key: value for key, value in given.items() if key not in ("page", "shown")}
    if name == "add":
        rest["name"] = "picture.png"
    world.press(given["page"], {"do": name, **rest}, given.get("shown", []))


def _shrink(sequence: list[Operation]) -> list[Operation]:
    """Leaves out parts, the large ones first, as long as it still fails."""
    end = time.monotonic() + SHRINK_SECONDS
    size = len(sequence) // 2
    while size > 0 and time.monotonic() < end:
        start = 0
        while start < len(sequence) and time.monotonic() < end:
            shorter = sequence[:start] + sequence[start + size :]
            if _failure(shorter) is not None:
                sequence = shorter
            else:
                start += size
        size //= 2
    return sequence
