"""Our entries in the infotext of the pictures that one of the host's processing objects makes.

Knows that such an object has `extra_generation_params`; imports nothing of the host.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lib_fabric.infotext import is_ours

# Whether we had a part in a picture of a processing object: by its place in the batch.
HasPart = Callable[[Any, int], bool]


class _Entry(str):
    """A value that is left out where we had no part. Before 1.9.0 the host takes the text alone."""

    has_part: HasPart

    def __call__(self, p: Any, index: int, **_: object) -> str | None:  # noqa: ANN401 (the host's processing object)
        return str(self) if self.has_part(p, index) else None

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        # Others copy deeply all that lies on a processing object.
        return str, (str(self),)


def set_entries(p: Any, entries: Mapping[str, str], has_part: HasPart | None = None) -> None:  # noqa: ANN401 (as above)
    """Lets infotext say `entries` of us and nothing else, of pictures that we had a part in.

    On this object alone: copies of it (the cells of an X/Y/Z plot) come with its dict.
    """
    others = {key: each for key, each in p.extra_generation_params.items() if not is_ours(key)}
    if entries or len(others) < len(p.extra_generation_params):
        p.extra_generation_params = others | {
            key: _entry(text, has_part) if has_part else text for key, text in entries.items()
        }


def _entry(text: str, has_part: HasPart) -> _Entry:
    entry = _Entry(text)
    entry.has_part = has_part
    return entry
