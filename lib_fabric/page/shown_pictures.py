"""The result gallery, as the browser sent it.

Knows JSON; not gradio, not how an entry is opened.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from lib_fabric.errors import FabricError


@dataclass(frozen=True)
class ShownPictures:
    """The gallery's entries, and how many grids come first."""

    entries: tuple[object, ...] = ()
    num_grids: int = 0

    @classmethod
    def from_client(cls, gallery: object, generation_info: object) -> ShownPictures:
        """Reads the gallery's value and the JSON of `generation_info_<tab>`."""
        entries = tuple(gallery) if isinstance(gallery, (list, tuple)) else ()
        return cls(entries, _num_grids(generation_info))

    def pick(self, index: int) -> object:
        """The entry at `index`; -1 stands for the only one.

        Raises:
            FabricError: nothing there, nothing selected, or a grid.
        """
        if not self.entries:
            raise FabricError("There is no picture to rate yet. Generate one first.")
        if index == -1 and len(self.entries) == 1:
            index = 0
        if not 0 <= index < len(self.entries):
            raise FabricError("Select a picture first.")
        if index < self.num_grids:
            raise FabricError("This is the grid. Select one of its pictures.")
        return self.entries[index]


def _num_grids(generation_info: object) -> int:
    try:
        values = json.loads(generation_info) if isinstance(generation_info, str) else None
    except (ValueError, RecursionError):
        return 0
    first = values.get("index_of_first_image") if isinstance(values, dict) else None
    return first if type(first) is int and first >= 0 else 0
