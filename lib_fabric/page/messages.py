"""What a press is answered with besides what it has changed: one message, and whether it warns.

Knows messages; not gradio, not HTML.
"""

from __future__ import annotations

from dataclasses import dataclass

from lib_fabric.errors import Message


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


def note_of(*messages: Message) -> Note | None:
    """One note of all that is to be said; None of nothing."""
    if not messages:
        return None
    joined = " ".join("{}" for _ in messages)
    return Note(messages[0] if len(messages) == 1 else Message(joined, *messages))
