"""One rating: what is kept of it, and how it is written into a picture's note.

Knows only texts and numbers; not the database, not the store.
"""

from __future__ import annotations

import contextlib
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from lib_fabric.errors import FabricError
from lib_fabric.settings import shorten

Verdict = Literal["liked", "disliked"]
VERDICTS: tuple[Verdict, ...] = ("liked", "disliked")
TABS = ("txt2img", "img2img")
MAX_PROMPT_CHARS = 20_000
MAX_CHECKPOINT_CHARS = 500
# In a row of the database, and in a note.
FIELDS = ("picture_id", "verdict", "rated_at", "prompt", "seed", "checkpoint")
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
class Rating:
    """One entry of the history; `rated_at` in Unix seconds."""

    picture_id: str
    verdict: Verdict
    rated_at: float
    details: Details = field(default_factory=Details)


def clean_text(text: object, limit: int = 1000) -> str:
    """`text` as the database can hold it: at most `limit` characters, none that is no character."""
    if not isinstance(text, str):
        return ""
    return text[:limit].replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


def fold(text: str) -> str:
    """`text` for comparing without regard to upper and lower case or to how accents are coded."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def check_tab_and_verdict(tab: str, verdict: str) -> None:
    """Raises FabricError unless both are known."""
    for name, value, known in (("tab", tab, TABS), ("verdict", verdict, VERDICTS)):
        if value not in known:
            raise FabricError(f"'{name}' must be {' or '.join(known)}, not {shorten(value)}.")


def read_seed(text: object) -> int | None:
    """A seed as it is kept: as text, since SQLite's numbers end below 2**64."""
    is_number = isinstance(text, str) and re.fullmatch(r"-?[0-9]{1,20}", text)
    return int(text) if is_number else None


def is_time(value: object) -> bool:
    """Whether `value` is Unix seconds that can be shown."""
    return isinstance(value, (int, float)) and 0 <= value <= _MAX_TIME


def to_note(rows: list[tuple]) -> bytes:
    """A picture's ratings as its note; each row is owner, tab and `FIELDS`."""
    names = ["owner", "tab", *FIELDS]
    ratings = [dict(zip(names, row, strict=True)) for row in rows]
    for each in ratings:
        del each["picture_id"]
    return json.dumps({"ratings": ratings}, ensure_ascii=False).encode() if ratings else b""


def from_note(picture_id: str, note: bytes) -> Iterator[tuple[str, str, Rating]]:
    """Owner, tab and rating of each in a note; what is damaged is left out."""
    try:
        entries = list(json.loads(note)["ratings"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return
    for each in entries:
        with contextlib.suppress(KeyError, TypeError, FabricError):
            check_tab_and_verdict(each["tab"], each["verdict"])
            if not is_time(each["rated_at"]):  # JSON allows NaN, the database does not
                continue
            details = Details(each["prompt"], read_seed(each["seed"]), each["checkpoint"])
            rating = Rating(picture_id, each["verdict"], float(each["rated_at"]), details)
            yield clean_text(each["owner"]), each["tab"], rating
