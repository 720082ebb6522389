"""Which pictures of one page and tab are liked and disliked, and how a rating changes that.

Knows ids only: no gradio, no pictures, no store. Every change returns new ratings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from lib_fabric.errors import FabricError
from lib_fabric.pictures import ID_PATTERN
from lib_fabric.request import MAX_PICTURES

ListName = Literal["liked", "disliked"]
OTHER_LIST: dict[ListName, ListName] = {"liked": "disliked", "disliked": "liked"}


@dataclass(frozen=True)
class Ratings:
    """The ids of the liked and disliked pictures, oldest first; no id is in both or twice."""

    liked: tuple[str, ...] = ()
    disliked: tuple[str, ...] = ()

    @classmethod
    def from_lists(cls, liked: object, disliked: object) -> Ratings:
        """Ratings from what gradio hands over: `None` for an unknown page, else lists of ids."""
        first = _ids(liked)
        return cls(first, tuple(each for each in _ids(disliked) if each not in first))

    def __bool__(self) -> bool:
        return bool(self.liked or self.disliked)

    def __len__(self) -> int:
        return len(self.liked) + len(self.disliked)

    def ids(self, name: ListName) -> tuple[str, ...]:
        """The ids in the list `name`."""
        return self.liked if name == "liked" else self.disliked

    def list_of(self, picture_id: str) -> ListName | None:
        """The list that holds `picture_id`, if any."""
        if picture_id in self.liked:
            return "liked"
        return "disliked" if picture_id in self.disliked else None

    def rate(self, picture_id: str, name: ListName) -> Ratings:
        """Puts a picture into the list `name`, out of the other one if it is there.

        Raises:
            FabricError: the list is full.
        """
        if picture_id in self.ids(name):
            return self
        if len(self.ids(name)) >= MAX_PICTURES:
            raise FabricError(
                f"At most {MAX_PICTURES} pictures can be {name}. Remove one before adding another."
            )
        rest = self.remove(picture_id)
        return replace(rest, **{name: (*rest.ids(name), picture_id)})

    def remove(self, picture_id: str) -> Ratings:
        """Forgets the rating of a picture; unknown ids change nothing."""
        return Ratings(
            tuple(each for each in self.liked if each != picture_id),
            tuple(each for each in self.disliked if each != picture_id),
        )

    def move(self, picture_id: str, name: ListName) -> Ratings:
        """Moves a rated picture to the list `name`.

        Raises:
            FabricError: the picture is not rated on this page, or the list is full.
        """
        if self.list_of(picture_id) is None:
            raise FabricError("That picture is no longer rated.")
        return self.rate(picture_id, name)

    def clear(self, name: ListName) -> Ratings:
        """Empties the list `name`."""
        return replace(self, **{name: ()})


def _ids(value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        return ()
    known = (each for each in value if isinstance(each, str) and ID_PATTERN.fullmatch(each))
    return tuple(dict.fromkeys(known))
