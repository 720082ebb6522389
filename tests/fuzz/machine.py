"""Random sequences of operations on a world, by their weights, and the shortest that fails."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

OPERATIONS_PER_WORLD = 100
SHRINK_SECONDS = 60

Operation = tuple[str, dict[str, Any]]
Draw = Callable[[random.Random], Any]
# By name: how often each comes, and what is drawn for it.
Operations = Mapping[str, tuple[int, Mapping[str, Draw]]]


class Playable(Protocol):
    """A world that operations act on; whatever is not as it must be is an AssertionError."""

    def press(self, page: int, action: dict[str, Any], shown: list[int]) -> None:
        """Carries out an action on a page whose gallery shows these pictures."""

    def check(self) -> None:
        """What holds after every operation."""

    def check_at_end(self) -> None:
        """What holds after the last one."""

    def close(self) -> None:
        """Nothing is left of it."""


@dataclass(frozen=True)
class Game:
    """What is played.

    Attributes:
        make_world: a new one for each sequence.
        presses: operations that go to the world's `press`.
        others: those that go to its method of the same name.
    """

    make_world: Callable[[], Playable]
    presses: Operations
    others: Operations

    @property
    def operations(self) -> Operations:
        """All of them."""
        return {**self.presses, **self.others}


def draw(operations: Operations, rng: random.Random) -> Operation:
    """One operation and what it is given."""
    names = list(operations)
    name = rng.choices(names, [operations[each][0] for each in names])[0]
    return name, {key: drawn(rng) for key, drawn in operations[name][1].items()}


def play(game: Game, num_operations: int, seed: int) -> Counter[str]:
    """Plays so many operations; how many of each.

    Raises:
        AssertionError: an invariant is broken; with the shortest sequence found that breaks it.
    """
    done: Counter[str] = Counter()
    rng = random.Random(seed)
    while done.total() < num_operations:
        length = min(OPERATIONS_PER_WORLD, num_operations - done.total())
        sequence = [draw(game.operations, rng) for _ in range(length)]
        if _failure(game, sequence) is not None:
            shortest = _shrink(game, sequence)
            listed = "\n".join(f"    {operation}" for operation in shortest)
            message = f"after {done.total()} operations with seed {seed}:\n{listed}"
            raise AssertionError(message) from (
                _failure(game, shortest) or _failure(game, sequence)
            )
        done.update(name for name, _ in sequence)
    return done


def _failure(game: Game, sequence: list[Operation]) -> Exception | None:
    """What a new world says to these operations."""
    world = game.make_world()
    try:
        for name, given in sequence:
            _carry_out(game, world, name, given)
            world.check()
        world.check_at_end()
    # Whatever it is, it is what is looked for.
    except Exception as error:  # noqa: BLE001
        return error
    finally:
        world.close()
    return None


def _carry_out(game: Game, world: Playable, name: str, given: dict[str, Any]) -> None:
    if name not in game.presses:
        getattr(world, name)(**given)
        return
    rest = {key: value for key, value in given.items() if key not in ("page", "shown")}
    if name == "add":
        rest["name"] = "picture.png"
    world.press(given["page"], {"do": name, **rest}, given.get("shown", []))


def _shrink(game: Game, sequence: list[Operation]) -> list[Operation]:
    """Leaves out parts, the large ones first, as long as it still fails."""
    end = time.monotonic() + SHRINK_SECONDS
    size = len(sequence) // 2
    while size > 0 and time.monotonic() < end:
        start = 0
        while start < len(sequence) and time.monotonic() < end:
            shorter = sequence[:start] + sequence[start + size :]
            if _failure(game, shorter) is not None:
                sequence = shorter
            else:
                start += size
        size //= 2
    return sequence
