"""Texts of users as the database can hold and compare them.

Knows only the standard library.
"""

from __future__ import annotations

import unicodedata


def clean_text(text: object, limit: int = 1000) -> str:
    """`text` as the database can hold it: at most `limit` characters, none that is no character."""
    if not isinstance(text, str):
        return ""
    return whole_text(text[:limit].replace("\0", " "))


def whole_text(text: str) -> str:
    """`text` with a question mark for each half of a character, which cannot be sent or kept."""
    # Files arrive as long texts, all of it ASCII.
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def fold(text: str) -> str:
    """`text` for comparing without regard to upper and lower case or to how accents are coded."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
