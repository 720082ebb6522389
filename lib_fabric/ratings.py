"""Which pictures of one page and tab are liked and disliked, and how a rating changes that.

Knows ids and weights only: no gradio, no pictures, no store. Every change returns new ratings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from lib_fabric.errors import FabricError
from lib_fabric.picture_lists import (
    MAX_LIST_CHARACTERS,
    WEIGHT,
    NamedPicture,
    format_picture_list,
    parse_picture_list,
)
from lib_fabric.settings import MAX_PICTURES

ListName = Literal["liked", "disliked"]
OTHER_LIST: dict[ListName, ListName] = {"liked": "disliked", "disliked": "liked"}


@dataclass(frozen=True)
class Ratings:
    """The ids of the liked and disliked pictures, oldest first; no id is in both or twice.

    Attributes:
        weights: how much a picture counts, by id; one that is not named counts 1.
    """

    liked: tuple[str, ...] = ()
    disliked: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_lists(cls, liked: object, disliked: object) -> Ratings:
        """Ratings from the texts in which the page keeps its lists; what is no id is skipped."""
        first = _named(liked)
        second = {
            picture_id: weight
            for picture_id, weight in _named(disliked).items()
            if picture_id not in first
        }
        return cls.from_weighted(first, second)

    @classmethod
    def from_weighted(cls, liked: Mapping[str, float], disliked: Mapping[str, float]) -> Ratings:
        """Ratings from weights by id."""
        both = {**liked, **disliked}
        weights = {picture_id: weight for picture_id, weight in both.items() if weight != 1}
        return cls(tuple(liked), tuple(disliked), weights)

    def __bool__(self) -> bool:
        return bool(self.liked or self.disliked)

    def __len__(self) -> int:
        return len(self.liked) + len(self.disliked)

    def ids(self, name: ListName) -> tuple[str, ...]:
        """The ids in the list `name`."""
        return self.liked if name == "liked" else self.disliked

    def weight(self, picture_id: str) -> float:
        """How much a picture counts (0 to 2)."""
        return self.weights.get(picture_id, 1.0)

    def named(self, name: ListName) -> tuple[NamedPicture, ...]:
        """The pictures in the list `name` with their weights."""
        return tuple(NamedPicture(each, self.weight(each)) for each in self.ids(name))

    def text(self, name: ListName) -> str:
        """The list `name` as `from_lists` reads it."""
        return format_picture_list(self.named(name))

    def list_of(self, picture_id: str) -> ListName | None:
        """The list that holds `picture_id`, if any."""
        if picture_id in self.liked:
            return "liked"
        return "disliked" if picture_id in self.disliked else None

    def rate(self, picture_id: str, name: ListName, limit: int = MAX_PICTURES) -> Ratings:
        """Puts a picture into the list `name`, out of the other one if it is there.

        Args:
            limit: the most that a list may hold.

        Raises:
            FabricError: the list is full.
        """
        if picture_id in self.ids(name):
            return self
        if len(self.ids(name)) >= limit:
            raise FabricError(f"At most {limit} can be {name}. Remove one before adding another.")
        rest = self.remove(picture_id)
        lists = {name: (*rest.ids(name), picture_id)}
        return replace(rest, weights=self.weights, **lists)

    def remove(self, picture_id: str) -> Ratings:
        """Forgets the rating of a picture; unknown ids change nothing."""
        return self._only({each for each in (*self.liked, *self.disliked) if each != picture_id})

    def move(self, picture_id: str, name: ListName, limit: int = MAX_PICTURES) -> Ratings:
        """Moves a rated picture, with its weight, to the list `name`.

        Raises:
            FabricError: the picture is not rated on this page, or the list is full.
        """
        self._require(picture_id)
        return self.rate(picture_id, name, limit)

    def weigh(self, picture_id: str, weight: float) -> Ratings:
        """Lets a rated picture count `weight`.

        Raises:
            FabricError: the picture is not rated on this page, or the weight is out of range.
        """
        self._require(picture_id)
        rest = {each: other for each, other in self.weights.items() if each != picture_id}
        checked = float(WEIGHT.check(weight))
        return replace(self, weights=rest if checked == 1 else {**rest, picture_id: checked})

    def clear(self, name: ListName) -> Ratings:
        """Empties the list `name`."""
        return self._only(set(self.ids(OTHER_LIST[name])))

    def _only(self, kept: set[str]) -> Ratings:
        return Ratings(
            tuple(each for each in self.liked if each in kept),
            tuple(each for each in self.disliked if each in kept),
            {each: weight for each, weight in self.weights.items() if each in kept},
        )

    def _require(self, picture_id: str) -> None:
        if self.list_of(picture_id) is None:
            raise FabricError("That picture is no longer rated.")


def _named(text: object) -> dict[str, float]:
    """Weights by id. The text is the browser's word: nonsense in it must not cost the rest."""
    pictures: dict[str, float] = {}
    for entry in text[:MAX_LIST_CHARACTERS].split() if isinstance(text, str) else ():
        try:
            (picture,) = parse_picture_list(entry, "list")
        except FabricError:
            continue
        pictures.setdefault(picture.picture_id, picture.weight)
    return pictures
