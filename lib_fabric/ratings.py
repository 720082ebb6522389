"""Which pictures are liked and disliked, how much each counts, and how a rating changes that.

Knows ids and numbers; not pictures, not the store. A picture is whatever the two lists hold: its
id where they are kept or shown, the picture itself where it is to steer.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, Literal, TypeVar

from lib_fabric.errors import FabricError
from lib_fabric.pictures import SHORT_ID_DIGITS, is_full_id
from lib_fabric.settings import (
    DEFAULT_MAX_PICTURES,
    HIGHEST_MAX_PICTURES,
    SettingField,
    shorten,
)

ListName = Literal["liked", "disliked"]
LIST_NAMES: tuple[ListName, ...] = ("liked", "disliked")
_FULL: dict[ListName, str] = {
    "liked": "At most {} can be liked. Remove one before adding another.",
    "disliked": "At most {} can be disliked. Remove one before adding another.",
}
WEIGHT = SettingField("weight", "Weight", "How much this picture counts.", 1.0, 0.0, 2.0)
P = TypeVar("P")
Q = TypeVar("Q")


@dataclass(frozen=True)
class Rated(Generic[P]):
    """A picture and how much it counts (0 to 2, 1 = as its list's strength says)."""

    picture: P
    weight: float = 1.0


@dataclass(frozen=True)
class Ratings(Generic[P]):
    """The liked and the disliked pictures, oldest first; every change returns new ratings."""

    liked: tuple[Rated[P], ...] = ()
    disliked: tuple[Rated[P], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.liked or self.disliked)

    def __len__(self) -> int:
        return len(self.liked) + len(self.disliked)

    def __iter__(self) -> Iterator[Rated[P]]:
        return itertools.chain(self.liked, self.disliked)

    def of(self, name: ListName) -> tuple[Rated[P], ...]:
        """The list `name`."""
        return self.liked if name == "liked" else self.disliked

    def pictures(self, name: ListName) -> tuple[P, ...]:
        """The pictures in the list `name`, without their weights."""
        return tuple(each.picture for each in self.of(name))

    def list_of(self, picture: P) -> ListName | None:
        """The list that holds `picture`, if any."""
        return next((name for name in LIST_NAMES if picture in self.pictures(name)), None)

    def map(self, change: Callable[[P], Q]) -> Ratings[Q]:
        """The same ratings of `change(picture)` for each picture."""
        return self._each(lambda rated: Rated(change(rated.picture), rated.weight))

    def unique(self) -> Ratings[P]:
        """Each picture once, as it is first found: liked ones before disliked ones."""
        seen: set[P] = set()

        def first(rated: Rated[P]) -> Rated[P] | None:
            if rated.picture in seen:
                return None
            seen.add(rated.picture)
            return rated

        return self._each(first)

    def only(self, is_wanted: Callable[[Rated[P]], bool]) -> Ratings[P]:
        """Those that are wanted."""
        return self._each(lambda rated: rated if is_wanted(rated) else None)

    def rate(self, picture: P, name: ListName, limit: int = DEFAULT_MAX_PICTURES) -> Ratings[P]:
        """Puts a picture into the list `name`; one of the other list moves, with its weight.

        Args:
            limit: the most that a list may hold.

        Raises:
            FabricError: the list is full.
        """
        if picture in self.pictures(name):
            return self
        if len(self.of(name)) >= limit:
            raise FabricError(_FULL[name], limit)
        found = [each for each in self if each.picture == picture]
        rest = self.remove(picture)
        return replace(rest, **{name: (*rest.of(name), *(found or [Rated(picture)]))})

    def remove(self, picture: P) -> Ratings[P]:
        """Forgets the rating of a picture; unknown ones change nothing."""
        return self.only(lambda each: each.picture != picture)

    def move(self, picture: P, name: ListName, limit: int = DEFAULT_MAX_PICTURES) -> Ratings[P]:
        """Moves a rated picture, with its weight, to the list `name`.

        Raises:
            FabricError: the picture is not rated on this page, or the list is full.
        """
        self._require(picture)
        return self.rate(picture, name, limit)

    def weigh(self, picture: P, weight: float) -> Ratings[P]:
        """Lets a rated picture count `weight`.

        Raises:
            FabricError: the picture is not rated on this page, or the weight is out of range.
        """
        self._require(picture)
        changed = Rated(picture, float(WEIGHT.check(weight)))
        return self._each(lambda rated: changed if rated.picture == picture else rated)

    def clear(self, name: ListName) -> Ratings[P]:
        """Empties the list `name`."""
        return replace(self, **{name: ()})

    def _each(self, change: Callable[[Rated[P]], Rated[Q] | None]) -> Ratings[Q]:
        """What `change` makes of each rated picture; None leaves it out."""
        lists = (map(change, self.of(name)) for name in LIST_NAMES)
        return Ratings(*(tuple(each for each in found if each is not None) for found in lists))

    def _require(self, picture: P) -> None:
        if self.list_of(picture) is None:
            raise FabricError("That picture is no longer rated.")


def to_json(ratings: Ratings[str]) -> str:
    """Ratings of whole ids as they are kept.

    Raises:
        FabricError: a wrong id or weight, too many pictures, one named twice.
    """
    kept = checked(ratings)
    lists = {name: [(each.picture, each.weight) for each in kept.of(name)] for name in LIST_NAMES}
    return json.dumps(lists)


def from_json(text: object) -> Ratings[str]:
    """Reads what `to_json` wrote.

    Raises:
        ValueError: it is damaged.
    """
    try:
        found = json.loads(text)  # type: ignore[arg-type]  # caught below
        lists = (tuple(Rated(*each) for each in found[name]) for name in LIST_NAMES)
        return checked(Ratings(*lists))
    except (ValueError, KeyError, TypeError, RecursionError, FabricError) as error:
        raise ValueError("no lists of pictures") from error


def checked(ratings: Ratings[str]) -> Ratings[str]:
    """Ratings as they can be kept: whole ids, each once, not too many, and numbers for weights.

    Raises:
        FabricError: anything else; the sentence names it.
    """
    for name in LIST_NAMES:
        length = len(ratings.of(name))
        if length > HIGHEST_MAX_PICTURES:
            raise FabricError(
                "'{}' may hold at most {} pictures, not {}.", name, HIGHEST_MAX_PICTURES, length
            )
    seen: set[str] = set()
    for rated in ratings:
        if not is_full_id(rated.picture):
            raise FabricError("{} is not the id of a picture.", shorten(rated.picture))
        if rated.picture in seen:
            raise FabricError(
                "picture {} is named twice.", shorten(rated.picture[:SHORT_ID_DIGITS])
            )
        seen.add(rated.picture)
    lists = (
        tuple(Rated(each.picture, float(WEIGHT.check(each.weight))) for each in ratings.of(name))
        for name in LIST_NAMES
    )
    return Ratings(*lists)
