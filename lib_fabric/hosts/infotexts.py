"""Our entries in the infotext of the pictures that one of the host's processing objects makes.

Knows that such an object has `extra_generation_params`; imports nothing of the host.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lib_fabric.infotext import is_ours
from lib_fabric.settings import NOTE_KEY

# Whether we had a part in a picture of a processing object: by its place in the batch.
HasPart = Callable[[Any, int], bool]


class _Entry(str):
    """A value that is left out where we had no part. Before 1.9.0 the host takes the text alone."""

    has_part: HasPart

    def __call__(self, p: Any, index: int, **_: object) -> str | None:  # noqa: ANN401 (the host's processing object)
        return self.text_at(index) if self.has_part(p, index) else None

    def text_at(self, _index: int) -> str | None:
        """The value for one picture of the generation."""
        return str(self)

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        # Others copy deeply all that lies on a processing object.
        return str, (str(self),)


def set_entries(p: Any, entries: Mapping[str, str], has_part: HasPart | None = None) -> None:  # noqa: ANN401 (as above)
    """Lets infotext say `entries` of us and nothing else, of pictures that we had a part in.

    On this object alone: copies of it (the cells of an X/Y/Z plot) come with its dict. What was
    said while the request was read stays, unless there are no entries.
    """

    def stays(key: str) -> bool:
        return not is_ours(key) or (key == NOTE_KEY and bool(entries))

    others = {key: each for key, each in p.extra_generation_params.items() if stays(key)}
    if entries or len(others) < len(p.extra_generation_params):
        p.extra_generation_params = others | {
            key: _entry(text, has_part) if has_part else text for key, text in entries.items()
        }


class _EntryOfEach(_Entry):
    """One value for each picture; all of them where the host takes the text alone."""

    texts: Sequence[str]

    def text_at(self, index: int) -> str | None:
        return self.texts[index] if index < len(self.texts) else None


def set_entry_of_each(p: Any, key: str, texts: Sequence[str], has_part: HasPart) -> None:  # noqa: ANN401 (as above)
    """Lets infotext say another text of each picture of the generation."""
    entry = _EntryOfEach(" ".join(texts))
    entry.texts, entry.has_part = texts, has_part
    p.extra_generation_params = {**p.extra_generation_params, key: entry}


def add_note(p: Any, text: str) -> None:  # noqa: ANN401 (as above)
    """Lets infotext say a sentence of us, behind what was said before."""
    before = str(p.extra_generation_params.get(NOTE_KEY, ""))
    if text not in before:
        note = f"{before} {text}".strip()
        p.extra_generation_params = {**p.extra_generation_params, NOTE_KEY: note}


def _entry(text: str, has_part: HasPart) -> _Entry:
    entry = _Entry(text)
    entry.has_part = has_part
    return entry
