"""Replacing a function of a module or class, with the original kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

originals: dict[str, dict[tuple[object, str], Callable]] = defaultdict(dict)


def patch(key: str, obj: object, field: str, replacement: Callable) -> Callable:
    """Puts `replacement` in place and returns the original; refuses a key's second patch."""
    if (obj, field) in originals[key]:
        raise RuntimeError(f"patch for {field} is already applied")
    found = getattr(obj, field)
    originals[key][obj, field] = found
    setattr(obj, field, replacement)
    return found


def undo(key: str, obj: object, field: str) -> None:
    """Puts the original back."""
    if (obj, field) not in originals[key]:
        raise RuntimeError(f"there is no patch for {field} to undo")
    setattr(obj, field, originals[key].pop((obj, field)))


def original(key: str, obj: object, field: str) -> Callable | None:
    """The original of a patched function, or None."""
    return originals[key].get((obj, field))
