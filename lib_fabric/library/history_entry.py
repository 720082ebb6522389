"""One entry of the history: which picture, liked or disliked, when, and how it was made.

Knows texts and numbers; not the database, not the store.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from lib_fabric.errors import FabricError
from lib_fabric.library.storage.texts import clean_text
from lib_fabric.ratings import LIST_NAMES, ListName
from lib_fabric.settings import shorten

TABS = ("txt2img", "img2img")
MAX_PROMPT_CHARS = 20_000
MAX_CHECKPOINT_CHARS = 500
_MAX_SEED_BITS = 64
# Of a time that a calendar can show: until the year 9999.
_MAX_TIME = 253_000_000_000.0


@dataclass(frozen=True)
class Details:
    """How a picture was made, as far as it is known. Overlong texts are cut, odd seeds dropped."""

    prompt: str = ""
    seed: int | None = None
    checkpoint: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "prompt", clean_text(self.prompt, MAX_PROMPT_CHARS))
        object.__setattr__(self, "checkpoint", clean_text(self.checkpoint, MAX_CHECKPOINT_CHARS))
        seed = self.seed
        is_seed = isinstance(seed, int) and not isinstance(seed, bool)
        if not is_seed or seed.bit_length() > _MAX_SEED_BITS:
            object.__setattr__(self, "seed", None)


@dataclass(frozen=True)
class HistoryEntry:
    """How one picture was rated; `rated_at` in Unix seconds."""

    picture_id: str
    verdict: ListName
    rated_at: float
    details: Details = field(default_factory=Details)

    def to_values(self) -> dict[str, object]:
        """All but the picture's id, as a row of the database and a picture's note hold it."""
        details = self.details
        # As text, since SQLite's numbers end below 2**64.
        seed = None if details.seed is None else str(details.seed)
        return {
            "verdict": self.verdict,
            "rated_at": self.rated_at,
            "prompt": details.prompt,
            "seed": seed,
            "checkpoint": details.checkpoint,
        }

    @classmethod
    def from_values(cls, picture_id: str, values: Mapping[str, object]) -> HistoryEntry | None:
        """Reads what `to_values` gave and a file or a page held; None if it is damaged."""
        try:
            verdict, rated_at, prompt, seed, checkpoint = (values[each] for each in FIELDS)
        except (KeyError, TypeError):
            return None
        # JSON allows NaN, the database does not.
        if verdict not in LIST_NAMES or not is_time(rated_at):
            return None
        return cls(
            picture_id, verdict, float(rated_at), Details(prompt, read_seed(seed), checkpoint)
        )

    @classmethod
    def from_row(cls, picture_id: str, *values: object) -> HistoryEntry:
        """Of a row with `FIELDS`. One that the disk has garbled shows what is left of it."""
        verdict, rated_at, prompt, seed, checkpoint = values
        return cls(
            picture_id,
            verdict if verdict in LIST_NAMES else LIST_NAMES[0],
            rated_at if is_time(rated_at) else 0.0,
            Details(prompt, read_seed(seed), checkpoint),
        )


FIELDS = tuple(HistoryEntry("", "liked", 0.0).to_values())


def check_tab_and_verdict(tab: str, verdict: str) -> None:
    """Raises FabricError unless both are known."""
    for name, value, known in (("tab", tab, TABS), ("verdict", verdict, LIST_NAMES)):
        if value not in known:
            raise FabricError("'{}' must be {}, not {}.", name, " or ".join(known), shorten(value))


def read_seed(text: object) -> int | None:
    """A seed as it is kept, as text."""
    is_number = isinstance(text, str) and re.fullmatch(r"-?[0-9]{1,20}", text)
    return int(text) if is_number else None


def is_time(value: object) -> bool:
    """Whether `value` is Unix seconds that can be shown."""
    return isinstance(value, (int, float)) and 0 <= value <= _MAX_TIME
