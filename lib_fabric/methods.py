"""Which rated pictures each row attends to, and how, by method.

Knows requests, ids and weights of pictures and the names of rows; not torch, not the host.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from lib_fabric.request import Reference


@dataclass(frozen=True)
class Rated:
    """A rated picture that counts.

    Attributes:
        weight: of its tokens, above 0.
        list_name: 'liked' or 'disliked'.
    """

    picture_id: str
    weight: float
    list_name: str = ""


def weigh(references: Iterable[Reference], strength: float, list_name: str) -> tuple[Rated, ...]:
    """The references that count at all where all of them count `strength`."""
    weighed = [Rated(each.picture.id, strength * each.weight, list_name) for each in references]
    return tuple(each for each in weighed if each.weight > 0)


@dataclass(frozen=True)
class Pull:
    """Moves a row's attention output towards, or away from, what it would be over `rated` alone.

    Attributes:
        share: the part of the way that is gone; below 0 = away from it.
    """

    share: float
    rated: tuple[Rated, ...]


@dataclass(frozen=True)
class Attended:
    """What one row attends to.

    Attributes:
        joined: attended to together with the row's own tokens.
        pulls: applied to the output of that.
    """

    joined: tuple[Rated, ...] = ()
    pulls: tuple[Pull, ...] = ()

    @property
    def rated(self) -> tuple[Rated, ...]:
        """All that it attends to."""
        return (*self.joined, *(each for pull in self.pulls for each in pull.rated))


class Method(Protocol):
    """Chooses what a row attends to. The same row and pictures always give the same answer."""

    def conditional(
        self, liked: Sequence[Rated], disliked: Sequence[Rated], row_name: bytes
    ) -> Attended:
        """What a row of the prompt attends to."""

    def unconditional(
        self, liked: Sequence[Rated], disliked: Sequence[Rated], row_name: bytes
    ) -> Attended:
        """What a row of the negative prompt attends to."""


class Paper:
    """Rows of the prompt attend to all liked pictures, those of the negative prompt to the others.

    Source: arXiv:2307.10159, section 3 and algorithm 1.
    """

    def conditional(
        self, liked: Sequence[Rated], disliked: Sequence[Rated], row_name: bytes
    ) -> Attended:
        return Attended(tuple(liked))

    def unconditional(
        self, liked: Sequence[Rated], disliked: Sequence[Rated], row_name: bytes
    ) -> Attended:
        return Attended(tuple(disliked))


class Contrast:
    """Rows of the prompt go towards one liked picture of their own and away from the disliked.

    What liked and disliked pictures have in common cancels, so that what is left is nearer to what
    the person wants. The liked ones agree in that and differ in the rest: where each picture of a
    batch follows another of them, the batch agrees and differs in the same way, and its strength
    does not grow with their number. Rows of the negative prompt are left alone.
    """

    # One liked picture does not tell what it is liked for. From this many on they count fully.
    SURE_AFTER = 3
    # What is avoided has to weigh what is followed for the common part to cancel: at the default
    # disliked strength, 0.5, both sides weigh the same.
    DISLIKED_BALANCE = 2

    def conditional(
        self, liked: Sequence[Rated], disliked: Sequence[Rated], row_name: bytes
    ) -> Attended:
        sureness = min(1.0, max(len(liked), len(disliked)) / self.SURE_AFTER)
        pulls = []
        if liked:
            followed = draw(liked, row_name)
            pulls.append(Pull(_share(sureness * followed.weight), (followed,)))
        if disliked:
            mean_weight = sum(each.weight for each in disliked) / len(disliked)
            weight = self.DISLIKED_BALANCE * mean_weight
            pulls.append(Pull(-_share(sureness * weight), tuple(disliked)))
        return Attended(pulls=tuple(pulls))

    def unconditional(
        self, liked: Sequence[Rated], disliked: Sequence[Rated], row_name: bytes
    ) -> Attended:
        return Attended()


METHODS: dict[str, Method] = {"contrast": Contrast(), "paper": Paper()}


def draw(rated: Sequence[Rated], row_name: bytes) -> Rated:
    """One of them, in proportion to the weights.

    Drawn by weighted rendezvous hashing: it depends on the row and the pictures only, and rating
    one more picture moves no row except to that one.

    Source: Schindelhauer and Schomaker, "Weighted distributed hash tables", SPAA 2005.
    """
    return min(rated, key=lambda each: -math.log(_uniform(row_name, each)) / each.weight)


def _share(weight: float) -> float:
    """The share of attention that a picture of this weight has beside the row's own tokens.

    If all tokens fit the row equally well: 1 counts as much as the row's own.
    """
    return weight / (1 + weight)


def _uniform(row_name: bytes, rated: Rated) -> float:
    """A number in (0, 1) that is as good as drawn at random for each row and picture."""
    digest = hashlib.sha256(row_name + rated.picture_id.encode()).digest()
    return (int.from_bytes(digest[:6], "big") + 0.5) / 2**48
