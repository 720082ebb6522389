"""Whether a text shows anything at all: what cannot be seen cannot be told apart or clicked.

Knows only the standard library.
"""

from __future__ import annotations

import unicodedata

# Controls, joiners, bidi marks and tags; half characters; spaces; accents without a letter.
_INVISIBLE = frozenset(("Cc", "Cf", "Cs", "Zs", "Zl", "Zp", "Mn", "Mc", "Me"))
# Letters and signs by their category, yet blank: fillers of Hangul, a Braille cell without dots,
# a note without a head.
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800\U0001d159")
# Not assigned, and never to be shown (Unicode's Default_Ignorable_Code_Point). Others that are not
# assigned are: a new emoji is none of Python's yet.
_RESERVED = ((0x2065, 0x2065), (0xFFF0, 0xFFF8), (0xE0000, 0xE0FFF))


def is_visible(text: str) -> bool:
    """Whether at least one character of `text` can be seen by itself."""
    return any(map(_is_visible, text))


def _is_visible(character: str) -> bool:
    if unicodedata.category(character) in _INVISIBLE or character in _BLANK:
        return False
    return not any(first <= ord(character) <= last for first, last in _RESERVED)
