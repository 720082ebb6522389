"""Which references each row attends to, and how, by method.

Knows weights of references and the numbers of pictures; not states, not the host.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from lib_fabric.attention.merging import Merging
from lib_fabric.attention.plan import Attended, Pull, Reference


class PictureKey(NamedTuple):
    """What tells one reference from another: a picture, and how its tokens are merged."""

    picture_id: str
    merging: Merging


PictureReference = Reference[PictureKey]
PictureReferences = Sequence[PictureReference]


class Method(Protocol):
    """Chooses what a row attends to. The same row and pictures always give the same answer."""

    def conditional(
        self, liked: PictureReferences, disliked: PictureReferences, picture_number: int
    ) -> Attended:
        """What a row of the prompt attends to."""

    def unconditional(
        self, liked: PictureReferences, disliked: PictureReferences, picture_number: int
    ) -> Attended:
        """What a row of the negative prompt attends to."""


class Paper:
    """Rows of the prompt attend to all liked pictures, those of the negative prompt to the others.

    Source: arXiv:2307.10159, section 3 and algorithm 1.
    """

    def conditional(
        self, liked: PictureReferences, disliked: PictureReferences, picture_number: int
    ) -> Attended:
        return Attended(tuple(liked))

    def unconditional(
        self, liked: PictureReferences, disliked: PictureReferences, picture_number: int
    ) -> Attended:
        return Attended(tuple(disliked))


class Contrast:
    """Rows of the prompt attend to one liked picture of their own and go away from the disliked.

    Liked pictures agree in what they are liked for and differ in the rest: where the pictures of a
    batch follow them in turn, the batch agrees and differs in the same way, and its strength does
    not grow with their number. What a row shares with the disliked pictures is what it is moved
    away from, so that the part of a liked picture that the disliked have too is followed less.
    Rows of the negative prompt are left alone.
    """

    # One liked picture does not tell what it is liked for. From this many on they count fully.
    SURE_AFTER = 4
    # How many times its weight a disliked picture counts where it is avoided. At the default
    # disliked strength, 0.5, that is 1.5 times a liked one: chosen by measuring (tests/eval).
    DISLIKED_BALANCE = 3

    def conditional(
        self, liked: PictureReferences, disliked: PictureReferences, picture_number: int
    ) -> Attended:
        # A gentle beginning is for want of knowing what a picture is liked for. Where nothing is
        # liked, it would only make disliking weak.
        sureness = min(1.0, max(len(liked), len(disliked)) / self.SURE_AFTER) if liked else 1.0
        joined: tuple[PictureReference, ...] = ()
        pulls: tuple[Pull, ...] = ()
        if liked:
            followed = take_turn(liked, picture_number)
            joined = (replace(followed, weight=sureness * followed.weight),)
        if disliked:
            mean_weight = sum(each.weight for each in disliked) / len(disliked)
            weight = self.DISLIKED_BALANCE * mean_weight
            pulls = (Pull(-_share(sureness * weight), tuple(disliked)),)
        return Attended(joined, pulls)

    def unconditional(
        self, liked: PictureReferences, disliked: PictureReferences, picture_number: int
    ) -> Attended:
        return Attended()


# The fractions of its multiples lie evenly between 0 and 1, and the first so many of them no nearer
# to these than 1e-6: a place on the edge between two pictures would be a matter of rounding.
_GOLDEN_RATIO = (5**0.5 - 1) / 2
_NUM_STARTS = 2**15

METHODS: dict[str, Method] = {"contrast": Contrast(), "paper": Paper()}


def take_turn(rated: PictureReferences, picture_number: int) -> PictureReference:
    """The one of them that a row follows.

    Rows whose numbers count up take one picture after the other, so that as many rows as there are
    pictures follow each of them once. Where weights differ, a picture's turns are in proportion to
    its weight: the rows' places lie evenly spread over the weights laid end to end, from a start
    that moves on with each round (systematic sampling). The order of `rated` does not matter.

    Args:
        rated: at least one.
        picture_number: of the picture that the row is of.
    """
    rated = sorted(rated, key=lambda each: (each.key.picture_id, each.weight))
    turn, place = divmod(picture_number, len(rated))
    start = (0.5 + turn % _NUM_STARTS * _GOLDEN_RATIO) % 1
    point = (place + start) / len(rated) * sum(each.weight for each in rated)
    ends = itertools.accumulate(each.weight for each in rated)
    # Rounding may put the last end below the last point.
    return next((each for each, end in zip(rated, ends, strict=True) if point < end), rated[-1])


def _share(weight: float) -> float:
    """The share of attention that a picture of this weight has beside the row's own tokens.

    If all tokens fit the row equally well: 1 counts as much as the row's own.
    """
    return weight / (1 + weight)
