"""What people are told: a sentence as a key and parameters, so that a page can translate it.

Knows errors; not gradio, not HTML.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

from lib_fabric.errors import FabricError


@dataclass(frozen=True)
class UtcTime:
    """A moment, in Unix seconds, that the browser shows in its own zone."""

    seconds: float

    def __str__(self) -> str:
        return self._moment().strftime("%Y-%m-%d %H:%M UTC")

    def to_json(self) -> dict[str, str]:
        """As the browser reads it."""
        return {"time": self._moment().strftime("%Y-%m-%dT%H:%M:%SZ")}

    def _moment(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, timezone.utc)


@dataclass(frozen=True, init=False)
class Message:
    """A sentence: `key` with {} for each of `parameters`.

    A parameter that is a text stands there as it is; a message is translated, a time made local.
    """

    key: str
    parameters: tuple[str | UtcTime | Message, ...]

    def __init__(self, key: str, *parameters: str | UtcTime | Message) -> None:
        object.__setattr__(self, "key", key)
        object.__setattr__(self, "parameters", parameters)

    @classmethod
    def of(cls, error: FabricError) -> Message:
        """What went wrong."""
        return cls(error.key, *error.parameters)

    def __str__(self) -> str:
        # A sentence that is finished already may hold any brace.
        return self.key.format(*self.parameters) if self.parameters else self.key

    def to_json(self) -> list[object]:
        """As the browser reads it: the key, then the parameters."""
        return [
            self.key,
            *(each if isinstance(each, str) else each.to_json() for each in self.parameters),
        ]


@dataclass(frozen=True)
class Note:
    """One sentence for the user, beside what the press has changed."""

    message: Message
    is_warning: bool = True

    @property
    def text(self) -> str:
        """The sentence in English."""
        text = str(self.message)
        # Those of errors are written to stand behind their name; a file's name keeps its letters.
        is_word = self.message.key.partition(" ")[0].isalpha()
        return text[:1].upper() + text[1:] if is_word else text
